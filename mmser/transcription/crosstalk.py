"""The same words on two channels at once: one party's voice leaks into the other's line.

Voice activity leaves out what is much softer than the party's own voice (`speech.without_leaks`); what is
left, a recogniser writes down for both.
"""

import bisect
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from mmser.transcription.guard import plain
from mmser.types import Seconds, Word

NEAR: Seconds = 0.6  # between two hearings of the same word
SURE_WORDS = 3  # so many in a row are nobody's chance; fewer must also be much softer, and stand alone
SOFTER_DECIBELS = 3.0  # a leak is softer; at one level two people say the same
CLEAR_DECIBELS = 6.0
ALONE: Seconds = 1.0  # without a word of the party's own before and after
BRIDGED_WORDS = 2  # between two leaks that were heard otherwise: "parcel", "partial"

MeasureLevel = Callable[[Seconds, Seconds, int], float]
"""Returns the level in dB of a channel between two times."""

Run = list[tuple[int, int]]  # (word on the one channel, word on the other)


def find_leaks(words: Mapping[int, Sequence[Word]], level: MeasureLevel) -> dict[int, set[int]]:
    """Return, by channel, the indices of the words that leaked in from another channel.

    Args:
        words: channel → words with times, in order.
        level: measures the recording.
    """
    leaks: dict[int, set[int]] = {channel: set() for channel in words}
    for one, other in itertools.combinations(words, 2):
        for run in _runs(words[one], words[other]):
            first, last = words[one][run[0][0]], words[one][run[-1][0]]
            assert first.start is not None and last.end is not None
            lead = level(first.start, last.end, one) - level(first.start, last.end, other)
            softer = one if lead < 0 else other
            indices = [pair[0 if softer == one else 1] for pair in run]
            if len(run) >= SURE_WORDS:
                leaking = abs(lead) >= SOFTER_DECIBELS
            else:
                leaking = abs(lead) >= CLEAR_DECIBELS and _stands_alone(indices, words[softer])
            if leaking:
                leaks[softer] |= set(indices)
    return {channel: _bridged(found, channel, words, level) for channel, found in leaks.items()}


def _runs(one: Sequence[Word], other: Sequence[Word]) -> list[Run]:
    """Return the runs of words that two channels share in order and at the same time; no word is in two."""
    partner = dict(_pairs(one, other))
    runs: list[Run] = []
    for i in sorted(partner):
        if runs and runs[-1][-1] == (i - 1, partner[i] - 1):
            runs[-1].append((i, partner[i]))
        else:
            runs.append([(i, partner[i])])
    return runs


def _pairs(one: Sequence[Word], other: Sequence[Word]) -> Iterator[tuple[int, int]]:
    """Yield pairs of the same word at nearly the same time, each word in one: the nearest pair up first."""
    starts = [_start(word) for word in other]
    texts = [plain(word.text) for word in other]
    close = []
    for i, word in enumerate(one):
        text, start = plain(word.text), _start(word)
        low, high = bisect.bisect_left(starts, start - NEAR), bisect.bisect_right(starts, start + NEAR)
        close += [(abs(starts[j] - start), i, j) for j in range(low, high) if text and texts[j] == text]
    taken: tuple[set[int], set[int]] = (set(), set())
    for _, i, j in sorted(close):
        if i not in taken[0] and j not in taken[1]:
            taken[0].add(i)
            taken[1].add(j)
            yield i, j


def _stands_alone(indices: Sequence[int], words: Sequence[Word]) -> bool:
    """Tell whether neighbouring words have silence before and after them: both may say "ten" at once."""
    first, last = indices[0], indices[-1]
    before = _pause(words[first - 1], words[first]) if first else ALONE
    after = _pause(words[last], words[last + 1]) if last + 1 < len(words) else ALONE
    return min(before, after) >= ALONE


def _pause(one: Word, other: Word) -> Seconds:
    assert one.end is not None
    return _start(other) - one.end


def _start(word: Word) -> Seconds:
    assert word.start is not None
    return word.start


def _bridged(
    found: set[int], channel: int, words: Mapping[int, Sequence[Word]], level: MeasureLevel
) -> set[int]:
    """Add the few words between two leaks that follow each other without a pause, and are as soft."""
    own, filled = words[channel], set(found)
    for before, after in itertools.pairwise(sorted(found)):
        inside = own[before : after + 1]
        if not 0 < after - before - 1 <= BRIDGED_WORDS:
            continue
        start, end = own[before + 1].start, own[after - 1].end
        assert start is not None and end is not None
        others = max(level(start, end, other) for other in words if other != channel)
        softer = others - level(start, end, channel) >= SOFTER_DECIBELS
        if softer and all(_pause(one, other) < ALONE for one, other in itertools.pairwise(inside)):
            filled |= set(range(before, after))
    return filled


def decibels(mean_square: float) -> float:
    """Return a level in dB relative to full scale; silence has -120."""
    return 10 * math.log10(max(mean_square, 1e-12))
