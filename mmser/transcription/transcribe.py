"""A recording without words → what is said on each channel: listen, cut, recognise, disbelieve."""

import bisect
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmser.audio import SAMPLING_RATE, AudioSource
from mmser.audio.files import Waveform
from mmser.errors import UsageError
from mmser.progress import ProgressCallback, ignore_progress
from mmser.speech import ChannelSpeech, find_all_speech
from mmser.transcription.chunks import PAD, WINDOW, Chunk, cut_chunks
from mmser.transcription.crosstalk import decibels, find_leaks
from mmser.transcription.guard import disbelieve
from mmser.transcription.journal import Journal, place_of
from mmser.transcription.recogniser import Recogniser
from mmser.transcription.segments import Recognised
from mmser.transcription.turns import Dropped
from mmser.transcription.word_times import middle, timed_words
from mmser.types import Seconds, Word

LANGUAGE_CHUNKS = 6  # the fullest ones, in which the language is looked for
NO_WORDS = "no words"  # an empty phrase is nothing that anybody made up


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What was recognised in a recording, by channel."""

    speech: ChannelSpeech
    words: dict[int, list[Word]]  # that are believed, with times on the recording's clock, in order
    dropped: dict[int, list[Dropped]]
    language: str | None
    language_probability: float | None
    crosstalk_words: int

    def reasons(self) -> dict[str, int]:
        """Return why phrases were not believed → how many, in order of the alphabet."""
        return dict(sorted(Counter(one.reason for found in self.dropped.values() for one in found).items()))


def transcribe(
    source: AudioSource,
    recogniser: Recogniser,
    *,
    channels: Sequence[int] | None = None,
    language: str | None = None,
    journal: Journal | None = None,
    progress: ProgressCallback = ignore_progress,
) -> Heard:
    """Recognise what is said on each channel by itself, in chunks of at most 30 s that hold speech.

    Args:
        source: the opened recording; only its part is heard. Memory is bounded, whatever its length.
        recogniser: hears chunks.
        channels: that are heard; all by default.
        language: ISO 639-1 code; found out by the fullest chunks where it is not stated.
        journal: what an earlier run has finished already, and where this one notes what it does.
        progress: called with what is under way.

    Raises:
        UsageError: if the recogniser does not know the language.
    """
    check_language(recogniser, language)
    speech = _listen(source, journal, progress)
    wanted = range(source.num_channels) if channels is None else channels
    speech = replace(speech, stretches={channel: speech.stretches[channel] for channel in wanted})
    chunks = cut_chunks(speech.stretches, source.end, start=source.start)
    known = (language, None) if language else _find_language(source, recogniser, chunks, journal)
    found = dict(_recognise(source, recogniser, chunks, known[0], journal, progress))
    words, dropped = _believed(chunks, found)
    words, speech, removed = _without_crosstalk(words, speech, source)
    return Heard(
        speech=speech,
        words=words,
        dropped=dropped,
        language=known[0],
        language_probability=known[1],
        crosstalk_words=removed,
    )


def check_language(recogniser: Recogniser, language: str | None) -> None:
    """Refuse a stated language that the recogniser does not know.

    Raises:
        UsageError: if it is such a one.
    """
    if language is not None and not recogniser.knows(language):
        raise UsageError(
            f"{recogniser.name} does not know the language {language!r}; leave --language out, or name a "
            "recogniser that knows it"
        )


def _listen(source: AudioSource, journal: Journal | None, progress: ProgressCallback) -> ChannelSpeech:
    if journal is not None and journal.speech is not None:
        return journal.speech
    speech = find_all_speech(
        source, progress=lambda share: progress("listening", share, 1.0), max_speech=WINDOW - 2 * PAD
    )
    if journal is not None:
        journal.keep_speech(speech)
    return speech


def _find_language(
    source: AudioSource, recogniser: Recogniser, chunks: Sequence[Chunk], journal: Journal | None
) -> tuple[str | None, float | None]:
    """Return the likeliest language over the fullest chunks and its probability; the call has one."""
    if journal is not None and journal.language is not None:
        return journal.language
    fullest = sorted(chunks, key=_spoken, reverse=True)[:LANGUAGE_CHUNKS]
    shares: defaultdict[str, float] = defaultdict(float)
    total = 0.0
    for group in _batches(fullest, recogniser.batch_size):
        told = recogniser.languages([_read(source, chunk) for chunk in group])
        for chunk, probabilities in zip(group, told, strict=True):
            total += _spoken(chunk)
            for code, probability in probabilities.items():
                shares[code] += probability * _spoken(chunk)
    best = max(shares, key=lambda code: (shares[code], code), default=None)
    answer = (best, None if best is None else min(1.0, shares[best] / total))
    if journal is not None:
        journal.keep_language(*answer)
    return answer


def _recognise(
    source: AudioSource,
    recogniser: Recogniser,
    chunks: Sequence[Chunk],
    language: str | None,
    journal: Journal | None,
    progress: ProgressCallback,
) -> Iterator[tuple[Chunk, Recognised]]:
    """Yield each chunk with what is said in it; what the journal has is not heard again."""
    total = sum(chunk.length for chunk in chunks)
    kept = {} if journal is None else journal.chunks
    done = 0.0
    pending = []
    for chunk in chunks:
        if place_of(chunk) in kept:
            done += chunk.length
            yield chunk, kept[place_of(chunk)]
        else:
            pending.append(chunk)
    progress("transcribing", done, total)
    for group in _batches(pending, recogniser.batch_size):
        answers = recogniser.recognise([_read(source, chunk) for chunk in group], language)
        for chunk, answer in zip(group, answers, strict=True):
            if journal is not None:
                journal.keep_chunk(chunk, answer)
            done += chunk.length
            yield chunk, answer
        progress("transcribing", done, total)


def _batches(chunks: Sequence[Chunk], size: int) -> Iterator[Sequence[Chunk]]:
    for first in range(0, len(chunks), size):
        yield chunks[first : first + size]


def _read(source: AudioSource, chunk: Chunk) -> Waveform:
    """Return what is heard of a chunk, end to end; rounding may not make it longer than a window."""
    heard = [source.read(start, end, chunk.channel) for start, end in chunk.pieces]
    return np.concatenate(heard)[: round(WINDOW * SAMPLING_RATE)]


def _spoken(chunk: Chunk) -> Seconds:
    return sum(end - start for start, end in chunk.speech)


def _believed(
    chunks: Sequence[Chunk], found: Mapping[Chunk, Recognised]
) -> tuple[dict[int, list[Word]], dict[int, list[Dropped]]]:
    """Return the words of each channel that are believed, and the phrases that are not."""
    words: dict[int, list[Word]] = {chunk.channel: [] for chunk in chunks}
    dropped: dict[int, list[Dropped]] = {chunk.channel: [] for chunk in chunks}
    for chunk in chunks:
        segments = found[chunk].segments
        for segment, reason in zip(segments, disbelieve(segments, chunk.heard_speech()), strict=True):
            spoken = tuple(map(chunk.word, timed_words(segment)))
            if reason is None:
                words[chunk.channel] += spoken
            elif reason != NO_WORDS:
                start, end = chunk.time(segment.start), chunk.time(segment.end)
                lost = Dropped(start=start, end=end, reason=reason, words=spoken)
                dropped[chunk.channel].append(lost)
    for own in words.values():
        own.sort(key=middle)
    return words, dropped


def _without_crosstalk(
    words: dict[int, list[Word]], speech: ChannelSpeech, source: AudioSource
) -> tuple[dict[int, list[Word]], ChannelSpeech, int]:
    """Leave out words that leaked in from another channel, and the speech that held nothing else."""

    def level(start: Seconds, end: Seconds, channel: int) -> float:
        heard = source.read(start, max(end, start + 0.05), channel)
        return decibels(float(np.square(heard, dtype=np.float64).mean()) if len(heard) else 0.0)

    leaks = find_leaks(words, level)
    kept = {
        channel: [word for index, word in enumerate(spoken) if index not in leaks[channel]]
        for channel, spoken in words.items()
    }
    stretches = dict(speech.stretches)
    for channel, indices in leaks.items():
        if indices:
            gone = [middle(words[channel][index]) for index in sorted(indices)]
            left = [middle(word) for word in kept[channel]]
            stretches[channel] = [
                (start, end)
                for start, end in stretches[channel]
                # A word that stays may reach into the pad.
                if not _any_in(gone, start, end) or _any_in(left, start - PAD, end + PAD)
            ]
    return kept, replace(speech, stretches=stretches), sum(map(len, leaks.values()))


def _any_in(times: Sequence[Seconds], start: Seconds, end: Seconds) -> bool:
    """Tell whether one of `times`, which rise, lies in a stretch."""
    first = bisect.bisect_left(times, start)
    return first < len(times) and times[first] <= end
