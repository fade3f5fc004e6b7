"""How well several emotions at a time are told, each by a threshold of its own."""

import numpy as np

from mmser.errors import DataError
from mmser.evaluation.defaults import DRAWS
from mmser.evaluation.judged import Bools, Floats, Judged, targets_of, where
from mmser.evaluation.result import MultiLabelScores
from mmser.evaluation.scores.emotion_scores import class_score
from mmser.evaluation.scores.metrics import multilabel_thresholds
from mmser.evaluation.scores.resampling import count_score, ratio, resampler_of

UNSEEN = 0.5  # threshold of a class that no validation row carries


def multi_label_scores(
    test: Judged, validation: Judged, *, draws: int = DRAWS, seed: int = 0
) -> MultiLabelScores | None:
    """Score which labels a row carries, where rows may carry several.

    A class is guessed where its probability reaches its threshold, the one of highest F1 on the validation
    rows of the same fold: those of another may be test rows here. A class that none of them carries gets
    0.5. The probabilities of a row sum to 1, so that thresholds of labels that come together lie under a
    half.

    Args:
        test: of which the rows with a label of the model's count.
        validation: rows of the same labels and folds, likewise.
        draws: of the bootstrap, from 20 groups on.
        seed: of the draws.

    Returns:
        The scores; None where no test row carries several labels.

    Raises:
        DataError: if no validation row of a fold carries a label of the model's.
        ValueError: if the two are of different labels.
    """
    if test.labels != validation.labels:
        raise ValueError(f"test rows are of {test.labels}, validation rows of {validation.labels}")
    rows, held = (where(part, _carries(part)) for part in (test, validation))
    targets = targets_of(rows)
    if not (targets.sum(1) > 1).any():
        return None
    by_fold = {fold: _thresholds(held, fold) for fold in sorted(set(rows.fold))}
    guessed = rows.emotion >= np.stack([by_fold[fold] for fold in rows.fold])
    mean = np.mean(list(by_fold.values()), 0)
    resampler = resampler_of(rows, draws=draws, seed=seed)
    tables = resampler.sums(np.stack([targets & guessed, targets, guessed], 2))
    found, carried, said = tables.sum(0).astype(np.int64).T
    return MultiLabelScores(
        n=len(rows),
        macro_f1=count_score(tables, macro_f1, resampler),
        micro_f1=count_score(tables, micro_f1, resampler),
        classes=tuple(
            class_score(label, found=found[i], carried=carried[i], guessed=said[i])
            for i, label in enumerate(rows.labels)
        ),
        thresholds=dict(zip(rows.labels, mean.tolist(), strict=True)),
        n_validation=len(held),
    )


def _carries(judged: Judged) -> Bools:
    return np.asarray(targets_of(judged).any(1), np.bool_)


def _thresholds(held: Judged, fold: str) -> Floats:
    held = where(held, np.array([own == fold for own in held.fold], np.bool_))
    if not len(held):
        raise DataError(
            "thresholds of several labels cannot be chosen: 0 validation rows carry a label of the model's; "
            "give a validation split"
        )
    targets = targets_of(held)
    chosen = multilabel_thresholds(targets, held.emotion)
    # Without a row to find, every threshold has F1 0 and the lowest would be taken.
    return np.where(targets.any(0), np.round(chosen, 6), UNSEEN)


# --- metrics of counts found, carried, guessed, (resamples, classes, 3) → percent, (resamples,) -----------


def macro_f1(counts: Floats) -> Floats:
    """Return the mean of the classes' F1 over the classes that occur, in percent."""
    f1 = 2 * ratio(counts[:, :, 0], counts[:, :, 1] + counts[:, :, 2], 0.0)
    occurs = counts[:, :, 1] > 0
    return 100 * ratio((f1 * occurs).sum(1), occurs.sum(1).astype(np.float64))


def micro_f1(counts: Floats) -> Floats:
    """Return F1 of all decisions together, in percent."""
    found, carried, guessed = counts.sum(1).T
    return 200 * ratio(found, carried + guessed)
