"""Speech cut into chunks that a recogniser takes at once."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mmser.speech import Speech
from mmser.types import Seconds, Word

WINDOW: Seconds = 30.0  # that Whisper hears at once: it computes as long for less
PAD: Seconds = 0.2  # of sound kept on either side, so that no consonant is cut off
KEPT_PAUSE: Seconds = 0.6  # longer silence is left out: words are invented over silence


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Pieces of one channel, heard end to end; at most a window long.

    What a recogniser hears of it has a clock of its own, from 0 to `length`.
    """

    channel: int
    pieces: tuple[tuple[Seconds, Seconds], ...]  # of the recording, in order, apart from each other
    speech: tuple[tuple[Seconds, Seconds], ...]  # stretches inside, on the recording's clock

    @property
    def start(self) -> Seconds:
        """When it begins on the recording's clock."""
        return self.pieces[0][0]

    @property
    def end(self) -> Seconds:
        """When it ends on the recording's clock."""
        return self.pieces[-1][1]

    @property
    def length(self) -> Seconds:
        """How much is heard."""
        return sum(end - start for start, end in self.pieces)

    def span(self, start: Seconds, end: Seconds) -> tuple[Seconds, Seconds]:
        """Return when, on the recording's clock, something is said that is heard from `start` to `end`.

        It lies within the piece that its middle is in.
        """
        starts = self._starts
        middle = (start + end) / 2
        number = max(0, min(bisect.bisect_right(starts, middle) - 1, len(self.pieces) - 1))
        begin, stop = self.pieces[number]
        shift = begin - starts[number]
        return min(max(start + shift, begin), stop), max(min(end + shift, stop), begin)

    def time(self, heard: Seconds) -> Seconds:
        """Return a moment that is heard on the recording's clock."""
        return self.span(heard, heard)[0]

    def word(self, word: Word) -> Word:
        """Return a word that is heard with its times on the recording's clock; it needs to have some."""
        assert word.start is not None and word.end is not None
        start, end = self.span(word.start, word.end)
        return replace(word, start=start, end=end)

    def heard_speech(self) -> list[tuple[Seconds, Seconds]]:
        """Return the stretches of speech as they are heard, on the chunk's own clock."""
        return [
            (max(begin, start) - begin + offset, min(stop, end) - begin + offset)
            for (begin, stop), offset in zip(self.pieces, self._starts, strict=True)
            for start, end in self.speech
            if start < stop and end > begin
        ]

    @property
    def _starts(self) -> list[Seconds]:
        """When each piece begins on the chunk's own clock."""
        return list(itertools.accumulate((end - start for start, end in self.pieces[:-1]), initial=0.0))


def cut_chunks(
    speech: Mapping[int, Speech], duration: Seconds, *, window: Seconds = WINDOW, start: Seconds = 0.0
) -> list[Chunk]:
    """Put each channel's speech end to end, without the silence between, into chunks of at most `window`.

    They are cut at pauses; speech that is longer than a window without any is cut where it is full.

    Args:
        speech: channel → stretches.
        duration: end of the recording, or of its part, in seconds.
        window: seconds.
        start: of the recording's part, in seconds.

    Returns:
        Chunks in order of their start; together they hold every stretch once, and nothing twice.
    """
    chunks = []
    for channel, stretches in speech.items():
        if not stretches:
            continue
        parts = _no_longer(stretches, window - 2 * PAD)
        for group in _filled(list(zip(parts, _padded(parts, start, duration), strict=True)), window):
            pieces = _merged([piece for _, piece in group])
            chunks.append(Chunk(channel=channel, pieces=pieces, speech=tuple(part for part, _ in group)))
    return sorted(chunks, key=lambda chunk: (chunk.start, chunk.channel))


def _no_longer(stretches: Speech, longest: Seconds) -> list[tuple[Seconds, Seconds]]:
    """Cut stretches into equal parts that are no longer than `longest` seconds."""
    parts: list[tuple[Seconds, Seconds]] = []
    for begin, end in stretches:
        count = max(1, -int(-(end - begin) // longest))
        size = (end - begin) / count
        edges = [*(begin + i * size for i in range(count)), end]
        parts += itertools.pairwise(edges)
    return parts


def _padded(parts: Speech, start: Seconds, end: Seconds) -> Iterator[tuple[Seconds, Seconds]]:
    """Yield parts with their pads, which end halfway to the neighbour: nothing is heard twice."""
    edges = [start, *((a[1] + b[0]) / 2 for a, b in itertools.pairwise(parts)), end]
    for part, (left, right) in zip(parts, itertools.pairwise(edges), strict=True):
        yield max(left, part[0] - PAD), min(right, part[1] + PAD)


Padded = tuple[tuple[Seconds, Seconds], tuple[Seconds, Seconds]]  # a stretch, and the piece that holds it


def _filled(padded: Sequence[Padded], window: Seconds) -> Iterator[list[Padded]]:
    """Yield groups whose pieces, with the short pauses between, fit into a window."""
    group: list[Padded] = []
    length = 0.0
    for part, piece in padded:
        gap = piece[0] - group[-1][1][1] if group else 0.0
        more = piece[1] - piece[0] + (gap if gap <= KEPT_PAUSE else 0.0)
        if group and length + more > window:
            yield group
            group, length, more = [], 0.0, piece[1] - piece[0]
        group.append((part, piece))
        length += more
    if group:
        yield group


def _merged(pieces: Speech) -> tuple[tuple[Seconds, Seconds], ...]:
    """Join pieces over short pauses, which are heard as they are."""
    joined: list[tuple[Seconds, Seconds]] = []
    for piece in pieces:
        if joined and piece[0] - joined[-1][1] <= KEPT_PAUSE:
            joined[-1] = (joined[-1][0], piece[1])
        else:
            joined.append(piece)
    return tuple(joined)
