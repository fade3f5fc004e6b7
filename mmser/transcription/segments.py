"""What a recogniser answers, the same from every engine."""

from dataclasses import dataclass, replace

from mmser.record import Record
from mmser.types import Word


@dataclass(frozen=True, kw_only=True)
class Segment(Record):
    """A phrase that was recognised; times in seconds, on the clock of what was given to the recogniser."""

    start: float
    end: float
    text: str
    words: tuple[Word, ...] = ()  # with times and confidences, as far as the engine tells them
    log_probability: float | None = None  # mean over tokens, natural logarithm
    no_speech: float | None = None  # probability that nobody speaks, as Whisper sees it
    compression_ratio: float | None = None  # of the text's bytes by zlib; a loop is above 2.4

    def shifted(self, seconds: float) -> "Segment":
        """Return the same on a clock that began `seconds` earlier."""
        words = tuple(
            replace(
                word,
                start=None if word.start is None else word.start + seconds,
                end=None if word.end is None else word.end + seconds,
            )
            for word in self.words
        )
        return replace(self, start=self.start + seconds, end=self.end + seconds, words=words)


@dataclass(frozen=True, kw_only=True)
class Recognised(Record):
    """All that a recogniser heard in one chunk."""

    segments: tuple[Segment, ...]
    language: str | None  # ISO 639-1, as detected or as forced
