"""Values of voices, such as their genders, compared; and what their gap is where they are dealt at random.

A gap is held against those of a model that has none: the values are dealt to the voices anew, within blocks,
each going to as many voices as before (Fisher 1935, Pitman 1937). Where distinct deals are few, all of them
are gone through. Gaps are counted in standard errors (jackknife over voices), so that the rate of false
alarms also holds where one value's voices have more rows than the other's, or differ more among themselves
(Janssen 1997, Chung & Romano 2013): by the gaps themselves, three corpora with 45, 60 and 500 rows a voice
were told apart in 20 of 100 random guessers; by these, in 5.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from mmser.evaluation.judged import Floats, Ints
from mmser.evaluation.result import Score
from mmser.evaluation.scores.resampling import CountMetric, count_score, resample

CERTAIN: Final = 0.95  # share of models without a gap that stay under the threshold
STEADY: Final = 0.05  # points added to a standard error, since by chance that of few voices may be 0
_NOTHING: Final = 1e-12  # a variance that is rounding alone
_AT_ONCE = 10_000_000  # numbers held at a time

Names = NDArray[np.str_]


@dataclass(frozen=True, kw_only=True)
class Chance:
    """A gap beside those of deals of its values to voices."""

    gap: float  # best minus worst, in points
    threshold: float  # what 95 % of the deals stay under or reach, at the gap's standard error, in points
    p_value: float  # share of the deals, the data's own among them, whose gap is as large
    deals: int
    smallest_p: float  # p is not lower, however large the gap
    low: float | None  # of the gap, see `Comparison.gap_interval`
    high: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Voices whose values are compared, cell by cell: (block, value)."""

    cells: tuple[tuple[str, str], ...]
    shares: Floats  # of each cell's score in each value's, (values, cells)
    block: Ints  # of each voice, by its place among the blocks, (voices,)
    value: Ints  # of each voice, by its place among the values, (voices,)
    rows: Ints  # of each voice, (voices,)
    kind: Ints  # which table is each voice's: of single rows many are alike, (voices,)
    kinds: Floats  # confusion tables, (kinds, classes, classes)
    metric: CountMetric

    @property
    def values(self) -> list[str]:
        """What is compared, in order."""
        return sorted({value for _, value in self.cells})

    def places(self) -> list[tuple[int, int]]:
        """Return the places of block and value of each cell."""
        blocks, values = sorted({block for block, _ in self.cells}), self.values
        return [(blocks.index(block), values.index(value)) for block, value in self.cells]

    def chance(self, draws: int, seed: int) -> Chance:
        """Hold the gap against those of at most `draws` deals; it is over the threshold where p ≤ 0.05."""
        dealt = self.deals(draws, seed)
        gap, error = self.gaps_of(np.vstack([self.value.astype(dealt.dtype), dealt]))
        ratios = np.round(gap / (error + STEADY), 9)  # so that equal ones are equal
        observed, null = ratios[0], ratios[1:]
        limit = np.quantile(null, CERTAIN, method="inverted_cdf")
        low, high = self.gap_interval()
        return Chance(
            gap=float(gap[0]),
            # Of a gap that is no larger than its threshold, rounding must not make one that is.
            threshold=float(gap[0] * (limit / observed) if observed else limit * (error[0] + STEADY)),
            p_value=float((null >= observed).mean()),
            deals=len(null),
            smallest_p=max(self.alike() / self.number_of_deals(), 1 / len(null)),
            low=low,
            high=high,
        )

    def gap_interval(self) -> tuple[float | None, float | None]:
        """Return the 95 % interval of best minus worst, in points; None where a standard error is lacking.

        It is the gap ± Welch's t (1947) times the jackknife's standard error over voices. The best and the
        worst were found by looking: so that the interval holds for whichever pair they turn out to be, it
        is as wide as that of all pairs of values at once (Bonferroni). The gap itself is not corrected: that
        of more than two values lies on average above the true one.
        """
        cells, variances = self._cells_of(self.value[None])
        scores, pairs = cells[0] @ self.shares.T, math.comb(len(self.values), 2)
        parts = variances[0] * (self.shares[scores.argmax()] - self.shares[scores.argmin()]) ** 2
        voices = np.array([((self.block == b) & (self.value == v)).sum() for b, v in self.places()])
        free = np.maximum(voices - 1, 1)  # a single voice has a variance of zero
        gap, total = np.ptp(scores), parts.sum()
        if not pairs or not np.isfinite(total) or total < _NOTHING:
            return None, None
        half = np.sqrt(total) * stats.t.ppf(1 - (1 - CERTAIN) / 2 / pairs, total**2 / (parts**2 / free).sum())
        return float(max(gap - half, -100.0)), float(min(gap + half, 100.0))

    def gaps_of(self, dealt: NDArray[np.integer[Any]]) -> tuple[Floats, Floats]:
        """Return the gaps under deals and their standard errors, (deals, voices) → two of (deals,)."""
        size, found = max(1, _AT_ONCE // (len(self.value) + self.kinds.size)), []
        for start in range(0, len(dealt), size):
            cells, variances = self._cells_of(dealt[start : start + size])
            scores = cells @ self.shares.T
            best, worst = scores.argmax(1), scores.argmin(1)
            error = np.sqrt((variances * (self.shares[best] - self.shares[worst]) ** 2).sum(1))
            found.append((scores.max(1) - scores.min(1), error))
        gap, error = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return gap, error

    def _cells_of(self, dealt: NDArray[np.integer[Any]]) -> tuple[Floats, Floats]:
        """Return the cells' scores and their jackknife variances over voices, two of (deals, cells)."""
        scores, variances = [], []
        for block, value in self.places():
            own = self.block == block
            held = (dealt[:, own] == value).astype(np.float64) @ np.eye(len(self.kinds))[self.kind[own]]
            sums = np.tensordot(held, self.kinds, 1)
            deal, which = np.nonzero(held)
            without = np.zeros(held.shape)
            without[deal, which] = self.metric(sums[deal] - self.kinds[which])
            voices = held.sum(1, keepdims=True)
            mean = (without * held).sum(1, keepdims=True) / voices
            scores.append(self.metric(sums))
            variances.append(((without - mean) ** 2 * held).sum(1) * (voices[:, 0] - 1) / voices[:, 0])
        return np.stack(scores, 1), np.stack(variances, 1)

    def with_intervals(self, draws: int, seed: int) -> dict[str, Score]:
        """Return value → its score, with an interval over its own voices, the others' taken as they are."""
        classes, found = self.kinds.shape[1:], {}
        observed = self.shares @ self._cells_of(self.value[None])[0][0]
        for value, name in enumerate(self.values):
            own = self.value == value
            cells = [i for i, (_, v) in enumerate(self.places()) if v == value]
            blocks = np.array([self.places()[i][0] for i in cells])
            apart = (self.block[own, None] == blocks)[..., None, None] * self.kinds[self.kind[own], None]
            weights = self.shares[value, cells]
            sums = apart.sum(0)
            others = observed[value] - self.metric(sums) @ weights

            def score(sums: Floats, weights: Floats = weights, others: float = float(others)) -> Floats:
                cells = self.metric(sums.reshape(-1, *classes)).reshape(sums.shape[:2])
                return np.asarray(cells @ weights + others)

            voice = np.repeat(np.arange(own.sum()), self.rows[own])
            found[name] = count_score(apart, score, resample(voice, draws=draws, seed=seed, unit="voice"))
        return found

    def deals(self, draws: int, seed: int) -> NDArray[np.integer[Any]]:
        """Return all deals of values to voices, or that of the data and random ones, (deals, voices)."""
        rng = np.random.default_rng(seed)
        blocks = [np.flatnonzero(self.block == block) for block in np.unique(self.block)]
        if self.number_of_deals() <= draws:
            every = itertools.product(*(_every_deal(self.value[own]) for own in blocks))
            dealt = np.array([list(itertools.chain(*deal)) for deal in every], np.int64)
            return dealt[:, np.argsort(np.concatenate(blocks))]
        # Of as few bytes as hold them, and dealt some at a time: voices may be thousands.
        dealt = np.tile(self.value.astype(np.min_scalar_type(self.value.max())), (draws + 1, 1))
        size = max(1, _AT_ONCE // len(self.value))
        for own in blocks:
            for start in range(1, draws + 1, size):
                part = dealt[start : start + size, own]
                dealt[start : start + size, own] = rng.permuted(part, axis=1)
        return dealt

    def number_of_deals(self) -> int:
        """Return how many distinct deals there are."""
        counts = self.voice_counts()
        ways = (math.factorial(sum(row)) // math.prod(map(math.factorial, row)) for row in counts.tolist())
        return math.prod(ways)

    def alike(self) -> int:
        """Return how many deals give the same gap, since all that they change is what values are called."""
        same = Counter(map(tuple, self.voice_counts().T.tolist()))
        return math.prod(math.factorial(n) for n in same.values())

    def voice_counts(self) -> Ints:
        """Return the number of voices, (blocks, values)."""
        counts = np.zeros((self.block.max() + 1, self.value.max() + 1), np.int64)
        np.add.at(counts, (self.block, self.value), 1)
        return counts


def compare(
    *, truth: Ints, guess: Ints, classes: int, voice: Ints, value: Names, block: Names, metric: CountMetric
) -> Comparison:
    """Return the comparison of some rows; the arrays are (rows,).

    Args:
        truth: class of each row.
        guess: what was said of it.
        classes: how many there are.
        voice: who speaks; of one value and one block.
        value: what is compared.
        block: rows of two blocks are not compared with each other.
        metric: of summed confusion tables, in percent.
    """
    _, first, number, size = np.unique(voice, return_index=True, return_inverse=True, return_counts=True)
    cells = (number * classes + truth) * classes + guess
    counts = np.bincount(cells, minlength=len(first) * classes**2).reshape(len(first), -1)
    kinds, kind = np.unique(counts, axis=0, return_inverse=True)
    pairs = tuple(sorted(set(zip(block.tolist(), value.tolist(), strict=True))))
    blocks, values = (np.unique(names, return_inverse=True)[1][first] for names in (block, value))
    return Comparison(
        cells=pairs,
        shares=shares_of(pairs),
        block=blocks.astype(np.int64),
        value=values.astype(np.int64),
        rows=size.astype(np.int64),
        kind=kind.ravel().astype(np.int64),
        kinds=kinds.reshape(-1, classes, classes).astype(np.float64),
        metric=metric,
    )


def shares_of(cells: Sequence[tuple[str, str]]) -> Floats:
    """Return the share of each cell's score in each value's, (values, cells), values in order.

    Scores are taken for a level of the block plus one of the value, by least squares; a value's score is its
    level at the blocks' mean. Where each block holds each value, that is the mean over the blocks.

    Args:
        cells: (block, value), linked by blocks or values that they share.
    """
    blocks, values = (sorted({key[side] for key in cells}) for side in (0, 1))
    design = np.array(
        [[b == block for b in blocks] + [v == value for v in values] for block, value in cells], np.float64
    )
    wanted = np.hstack([np.full((len(values), len(blocks)), 1 / len(blocks)), np.eye(len(values))])
    return np.asarray(wanted @ np.linalg.pinv(design))


def _every_deal(value: Ints) -> Iterator[tuple[int, ...]]:
    """Yield every distinct order of some values, (voices,)."""

    def dealt(left: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if not any(left):
            yield ()
        for one, count in enumerate(left):
            if count:
                rest = (*left[:one], count - 1, *left[one + 1 :])
                yield from ((one, *others) for others in dealt(rest))

    yield from dealt(tuple(np.bincount(value).tolist()))
