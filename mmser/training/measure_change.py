"""Change between turns, beside rules on the emotions of the same model."""

from typing import Any

import numpy as np

from mmser.evaluation.scores import metrics
from mmser.model import MmserModel
from mmser.training.answers import Answers, dialogues_of

RULES = ("product", "argmax")


def shift_results(model: MmserModel, answers: Answers, tuning: Answers | None) -> dict[str, Any]:
    """Score P(shift) of a test set; no earlier emotion is given to anybody.

    Args:
        model: whose threshold is used for its own head.
        answers: of the test dialogues, in which all turns have sound or all have words.
        tuning: of validation dialogues, for the product's threshold; None = it uses 0.5.
    """
    columns = shift_columns(answers)
    thresholds = {"head": model.config.change_thresholds[_pattern(answers)]} | dict.fromkeys(RULES, 0.5)
    if tuning is not None:
        held = shift_columns(tuning)
        thresholds["product"] = metrics.best_mcc_threshold(held["truth"], held["product"])
    results: dict[str, Any] = {
        name: metrics.shift_scores(columns["truth"], columns[name], thresholds[name])
        for name in ("head", *RULES)
    }
    best = max(RULES, key=lambda rule: float(results[rule]["mcc"]))
    results["best_rule"] = best
    results["head_above"] = {
        metric: _difference(columns, best if metric == "mcc" else "product", thresholds, metric)
        for metric in ("mcc", "ap")
    }
    results["direction"] = _direction(answers)
    return results


def _pattern(answers: Answers) -> str:
    return "audio" if any(sound is not None for sound in answers.rows.sounds) else "text"


def shift_columns(answers: Answers) -> dict[str, Any]:
    """Return truth, P(shift) of the head, 1 - p · p_previous, the difference of argmaxes, and dialogues."""
    kept = [i for i, c in enumerate(answers.rows.change) if not np.isnan(c) and answers.previous[i] >= 0]
    before = [answers.previous[i] for i in kept]
    guess, groups = np.asarray(answers.guess()), dialogues_of(answers)
    return {
        "truth": [bool(answers.rows.change[i]) for i in kept],
        "head": answers.change[kept].tolist(),
        "product": (1 - (answers.emotion[kept] * answers.emotion[before]).sum(1)).tolist(),
        "argmax": (guess[kept] != guess[before]).astype(float).tolist(),
        "dialogue": [groups[i] for i in kept],
    }


def _difference(
    columns: dict[str, Any], rule: str, thresholds: dict[str, float], metric: str
) -> tuple[float, float]:
    """Return the 95 % bootstrap interval over dialogues of the head's metric minus the rule's."""
    truth = np.asarray(columns["truth"])
    scores = {name: np.asarray(columns[name]) for name in ("head", rule)}

    def gap(rows: np.ndarray) -> float:
        values = [
            metrics.shift_scores(truth[rows], scores[name][rows], thresholds[name])[metric]
            for name in ("head", rule)
        ]
        return float(values[0] - values[1])

    return metrics.bootstrap_interval(gap, columns["dialogue"])


def _direction(answers: Answers) -> dict[str, float]:
    """Return macro-F1 of worse, better and lateral on true shifts, beside guessing the commonest."""
    truth = np.asarray(answers.rows.direction)
    kept = truth >= 0
    if not kept.any():
        return {}
    commonest = np.full(kept.sum(), np.bincount(truth[kept]).argmax())
    return {
        "macro_f1": metrics.macro_f1(truth[kept], answers.direction[kept].argmax(1)),
        "commonest_macro_f1": metrics.macro_f1(truth[kept], commonest),
        "n": int(kept.sum()),
    }
