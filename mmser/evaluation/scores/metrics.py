"""Metrics of the three tasks, in percent or as coefficients, with intervals over groups."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import average_precision_score, f1_score, matthews_corrcoef, recall_score

from mmser.labels import EMOTIONS

Array = NDArray[np.float64]
DRAWS = 500  # of a bootstrap
Labels = Sequence[int] | NDArray[np.int64]


def uar(truth: Labels, guess: Labels) -> float:
    """Return the unweighted average recall over the classes that occur, in percent."""
    return 100 * float(recall_score(truth, guess, average="macro", labels=np.unique(truth), zero_division=0))


def weighted_f1(truth: Labels, guess: Labels) -> float:
    """Return F1 weighted by class frequency, in percent."""
    return 100 * float(f1_score(truth, guess, average="weighted", zero_division=0))


def accuracy(truth: Labels, guess: Labels) -> float:
    """Return the share of right answers (WA), in percent."""
    return 100 * float(np.mean(np.asarray(truth) == np.asarray(guess)))


def macro_f1(truth: Labels, guess: Labels) -> float:
    """Return the mean of the classes' F1, over the classes that occur, in percent."""
    return 100 * float(f1_score(truth, guess, average="macro", labels=np.unique(truth), zero_division=0))


def class_f1(truth: Labels, guess: Labels) -> dict[str, float]:
    """Return F1 of each emotion that occurs, in percent."""
    present = np.unique(truth)
    values = f1_score(truth, guess, average=None, labels=present, zero_division=0)
    return {EMOTIONS[i]: 100 * float(v) for i, v in zip(present, values, strict=True)}


def multilabel_thresholds(targets: NDArray[np.bool_], probabilities: Array) -> Array:
    """Choose a threshold per class that maximises its F1, on validation data, (classes,)."""
    grid = np.linspace(0.05, 0.9, 86)
    chosen = []
    for carried, said in zip(targets.T, probabilities.T, strict=True):
        guessed = said >= grid[:, None]  # (thresholds, rows)
        total = guessed.sum(1) + carried.sum()
        found = 2 * (guessed & carried).sum(1) / np.maximum(total, 1)
        chosen.append(grid[int(np.argmax(found))])
    return np.array(chosen)


def multilabel_macro_f1(targets: NDArray[np.bool_], probabilities: Array, thresholds: Array) -> float:
    """Return macro-F1 in percent of per-class decisions."""
    return 100 * float(f1_score(targets, probabilities >= thresholds, average="macro", zero_division=0))


def expected_calibration_error(probabilities: Array, truth: Sequence[int], bins: int = 15) -> float:
    """Return the top-label expected calibration error over equal-mass bins (Nixon 2019), in [0, 1]."""
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == np.asarray(truth)
    parts = np.array_split(np.argsort(confidence, kind="stable"), bins)
    gaps = [len(p) * abs(confidence[p].mean() - right[p].mean()) for p in parts if len(p)]
    return float(sum(gaps) / len(confidence))


def shift_scores(truth: Sequence[bool], score: Sequence[float], threshold: float) -> dict[str, float]:
    """Return MCC at a threshold chosen elsewhere, average precision and the base rate."""
    guess = np.asarray(score) >= threshold
    return {
        "mcc": float(matthews_corrcoef(truth, guess)),
        "ap": float(average_precision_score(truth, score)),
        "base_rate": float(np.mean(truth)),
        "n": len(truth),
    }


def best_mcc_threshold(truth: Sequence[bool], score: Sequence[float]) -> float:
    """Return the threshold of highest MCC, for validation data."""
    candidates = np.unique(np.quantile(score, np.linspace(0.02, 0.98, 97)))
    values = [matthews_corrcoef(truth, np.asarray(score) >= c) for c in candidates]
    return float(candidates[int(np.argmax(values))])


def concordance(truth: Sequence[float], guess: Sequence[float]) -> float:
    """Return the concordance correlation coefficient (Lin 1989), in [-1, 1]; 0 where nothing varies."""
    a, b = np.asarray(truth, float), np.asarray(guess, float)
    spread = a.var() + b.var() + (a.mean() - b.mean()) ** 2
    return float(2 * ((a - a.mean()) * (b - b.mean())).mean() / spread) if spread > 0 else 0.0


def group_interval(
    metric: Callable[[Sequence[int], Sequence[int]], float],
    truth: Sequence[int],
    guess: Sequence[int],
    groups: Sequence[str],
) -> tuple[float, float]:
    """Return a 95 % t-interval over the groups' own values, for fewer than 20 groups (speakers)."""
    named = np.asarray(groups)
    rows = [np.flatnonzero(named == g).tolist() for g in np.unique(named)]
    values = [metric([truth[i] for i in r], [guess[i] for i in r]) for r in rows]
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return float(np.mean(values) - half), float(np.mean(values) + half)


def paired_group_interval(
    metric: Callable[[Sequence[int], Sequence[int]], float],
    truth: Sequence[int],
    guess: Sequence[int],
    other: Sequence[int],
    groups: Sequence[str],
) -> tuple[float, float]:
    """Return a 95 % t-interval of the groups' own differences, `guess` minus `other`."""
    named = np.asarray(groups)
    rows = [np.flatnonzero(named == g).tolist() for g in np.unique(named)]
    values = [
        metric([truth[i] for i in r], [guess[i] for i in r])
        - metric([truth[i] for i in r], [other[i] for i in r])
        for r in rows
    ]
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return float(np.mean(values) - half), float(np.mean(values) + half)


def bootstrap_interval(
    metric: Callable[[NDArray[np.int64]], float],
    groups: Sequence[str],
    *,
    draws: int | None = None,
    seed: int = 0,
) -> tuple[float, float]:
    """Return a 95 % percentile interval of `metric(rows)` over resampled groups (dialogues, comments)."""
    rng = np.random.default_rng(seed)
    names, inverse = np.unique(np.asarray(groups), return_inverse=True)
    rows = np.split(np.argsort(inverse, kind="stable"), np.cumsum(np.bincount(inverse))[:-1])
    values = []
    for _ in range(DRAWS if draws is None else draws):
        chosen = rng.integers(len(names), size=len(names))
        values.append(metric(np.concatenate([rows[i] for i in chosen])))
    return float(np.quantile(values, 0.025)), float(np.quantile(values, 0.975))


def confusion(truth: Sequence[int], guess: Sequence[int]) -> list[list[int]]:
    """Return counts, truth by guess, in the order of `EMOTIONS`."""
    table = np.zeros((len(EMOTIONS), len(EMOTIONS)), int)
    np.add.at(table, (np.asarray(truth), np.asarray(guess)), 1)
    rows: list[list[int]] = table.tolist()
    return rows
