"""The shipped model's numbers: held-out speakers and dialogues, each beside a simple baseline.

Thresholds come from validation; the test sets are read once, here.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmser.data import Example
from mmser.evaluation.baselines import fit_svm
from mmser.evaluation.scores import metrics
from mmser.labels import EMOTIONS
from mmser.model import MmserModel, MmserProcessor
from mmser.model.acoustics_mmser import NUM_FUNCTIONALS
from mmser.training.acoustic_cache import Clip
from mmser.training.answers import Answers, answer, calibration_scores, speakers_of
from mmser.training.encodings import encode_sounds, encode_texts
from mmser.training.measure_change import shift_results
from mmser.training.measure_fusion import draw_pairs, fusion_results, read_pairs, write_pairs
from mmser.training.measure_text import text_results
from mmser.training.pairs import PairMix, PairSampler
from mmser.training.staged import sound_dialogues

CORPORA = ("ravdess", "nemo", "emodb")
Results = dict[str, Any]


def audio_results(model: MmserModel, clips: Sequence[Clip], seed: int) -> Results:
    """Score held-out speakers: without and with a history, by telephone, beside the SVM."""
    parts = {s: [c for c in clips if c.example.split == s] for s in ("train", "validation", "test")}
    test = parts["test"]
    sounds = encode_sounds(model.audio, test, phone=False)
    rows = {
        "no_history": answer(model, sound_dialogues(sounds, 1, seed)),
        "history": answer(model, sound_dialogues(sounds, 16, seed)),
        "telephone": answer(model, sound_dialogues(encode_sounds(model.audio, test, phone=True), 1, seed)),
    }
    alone = rows["no_history"]
    svm = _svm(parts)
    results: Results = {"speakers": sorted({str(c.example.speaker) for c in test})}
    for corpus in ("all", *CORPORA):
        results[corpus] = _corpus_row(rows, svm, corpus)
    chosen = [svm[name] for name in clip_order(alone)]
    results["interval_difference"] = metrics.paired_group_interval(
        metrics.uar, alone.truth, alone.guess(), chosen, speakers_of(alone)
    )
    labels = [EMOTIONS.index(c.example.emotions[0]) for c in parts["train"]]
    prior = np.bincount(labels, minlength=len(EMOTIONS)) / len(labels)
    results |= {
        "accuracy": metrics.accuracy(alone.truth, alone.guess()),
        "macro_f1": metrics.macro_f1(alone.truth, alone.guess()),
        "class_f1": metrics.class_f1(alone.truth, alone.guess()),
        "confusion": metrics.confusion(alone.truth, alone.guess()),
        "confusion_ravdess": metrics.confusion(*_of_corpus(alone, "ravdess")),
        "abstained": float(alone.abstained.mean()),
        "calibration": calibration_scores(alone.emotion, alone.truth, prior),
        "intensity": _intensity(model, alone),
    }
    return results


def _svm(parts: dict[str, list[Clip]]) -> dict[str, int]:
    """Return what a support vector machine on the plain functionals says of each test clip."""
    features = {
        s: np.stack([c.rendering().functionals[:NUM_FUNCTIONALS].numpy() for c in part])
        for s, part in parts.items()
    }
    labels = {s: [EMOTIONS.index(c.example.emotions[0]) for c in part] for s, part in parts.items()}
    svm = fit_svm(features["train"], labels["train"], features["validation"], labels["validation"])
    guesses = svm.predict(features["test"])
    return {str(c.example.audio): int(g) for c, g in zip(parts["test"], guesses, strict=True)}


def clip_order(answers: Answers) -> list[str]:
    """Return the clip of each row."""
    return [str(s.example.audio) for s in answers.rows.sounds if s]


def _rows_of(answers: Answers, corpus: str) -> list[int]:
    return [i for i, s in enumerate(answers.rows.sounds) if s and corpus in ("all", s.example.corpus)]


def _of_corpus(answers: Answers, corpus: str) -> tuple[list[int], list[int]]:
    kept, guess = _rows_of(answers, corpus), answers.guess()
    return [answers.truth[i] for i in kept], [guess[i] for i in kept]


def _corpus_row(rows: dict[str, Answers], svm: dict[str, int], corpus: str) -> Results:
    found: Results = {name: metrics.uar(*_of_corpus(answers, corpus)) for name, answers in rows.items()}
    alone = rows["no_history"]
    kept, clips = _rows_of(alone, corpus), clip_order(alone)
    truth = [alone.truth[i] for i in kept]
    speakers = [speakers_of(alone)[i] for i in kept]
    found["svm"] = metrics.uar(truth, [svm[clips[i]] for i in kept])
    found["interval"] = metrics.group_interval(metrics.uar, *_of_corpus(alone, corpus), speakers)
    found["n"], found["speakers"] = len(kept), len(set(speakers))
    return found


def _intensity(model: MmserModel, answers: Answers) -> Results:
    """Return UAR of normal against strong, RAVDESS test actors, the threshold from validation."""
    levels = np.asarray(answers.rows.intensity)
    kept = np.flatnonzero(~np.isnan(levels) & (levels > 0.2))
    strong = (levels[kept] > 0.7).astype(int).tolist()
    high = model.config.intensity_thresholds[1]
    guess = (answers.intensity[kept] >= high).astype(int).tolist()
    speakers = [speakers_of(answers)[i] for i in kept]
    return {
        "uar": metrics.uar(strong, guess),
        "interval": metrics.group_interval(metrics.uar, strong, guess, speakers),
        "n": len(kept),
    }


def single_texts(texts: Sequence[Example], split: str) -> list[Example]:
    """Return the single-label texts of a split that carry an id, which the list of pairs names."""
    named = [t for t in texts if t.split == split and len(t.emotions) == 1 and t.id]
    return [t for t in named if t.corpus in ("goemotions", "meld")]


def evaluate(
    model: MmserModel,
    processor: MmserProcessor,
    clips: Sequence[Clip],
    texts: Sequence[Example],
    pairs: Path,
    seed: int,
) -> Results:
    """Return every number of the shipped model.

    Args:
        model: as a user loads it.
        processor: its own.
        clips: of all speakers.
        texts: of all text corpora.
        pairs: the fixed list of made pairs; drawn and written where it is missing.
        seed: of orders and draws.
    """
    sounds = encode_sounds(model.audio, [c for c in clips if c.example.split == "test"], phone=False)
    text, meld = text_results(model, processor, texts)
    candidates = single_texts(texts, "test")
    if not pairs.exists():
        write_pairs(draw_pairs(sounds, candidates, seed), pairs)
    listed = read_pairs(pairs)
    named = {p.text for p in listed}
    words = encode_texts(model, processor, [t for t in candidates if t.id in named])
    rng = np.random.default_rng(seed)
    spliced = PairSampler(sounds, [], PairMix(0, 0, 0, 1, 0)).dialogues(rng, 120, 6)
    return {
        "audio": audio_results(model, clips, seed),
        "text": text,
        "change": {
            "meld": shift_results(model, meld["test"], meld["validation"]),
            "calls of clips": shift_results(model, answer(model, spliced), None),
        },
        "fusion": fusion_results(model, sounds, words, listed, seed),
    }
