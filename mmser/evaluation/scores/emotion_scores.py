"""How well single emotions are told: recalls, F1s, confusions, each with its interval."""

from collections.abc import Mapping

import numpy as np

from mmser.evaluation.defaults import DRAWS
from mmser.evaluation.judged import Bools, Floats, Judged, truth_of, where
from mmser.evaluation.result import ClassScore, EmotionScores
from mmser.evaluation.scores.calibration_scores import calibration_scores, coverage_scores
from mmser.evaluation.scores.resampling import CountMetric, Resampler, count_score, ratio, resampler_of

# --- metrics of confusion tables, truth by guess, (resamples, classes, classes) → percent, (resamples,) --


def uar(tables: Floats) -> Floats:
    """Return the unweighted average recall over the classes that occur (Schuller et al. 2009), in percent."""
    return 100 * _mean_over(ratio(_right(tables), tables.sum(2), 0.0), tables.sum(2) > 0)


def accuracy(tables: Floats) -> Floats:
    """Return the share of right answers (WA), in percent."""
    return 100 * ratio(_right(tables).sum(1), tables.sum((1, 2)))


def macro_f1(tables: Floats) -> Floats:
    """Return the mean of the classes' F1 over the classes that occur, in percent."""
    return 100 * _mean_over(_f1(tables), tables.sum(2) > 0)


def weighted_f1(tables: Floats) -> Floats:
    """Return F1 weighted by how often each class occurs, in percent."""
    return 100 * ratio((_f1(tables) * tables.sum(2)).sum(1), tables.sum((1, 2)))


METRICS: Mapping[str, CountMetric] = {
    "UAR": uar,
    "WA": accuracy,
    "macro-F1": macro_f1,
    "weighted-F1": weighted_f1,
}


def _right(tables: Floats) -> Floats:
    return np.asarray(np.diagonal(tables, axis1=1, axis2=2))


def _f1(tables: Floats) -> Floats:
    return 2 * ratio(_right(tables), tables.sum(1) + tables.sum(2), 0.0)


def _mean_over(values: Floats, kept: Bools) -> Floats:
    return ratio((values * kept).sum(1), kept.sum(1).astype(np.float64))


# --- scores ----------------------------------------------------------------------------------------------


def single_label(judged: Judged) -> Judged:
    """Return the rows with exactly one label of the model's."""
    return where(judged, truth_of(judged) >= 0)


def tables_of(judged: Judged, resampler: Resampler) -> Floats:
    """Return the confusion table of each group, truth by guess, (groups, classes, classes).

    Args:
        judged: rows with exactly one label of the model's, as `single_label` gives them.
        resampler: of these rows, or of the same rows judged by another model.

    Raises:
        ValueError: if a row has no single label, or the resampler is of another number of rows.
    """
    truth = truth_of(judged)
    if (truth < 0).any():
        raise ValueError(f"{(truth < 0).sum()} rows do not have exactly one label; leave them out first")
    if len(resampler) != len(judged):
        raise ValueError(f"the resampler is of {len(resampler)} rows, not of these {len(judged)}")
    return resampler.tables(truth, judged.guess(), len(judged.labels))


def emotion_scores(judged: Judged, *, draws: int = DRAWS, seed: int = 0) -> EmotionScores | None:
    """Score the most probable emotions, whether or not the model abstains, and their probabilities.

    Args:
        judged: of which the rows with exactly one label of the model's count.
        draws: of the bootstrap, from 20 groups on.
        seed: of the draws.

    Returns:
        The scores; None without such a row.
    """
    rows = single_label(judged)
    if not len(rows):
        return None
    resampler = resampler_of(rows, draws=draws, seed=seed)
    tables = tables_of(rows, resampler)
    scores = {name: count_score(tables, metric, resampler) for name, metric in METRICS.items()}
    total = tables.sum(0).astype(np.int64)
    return EmotionScores(
        n=len(rows),
        groups=resampler.groups,
        accuracy=scores["WA"],
        uar=scores["UAR"],
        macro_f1=scores["macro-F1"],
        weighted_f1=scores["weighted-F1"],
        chance_uar=100 / int((total.sum(1) > 0).sum()),
        classes=tuple(
            class_score(label, found=total[i, i], carried=total[i].sum(), guessed=total[:, i].sum())
            for i, label in enumerate(rows.labels)
        ),
        labels=rows.labels,
        confusion=tuple(tuple(row) for row in total.tolist()),
        calibration=calibration_scores(rows, resampler),
        coverage=coverage_scores(rows, resampler),
    )


def class_score(label: str, *, found: int, carried: int, guessed: int) -> ClassScore:
    """Return precision, recall and F1 of a class, in percent; F1 is None where the class does not occur.

    Args:
        label: of the class.
        found: rows that carry it and are guessed so.
        carried: rows that carry it.
        guessed: rows that are guessed so.
    """
    return ClassScore(
        label=label,
        precision=100 * float(found / guessed) if guessed else None,
        recall=100 * float(found / carried) if carried else None,
        f1=200 * float(found / (carried + guessed)) if carried else None,
        n=int(carried),
    )
