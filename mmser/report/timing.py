"""Talk time, silence, overlap and interruptions, from turn times alone.

All arithmetic is in whole milliseconds, so that sums are exact and equal inputs give equal bytes; all of it
is O(n log n) in the number of turns.

An **interruption** is a turn that begins at least 0.3 s before another speaker's turn ends, and then lasts
until that turn's end or at least 1 s. Not counted: a back-channel ("mhm") of less than 0.7 s wholly inside
the other's turn; a speaker who goes on within 0.3 s of their own last turn (they never stopped); whatever
involves a system voice; turns whose times are estimated.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mmser.types import Interruption, Seconds, Turn

Milliseconds = NDArray[np.int64]  # (turns,) or (spans,)

MIN_OVERLAP_MS: Final = 300
MIN_HOLD_MS: Final = 1000
BACK_CHANNEL_MS: Final = 700
RESUME_MS: Final = 300


def to_ms(seconds: Seconds) -> int:
    """Return whole milliseconds, rounded half to even."""
    return round(seconds * 1000)


@dataclass(frozen=True, kw_only=True)
class Spans:
    """Disjoint stretches in order; `starts` and `ends` are (spans,) in milliseconds."""

    starts: Milliseconds
    ends: Milliseconds

    def total(self) -> int:
        """Return their summed length in milliseconds."""
        return int((self.ends - self.starts).sum())

    def longest_gap(self, start: int | None, end: int | None) -> int:
        """Return the longest stretch between spans, and before and after them where bounds are given."""
        edges_before = self.ends if start is None else np.concatenate([[start], self.ends])
        edges_after = self.starts if end is None else np.concatenate([self.starts, [end]])
        if start is None:
            edges_after = edges_after[1:]
        if end is None:
            edges_before = edges_before[:-1]
        gaps = edges_after - edges_before
        return int(gaps.max(initial=0))


def union(starts: Milliseconds, ends: Milliseconds) -> Spans:
    """Merge (turns,) stretches that touch or overlap."""
    keep = ends > starts
    starts, ends = starts[keep], ends[keep]
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], ends[order]
    if not len(starts):
        return Spans(starts=starts, ends=ends)
    reach = np.maximum.accumulate(ends)
    opens = np.concatenate([[True], starts[1:] > reach[:-1]])
    closes = np.concatenate([opens[1:], [True]])
    return Spans(starts=starts[opens], ends=reach[closes])


def overlap_total(starts: Milliseconds, ends: Milliseconds, speakers: NDArray[np.int64]) -> int:
    """Return how many milliseconds two or more speakers speak at once; all arrays are (turns,)."""
    if not len(starts):
        return 0
    # Shifting each speaker to a stretch of their own merges every speaker's turns in one pass.
    stride = int(ends.max() - starts.min()) + 2
    merged = union(starts + speakers * stride, ends + speakers * stride)
    base = (merged.starts - int(starts.min())) // stride * stride
    times = np.concatenate([merged.starts - base, merged.ends - base])
    steps = np.concatenate([np.ones(len(base), np.int64), -np.ones(len(base), np.int64)])
    order = np.argsort(times, kind="stable")
    times, active = times[order], np.cumsum(steps[order])
    return int(np.diff(times)[active[:-1] >= 2].sum())


@dataclass(frozen=True, kw_only=True)
class _Floor:
    """The latest-ending turn so far of one speaker."""

    speaker: str
    end: int
    turn: Turn


def find_interruptions(turns: Sequence[Turn]) -> tuple[Interruption, ...]:
    """Return the interruptions among `turns`, in order of time; see the rule at the top of this file."""
    timed = [
        (to_ms(turn.start), to_ms(turn.end), turn)
        for turn in turns
        if turn.start is not None
        and turn.end is not None
        and turn.role != "system"
        and "times_estimated" not in turn.flags
    ]
    timed.sort(key=lambda item: item[:2])
    found: list[Interruption] = []
    last_end: dict[str, int] = {}
    first: _Floor | None = None  # latest end of all, and of all speakers but that one: enough to find, for
    second: _Floor | None = None  # any speaker, whether somebody else still holds the floor
    waiting: list[tuple[int, int, Turn]] = []  # began at this very time: none of them interrupts another
    for position, (start, end, turn) in enumerate(timed):
        speaker = turn.speaker_key
        floor = first if first is None or first.speaker != speaker else second
        resumes = speaker in last_end and last_end[speaker] >= start - RESUME_MS
        if floor is not None and not resumes and _interrupts(start, end, floor.end):
            found.append(_interruption(start, end, turn, floor))
        waiting.append((start, end, turn))
        if position + 1 < len(timed) and timed[position + 1][0] == start:
            continue
        for _, other_end, other in waiting:
            key = other.speaker_key
            last_end[key] = max(other_end, last_end.get(key, other_end))
            first, second = _hold(first, second, _Floor(speaker=key, end=other_end, turn=other))
        waiting.clear()
    return tuple(found)


def _interrupts(start: int, end: int, floor_end: int) -> bool:
    if floor_end - start < MIN_OVERLAP_MS:
        return False
    if end <= floor_end and end - start < BACK_CHANNEL_MS:
        return False
    return end >= floor_end or end - start >= MIN_HOLD_MS


def _interruption(start: int, end: int, turn: Turn, floor: _Floor) -> Interruption:
    return Interruption(
        time=start / 1000,
        turn_id=turn.id,
        by=turn.role,
        of=floor.turn.role,
        overlap=(min(end, floor.end) - start) / 1000,
    )


def _hold(first: _Floor | None, second: _Floor | None, new: _Floor) -> tuple[_Floor | None, _Floor | None]:
    """Return the two latest ends of different speakers after `new` began."""
    if first is None or new.end > first.end:
        return new, (second if first is not None and first.speaker == new.speaker else first)
    if new.speaker != first.speaker and (second is None or new.end > second.end):
        return first, new
    return first, second
