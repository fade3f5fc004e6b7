"""What holds for every call of a batch: the model, the options of `mmser batch`, and their hash."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from mmser import __version__
from mmser.batch.records import ColumnType
from mmser.labels import Role
from mmser.record import Record
from mmser.transcription.recogniser import DEFAULT_RECOGNISER
from mmser.types import ModelInfo

# How the work is done changes nothing in what comes out (int8 does, and is hashed).
_NOT_HASHED: Final = ("model_folder", "model_dir", "device", "asr_device", "threads", "batch_seconds")


@dataclass(frozen=True, kw_only=True)
class Settings(Record):
    """Options of a batch; its worker processes are given them whole."""

    model_folder: str  # where the weights lie
    device: str = "cpu"  # of the model, as torch names it
    threads: int = 1  # processor threads of each model process
    batch_seconds: float = 30.0  # of sound in one model call, padding counted
    quantize: str | None = None  # "int8"
    channel_roles: tuple[Role, ...] | None = None  # of calls whose row states none
    speaker_roles: dict[str, Role]
    language: str | None = None
    agent_reason: str | None = None
    transcribe: bool = True
    asr: str = DEFAULT_RECOGNISER
    model_dir: str | None = None  # of the recogniser's weights
    asr_device: str = "cpu"
    redact: tuple[str, ...] | None = None  # the user's patterns; None = nothing is taken out
    timeline: bool | None = None  # None = where the audio encoder is cheap
    rules: str | None = None  # the text of the rules file
    include_text: bool = True
    include_audio: bool = True  # in the pages of reports
    reports: bool = False

    def hashed_options(self) -> dict[str, Any]:
        """Return the options that decide what comes out of a recording."""
        return {name: value for name, value in self.to_dict().items() if name not in _NOT_HASHED}


def config_hash(settings: Settings, model: ModelInfo, columns: dict[str, ColumnType]) -> str:
    """Return the SHA-256 of all that decides what comes out of a recording: options, model, version."""
    options = settings.hashed_options()
    whole = {"version": __version__, "options": options, "model": model.to_dict(), "columns": columns}
    text = json.dumps(whole, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
