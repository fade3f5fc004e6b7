"""Columns of Arrow tables, as Parquet files and datasets have them, as cells of ours."""

import datetime
import json
import math
from typing import Any

import pyarrow
import pyarrow.compute
import pyarrow.types as kinds

from mmser.batch.records import Cell, ColumnType


def arrow_cells(column: Any) -> tuple[ColumnType, list[Cell]]:
    """Return the type of a column and its cells.

    Whole numbers, numbers, booleans and texts stay what they are; NaN, which pandas writes for what is
    missing, is None; times and dates become ISO 8601 texts, nested values compact JSON, the rest its text.
    """
    kind = column.type
    if kinds.is_dictionary(kind):
        return arrow_cells(column.cast(kind.value_type))
    if kinds.is_timestamp(kind) and kind.unit == "ns":
        column = column.cast(pyarrow.timestamp("us", tz=kind.tz), safe=False)  # Python's clock ends there
    if kinds.is_time64(kind) and kind.unit == "ns":
        column = column.cast(pyarrow.time64("us"), safe=False)
    values = column.to_pylist()
    if kinds.is_boolean(kind):
        return "bool", values
    if kinds.is_integer(kind):
        fits = all(value is None or value < 2**63 for value in values)
        return ("int", values) if fits else ("string", [_text(value) for value in values])
    if kinds.is_floating(kind):
        return "float", [None if value is None or math.isnan(value) else float(value) for value in values]
    return "string", [_text(value) for value in values]


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime.date | datetime.time):  # a datetime is a date
        return value.isoformat()
    return compact(value) if isinstance(value, list | dict | bool) else str(value)


def compact(value: object) -> str:
    """Return a value as JSON without blanks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def holds_bytes(kind: Any) -> bool:
    """Tell whether a type is of bytes, or has some within: such a column is not read."""
    if kinds.is_dictionary(kind):
        return holds_bytes(kind.value_type)
    if kinds.is_nested(kind):
        return any(holds_bytes(kind.field(i).type) for i in range(kind.num_fields))
    return bool(
        kinds.is_binary(kind)
        or kinds.is_large_binary(kind)
        or kinds.is_fixed_size_binary(kind)
        or kinds.is_binary_view(kind)
    )
