"""Manifests (.csv, .tsv, .jsonl, .parquet): columns of ours by name, the user's with their types."""

import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from mmser.batch.input.arrow import arrow_cells, compact, holds_bytes
from mmser.batch.input.part import storable
from mmser.batch.records import Cell, ColumnType
from mmser.data.manifest import AUDIO_NAMES, other_separator
from mmser.data.tables import csv_lines, is_unicode, listing
from mmser.errors import DataError

KINDS: Final = (".csv", ".tsv", ".jsonl", ".parquet")
OURS: Final = ("id", "audio", "transcript", "roles", "language")
_NAMES: Final = AUDIO_NAMES | dict.fromkeys(("transcription", "transcripts", "text", "vtt"), "transcript")
_INT64: Final = range(-(2**63), 2**63)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A manifest by columns, cells in the order of its rows."""

    name: str  # path or URL
    kind: str  # of `KINDS`, or "dataset"
    numbers: Sequence[int]  # of lines from 1; of rows from 0 in Parquet and datasets
    ours: dict[str, list[Any]]  # of `OURS`, as the file has them; None = empty
    columns: dict[str, ColumnType]  # the user's, in order
    values: dict[str, list[Cell]]  # of these
    problems: dict[int, str]  # index of a row → what is wrong with a cell of the user's
    warnings: tuple[str, ...] = ()

    def place(self, index: int) -> str:
        """Return where a row stands."""
        if self.kind in (".parquet", "dataset"):
            return f"{self.name}, row {self.numbers[index]} (counted from 0)"
        return f"{self.name}, line {self.numbers[index]}"


def read_manifest(name: str, kind: str, data: bytes | None) -> Table:
    """Read a manifest of calls.

    Args:
        name: path or URL; errors name it.
        kind: its suffix, of `KINDS`.
        data: its content; None = what lies at the path.

    Raises:
        DataError: if it is empty, not of its kind, or has neither the column `audio` nor `transcript`.
    """
    if kind == ".parquet":
        return _read_parquet(name, data)
    text = _text_of(name, data if data is not None else read_bytes(name))
    table = _read_jsonl(name, text) if kind == ".jsonl" else _read_csv(name, kind, text)
    if not table.numbers:
        raise DataError(f"{name} holds 0 rows; add one for each call")
    return table


def read_bytes(path: str) -> bytes:
    """Return the content of a file.

    Raises:
        DataError: if it cannot be read.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}; mend it or leave it out"
        ) from error


def check_names(name: str, kind: str, header: Sequence[str]) -> tuple[str, ...]:
    """Return warnings of columns that are nearly called as ours.

    Raises:
        DataError: if there is neither `audio` nor `transcript`.
    """
    near = {c: c.strip().lower() for c in header if c not in OURS and c.strip().lower() in OURS}
    near = {column: meant for column, meant in near.items() if meant not in header}
    if "audio" in header or "transcript" in header:
        return tuple(
            f"{name} has a column {column!r}, which is passed through and not read as {meant!r}; rename it "
            "if that is meant"
            for column, meant in near.items()
        )
    parted = next((said for c in header if (said := other_separator(kind, c))), None)
    told = near | {c: _NAMES[c.strip().lower()] for c in header if c.strip().lower() in _NAMES}
    told = {column: meant for column, meant in told.items() if meant in ("audio", "transcript")}
    remedy = parted or next(
        (f"rename {column!r} to {meant!r}" for column, meant in told.items()),
        "a manifest names a recording, a transcript or both in every row",
    )
    raise DataError(
        f"{name} has neither the column 'audio' nor 'transcript' (its columns: "
        f"{listing(map(repr, header), 20) or 'none'}); {remedy}"
    )


def _text_of(name: str, data: bytes) -> str:
    if not data.strip():
        raise DataError(f"{name} is empty ({len(data)} bytes); write a row for each call")
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise DataError(f"{name}, line {line}: it holds NUL bytes; save it as UTF-8 text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(f"{name}, line {line}: it is not UTF-8 text; save it as UTF-8") from error


def _read_csv(name: str, kind: str, text: str) -> Table:
    delimiter = "\t" if kind == ".tsv" else ","
    try:
        header = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise DataError(f"{name}, line 1: {error}") from error
    warnings = check_names(name, kind, header)
    lines = [
        (line, cells)
        for line, cells in csv_lines(io.StringIO(text, newline=""), name, (), delimiter=delimiter)
        if any(cells.values())  # spreadsheets end in rows of nothing
    ]
    users = [column for column in header if column not in OURS]
    return Table(
        name=name,
        kind=kind,
        numbers=[line for line, _ in lines],
        ours={
            column: [cells[column].strip() or None for _, cells in lines]
            for column in header
            if column in OURS
        },
        columns=dict.fromkeys(users, "string"),
        values={column: [cells[column] or None for _, cells in lines] for column in users},
        problems={},
        warnings=warnings,
    )


def _read_jsonl(name: str, text: str) -> Table:
    numbers: list[int] = []
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            numbers.append(number)
            rows.append(_json_object(f"{name}, line {number}", line))
    header = list(dict.fromkeys(key for row in rows for key in row))
    strange = next((key for key in header if not is_unicode(key)), None)
    if strange is not None:
        raise DataError(f"{name} has a column {strange!a} with half of a character; rename it")
    warnings = check_names(name, ".jsonl", header)
    columns: dict[str, ColumnType] = {}
    values: dict[str, list[Cell]] = {}
    problems: dict[int, str] = {}
    for column in header:
        if column not in OURS:
            raw = [row.get(column) for row in rows]
            columns[column], values[column] = _checked(column, *json_cells(raw), problems)
    return Table(
        name=name,
        kind=".jsonl",
        numbers=numbers,
        ours={column: [row.get(column) for row in rows] for column in header if column in OURS},
        columns=columns,
        values=values,
        problems=problems,
        warnings=warnings,
    )


def _json_object(place: str, line: str) -> dict[str, Any]:
    try:
        data = json.loads(line, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: it is not JSON ({error}); write one object a line") from error
    if not isinstance(data, dict):
        raise DataError(
            f"{place}: it is not a JSON object; write one object a line, with keys such as 'audio'"
        )
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        _refuse_twice([key for key, _ in pairs])
    return found


def _refuse_twice(keys: Sequence[str]) -> NoReturn:
    twice = next(key for i, key in enumerate(keys) if key in keys[:i])
    raise ValueError(f"the key {twice!r} is there twice")


def json_cells(values: Sequence[Any]) -> tuple[ColumnType, list[Cell]]:
    """Return the type of what JSON holds and the cells: one type for all, text where they differ."""
    there = {type(value) for value in values if value is not None}
    if there == {bool}:
        return "bool", list(values)
    if there == {int} and all(value is None or value in _INT64 for value in values):
        return "int", list(values)
    if there == {float} or (there == {int, float} and all(_is_modest(value) for value in values)):
        return "float", [None if value is None else float(value) for value in values]
    return "string", [v if v is None or isinstance(v, str) else compact(v) for v in values]


def _is_modest(value: float | None) -> bool:
    return not isinstance(value, int) or value in _INT64


def _checked(
    column: str, kind: ColumnType, cells: list[Cell], problems: dict[int, str]
) -> tuple[ColumnType, list[Cell]]:
    """Note which rows have a cell that no result can hold, and put what can be in its place."""
    if kind == "float":
        wrong = [i for i, cell in enumerate(cells) if isinstance(cell, float) and not math.isfinite(cell)]
        for i in wrong:
            problems.setdefault(i, f"{column} is {cells[i]}; give a finite number, or leave it empty")
            cells[i] = None
    elif kind == "string":
        for i in [i for i, cell in enumerate(cells) if isinstance(cell, str) and not is_unicode(cell)]:
            problems.setdefault(i, f"{column} holds half of a character (a surrogate); save it as UTF-8")
            cells[i] = storable(str(cells[i]))
    return kind, cells


def _read_parquet(name: str, data: bytes | None) -> Table:
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(name if data is None else pyarrow.BufferReader(data))
        schema = file.schema_arrow
        twice = sorted({c for c in schema.names if schema.names.count(c) > 1})
        if twice:
            raise DataError(f"{name} has the column {twice[0]!r} twice; keep one of them")
        if not file.metadata.num_rows:
            raise DataError(f"{name} holds 0 rows; add one for each call")
        check_names(name, ".parquet", schema.names)
        if "audio" in schema.names and holds_bytes(schema.field("audio").type):
            raise DataError(
                f"{name}: the column 'audio' holds sound itself, not paths; give the folder of the file as "
                "hf:FOLDER"
            )
        kept = [c for c in schema.names if not holds_bytes(schema.field(c).type)]
        table = file.read(columns=kept)
        return arrow_table(name, ".parquet", table, dropped=[c for c in schema.names if c not in kept])
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = (str(error).splitlines() or [repr(error)])[0].rstrip(".")
        raise DataError(f"{name} cannot be read as Parquet ({reason}); write it again") from error


def arrow_table(
    name: str,
    kind: str,
    table: Any,
    *,
    ours: Sequence[str] = OURS,
    dropped: Sequence[str] = (),
    named: Callable[[str, Any], Any] = lambda column, cells: cells,
) -> Table:
    """Return an Arrow table as a manifest.

    Args:
        name: what errors call it.
        kind: ".parquet" or "dataset".
        table: without columns of bytes.
        ours: columns that are not the user's.
        dropped: columns that are left out, for a warning.
        named: from a column and its Arrow cells to those that are read.
    """
    columns: dict[str, ColumnType] = {}
    values: dict[str, list[Cell]] = {}
    problems: dict[int, str] = {}
    users = [column for column in table.column_names if column not in ours]
    for column in users:
        found = arrow_cells(named(column, table[column]))
        columns[column], values[column] = _checked(column, *found, problems)
    lost = f"{name}: what {listing(map(repr, dropped))} hold is bytes and is not passed through"
    warnings = check_names(name, kind, table.column_names) if kind == ".parquet" else ()
    return Table(
        name=name,
        kind=kind,
        numbers=range(table.num_rows),
        ours={column: table[column].to_pylist() for column in table.column_names if column in ours},
        columns=columns,
        values=values,
        problems=problems,
        warnings=(*warnings, *((lost,) if dropped else ())),
    )
