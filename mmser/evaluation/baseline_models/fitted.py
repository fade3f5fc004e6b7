"""What every baseline shares: labelled rows, a choice by UAR on validation, a temperature, and an answer."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from mmser.data import Example
from mmser.evaluation.judged import Judged, emotion_only, name_of
from mmser.evaluation.scores.metrics import uar

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Modality = Literal["sound", "words"]
Inputs = TypeVar("Inputs")
Candidate = TypeVar("Candidate")
Scores = Callable[[Inputs], Floats]
"""From inputs of some rows to their logits, (rows, classes)."""

FEW = 30  # rows that a temperature is not fitted to
LEAST_TEMPERATURE, MOST_TEMPERATURE = 0.2, 1000.0
MISSING = {"sound": "it has no sound", "words": "it has no words"}


@dataclass(frozen=True, kw_only=True)
class Rows(Generic[Inputs]):
    """Labelled examples as a model takes them."""

    inputs: Inputs  # an array (rows, features), or a list of one log-mel or text a row
    targets: Floats  # equal shares of the row's classes, of those trained on, (rows, classes)

    def classes(self) -> Ints:
        """Return the class of each row, the first of several, (rows,)."""
        return np.asarray(self.targets.argmax(1), np.int64)


@dataclass(frozen=True, kw_only=True)
class Fitted(Generic[Inputs]):
    """A model that was fitted, and what validation chose for it."""

    scores: Scores[Inputs]
    chosen: Mapping[str, float | int | str | None]


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A baseline fitted on training rows; labels it was never shown have a probability of 0."""

    name: str
    labels: tuple[str, ...]
    trained: tuple[int, ...]  # places in `labels` of the classes that occurred in training
    needs: Modality | None
    inputs: Callable[[Sequence[Example]], Any]  # what `scores` takes of some rows
    scores: Scores[Any]
    temperature: float = 1.0  # fitted on validation; 1 where there was too little
    chosen: Mapping[str, float | int | str | None] = field(
        default_factory=dict
    )  # on validation, or by default
    lost: Callable[[Sequence[Example]], Mapping[str, str]] = lambda examples: {}  # whose sound cannot be read
    left_out: Mapping[str, str] = field(default_factory=dict)  # of training and validation rows: name → why

    def judge(self, examples: Sequence[Example], fold: str = "") -> Judged:
        """Return what it says of examples; those without what it needs, or unreadable, are in `left_out`."""
        left_out = {name_of(e): MISSING[str(self.needs)] for e in examples if not has(e, self.needs)}
        left_out |= self.lost([e for e in examples if has(e, self.needs)])
        able = [e for e in examples if name_of(e) not in left_out]
        probabilities = np.zeros((len(able), len(self.labels)))
        if able:
            logits = self.scores(self.inputs(able)) / self.temperature
            probabilities[:, list(self.trained)] = softmax(logits, axis=1)
        return dataclasses.replace(emotion_only(able, self.labels, probabilities, fold), left_out=left_out)


def in_words(setting: str, value: float | int | str | None) -> str:
    """Return a setting that was chosen, and its value, as they are told: "depth 5"."""
    if setting == "class_weight":
        return "classes as frequent as they are" if value is None else "classes weighed equally"
    name = {"var_smoothing": "smoothing", "max_depth": "depth"}.get(setting, setting)
    return f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"


def has(example: Example, needed: Modality | None) -> bool:
    """Return whether an example has what a baseline needs of it."""
    if needed == "sound":
        return example.audio is not None
    return needed is None or bool((example.text or "").strip())


def columns(decision: NDArray[Any]) -> Floats:
    """Return decision values as logits, (rows, classes): scikit-learn gives one column for two classes."""
    values = np.asarray(decision, np.float64)
    return values if values.ndim == 2 else np.stack([np.zeros_like(values), values], 1)


def held_uar(logits: Floats, targets: Floats) -> float | None:
    """Return UAR in percent over the rows with one label, None where there is none."""
    single = targets.max(1, initial=0.0) == 1
    if not single.any():
        return None
    return uar(targets[single].argmax(1), logits[single].argmax(1))


def choose(
    candidates: Sequence[Candidate],
    fit: Callable[[Candidate], Scores[Inputs]],
    held: Rows[Inputs] | None,
    default: Candidate,
) -> tuple[Candidate, Scores[Inputs]]:
    """Fit each candidate and return the one of highest UAR on validation rows, the first of equals.

    Args:
        candidates: the values of a hyper-parameter.
        fit: from a candidate to a fitted model's logits.
        held: validation rows; without them, or where none has one label, the default is taken.
        default: one of the candidates.
    """
    if held is None or not (held.targets.max(1) == 1).any():
        return default, fit(default)
    models = [fit(candidate) for candidate in candidates]
    scores = [held_uar(model(held.inputs), held.targets) or 0.0 for model in models]
    best = int(np.argmax(scores))
    return candidates[best], models[best]


def fit_temperature(logits: Floats, targets: Floats) -> float:
    """Return what to divide logits by for the lowest cross-entropy (Guo 2017), within 0.2 to 1000.

    Naive Bayes counts every column as if it were news, and needs the upper end; the lower keeps a model that
    made no mistake on validation from being certain.

    Args:
        logits: of validation rows, (rows, classes).
        targets: shares of classes, (rows, classes); fewer than `FEW` rows give 1.
    """
    if len(targets) < FEW:
        return 1.0

    def loss(exponent: float) -> float:
        return float(-(targets * log_softmax(logits / np.exp(exponent), axis=1)).sum(1).mean())

    bounds = (math.log(LEAST_TEMPERATURE), math.log(MOST_TEMPERATURE))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))
