"""What a labelled clip is trained towards."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from mmser.data import Example
from mmser.labels import EMOTIONS
from mmser.training.acoustic_cache import Clip

NEUTRAL_INTENSITY = 0.1  # a convention: an unmarked voice is weak, not without a label


def example_intensity(example: Example) -> float:
    """Return the intensity label of an example in [0, 1], NaN where it has none."""
    if example.intensity is not None:
        return example.intensity
    return NEUTRAL_INTENSITY if example.emotions == ("neutral",) else math.nan


def intensity_target(clip: Clip) -> float:
    """Return the intensity label of a clip, NaN where its corpus has none."""
    return example_intensity(clip.example)


def emotion_targets(clips: Sequence[Clip], labels: Sequence[str] = EMOTIONS) -> Tensor:
    """Return the emotion of each clip as a distribution over `labels`, (clips, classes)."""
    return F.one_hot(torch.tensor([labels.index(c.example.emotions[0]) for c in clips]), len(labels)).float()


def intensity_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the binary cross-entropy of the rows with a label; both (batch,), NaN = unlabelled."""
    known = ~targets.isnan()
    if not known.any():
        return logits.sum() * 0.0
    return F.binary_cross_entropy_with_logits(logits[known], targets[known])


def label_counts(
    emotion: Tensor,
    intensity: Tensor,
    change: Tensor,
    direction: Tensor,
    has_audio: Tensor,
    has_text: Tensor,
) -> dict[str, int]:
    """Return how many rows carry the label of each loss of `task_losses`.

    Args:
        emotion: class distribution, all 0 = unlabelled, (batch, classes).
        intensity: NaN = unlabelled, (batch,).
        change: NaN = unlabelled, or no earlier turn of the speaker is in the batch, (batch,).
        direction: negative = likewise, (batch,).
        has_audio: (batch,).
        has_text: (batch,).
    """
    labelled = emotion.sum(1) > 0
    rows = {
        "emotion": labelled,
        "audio": labelled & has_audio,
        "text": labelled & has_text,
        "intensity": ~intensity.isnan(),
        "change": ~change.isnan(),
        "direction": direction >= 0,
    }
    return {name: int(known.sum()) for name, known in rows.items()}
