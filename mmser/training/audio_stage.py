"""Stage 2: the audio branch, trained on made histories of one speaker each.

A batch holds several "calls": clips of one speaker in random order with a random mix of emotions,
so that each clip is heard against 0 to 15 earlier ones. File order would teach the sorting of names.
"""

import copy
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmser.labels import EMOTIONS
from mmser.model.acoustics_mmser import Acoustics
from mmser.model.audio_mmser import AudioBranch
from mmser.model.configuration_mmser import MmserConfig
from mmser.model.speaker_mmser import sums_before
from mmser.training.acoustic_cache import Clip, Rendering, gain_response
from mmser.training.log import MetricsLog

CROP = 256  # frames the encoder hears of one clip in training
NEUTRAL_INTENSITY = 0.1  # a convention: an unmarked voice is weak, not without a label


@dataclass
class CallBatch:
    """Clips of several made calls: everything `AudioBranch.encode` and the losses need."""

    log_mel: Tensor  # (batch, frames, 64)
    lengths: Tensor  # (batch,)
    functionals: Tensor  # (batch, functionals)
    before: Tensor  # column j is an earlier clip of the same call as row i, (batch, batch)
    emotion: Tensor  # class index, (batch,)
    intensity: Tensor  # [0, 1], NaN where unlabelled, (batch,)


def intensity_target(clip: Clip) -> float:
    """Return the intensity label of a clip, NaN where its corpus has none."""
    if clip.example.emotions == ("neutral",):
        return NEUTRAL_INTENSITY
    return math.nan if clip.example.intensity is None else clip.example.intensity


class CallSampler:
    """Draws made calls: corpus by the square root of its size, then a speaker, then a mix."""

    def __init__(self, clips: Sequence[Clip], seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.gain = gain_response(Acoustics())
        corpora: dict[str, dict[str, dict[str, list[Clip]]]] = {}
        for clip in clips:
            speakers = corpora.setdefault(clip.example.corpus, {})
            by_emotion = speakers.setdefault(str(clip.example.speaker), defaultdict(list))
            by_emotion[clip.example.emotions[0]].append(clip)
        sizes = {
            c: sum(len(v) for s in speakers.values() for v in s.values()) for c, speakers in corpora.items()
        }
        self.corpora = [list(corpora[c].values()) for c in sizes]
        weights = np.sqrt(list(sizes.values()))
        self.weights = weights / weights.sum()

    def call(self, count: int) -> list[Clip]:
        """Draw `count` clips of one speaker in random order, with replacement."""
        speakers = self.corpora[self.rng.choice(len(self.corpora), p=self.weights)]
        by_emotion = speakers[self.rng.integers(len(speakers))]
        emotions = list(by_emotion)
        # From an even mix to a quarter of calls in one emotion throughout: who is angry from the first
        # word to the last must not become "normal" against himself.
        mix = self.rng.dirichlet(np.full(len(emotions), self.rng.choice([0.01, 0.3, 1.0, 3.0])))
        chosen: list[Clip] = []
        for emotion in self.rng.choice(len(emotions), count, p=mix):
            pool = by_emotion[emotions[emotion]]
            chosen.append(pool[self.rng.integers(len(pool))])
        return chosen

    def batch(self, calls: int, count: int) -> CallBatch:
        """Draw `calls` calls of `count` clips; each call has one line and one speed."""
        rows: list[tuple[Clip, Rendering, float]] = []
        for _ in range(calls):
            phone, gain = self.rng.random() < 0.3, self.rng.normal(0, 1.2)
            chosen = self.call(count)
            speed = self.rng.integers(len(chosen[0].clean))
            for clip in chosen:
                rendering = (clip.phone if phone else clip.clean)[speed]
                rows.append((clip, rendering, gain + self.rng.normal(0, 0.1)))
        before = torch.block_diag(*[torch.ones(count, count).tril(-1)] * calls).bool()
        mels = [self._spec_augment(self._crop(r.log_mel.float())) for _, r, _ in rows]
        return CallBatch(
            log_mel=nn.utils.rnn.pad_sequence(mels, batch_first=True),
            lengths=torch.tensor([len(m) for m in mels]),
            functionals=torch.stack([r.functionals + self.gain * g for _, r, g in rows]),
            before=before,
            emotion=torch.tensor([EMOTIONS.index(c.example.emotions[0]) for c, _, _ in rows]),
            intensity=torch.tensor([intensity_target(c) for c, _, _ in rows]),
        )

    def _crop(self, log_mel: Tensor) -> Tensor:
        spare = len(log_mel) - CROP
        start = int(self.rng.integers(spare + 1)) if spare > 0 else 0
        return log_mel[start : start + CROP]

    def _spec_augment(self, log_mel: Tensor) -> Tensor:
        """Blank up to two bands and two stretches with the band's mean (Park 2019)."""
        log_mel = log_mel.clone()
        fill = log_mel.mean(0)
        for _ in range(2):
            width, low = int(self.rng.integers(0, 9)), int(self.rng.integers(0, 56))
            log_mel[:, low : low + width] = fill[low : low + width]
            span = int(self.rng.integers(0, max(1, len(log_mel) // 8)))
            at = int(self.rng.integers(0, len(log_mel) - span + 1))
            log_mel[at : at + span] = fill
        return log_mel


def branch_logits(branch: AudioBranch, batch: CallBatch) -> tuple[Tensor, Tensor]:
    """Return emotion logits, (batch, classes), and intensity logits, (batch,)."""
    present = torch.ones(len(batch.lengths), dtype=torch.bool)
    features = branch.encode(batch.log_mel, batch.lengths, batch.functionals, present)
    related = branch.view(features, *sums_before(features.vectors, batch.before))
    return branch.emotion_head(related), branch.intensity_head(related).squeeze(1)


def view_loss(branch: AudioBranch, batch: CallBatch) -> Tensor:
    """Average the losses of each clip heard against its history and heard as a first turn."""
    present = torch.ones(len(batch.lengths), dtype=torch.bool)
    features = branch.encode(batch.log_mel, batch.lengths, batch.functionals, present)
    losses = []
    for before in (batch.before, torch.zeros_like(batch.before)):
        related = branch.view(features, *sums_before(features.vectors, before))
        emotion, intensity = branch.emotion_head(related), branch.intensity_head(related).squeeze(1)
        losses.append(audio_loss(emotion, intensity, batch))
    return torch.stack(losses).mean()


def audio_loss(emotion_logits: Tensor, intensity_logits: Tensor, batch: CallBatch) -> Tensor:
    """Cross-entropy with label smoothing, plus binary cross-entropy against the intensity level."""
    loss = F.cross_entropy(emotion_logits, batch.emotion, label_smoothing=0.05)
    known = ~batch.intensity.isnan()
    if known.any():
        loss = loss + F.binary_cross_entropy_with_logits(intensity_logits[known], batch.intensity[known])
    return loss


def fit_functionals(branch: AudioBranch, clips: Sequence[Clip]) -> None:
    """Set the standardisation of the functionals from clean and telephone training clips."""
    values = torch.stack([r.functionals for c in clips for r in (*c.clean, *c.phone)])
    branch.functional_mean.copy_(values.mean(0))
    branch.functional_spread.copy_(values.std(0).clamp(min=1e-3))


def train_audio(
    clips: Sequence[Clip],
    config: MmserConfig,
    folder: Path,
    *,
    steps: int,
    seed: int = 0,
    start: dict[str, Tensor] | None = None,
) -> AudioBranch:
    """Train on the clips of split "train"; log and keep `folder`/audio.pt every 200 steps.

    From scratch each clip is heard against its made history. From `start`, the weights of a first
    round, each is heard both so and as a first turn.

    Returns:
        The moving average of the weights.
    """
    torch.manual_seed(seed)
    train = [c for c in clips if c.example.split == "train"]
    held_out = [c for c in clips if c.example.split == "validation"]
    branch = AudioBranch(config)
    fit_functionals(branch, train)
    if start is not None:
        branch.load_state_dict(start)
    optimizer = torch.optim.AdamW(branch.parameters(), lr=1.5e-3, weight_decay=0.02)
    warm_up = max(1, steps // 20)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min((s + 1) / warm_up, 0.5 + 0.5 * math.cos(math.pi * min(1, s / steps)))
    )
    average = copy.deepcopy(branch)
    sampler = CallSampler(train, seed)
    log = MetricsLog(folder / "audio.jsonl", steps)
    for step in range(steps):
        count = (4, 8, 16)[step % 3]
        batch = sampler.batch(64 // count, count)
        branch.train()
        loss = audio_loss(*branch_logits(branch, batch), batch) if start is None else view_loss(branch, batch)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(branch.parameters(), 2.0)
        optimizer.step()
        schedule.step()
        _update_average(average, branch, min(0.997, (step + 1) / (step + 10)))
        log.step(loss=float(loss.detach()))
        if (step + 1) % 200 == 0 or step + 1 == steps:
            log.write(step=step + 1, **validation_uar(average, held_out, seed))
            torch.save(average.state_dict(), folder / "audio.pt")
    return average


def _update_average(average: AudioBranch, branch: AudioBranch, decay: float) -> None:
    """Keep an exponential moving average of the weights and buffers."""
    with torch.no_grad():
        for kept, new in zip(average.state_dict().values(), branch.state_dict().values(), strict=True):
            if kept.dtype.is_floating_point:
                kept.lerp_(new, 1 - decay)


def eval_batches(clips: Sequence[Clip], size: int, seed: int, phone: bool = False) -> list[CallBatch]:
    """Put every clip once into a call of one speaker in random order, `size` clips at most.

    With `size` 1 no clip has a history.
    """
    rng = np.random.default_rng(seed)
    speakers: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        speakers[str(clip.example.speaker)].append(clip)
    calls = []
    for own in speakers.values():
        order = rng.permutation(len(own))
        calls += [[own[i] for i in order[s : s + size]] for s in range(0, len(own), size)]
    batches, group = [], []
    for call in calls:
        group.append(call)
        if sum(map(len, group)) >= 32:
            batches.append(_eval_batch(group, phone))
            group = []
    return batches + ([_eval_batch(group, phone)] if group else [])


def _eval_batch(calls: Sequence[Sequence[Clip]], phone: bool) -> CallBatch:
    clips = [c for call in calls for c in call]
    renderings = [(c.phone if phone else c.clean)[0] for c in clips]
    mels = [r.log_mel.float() for r in renderings]
    return CallBatch(
        log_mel=nn.utils.rnn.pad_sequence(mels, batch_first=True),
        lengths=torch.tensor([len(m) for m in mels]),
        functionals=torch.stack([r.functionals for r in renderings]),
        before=torch.block_diag(*[torch.ones(len(c), len(c)).tril(-1) for c in calls]).bool(),
        emotion=torch.tensor([EMOTIONS.index(c.example.emotions[0]) for c in clips]),
        intensity=torch.tensor([intensity_target(c) for c in clips]),
    )


def validation_uar(branch: AudioBranch, clips: Sequence[Clip], seed: int) -> dict[str, float]:
    """Return UAR in percent on validation speakers, without a history and with up to 15 clips of it."""
    branch.eval()
    scores = {}
    for name, size, phone in (("uar", 1, False), ("uar_history", 16, False), ("uar_phone", 1, True)):
        hits: dict[int, list[bool]] = defaultdict(list)
        with torch.inference_mode():
            for batch in eval_batches(clips, size, seed, phone):
                predicted = branch_logits(branch, batch)[0].argmax(1)
                for truth, guess in zip(batch.emotion.tolist(), predicted.tolist(), strict=True):
                    hits[truth].append(truth == guess)
        scores[name] = round(100 * float(np.mean([np.mean(h) for h in hits.values()])), 2)
    return scores
