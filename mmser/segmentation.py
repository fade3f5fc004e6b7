"""Turns from speech: for sound without words, and for words without times."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from mmser.labels import Role
from mmser.speech import Speech, merge_speech
from mmser.talks import MAX_PAUSE, find_talks, shortened, touching
from mmser.types import Transcript, Turn


def turns_from_speech(
    speech: Mapping[int, Speech], roles: Mapping[int, Role], *, max_pause: float = MAX_PAUSE
) -> tuple[Turn, ...]:
    """Return turns without words: each channel's speech, joined over short pauses.

    A turn ends at a pause longer than `max_pause` seconds, or where another channel takes the floor
    within the pause; what is longer than `MAX_TURN` is cut at its widest pauses. Turns during which another
    channel speaks bear the flag "overlap", and a short "mhm" while another has the floor "backchannel".

    Args:
        speech: channel → stretches.
        roles: channel → role; a channel that is not named is "unknown".
        max_pause: seconds.
    """
    turns = [
        Turn(
            id="",
            start=parts[0][0],
            end=parts[-1][1],
            channel=talk.party,
            speaker=f"ch_{talk.party}",
            role=roles.get(talk.party, "unknown"),
            flags=talk.flags(parts[0][0], parts[-1][1]),
        )
        for talk in find_talks(speech, max_pause=max_pause)
        for parts in shortened(talk.parts)
    ]
    return numbered_turns(turns)


def numbered_turns(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """Return turns in order of start, with the ids t1, t2 and so on."""
    ordered = sorted(turns, key=lambda turn: (turn.start or 0.0, turn.channel or 0, turn.end or 0.0))
    return tuple(replace(turn, id=f"t{number}") for number, turn in enumerate(ordered, 1))


# --- words without times -------------------------------------------------------------------------


def place_turns(transcript: Transcript, speech: Mapping[int, Speech] | Speech, duration: float) -> Transcript:
    """Give times to the turns that have none: laid over detected speech, by number of characters.

    Each run of such turns is laid between the timed turns around it: over the speech of its channel
    where the turn names one and the order of the transcript survives that, over all speech otherwise,
    and over the bare clock where nobody was heard. Starts never decrease, and no turn has zero length.

    Args:
        transcript: turns in the order in which they were spoken.
        speech: stretches by channel, or of the recording as a whole, in seconds.
        duration: of the recording, in seconds.

    Returns:
        The transcript with `times="estimated"` and the flag "times_estimated" on each placed turn; the
        same transcript if every turn has its times.
    """
    by_channel = speech if isinstance(speech, Mapping) else {}
    everyone = merge_speech(
        [s for stretches in speech.values() for s in stretches] if isinstance(speech, Mapping) else speech
    )
    turns = list(transcript.turns)
    runs = list(_untimed_runs(turns))
    for first, last in runs:
        low, high = _room(turns, first, last, duration)
        for i, (start, end) in enumerate(_lay(turns[first:last], by_channel, everyone, low, high), first):
            flags = tuple(dict.fromkeys((*turns[i].flags, "times_estimated")))
            turns[i] = replace(turns[i], start=start, end=end, flags=flags)
    return replace(transcript, turns=tuple(turns), times="estimated") if runs else transcript


def _untimed_runs(turns: Sequence[Turn]) -> Iterator[tuple[int, int]]:
    """Yield [first, last) of neighbouring turns without times; one with a start of its own begins a run."""
    first: int | None = None
    for i, turn in enumerate(turns):
        if first is not None and turn.start is not None:
            yield first, i
            first = None
        if first is None and (turn.start is None or turn.end is None):
            first = i
    if first is not None:
        yield first, len(turns)


def _room(turns: Sequence[Turn], first: int, last: int, duration: float) -> tuple[float, float]:
    """Return the seconds between which a run may lie; never empty."""
    before = turns[first - 1].end if first else 0.0
    own = turns[first].start
    low = own if own is not None else before or 0.0
    after = turns[last].start if last < len(turns) else duration
    high = duration if after is None else after
    if (
        low >= high
    ):  # timed turns that touch or overlap leave nothing between: share the end of the one before
        low = min(low, max(0.0, high - 0.1 * (last - first)))
    return (low, high) if high > low else (low, low + 0.1 * (last - first))


def _lay(
    turns: Sequence[Turn], by_channel: Mapping[int, Speech], everyone: Speech, low: float, high: float
) -> list[tuple[float, float]]:
    """Return (start, end) of each turn of one run between `low` and `high` seconds."""
    members: defaultdict[int | None, list[int]] = defaultdict(list)
    for i, turn in enumerate(turns):
        members[turn.channel if turn.channel in by_channel else None].append(i)
    times = [(low, high)] * len(turns)
    for channel, indices in members.items():
        own = everyone if channel is None else by_channel[channel]
        heard = own if any(touching(own, low, high)) else everyone
        for i, span in zip(indices, _spread([turns[i] for i in indices], heard, low, high), strict=True):
            times[i] = span
    for first, last, start, end in _disordered(times):
        times[first:last] = _spread(turns[first:last], everyone, start, end)
    for indices in members.values():
        # What was laid again may begin before the turn ahead ends; nobody overlaps himself.
        for i, j in itertools.pairwise(indices):
            if times[i][0] < times[j][0] < times[i][1]:
                times[i] = (times[i][0], times[j][0])
    return times


def _disordered(times: Sequence[tuple[float, float]]) -> Iterator[tuple[int, int, float, float]]:
    """Yield (first, last, start, end): the ranges outside which starts increase, and the room of each.

    A range grows over its neighbours until its room is at least half of what its turns take.
    """
    starts, ends = np.array(times).T
    latest_before = np.maximum.accumulate(starts)
    earliest_after = np.minimum.accumulate(starts[::-1])[::-1]
    taken = np.concatenate([[0.0], np.cumsum(ends - starts)])
    cuts = [0, *(np.flatnonzero(latest_before[:-1] < earliest_after[1:]) + 1).tolist(), len(times)]
    first = 0
    for cut in cuts[1:]:
        start = earliest_after[first]
        if cut - first > 1:
            end = ends[first:cut].max() if cut == len(times) else earliest_after[cut]
            if cut < len(times) and end - start < (taken[cut] - taken[first]) / 2:
                continue
            yield first, cut, float(start), float(min(end, ends[first:cut].max()))
        first = cut


def _spread(turns: Sequence[Turn], stretches: Speech, low: float, high: float) -> list[tuple[float, float]]:
    """Lay turns end to end over the stretches within [low, high], in proportion to their characters."""
    inside = [(max(s, low), min(e, high)) for s, e in stretches if min(e, high) > max(s, low)]
    starts, ends = np.array(inside or [(low, high)]).T
    reached = np.cumsum(ends - starts)  # seconds of speech up to the end of each stretch
    weights = np.array([max(1, len(turn.text or "")) for turn in turns], float)
    marks = np.concatenate([[0.0], np.cumsum(weights) / weights.sum()]) * reached[-1]
    snap = 1e-9 * reached[-1]  # a mark on the edge of a stretch is neither before nor after it by rounding
    opens = np.minimum(np.searchsorted(reached, marks[:-1] + snap, side="right"), len(reached) - 1)
    closes = np.minimum(np.searchsorted(reached, marks[1:] - snap, side="left"), len(reached) - 1)
    begin = np.maximum(ends[opens] - (reached[opens] - marks[:-1]), starts[opens])
    finish = np.minimum(ends[closes] - (reached[closes] - marks[1:]), ends[closes])
    return list(zip(begin.tolist(), finish.tolist(), strict=True))
