"""Turns as Parquet: the columns of the CSV, with their types."""

import io
from typing import Any, Final

from mmser.report.tables import turn_columns, turn_rows
from mmser.types import CallReport

_NUMBERS: Final = (
    "start",
    "end",
    "text_confidence",
    "confidence",
    "intensity",
    "change",
    "loudness_dbfs",
    "words_per_minute",
)
_FLAGS: Final = ("abstained", "shifted")


def to_parquet(report: CallReport) -> bytes:
    """Return the turns as one Parquet file, nulls where something is missing.

    Single words and windows are left out, as in the CSV; the JSON has them. The notice of permitted use, the
    ground on which agents were scored and the model's id and revision stand in the file's metadata.
    """
    import pyarrow
    import pyarrow.parquet

    columns = turn_columns(report.model.labels)
    schema = pyarrow.schema(
        [(name, column_type(name, report.model.labels)) for name in columns],
        metadata={
            "mmser_version": report.mmser_version,
            "model": stored(f"{report.model.id} {report.model.revision}"),
            "notice": report.policy.notice,
            "agent_reason": report.policy.agent_reason or "",
        },
    )
    rows = [{name: stored(value) for name, value in row.items()} for row in turn_rows(report)]
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), out)
    return out.getvalue()


def column_type(name: str, labels: tuple[str, ...]) -> Any:
    """Return the type of a column of `turn_columns`, as pyarrow has it."""
    import pyarrow

    if name in _NUMBERS or name in {f"p_{label}" for label in labels}:
        return pyarrow.float64()
    if name in _FLAGS:
        return pyarrow.bool_()
    return pyarrow.int64() if name == "channel" else pyarrow.string()


def stored(value: Any) -> Any:
    """Return a value as a Parquet file can hold it."""
    # Half a pair of UTF-16 code units is no character, and Parquet holds UTF-8.
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value
