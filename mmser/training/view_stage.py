"""The stage "views": how an utterance is heard, absolutely and against its speaker.

A batch holds several "calls": clips of one speaker in random order with a random mix of emotions,
so that each clip is heard against 0 to 15 earlier ones, and as a first turn. File order would teach
the sorting of names.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmser.evaluation.scores.metrics import uar
from mmser.model.audio_mmser import AudioBranch, AudioFeatures
from mmser.model.speaker_mmser import no_history, sums_before
from mmser.training.acoustic_cache import SPEEDS, Clip, gain_response
from mmser.training.frame_stage import corpus_weights, mix_rows, mix_share
from mmser.training.loop import LoopConfig, Rows, fit
from mmser.training.targets import emotion_targets, intensity_loss, intensity_target

PHONE_SHARE = 0.3  # of calls come over a telephone line
REFERENCE_SHARE = 0.25  # of calls begin with two neutral clips, as where a user gives a reference
VIEW_SPEEDS = (SPEEDS[0], 1.0, SPEEDS[-1])
FRAME_SHARES = np.linspace(0.2, 0.8, 13)  # of the frames' half in the answer, tried on validation


@dataclass
class Heard:
    """One clip: what the encoder made of each rendering, clean or by telephone and by speed."""

    clip: Clip
    pooled: Tensor  # (2, speeds, 2 * size)
    functionals: Tensor  # (2, speeds, functionals)
    emotion: Tensor  # class distribution, (classes,)


@dataclass
class CallBatch:
    """Clips of several made calls."""

    pooled: Tensor  # (batch, 2 * size)
    functionals: Tensor  # (batch, functionals)
    before: Tensor  # column j is an earlier clip of the same call as row i, (batch, batch)
    emotion: Tensor  # class distribution, (batch, classes)
    intensity: Tensor  # [0, 1], NaN where unlabelled, (batch,)
    speakers: list[str]

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
        targets = emotion_targets(group, branch.labels)
        for row, index in enumerate(order[start : start + 32]):
            renderings = [[group[row].rendering(phone=p, speed=s) for s in speeds] for p in (False, True)]
            functionals = torch.stack([torch.stack([r.functionals for r in line]) for line in renderings])
            heard[index] = Heard(group[row], pooled[:, :, row].clone(), functionals, targets[row])
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


@dataclass(frozen=True)
class CallRow:
    """Clips of one speaker in order, as one line, speed and level play them."""

    clips: tuple[int, ...]
    phone: bool
    speed: int
    levels: tuple[float, ...]  # of each clip, in units of e in power
    other: "CallRow | None" = None  # what is mixed in, clip by clip
    share: float = 1.0  # of this call in the mixture


class CallSampler:
    """Draws made calls: corpus by the square root of its size, then a speaker, then a mix."""

    def __init__(self, heard: Sequence[Heard], phone_share: float = PHONE_SHARE) -> None:
        corpora: dict[str, dict[str, dict[str, list[int]]]] = {}
        for index, row in enumerate(heard):
            example = row.clip.example
            speakers = corpora.setdefault(example.corpus, {})
            speakers.setdefault(str(example.speaker), defaultdict(list))[example.emotions[0]].append(index)
        self.heard, self.phone_share = heard, phone_share
        self.corpora = [list(speakers.values()) for speakers in corpora.values()]
        sizes = [sum(len(rows) for s in speakers for rows in s.values()) for speakers in self.corpora]
        self.weights = corpus_weights(sizes)

    def call(self, rng: np.random.Generator, count: int) -> CallRow:
        """Draw `count` clips of one speaker in random order, with replacement."""
        speakers = self.corpora[rng.choice(len(self.corpora), p=self.weights)]
        by_emotion = speakers[rng.integers(len(speakers))]
        emotions = list(by_emotion)
        # From an even mix to a quarter of calls in one emotion throughout: who is angry from the first
        # word to the last must not become "normal" against himself.
        mix = rng.dirichlet(np.full(len(emotions), rng.choice([0.01, 0.3, 1.0, 3.0])))
        chosen: list[int] = []
        for emotion in rng.choice(len(emotions), count, p=mix):
            pool = by_emotion[emotions[emotion]]
            chosen.append(pool[rng.integers(len(pool))])
        neutral = by_emotion.get("neutral", [])
        if len(neutral) > 2 and rng.random() < REFERENCE_SHARE:
            chosen[:2] = [neutral[i] for i in rng.permutation(len(neutral))[:2]]
        gain = rng.normal(0, 1.2)
        return CallRow(
            clips=tuple(chosen),
            phone=bool(rng.random() < self.phone_share),
            speed=int(rng.integers(self.heard[chosen[0]].pooled.shape[1])),
            levels=tuple(float(gain + rng.normal(0, 0.1)) for _ in chosen),
        )


def call_batch(
    rows: Sequence[Heard], pooled: Sequence[Tensor], functionals: Sequence[Tensor], before: Tensor
) -> CallBatch:
    """Stack clips in the order of their calls; arguments as the fields of `CallBatch`, a row per clip."""
    return CallBatch(
        pooled=torch.stack(list(pooled)),
        functionals=torch.stack(list(functionals)),
        before=before,
        emotion=torch.stack([row.emotion for row in rows]),
        intensity=torch.tensor([intensity_target(row.clip) for row in rows]),
        speakers=[str(row.clip.example.speaker) for row in rows],
    )


class ViewTask(nn.Module):
    """All of an audio branch but its encoder, with its losses."""

    def __init__(self, branch: AudioBranch) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, batch: CallBatch) -> dict[str, Tensor]:
        """Average the loss of each clip heard against its history and heard as a first turn.

        Each half of the view answers for itself: trained as one, the half that fits the training speakers
        better would be trusted more than it deserves with others.
        """
        branch, features = self.branch, batch.features(self.branch)
        emotion, intensity = [], []
        for history in (sums_before(features.vectors, batch.before), no_history(features.vectors)):
            view = branch.view(features, *history)
            for half in (branch.frames_only(view), branch.functionals_only(view)):
                logits = branch.emotion_head(half)
                emotion.append(F.cross_entropy(logits, batch.emotion, label_smoothing=0.1))
                intensity.append(intensity_loss(branch.intensity_head(half).squeeze(1), batch.intensity))
        return {"emotion": torch.stack(emotion).sum() / 2, "intensity": torch.stack(intensity).sum() / 2}


class ViewStage:
    """Made calls of 4, 8 or 16 clips on what the trained encoder made of them."""

    def __init__(
        self,
        branch: AudioBranch,
        train: Sequence[Heard],
        held_out: Sequence[Heard],
        *,
        phone_share: float = PHONE_SHARE,
        mixup: bool = True,
        name: str = "views",
    ) -> None:
        self.name = name
        self.heard, self.held_out, self.mixup = train, held_out, mixup
        self.size, self.sampler = len(train), CallSampler(train, phone_share)
        self.gain = gain_response(branch)
        self.task = ViewTask(branch)

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return all parameters but those of the encoder and its pooling."""
        branch = self.task.branch
        frozen = {*branch.encoder.parameters(), *branch.pool.parameters()}
        return [{"params": [p for p in branch.parameters() if p not in frozen], "lr": learning_rate}]

    def draw(self, step: int, rng: np.random.Generator, size: int) -> Rows:
        """Draw calls of `size` clips in all; those of every other step are mixed."""
        count = (4, 8, 16)[step % 3]
        rows = [self.sampler.call(rng, count) for _ in range(max(1, size // count))]
        if step % 2 == 0 or not self.mixup:
            return rows
        share, others = mix_share(rng), [self.sampler.call(rng, count) for _ in rows]
        return [dataclasses.replace(r, other=o, share=share) for r, o in zip(rows, others, strict=True)]

    def collate(self, rows: Rows) -> CallBatch:
        """Return the clips of some calls of one length."""
        batch = self._batch(rows)
        if all(row.other is None for row in rows):
            return batch
        other = self._batch([row.other for row in rows])
        share = torch.tensor([row.share for row in rows for _ in row.clips])
        fields = ("pooled", "functionals", "emotion", "intensity")
        mixed: dict[str, Any] = {n: mix_rows(getattr(batch, n), getattr(other, n), share) for n in fields}
        return dataclasses.replace(batch, **mixed)

    def _batch(self, rows: Rows) -> CallBatch:
        chosen, pooled, functionals = [], [], []
        for row in rows:
            for index, level in zip(row.clips, row.levels, strict=True):
                heard = self.heard[index]
                chosen.append(heard)
                # A mixture's other call may hold clips of fewer renderings.
                speed = min(row.speed, heard.pooled.shape[1] - 1)
                pooled.append(heard.pooled[int(row.phone), speed])
                functionals.append(heard.functionals[int(row.phone), speed] + self.gain * level)
        before = torch.block_diag(*[torch.ones(len(r.clips), len(r.clips)).tril(-1) for r in rows]).bool()
        return call_batch(chosen, pooled, functionals, before)

    def counts(self, batch: CallBatch) -> dict[str, int]:
        """Return how many clips carry the label of each loss."""
        return {"emotion": len(batch.emotion), "intensity": int((~batch.intensity.isnan()).sum())}

    def describe(self, rows: Rows) -> str:
        """Name the clips."""
        return ", ".join(str(self.heard[row.clips[0]].clip.example.audio) for row in rows[:4])

    def validate(self, task: nn.Module) -> dict[str, float]:
        """Return UAR in percent on validation speakers, with and without a history and by telephone."""
        assert isinstance(task, ViewTask)
        if not self.held_out:
            return {}
        found = validation_uar(task.branch, self.held_out, 0)
        return found | {"score": found["uar"]}


def fit_functionals(branch: AudioBranch, clips: Sequence[Clip]) -> None:
    """Set the standardisation of the functionals from clean and telephone training clips."""
    values = torch.stack([r.functionals for c in clips for r in (*c.clean, *c.phone)])
    branch.functional_mean.copy_(values.mean(0))
    branch.functional_spread.copy_(values.std(0).clamp(min=1e-3))


def view_stage(branch: AudioBranch, clips: Sequence[Clip]) -> ViewStage:
    """Return the stage on what a branch's trained encoder makes of training and validation clips."""
    train, held_out = ([c for c in clips if c.example.split == split] for split in ("train", "validation"))
    fit_functionals(branch, train)
    return ViewStage(branch, hear(branch, train), hear(branch, held_out))


def train_views(
    branch: AudioBranch, clips: Sequence[Clip], folder: Path, config: LoopConfig, seed: int
) -> ViewStage:
    """Run the stage in place, weigh the halves on validation speakers, and return the stage."""
    stage = view_stage(branch, clips)
    fit(stage, config, folder, seed=seed, about=[stage.size], cpu=True)
    if stage.held_out:
        weigh_halves(branch, eval_batches(stage.held_out, 1, seed))
    return stage


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
