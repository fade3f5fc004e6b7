"""Which groups of calls differ from all other calls, corrected for how many groups are looked at.

Welch's t with Holm's correction marks far too many groups here: where most calls have no negative second, as
short ones do, a group's error is small just when its share is, and t's tails do not hold.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mmser.batch.summary.intervals import DRAWS, FEW, Floats

Ints = NDArray[np.int64]

_QUICK: Final = 20_000  # calls; of more, fewer permutations are made
_FEWER_DRAWS: Final = 200
_NO_ERROR: Final = 1e-16  # squared; what rounding leaves


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A group's ratio less that of all other calls."""

    gap: float
    p: float  # two-sided, corrected for the number of groups


def differences(
    above: Floats, below: Floats, group: Ints, groups: int, *, seed: int = 0
) -> list[Difference | None]:
    """Compare each group's ratio of sums with that of all other calls.

    The statistic is the difference over its own linearised error, which stays valid where groups vary
    differently (Chung & Romano 2013). Calls are dealt to the groups anew in random permutations, and a
    group's p is how often the largest statistic of any group is as large (Westfall & Young 1993).

    Args:
        above: (calls,).
        below: (calls,); calls with 0 or NaN are left out.
        group: number of each call's group, (calls,).
        groups: those with smaller numbers are compared; the rest only stands among the others.
        seed: of the permutations.

    Returns:
        one a group; None with fewer than 20 calls on either side, or where none of them varies.
    """
    used = (below > 0) & np.isfinite(above)
    a, b, order = above[used], below[used], np.argsort(group[used], kind="stable")
    numbers, sizes = np.unique(group[used], return_counts=True)
    found: list[Difference | None] = [None] * groups
    compared = (numbers < groups) & (sizes >= FEW) & (len(a) - sizes >= FEW)
    if not compared.any():
        return found
    rows = np.stack([a, b, a * a, a * b, b * b], 1)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    gaps, observed = _statistics(rows[order], starts, sizes, compared)
    draws = DRAWS if len(a) <= _QUICK else _FEWER_DRAWS
    rng, as_large = np.random.default_rng(seed), np.ones(len(observed))
    for _ in range(draws):
        _, drawn = _statistics(rows[rng.permutation(len(a))], starts, sizes, compared)
        largest = np.nanmax(np.abs(drawn)) if np.isfinite(drawn).any() else 0.0
        as_large += largest >= np.abs(observed) - 1e-9
    for place, number in enumerate(numbers[compared]):
        if np.isfinite(observed[place]):
            p = float(as_large[place] / (1 + draws))
            found[number] = Difference(gap=float(gaps[place]), p=p)
    return found


def _statistics(
    rows: Floats, starts: Ints, sizes: Ints, compared: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Return the compared groups' differences from the others, and these over their errors; NaN without one.

    Args:
        rows: a, b, a², ab and b² of each call, the groups one after another, (calls, 5).
        starts: of the groups, (groups,).
        sizes: of the groups, (groups,).
        compared: which groups, (groups,).
    """
    sums = np.add.reduceat(rows, starts, axis=0)
    inside, count = sums[compared], sizes[compared]
    value, error = _ratio(inside, count)
    other, of_other = _ratio(sums.sum(0) - inside, len(rows) - count)
    squared = error + of_other
    gap = value - other
    known = squared > _NO_ERROR
    return gap, np.where(known, gap / np.sqrt(np.where(known, squared, 1.0)), np.nan)


def _ratio(sums: Floats, count: Ints) -> tuple[Floats, Floats]:
    """Return ratios and their squared linearised errors, each (groups,)."""
    a, b, aa, ab, bb = sums.T
    value = a / b
    spread = np.maximum(aa - 2 * value * ab + value**2 * bb, 0.0)
    return value, count / (count - 1) * spread / b**2
