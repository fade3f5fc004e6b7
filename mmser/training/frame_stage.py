"""Stage 2a: the encoder of the sound's frames, on single clips.

The clips of a batch come from all corpora, speakers and emotions: the encoder learns fastest so, and no
history concerns it.
"""

import copy
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmser.evaluation.metrics import uar
from mmser.model.acoustics_mmser import N_MELS, NUM_FUNCTIONALS
from mmser.model.audio_mmser import AudioBranch, AudioFeatures
from mmser.model.speaker_mmser import no_history
from mmser.training.acoustic_cache import SPEEDS, Clip
from mmser.training.log import MetricsLog
from mmser.training.optimisation import (
    emotion_targets,
    intensity_loss,
    intensity_target,
    update_average,
    warm_cosine,
)

CROP = 256  # frames the encoder hears of one clip
BATCH = 32  # clips
PHONE_SHARE = 0.25  # of clips come over a telephone line
MAX_SHIFT = 2  # mel bands by which a clip moves up or down, as voices of other sizes do
MAX_BANDS = 8  # bands that are blanked at once
MIXUP = 0.2  # alpha of Zhang 2018; every other batch is mixed


@dataclass
class FrameBatch:
    """Crops of clips of one length with their targets."""

    log_mel: Tensor  # centred, (batch, CROP, 64)
    emotion: Tensor  # class distribution, (batch, classes)
    intensity: Tensor  # [0, 1], NaN where unlabelled, (batch,)


class FrameSampler:
    """Draws clips: corpus by the square root of its size, then an emotion, then a clip of it."""

    def __init__(self, clips: Sequence[Clip], seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        groups: dict[str, dict[str, list[Clip]]] = defaultdict(lambda: defaultdict(list))
        for clip in clips:
            groups[clip.example.corpus][clip.example.emotions[0]].append(clip)
        self.corpora = [list(by_emotion.values()) for by_emotion in groups.values()]
        weights = np.sqrt([sum(map(len, corpus)) for corpus in self.corpora])
        self.weights = weights / weights.sum()

    def batch(self, size: int = BATCH) -> FrameBatch:
        """Draw `size` clips, each in one of its renderings."""
        chosen, crops = [], []
        for corpus in self.rng.choice(len(self.corpora), size, p=self.weights):
            emotions = self.corpora[corpus]
            pool = emotions[self.rng.integers(len(emotions))]
            clip = pool[self.rng.integers(len(pool))]
            speed = SPEEDS[self.rng.integers(len(SPEEDS))]
            rendering = clip.rendering(phone=self.rng.random() < PHONE_SHARE, speed=speed)
            crop = self._spec_augment(self._shift(self._crop(rendering.log_mel.float())))
            chosen.append(clip)
            # Centred, as the encoder would: mixing must not bring in the other clip's mean.
            crops.append(crop - crop.mean(0))
        return FrameBatch(
            log_mel=torch.stack(crops),
            emotion=emotion_targets(chosen),
            intensity=torch.tensor([intensity_target(c) for c in chosen]),
        )

    def mixed(self, batch: FrameBatch) -> FrameBatch:
        """Mix each clip with a fainter other one, and their labels alike (mixup, Zhang 2018)."""
        mix = mixer(self.rng, len(batch.log_mel))
        return FrameBatch(mix(batch.log_mel), mix(batch.emotion), mix(batch.intensity))

    def _crop(self, log_mel: Tensor) -> Tensor:
        """Return `CROP` frames; a shorter clip starts again, since padding would have to be masked."""
        spare = len(log_mel) - CROP
        if spare < 0:
            return log_mel[torch.arange(CROP) % len(log_mel)]
        start = int(self.rng.integers(spare + 1))
        return log_mel[start : start + CROP]

    def _shift(self, log_mel: Tensor) -> Tensor:
        """Move the spectrum up or down, repeating the band at the edge."""
        shift = int(self.rng.integers(-MAX_SHIFT, MAX_SHIFT + 1))
        return log_mel[:, (torch.arange(N_MELS) - shift).clamp(0, N_MELS - 1)]

    def _spec_augment(self, log_mel: Tensor) -> Tensor:
        """Blank up to two bands and two stretches with the band's mean (Park 2019)."""
        log_mel = log_mel.clone()
        fill = log_mel.mean(0)
        for _ in range(2):
            width = int(self.rng.integers(0, MAX_BANDS + 1))
            low = int(self.rng.integers(0, N_MELS - MAX_BANDS))
            log_mel[:, low : low + width] = fill[low : low + width]
            span = int(self.rng.integers(0, max(1, len(log_mel) // 8)))
            at = int(self.rng.integers(0, len(log_mel) - span + 1))
            log_mel[at : at + span] = fill
        return log_mel


class Mixer:
    """Mixes the rows of several tensors in one way."""

    def __init__(self, share: float, other: Tensor) -> None:
        self.share, self.other = share, other

    def __call__(self, values: Tensor) -> Tensor:
        """Return the mixture, of the shape of `values`."""
        return self.share * values + (1 - self.share) * values[self.other]


def mixer(rng: np.random.Generator, size: int) -> Mixer:
    """Draw how much of each of `size` rows stays, at least half, and which row comes in."""
    share = float(rng.beta(MIXUP, MIXUP))
    return Mixer(max(share, 1 - share), torch.from_numpy(rng.permutation(size)))


def frame_answers(branch: AudioBranch, log_mel: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Return what the frames alone say of each clip: emotion logits and intensity logits."""
    present = torch.ones(len(lengths), dtype=torch.bool)
    nothing = torch.zeros(len(lengths), NUM_FUNCTIONALS)
    features: AudioFeatures = branch.encode(log_mel, lengths, nothing, present)
    view = branch.frames_only(branch.view(features, *no_history(features.vectors)))
    return branch.emotion_head(view), branch.intensity_head(view).squeeze(1)


def train_frames(
    branch: AudioBranch, clips: Sequence[Clip], folder: Path, *, steps: int, seed: int = 0
) -> None:
    """Train the encoder, its pooling and its half of the view in place; log and save as it goes."""
    torch.manual_seed(seed)
    train = [c for c in clips if c.example.split == "train"]
    held_out = [c for c in clips if c.example.split == "validation"]
    use_fast_layout(branch.encoder)
    optimizer = torch.optim.AdamW(branch.parameters(), lr=1.5e-3, weight_decay=0.02)
    schedule = warm_cosine(optimizer, steps)
    average, sampler = copy.deepcopy(branch), FrameSampler(train, seed)
    log = MetricsLog(folder / "frames.jsonl", steps)
    for step in range(steps):
        batch = sampler.batch()
        batch = sampler.mixed(batch) if step % 2 else batch
        branch.train()
        emotion, intensity = frame_answers(branch, batch.log_mel, torch.full((len(batch.log_mel),), CROP))
        loss = F.cross_entropy(emotion, batch.emotion, label_smoothing=0.1)
        loss = loss + 0.5 * intensity_loss(intensity, batch.intensity)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(branch.parameters(), 2.0)
        optimizer.step()
        schedule.step()
        update_average(average, branch, 0.995, step)
        log.step(loss=float(loss.detach()))
        if (step + 1) % 400 == 0 or step + 1 == steps:
            log.write(step=step + 1, uar=frame_uar(average, held_out))
            torch.save(average.state_dict(), folder / "frames.pt")
    branch.load_state_dict(average.state_dict())


def use_fast_layout(encoder: nn.Module) -> None:
    """Keep the weights of 2-D convolutions channels last, in which training runs a third faster on a CPU.

    NOTE torch 2.11 corrupts memory in that layout where a number of channels is no multiple of 8.
    """
    convolutions = [m for m in encoder.modules() if isinstance(m, nn.Conv2d)]
    if all(conv.out_channels % 8 == 0 for conv in convolutions):
        encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs lack it


def frame_uar(branch: AudioBranch, clips: Sequence[Clip]) -> float:
    """Return UAR in percent of what the frames alone say of whole clips."""
    branch.eval()
    truth, guess = [], []
    ordered = sorted(clips, key=lambda c: len(c.rendering().log_mel))  # little padding
    for start in range(0, len(ordered), 48):
        group = ordered[start : start + 48]
        mels = [c.rendering().log_mel.float() for c in group]
        with torch.inference_mode():
            logits, _ = frame_answers(
                branch,
                nn.utils.rnn.pad_sequence(mels, batch_first=True),
                torch.tensor([len(m) for m in mels]),
            )
        truth += emotion_targets(group).argmax(1).tolist()
        guess += logits.argmax(1).tolist()
    return round(uar(truth, guess), 2)
