"""The default model's numbers: held-out speakers and dialogues, each beside a simple baseline.

Thresholds come from validation; the test sets are read once, here.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmser.data import Example
from mmser.evaluation import metrics
from mmser.evaluation.baselines import fit_svm, fit_tfidf
from mmser.labels import EMOTIONS
from mmser.model import MmserModel, MmserProcessor
from mmser.training.acoustic_cache import Clip
from mmser.training.default_model import sound_dialogues
from mmser.training.encodings import Sound, Words, encode_sounds, encode_texts
from mmser.training.fusion_stage import Dialogues, PairMix, PairSampler, meld_batch, meld_dialogues

TEXTS_FOR_PAIRS = 2_000
Results = dict[str, Any]
Floats = NDArray[np.float64]


@dataclass
class Answers:
    """Calibrated answers with the labels they answer to."""

    rows: Dialogues
    emotion: Floats  # (rows, classes)
    audio_only: Floats
    text_only: Floats
    change: Floats  # P(shift), (rows,)
    direction: Floats  # over `DIRECTIONS`, (rows, 3)
    intensity: Floats  # [0, 1], (rows,)
    truth: list[int] = field(default_factory=list)
    previous: list[int] = field(default_factory=list)  # row of the same speaker's last turn, or -1

    def guess(self) -> list[int]:
        """Return the most probable class of each row."""
        found: list[int] = self.emotion.argmax(1).tolist()
        return found


def answer(model: MmserModel, rows: Dialogues) -> Answers:
    """Run cached encodings through the model, calibrated as in use."""
    with torch.inference_mode():
        said = model.calibrated(rows.run(model))
    last: dict[tuple[int, int], int] = {}
    previous = []
    for i, (dialogue, speaker, _) in enumerate(rows.keys):
        previous.append(last.get((dialogue, speaker), -1))
        last[dialogue, speaker] = i
    names = ("emotion", "audio_only", "text_only", "change", "direction", "intensity")
    return Answers(
        rows=rows,
        **{name: getattr(said, name).double().numpy() for name in names},
        truth=[int(np.argmax(t)) for t in rows.emotion],
        previous=previous,
    )


def audio_results(model: MmserModel, clips: Sequence[Clip], seed: int) -> Results:
    """Score held-out speakers: without and with a history, by telephone, beside the SVM."""
    parts = {s: [c for c in clips if c.example.split == s] for s in ("train", "validation", "test")}
    test = parts["test"]
    sounds = encode_sounds(model, test, phone=False)
    alone = answer(model, sound_dialogues(sounds, 1, seed))
    history = answer(model, sound_dialogues(sounds, 16, seed))
    phone = answer(model, sound_dialogues(encode_sounds(model, test, phone=True), 1, seed))
    svm_features = {
        s: np.stack([c.rendering().functionals.numpy() for c in part]) for s, part in parts.items()
    }
    labels = {s: [EMOTIONS.index(c.example.emotions[0]) for c in part] for s, part in parts.items()}
    svm = fit_svm(svm_features["train"], labels["train"], svm_features["validation"], labels["validation"])
    svm_guess = [int(g) for g in svm.predict(svm_features["test"])]
    svm_of = {str(c.example.audio): g for c, g in zip(test, svm_guess, strict=True)}
    results: Results = {"speakers": sorted({str(c.example.speaker) for c in test})}
    for corpus in ("all", "ravdess", "nemo", "emodb"):
        row: Results = {}
        for name, answers in (("no_history", alone), ("history", history), ("telephone", phone)):
            row[name] = _uar(answers, corpus)
        chosen = [i for i, c in enumerate(test) if corpus in ("all", c.example.corpus)]
        row["svm"] = metrics.uar([labels["test"][i] for i in chosen], [svm_guess[i] for i in chosen])
        row["n"] = len(chosen)
        results[corpus] = row
    speakers = [str(s.example.speaker) for s in alone.rows.sounds if s]
    results["interval_no_history"] = metrics.group_interval(metrics.uar, alone.truth, alone.guess(), speakers)
    results["interval_svm"] = metrics.group_interval(
        metrics.uar, labels["test"], svm_guess, [str(c.example.speaker) for c in test]
    )
    results["interval_difference"] = metrics.paired_group_interval(
        metrics.uar, alone.truth, alone.guess(), [svm_of[s] for s in clip_order(alone)], speakers
    )
    results["accuracy"] = metrics.accuracy(alone.truth, alone.guess())
    results["macro_f1"] = metrics.macro_f1(alone.truth, alone.guess())
    results["class_f1"] = metrics.class_f1(alone.truth, alone.guess())
    results["confusion"] = metrics.confusion(alone.truth, alone.guess())
    results["ece"] = metrics.expected_calibration_error(alone.emotion, alone.truth)
    results["abstained"] = float((alone.emotion.max(1) < model.config.abstain_below).mean())
    results["intensity_uar"] = _intensity_uar(model, alone)
    return results


def clip_order(answers: Answers) -> list[str]:
    """Return the clip of each row."""
    return [str(s.example.audio) for s in answers.rows.sounds if s]


def _uar(answers: Answers, corpus: str) -> float:
    kept = [i for i, s in enumerate(answers.rows.sounds) if s and corpus in ("all", s.example.corpus)]
    guess = answers.guess()
    return metrics.uar([answers.truth[i] for i in kept], [guess[i] for i in kept])


def _intensity_uar(model: MmserModel, answers: Answers) -> float:
    """Return UAR of normal against strong, RAVDESS test actors, threshold from validation."""
    levels = np.asarray(answers.rows.intensity)
    kept = ~np.isnan(levels) & (levels > 0.2)
    high = model.config.intensity_thresholds[1]
    return metrics.uar((levels[kept] > 0.7).astype(int), (answers.intensity[kept] >= high).astype(int))


def text_results(
    model: MmserModel, processor: MmserProcessor, texts: Sequence[Example]
) -> tuple[Results, dict[str, Answers]]:
    """Score the official test sets of GoEmotions and MELD beside TF-IDF with logistic regression."""
    words = {
        (c, s): encode_texts(model, processor, [t for t in texts if t.corpus == c and t.split == s])
        for c in ("goemotions", "meld")
        for s in ("validation", "test")
    }
    comments = {s: _comment_probabilities(model, words["goemotions", s]) for s in ("validation", "test")}
    targets = {
        s: np.array([[p > 0 for p in w.example.target()] for w in words["goemotions", s]])
        for s in ("validation", "test")
    }
    thresholds = metrics.multilabel_thresholds(targets["validation"], comments["validation"])
    macro = metrics.multilabel_macro_f1(targets["test"], comments["test"], thresholds)
    meld = {s: answer(model, meld_batch(meld_dialogues(words["meld", s]))) for s in ("validation", "test")}
    single = answer(model, meld_batch([[w] for d in meld_dialogues(words["meld", "test"]) for w in d]))
    truth, guess = np.asarray(meld["test"].truth), np.asarray(meld["test"].guess())
    results: Results = {
        "goemotions_macro_f1": macro,
        "goemotions_interval": metrics.bootstrap_interval(
            lambda r: metrics.multilabel_macro_f1(targets["test"][r], comments["test"][r], thresholds),
            [str(i) for i in range(len(targets["test"]))],
            draws=200,
        ),
        "meld_weighted_f1": metrics.weighted_f1(meld["test"].truth, meld["test"].guess()),
        "meld_interval": metrics.bootstrap_interval(
            lambda r: metrics.weighted_f1(truth[r], guess[r]), [str(key[0]) for key in meld["test"].rows.keys]
        ),
        "meld_weighted_f1_without_context": metrics.weighted_f1(single.truth, single.guess()),
        "meld_ece": metrics.expected_calibration_error(meld["test"].emotion, meld["test"].truth),
        **_tfidf(texts),
    }
    return results, meld


def _comment_probabilities(model: MmserModel, words: Sequence[Words]) -> Floats:
    parts = []
    for start in range(0, len(words), 400):
        rows = Dialogues()
        for i, text in enumerate(words[start : start + 400]):
            rows.sounds.append(None)
            rows.words.append(text if len(text.tokens) else None)
            rows.keys.append((i, 0, 3))
            rows.positions.append(0)
            rows.emotion.append(text.example.target())
        parts.append(answer(model, rows).emotion)
    return np.concatenate(parts)


def _tfidf(texts: Sequence[Example]) -> Results:
    """Fit and score the text baseline on both corpora; its strength is chosen on validation."""
    results: Results = {}
    comments = {
        s: [t for t in texts if t.corpus == "goemotions" and t.split == s]
        for s in ("train", "validation", "test")
    }
    targets = {s: np.array([[p > 0 for p in t.target()] for t in part]) for s, part in comments.items()}
    strings = {s: [str(t.text) for t in part] for s, part in comments.items()}
    best = -1.0
    for strength, weight in itertools.product((1.0, 4.0), (None, "balanced")):
        model = fit_tfidf(
            strings["train"], targets["train"].astype(int), multilabel=True, strength=strength, weight=weight
        )
        held = model.predict_proba(strings["validation"])
        thresholds = metrics.multilabel_thresholds(targets["validation"], held)
        score = metrics.multilabel_macro_f1(targets["validation"], held, thresholds)
        if score > best:
            best = score
            results["tfidf_goemotions_macro_f1"] = metrics.multilabel_macro_f1(
                targets["test"], model.predict_proba(strings["test"]), thresholds
            )
    turns = {
        s: [t for t in texts if t.corpus == "meld" and t.split == s] for s in ("train", "validation", "test")
    }
    labels = {s: [EMOTIONS.index(t.emotions[0]) for t in part] for s, part in turns.items()}
    lines = {s: [str(t.text) for t in part] for s, part in turns.items()}
    best = -1.0
    for strength, weight in itertools.product((1.0, 3.0, 10.0), (None, "balanced")):
        model = fit_tfidf(lines["train"], labels["train"], multilabel=False, strength=strength, weight=weight)
        score = metrics.weighted_f1(labels["validation"], model.predict(lines["validation"]))
        if score > best:
            best = score
            results["tfidf_meld_weighted_f1"] = metrics.weighted_f1(
                labels["test"], model.predict(lines["test"])
            )
    return results


def change_results(
    model: MmserModel, meld: dict[str, Answers], sounds: Sequence[Sound], seed: int
) -> Results:
    """Score P(shift) on MELD's dialogues and on spliced calls, beside rules on the emotions alone."""
    calls = PairSampler(sounds, [], PairMix(0, 0, 0, 1, 0), seed).dialogues(120, 6)
    spliced = answer(model, calls)
    results: Results = {}
    for name, chosen, tuning in (
        ("meld", meld["test"], meld["validation"]),
        ("spliced", spliced, None),
    ):
        truth, head, dot, argmax = _shift_columns(chosen)
        row = {"head": metrics.shift_scores(truth, head, model.config.change_threshold)}
        if tuning is not None:
            threshold = metrics.best_mcc_threshold(*_shift_columns(tuning)[::2])
            row["dot_rule"] = metrics.shift_scores(truth, dot, threshold)
        row["argmax_rule"] = metrics.shift_scores(truth, argmax, 0.5)
        row["direction"] = _direction_scores(chosen)
        results[name] = row
    return results


def _direction_scores(answers: Answers) -> dict[str, float]:
    """Return macro-F1 of worse, better and lateral on true shifts, beside guessing the commonest."""
    truth = np.asarray(answers.rows.direction)
    kept = truth >= 0
    commonest = np.full(kept.sum(), np.bincount(truth[kept]).argmax())
    return {
        "macro_f1": metrics.macro_f1(truth[kept], answers.direction[kept].argmax(1)),
        "commonest_macro_f1": metrics.macro_f1(truth[kept], commonest),
        "n": int(kept.sum()),
    }


def _shift_columns(answers: Answers) -> tuple[list[bool], list[float], list[float], list[float]]:
    """Return truth, the head's P(shift), 1 - p · p_previous and the difference of argmaxes."""
    kept = [i for i, c in enumerate(answers.rows.change) if not np.isnan(c) and answers.previous[i] >= 0]
    before = [answers.previous[i] for i in kept]
    dot = 1 - (answers.emotion[kept] * answers.emotion[before]).sum(1)
    guess = np.asarray(answers.guess())
    return (
        [bool(answers.rows.change[i]) for i in kept],
        answers.change[kept].tolist(),
        dot.tolist(),
        (guess[kept] != guess[before]).astype(float).tolist(),
    )


def fusion_results(model: MmserModel, sounds: Sequence[Sound], words: Sequence[Words], seed: int) -> Results:
    """Score made pairs of held-out speakers and texts: fused, each modality, and late fusion."""
    results: Results = {}
    for name, mix in (
        ("matched", PairMix(1, 0, 0, 0, 0)),
        ("neutral_words", PairMix(0, 1, 0, 0, 0)),
    ):
        got = answer(model, PairSampler(sounds, words, mix, seed).dialogues(150, 6))
        late = got.audio_only * got.text_only
        results[name] = {
            "fused": metrics.uar(got.truth, got.guess()),
            "audio_only": metrics.uar(got.truth, got.audio_only.argmax(1).tolist()),
            "text_only": metrics.uar(got.truth, got.text_only.argmax(1).tolist()),
            "late_fusion": metrics.uar(got.truth, late.argmax(1).tolist()),
            "ece": metrics.expected_calibration_error(got.emotion, got.truth),
            "n": len(got.truth),
        }
    return results


def evaluate(
    model: MmserModel,
    processor: MmserProcessor,
    clips: Sequence[Clip],
    texts: Sequence[Example],
    seed: int,
) -> Results:
    """Return every number that the card prints."""
    sounds = encode_sounds(model, [c for c in clips if c.example.split == "test"], phone=False)
    text, meld = text_results(model, processor, texts)
    singles = [t for t in texts if t.split == "test" and len(t.emotions) == 1]
    words = encode_texts(model, processor, singles[:: max(1, len(singles) // TEXTS_FOR_PAIRS)])
    return {
        "audio": audio_results(model, clips, seed),
        "text": text,
        "change": change_results(model, meld, sounds, seed),
        "fusion": fusion_results(model, sounds, words, seed),
    }
