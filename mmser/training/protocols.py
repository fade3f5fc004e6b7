"""Published protocols: one model for each fold, trained and scored here, nothing chosen on the test speakers.

Each model is an `AudioBranch` trained as the default model's is, on the fold's training speakers alone, for a
fixed number of steps. Without a plan for its frame encoder, the pretrained speaker encoder and the
functionals answer alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmser.data import Example
from mmser.evaluation.scores import metrics
from mmser.model import MmserConfig
from mmser.model.audio_mmser import AudioBranch
from mmser.training.acoustic_cache import Clip
from mmser.training.frame_stage import FrameStage
from mmser.training.loop import LoopConfig, fit
from mmser.training.view_stage import (
    CallBatch,
    Heard,
    branch_logits,
    call_batch,
    eval_batches,
    hear,
    view_stage,
)

# EmoBox's RAVDESS folds (Ma et al. 2024): actors that test. Fold 2 (04 10 12 14) is not at hand.
RAVDESS_FOLDS: dict[str, tuple[str, ...]] = {
    "1": ("01", "11", "20", "21"),
    "3": ("08", "09", "19", "23"),
    "4": ("03", "05", "07", "24"),
    "5": ("02", "15", "16", "18"),
    "6": ("06", "13", "17", "22"),
}
RAVDESS_LABELS = ("anger", "calm", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
EMODB_LABELS = ("anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness")
REFERENCES = 2  # neutral clips that a speaker's others are heard against, left out of the score


@dataclass(frozen=True)
class Fold:
    """What one fold's model says of its test speakers."""

    test: tuple[str, ...]
    scores: dict[str, Any]  # by row of the table: truth, guess and speaker of each clip


def run_fold(
    clips: Sequence[Clip],
    test: Sequence[str],
    labels: Sequence[str],
    start: Mapping[str, torch.Tensor],
    folder: Path,
    frames: LoopConfig | None,
    views: LoopConfig,
    seed: int,
) -> Fold:
    """Train on all speakers but `test`, and score these.

    Args:
        clips: of one corpus; every one with all its renderings.
        test: speakers, as in the examples.
        labels: classes.
        start: weights of the pretrained voice encoder.
        folder: for checkpoints.
        frames: how the frame encoder is trained; None = the functionals answer alone.
        views: how the views are trained.
        seed: of everything random.
    """
    parts = [c for c in clips if c.example.speaker not in test]
    held = [_natural(c) for c in clips if c.example.speaker in test]
    names = dict(enumerate(labels))
    torch.manual_seed(seed)
    config = MmserConfig(
        voice_size=256, functional_size=192, id2label=names, label2id={v: k for k, v in names.items()}
    )
    branch = AudioBranch(config)
    branch.load_state_dict(dict(start), strict=False)
    train = [replace(c, example=replace(c.example, split="train")) for c in parts]
    if frames is not None:
        stage = FrameStage(branch, train)
        fit(stage, frames, folder, seed=seed, about=[list(test)], cpu=True)
    view = view_stage(branch, train)
    fit(view, views, folder, seed=seed, about=[list(test), frames is not None], cpu=True)
    if frames is None:
        mute_frames(branch)
    branch.eval()
    heard = hear(branch, held)
    rows = {
        "no_reference": eval_batches(heard, 1, seed),
        "history": eval_batches(heard, 16, seed),
        "references": reference_batches(heard),
        "telephone": eval_batches(heard, 1, seed, phone=True),
    }
    return Fold(tuple(test), {name: _answers(branch, batches) for name, batches in rows.items()})


def mute_frames(branch: AudioBranch) -> None:
    """Let the functionals answer alone, at the strength at which they were trained."""
    with torch.no_grad():
        frames = branch.half_sizes[0]
        branch.emotion_head.weight[:, :frames] = 0
        branch.emotion_head.weight[:, frames:] *= 2
        branch.intensity_head.weight[:, :frames] = 0
        branch.intensity_head.weight[:, frames:] *= 2


def _natural(clip: Clip) -> Clip:
    """Return a clip with its natural speed alone, as a clip outside training has it."""
    middle = len(clip.clean) // 2
    example = replace(clip.example, split="test")
    return Clip(example, [clip.clean[middle]], [clip.phone[middle]])


def reference_batches(heard: Sequence[Heard]) -> list[CallBatch]:
    """Hear each speaker's clips against two neutral ones of the same speaker, which are left out."""
    batches = []
    for speaker in sorted({str(row.clip.example.speaker) for row in heard}):
        own = [row for row in heard if str(row.clip.example.speaker) == speaker]
        neutral = [i for i, row in enumerate(own) if row.clip.example.emotions == ("neutral",)][:REFERENCES]
        before = torch.zeros(len(own), len(own), dtype=torch.bool)
        before[:, neutral] = True
        before[neutral] = False
        batch = call_batch(own, [r.pooled[0, 0] for r in own], [r.functionals[0, 0] for r in own], before)
        batch.emotion[neutral] = 0  # not scored
        batches.append(batch)
    return batches


def _answers(branch: AudioBranch, batches: Sequence[CallBatch]) -> dict[str, Any]:
    truth: list[int] = []
    guess: list[int] = []
    speaker: list[str] = []
    with torch.inference_mode():
        for batch in batches:
            scored = batch.emotion.sum(1) > 0
            truth += batch.emotion[scored].argmax(1).tolist()
            guess += branch_logits(branch, batch)[0][scored].argmax(1).tolist()
            speaker += [name for name, kept in zip(batch.speakers, scored.tolist(), strict=True) if kept]
    return {"truth": truth, "guess": guess, "speaker": speaker}


def mean_uar(folds: Sequence[Mapping[str, Any]], row: str) -> float:
    """Return the mean UAR in percent over folds of one row of their scores."""
    scores = [fold["scores"][row] for fold in folds]
    return float(np.mean([metrics.uar(score["truth"], score["guess"]) for score in scores]))


def summarise(results: Sequence[Mapping[str, Any]], row: str) -> dict[str, Any]:
    """Return mean UAR over folds, and an interval over speakers, of one row of some folds' scores."""
    folds = [result["scores"] for result in results]
    truth = [t for f in folds for t in f[row]["truth"]]
    guess = [g for f in folds for g in f[row]["guess"]]
    speakers = [s for f in folds for s in f[row]["speaker"]]
    interval: Callable[..., tuple[float, float]] = metrics.group_interval
    if len(set(speakers)) >= 20:
        indices = (np.asarray(truth), np.asarray(guess))
        low, high = metrics.bootstrap_interval(
            lambda rows: metrics.uar(indices[0][rows], indices[1][rows]), speakers
        )
    else:
        low, high = interval(metrics.uar, truth, guess, speakers)
    return {"uar": mean_uar(results, row), "interval": [low, high], "n": len(truth)}


def of_corpus(examples: Sequence[Example], corpus: str) -> list[Example]:
    """Return the examples of one corpus, each marked for training, so that all renderings are computed."""
    return [replace(e, split="train") for e in examples if e.corpus == corpus]
