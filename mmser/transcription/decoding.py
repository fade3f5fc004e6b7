"""How Whisper hears a chunk: its windows, temperatures and phrases, whichever engine computes.

The rules are those of openai-whisper's `transcribe()` (Radford et al. 2022, section 4.5). Two are left out:
nothing of what was said before is told, so that each chunk speaks for itself, and nothing that is shorter
than `MIN_REST` is heard again.
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mmser.audio import SAMPLING_RATE
from mmser.audio.files import Waveform
from mmser.errors import UsageError
from mmser.language import is_unspaced
from mmser.transcription.chunks import WINDOW
from mmser.transcription.guard import (
    MAX_COMPRESSION,
    MAX_NO_SPEECH,
    MIN_LOG_PROBABILITY,
    compression_ratio,
)
from mmser.transcription.segments import Recognised, Segment
from mmser.transcription.spoken import Aligned, Phrase, spoken_words

TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # tried in turn; the first is greedy
TIME_STEP = 0.02  # s between two tokens of times
MAX_FIRST_TIME = 50  # steps: no phrase may begin later in its window
MIN_REST = 0.2  # s that are worth hearing again; a chunk has as much silence at its end
MIN_ADVANCE = 0.1  # s from one window to the next


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """What the numbers of tokens mean."""

    end: int  # of the text; lower numbers are text
    first_time: int | None  # the token of 0.00 s, later ones follow; None = the weights write no times
    read: Callable[[Sequence[int]], str]  # tokens → their text


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """What was written over one window."""

    tokens: tuple[int, ...]  # text and times, without the prompt and the end of the text
    log_probability: float  # mean over these tokens and the end, natural logarithm
    no_speech: float | None  # probability that nobody speaks; None = the weights have no token for it


class Engine(Protocol):
    """What computes: each call takes windows of up to 30 s at once, as many as there are languages."""

    vocabulary: Vocabulary

    def encode(self, waveforms: Sequence[Waveform]) -> Any:
        """Return what the other calls take: the windows as the encoder hears them."""

    def shares(self, encoded: Any) -> list[dict[str, float]]:
        """Return the probability of each language in each window; empty for English-only weights."""

    def decode(self, encoded: Any, languages: Sequence[str], temperature: float) -> list[Decoded]:
        """Write down what is said in each window: greedily at 0, else drawing at that temperature."""

    def align(
        self, encoded: Any, languages: Sequence[str], texts: Sequence[Sequence[int]], seconds: Sequence[float]
    ) -> list[Aligned]:
        """Return how the tokens of each window's text lie in its sound, which is `seconds` long."""


class BatchedEngine(Engine, Protocol):
    """An engine that a recogniser is made of: how much it takes at once, and which languages it knows."""

    name: str
    batch_size: int

    @property
    def codes(self) -> Collection[str]:
        """ISO 639-1 codes of its languages; empty for English-only weights."""


def knows(engine: BatchedEngine, language: str) -> bool:
    """Tell whether the weights know a language."""
    return language in engine.codes if engine.codes else language == "en"


def languages_of(engine: BatchedEngine, waveforms: Sequence[Waveform]) -> list[dict[str, float]]:
    """Return the probability of each language in each chunk; empty for English-only weights."""
    if not engine.codes:
        return [{} for _ in waveforms]
    size = engine.batch_size
    batches = [waveforms[i : i + size] for i in range(0, len(waveforms), size)]
    return [shares for batch in batches for shares in engine.shares(engine.encode(batch))]


def recognise_all(
    engine: BatchedEngine, waveforms: Sequence[Waveform], language: str | None
) -> list[Recognised]:
    """Return what is said in each chunk, in batches.

    Raises:
        UsageError: if the weights do not know the language.
    """
    if not engine.codes:
        language = "en"
    elif language is not None and not knows(engine, language):
        raise UsageError(f"{engine.name} does not know the language {language!r}; give another, or none")
    size = engine.batch_size
    batches = [waveforms[i : i + size] for i in range(0, len(waveforms), size)]
    return [found for batch in batches for found in recognise_chunks(engine, batch, language)]


def recognise_chunks(engine: Engine, waveforms: Sequence[Waveform], language: str | None) -> list[Recognised]:
    """Return what is said in each chunk (float32, 16 kHz, any length).

    Args:
        engine: which computes.
        waveforms: chunks, heard at once.
        language: that all are in; None = each is told by itself, from its first window.
    """
    phrases: list[list[Segment]] = [[] for _ in waveforms]
    languages = [language for _ in waveforms]
    waiting = {i: 0 for i, waveform in enumerate(waveforms) if len(waveform)}  # chunk → sample to go on from
    while waiting:
        windows = [
            waveforms[i][start : start + round(WINDOW * SAMPLING_RATE)] for i, start in waiting.items()
        ]
        encoded = engine.encode(windows)
        if any(languages[i] is None for i in waiting):
            for i, share in zip(waiting, engine.shares(encoded), strict=True):
                languages[i] = languages[i] or max(share, key=lambda code: share[code], default="en")
        heard = _hear(engine, encoded, windows, [languages[i] or "en" for i in waiting])
        later = {}
        for (i, start), (found, seconds) in zip(waiting.items(), heard, strict=True):
            phrases[i] += [segment.shifted(start / SAMPLING_RATE) for segment in found]
            next_start = start + round(seconds * SAMPLING_RATE)
            if len(waveforms[i]) - next_start >= MIN_REST * SAMPLING_RATE:
                later[i] = next_start
        waiting = later
    return [
        Recognised(segments=tuple(found), language=code)
        for found, code in zip(phrases, languages, strict=True)
    ]


def padded(waveform: Waveform) -> Waveform:
    """Return a waveform filled up with silence to a whole window, (480000,)."""
    size = round(WINDOW * SAMPLING_RATE)
    return np.pad(np.asarray(waveform[:size], np.float32), (0, max(0, size - len(waveform))))


def _hear(
    engine: Engine, encoded: Any, windows: Sequence[Waveform], languages: Sequence[str]
) -> list[tuple[list[Segment], float]]:
    """Return the phrases of each window, and the seconds in it after which to go on."""
    decoded = [
        found if _is_sure(found, engine.vocabulary) else _decode_warmer(engine, window, language, found)
        for found, window, language in zip(
            engine.decode(encoded, languages, TEMPERATURES[0]), windows, languages, strict=True
        )
    ]
    lengths = [len(window) / SAMPLING_RATE for window in windows]
    cut = [
        ([], length) if _is_silent(found) else split_phrases(found.tokens, engine.vocabulary, length)
        for found, length in zip(decoded, lengths, strict=True)
    ]
    texts = [[token for phrase in phrases for token in phrase.tokens] for phrases, _ in cut]
    if not any(texts):
        return [([], seconds) for _, seconds in cut]
    aligned = engine.align(encoded, languages, texts, lengths)
    return [
        (_segments(phrases, found, one, engine.vocabulary, is_unspaced(language), length), seconds)
        for (phrases, seconds), found, one, language, length in zip(
            cut, decoded, aligned, languages, lengths, strict=True
        )
    ]


def _segments(
    phrases: Sequence[Phrase],
    decoded: Decoded,
    aligned: Aligned,
    vocabulary: Vocabulary,
    unspaced: bool,
    length: float,
) -> list[Segment]:
    # As Whisper has it, all phrases of a window share how sure and how repetitive it is.
    ratio = compression_ratio(_text(decoded, vocabulary))
    spoken = spoken_words(phrases, aligned, vocabulary.read, unspaced=unspaced, length=length)
    return [
        Segment(
            start=start,
            end=end,
            text=vocabulary.read(phrase.tokens),
            words=words,
            log_probability=min(0.0, decoded.log_probability),
            no_speech=decoded.no_speech,
            compression_ratio=ratio,
        )
        for phrase, (start, end, words) in zip(phrases, spoken, strict=True)
        if words
    ]


def split_phrases(tokens: Sequence[int], vocabulary: Vocabulary, length: float) -> tuple[list[Phrase], float]:
    """Cut what was written over one window into phrases, where two times follow each other.

    Args:
        tokens: text and times.
        vocabulary: what they mean.
        length: of the window in seconds; no time is beyond.

    Returns:
        The phrases that hold text, and the seconds after which the next window starts: `length`, unless the
        last phrase was not finished. That is left out, and heard whole in the next window.
    """
    first = vocabulary.first_time if vocabulary.first_time is not None else math.inf
    is_time = [token >= first for token in tokens]
    ends = [i for i in range(1, len(tokens)) if is_time[i - 1] and is_time[i]]
    done = not ends or is_time[-2:] == [False, True]
    if done:
        ends.append(len(tokens))
    phrases, begin = [], 0
    for end in ends:
        times = [(token - first) * TIME_STEP for token in tokens[begin:end] if token >= first]
        start = times[0] if times and is_time[begin] else 0.0
        # A phrase without a time at its end lasts as long as the window does.
        stop = times[-1] if times and (is_time[end - 1] or times[-1] > start) else length
        text = tuple(token for token in tokens[begin:end] if token < vocabulary.end)
        if vocabulary.read(text).strip():
            phrases.append(Phrase(start=min(start, length), end=min(max(start, stop), length), tokens=text))
        begin = end
    seconds = length if done else max(MIN_ADVANCE, (tokens[ends[-1] - 1] - first) * TIME_STEP)
    return phrases, min(length, seconds)


def _decode_warmer(engine: Engine, window: Waveform, language: str, cold: Decoded) -> Decoded:
    """Write a window down once more at rising temperatures until it is believed; else take the surest.

    It is heard by itself, so that what is drawn does not depend on the others of its batch.
    """
    tried, encoded = [cold], engine.encode([window])
    for temperature in TEMPERATURES[1:]:
        tried += engine.decode(encoded, [language], temperature)
        if _is_sure(tried[-1], engine.vocabulary):
            return tried[-1]
    fluent = [found for found in tried if not _is_loop(found, engine.vocabulary)]
    return max(fluent or tried, key=lambda found: found.log_probability)


def _is_sure(decoded: Decoded, vocabulary: Vocabulary) -> bool:
    if _is_silent(decoded):
        return True
    return decoded.log_probability >= MIN_LOG_PROBABILITY and not _is_loop(decoded, vocabulary)


def _is_silent(decoded: Decoded) -> bool:
    silent = decoded.no_speech is not None and decoded.no_speech > MAX_NO_SPEECH
    return silent and decoded.log_probability < MIN_LOG_PROBABILITY


def _is_loop(decoded: Decoded, vocabulary: Vocabulary) -> bool:
    return compression_ratio(_text(decoded, vocabulary)) > MAX_COMPRESSION


def _text(decoded: Decoded, vocabulary: Vocabulary) -> str:
    return vocabulary.read([token for token in decoded.tokens if token < vocabulary.end])
