"""Change points in a course of posteriors: plain functions on arrays, no model.

A course is cut into the stretches that cost least: each costs the squared Hellinger distance of its windows
to their mean, and each cut a penalty (optimal partitioning, Jackson et al. 2005). Where windows are long, a
cut is then placed where a mixture of its two sides, weighted by their shares of a window, explains them best.

Measured on validation speakers (84 calls of `evaluation.splices`, 236 changes, 1.9 s a clip) with the model
f991dcb3b0b0: change-point F1 at ±0.5 and 1 s, emotion diarization error in %; all at the settings below.
`scripts/measure_changes.py --tune` prints it again.

    boundaries unknown                                       window/hop
    optimal partitioning, cuts placed between windows        2.0 / 0.5    57.1  74.2  39.4
    optimal partitioning                                     1.0 / 0.5    66.5  75.9  39.6
    optimal partitioning                                     1.0 / 0.25   67.2  76.7  39.1
    peaks of the distance of neighbouring windows, the best  1.5 / 0.5    59.2  72.0  41.6
    boundaries known
    a change at every boundary                                            63.9  63.9  36.8
    another most probable emotion                                         74.0  74.0  36.8
    Hellinger distance of the two segments' posteriors                    82.5  82.5  36.4

Viterbi, forward-backward over known segments and the model's own change head were tried by hand and were not
better. The model's audio view, in place of posteriors, was a little; but its scale is one model's own, and
with it any penalty; calibrated posteriors keep theirs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# For spliced calls, whose emotion changes every four seconds or so; `timeline` has calmer ones.
PENALTY = 0.2  # of a cut, in seconds of squared Hellinger distance
SHORTEST = 1.5  # seconds; a stretch is at least so long
BOUNDARY_DISTANCE = 0.4  # Hellinger, [0, 1]: from here on a known boundary is a change
REACH = 0.4  # seconds to either side within which a cut is placed
SHARP = 1.0  # seconds; windows up to this long place a change as well without the mixture
GRID = 0.05  # seconds between the places tried
BLOCK = 2400  # windows partitioned at once: work grows with their square


@dataclass(frozen=True, kw_only=True)
class Shift:
    """One change point."""

    time: float  # seconds from the beginning of the course
    strength: float  # Hellinger distance of the two stretches' mean posteriors, [0, 1]
    before: int  # most probable class of the stretch before it
    after: int


def find_shifts(
    posteriors: Floats,
    *,
    window: float,
    hop: float,
    penalty: float = PENALTY,
    shortest: float = SHORTEST,
) -> list[Shift]:
    """Find change points where no boundaries are known.

    Args:
        posteriors: of windows at equal distance, (windows, classes); each row sums to 1.
        window: length of a window, in seconds.
        hop: between the beginnings of two windows, in seconds.
        penalty: what a cut costs; more gives fewer.
        shortest: least length of a stretch between two change points, in seconds.

    Returns:
        The change points in order; times count from the beginning of the first window.
    """
    if not len(posteriors):
        return []
    roots = np.sqrt(posteriors)
    cuts = partition(roots, penalty / hop, max(1, round(shortest / hop)))
    midways = [(cut - 0.5) * hop + window / 2 for cut in cuts]
    times = midways if window <= SHARP else place_cuts(roots, cuts, window, hop)
    parts = np.split(np.asarray(posteriors), cuts)
    return _shifts(times, [part.mean(0) for part in parts])


def shifts_at(
    posteriors: Floats, boundaries: Sequence[float], threshold: float = BOUNDARY_DISTANCE
) -> list[Shift]:
    """Say which of the known boundaries between segments are change points.

    Args:
        posteriors: of each segment as a whole, (segments, classes).
        boundaries: between the segments, in seconds, (segments - 1,).
        threshold: Hellinger distance of two neighbours from which their boundary counts.
    """
    shifts = _shifts(boundaries, list(posteriors))
    return [shift for shift, far in zip(shifts, distances(posteriors), strict=True) if far >= threshold]


def distances(posteriors: Floats) -> Floats:
    """Return the Hellinger distance of each two neighbours, in [0, 1], (rows - 1,)."""
    roots = np.sqrt(posteriors)
    far = np.linalg.norm(np.diff(roots, axis=0), axis=1) / np.sqrt(2.0)
    return np.asarray(far.clip(0.0, 1.0))


def _shifts(times: Sequence[float], stretches: Sequence[Floats]) -> list[Shift]:
    return [
        Shift(
            time=float(time),
            strength=float(distances(np.stack([before, after]))[0]),
            before=int(before.argmax()),
            after=int(after.argmax()),
        )
        for time, before, after in zip(times, stretches[:-1], stretches[1:], strict=True)
    ]


def partition(course: Floats, penalty: float, shortest: int = 1) -> list[int]:
    """Return where to cut a course so that squared distances to the stretches' means and penalties are least.

    Args:
        course: (windows, features).
        penalty: of each cut, in the units of one window's squared distance.
        shortest: fewest windows of a stretch; a shorter course is one stretch.

    Returns:
        The first window of each stretch but the first. A course of more than `BLOCK` windows is cut in
        blocks, at whose edges no change is found.
    """
    cuts = []
    for first in range(0, len(course), BLOCK):
        cuts += [first + cut for cut in _partition(course[first : first + BLOCK], penalty, shortest)]
    return cuts


def _partition(course: Floats, penalty: float, shortest: int) -> list[int]:
    count = len(course)
    sums = np.vstack([np.zeros(course.shape[1]), np.cumsum(course, 0)])
    squares = np.concatenate([[0.0], np.cumsum(np.square(course).sum(1))])
    least = np.full(count + 1, np.inf)
    least[0], before = -penalty, np.zeros(count + 1, int)
    for end in range(shortest, count + 1):
        starts = np.arange(end - shortest + 1)
        spread = np.square(sums[end] - sums[starts]).sum(1) / (end - starts)
        total = least[starts] + squares[end] - squares[starts] - spread + penalty
        before[end] = int(total.argmin())
        least[end] = total[before[end]]
    cuts, end = [], count
    while end > 0 and np.isfinite(least[count]):
        end = int(before[end])
        cuts.append(end)
    return sorted(cuts)[1:]


def place_cuts(course: Floats, cuts: Sequence[int], window: float, hop: float) -> list[float]:
    """Return the times of cuts to better than a hop, in seconds from the beginning of the first window.

    A window over a change hears both sides: it is taken for a mixture of their means, each weighted by its
    share of the window, and the time that explains the windows around the cut best is the change's.

    Args:
        course: (windows, features).
        cuts: as `partition` returns them.
        window: length of a window, in seconds.
        hop: between the beginnings of two windows, in seconds.
    """
    edges = [0, *cuts, len(course)]
    straddling = round(window / hop / 2)  # windows to either side of a cut that may hear both
    around = int((window + REACH) / hop)
    times = []
    for number, cut in enumerate(cuts):
        low, high = edges[number], edges[number + 2]
        left = course[low : max(low + 1, cut - straddling)].mean(0)
        right = course[min(high - 1, cut + straddling) : high].mean(0)
        near = np.arange(max(low, cut - around), min(high, cut + around))
        middle = (cut - 0.5) * hop + window / 2
        tried = middle + GRID * np.arange(-round(REACH / GRID), round(REACH / GRID) + 1)
        share = np.clip((tried[:, None] - near * hop) / window, 0.0, 1.0)[..., None]
        mixed = share * left + (1 - share) * right
        error = np.square(course[near] - mixed).sum((1, 2))
        # Of equally good places, as on a course of clean steps, the one nearest to the middle.
        best = np.flatnonzero(error <= error.min() + 1e-9)
        times.append(float(tried[best[np.argmin(np.abs(tried[best] - middle))]]))
    return times
