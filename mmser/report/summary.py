"""One role over the call: shares, quarters, and what moved from the first quarter to the last.

A turn of more than one window counts by its windows, so that one long turn still shows its course. Means are
weighted by duration; where any turn lacks times, every turn weighs the same and quarters follow their order.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mmser.labels import ROLES, Role
from mmser.report.palette import UNCERTAIN
from mmser.report.timing import to_ms, union
from mmser.report.turns import NO_INTENSITY
from mmser.types import Delta, Emotion, Interruption, Quarter, RoleSummary, TurnReport

RESAMPLES: Final = 1000
_SEED: Final = 20
_FEW_TURNS: Final = "fewer than 2 scored turns in the first or the last quarter"


@dataclass(frozen=True, kw_only=True)
class CallClock:
    """What the summary needs to know of the call's times, in milliseconds."""

    timed: bool  # every turn has a start and an end
    start: int
    end: int | None  # of the call, else of the last turn; None without either
    end_known: bool  # `end` is the call's, not just the last turn's
    untimed_reason: str  # why there are no times; empty where there are


@dataclass(frozen=True, kw_only=True)
class _Pieces:
    """The scored turns of one role, or their windows; every array is (pieces, …)."""

    turns: NDArray[np.int64]  # index of the turn
    quarters: NDArray[np.int64]  # 0–3
    weights: NDArray[np.float64]
    probabilities: NDArray[np.float64]  # (pieces, labels)
    intensities: NDArray[np.float64]  # NaN where there is none
    labels: tuple[str, ...]  # the label of each piece, or "uncertain"


def summarize_roles(
    turns: Sequence[TurnReport],
    labels: Sequence[str],
    clock: CallClock,
    interruptions: Sequence[Interruption] | None,
    words_per_minute: dict[Role, tuple[float | None, str]],
) -> tuple[RoleSummary, ...]:
    """Return a summary of each role that has a turn, in the order of `ROLES`.

    Args:
        turns: All turns of the call, in order.
        labels: The model's emotion labels.
        clock: The call's times.
        interruptions: Those of the whole call; None where they cannot be known.
        words_per_minute: Role → rate and, where the rate is None, the reason.
    """
    talk = {role: _talk_time(turns, role, clock) for role in ROLES}
    total = sum(time for time in talk.values() if time is not None)
    summaries = []
    for role in ROLES:
        positions = [i for i, turn in enumerate(turns) if turn.role == role]
        if not positions:
            continue
        rate, rate_reason = words_per_minute[role]
        reasons = {} if rate is not None else {"words_per_minute": rate_reason}
        spoken = talk[role]
        if spoken is None:
            reasons |= dict.fromkeys(("talk_time", "talk_share"), clock.untimed_reason)
        elif total == 0:
            reasons["talk_share"] = "no turn has any length"
        count = None if interruptions is None else sum(1 for one in interruptions if one.by == role)
        if count is None:
            reasons["interruptions"] = clock.untimed_reason or "turn times are estimated"
        course = _course(turns, positions, labels, clock, reasons)
        summaries.append(
            RoleSummary(
                role=role,
                speakers=_speakers(turns, positions),
                num_turns=len(positions),
                num_scored=sum(1 for i in positions if turns[i].emotion is not None),
                num_abstained=sum(1 for i in positions if _abstained(turns[i].emotion)),
                talk_time=None if spoken is None else spoken / 1000,
                talk_share=round(spoken / total, 4) if spoken is not None and total else None,
                words_per_minute=rate,
                interruptions=count,
                shares=course[0],
                quarters=course[1],
                deltas=course[2],
                reasons=reasons,
            )
        )
    return tuple(summaries)


def _abstained(emotion: Emotion | None) -> bool:
    return emotion is not None and emotion.abstained


def _speakers(turns: Sequence[TurnReport], positions: Sequence[int]) -> tuple[str, ...]:
    names = (turns[i].speaker for i in positions)
    return tuple(dict.fromkeys(name for name in names if name is not None))


def _talk_time(turns: Sequence[TurnReport], role: Role, clock: CallClock) -> int | None:
    if not clock.timed:
        return None
    return union(*turn_edges([turn for turn in turns if turn.role == role], clock)).total()


def turn_edges(turns: Sequence[TurnReport], clock: CallClock) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the turns' (turns,) starts and ends in milliseconds, cut to the call."""
    starts = np.array([to_ms(turn.start or 0.0) for turn in turns], np.int64)
    ends = np.array([to_ms(turn.end or 0.0) for turn in turns], np.int64)
    return np.clip(starts, clock.start, clock.end), np.clip(ends, clock.start, clock.end)


def _course(
    turns: Sequence[TurnReport],
    positions: Sequence[int],
    labels: Sequence[str],
    clock: CallClock,
    reasons: dict[str, str],
) -> tuple[dict[str, float] | None, tuple[Quarter, ...], tuple[Delta, ...]]:
    """Return shares, quarters and deltas, and write into `reasons` why any of them is missing."""
    pieces = _pieces(turns, positions, labels, clock)
    if not len(pieces.turns):
        why = next((r for i in positions if (r := turns[i].reasons.get("emotion"))), "no scored turn")
        reasons |= dict.fromkeys(("shares", "quarters", "deltas"), why)
        return None, (), ()
    if not clock.timed:
        reasons["weights"] = (
            f"every turn weighs the same and quarters follow their order: {clock.untimed_reason}"
        )
    quarters = tuple(_quarter(pieces, number, labels, clock) for number in range(4))
    if np.isnan(pieces.intensities).all():
        reasons["intensity"] = NO_INTENSITY
    deltas = _deltas(pieces, labels)
    if not deltas:
        reasons["deltas"] = _FEW_TURNS
    return _shares(pieces, labels), quarters, deltas


def _pieces(
    turns: Sequence[TurnReport], positions: Sequence[int], labels: Sequence[str], clock: CallClock
) -> _Pieces:
    rows: list[tuple[int, int, float, list[float], float, str]] = []
    for i in positions:
        turn = turns[i]
        if turn.emotion is None:
            continue
        parts = turn.windows or (turn,)
        for part in parts:
            emotion = part.emotion or turn.emotion
            intensity = math.nan if part.intensity is None else part.intensity.value
            quarter, weight = 4 * i // len(turns), 1 / len(parts)
            if clock.timed:
                start = to_ms(part.start if part.start is not None else turn.start or 0.0)
                end = to_ms(part.end if part.end is not None else turn.end or 0.0)
                quarter, weight = _quarter_of((start + end) / 2, clock), float(max(end - start, 1))
            label = emotion.label or UNCERTAIN
            row = [emotion.probabilities.get(name, 0.0) for name in labels]
            rows.append((i, quarter, weight, row, intensity, label))
    return _Pieces(
        turns=np.array([row[0] for row in rows], np.int64),
        quarters=np.array([row[1] for row in rows], np.int64),
        weights=np.array([row[2] for row in rows], np.float64),
        probabilities=np.array([row[3] for row in rows], np.float64).reshape(len(rows), len(labels)),
        intensities=np.array([row[4] for row in rows], np.float64),
        labels=tuple(row[5] for row in rows),
    )


def _quarter_of(middle: float, clock: CallClock) -> int:
    end = clock.end if clock.end is not None else clock.start
    length = max(end - clock.start, 1)
    return min(max(int(4 * (middle - clock.start) / length), 0), 3)


def _shares(pieces: _Pieces, labels: Sequence[str]) -> dict[str, float]:
    names = [*labels, UNCERTAIN]
    sums = dict.fromkeys(names, 0.0)
    for label, weight in zip(pieces.labels, pieces.weights, strict=True):
        sums[label] += float(weight)
    total = float(pieces.weights.sum())
    return {name: round(value / total, 4) for name, value in sums.items()}


def _quarter(pieces: _Pieces, number: int, labels: Sequence[str], clock: CallClock) -> Quarter:
    here = pieces.quarters == number
    start = end = None
    if clock.timed and clock.end is not None:
        length = clock.end - clock.start
        start = round(clock.start + length * number / 4) / 1000
        end = round(clock.start + length * (number + 1) / 4) / 1000
    if not here.any():
        return Quarter(start=start, end=end, num_turns=0, probabilities=None, intensity=None)
    weights = pieces.weights[here]
    means = weights @ pieces.probabilities[here] / weights.sum()
    return Quarter(
        start=start,
        end=end,
        num_turns=len(set(pieces.turns[here].tolist())),
        probabilities={name: round(float(mean), 4) for name, mean in zip(labels, means, strict=True)},
        intensity=_mean_intensity(weights, pieces.intensities[here]),
    )


def _mean_intensity(weights: NDArray[np.float64], intensities: NDArray[np.float64]) -> float | None:
    """Return the mean of (pieces,) intensities over those that have one."""
    known = ~np.isnan(intensities)
    if not known.any():
        return None
    return round(float(weights[known] @ intensities[known] / weights[known].sum()), 4)


def _deltas(pieces: _Pieces, labels: Sequence[str]) -> tuple[Delta, ...]:
    first, last = (_turn_sums(pieces, number) for number in (0, 3))
    if len(first[0]) < 2 or len(last[0]) < 2:
        return ()
    rng = np.random.default_rng(_SEED)
    resampled = _resampled_means(rng, *last) - _resampled_means(rng, *first)
    low, high = np.percentile(resampled, [2.5, 97.5], axis=0)
    value = last[1].sum(0) / last[0].sum() - first[1].sum(0) / first[0].sum()
    return tuple(
        Delta(emotion=name, value=_rounded(value[k]), low=_rounded(low[k]), high=_rounded(high[k]))
        for k, name in enumerate(labels)
    )


def _rounded(value: float) -> float:
    return round(float(value), 4) + 0.0  # never "-0.0"


def _turn_sums(pieces: _Pieces, number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each turn's weight (turns,) and weighted probabilities (turns, labels) in one quarter.

    The bootstrap draws whole turns: windows of one turn are not independent.
    """
    here = pieces.quarters == number
    _, index = np.unique(pieces.turns[here], return_inverse=True)
    count = int(index.max(initial=-1)) + 1
    weights = np.zeros(count)
    sums = np.zeros((count, pieces.probabilities.shape[1]))
    np.add.at(weights, index, pieces.weights[here])
    np.add.at(sums, index, pieces.weights[here][:, None] * pieces.probabilities[here])
    return weights, sums


def _resampled_means(
    rng: np.random.Generator, weights: NDArray[np.float64], sums: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the means of `RESAMPLES` draws with replacement, (RESAMPLES, labels)."""
    means = np.empty((RESAMPLES, sums.shape[1]))
    for number in range(RESAMPLES):
        drawn = np.bincount(rng.integers(0, len(weights), len(weights)), minlength=len(weights))
        means[number] = drawn @ sums / (drawn @ weights)
    return means
