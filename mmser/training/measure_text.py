"""Words alone: GoEmotions and MELD, official test sets, beside TF-IDF with logistic regression."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from mmser.data import Example
from mmser.evaluation.baselines import fit_tfidf
from mmser.evaluation.scores import metrics
from mmser.labels import EMOTIONS
from mmser.model import MmserModel, MmserProcessor
from mmser.training.answers import Answers, Floats, answer, calibration_scores, dialogues_of
from mmser.training.encodings import Words, encode_texts
from mmser.training.pairs import comment_rows, dialogue_rows, whole_dialogues

Results = dict[str, Any]


def text_results(
    model: MmserModel, processor: MmserProcessor, texts: Sequence[Example]
) -> tuple[Results, dict[str, Answers]]:
    """Score both test sets; also return MELD's answers on validation and test."""
    words = {
        (c, s): encode_texts(model, processor, [t for t in texts if t.corpus == c and t.split == s])
        for c in ("goemotions", "meld")
        for s in ("validation", "test")
    }
    dialogues = {s: whole_dialogues(words["meld", s]) for s in ("validation", "test")}
    meld = {s: answer(model, dialogue_rows(found)) for s, found in dialogues.items()}
    single = answer(model, dialogue_rows([[w] for d in dialogues["test"] for w in d]))
    truth, guess = np.asarray(meld["test"].truth), np.asarray(meld["test"].guess())
    results = {
        "goemotions": _comments(model, {s: words["goemotions", s] for s in ("validation", "test")}, texts),
        "meld": {
            "weighted_f1": metrics.weighted_f1(truth, guess),
            "interval": metrics.bootstrap_interval(
                lambda r: metrics.weighted_f1(truth[r], guess[r]), dialogues_of(meld["test"])
            ),
            "macro_f1": metrics.macro_f1(truth, guess),
            "class_f1": metrics.class_f1(truth, guess),
            "confusion": metrics.confusion(truth.tolist(), guess.tolist()),
            "without_context": metrics.weighted_f1(single.truth, single.guess()),
            "n": len(truth),
            **calibration_scores(meld["test"].emotion, meld["test"].truth, _prior(texts, "meld")),
        },
    }
    results["goemotions"]["tfidf"] = _tfidf_comments(texts)
    results["meld"]["tfidf"] = _tfidf_meld(texts)
    return results, meld


def _prior(texts: Sequence[Example], corpus: str) -> Floats:
    """Return the class distribution of a corpus's training split, (classes,)."""
    targets = np.array([t.target() for t in texts if t.corpus == corpus and t.split == "train"])
    prior: Floats = targets.mean(0)
    return prior


def _comments(model: MmserModel, words: dict[str, list[Words]], texts: Sequence[Example]) -> Results:
    answers = {s: answer(model, comment_rows(w)).emotion for s, w in words.items()}
    targets = {s: np.array([[p > 0 for p in x.example.target()] for x in w]) for s, w in words.items()}
    thresholds = metrics.multilabel_thresholds(targets["validation"], answers["validation"])

    def score(rows: Any) -> float:
        return metrics.multilabel_macro_f1(targets["test"][rows], answers["test"][rows], thresholds)

    everything = np.arange(len(targets["test"]))
    single = np.flatnonzero(targets["test"].sum(1) == 1)
    truth = targets["test"][single].argmax(1).tolist()
    return {
        "macro_f1": score(everything),
        "interval": metrics.bootstrap_interval(score, [str(i) for i in everything]),
        "n": len(everything),
        **calibration_scores(answers["test"][single], truth, _prior(texts, "goemotions")),
    }


def _tfidf_comments(texts: Sequence[Example]) -> float:
    """Return macro-F1 of the baseline; its strength is chosen on validation."""
    parts = {s: [t for t in texts if t.corpus == "goemotions" and t.split == s] for s in _SPLITS}
    targets = {s: np.array([[p > 0 for p in t.target()] for t in part]) for s, part in parts.items()}
    strings = {s: [str(t.text) for t in part] for s, part in parts.items()}
    best, found = -1.0, 0.0
    for strength, weight in itertools.product((1.0, 4.0), (None, "balanced")):
        model = fit_tfidf(
            strings["train"], targets["train"].astype(int), multilabel=True, strength=strength, weight=weight
        )
        held = model.predict_proba(strings["validation"])
        thresholds = metrics.multilabel_thresholds(targets["validation"], held)
        score = metrics.multilabel_macro_f1(targets["validation"], held, thresholds)
        if score > best:
            tested = model.predict_proba(strings["test"])
            best, found = score, metrics.multilabel_macro_f1(targets["test"], tested, thresholds)
    return found


def _tfidf_meld(texts: Sequence[Example]) -> float:
    """Return weighted F1 of the baseline; its strength is chosen on validation."""
    parts = {s: [t for t in texts if t.corpus == "meld" and t.split == s] for s in _SPLITS}
    labels = {s: [EMOTIONS.index(t.emotions[0]) for t in part] for s, part in parts.items()}
    lines = {s: [str(t.text) for t in part] for s, part in parts.items()}
    best, found = -1.0, 0.0
    for strength, weight in itertools.product((1.0, 3.0, 10.0), (None, "balanced")):
        model = fit_tfidf(lines["train"], labels["train"], multilabel=False, strength=strength, weight=weight)
        score = metrics.weighted_f1(labels["validation"], model.predict(lines["validation"]))
        if score > best:
            best, found = score, metrics.weighted_f1(labels["test"], model.predict(lines["test"]))
    return found


_SPLITS = ("train", "validation", "test")
