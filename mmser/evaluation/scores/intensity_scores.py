"""How well intensity is told: as a number in [0, 1], and as low, medium or high."""

from collections.abc import Mapping

import numpy as np

from mmser.evaluation.defaults import DRAWS
from mmser.evaluation.judged import Floats, Ints, Judged, where
from mmser.evaluation.result import IntensityScores
from mmser.evaluation.scores.emotion_scores import uar
from mmser.evaluation.scores.resampling import (
    COEFFICIENT,
    Ties,
    count_score,
    mean_score,
    ratio,
    resampler_of,
    row_score,
    ties_of,
)
from mmser.labels import INTENSITY_LEVELS

Thresholds = tuple[float, float] | Mapping[str, tuple[float, float]]  # where low and medium end; by fold
LEVELS = len(INTENSITY_LEVELS)
HIGH = LEVELS - 1
_TINY = 1e-12  # variance that is rounding


def intensity_scores(
    judged: Judged, thresholds: Thresholds, *, draws: int = DRAWS, seed: int = 0
) -> IntensityScores | None:
    """Score intensity on the rows that have it labelled and judged.

    Levels: a guess is cut at the thresholds, as a report does it. A label's level depends on its corpus. Two
    distinct labels (RAVDESS: asked for a normal or a strong expression) are medium and high, and so are the
    guesses there, cut at the upper threshold alone; three are low, medium and high, in this order; more are
    ratings on the guess's own scale, and cut where it is. A corpus with one label all over tells no levels,
    and is left out of them.

    Args:
        judged: of which the rows with both count.
        thresholds: where low and where medium ends, two rising numbers in [0, 1]: the model's
            `intensity_thresholds`; by fold where each has a model of its own.
        draws: of the bootstrap, from 20 groups on.
        seed: of the draws.

    Returns:
        The scores; None without such a row.

    Raises:
        ValueError: if there are not two rising thresholds.
    """
    for low, high in thresholds.values() if isinstance(thresholds, Mapping) else [thresholds]:
        if not low <= high:
            raise ValueError(f"intensity thresholds are {low} and {high}; give two rising numbers")
    labelled = np.array([e.intensity is not None for e in judged.examples], np.bool_)
    rows = where(judged, labelled & ~np.isnan(judged.intensity))
    if not len(rows):
        return None
    truth = np.array([e.intensity for e in rows.examples], np.float64)
    guess, resampler = rows.intensity, resampler_of(rows, draws=draws, seed=seed)
    told = levels_of(rows, thresholds)
    kept = told[0] >= 0
    by_level = resampler.where(kept)
    tables = by_level.tables(told[0][kept], told[1][kept], LEVELS)
    total = tables.sum(0).astype(np.int64)
    named = [i for i in range(LEVELS) if total[i].any() or total[:, i].any()]
    several = len(set(told[0][kept].tolist())) > 1
    left, right = ties_of(truth), ties_of(guess)
    return IntensityScores(
        n=len(rows),
        ccc=count_score(resampler.sums(moments(truth, guess)), concordance, resampler, span=COEFFICIENT),
        mae=mean_score(np.abs(truth - guess), resampler, span=(0.0, 1.0)),
        spearman=row_score(lambda w: _rank_correlation(w, left, right), resampler, span=COEFFICIENT),
        kappa=count_score(tables, quadratic_kappa, by_level, span=COEFFICIENT) if several else None,
        levels_uar=count_score(tables, uar, by_level) if several else None,
        labels=tuple(INTENSITY_LEVELS[i] for i in named),
        confusion=tuple(tuple(int(total[i, j]) for j in named) for i in named),
    )


def levels_of(judged: Judged, thresholds: Thresholds) -> tuple[Ints, Ints]:
    """Return the levels of labels and of guesses, 0 = low to 2 = high; labels that tell none are -1.

    Args:
        judged: rows with a labelled and a judged intensity.
        thresholds: where low and where medium ends, by fold where these differ.
    """
    ends = [thresholds[f] if isinstance(thresholds, Mapping) else thresholds for f in judged.fold]
    low, high = np.array(ends, np.float64).reshape(-1, 2).T
    labels = np.array([e.intensity for e in judged.examples], np.float64)
    corpora = np.array([e.corpus for e in judged.examples])
    guess = (judged.intensity >= low).astype(np.int64) + (judged.intensity >= high)
    truth = np.full(len(judged), -1)
    for corpus in np.unique(corpora):
        own = corpora == corpus
        distinct = np.unique(labels[own])
        if len(distinct) > LEVELS:
            truth[own] = (labels[own] >= low[own]).astype(np.int64) + (labels[own] >= high[own])
        elif len(distinct) > 1:
            lowest = LEVELS - len(distinct)
            truth[own] = lowest + np.searchsorted(distinct, labels[own])
            guess[own] = np.maximum(guess[own], lowest)
    return truth.astype(np.int64), guess.astype(np.int64)


def quadratic_kappa(tables: Floats) -> Floats:
    """Return kappa with quadratic weights (Cohen 1968) of levels in order, (resamples, levels, levels)."""
    places = np.arange(tables.shape[1])
    distance = (places[:, None] - places) ** 2.0
    expected = (
        tables.sum(2)[:, :, None] * tables.sum(1)[:, None] / np.maximum(1, tables.sum((1, 2)))[:, None, None]
    )
    return 1 - ratio((distance * tables).sum((1, 2)), (distance * expected).sum((1, 2)))


def moments(truth: Floats, guess: Floats) -> Floats:
    """Return what `concordance` takes the sums of, of each row, (rows,) → (rows, 6)."""
    # Both about one centre, as answers of two models are swapped; without any, large sums would lose digits.
    x, y = truth - truth.mean(), guess - truth.mean()
    return np.stack([np.ones(len(x)), x, y, x * x, y * y, x * y], 1)


def concordance(sums: Floats) -> Floats:
    """Return the concordance correlation coefficient (Lin 1989) of sums of moments, (resamples, 6)."""
    x, y, xx, yy, xy = (ratio(sums[:, i], sums[:, 0]) for i in range(1, 6))
    spread = (xx - x * x) + (yy - y * y) + (x - y) ** 2
    return ratio(2 * (xy - x * y), np.where(spread > _TINY, spread, 0.0))


def _rank_correlation(weights: Floats, left: Ties, right: Ties) -> Floats:
    """Return Spearman's correlation of weighted rows, equal values at their mean rank, (resamples,)."""
    total = np.maximum(1, weights.sum(1))[:, None]
    x, y = _ranks(weights, left) / total, _ranks(weights, right) / total
    share = weights / total
    x = x - (share * x).sum(1, keepdims=True)
    y = y - (share * y).sum(1, keepdims=True)
    spread = (share * x * x).sum(1) * (share * y * y).sum(1)
    return ratio((share * x * y).sum(1), np.sqrt(np.where(spread > _TINY**2, spread, 0.0)))


def _ranks(weights: Floats, ties: Ties) -> Floats:
    counts = ties.sums(weights)
    return np.asarray((counts.cumsum(1) - counts / 2)[:, ties.place], np.float64)
