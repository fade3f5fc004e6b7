"""A call report → its rows of the two tables of a batch: turns and calls.

`turns`: `call` (the id of the call), then the columns of `turns.csv` but `recording`. `calls`: one row a
call, with a block of columns for each role, named `customer_…`, `agent_…` and so on, and the user's columns.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import pyarrow

from mmser import __version__
from mmser.batch.records import CallRow, Cell, ColumnType
from mmser.labels import ROLES, VALENCE, Role
from mmser.report.palette import UNCERTAIN
from mmser.report.parquet import column_type, stored
from mmser.report.policy import notice_of
from mmser.report.tables import turn_columns, turn_rows
from mmser.types import CallReport, ModelInfo, RoleSummary

_TYPES: Final = {
    "string": pyarrow.string(),
    "int": pyarrow.int64(),
    "float": pyarrow.float64(),
    "bool": pyarrow.bool_(),
}
_CALL: Final[dict[str, ColumnType]] = {
    "id": "string",
    "audio": "string",  # paths or URLs as given, joined by " + "
    "audio_sha256": "string",
    "transcript": "string",
    "transcript_format": "string",
    "language": "string",
    "duration": "float",  # seconds
    "num_channels": "int",
    "num_turns": "int",
    "num_change_points": "int",
    "talk_time": "float",  # seconds in which anybody speaks
    "non_talk": "float",
    "longest_silence": "float",
    "overlap": "float",
    "interruptions": "int",
    "rules": "string",  # names of those that matched, as a JSON list
    "warnings": "string",  # joined by " | "
    "agent_reason": "string",
}
_ROLE: Final[dict[str, ColumnType]] = {
    "num_turns": "int",
    "num_scored": "int",
    "num_abstained": "int",
    "talk_time": "float",  # seconds
    "talk_share": "float",  # of all roles' talk time
    "words_per_minute": "float",
    "interruptions": "int",
}
# Of customers, and of agents where a reason was given; empty of what is withheld.
_COURSE: Final = ("scored_time", "intensity", "negative_first", "negative_last", "escalation")


def call_columns(labels: tuple[str, ...]) -> dict[str, ColumnType]:
    """Return the columns of `calls` and their types, without the user's.

    For each role: turn counts, talk time; `ROLE_scored_time` (seconds of scored talk), `ROLE_share_LABEL`
    (share of the scored talk time, abstained under `uncertain`), `ROLE_intensity` (mean over quarters),
    `ROLE_negative_first` and `_last` (mean probability of anger, disgust, fear and sadness in the first and
    the last quarter of the call), `ROLE_escalation` (last minus first; None with fewer than two scored turns
    in either quarter) and `ROLE_anger_delta`, `_low`, `_high` (the report's, with its 95 % interval).
    """
    columns = dict(_CALL)
    for role in ROLES:
        columns |= {f"{role}_{name}": kind for name, kind in _ROLE.items()}
        if role in ("customer", "agent"):
            columns |= dict.fromkeys((f"{role}_{name}" for name in _COURSE), "float")
            columns |= dict.fromkeys((f"{role}_share_{label}" for label in (*labels, UNCERTAIN)), "float")
            columns |= dict.fromkeys((f"{role}_anger_delta{end}" for end in ("", "_low", "_high")), "float")
    return columns


def call_schema(
    model: ModelInfo, user: Mapping[str, ColumnType], agent_reason: str | None = None
) -> pyarrow.Schema:
    """Return the Parquet schema of `calls`: our columns, then the user's (`user_name`)."""
    ours = call_columns(model.labels)
    kinds = ours | {user_name(name, ours): kind for name, kind in user.items()}
    fields = [(stored(name), _TYPES[kind]) for name, kind in kinds.items()]
    return pyarrow.schema(fields, metadata=_metadata(model, agent_reason))


def turn_schema(model: ModelInfo, agent_reason: str | None = None) -> pyarrow.Schema:
    """Return the Parquet schema of `turns`."""
    names = [name for name in turn_columns(model.labels) if name != "recording"]
    return pyarrow.schema(
        [("call", pyarrow.string()), *((name, column_type(name, model.labels)) for name in names)],
        metadata=_metadata(model, agent_reason),
    )


def _metadata(model: ModelInfo, agent_reason: str | None) -> dict[str, str]:
    """Return what stands in each file beside its rows, as in the Parquet export of one call."""
    return {
        "mmser_version": __version__,
        "model": stored(f"{model.id} {model.revision}"),
        "notice": notice_of(model.calibration),
        "agent_reason": agent_reason or "",
    }


def user_name(name: str, ours: Mapping[str, ColumnType]) -> str:
    """Return the name that a column of the user's has in `calls`: `input_NAME` where ours has the name."""
    return f"input_{name}" if name in ours else name


def turn_table_rows(report: CallReport, call_id: str) -> tuple[dict[str, Any], ...]:
    """Return the rows of `turns` of one call."""
    rows = []
    for row in turn_rows(report):
        del row["recording"]
        rows.append({"call": call_id} | row)
    return tuple(rows)


def call_table_row(report: CallReport, row: CallRow) -> dict[str, Any]:
    """Return the row of `calls` of one call."""
    recording, transcript, talk = report.recording, report.transcript, report.conversation
    ours = call_columns(report.model.labels)
    found: dict[str, Any] = dict.fromkeys(ours) | {
        "id": row.id,
        "audio": " + ".join(row.audio) or None,
        "audio_sha256": recording.sha256 if recording else None,
        "transcript": row.transcript,
        "transcript_format": transcript.format if transcript else None,
        "language": transcript.language if transcript else None,
        "duration": recording.duration if recording else None,
        "num_channels": recording.num_channels if recording else None,
        "num_turns": len(report.turns),
        "num_change_points": len(report.change_points),
        "talk_time": talk.talk_time,
        "non_talk": talk.non_talk,
        "longest_silence": talk.longest_silence,
        "overlap": talk.overlap,
        "interruptions": None if "interruptions" in talk.reasons else len(talk.interruptions),
        "rules": json.dumps([match.name for match in report.rules], ensure_ascii=False),
        "warnings": " | ".join(report.warnings) or None,
        "agent_reason": report.policy.agent_reason,
    }
    for summary in report.roles:
        found |= _role_cells(summary)
        if summary.shares is not None:
            found |= _course_cells(summary, _scored_time(report, summary.role))
    users: dict[str, Cell] = {user_name(name, ours): cell for name, cell in row.columns.items()}
    return found | users


def _role_cells(summary: RoleSummary) -> dict[str, Any]:
    return {f"{summary.role}_{name}": getattr(summary, name) for name in _ROLE}


def _scored_time(report: CallReport, role: Role) -> float | None:
    lengths = [
        None if turn.start is None or turn.end is None else turn.end - turn.start
        for turn in report.turns
        if turn.role == role and turn.emotion is not None
    ]
    return None if None in lengths else round(sum(length or 0.0 for length in lengths), 3)


def _course_cells(summary: RoleSummary, scored_time: float | None) -> dict[str, Any]:
    role, shares = summary.role, summary.shares or {}
    first, last = _negative(summary, 0), _negative(summary, -1)
    strengths = [quarter.intensity for quarter in summary.quarters if quarter.intensity is not None]
    anger = next((delta for delta in summary.deltas if delta.emotion == "anger"), None)
    moved = summary.deltas and first is not None and last is not None
    return {
        f"{role}_scored_time": scored_time,
        f"{role}_intensity": round(sum(strengths) / len(strengths), 4) if strengths else None,
        f"{role}_negative_first": first,
        f"{role}_negative_last": last,
        f"{role}_escalation": round((last or 0.0) - (first or 0.0), 4) if moved else None,
        f"{role}_anger_delta": anger.value if anger else None,
        f"{role}_anger_delta_low": anger.low if anger else None,
        f"{role}_anger_delta_high": anger.high if anger else None,
    } | {f"{role}_share_{label}": share for label, share in shares.items()}


def _negative(summary: RoleSummary, quarter: int) -> float | None:
    """Return the mean probability of emotions of negative valence in one quarter."""
    probabilities = summary.quarters[quarter].probabilities if summary.quarters else None
    if probabilities is None:
        return None
    total = sum(value for label, value in probabilities.items() if (VALENCE.get(label) or 0) < 0)
    return round(total, 4)
