"""The tasks' losses, each over the rows that carry its label."""

import torch
from torch import Tensor
from torch.nn import functional as F

from .output_mmser import MmserOutput


def task_losses(
    output: MmserOutput,
    emotion: Tensor | None = None,
    intensity: Tensor | None = None,
    change: Tensor | None = None,
    direction: Tensor | None = None,
) -> dict[str, Tensor]:
    """Return each task's loss over the rows that carry its label; arguments as `forward`.

    "audio" and "text" are the emotion heard and read alone, over the rows that have that modality.
    """
    assert output.logits is not None and output.intensity_logits is not None
    assert output.audio_logits is not None and output.text_logits is not None
    assert output.change_logits is not None and output.direction_logits is not None
    assert output.has_previous is not None and output.has_audio is not None and output.has_text is not None
    # Never empty, and every part of the model has a gradient, if of zero, on every process.
    losses = {"emotion": output.logits.sum() * 0.0}
    if emotion is not None:
        labelled = emotion.sum(1) > 0
        for name, logits, known in (
            ("emotion", output.logits, labelled),
            ("audio", output.audio_logits, labelled & output.has_audio),
            ("text", output.text_logits, labelled & output.has_text),
        ):
            if known.any():
                losses[name] = -(emotion[known] * logits[known].log_softmax(-1)).sum(1).mean()
    if intensity is not None and (known := ~intensity.isnan()).any():
        losses["intensity"] = F.binary_cross_entropy_with_logits(
            output.intensity_logits[known], intensity[known]
        )
    if change is not None and (known := ~change.isnan() & output.has_previous).any():
        losses["change"] = F.binary_cross_entropy_with_logits(output.change_logits[known], change[known])
    if direction is not None and (known := (direction >= 0) & output.has_previous).any():
        losses["direction"] = F.cross_entropy(output.direction_logits[known], direction[known])
    return losses


def joint_loss(
    output: MmserOutput,
    emotion: Tensor | None,
    intensity: Tensor | None,
    change: Tensor | None,
    direction: Tensor | None,
) -> Tensor:
    """Sum the tasks' losses with the weights of the default model; arguments as `forward`."""
    losses = task_losses(output, emotion, intensity, change, direction)
    weights = {"audio": 0.0, "text": 0.0, "direction": 0.5}
    return torch.stack([weights.get(name, 1.0) * loss for name, loss in losses.items()]).sum()
