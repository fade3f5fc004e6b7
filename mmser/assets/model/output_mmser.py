"""What the model returns: outputs as trained, and calibrated answers."""

from dataclasses import dataclass

from torch import Tensor
from transformers.utils.generic import ModelOutput

from .dialogue_mmser import DialogueState


@dataclass
class MmserOutput(ModelOutput):
    """Uncalibrated outputs, a row per utterance.

    `audio_logits` and `text_logits` come from the same weights with the other modality missing and
    without dialogue context; `has_previous` is False where `change_logits` mean nothing.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None  # (batch, classes)
    audio_logits: Tensor | None = None  # (batch, classes)
    text_logits: Tensor | None = None  # (batch, classes)
    intensity_logits: Tensor | None = None  # (batch,)
    change_logits: Tensor | None = None  # (batch,)
    direction_logits: Tensor | None = None  # (batch, directions)
    opposition: Tensor | None = (
        None  # P(words and voice oppose each other), 0 where either is missing, (batch,)
    )
    has_audio: Tensor | None = None  # (batch,)
    has_text: Tensor | None = None  # (batch,)
    has_previous: Tensor | None = None  # (batch,)
    state: DialogueState | None = None


@dataclass
class MmserPrediction(ModelOutput):
    """Calibrated answers, a row per utterance."""

    emotion: Tensor | None = None  # probabilities, (batch, classes)
    abstained: Tensor | None = (
        None  # no emotion is likely enough, or words and voice oppose each other, (batch,)
    )
    opposition: Tensor | None = None  # P(words and voice oppose each other), (batch,)
    intensity: Tensor | None = None  # [0, 1], (batch,)
    change: Tensor | None = None  # P(shift), (batch,)
    direction: Tensor | None = None  # probabilities over worse, better, lateral, (batch, 3)
    audio_only: Tensor | None = None  # (batch, classes)
    text_only: Tensor | None = None  # (batch, classes)
    has_audio: Tensor | None = None  # (batch,)
    has_text: Tensor | None = None  # (batch,)
    has_previous: Tensor | None = None  # (batch,)
    state: DialogueState | None = None
