"""What each party says without a long pause, and without giving the floor away."""

import bisect
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mmser.speech import Speech, merge_speech

MAX_PAUSE: Final = 1.0  # s of silence within one turn
MIN_FLOOR: Final = 1.0  # s; what another says for less within a pause ("mhm") does not end the turn
MIN_OVERLAP: Final = 0.1  # s of speech at once that earns the flag; the detector pads by 0.03 s a side
MAX_BACKCHANNEL: Final = 1.0  # s; a longer one is a contribution of its own
BACKCHANNEL_MARGIN: Final = 0.3  # s that the other speaks before it and after it
MAX_TURN: Final = 30.0  # s; what is longer is cut at a pause: few callers have one mood for longer
OVERLAP: Final = "overlap"  # flags of turns
BACKCHANNEL: Final = "backchannel"
UNRECOGNISED: Final = "nothing_recognised"
DROPPED: Final = "words_dropped_"  # begins a flag that ends in why: "words_dropped_loop"


@dataclass(frozen=True, kw_only=True)
class Talk:
    """What one party says without a long pause, and without giving the floor away."""

    party: int  # whose: the channel, or the number of a speaker
    parts: tuple[tuple[float, float], ...]  # stretches of speech, in seconds
    overlaps: tuple[tuple[float, float], ...] = ()  # when another speaks at the same time, in seconds
    backchannel: bool = False  # "mhm": short, while another has the floor before and after it

    @property
    def start(self) -> float:
        """When it begins, in seconds."""
        return self.parts[0][0]

    @property
    def end(self) -> float:
        """When it ends, in seconds."""
        return self.parts[-1][1]

    def flags(self, start: float, end: float) -> tuple[str, ...]:
        """Return what a turn that is its part from `start` to `end`, in seconds, is marked with."""
        overlaps = any(begin < end and stop > start for begin, stop in self.overlaps)
        return (OVERLAP,) * overlaps + (BACKCHANNEL,) * self.backchannel


def find_talks(speech: Mapping[int, Speech], *, max_pause: float = MAX_PAUSE) -> list[Talk]:
    """Return what each party says without a pause of over `max_pause` seconds, party by party.

    Args:
        speech: channel, or number of a speaker, → stretches in seconds.
        max_pause: seconds.
    """
    talks = []
    for party, stretches in speech.items():
        others = merge_speech(s for other, found in speech.items() if other != party for s in found)
        floors = [_floors(found, max_pause) for other, found in speech.items() if other != party]
        for parts in _join(stretches, others, max_pause):
            overlaps = tuple(
                (max(start, other[0]), min(end, other[1]))
                for start, end in parts
                for other in touching(others, start, end)
                if min(end, other[1]) - max(start, other[0]) >= MIN_OVERLAP
            )
            short = _is_backchannel(parts[0][0], parts[-1][1], floors)
            talks.append(Talk(party=party, parts=tuple(parts), overlaps=overlaps, backchannel=short))
    return talks


def _floors(stretches: Speech, max_pause: float) -> list[tuple[float, float]]:
    """Join one party's stretches over short pauses, whoever else speaks in them."""
    joined: list[tuple[float, float]] = []
    for start, end in stretches:
        if joined and start - joined[-1][1] <= max_pause:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _is_backchannel(start: float, end: float, floors: Sequence[Speech]) -> bool:
    """Tell whether this is short and lies within what another says; `floors` are each party's own."""
    return end - start <= MAX_BACKCHANNEL and any(_covers(own, start, end) for own in floors)


def _covers(floors: Speech, start: float, end: float) -> bool:
    """Tell whether one of ordered, separate stretches holds another, and a margin on both sides."""
    last = bisect.bisect_right(floors, start - BACKCHANNEL_MARGIN, key=lambda floor: floor[0]) - 1
    return last >= 0 and floors[last][1] >= end + BACKCHANNEL_MARGIN


def _join(stretches: Speech, others: Speech, max_pause: float) -> list[list[tuple[float, float]]]:
    """Group one party's stretches into what is said without a long pause."""
    groups: list[list[tuple[float, float]]] = []
    for stretch in stretches:
        if groups:
            pause = (groups[-1][-1][1], stretch[0])
            taken = any(end - start >= MIN_FLOOR for start, end in touching(others, *pause))
            if pause[1] - pause[0] <= max_pause and not taken:
                groups[-1].append(stretch)
                continue
        groups.append([stretch])
    return groups


def shortened(parts: Speech) -> list[Speech]:
    """Cut a talk of over `MAX_TURN` seconds at the widest pause in its middle, again and again."""
    if parts[-1][1] - parts[0][0] <= MAX_TURN or len(parts) == 1:
        return [parts]
    cut = best_cut(
        [(before[1], after[0], 0.0) for before, after in itertools.pairwise(parts)], parts[0][0], parts[-1][1]
    )
    return [*shortened(parts[: cut + 1]), *shortened(parts[cut + 1 :])]


def best_cut(places: Sequence[tuple[float, float, float]], start: float, end: float) -> int:
    """Return the index of the place at which something long is best cut in two.

    Args:
        places: (from, to, bonus) of each pause, in seconds; a bonus speaks for a place, such as the end of a
            sentence.
        start: of what is cut, in seconds.
        end: likewise.
    """

    def worth(index: int) -> float:
        left, right, bonus = places[index]
        middle = ((left + right) / 2 - start) / (end - start)
        # A pause near an end leaves the other part as long as it was.
        return (right - left + bonus + 0.05) * min(middle, 1 - middle, 0.25)

    return max(range(len(places)), key=worth)


def touching(stretches: Speech, start: float, end: float) -> Iterator[tuple[float, float]]:
    """Yield those of ordered, separate stretches that share time with [start, end] seconds."""
    i = bisect.bisect_right(stretches, start, key=lambda stretch: stretch[1])
    while i < len(stretches) and stretches[i][0] < end:
        yield stretches[i]
        i += 1
