"""Turns as rows: CSV for spreadsheets, JSONL for programs."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any, Final

from mmser.transcripts.cells import inert
from mmser.types import CallReport, TurnReport


def turn_rows(report: CallReport) -> Iterator[dict[str, Any]]:
    """Yield one flat row per turn: plain text, numbers, booleans, and None where something is missing.

    Times are in seconds, probabilities (`p_<label>`) and intensity in [0, 1]. `reason` says why a turn
    has no emotion.
    """
    recording = report.recording.id if report.recording is not None else None
    for turn in report.turns:
        yield {"recording": recording} | _row(turn, report.model.labels)


def turn_columns(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the columns for a model's labels; they hold for a call without turns too."""
    return ("recording", *_row(_EMPTY_TURN, labels))


def _row(turn: TurnReport, labels: tuple[str, ...]) -> dict[str, Any]:
    said, strength, change = turn.emotion, turn.intensity, turn.change
    return {
        "id": turn.id,
        "start": turn.start,
        "end": turn.end,
        "channel": turn.channel,
        "speaker": turn.speaker,
        "role": turn.role,
        "text": turn.text,
        "text_confidence": turn.text_confidence,
        "emotion": said.label if said else None,
        "top_emotion": said.top if said else None,
        "confidence": said.confidence if said else None,
        "abstained": said.abstained if said else None,
        **{f"p_{label}": said.probabilities.get(label) if said else None for label in labels},
        "intensity": strength.value if strength else None,
        "intensity_level": strength.level if strength else None,
        "change": change.probability if change else None,
        "shifted": change.shifted if change else None,
        "direction": change.direction if change else None,
        "modalities": "+".join(turn.modalities) or None,
        "loudness_dbfs": turn.loudness_dbfs,
        "words_per_minute": turn.words_per_minute,
        "flags": "+".join(turn.flags) or None,
        "reason": turn.reasons.get("emotion"),
    }


def to_jsonl(report: CallReport) -> str:
    """Return one JSON object per line and turn."""
    lines = (json.dumps(row, ensure_ascii=True, allow_nan=False) for row in turn_rows(report))
    return "".join(f"{line}\n" for line in lines)


def to_csv(report: CallReport) -> str:
    """Return the turns as CSV with a header; a withheld turn's fields stay empty.

    Text that a spreadsheet would run as a formula gets a leading apostrophe; numbers stay numbers.
    """
    columns = turn_columns(report.model.labels)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")  # with "\n", a "\r" in a cell would go unquoted
    writer.writerow([_cell(column) for column in columns])
    for row in turn_rows(report):
        writer.writerow([_cell(row[column]) for column in columns])
    return out.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return inert(value) if isinstance(value, str) else value


_EMPTY_TURN: Final = TurnReport(
    id="",
    start=None,
    end=None,
    channel=None,
    speaker=None,
    role="unknown",
    text=None,
    words=(),
    emotion=None,
    intensity=None,
    change=None,
    modalities=(),
    audio_only=None,
    text_only=None,
    windows=(),
    timeline=None,
    loudness_dbfs=None,
    words_per_minute=None,
    flags=(),
    reasons={},
)
