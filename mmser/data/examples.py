"""The one schema that every corpus is read into."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mmser.labels import EMOTIONS

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True, kw_only=True)
class Example:
    """One labelled utterance; None = the corpus does not say."""

    corpus: str
    split: Split
    emotions: tuple[str, ...]  # in mmser's names; several where the corpus is multi-label
    audio: Path | None = None
    text: str | None = None
    intensity: float | None = None  # [0, 1]
    valence: int | None = None  # -1, 0, 1
    speaker: str | None = None  # unique across corpora: "ravdess/01"
    gender: str | None = None
    language: str | None = None  # ISO 639-1
    sentence: str | None = None  # what is said, where the corpus repeats sentences
    dialogue_id: str | None = None
    turn_index: int | None = None

    def target(self) -> list[float]:
        """Return the distribution over `EMOTIONS`, equal shares for several labels."""
        share = 1.0 / len(self.emotions)
        return [share * (label in self.emotions) for label in EMOTIONS]
