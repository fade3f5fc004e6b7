"""The same words on two channels at once: one party's voice leaks into the other's line.

Voice activity leaves out what is much softer than the party's own voice (`speech.without_leaks`); what is
left, a recogniser writes down for both.
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from mmser.transcription.guard import plain
from mmser.types import Seconds, Word

NEAR: Seconds = 0.6  # between two hearings of the same word
SURE_WORDS = 3  # so many in a row are nobody's chance; fewer must also be clearly softer, and stand alone
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
            doubtful = abs(lead) < CLEAR_DECIBELS or not _stands_alone(indices, words[softer])
            if len(run) >= SURE_WORDS or not doubtful:
                leaks[softer] |= set(indices)
    return {channel: _bridged(found) for channel, found in leaks.items()}


def _runs(one: Sequence[Word], other: Sequence[Word]) -> list[Run]:
    """Return the longest runs of words that two channels share in order and at the same time."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for index, word in enumerate(other):
        places[plain(word.text)].append(index)
    pairs = {
        (i, j): True
        for i, word in enumerate(one)
        if (text := plain(word.text))
        for j in places.get(text, ())
        if _apart(word, other[j]) <= NEAR
    }
    runs: list[Run] = []
    while pairs:
        i, j = next(iter(pairs))
        run = []
        while pairs.pop((i, j), False):
            run.append((i, j))
            i, j = i + 1, j + 1
        runs.append(run)
    return runs


def _stands_alone(indices: Sequence[int], words: Sequence[Word]) -> bool:
    """Tell whether neighbouring words have silence before and after them: both may say "ten" at once."""
    first, last = indices[0], indices[-1]
    before = _pause(words[first - 1], words[first]) if first else ALONE
    after = _pause(words[last], words[last + 1]) if last + 1 < len(words) else ALONE
    return min(before, after) >= ALONE


def _pause(one: Word, other: Word) -> Seconds:
    assert one.end is not None and other.start is not None
    return other.start - one.end


def _apart(one: Word, other: Word) -> Seconds:
    assert one.start is not None and other.start is not None
    return abs(one.start - other.start)


def _bridged(found: set[int]) -> set[int]:
    """Add the few words between two leaks."""
    filled = set(found)
    for before, after in itertools.pairwise(sorted(found)):
        if after - before - 1 <= BRIDGED_WORDS:
            filled |= set(range(before, after))
    return filled


def decibels(mean_square: float) -> float:
    """Return a level in dB relative to full scale; silence has -120."""
    return 10 * math.log10(max(mean_square, 1e-12))
