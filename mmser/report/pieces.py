"""The stretches of a call on which every share and mean rests, in a role's summary and in rules alike.

A turn of more than one window counts by its windows, so that one long turn still shows its course. Means are
weighted by duration; where any turn of the call lacks times, every turn weighs the same and lies in the call
by its order. Shares and means are rounded as a report states them: a rule never contradicts a number in it.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmser.labels import Role
from mmser.report.clock import CallClock, place_at
from mmser.report.palette import UNCERTAIN
from mmser.report.timing import to_ms
from mmser.types import Emotion, TurnReport, Window


class Piece(NamedTuple):
    """A turn, or one window of a long one."""

    number: int  # of the turn in the call, from 0
    turn: TurnReport
    part: TurnReport | Window  # the turn itself, or the window
    place: float  # of its middle in the call, in [0, 1)
    weight: float


def cut_pieces(turns: Sequence[TurnReport], clock: CallClock, *, whole: bool = False) -> list[Piece]:
    """Return the pieces of all turns of a call, in order.

    Args:
        turns: All turns of the call, in order.
        clock: The call's times.
        whole: True leaves long turns uncut.
    """
    pieces = []
    for number, turn in enumerate(turns):
        parts: Sequence[TurnReport | Window] = (turn,) if whole else turn.windows or (turn,)
        for part in parts:
            place, weight = (number + 0.5) / len(turns), 1 / len(parts)
            if clock.timed:
                start = to_ms(part.start if part.start is not None else turn.start or 0.0)
                end = to_ms(part.end if part.end is not None else turn.end or 0.0)
                place, weight = place_at((start + end) / 2, clock), float(max(end - start, 1))
            pieces.append(Piece(number=number, turn=turn, part=part, place=place, weight=weight))
    return pieces


def within(pieces: Iterable[Piece], low: float, high: float) -> list[Piece]:
    """Return those whose middle lies in that part of the call, both from 0 to 1."""
    return [piece for piece in pieces if low <= piece.place < high]


def of_role(pieces: Iterable[Piece], role: Role | None) -> list[Piece]:
    """Return those of one role; all for None."""
    return [piece for piece in pieces if role in (None, piece.turn.role)]


def scored(pieces: Iterable[Piece]) -> list[tuple[Piece, Emotion]]:
    """Return the pieces that have an emotion, with it."""
    return [(piece, piece.part.emotion) for piece in pieces if piece.part.emotion is not None]


def shares(pieces: Iterable[Piece], labels: Sequence[str]) -> dict[str, float] | None:
    """Return each label's share of the scored weight, "uncertain" last; None where nothing is scored."""
    sums = dict.fromkeys((*labels, UNCERTAIN), 0.0)
    for piece, emotion in scored(pieces):
        sums[emotion.label or UNCERTAIN] += piece.weight
    total = sum(sums.values())
    return {name: round(value / total, 4) for name, value in sums.items()} if total else None


def mean_probabilities(pieces: Iterable[Piece], labels: Sequence[str]) -> dict[str, float] | None:
    """Return each label's mean probability; None where nothing is scored."""
    weights, rows = weighed(scored(pieces), labels)
    if not len(weights):
        return None
    means = weights @ rows / weights.sum()
    return {name: round(float(mean), 4) for name, mean in zip(labels, means, strict=True)}


def weighed(
    judged: Sequence[tuple[Piece, Emotion]], labels: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return weights (pieces,) and probabilities (pieces, labels)."""
    weights = np.array([piece.weight for piece, _ in judged], np.float64)
    rows = [[emotion.probabilities.get(name, 0.0) for name in labels] for _, emotion in judged]
    return weights, np.array(rows, np.float64).reshape(len(rows), len(labels))


def mean_intensity(pieces: Iterable[Piece]) -> float | None:
    """Return the mean intensity over the pieces that have one; None without any."""
    known = [(piece.weight, piece.part.intensity.value) for piece in pieces if piece.part.intensity]
    total = math.fsum(weight for weight, _ in known)
    return round(math.fsum(weight * value for weight, value in known) / total, 4) if known else None
