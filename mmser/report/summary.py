"""One role over the call: shares, quarters, and what moved from the first quarter to the last."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mmser.labels import ROLES, Role
from mmser.report.clock import CallClock, turn_edges
from mmser.report.pieces import (
    Piece,
    cut_pieces,
    mean_intensity,
    mean_probabilities,
    of_role,
    scored,
    shares,
    weighed,
    within,
)
from mmser.report.timing import union
from mmser.report.turns import NO_INTENSITY
from mmser.types import Delta, Interruption, Quarter, RoleSummary, TurnReport

RESAMPLES: Final = 1000
_SEED: Final = 20
_FEW_TURNS: Final = "fewer than 2 scored turns in the first or the last quarter"


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
    pieces = cut_pieces(turns, clock)
    talk = {role: _talk_time(turns, role, clock) for role in ROLES}
    total = sum(time for time in talk.values() if time is not None)
    summaries = []
    for role in ROLES:
        own = [turn for turn in turns if turn.role == role]
        if not own:
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
        emotions = [turn.emotion for turn in own if turn.emotion is not None]
        course = _course(own, of_role(pieces, role), labels, clock, reasons)
        summaries.append(
            RoleSummary(
                role=role,
                speakers=tuple(dict.fromkeys(turn.speaker for turn in own if turn.speaker is not None)),
                num_turns=len(own),
                num_scored=len(emotions),
                num_abstained=sum(1 for emotion in emotions if emotion.abstained),
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


def _talk_time(turns: Sequence[TurnReport], role: Role, clock: CallClock) -> int | None:
    if not clock.timed:
        return None
    return union(*turn_edges([turn for turn in turns if turn.role == role], clock)).total()


def _course(
    turns: Sequence[TurnReport],
    pieces: Sequence[Piece],
    labels: Sequence[str],
    clock: CallClock,
    reasons: dict[str, str],
) -> tuple[dict[str, float] | None, tuple[Quarter, ...], tuple[Delta, ...]]:
    """Return shares, quarters and deltas of one role, and write into `reasons` why any of them is missing."""
    if not scored(pieces):
        why = next((r for turn in turns if (r := turn.reasons.get("emotion"))), "no scored turn")
        reasons |= dict.fromkeys(("shares", "quarters", "deltas"), why)
        return None, (), ()
    if not clock.timed:
        reasons["weights"] = (
            f"every turn weighs the same and quarters follow their order: {clock.untimed_reason}"
        )
    quarters = tuple(_quarter(pieces, number, labels, clock) for number in range(4))
    if all(piece.part.intensity is None for piece in pieces):
        reasons["intensity"] = NO_INTENSITY
    deltas = _deltas(pieces, labels)
    if not deltas:
        reasons["deltas"] = _FEW_TURNS
    return shares(pieces, labels), quarters, deltas


def _quarter(pieces: Sequence[Piece], number: int, labels: Sequence[str], clock: CallClock) -> Quarter:
    here = within(pieces, number / 4, (number + 1) / 4)
    start = end = None
    if clock.timed and clock.end is not None:
        length = clock.end - clock.start
        start = round(clock.start + length * number / 4) / 1000
        end = round(clock.start + length * (number + 1) / 4) / 1000
    return Quarter(
        start=start,
        end=end,
        num_turns=len({piece.number for piece, _ in scored(here)}),
        probabilities=mean_probabilities(here, labels),
        intensity=mean_intensity(here),
    )


def _deltas(pieces: Sequence[Piece], labels: Sequence[str]) -> tuple[Delta, ...]:
    first, last = (_turn_sums(within(pieces, low, low + 0.25), labels) for low in (0.0, 0.75))
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


def _turn_sums(
    pieces: Sequence[Piece], labels: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each scored turn's weight (turns,) and weighted probabilities (turns, labels).

    The bootstrap draws whole turns: windows of one turn are not independent.
    """
    judged = scored(pieces)
    _, index = np.unique([piece.number for piece, _ in judged], return_inverse=True)
    count = int(index.max(initial=-1)) + 1
    piece_weights, probabilities = weighed(judged, labels)
    weights, sums = np.zeros(count), np.zeros((count, len(labels)))
    np.add.at(weights, index, piece_weights)
    np.add.at(sums, index, piece_weights[:, None] * probabilities)
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
