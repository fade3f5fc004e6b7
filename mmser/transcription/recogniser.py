"""The one interface to every recogniser, and how one is named."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mmser.audio.files import Waveform
from mmser.errors import UsageError
from mmser.transcription.segments import Recognised

DEFAULT_RECOGNISER = "whisper:small"
ENGINES = ("whisper", "faster-whisper", "hf")
FORMS = "whisper:small, whisper:FILE.pt, faster-whisper:small or hf:ORGANISATION/MODEL"


class Recogniser(Protocol):
    """Hears chunks of up to 30 s and writes down what is said."""

    name: str  # as it was asked for, such as "whisper:small"
    version: str  # the engine's package and its version, and the first 12 digits of its weights' sha256
    batch_size: int  # chunks that it takes at once; 1 where the engine hears one after another

    def languages(self, waveforms: Sequence[Waveform]) -> list[dict[str, float]]:
        """Return the probability of each language in each chunk (float32, 16 kHz), by ISO 639-1 code.

        The mappings are empty where the weights know one language alone: then none can be told.
        """

    def knows(self, language: str) -> bool:
        """Tell whether the weights know a language, by ISO 639-1 code."""

    def recognise(self, waveforms: Sequence[Waveform], language: str | None) -> list[Recognised]:
        """Return what is said in each chunk (float32, 16 kHz); times are from the chunk's start.

        Args:
            waveforms: chunks.
            language: ISO 639-1 code that all are in; None = each is told by itself.
        """


@dataclass(frozen=True, kw_only=True)
class RecogniserName:
    """Which recogniser is asked for: an engine, and a size, a file or folder, or a Hub id."""

    engine: str
    model: str

    def __str__(self) -> str:
        """Return it as it is written: "whisper:small"."""
        return f"{self.engine}:{self.model}"


def parse_recogniser(text: str) -> RecogniserName:
    """Read the name of a recogniser; the path of a .pt file alone is one of Whisper's.

    Raises:
        UsageError: if it names none.
    """
    engine, colon, model = text.partition(":")
    if engine in ENGINES and colon and model.strip():
        return RecogniserName(engine=engine, model=model.strip())
    if Path(text).suffix == ".pt":
        return RecogniserName(engine="whisper", model=text)
    raise UsageError(f"{text!r} names no recogniser; give {FORMS}")
