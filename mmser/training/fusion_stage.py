"""The stage "fusion": fusion, context and change, on frozen encoders and their cached encodings."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from pydantic import ConfigDict, Field
from torch import Tensor, nn

from mmser.model import MmserModel
from mmser.model.losses_mmser import task_losses
from mmser.training.encodings import Words
from mmser.training.loop import LoopConfig, Rows
from mmser.training.pairs import Dialogues, PairMix, PairSampler, comment_rows, dialogue_rows, merge
from mmser.training.targets import label_counts
from mmser.training.text_stage import class_weights


def trainable(model: MmserModel) -> list[nn.Parameter]:
    """Return what this stage trains: everything after the encoders and their own heads."""
    parts: list[nn.Module] = [model.fusion, model.fusion_head, model.intensity_head, model.embed]
    parts += [model.context, model.context_head, model.change_head]
    return [p for part in parts for p in part.parameters()] + [model.audio_scale, model.text_scale]


def start_from_late_fusion(model: MmserModel, *, keep_context: bool = False) -> MmserModel:
    """Zero the heads that correct the sum of both modalities, so that training starts from the sum.

    With `keep_context` what was learned of dialogues by words alone stays.
    """
    heads = [model.fusion_head, model.intensity_head]
    if not keep_context:
        heads += [model.context_head, model.change_head.shift]
    with torch.no_grad():
        for head in heads:
            head.weight.zero_()
            head.bias.zero_()
    return model


class FusionTask(nn.Module):
    """The model after its encoders, with its losses."""

    def __init__(self, model: MmserModel, alone: float) -> None:
        super().__init__()
        self.model, self.alone = model, alone

    def train(self, mode: bool = True) -> "FusionTask":
        """Set the mode; what is frozen must speak as it will in use: its dropout stays off."""
        super().train(mode)
        self.model.audio.eval()
        self.model.text_encoder.eval()
        return self

    def forward(self, rows: Dialogues) -> dict[str, Tensor]:
        """Return the losses of some dialogues."""
        losses = task_losses(rows.run(self.model), *rows.targets())
        weights = {"audio": self.alone, "text": self.alone, "direction": 0.5}
        return {name: weights.get(name, 1.0) * loss for name, loss in losses.items()}


class FusionConfig(LoopConfig):
    """How fusion is trained; `batch_size` counts dialogues."""

    model_config = ConfigDict(extra="forbid")
    batch_size: int = Field(default=8, ge=1)
    pairs: PairMix = PairMix(0.35, 0.35, 0.1, 0.1, 0.1)
    longest: int = Field(default=6, ge=1)  # utterances of a made call
    alone: float = Field(default=0.3, ge=0)  # weight of the loss of each modality alone
    comments: int = Field(default=32, ge=1)  # single texts that stand for one dialogue


@dataclass
class FusionData:
    """Cached encodings of one split."""

    pairs: PairSampler
    dialogues: list[list[Words]]  # real ones, of words alone
    comments: list[Words]  # texts that stand alone


class FusionStage:
    """Made calls, real dialogues and single texts in turn."""

    name = "fusion"

    def __init__(
        self, model: MmserModel, train: FusionData, held_out: FusionData, config: FusionConfig
    ) -> None:
        self.data, self.config = train, config
        self.size = len(train.dialogues) + sum(map(len, train.pairs.words.values()))
        self.weights = (
            class_weights([w.example for d in train.dialogues for w in d]) if train.dialogues else None
        )
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        for parameter in trainable(model):
            parameter.requires_grad_(True)
        self.task = FusionTask(model, config.alone)
        rng = np.random.default_rng(1)
        self.checks = {
            "made": held_out.pairs.dialogues(rng, 150, config.longest),
            "dialogues": dialogue_rows(held_out.dialogues) if held_out.dialogues else Dialogues(),
            "comments": comment_rows(held_out.comments[:1000]),
        }

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return what is trained as one group."""
        return [{"params": trainable(self.task.model), "lr": learning_rate}]

    def draw(self, step: int, rng: np.random.Generator, size: int) -> Rows:
        """Draw one dialogue, or one handful of comments, a row."""
        data, kind = self.data, step % 5
        if kind in (1, 3) and data.dialogues:
            chosen = rng.choice(len(data.dialogues), size, replace=size > len(data.dialogues))
            return [dialogue_rows([data.dialogues[i]], self.weights, rng) for i in chosen]
        if kind == 4 and data.comments:
            chosen = rng.integers(len(data.comments), size=(size, self.config.comments))
            return [comment_rows([data.comments[i] for i in row]) for row in chosen]
        return [data.pairs.call(rng, int(rng.integers(1, self.config.longest + 1))) for _ in range(size)]

    def collate(self, rows: Rows) -> Dialogues:
        """Put the rows together."""
        return merge(rows)

    def counts(self, batch: Dialogues) -> dict[str, int]:
        """Return how many rows carry the label of each loss."""
        heard = torch.tensor([sound is not None for sound in batch.sounds])
        read = torch.tensor([text is not None and len(text.tokens) > 0 for text in batch.words])
        return label_counts(*batch.targets(), heard, read)

    def describe(self, rows: Rows) -> str:
        """Name the rows."""
        together = merge(rows)
        first = next((s.example.audio for s in together.sounds if s), None)
        return f"{len(together.kinds)} rows of {', '.join(sorted(set(together.kinds)))}, the first of {first}"

    def validate(self, task: nn.Module) -> dict[str, float]:
        """Return the losses on validation rows; their sum, negative, decides."""
        assert isinstance(task, FusionTask)
        found = {}
        with torch.inference_mode():
            for name, rows in self.checks.items():
                if rows.keys:
                    found[name] = float(torch.stack(list(task(rows).values())).sum())
        return found | {"score": -sum(found.values())}
