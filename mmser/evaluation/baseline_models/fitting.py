"""The simple models that every number stands beside, trained on the same rows under the same protocol."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmser.data import Example
from mmser.errors import DataError, UsageError
from mmser.evaluation.baseline_models.cache import FeatureCache
from mmser.evaluation.baseline_models.classical import (
    fit_decision_tree,
    fit_logistic_regression,
    fit_naive_bayes,
    fit_svm,
)
from mmser.evaluation.baseline_models.fitted import (
    Baseline,
    Fitted,
    Floats,
    Modality,
    Rows,
    fit_temperature,
    has,
)
from mmser.evaluation.baseline_models.networks import fit_bilstm, fit_cnn
from mmser.evaluation.baseline_models.words import fit_tfidf
from mmser.evaluation.judged import name_of
from mmser.progress import ProgressCallback, ignore_progress

BASELINES = (
    "majority",
    "svm",
    "naive-bayes",
    "decision-tree",
    "logistic-regression",
    "cnn",
    "bilstm",
    "tfidf",
)


def needs(name: str) -> Modality | None:
    """Return what a baseline listens to or reads; None if neither.

    Raises:
        UsageError: if there is no such baseline.
    """
    if name not in BASELINES:
        raise UsageError(f"there is no baseline {name!r}; choose among {', '.join(BASELINES)}")
    if name == "majority":
        return None
    return "words" if name == "tfidf" else "sound"


def fit_baseline(
    name: str,
    train: Sequence[Example],
    validation: Sequence[Example],
    labels: Sequence[str],
    *,
    features: FeatureCache,
    seed: int,
    progress: ProgressCallback = ignore_progress,
) -> Baseline:
    """Fit one baseline.

    Rows without its modality or without a label of `labels` are passed over; so are rows with several labels,
    but for "majority" and "tfidf", which learn each of them with an equal share. Those whose sound cannot be
    read are in `left_out`.

    Args:
        name: one of `BASELINES`.
        train: rows to fit on.
        validation: rows of other speakers, which hyper-parameters, epochs and the temperature are chosen on;
            may be empty, then each has its default.
        labels: of the columns of the answer.
        features: what is known of the sound so far; it grows.
        seed: of a network's weights and batches, and of ties in a tree.
        progress: called with "listening" and clips, and for networks with "fitting" and epochs.

    Raises:
        UsageError: if there is no such baseline.
        DataError: if no training row can be used.
    """
    wanted, several = needs(name), name in ("majority", "tfidf")
    rows = [e for e in train if has(e, wanted) and _usable(e, labels, several)]
    if not rows:
        kind = "a label" if several else "exactly one label"
        also = "" if wanted is None else f"{wanted} and "
        raise DataError(
            f"none of the {len(train)} training rows has {also}{kind} among {', '.join(labels)}, so that the "
            f"baseline {name!r} cannot be fitted; leave it out, or add such rows"
        )
    others = [e for e in validation if has(e, wanted) and _usable(e, labels, several)]

    def lost(examples: Sequence[Example]) -> Mapping[str, str]:
        return features.lost(examples, progress) if wanted == "sound" else {}

    left_out = {**lost(rows), **lost(others)}
    if all(name_of(e) in left_out for e in rows):
        raise DataError(
            f"none of the {len(rows)} training clips of the baseline {name!r} can be read; the first: "
            f"{left_out[name_of(rows[0])]}"
        )
    rows = [e for e in rows if name_of(e) not in left_out]
    present = {label for e in rows for label in e.emotions}
    trained = tuple(place for place, label in enumerate(labels) if label in present)
    names = [labels[place] for place in trained]

    def inputs(examples: Sequence[Example]) -> Any:
        return _inputs(name, examples, features, progress)

    known = Rows(inputs=inputs(rows), targets=_targets(rows, names))
    others = [e for e in others if _usable(e, names, several) and name_of(e) not in left_out]
    held = Rows(inputs=inputs(others), targets=_targets(others, names)) if others else None
    constant = name == "majority" or len(trained) == 1
    fitted = _majority(known) if constant else _fit(name, known, held, seed, progress)
    return Baseline(
        name=name,
        labels=tuple(labels),
        trained=trained,
        needs=wanted,
        inputs=inputs,
        scores=fitted.scores,
        temperature=1.0
        if constant or held is None
        else fit_temperature(fitted.scores(held.inputs), held.targets),
        chosen=fitted.chosen,
        lost=lost,
        left_out=left_out,
    )


def _fit(
    name: str, rows: Rows[Any], held: Rows[Any] | None, seed: int, progress: ProgressCallback
) -> Fitted[Any]:
    match name:
        case "svm":
            return fit_svm(rows, held)
        case "naive-bayes":
            return fit_naive_bayes(rows, held)
        case "decision-tree":
            return fit_decision_tree(rows, held, seed)
        case "logistic-regression":
            return fit_logistic_regression(rows, held)
        case "cnn":
            return fit_cnn(rows, held, seed, progress)
        case "bilstm":
            return fit_bilstm(rows, held, seed, progress)
        case _:
            return fit_tfidf(rows, held)


def _usable(example: Example, labels: Sequence[str], several: bool) -> bool:
    count = len(example.emotions)
    return (count == 1 or (several and count > 1)) and any(label in labels for label in example.emotions)


def _targets(examples: Sequence[Example], names: Sequence[str]) -> Floats:
    """Return equal shares of each row's classes, of those named, (rows, classes)."""
    carried = np.array([[name in e.emotions for name in names] for e in examples], np.float64)
    shares: Floats = carried / carried.sum(1, keepdims=True)
    return shares


def _inputs(
    name: str, examples: Sequence[Example], features: FeatureCache, progress: ProgressCallback
) -> Any:
    if name == "majority":
        return examples
    if name == "tfidf":
        return [str(e.text) for e in examples]
    if name in ("cnn", "bilstm"):
        return features.log_mels(examples, progress)
    return features.functionals(examples, progress)


def _majority(rows: Rows[Any]) -> Fitted[Any]:
    """Return what always says the most frequent class, with the shares of the training rows."""
    prior = np.log(rows.targets.mean(0))
    return Fitted(scores=lambda examples: np.tile(prior, (len(examples), 1)), chosen={})
