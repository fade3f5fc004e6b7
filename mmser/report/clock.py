"""When a call begins and ends: what shares, quarters, silence and rules are measured against."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mmser.report.timing import to_ms
from mmser.types import CallReport, Seconds, TranscriptInfo, Turn, TurnReport

Turns = Sequence[Turn] | Sequence[TurnReport]

_JUST_UNDER_1: Final = math.nextafter(1.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class CallClock:
    """The call's times, in milliseconds."""

    timed: bool  # every turn has a start and an end
    start: int
    end: int | None  # of the call, else of the last turn; None without either
    end_known: bool  # `end` is the call's, not just the last turn's
    untimed_reason: str  # why there are no times; empty where there are


def call_clock(
    turns: Turns,
    transcript: TranscriptInfo | None,
    duration: Seconds | None,
    part: Sequence[Seconds] | None,
) -> CallClock:
    """Return when the call begins and ends, and whether its turns have times."""
    untimed = sum(1 for turn in turns if turn.start is None or turn.end is None)
    reason = ""
    if not turns:
        reason = "the call has no turns"
    elif untimed:
        reason = f"{untimed} of {len(turns)} turns have no times"
        if transcript is not None and transcript.times == "none":
            reason = "the transcript gives no times"
    start, end = 0, None if duration is None else to_ms(duration)
    known = end is not None
    if part is not None:
        start, end, known = to_ms(part[0]), to_ms(part[1]), True
    elif end is None and not reason:
        # Only parts of the call, such as quarters, use this end; silence after the last turn stays unknown.
        end = max(to_ms(turn.end or 0.0) for turn in turns)
    return CallClock(timed=not reason, start=start, end=end, end_known=known, untimed_reason=reason)


def report_clock(report: CallReport) -> CallClock:
    """Return the clock that a finished report was measured with."""
    duration = None if report.recording is None else report.recording.duration
    return call_clock(report.turns, report.transcript, duration, report.part)


def place_at(milliseconds: float, clock: CallClock) -> float:
    """Return where a time lies in the call, from 0 to just under 1; what lies outside counts as its edge."""
    end = clock.end if clock.end is not None else clock.start
    share = (milliseconds - clock.start) / max(end - clock.start, 1)
    return min(max(share, 0.0), _JUST_UNDER_1)


def turn_edges(turns: Turns, clock: CallClock) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the turns' (turns,) starts and ends in milliseconds, cut to the call."""
    starts = np.array([to_ms(turn.start or 0.0) for turn in turns], np.int64)
    ends = np.array([to_ms(turn.end or 0.0) for turn in turns], np.int64)
    return np.clip(starts, clock.start, clock.end), np.clip(ends, clock.start, clock.end)
