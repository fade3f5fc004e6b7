"""How far stated probabilities can be believed, and what is won by leaving the least sure answers out."""

from dataclasses import replace

import numpy as np
from scipy import stats

from mmser.evaluation.judged import Bools, Floats, Ints, Judged, truth_of
from mmser.evaluation.result import Calibration, CoveragePoint, ReliabilityBin, RiskCoverage, Score
from mmser.evaluation.scores import metrics
from mmser.evaluation.scores.resampling import Resampler, Ties, mean_score, ratio, row_score, ties_of

BINS = 15  # of the error, always, so that it can be held against others'; most that are drawn
LEAST_IN_BIN = 20  # rows of a bin that is drawn: an accuracy of fewer has a standard error over 0.11
LEAST = 1e-9  # probability that the log-likelihood takes for 0
POINTS = 100  # of a curve that are kept


def calibration_scores(judged: Judged, resampler: Resampler) -> Calibration:
    """Score calibrated probabilities.

    Args:
        judged: at least one row, each with exactly one label of the model's.
        resampler: of these rows.
    """
    truth = truth_of(judged)
    confidence, right = judged.emotion.max(1), judged.guess() == truth
    stated = judged.emotion[np.arange(len(judged)), truth]
    target = np.eye(len(judged.labels))[truth]
    bins = equal_mass_bins(confidence, drawn_bins(len(judged)))
    return Calibration(
        ece=ece_score(confidence, right, resampler),
        nll=mean_score(-np.log(np.maximum(stated, LEAST)), resampler, span=(0.0, -np.log(LEAST))),
        brier=mean_score(((judged.emotion - target) ** 2).sum(1), resampler, span=(0.0, 2.0)),
        bins=tuple(
            ReliabilityBin(
                confidence=float(confidence[bins == b].mean()),
                accuracy=float(right[bins == b].mean()),
                n=int((bins == b).sum()),
            )
            for b in np.unique(bins)
        ),
        ece_of_calibrated=float(ece_of_calibrated(confidence).mean()),
    )


def drawn_bins(rows: int) -> int:
    """Return into how many bins a reliability diagram of so many rows is divided: 15, or fewer of 20 rows."""
    return min(max(rows // LEAST_IN_BIN, 1), BINS)


def equal_mass_bins(confidence: Floats, count: int = BINS) -> Ints:
    """Return the bin of each row, of `count` of about equal size; equal confidences share one, (rows,)."""
    ties = ties_of(confidence)
    counts = ties.sums(np.ones((1, len(confidence))))[0]
    middle = (np.cumsum(counts) - counts / 2) / len(confidence)
    return np.asarray((count * middle).astype(np.int64)[ties.place], np.int64)


def ece_score(confidence: Floats, right: Bools, resampler: Resampler) -> Score:
    """Return the top-label expected calibration error over equal-mass bins (Nixon et al. 2019).

    Few rows make it too large, and resamples of them larger still. The interval is of the error that many
    rows would show: resamples are moved onto the value, the lower end is lowered by the bias of the value,
    and reaches 0 where a perfectly calibrated model would show as much. The bins are those of all rows.
    `scripts/check_intervals.py` measures how often it holds the error.

    Args:
        confidence: of each row, [0, 1], (rows,).
        right: whether its most probable class is the true one, (rows,).
        resampler: of the rows.
    """
    tables = bin_tables(confidence, right, resampler)
    value = float(ece_of_tables(tables.sum(0)[None])[0])
    resampled = resampler.values(lambda weights: ece_of_tables(np.tensordot(weights, tables, 1)))
    moved = resampled - resampled.mean() + value if len(resampled) else resampled
    score = resampler.score(value, moved, (0.0, 1.0))
    if score.low is None:
        return score
    if value <= np.quantile(ece_of_calibrated(confidence), 0.975):
        return replace(score, low=0.0)
    return replace(score, low=max(0.0, score.low - _bias(tables)))


def _bias(tables: Floats) -> float:
    """Return by how much noise raises the error, two or more groups: it turns small gaps into larger ones.

    Args:
        tables: sums of gaps and of rows, (groups, bins, 2).
    """
    gaps, rows = tables.sum(0)[tables.sum(0)[:, 1] > 0].T
    own = tables[:, tables.sum(0)[:, 1] > 0]
    gap = np.abs(gaps / rows)
    variance = ((own[:, :, 0] - own[:, :, 1] * gaps / rows) ** 2).sum(0) * len(own) / (len(own) - 1)
    noise = np.maximum(np.sqrt(variance) / rows, LEAST)
    # The mean of a folded normal distribution, less the gap (Leone, Nelson & Nottingham 1961).
    raised = 2 * noise * stats.norm.pdf(gap / noise) - 2 * gap * stats.norm.sf(gap / noise)
    return float(raised @ rows / rows.sum())


def bin_tables(confidence: Floats, right: Bools, resampler: Resampler) -> Floats:
    """Return by how much confidence exceeds accuracy in each bin, summed, and its rows, (groups, bins, 2).

    Args:
        confidence: of each row, [0, 1], (rows,).
        right: whether its most probable class is the true one, (rows,).
        resampler: of the rows.
    """
    spread = np.zeros((len(confidence), BINS, 2))
    gaps = np.stack([confidence - right, np.ones(len(confidence))], 1)
    spread[np.arange(len(confidence)), equal_mass_bins(confidence)] = gaps
    return resampler.sums(spread)


def ece_of_tables(sums: Floats) -> Floats:
    """Return the expected calibration error of summed tables, (resamples, bins, 2) → (resamples,)."""
    return ratio(np.abs(sums[:, :, 0]).sum(1), sums[:, :, 1].sum(1))


def ece_of_calibrated(confidence: Floats, *, draws: int = 400, seed: int = 0) -> Floats:
    """Draw the errors of a perfectly calibrated model that is as sure as this one on as many rows, (draws,).

    Its answers are right as often as it says (consistency resampling, Bröcker & Smith 2007).

    Args:
        confidence: of each row, [0, 1], (rows,).
        draws: of all rows' answers.
        seed: of the draws.
    """
    # In order of confidence, so that the order of the rows changes no draw.
    stated = np.sort(confidence)
    bins = equal_mass_bins(stated)
    starts = np.flatnonzero(np.diff(bins, prepend=-1))
    rng = np.random.default_rng(seed)
    size = max(1, 2_000_000 // len(stated))
    errors = []
    for start in range(0, draws, size):
        right = rng.random((min(size, draws - start), len(stated))) < stated
        errors.append(np.abs(np.add.reduceat(stated - right, starts, axis=1)).sum(1) / len(stated))
    return np.concatenate(errors)


def coverage_scores(judged: Judged, resampler: Resampler) -> RiskCoverage:
    """Score what is won by answering the surest rows alone, and by the model's own abstaining.

    Equal confidences are answered together: a point of the curve lies after the last of them, and the area
    takes the mean over the orders in which they could come (El-Yaniv & Wiener 2010; Geifman & El-Yaniv 2019).

    Args:
        judged: at least one row, each with exactly one label of the model's.
        resampler: of these rows.
    """
    truth, guess, answered = truth_of(judged), judged.guess(), ~judged.abstained
    wrong = (guess != truth).astype(np.float64)
    ties = ties_of(-judged.emotion.max(1))
    some = bool(answered.any())
    return RiskCoverage(
        points=_points(judged.emotion.max(1), wrong, ties),
        aurc=row_score(lambda weights: _aurc(weights, wrong, ties), resampler, span=(0.0, 1.0)),
        abstained=100 * float(judged.abstained.mean()),
        accuracy_answered=metrics.accuracy(truth[answered], guess[answered]) if some else None,
        uar_answered=metrics.uar(truth[answered], guess[answered]) if some else None,
    )


def _points(confidence: Floats, wrong: Floats, ties: Ties) -> tuple[CoveragePoint, ...]:
    rows = ties.sums(np.ones((1, len(wrong))))[0].cumsum()
    errors = ties.sums(wrong[None])[0].cumsum()
    stated = confidence[ties.order][ties.starts]
    # Those nearest above each hundredth of the rows; the last, all rows, is always among them.
    places = np.unique(np.searchsorted(rows, len(wrong) * np.arange(1, POINTS + 1) / POINTS - 1e-9))
    return tuple(
        CoveragePoint(
            coverage=float(rows[i] / len(wrong)), risk=float(errors[i] / rows[i]), confidence=float(stated[i])
        )
        for i in places
    )


def _aurc(weights: Floats, wrong: Floats, ties: Ties) -> Floats:
    """Return the mean risk of the 1, 2, … surest rows, (resamples, rows) → (resamples,).

    Of s errors a row among equals, the risk of the surest k is (errors before + s (k - rows before)) / k;
    summed over k this is s times their number, and a difference of harmonic numbers times the rest.
    """
    counts, errors = ties.sums(weights), ties.sums(weights * wrong)
    last = counts.cumsum(1)
    before = last - counts
    harmonic = np.concatenate([[0.0], (1 / np.arange(1, last.max(initial=0) + 1)).cumsum()])
    reciprocals = harmonic[last.astype(np.int64)] - harmonic[before.astype(np.int64)]
    rest = errors.cumsum(1) - errors - before * ratio(errors, counts, 0.0)
    return ratio((rest * reciprocals + errors).sum(1), last[:, -1])
