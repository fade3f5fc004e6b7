"""What the stages' loops share: the schedule, the moving average, the targets of a clip."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmser.labels import EMOTIONS
from mmser.training.acoustic_cache import Clip

NEUTRAL_INTENSITY = 0.1  # a convention: an unmarked voice is weak, not without a label


def warm_cosine(optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LambdaLR:
    """Warm up over a twentieth of the steps, then fall along a cosine to 0."""
    warm_up = max(1, steps // 20)
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min((s + 1) / warm_up, 0.5 + 0.5 * math.cos(math.pi * min(1, s / steps)))
    )


def update_average(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Keep an exponential moving average of the weights and buffers; it follows closely at first."""
    decay = min(decay, (step + 1) / (step + 10))
    with torch.no_grad():
        for kept, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
            if kept.dtype.is_floating_point:
                kept.lerp_(new, 1 - decay)


def intensity_target(clip: Clip) -> float:
    """Return the intensity label of a clip, NaN where its corpus has none."""
    if clip.example.emotions == ("neutral",):
        return NEUTRAL_INTENSITY
    return math.nan if clip.example.intensity is None else clip.example.intensity


def emotion_targets(clips: Sequence[Clip]) -> Tensor:
    """Return the emotion of each clip as a distribution, (clips, classes)."""
    return F.one_hot(
        torch.tensor([EMOTIONS.index(c.example.emotions[0]) for c in clips]), len(EMOTIONS)
    ).float()


def intensity_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the binary cross-entropy of the rows with a label; both (batch,), NaN = unlabelled."""
    known = ~targets.isnan()
    if not known.any():
        return logits.sum() * 0.0
    return F.binary_cross_entropy_with_logits(logits[known], targets[known])
