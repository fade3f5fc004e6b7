"""Stage 2b: how an utterance is heard, absolutely and against its speaker, on what the encoder made of it.

A batch holds several "calls": clips of one speaker in random order with a random mix of emotions,
so that each clip is heard against 0 to 15 earlier ones, and as a first turn. File order would teach
the sorting of names.
"""

import copy
import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmser.evaluation.metrics import uar
from mmser.model.acoustics_mmser import Acoustics
from mmser.model.audio_mmser import AudioBranch, AudioFeatures
from mmser.model.speaker_mmser import no_history, sums_before
from mmser.training.acoustic_cache import SPEEDS, Clip, gain_response
from mmser.training.frame_stage import mixer
from mmser.training.log import MetricsLog
from mmser.training.optimisation import (
    emotion_targets,
    intensity_loss,
    intensity_target,
    update_average,
    warm_cosine,
)

ROWS = 256  # clips of one batch
PHONE_SHARE = 0.3  # of calls come over a telephone line
VIEW_SPEEDS = (SPEEDS[0], 1.0, SPEEDS[-1])
FRAME_SHARES = np.linspace(0.2, 0.8, 13)  # of the frames' half in the answer, tried on validation


@dataclass
class Heard:
    """One clip: what the encoder made of each rendering, clean or by telephone and by speed."""

    clip: Clip
    pooled: Tensor  # (2, speeds, 2 * size)
    functionals: Tensor  # (2, speeds, functionals)


@dataclass
class CallBatch:
    """Clips of several made calls."""

    pooled: Tensor  # (batch, 2 * size)
    functionals: Tensor  # (batch, functionals)
    before: Tensor  # column j is an earlier clip of the same call as row i, (batch, batch)
    emotion: Tensor  # class distribution, (batch, classes)
    intensity: Tensor  # [0, 1], NaN where unlabelled, (batch,)

    def features(self, branch: AudioBranch) -> AudioFeatures:
        """Return what the branch relates to a speaker's history; the frames themselves are not needed."""
        nothing = self.pooled.new_zeros(len(self.pooled), 0)
        return AudioFeatures(
            frames=nothing.unsqueeze(2),
            mask=nothing.bool(),
            vectors=branch.compared(self.pooled, self.functionals),
            pooled=self.pooled,
        )


def hear(branch: AudioBranch, clips: Sequence[Clip]) -> list[Heard]:
    """Pass every clip's renderings through the trained encoder."""
    branch.eval()
    heard: dict[int, Heard] = {}
    order = sorted(range(len(clips)), key=lambda i: len(clips[i].rendering().log_mel))
    for start in range(0, len(order), 32):
        group = [clips[i] for i in order[start : start + 32]]
        speeds = VIEW_SPEEDS if len(group[0].clean) > 1 else (1.0,)
        lines = [[_pooled(branch, group, phone, speed) for speed in speeds] for phone in (False, True)]
        pooled = torch.stack([torch.stack(line) for line in lines])  # (2, speeds, group, 2 * size)
        for row, index in enumerate(order[start : start + 32]):
            renderings = [[group[row].rendering(phone=p, speed=s) for s in speeds] for p in (False, True)]
            functionals = torch.stack([torch.stack([r.functionals for r in line]) for line in renderings])
            heard[index] = Heard(group[row], pooled[:, :, row].clone(), functionals)
    return [heard[i] for i in range(len(clips))]


def _pooled(branch: AudioBranch, clips: Sequence[Clip], phone: bool, speed: float) -> Tensor:
    renderings = [c.rendering(phone=phone, speed=speed) for c in clips]
    mels = [r.log_mel.float() for r in renderings]
    with torch.inference_mode():
        features = branch.encode(
            nn.utils.rnn.pad_sequence(mels, batch_first=True),
            torch.tensor([len(m) for m in mels]),
            torch.stack([r.functionals for r in renderings]),
            torch.ones(len(clips), dtype=torch.bool),
        )
    return features.pooled.clone()


class CallSampler:
    """Draws made calls: corpus by the square root of its size, then a speaker, then a mix."""

    def __init__(self, heard: Sequence[Heard], seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.gain = gain_response(Acoustics())
        corpora: dict[str, dict[str, dict[str, list[Heard]]]] = {}
        for row in heard:
            example = row.clip.example
            speakers = corpora.setdefault(example.corpus, {})
            speakers.setdefault(str(example.speaker), defaultdict(list))[example.emotions[0]].append(row)
        self.corpora = [list(speakers.values()) for speakers in corpora.values()]
        sizes = [sum(len(rows) for s in speakers for rows in s.values()) for speakers in self.corpora]
        self.weights = np.sqrt(sizes) / np.sqrt(sizes).sum()

    def call(self, count: int) -> list[Heard]:
        """Draw `count` clips of one speaker in random order, with replacement."""
        speakers = self.corpora[self.rng.choice(len(self.corpora), p=self.weights)]
        by_emotion = speakers[self.rng.integers(len(speakers))]
        emotions = list(by_emotion)
        # From an even mix to a quarter of calls in one emotion throughout: who is angry from the first
        # word to the last must not become "normal" against himself.
        mix = self.rng.dirichlet(np.full(len(emotions), self.rng.choice([0.01, 0.3, 1.0, 3.0])))
        chosen: list[Heard] = []
        for emotion in self.rng.choice(len(emotions), count, p=mix):
            pool = by_emotion[emotions[emotion]]
            chosen.append(pool[self.rng.integers(len(pool))])
        return chosen

    def batch(self, calls: int, count: int) -> CallBatch:
        """Draw `calls` calls of `count` clips; each call has one line, one speed and one gain."""
        rows, pooled, functionals = [], [], []
        for _ in range(calls):
            line, gain = int(self.rng.random() < PHONE_SHARE), self.rng.normal(0, 1.2)
            chosen = self.call(count)
            speed = self.rng.integers(chosen[0].pooled.shape[1])
            for row in chosen:
                pooled.append(row.pooled[line, speed])
                level = gain + self.rng.normal(0, 0.1)
                functionals.append(row.functionals[line, speed] + self.gain * level)
            rows += chosen
        before = torch.block_diag(*[torch.ones(count, count).tril(-1)] * calls).bool()
        return call_batch(rows, pooled, functionals, before)

    def mixed(self, batch: CallBatch) -> CallBatch:
        """Mix each clip with a fainter other one, and their labels alike (mixup, Zhang 2018)."""
        mix = mixer(self.rng, len(batch.pooled))
        fields = ("pooled", "functionals", "emotion", "intensity")
        return dataclasses.replace(batch, **{name: mix(getattr(batch, name)) for name in fields})


def call_batch(
    rows: Sequence[Heard], pooled: Sequence[Tensor], functionals: Sequence[Tensor], before: Tensor
) -> CallBatch:
    """Stack clips in the order of their calls; arguments as the fields of `CallBatch`, a row per clip."""
    return CallBatch(
        pooled=torch.stack(list(pooled)),
        functionals=torch.stack(list(functionals)),
        before=before,
        emotion=emotion_targets([row.clip for row in rows]),
        intensity=torch.tensor([intensity_target(row.clip) for row in rows]),
    )


def view_loss(branch: AudioBranch, batch: CallBatch) -> Tensor:
    """Average the loss of each clip heard against its history and heard as a first turn.

    Each half of the view answers for itself: trained as one, the half that fits the training speakers
    better would be trusted more than it deserves with others.
    """
    features = batch.features(branch)
    losses = []
    for history in (sums_before(features.vectors, batch.before), no_history(features.vectors)):
        view = branch.view(features, *history)
        for half in (branch.frames_only(view), branch.functionals_only(view)):
            losses.append(F.cross_entropy(branch.emotion_head(half), batch.emotion, label_smoothing=0.1))
            losses.append(intensity_loss(branch.intensity_head(half).squeeze(1), batch.intensity))
    return torch.stack(losses).sum() / 2


def fit_functionals(branch: AudioBranch, clips: Sequence[Clip]) -> None:
    """Set the standardisation of the functionals from clean and telephone training clips."""
    values = torch.stack([r.functionals for c in clips for r in (*c.clean, *c.phone)])
    branch.functional_mean.copy_(values.mean(0))
    branch.functional_spread.copy_(values.std(0).clamp(min=1e-3))


def train_views(
    branch: AudioBranch, clips: Sequence[Clip], folder: Path, *, steps: int, seed: int = 0
) -> None:
    """Train all of the branch but the encoder and its pooling, in place; log as it goes."""
    torch.manual_seed(seed)
    train = hear(branch, [c for c in clips if c.example.split == "train"])
    held_out = hear(branch, [c for c in clips if c.example.split == "validation"])
    frozen = {*branch.encoder.parameters(), *branch.pool.parameters()}
    parameters = [p for p in branch.parameters() if p not in frozen]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.05)
    schedule = warm_cosine(optimizer, steps)
    average, sampler = copy.deepcopy(branch), CallSampler(train, seed)
    log = MetricsLog(folder / "views.jsonl", steps)
    for step in range(steps):
        count = (4, 8, 16)[step % 3]
        batch = sampler.batch(ROWS // count, count)
        branch.train()
        loss = view_loss(branch, sampler.mixed(batch) if step % 2 else batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        update_average(average, branch, 0.99, step)
        log.step(loss=float(loss.detach()))
        if (step + 1) % 500 == 0 or step + 1 == steps:
            log.write(step=step + 1, **validation_uar(average, held_out, seed))
    branch.load_state_dict(average.state_dict())
    share = weigh_halves(branch, eval_batches(held_out, 1, seed))
    log.write(frame_share=share, **validation_uar(branch, held_out, seed))


def weigh_halves(branch: AudioBranch, batches: Sequence[CallBatch]) -> float:
    """Scale the emotion head's halves to suit validation speakers best; return the frames' share."""
    truth = torch.cat([b.emotion.argmax(1) for b in batches])
    halves = []
    branch.eval()
    with torch.inference_mode():
        for batch in batches:
            features = batch.features(branch)
            view = branch.view(features, *no_history(features.vectors))
            both = (branch.frames_only(view), branch.functionals_only(view))
            halves.append(torch.stack([branch.emotion_head(half) for half in both]))
    frames, functionals = torch.cat(halves, 1)
    losses = [float(F.cross_entropy(w * frames + (1 - w) * functionals, truth)) for w in FRAME_SHARES]
    share = float(FRAME_SHARES[int(np.argmin(losses))])
    with torch.no_grad():
        scale = torch.tensor([2 * share, 2 * (1 - share)])
        branch.emotion_head.weight *= scale.repeat_interleave(torch.tensor(branch.half_sizes))
    return round(share, 2)


def eval_batches(heard: Sequence[Heard], size: int, seed: int, phone: bool = False) -> list[CallBatch]:
    """Put every clip once into a call of one speaker in random order, `size` clips at most.

    With `size` 1 no clip has a history.
    """
    rng = np.random.default_rng(seed)
    speakers: dict[str, list[Heard]] = defaultdict(list)
    for row in heard:
        speakers[str(row.clip.example.speaker)].append(row)
    batches = []
    for own in speakers.values():
        rows = [own[i] for i in rng.permutation(len(own))]
        lengths = [min(size, len(rows) - start) for start in range(0, len(rows), size)]
        before = torch.block_diag(*[torch.ones(n, n).tril(-1) for n in lengths]).bool()
        natural = [len(row.pooled[0]) // 2 for row in rows]
        pooled = [row.pooled[int(phone), i] for row, i in zip(rows, natural, strict=True)]
        functionals = [row.functionals[int(phone), i] for row, i in zip(rows, natural, strict=True)]
        batches.append(call_batch(rows, pooled, functionals, before))
    return batches


def branch_logits(branch: AudioBranch, batch: CallBatch) -> tuple[Tensor, Tensor]:
    """Return emotion logits, (batch, classes), and intensity logits, (batch,), as in use."""
    features = batch.features(branch)
    related = branch.relate(features, *sums_before(features.vectors, batch.before))
    return branch.emotion_head(related), branch.intensity_head(related).squeeze(1)


def validation_uar(branch: AudioBranch, heard: Sequence[Heard], seed: int) -> dict[str, float]:
    """Return UAR in percent on validation speakers, without a history and with up to 15 clips of it."""
    branch.eval()
    scores = {}
    for name, size, phone in (("uar", 1, False), ("uar_history", 16, False), ("uar_phone", 1, True)):
        truth, guess = [], []
        with torch.inference_mode():
            for batch in eval_batches(heard, size, seed, phone):
                truth += batch.emotion.argmax(1).tolist()
                guess += branch_logits(branch, batch)[0].argmax(1).tolist()
        scores[name] = round(uar(truth, guess), 2)
    return scores
