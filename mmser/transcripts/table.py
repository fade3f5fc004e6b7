"""CSV and TSV: a header that names text, and times or speakers; one row a turn."""

import csv
import io
import re
from typing import Final

from mmser.errors import TranscriptError
from mmser.transcripts.clock import clock_seconds
from mmser.transcripts.entries import Entry, Parsed
from mmser.transcripts.fields import channel, language_code, shown
from mmser.transcripts.names import numbered, role_of

_MS: Final = 1000.0
_DAY: Final = 86_400
MAX_HEADER: Final = 4000  # characters
_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "start": ("start", "begin", "start time", "begin time", "starttime", "start s", "start seconds",
              "start sec", "from", "offset", "time", "timestamp", "in", "start timestamp"),
    "end": ("end", "stop", "end time", "stop time", "endtime", "end s", "end seconds", "end sec", "to",
            "out", "finish", "end timestamp"),
    "start_ms": ("start ms", "start milliseconds", "begin ms", "offset ms", "startms"),
    "end_ms": ("end ms", "end milliseconds", "stop ms", "endms"),
    "duration": ("duration", "dur", "length", "duration s", "duration seconds"),
    "speaker": ("speaker", "speaker name", "speaker label", "speaker id", "name", "participant", "who",
                "party"),
    "role": ("role", "participant role", "speaker role"),
    "channel": ("channel", "channel id"),
    "text": ("text", "transcript", "transcription", "utterance", "content", "message", "sentence", "words"),
    "language": ("language", "lang"),
}  # fmt: skip
_BY_HEADER: Final = {header: field for field, headers in _COLUMNS.items() for header in headers}


def _delimiter(text: str) -> str | None:
    """Return the delimiter under which the first line is a header that we know."""
    head = text.lstrip().split("\n", 1)[0]
    if len(head) > MAX_HEADER:  # prose on one line; csv refuses fields over 131,072 characters
        return None
    for delimiter in "\t,;|":
        fields = set(_fields(next(csv.reader([head], delimiter=delimiter), [])))
        if "text" in fields and fields & {"start", "start_ms", "speaker", "role"}:
            return delimiter
    return None


def _fields(header: list[str]) -> list[str | None]:
    plain = [re.sub(r"[\s_()\[\]\-.]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cell)) for cell in header]
    return [_BY_HEADER.get(cell.strip().casefold()) for cell in plain]


def sniff_table(text: str) -> bool:
    """Tell whether the first line is a header with a text column and times or speakers."""
    return _delimiter(text) is not None


def read_table(text: str) -> Parsed:
    """Read CSV or TSV with times in seconds, hh:mm:ss.mmm or (by header, or Whisper's own) milliseconds.

    Raises:
        TranscriptError: if a row has other columns than the header, a quote stays open, or a time is none.
    """
    delimiter = _delimiter(text) or ","
    reader = csv.reader(io.StringIO(text.lstrip()), delimiter=delimiter, strict=True)
    header: list[str | None] = []
    width, rows = 0, []
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if not header:
                header, width = _fields(row), len(row)
                continue
            if len(row) != width:
                raise TranscriptError(
                    f"line {reader.line_num}: this row has {len(row)} columns, but the header has {width}; "
                    f"put text that holds the delimiter {delimiter!r} in quotes"
                )
            rows.append((reader.line_num, _by_field(header, row)))
    except csv.Error as error:
        raise TranscriptError(f"line {reader.line_num}: {error}; the file may be cut short") from error
    parsed = Parsed(format="tsv" if delimiter == "\t" else "csv", entries=[])
    per_second = _MS if _whisper_milliseconds(header, rows) else 1.0
    if per_second != 1:
        parsed.warnings.append("times read as milliseconds, as Whisper writes them: whole numbers over 1000")
    parsed.entries = [_row(fields, f"line {line}", per_second) for line, fields in rows]
    languages = {code for _, fields in rows if (code := language_code(fields.get("language")))}
    parsed.language = languages.pop() if len(languages) == 1 else None
    return parsed


def _by_field(header: list[str | None], row: list[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for field, cell in zip(header, row, strict=True):
        if field is not None:
            fields.setdefault(field, cell.strip())
    return fields


def _whisper_milliseconds(header: list[str | None], rows: list[tuple[int, dict[str, str]]]) -> bool:
    """Whisper's TSV and whisper.cpp's CSV hold whole milliseconds under plain "start" and "end"."""
    if [field for field in header if field != "speaker"] != ["start", "end", "text"] or not rows:
        return False
    plain = "speaker" not in header and len(rows) > 1  # else only times beyond a day tell
    times = [fields[key] for _, fields in rows for key in ("start", "end")]
    if not all(time.isascii() and time.isdecimal() and len(time) < 10 for time in times):
        return False
    # As seconds, nobody speaks one word in 20 s in nearly every turn.
    slow = sum(
        int(fields["end"]) - int(fields["start"]) > 20 * max(1, len(fields["text"].split()))
        for _, fields in rows
    )
    return slow > 0.8 * len(rows) and max(map(int, times)) >= (_MS if plain else _DAY)


def _row(fields: dict[str, str], where: str, per_second: float) -> Entry:
    start, end = _time(fields, "start", where, per_second), _time(fields, "end", where, per_second)
    duration = fields.get("duration")
    if end is None and start is not None and duration:
        end = start + clock_seconds(duration, f"{where}, duration")
    role = role_of(fields.get("role"))
    named = numbered(fields.get("speaker")) or fields.get("role") or None
    return Entry(
        where=where,
        start=start,
        end=end,
        speaker=named,
        channel=channel(fields.get("channel")),
        role=None if role == "unknown" else role,
        text=fields["text"],
    )


def _time(fields: dict[str, str], key: str, where: str, per_second: float) -> float | None:
    if fields.get(f"{key}_ms"):
        return _number(fields[f"{key}_ms"], f"{where}, {key}") / _MS
    if not fields.get(key):
        return None
    if ":" in fields[key]:
        return clock_seconds(fields[key], f"{where}, {key}")
    return _number(fields[key], f"{where}, {key}") / per_second


def _number(cell: str, where: str) -> float:
    try:
        return float(re.sub(r"^(-?\d+),(\d+)$", r"\1.\2", cell.removesuffix("s")))
    except ValueError as error:
        raise TranscriptError(
            f"{where}: {shown(cell)} is not a time such as 65.25 or 00:01:05.250"
        ) from error
