"""The stage "frames": the encoder of the sound's frames, on single clips.

The clips of a batch come from all corpora, speakers and emotions: the encoder learns fastest so, and no
history concerns it.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmser.evaluation.scores.metrics import uar
from mmser.model.acoustics_mmser import N_MELS
from mmser.model.audio_mmser import AudioBranch, AudioFeatures
from mmser.model.speaker_mmser import no_history
from mmser.training.acoustic_cache import SPEEDS, Clip
from mmser.training.loop import Rows
from mmser.training.targets import emotion_targets, intensity_loss, intensity_target

CROP = 256  # frames the encoder hears of one clip
PHONE_SHARE = 0.25  # of clips come over a telephone line
MAX_SHIFT = 2  # mel bands by which a clip moves up or down, as voices of other sizes do
MAX_BANDS = 8  # bands that are blanked at once
MAX_SPAN = CROP // 8  # frames that are blanked at once
MIXUP = 0.2  # alpha of Zhang 2018; every other batch is mixed


@dataclass(frozen=True)
class FrameRow:
    """One clip as it will be heard; everything random about it is here."""

    clip: int
    phone: bool
    speed: float
    start: float  # of the crop, in what is left over, [0, 1)
    shift: int  # mel bands
    bands: tuple[tuple[int, int], ...]  # first band and width of each blanked stripe
    spans: tuple[tuple[float, int], ...]  # start, [0, 1), and frames of each blanked stretch
    other: "FrameRow | None" = None  # what is mixed in
    share: float = 1.0  # of this clip in the mixture


def corpus_weights(sizes: Sequence[int], power: float = 0.5) -> np.ndarray:
    """Return the chance of each corpus: its size to a power, 1 = as they are, 0 = all alike."""
    weights = np.asarray(sizes, float) ** power
    return np.asarray(weights / weights.sum())


def mix_share(rng: np.random.Generator) -> float:
    """Draw how much of a clip stays in a mixture, at least half (mixup, Zhang 2018)."""
    share = float(rng.beta(MIXUP, MIXUP))
    return max(share, 1 - share)


def render(row: FrameRow, clips: Sequence[Clip]) -> Tensor:
    """Return the crop of log-mel frames that a row asks for, centred, (CROP, 64)."""
    log_mel = clips[row.clip].rendering(phone=row.phone, speed=row.speed).log_mel.float()
    spare = len(log_mel) - CROP
    if spare < 0:  # a shorter clip starts again, since padding would have to be masked
        log_mel = log_mel[torch.arange(CROP) % len(log_mel)]
    else:
        start = int(row.start * (spare + 1))
        log_mel = log_mel[start : start + CROP]
    log_mel = log_mel[:, (torch.arange(N_MELS) - row.shift).clamp(0, N_MELS - 1)]
    fill = log_mel.mean(0)
    for low, width in row.bands:
        log_mel[:, low : low + width] = fill[low : low + width]
    for start_share, frames in row.spans:
        at = int(start_share * (CROP - frames + 1))
        log_mel[at : at + frames] = fill
    # Centred, as the encoder would: mixing must not bring in the other clip's mean.
    return log_mel - log_mel.mean(0)


class FrameTask(nn.Module):
    """The frames' half of an audio branch with its losses."""

    def __init__(self, branch: AudioBranch, smoothing: float) -> None:
        super().__init__()
        self.branch, self.smoothing = branch, smoothing

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the losses; `batch` as `FrameStage.collate` makes it."""
        emotion, intensity = frame_answers(self.branch, batch["log_mel"], batch["lengths"])
        return {
            "emotion": F.cross_entropy(emotion, batch["emotion"], label_smoothing=self.smoothing),
            "intensity": 0.5 * intensity_loss(intensity, batch["intensity"]),
        }


def frame_answers(branch: AudioBranch, log_mel: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Return what the frames alone say of each clip: emotion logits and intensity logits."""
    present = torch.ones_like(lengths, dtype=torch.bool)
    nothing = log_mel.new_zeros(len(lengths), branch.num_functionals)
    features: AudioFeatures = branch.encode(log_mel, lengths, nothing, present)
    view = branch.frames_only(branch.view(features, *no_history(features.vectors)))
    return branch.emotion_head(view), branch.intensity_head(view).squeeze(1)


class FrameStage:
    """Draws clips: corpus by a power of its size, then an emotion, then a clip of it."""

    name = "frames"

    def __init__(self, branch: AudioBranch, clips: Sequence[Clip], smoothing: float = 0.1) -> None:
        self.clips = [c for c in clips if c.example.split == "train"]
        self.held_out = [c for c in clips if c.example.split == "validation"]
        self.size = len(self.clips)
        groups: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for index, clip in enumerate(self.clips):
            groups[clip.example.corpus][clip.example.emotions[0]].append(index)
        self.corpora = [list(by_emotion.values()) for by_emotion in groups.values()]
        self.weights = corpus_weights([sum(map(len, corpus)) for corpus in self.corpora])
        use_fast_layout(branch.encoder)
        self.task = FrameTask(branch, smoothing)

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return all parameters as one group."""
        return [{"params": list(self.task.parameters()), "lr": learning_rate}]

    def draw(self, step: int, rng: np.random.Generator, size: int) -> Rows:
        """Draw clips, each in one of its renderings; those of every other step are mixed."""
        rows = [self._row(rng, int(corpus)) for corpus in rng.choice(len(self.corpora), size, p=self.weights)]
        if step % 2 == 0:
            return rows
        share, others = mix_share(rng), rng.permutation(size)
        return [replace(row, other=rows[o], share=share) for row, o in zip(rows, others, strict=True)]

    def _row(self, rng: np.random.Generator, corpus: int) -> FrameRow:
        emotions = self.corpora[corpus]
        pool = emotions[rng.integers(len(emotions))]
        return FrameRow(
            clip=pool[rng.integers(len(pool))],
            phone=bool(rng.random() < PHONE_SHARE),
            speed=SPEEDS[rng.integers(len(SPEEDS))],
            start=float(rng.random()),
            shift=int(rng.integers(-MAX_SHIFT, MAX_SHIFT + 1)),
            # Up to two bands and two stretches are blanked with the band's mean (Park 2019).
            bands=tuple(
                (int(rng.integers(0, N_MELS - MAX_BANDS)), int(rng.integers(0, MAX_BANDS + 1)))
                for _ in range(2)
            ),
            spans=tuple((float(rng.random()), int(rng.integers(0, MAX_SPAN))) for _ in range(2)),
        )

    def collate(self, rows: Rows) -> dict[str, Tensor]:
        """Return crops of one length with their targets."""
        crops = torch.stack([render(row, self.clips) for row in rows])
        emotion, intensity = self._targets(rows)
        mixed = [row for row in rows if row.other is not None]
        if mixed:
            share = torch.tensor([row.share for row in rows])
            others = [row.other for row in rows]
            crops = mix_rows(crops, torch.stack([render(row, self.clips) for row in others]), share)
            other_emotion, other_intensity = self._targets(others)
            emotion = mix_rows(emotion, other_emotion, share)
            intensity = mix_rows(intensity, other_intensity, share)
        lengths = torch.full((len(rows),), CROP)
        return {"log_mel": crops, "lengths": lengths, "emotion": emotion, "intensity": intensity}

    def _targets(self, rows: Rows) -> tuple[Tensor, Tensor]:
        clips = [self.clips[row.clip] for row in rows]
        return emotion_targets(clips, self.task.branch.labels), torch.tensor(
            [intensity_target(c) for c in clips]
        )

    def counts(self, batch: dict[str, Tensor]) -> dict[str, int]:
        """Return how many clips carry the label of each loss."""
        rated = int((~batch["intensity"].isnan()).sum())
        return {"emotion": len(batch["emotion"]), "intensity": rated}

    def describe(self, rows: Rows) -> str:
        """Name the clips."""
        return ", ".join(str(self.clips[row.clip].example.audio) for row in rows[:4])

    def validate(self, task: nn.Module) -> dict[str, float]:
        """Return UAR in percent on validation speakers."""
        assert isinstance(task, FrameTask)
        return {"score": frame_uar(task.branch, self.held_out)} if self.held_out else {}


def mix_rows(values: Tensor, others: Tensor, share: Tensor) -> Tensor:
    """Mix rows, each `share` of its own value, (batch,), with another's."""
    weight = share.view(-1, *[1] * (values.dim() - 1))
    return weight * values + (1 - weight) * others


def use_fast_layout(encoder: nn.Module) -> None:
    """Keep the weights of 2-D convolutions channels last, in which training runs faster on a CPU.

    NOTE torch 2.11 corrupts memory in that layout where a number of channels is no multiple of 8.
    """
    convolutions = [m for m in encoder.modules() if isinstance(m, nn.Conv2d)]
    if all(conv.out_channels % 8 == 0 for conv in convolutions):
        encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs lack it


def frame_uar(branch: AudioBranch, clips: Sequence[Clip]) -> float:
    """Return UAR in percent of what the frames alone say of whole clips."""
    branch.eval()
    device, truth, guess = next(branch.parameters()).device, [], []
    ordered = sorted(clips, key=lambda c: len(c.rendering().log_mel))  # little padding
    for start in range(0, len(ordered), 48):
        group = ordered[start : start + 48]
        mels = [c.rendering().log_mel.float() for c in group]
        with torch.inference_mode():
            logits, _ = frame_answers(
                branch,
                nn.utils.rnn.pad_sequence(mels, batch_first=True).to(device),
                torch.tensor([len(m) for m in mels], device=device),
            )
        truth += emotion_targets(group, branch.labels).argmax(1).tolist()
        guess += logits.argmax(1).tolist()
    return round(uar(truth, guess), 2)
