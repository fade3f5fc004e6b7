#!/usr/bin/env python
"""Check by simulation how often 95 % intervals hold what they should, and tests reject what they should not.

    python scripts/check_intervals.py [--repetitions 1000] [--seed 0]

Two models guess seven unbalanced classes, each by half its favourite class of the group (a speaker whom it
always hears as angry), otherwise anything. Their UAR is chance, and so is any difference. Printed is how
often the interval of the UAR holds chance, and the t-interval over the groups' own values beside it; how
often the interval of the difference holds 0; and how often the permutation test says p ≤ 0.05. A second
table is of the expected calibration error of models that are surer than they are right by a known amount.
Each share has its own 95 % interval.
"""

import argparse
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from mmser.evaluation.judged import Floats, Ints
from mmser.evaluation.result import Score
from mmser.evaluation.scores.calibration_scores import ece_score
from mmser.evaluation.scores.emotion_scores import uar
from mmser.evaluation.scores.resampling import (
    Resampler,
    count_score,
    paired_count_difference,
    permutation_p,
    resample,
)
from mmser.labels import EMOTIONS

CLASSES = len(EMOTIONS)
SHARES = np.array(
    [0.3, 0.22, 0.16, 0.12, 0.1, 0.06, 0.04]
)  # of the classes; each group has its own about them
FAVOURITE = 0.5  # share of a group's rows that are called its favourite class
DRAWS = 500  # of bootstraps and permutations
SUREST = 0.3  # least confidence of the second table


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How many rows there are, and in what groups."""

    groups: int
    rows: int  # a group's, on average
    uneven: bool = False  # groups of unlike length: the largest about ten times the smallest

    def __str__(self) -> str:
        return f"{self.groups} × {self.rows}" + (", uneven" if self.uneven else "")

    def draw_groups(self, rng: np.random.Generator) -> Ints:
        """Return the group of each row, (rows,)."""
        sizes = self.rows * (rng.lognormal(-0.25, 0.7, self.groups) if self.uneven else np.ones(self.groups))
        return np.repeat(np.arange(self.groups), np.maximum(3, sizes.astype(int)))


PLANS = (
    Plan(groups=4, rows=60),
    Plan(groups=8, rows=40),
    Plan(groups=8, rows=40, uneven=True),
    Plan(groups=12, rows=30),
    Plan(groups=30, rows=20),
    Plan(groups=30, rows=20, uneven=True),
    Plan(groups=200, rows=8),
)
CALIBRATED = (
    Plan(groups=4, rows=60),
    Plan(groups=8, rows=75),
    Plan(groups=30, rows=20),
    Plan(groups=200, rows=8),
)
OFF = (0.0, 0.05, 0.15)  # by how much models are too sure


def holds(score: Score, value: float) -> bool:
    """Return whether the interval holds a value."""
    return score.low is not None and score.high is not None and score.low <= value <= score.high


def guessers(plan: Plan, rng: np.random.Generator) -> tuple[Resampler, Floats, Floats]:
    """Draw the rows of a plan; return their resampler and the tables of two models that guess."""
    group = plan.draw_groups(rng)
    resampler = resample(group, draws=DRAWS, seed=int(rng.integers(2**31)))
    own = rng.dirichlet(15 * SHARES, plan.groups).cumsum(1)[group]
    truth = np.minimum((rng.random(len(group))[:, None] > own).sum(1), CLASSES - 1)

    def guess() -> Floats:
        favourite = rng.integers(CLASSES, size=plan.groups)[group]
        anything = rng.integers(CLASSES, size=len(group))
        said = np.where(rng.random(len(group)) < FAVOURITE, favourite, anything)
        return resampler.tables(truth, said, CLASSES)

    return resampler, guess(), guess()


def own_values(tables: Floats, value: float) -> bool:
    """Return whether the t-interval over the groups' own UARs holds a value."""
    own = uar(tables)
    half = stats.t.ppf(0.975, len(own) - 1) * own.std(ddof=1) / np.sqrt(len(own))
    return bool(abs(own.mean() - value) <= half)


def of_chance(plan: Plan, repetitions: int, seed: int) -> NDArray[np.bool_]:
    """Return what held of two models that guess, (repetitions, 4).

    The UAR's interval holds chance; that over the groups' own values does; the difference's holds 0; the
    permutation test says p ≤ 0.05.
    """
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(repetitions):
        resampler, one, other = guessers(plan, rng)
        chance = 100 / int((one.sum((0, 2)) > 0).sum())
        p = permutation_p(one, other, uar, draws=DRAWS, seed=int(rng.integers(2**31)))
        found.append(
            (
                holds(count_score(one, uar, resampler), chance),
                own_values(one, chance),
                holds(paired_count_difference(one, other, uar, resampler), 0.0),
                p <= 0.05,
            )
        )
    return np.array(found)


def of_calibration(plan: Plan, off: float, repetitions: int, seed: int) -> NDArray[np.bool_]:
    """Return whether the interval holds the error of a model that is too sure by `off`, (repetitions,)."""
    rng = np.random.default_rng(seed)
    group = plan.draw_groups(rng)
    resampler = resample(group, draws=DRAWS, seed=seed)
    found = []
    for _ in range(repetitions):
        confidence = rng.uniform(SUREST, 1, len(group))
        right = rng.random(len(group)) < confidence - off
        found.append(holds(ece_score(confidence, right, resampler), off))
    return np.array(found)


def share(held: NDArray[np.bool_]) -> str:
    """Return a share with its interval (Clopper & Pearson 1934), in percent."""
    ends = stats.binomtest(int(held.sum()), len(held)).proportion_ci()
    return f"{100 * held.mean():5.1f} [{100 * ends.low:.1f}, {100 * ends.high:.1f}]"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.monotonic()
    print(f"{options.repetitions:,} repetitions, seed {options.seed}; percent\n")
    titles = ("groups × rows", "UAR holds chance", "(own values)", "difference holds 0", "p ≤ 0.05")
    print("".join(f"{title:<21}" for title in titles))
    for plan in PLANS:
        held = of_chance(plan, options.repetitions, options.seed)
        print("".join(f"{cell:<21}" for cell in (str(plan), *map(share, held.T))), flush=True)
    print(
        "\n" + "".join(f"{title:<21}" for title in ("groups × rows", *(f"too sure by {off}" for off in OFF)))
    )
    for plan in CALIBRATED:
        cells = [share(of_calibration(plan, off, options.repetitions, options.seed)) for off in OFF]
        print("".join(f"{cell:<21}" for cell in (str(plan), *cells)), flush=True)
    print(f"\n{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
