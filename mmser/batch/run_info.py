"""`run.json`: what a batch is, so that nothing else is done in its folder."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Final

from mmser import __version__
from mmser.batch.holding import now
from mmser.batch.place import Place
from mmser.batch.records import BatchInput, ColumnType
from mmser.batch.settings import Settings, config_hash
from mmser.errors import OutputError
from mmser.record import Record
from mmser.report.policy import notice_of
from mmser.types import ModelInfo

SCHEMA: Final = "mmser.batch/1"
RUN: Final = "run.json"
_OPTIONS: Final = {  # what the command calls what it hashes
    "channel_roles": "--roles",
    "speaker_roles": "--role",
    "language": "--language",
    "agent_reason": "--agent-reason",
    "transcribe": "--asr or --no-asr",
    "asr": "--asr",
    "redact": "--redact or --redact-pattern",
    "timeline": "--timeline",
    "rules": "file of --rules",
    "include_text": "--no-text",
    "include_audio": "--no-audio",
    "reports": "--reports",
    "quantize": "--quantize",
}


@dataclass(frozen=True, kw_only=True)
class RunInfo(Record):
    """`run.json`: what a batch is, and how its last run went."""

    schema: str
    mmser_version: str
    model: ModelInfo
    config_hash: str
    options: dict[str, Any]
    columns: dict[str, ColumnType]  # the user's
    notice: str
    num_calls: int  # that the input of the last run holds
    num_others: int  # calls that are there from other inputs
    started: str  # of the last run, UTC
    ended: str | None = None
    seconds: float | None = None  # of the last run
    first_seconds: float | None = None  # of these, until its first call was done
    num_analysed: int = 0  # by the last run
    sound_seconds: float = 0.0  # that the last run analysed
    stages: dict[str, float] = field(default_factory=dict)  # seconds of work, over all processes


def describe_run(given: BatchInput, settings: Settings, info: ModelInfo) -> RunInfo:
    """Return what a run that begins now is."""
    return RunInfo(
        schema=SCHEMA,
        mmser_version=__version__,
        model=info,
        config_hash=config_hash(settings, info, given.columns),
        options=settings.hashed_options(),
        columns=given.columns,
        notice=notice_of(info.calibration),
        num_calls=len(given.rows),
        num_others=0,
        started=now(),
    )


def read_run(place: Place) -> RunInfo:
    """Return what a folder says of its batch.

    Raises:
        OutputError: if it is no batch's, or a newer mmser's.
    """
    content = place.read(RUN)
    if content is None:
        raise OutputError(f"{place.out} holds no {RUN}, so it is no batch; give the OUT of `mmser batch`")
    try:
        data = json.loads(content)
        if data["schema"] != SCHEMA:
            raise OutputError(f"{place.out}/{RUN} has schema {data['schema']!r}; this mmser reads {SCHEMA!r}")
        return RunInfo.from_dict(data)
    except (ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{place.out}/{RUN} is damaged ({error}); give another OUT") from error


def write_run(place: Place, run: RunInfo) -> None:
    """Write `run.json`.

    Raises:
        OutputError: if it cannot be written.
    """
    text = json.dumps(run.to_dict(), indent=1, ensure_ascii=False) + "\n"
    place.write(RUN, text.encode("utf-8", "replace"))


def require_same(place: Place, run: RunInfo) -> None:
    """Refuse to go on in a folder that something else was begun in.

    Raises:
        OutputError: if so; it says what differs.
    """
    if place.read(RUN) is None:
        if not place.is_empty():
            raise OutputError(
                f"{place.out} holds other files and no batch; give an empty folder or a new one"
            )
        return
    old = read_run(place)
    if old.config_hash == run.config_hash:
        return
    raise OutputError(
        f"{place.out} was begun with {_difference(old, run)}; give the same again, or another OUT to begin "
        "beside it"
    )


def _difference(old: RunInfo, run: RunInfo) -> str:
    """Say the first thing in which two runs differ."""
    if old.model != run.model:
        was, now = (f"{one.model.id} {one.model.revision[:12]}" for one in (old, run))
        return f"another model, or another calibration of it ({was}; now {now})"
    if old.mmser_version != run.mmser_version:
        return f"mmser {old.mmser_version} (this is {run.mmser_version})"
    if old.columns != run.columns:
        return f"other columns ({', '.join(old.columns) or 'none'}; now {', '.join(run.columns) or 'none'})"
    options = json.loads(json.dumps(run.options))
    for name, value in options.items():
        if old.options.get(name) != value:
            told = f"{_shown(old.options.get(name))}; now {_shown(value)}"
            return f"another {_OPTIONS.get(name, name)} ({told})"
    return "other options"


def _shown(value: Any) -> str:
    """Return an option as an error names it: of a file's text its hash, which tells two apart."""
    text = "none" if value is None else repr(value)
    return text if len(text) <= 60 else f"SHA-256 {hashlib.sha256(text.encode()).hexdigest()[:12]}"
