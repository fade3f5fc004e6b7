"""95 % intervals over independent groups and tests of a difference, all metrics from the same draws.

A metric is a function of sums over groups (counts, errors, moments) or of how often each row counts. Either
way a resample is one row of weights, so that all resamples are scored at once, as matrix products.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from mmser.evaluation.defaults import DRAWS
from mmser.evaluation.judged import Bools, Floats, Ints, Judged, groups_of, name_of
from mmser.evaluation.result import Score

# Sums over the groups of each resample, (resamples, *shape) → values, (resamples,); NaN = not defined there.
CountMetric = Callable[[Floats], Floats]
# How often each row counts, whole numbers, (resamples, rows) → values, (resamples,); NaN = not defined there.
RowMetric = Callable[[Floats], Floats]
Span = tuple[float, float]

FEW = 20  # groups; with fewer, the bootstrap's intervals are too narrow
PERCENT: Span = (0.0, 100.0)
COEFFICIENT: Span = (-1.0, 1.0)
EXACT = 12  # groups up to which a permutation test goes through all swaps
_AT_ONCE = 2_000_000  # weights of rows held at a time
_KEPT = 20_000_000  # weights of groups, 160 MB, that are kept; more are drawn anew for each metric

SURE = 0.05  # p, corrected over the corpora, under which a difference is said to be shown


@dataclass(frozen=True, kw_only=True, eq=False)
class Resampler:
    """Rows in groups, and how often each group counts in each resample; all metrics of the rows share it.

    From 20 groups on, the resamples are a bootstrap over groups; with 2 to 19, each leaves one group out.
    """

    group: Ints  # number of each row's group, from 0, each of which has a row, (rows,)
    draws: int
    seed: int
    unit: str = "group"  # what a group is: speaker, dialogue, row; group where they are of several kinds

    def __len__(self) -> int:
        return len(self.group)

    @property
    def groups(self) -> int:
        """Number of groups."""
        return int(self.group.max(initial=-1)) + 1

    @functools.cached_property
    def weights(self) -> Floats:
        """How often each group counts in each resample, whole numbers, (resamples, groups)."""
        return np.concatenate([np.zeros((0, self.groups)), *self._drawn()])

    def values(self, metric: Callable[[Floats], Floats]) -> Floats:
        """Return a metric of weights, (some resamples, groups) → (some resamples,), over all of them."""
        kept = self.draws * self.groups <= _KEPT or self.groups < FEW
        parts = [self.weights] if kept else self._drawn()
        return np.concatenate([np.zeros(0), *(metric(weights) for weights in parts)])

    def _drawn(self) -> Iterator[Floats]:
        """Yield the weights, some resamples at a time; however many at a time, they are the same."""
        count = self.groups
        if count < FEW:
            yield (1.0 - np.eye(count))[: count if count > 1 else 0]
            return
        rng, size = np.random.default_rng(self.seed), max(1, _AT_ONCE // count)
        for start in range(0, self.draws, size):
            rows = min(size, self.draws - start)
            cells = rng.integers(count, size=(rows, count)) + count * np.arange(rows)[:, None]
            yield np.bincount(cells.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)

    def where(self, kept: Bools) -> "Resampler":
        """Return the resampler of some of the rows, by mask; groups that are left without a row are gone."""
        return resample(self.group[kept], draws=self.draws, seed=self.seed, unit=self.unit)

    def sums(self, values: ArrayLike) -> Floats:
        """Return the groups' sums of values of rows, (rows, *shape) → (groups, *shape)."""
        values = np.asarray(values, np.float64)
        sums = np.zeros((self.groups, *values.shape[1:]))
        np.add.at(sums, self.group, values)
        return sums

    def tables(self, truth: Ints, guess: Ints, classes: int) -> Floats:
        """Return the groups' confusion tables: counts, truth by guess, (groups, classes, classes)."""
        cells = (self.group * classes + truth) * classes + guess
        counts = np.bincount(cells, minlength=self.groups * classes**2)
        return counts.reshape(self.groups, classes, classes).astype(np.float64)

    def score(self, value: float, resampled: Floats, span: Span) -> Score:
        """Return a value with its interval.

        From 20 groups on, the interval holds the bootstrap's percentiles, moved outwards as Hesterberg
        (2015) advises: plain ones are too narrow by the factor that Student's t corrects. With 2 to 19
        groups it is the value ± Student's t times the jackknife's standard error (Efron & Stein 1981), the
        groups' number less one as degrees of freedom. The t-interval over the groups' own values holds its
        rate as well, but it is of another number, the mean of values on few rows each: where speakers
        lack classes or are of unequal length, it is not centred on the value of all rows together.
        `scripts/check_intervals.py` measures how often either holds what it should.

        Args:
            value: of all rows; NaN = not defined on them.
            resampled: values of the resamples, (resamples,); those that are NaN are left out of a bootstrap.
            span: the metric's own, to which the interval is clipped.
        """
        known = {"n": len(self), "groups": self.groups}
        if np.isnan(value):
            return Score(value=None, interval="not defined on these rows", **known)
        low, high, how = _interval(value, resampled, self)
        if low is None or high is None:
            return Score(value=float(value), interval=how, **known)
        low, high = float(np.clip(low, *span)), float(np.clip(high, *span))
        return Score(value=float(value), low=low, high=high, interval=how, **known)


def _interval(value: float, resampled: Floats, by: Resampler) -> tuple[float | None, float | None, str]:
    units = f"{by.groups:,} {by.unit}s"
    defined = resampled[~np.isnan(resampled)]
    if by.groups < 2:
        linked = ", whose rows share speakers or dialogues" if by.unit == "group" else ""
        return None, None, f"one {by.unit}{linked}, and an interval needs two or more: no interval"
    if by.groups < FEW:
        if len(defined) < by.groups:
            return None, None, f"not defined without one of {units}: no interval"
        error = np.sqrt((by.groups - 1) * np.var(defined))
        half = float(stats.t.ppf(0.975, by.groups - 1) * error)
        return value - half, value + half, f"t over {units}"
    if len(defined) < by.draws / 2:
        return None, None, f"not defined in most draws over {units}: no interval"
    wide = np.sqrt(by.groups / (by.groups - 1)) * stats.t.ppf(0.025, by.groups - 1)
    tail = float(stats.norm.cdf(wide))
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high), f"bootstrap over {units}, {by.draws:,} draws"


def resample(
    groups: Sequence[str] | Ints, *, draws: int = DRAWS, seed: int = 0, unit: str = "group"
) -> Resampler:
    """Return the resampler of rows, given the group of each; the order of the rows does not matter.

    Args:
        groups: name or number of each row's group, (rows,).
        draws: of the bootstrap, from 20 groups on.
        seed: of the draws.
        unit: what a group is called.
    """
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    return Resampler(group=group.astype(np.int64), draws=draws, seed=seed, unit=unit)


def resampler_of(judged: Judged, *, draws: int = DRAWS, seed: int = 0) -> Resampler:
    """Return the resampler of what a model judged, over independent groups (see `groups_of`)."""
    names = groups_of(judged)
    # Numbered by the examples' names, so that the order of the rows changes no draw.
    numbers: dict[str, int] = {}
    for row in sorted(range(len(judged)), key=lambda row: name_of(judged.examples[row])):
        numbers.setdefault(names[row], len(numbers))
    group = np.array([numbers[name] for name in names], np.int64)
    return resample(group, draws=draws, seed=seed, unit=_unit(judged, group))


def _unit(judged: Judged, group: Ints) -> str:
    count = len(set(group.tolist()))
    speakers = [example.speaker for example in judged.examples]
    dialogues = [example.dialogue_id for example in judged.examples]
    for unit, values in (("speaker", speakers), ("dialogue", dialogues)):
        pairs = set(zip(group.tolist(), values, strict=True))
        if None not in values and len(pairs) == len(set(values)) == count:
            return unit
    return "row" if count == len(judged) else "group"


# --- scores ----------------------------------------------------------------------------------------------


def count_score(tables: Floats, metric: CountMetric, resampler: Resampler, *, span: Span = PERCENT) -> Score:
    """Return a metric of sums with its interval.

    Args:
        tables: of each group, (groups, *shape).
        metric: of summed tables, (resamples, *shape) → (resamples,).
        resampler: of the rows that the tables count.
        span: of the metric.
    """
    value = metric(tables.sum(0)[None])[0]
    resampled = resampler.values(lambda weights: metric(np.tensordot(weights, tables, 1)))
    return resampler.score(value, resampled, span)


def mean_score(values: ArrayLike, resampler: Resampler, *, span: Span) -> Score:
    """Return the mean of one value a row, (rows,), with its interval."""
    values = np.asarray(values, np.float64)
    return count_score(
        resampler.sums(np.stack([values, np.ones_like(values)], 1)), mean_of_sums, resampler, span=span
    )


def mean_of_sums(sums: Floats) -> Floats:
    """Return the means of summed values beside their number, (resamples, 2) → (resamples,)."""
    return ratio(sums[:, 0], sums[:, 1])


def row_score(metric: RowMetric, resampler: Resampler, *, span: Span) -> Score:
    """Return a metric that depends on how rows rank, with its interval.

    Args:
        metric: of how often each row counts, (resamples, rows) → (resamples,).
        resampler: of the rows.
        span: of the metric.
    """
    value = metric(np.ones((1, len(resampler))))[0]
    size = max(1, _AT_ONCE // max(1, len(resampler)))

    def of_rows(weights: Floats) -> Floats:
        starts = range(0, len(weights), size)
        parts = [metric(weights[start : start + size][:, resampler.group]) for start in starts]
        return np.concatenate([np.zeros(0), *parts])

    return resampler.score(value, resampler.values(of_rows), span)


def paired_count_difference(
    tables_a: Floats,
    tables_b: Floats,
    metric: CountMetric,
    resampler: Resampler,
    *,
    span: Span = (-100.0, 100.0),
) -> Score:
    """Return the metric of one model minus that of another on the same rows, with its interval.

    Args:
        tables_a: of each group, by the one, (groups, *shape).
        tables_b: by the other, on the same rows.
        metric: as of `count_score`; draws in which it is not defined for both are left out.
        resampler: of the rows.
        span: of the difference.
    """
    both = np.stack([tables_a, tables_b], 1)
    return count_score(both, lambda sums: metric(sums[:, 0]) - metric(sums[:, 1]), resampler, span=span)


def least_p(groups: int) -> float:
    """Return the smallest p that swapping whole groups can give: none and all swapped are as large."""
    return 2.0 ** (1 - groups)


def permutation_p(
    tables_a: Floats, tables_b: Floats, metric: CountMetric, *, draws: int = DRAWS, seed: int = 0
) -> float:
    """Return the two-sided p of no difference between two models that answered the same rows.

    Were they alike, the answers of either to a whole group could be swapped. All swaps are gone through for
    up to 12 groups, so that p is at least 2 / 2^groups; with more it is estimated, (1 + as large) /
    (1 + draws), which never says 0 (Phipson & Smyth 2010).

    Args:
        tables_a: of each group, by the one, (groups, *shape).
        tables_b: by the other, on the same rows.
        metric: as of `count_score`; swaps in which it is not defined for both are left out.
        draws: random swaps, with more than 12 groups.
        seed: of the swaps.

    Returns:
        p in (0, 1]; NaN where the difference itself is not defined.
    """
    groups = len(tables_a)
    exact, gaps = groups <= EXACT, np.zeros(0)
    for swapped in _swaps(groups, draws, seed):
        moved = np.tensordot(swapped, tables_b - tables_a, 1)
        some = np.abs(metric(tables_a.sum(0) + moved) - metric(tables_b.sum(0) - moved))
        gaps = np.concatenate([gaps, some])
    gap = np.abs(metric(tables_a.sum(0)[None]) - metric(tables_b.sum(0)[None]))[0]
    gaps = gaps[~np.isnan(gaps)]
    if np.isnan(gap):
        return float("nan")
    as_large = int((gaps >= gap - 1e-9).sum())  # less the rounding of equal sums
    return as_large / len(gaps) if exact else (1 + as_large) / (1 + len(gaps))


def _swaps(groups: int, draws: int, seed: int) -> Iterator[Floats]:
    """Yield which groups are swapped, some draws at a time: 0 or 1, (some draws, groups)."""
    if groups <= EXACT:
        # To swap all groups turns the difference's sign: half of the swaps are enough.
        yield (np.arange(2 ** max(0, groups - 1))[:, None] >> np.arange(groups) & 1).astype(np.float64)
        return
    rng, size = np.random.default_rng(seed), max(1, _AT_ONCE // groups)
    for start in range(0, draws, size):
        yield rng.integers(0, 2, (min(size, draws - start), groups)).astype(np.float64)


# --- for metrics -----------------------------------------------------------------------------------------


def ratio(above: Floats, below: Floats, otherwise: float = np.nan) -> Floats:
    """Return above / below, and `otherwise` where below is 0."""
    above, below = np.broadcast_arrays(above, below)
    quotient = np.full(below.shape, otherwise)
    np.divide(above, below, out=quotient, where=below != 0)
    return quotient


@dataclass(frozen=True, kw_only=True, eq=False)
class Ties:
    """Rows in order of a value, equal ones side by side, so that no metric depends on which comes first."""

    order: Ints  # rows of rising value, (rows,)
    starts: Ints  # where in `order` each distinct value begins, (values,)
    place: Ints  # which of the distinct values each row has, (rows,)

    def sums(self, weights: Floats) -> Floats:
        """Return sums over the rows of each distinct value, (resamples, rows) → (resamples, values)."""
        return np.asarray(np.add.reduceat(weights[:, self.order], self.starts, axis=1), np.float64)


def ties_of(values: NDArray[np.float64]) -> Ties:
    """Return the order of at least one value, (rows,)."""
    distinct, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(distinct)))
    return Ties(order=order.astype(np.int64), starts=starts.astype(np.int64), place=place.astype(np.int64))
