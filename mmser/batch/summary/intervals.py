"""Ratios of sums over calls and their 95 % intervals, as `mmser.evaluation.scores.resampling` has them.

That file stands beside the trained models' evaluation, and torch comes with it; a summary needs numpy alone.
A test holds the two together. Here many ratios share the draws, and a large archive needs none.
"""

import functools
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from mmser.batch.summary.records import FEWEST, Estimate

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Span = tuple[float, float]

DRAWS: Final = 1000
FEW: Final = 20  # calls; with fewer, the bootstrap's intervals are too narrow
MANY: Final = 500  # calls; with more, the linear approximation is as good as the bootstrap, and quick
SHARE: Final[Span] = (0.0, 1.0)
CHANGE: Final[Span] = (-1.0, 1.0)
_DIGITS: Final = 4


def ratios(above: Floats, below: Floats, *, span: Span = SHARE, seed: int = 0) -> tuple[Estimate, ...]:
    """Return sums of `above` over sums of `below`, with intervals over calls.

    With 5 to 19 calls the interval is the value ± Student's t times the jackknife's standard error, up to
    500 the bootstrap's percentiles, moved outwards as Hesterberg (2015) advises, and from there on the value
    ± Student's t times the standard error of the linearised ratio.

    Args:
        above: (calls, ratios); a call with NaN in any is left out.
        below: (calls,); calls with 0 or NaN are left out.
        span: to which intervals are clipped.
        seed: of the bootstrap.
    """
    used = (below > 0) & np.isfinite(below) & np.isfinite(above).all(1)
    above, below = above[used], below[used]
    count = len(below)
    if not count:
        return tuple(Estimate(value=None, calls=0) for _ in range(above.shape[1]))
    values = above.sum(0) / below.sum()
    # What no call has varies between no calls, and an interval of no width would claim to be sure.
    same = np.ptp(above / below[:, None], axis=0) < 1e-12
    low, high = _interval(values, above, below, seed) if count >= FEWEST else (values, values)
    told = ~same & (count >= FEWEST)
    return tuple(
        _estimate(value, a, b, count, span) if known else _estimate(value, None, None, count, span)
        for value, a, b, known in zip(values, low, high, told, strict=True)
    )


def mean(values: Floats, *, span: Span, seed: int = 0) -> Estimate:
    """Return the mean of one value a call, (calls,), NaN left out, with its interval."""
    return ratios(values[:, None], np.ones(len(values)), span=span, seed=seed)[0]


def proportion(hits: int, calls: int) -> Estimate:
    """Return the share of calls that have something, with Wilson's interval."""
    if not calls or calls < FEWEST:
        return _estimate(hits / calls if calls else None, None, None, calls, SHARE)
    z = float(stats.norm.ppf(0.975))
    share, room = hits / calls, z**2 / calls
    middle = (share + room / 2) / (1 + room)
    half = z / (1 + room) * np.sqrt(share * (1 - share) / calls + room / (4 * calls))
    return _estimate(share, middle - half, middle + half, calls, SHARE)


def _interval(values: Floats, above: Floats, below: Floats, seed: int) -> tuple[Floats, Floats]:
    count = len(below)
    freedom = count - 1
    if count < FEW:
        left_out = (above.sum(0) - above) / (below.sum() - below)[:, None]
        half = stats.t.ppf(0.975, freedom) * np.sqrt(freedom * left_out.var(0))
        return values - half, values + half
    if count > MANY:
        half = stats.t.ppf(0.975, freedom) * _error(values, above, below)
        return values - half, values + half
    weights = _weights(count, seed)
    drawn = (weights @ above) / (weights @ below)[:, None]
    tail = float(stats.norm.cdf(np.sqrt(count / freedom) * stats.t.ppf(0.025, freedom)))
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return low, high


def _error(values: Floats, above: Floats, below: Floats) -> Floats:
    """Return standard errors of ratios of sums, (ratios,), by their linear approximation."""
    count = len(below)
    rest = (above - values * below[:, None]) / below.sum()
    return np.asarray(np.sqrt(count / (count - 1) * (rest**2).sum(0)), np.float64)


@functools.lru_cache(maxsize=8)
def _weights(count: int, seed: int) -> Floats:
    """Return how often each call counts in each draw, (draws, calls)."""
    cells = np.random.default_rng(seed).integers(count, size=(DRAWS, count))
    cells += count * np.arange(DRAWS)[:, None]
    return np.bincount(cells.ravel(), minlength=DRAWS * count).reshape(DRAWS, count).astype(np.float64)


def _estimate(value: float | None, low: float | None, high: float | None, calls: int, span: Span) -> Estimate:
    def rounded(number: float | None) -> float | None:
        return None if number is None else round(float(np.clip(number, *span)), _DIGITS) + 0.0

    return Estimate(value=rounded(value), low=rounded(low), high=rounded(high), calls=calls)
