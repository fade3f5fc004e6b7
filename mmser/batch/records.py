"""What crosses the rooms of a batch: the calls that are asked for, and what became of them."""

from dataclasses import dataclass, field
from typing import Any, Literal

from mmser.labels import Role
from mmser.record import Record

Cell = str | int | float | bool | None
ColumnType = Literal["string", "int", "float", "bool"]
Status = Literal["done", "failed"]


@dataclass(frozen=True, kw_only=True)
class CallRow(Record):
    """One call that is to be analysed: a row of the manifest, a recording of the folder."""

    id: str  # unique in the batch
    audio: tuple[str, ...] = ()  # paths or URLs; several mono files on one clock; () = words alone
    transcript: str | None = None  # path or URL
    channel_roles: tuple[Role, ...] | None = None  # None = those of the command
    speaker_roles: dict[str, Role] = field(default_factory=dict)  # beside those of the command
    language: str | None = None  # ISO 639-1 code
    index: int | None = None  # its row in the dataset, where the input is one and holds the sound
    columns: dict[str, Cell] = field(default_factory=dict)  # the user's own, passed through
    problem: str | None = None  # why it cannot be analysed, where the input already shows it


@dataclass(frozen=True, kw_only=True)
class DatasetSource(Record):
    """A Hugging Face dataset whose rows hold the recordings."""

    name: str  # Hub id or folder
    split: str
    revision: str | None
    audio_column: str


@dataclass(frozen=True, kw_only=True)
class BatchInput(Record):
    """All that is asked for."""

    rows: tuple[CallRow, ...]  # ids differ
    columns: dict[str, ColumnType] = field(default_factory=dict)  # the user's own, in order
    dataset: DatasetSource | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CallResult(Record):
    """What became of one call; `call` and `turns` are rows of `mmser.batch.tables`."""

    id: str
    status: Status
    error: str | None = None  # of a failed one: what is wrong and what to do
    audio_sha256: str | None = None
    duration: float | None = None  # seconds of sound
    seconds: float = 0.0  # of work on it, over all processes
    stages: dict[str, float] = field(default_factory=dict)  # seconds of work by stage
    call: dict[str, Any] | None = None
    turns: tuple[dict[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ManifestLine(Record):
    """One line of `manifest.jsonl`: a call that was finished or failed."""

    id: str
    status: Status
    error: str | None
    audio_sha256: str | None
    model_revision: str
    config_hash: str
    row_hash: str  # of what was asked for: another row under this id is noticed
    duration: float | None
    seconds: float
    part: int | None  # number of the Parquet parts that hold it; None of a failed one
    finished: str  # UTC, ISO 8601
