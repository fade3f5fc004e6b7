"""A recogniser that reads recorded answers out, in the order in which it is asked."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mmser.transcription.segments import Recognised, Segment
from mmser.types import Word

RATE = 16_000


class Reader:
    """Answers with the given segments, chunk after chunk; then with nothing."""

    name, version = "whisper:recorded", "recorded 1 0123456789ab"

    def __init__(
        self,
        *answers: Sequence[Segment],
        batch_size: int = 1,
        languages: Sequence[dict[str, float]] = ({"en": 0.9, "de": 0.1},),
    ) -> None:
        self.answers, self.batch_size, self.shares = list(answers), batch_size, list(languages)
        self.heard: list[int] = []  # samples of each chunk
        self.asked: list[str | None] = []  # the language of each batch
        self.looked = 0  # chunks in which the language was looked for

    def knows(self, language: str) -> bool:
        return language in ("en", "de")

    def languages(self, waveforms: Sequence[npt.NDArray[np.float32]]) -> list[dict[str, float]]:
        self.looked += len(waveforms)
        return [self.shares[i % len(self.shares)] for i in range(len(waveforms))]

    def recognise(
        self, waveforms: Sequence[npt.NDArray[np.float32]], language: str | None
    ) -> list[Recognised]:
        assert 1 <= len(waveforms) <= self.batch_size
        found = []
        for waveform in waveforms:
            assert waveform.dtype == np.float32 and waveform.ndim == 1 and len(waveform) <= 30 * RATE
            answer = self.answers[len(self.heard)] if len(self.heard) < len(self.answers) else ()
            self.heard.append(len(waveform))
            found.append(Recognised(segments=tuple(answer), language=language))
        self.asked.append(language)
        return found


def phrase(start: float, text: str, end: float, *, confidence: float | None = 0.9, **told: float) -> Segment:
    """A segment whose words lie end to end."""
    texts = text.split()
    step = (end - start) / max(1, len(texts))
    words = tuple(
        Word(text=word, start=start + i * step, end=start + (i + 1) * step, confidence=confidence)
        for i, word in enumerate(texts)
    )
    return Segment(start=start, end=end, text=text, words=words, **told)


def words_at(*pairs: tuple[float, str]) -> list[Word]:
    """Words of 0.3 s."""
    return [Word(text=text, start=start, end=start + 0.3, confidence=0.9) for start, text in pairs]
