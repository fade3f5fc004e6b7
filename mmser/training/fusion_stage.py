"""The stage "fusion": fusion, context and change, on frozen encoders and their cached encodings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from pydantic import ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F

from mmser.labels import EMOTIONS
from mmser.model import MmserModel
from mmser.model.losses_mmser import task_losses
from mmser.model.speaker_mmser import no_history
from mmser.training.calibration import fit_temperature
from mmser.training.encodings import Sound, Words, collate
from mmser.training.loop import LoopConfig, Rows
from mmser.training.pairs import (
    Dialogues,
    PairMix,
    PairSampler,
    comment_rows,
    dialogue_rows,
    heard_by,
    merge,
)
from mmser.training.targets import label_counts

CALLS_OF_SPEAKER = 20  # of pairs made of a stranger, for validation: each counts the same
ALONE = ("audio", "text")  # losses of each modality alone
WEIGHTS = {"direction": 0.5}  # of losses; others count fully
FEW_FASTER = 20.0  # times the learning rate, for numbers that have a whole model's evidence each
# Times the learning rate, for what weighs voice against words: the text encoder knows its training texts
# better than others, so that trust learned from them in full is too much.
TRUST_SLOWER = 0.1


def trainable(model: MmserModel) -> list[nn.Parameter]:
    """Return what this stage trains: everything after the encoders and their own heads.

    The head by which earlier turns bear on an emotion stays as the stage "dialogues" left it: made calls have
    no talk, and learned here from dialogues it made their emotions worse on others (MELD, validation).
    """
    parts: list[nn.Module] = [model.fusion, model.fusion_head, model.trust_head, model.intensity_head]
    parts += [model.embed, model.context, model.change_head]
    return [p for part in parts for p in part.parameters()]


def start_from_late_fusion(model: MmserModel, *, keep_context: bool = False) -> MmserModel:
    """Zero the heads that correct what both modalities say, so that training starts from these alone.

    With `keep_context` what was learned of dialogues by words alone stays.
    """
    heads = [model.fusion_head, model.trust_head, model.intensity_head]
    if not keep_context:
        heads += [model.context_head, model.change_head.shift]
    with torch.no_grad():
        for head in heads:
            head.weight.zero_()
            head.bias.zero_()
    return model


class FusionTask(nn.Module):
    """The model after its encoders, with its losses."""

    def __init__(self, model: MmserModel) -> None:
        super().__init__()
        self.model = model

    def train(self, mode: bool = True) -> "FusionTask":
        """Set the mode; what is frozen must speak as it will in use: its dropout stays off."""
        super().train(mode)
        self.model.audio.eval()
        self.model.text_encoder.eval()
        return self

    def forward(self, rows: Dialogues) -> dict[str, Tensor]:
        """Return the losses of some dialogues."""
        losses = task_losses(rows.run(self.model), *rows.targets())
        # What a modality says alone is settled by the stages before.
        return {name: WEIGHTS.get(name, 1.0) * loss for name, loss in losses.items() if name not in ALONE}


class FusionConfig(LoopConfig):
    """How fusion is trained; `batch_size` counts dialogues."""

    model_config = ConfigDict(extra="forbid")
    batch_size: int = Field(default=8, ge=1)
    # Shares of the made pairs; they also say how far words are trusted before they are read.
    pairs: PairMix = PairMix(0.51, 0.16, 0.19, 0.09, 0.05)
    folds: int = Field(default=4, ge=0)  # of training speakers, each heard by a branch without them
    longest: int = Field(default=6, ge=1)  # utterances of a made call


def balance_modalities(
    model: MmserModel, strangers: Sequence[Sequence[Sound]], words: Sequence[Words]
) -> None:
    """Scale each modality's own logits to be calibrated on strangers, so that fusion starts in balance.

    The prior of the words is how often the classes occur among the texts. A milder one reads words better,
    but opposed words then win against the voice too often (tried by hand: matched pairs + 2, conflicts + 3).

    Args:
        model: changed in place.
        strangers: clips of speakers that what hears them has not trained on, in groups that one branch hears.
        words: texts of one emotion of the validation split.
    """
    found = [_sound_logits(model, group) for group in strangers]
    by_sound, heard = (torch.cat(column) for column in zip(*found, strict=True))
    encoded = collate(model, [None] * len(words), words)
    with torch.inference_mode():
        by_words = model.text_head(encoded.text_vector, torch.zeros(len(words)))
    read = torch.tensor([EMOTIONS.index(w.example.emotions[0]) for w in words])
    with torch.no_grad():
        for scale, logits, truth in (
            (model.audio_scale, by_sound / model.audio_scale, heard),
            (model.text_scale, by_words, read),
        ):
            scale.fill_(1 / fit_temperature(logits, F.one_hot(truth, logits.shape[1]).float()))
        share = torch.bincount(read, minlength=len(EMOTIONS)).clamp(min=1) / len(read)
        model.words_prior.copy_(share.log())


def _sound_logits(model: MmserModel, sounds: Sequence[Sound]) -> tuple[Tensor, Tensor]:
    """Return what the sound's own head says of clips without a history, (clips, classes), and the truth."""
    model.eval()
    with heard_by(model, sounds[0].branch or model.audio), torch.inference_mode():
        audio = collate(model, sounds, [None] * len(sounds)).audio
        view = model.audio.relate(audio, *no_history(audio.vectors))
        logits = model.audio_scale * model.audio.emotion_head(view)
    return logits, torch.tensor([EMOTIONS.index(s.example.emotions[0]) for s in sounds])


@dataclass
class FusionData:
    """Cached encodings of one split."""

    pairs: Sequence[PairSampler]  # one for each audio branch that hears them
    dialogues: list[list[Words]]  # real ones, of words alone
    comments: list[Words]  # texts that stand alone; those of validation calibrate


class FusionStage:
    """Made calls and real dialogues in turn."""

    name = "fusion"

    def __init__(
        self, model: MmserModel, train: FusionData, held_out: FusionData, config: FusionConfig
    ) -> None:
        self.data, self.config = train, config
        self.size = len(train.dialogues) + sum(map(len, train.pairs[0].words.values()))
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        for parameter in trainable(model):
            parameter.requires_grad_(True)
        self.task = FusionTask(model)
        pairs = held_out.pairs[0]
        # A few validation speakers may be easy; those that a fold left out are strangers as well.
        folds = train.pairs if len(train.pairs) > 1 else []
        strangers = [sampler.sounds() for sampler in (pairs, *folds)]
        single = [w for w in held_out.comments if len(w.example.emotions) == 1]
        if single:
            balance_modalities(model, strangers, single)
        with torch.no_grad():
            shares = torch.tensor(config.pairs.shares()[:3])
            model.trust_head.bias.copy_(shares.clamp(min=1e-3).log())
            # Made calls have no talk that could be told by their turns before.
            model.context_scale.zero_()
        rng = np.random.default_rng(1)
        self.checks = {
            "made": pairs.dialogues(rng, CALLS_OF_SPEAKER * len(pairs.names), config.longest),
            "dialogues": dialogue_rows(held_out.dialogues) if held_out.dialogues else Dialogues(),
            "comments": comment_rows(held_out.comments[:1000]),
        }
        # Fusion trains on these clips, though with other texts: they calibrate and choose no step.
        self.strangers = []
        for fold in folds:
            unheard = PairSampler(fold.sounds(), pairs.texts(), config.pairs)
            calls = unheard.dialogues(rng, CALLS_OF_SPEAKER * len(unheard.names), config.longest)
            self.strangers.append(calls)

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return what is trained; the few numbers by which change is told go undecayed."""
        model = self.task.model
        change, mixing = model.change_head, (model.fusion, model.fusion_head, model.trust_head)
        few = [change.rule_scale, change.rule_bias, change.since]
        trust = [p for part in mixing for p in part.parameters()]
        ids = {id(p) for p in [*few, *trust]}
        rest = [p for p in trainable(model) if id(p) not in ids]
        return [
            {"params": rest, "lr": learning_rate},
            {"params": trust, "lr": TRUST_SLOWER * learning_rate},
            {"params": few, "lr": FEW_FASTER * learning_rate, "weight_decay": 0.0},
        ]

    def draw(self, step: int, rng: np.random.Generator, size: int) -> Rows:
        """Draw real dialogues in two steps of five, made calls in the others."""
        data = self.data
        if step % 5 in (1, 3) and data.dialogues:
            chosen = rng.choice(len(data.dialogues), size, replace=size > len(data.dialogues))
            return [dialogue_rows([data.dialogues[i]], rng) for i in chosen]
        pairs = data.pairs[int(rng.integers(len(data.pairs)))]
        return [pairs.call(rng, int(rng.integers(1, self.config.longest + 1))) for _ in range(size)]

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
