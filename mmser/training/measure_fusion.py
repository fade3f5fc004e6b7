"""What fusion is worth on made pairs of unseen speakers and sentences, from a fixed list."""

import csv
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmser.data import Example
from mmser.evaluation.scores import metrics
from mmser.labels import EMOTIONS, ROLES
from mmser.model import MmserModel
from mmser.training.answers import Answers, Floats, answer, calibration_scores
from mmser.training.encodings import Sound, Words
from mmser.training.pairs import Dialogues, one_hot

PAIRS = 2700  # of each kind in the list
SURE = 0.7  # probability from which a wrong answer counts as confidently wrong


@dataclass(frozen=True)
class Pair:
    """One clip and one text, by name; `kind` is matched, neutral_words or conflicting."""

    kind: str
    clip: str
    text: str


def draw_pairs(sounds: Sequence[Sound], texts: Sequence[Example], seed: int) -> list[Pair]:
    """Draw the list: each clip in turn, speakers and emotions as they come."""
    rng = np.random.default_rng(seed)
    by_emotion = {e: [t for t in texts if t.emotions == (e,)] for e in EMOTIONS}
    pairs = []
    for kind in ("matched", "neutral_words", "conflicting"):
        order = rng.permutation(len(sounds))
        for index in order[np.arange(PAIRS) % len(order)]:
            sound = sounds[index]
            emotion = sound.example.emotions[0]
            wanted = emotion if kind == "matched" else "neutral"
            if kind == "conflicting":
                if emotion == "neutral":
                    continue
                wanted = "happiness" if emotion != "happiness" else "anger"
            pool = by_emotion[wanted]
            pairs.append(Pair(kind, clip_name(sound), pool[rng.integers(len(pool))].id))
    return pairs


def clip_name(sound: Sound) -> str:
    """Return "ravdess/03-01-05-01-01-01-06" of a clip."""
    return f"{sound.example.corpus}/{Path(str(sound.example.audio)).stem}"


def write_pairs(pairs: Sequence[Pair], path: Path) -> None:
    """Write the list as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["kind", "clip", "text"])
        rows.writerows(dataclasses.astuple(pair) for pair in pairs)


def read_pairs(path: Path) -> list[Pair]:
    """Read what `write_pairs` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        return [Pair(**row) for row in csv.DictReader(file)]


def lay_out(pairs: Sequence[tuple[Sound | None, Words | None, str]]) -> Dialogues:
    """Lay out pairs, each a dialogue of its own, with the emotion that each is scored against."""
    rows = Dialogues()
    for number, (sound, words, emotion) in enumerate(pairs):
        rows.sounds.append(sound)
        rows.words.append(words)
        rows.keys.append((number, 0, ROLES.index("customer")))
        rows.positions.append(0)
        rows.emotion.append(one_hot(emotion))
        rows.intensity.append(float("nan"))
        rows.change.append(float("nan"))
        rows.direction.append(-100)
        rows.kinds.append("pair")
    return rows


def fusion_results(
    model: MmserModel, sounds: Sequence[Sound], words: Sequence[Words], pairs: Sequence[Pair], seed: int
) -> dict[str, Any]:
    """Score the list: fused, each modality, late fusion, shuffled cross-attention, and conflicts."""
    clips, texts = {clip_name(s): s for s in sounds}, {w.example.id: w for w in words}
    results: dict[str, Any] = {}
    found: dict[str, Answers] = {}
    for kind in ("matched", "neutral_words", "conflicting"):
        chosen = [(clips[p.clip], texts[p.text]) for p in pairs if p.kind == kind]
        laid = lay_out([(s, w, s.example.emotions[0]) for s, w in chosen])
        found[kind] = answer(model, laid)
        if kind != "conflicting":
            results[kind] = _scores(model, laid, found[kind], seed)
    results["conflicting"] = _conflicts(found["matched"], found["conflicting"])
    return results


def _scores(model: MmserModel, rows: Dialogues, got: Answers, seed: int) -> dict[str, Any]:
    truth = np.asarray(got.truth)
    prior = np.bincount(truth, minlength=len(EMOTIONS)) / len(truth)
    alone = {name: _alone(model, rows, name) for name in ("audio", "text")}
    product = got.audio_only * got.text_only / prior.clip(1e-3)
    guesses = {
        "fused": got.emotion.argmax(1),
        "audio_only": alone["audio"].emotion.argmax(1),
        "text_only": alone["text"].emotion.argmax(1),
        "late_fusion": product.argmax(1),
        "shuffled": shuffled(model, rows, seed).argmax(1),
    }
    scores: dict[str, Any] = {name: metrics.uar(truth, guess) for name, guess in guesses.items()}
    better = "audio_only" if scores["audio_only"] >= scores["text_only"] else "text_only"
    groups = [str(s.example.speaker) for s in rows.sounds if s]
    for name in (better, "late_fusion", "shuffled"):
        scores[f"above_{name}"] = _difference(truth, guesses["fused"], guesses[name], groups)
    return scores | {"better": better, "n": len(truth), **calibration_scores(got.emotion, got.truth, prior)}


def _difference(
    truth: np.ndarray, guess: np.ndarray, other: np.ndarray, groups: Sequence[str]
) -> tuple[float, float]:
    """Return the 95 % t-interval over speakers of the difference in UAR."""
    return metrics.paired_group_interval(metrics.uar, truth.tolist(), guess.tolist(), other.tolist(), groups)


def _alone(model: MmserModel, rows: Dialogues, modality: str) -> Answers:
    """Answer with the other modality missing."""
    gone: list[None] = [None] * len(rows.keys)
    kept: dict[str, Any] = {"words": gone} if modality == "audio" else {"sounds": gone}
    return answer(model, dataclasses.replace(rows, **kept))


def _encoded(model: MmserModel, rows: Dialogues, change: Callable[[Any], Any]) -> Any:
    keys, positions = torch.tensor(rows.keys), torch.tensor(rows.positions)
    references = torch.zeros(len(rows.keys), dtype=torch.bool)
    with torch.inference_mode():
        return model.converse(change(rows.encoded(model)), keys, positions, references, None)


def shuffled(model: MmserModel, rows: Dialogues, seed: int) -> Floats:
    """Return logits with other pairs' frames and tokens in cross-attention; vectors stay, (rows, classes)."""
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(rows.keys)))

    def change(encoded: Any) -> Any:
        audio = dataclasses.replace(
            encoded.audio, frames=encoded.audio.frames[order], mask=encoded.audio.mask[order]
        )
        tokens, weight = encoded.tokens[order], encoded.token_weight[order]
        return dataclasses.replace(encoded, audio=audio, tokens=tokens, token_weight=weight)

    logits: Floats = _encoded(model, rows, change).logits.double().numpy()
    return logits


def _conflicts(matched: Answers, conflicting: Answers) -> dict[str, float]:
    """Return how often conflicting pairs are confidently wrong, and how often the model abstains."""
    sure = conflicting.emotion.max(1) >= SURE
    guess = np.asarray(conflicting.guess())
    voice = np.asarray(conflicting.truth)
    words = [EMOTIONS.index(w.example.emotions[0]) for w in conflicting.rows.words if w]
    abstained = {
        name: float(got.abstained.mean())
        for name, got in (("matched", matched), ("conflicting", conflicting))
    }
    return {
        "n": len(voice),
        "sure_and_not_the_voice": float((sure & (guess != voice)).mean()),
        "sure_and_neither": float((sure & (guess != voice) & (guess != np.asarray(words))).mean()),
        "abstained": abstained["conflicting"],
        "abstained_matched": abstained["matched"],
        "coverage_matched": 1 - abstained["matched"],
    }
