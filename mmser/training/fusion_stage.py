"""Stage 3: fusion, context and change, on frozen encoders.

No paired natural corpus is at hand. Pairs are made across corpora (a clip of one, a text of
another) in the proportions of `PairMix`, and put into made calls of one speaker each; dialogue and
change are also learned from MELD's text. The card says so.
"""

import copy
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mmser.labels import DIRECTIONS, EMOTIONS, ROLES, direction_of
from mmser.model import MmserModel
from mmser.model.modeling_mmser import Encoded, joint_loss
from mmser.model.output_mmser import MmserOutput
from mmser.training.encodings import Sound, Words, collate
from mmser.training.log import MetricsLog
from mmser.training.optimisation import NEUTRAL_INTENSITY

NEUTRAL = EMOTIONS.index("neutral")


@dataclass(frozen=True)
class PairMix:
    """Shares of made pairs; they sum to 1."""

    matched: float  # words and voice of the same emotion
    neutral_words: float  # the usual case on calls
    conflicting: float  # any words, any voice: the target is shared between them
    audio_only: float
    text_only: float

    def __post_init__(self) -> None:
        if not math.isclose(sum(self.shares()), 1.0) or min(self.shares()) < 0:
            raise ValueError(f"the shares of pairs are {self.shares()}; they must be at least 0 and sum to 1")

    def shares(self) -> list[float]:
        """Return the shares in the order of the fields."""
        return [self.matched, self.neutral_words, self.conflicting, self.audio_only, self.text_only]


@dataclass
class Dialogues:
    """Flat rows of several dialogues with their targets; NaN, zeros or -100 = unlabelled."""

    sounds: list[Sound | None] = field(default_factory=list)
    words: list[Words | None] = field(default_factory=list)
    keys: list[tuple[int, int, int]] = field(default_factory=list)  # dialogue, speaker, role
    positions: list[int] = field(default_factory=list)
    emotion: list[list[float]] = field(default_factory=list)
    intensity: list[float] = field(default_factory=list)
    change: list[float] = field(default_factory=list)
    direction: list[int] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)  # which pair each row is

    def encoded(self, model: MmserModel) -> Encoded:
        """Return the stacked encodings."""
        return collate(model, self.sounds, self.words)

    def targets(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return emotion (rows, classes), intensity, change and direction (rows,)."""
        return (
            torch.tensor(self.emotion),
            torch.tensor(self.intensity),
            torch.tensor(self.change),
            torch.tensor(self.direction),
        )

    def run(self, model: MmserModel) -> MmserOutput:
        """Pass the rows through everything after the encoders."""
        return model.converse(
            self.encoded(model),
            torch.tensor(self.keys),
            torch.tensor(self.positions),
            torch.zeros(len(self.keys), dtype=torch.bool),
            None,
        )


def one_hot(emotion: str) -> list[float]:
    """Return the distribution that is certain of `emotion`."""
    return [float(label == emotion) for label in EMOTIONS]


class PairSampler:
    """Draws made calls from cached encodings of one split."""

    def __init__(
        self,
        sounds: Sequence[Sound],
        words: Sequence[Words],
        mix: PairMix,
        seed: int,
        agent_turns: float = 0.0,
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.agent_turns = agent_turns  # chance that words of an agent, unlabelled, come in between
        self.mix = mix
        self.speakers: dict[str, dict[str, list[Sound]]] = {}
        for sound in sounds:
            own = self.speakers.setdefault(str(sound.example.speaker), defaultdict(list))
            own[sound.example.emotions[0]].append(sound)
        self.names = sorted(self.speakers)
        self.words: dict[str, list[Words]] = defaultdict(list)
        for text in words:
            if len(text.example.emotions) == 1:
                self.words[text.example.emotions[0]].append(text)

    def dialogues(self, calls: int, count: int) -> Dialogues:
        """Draw `calls` calls of `count` utterances of one speaker."""
        rows = Dialogues()
        for call in range(calls):
            own = self.speakers[self.names[self.rng.integers(len(self.names))]]
            # Each call has its own stability, from hardly any to a speaker who never changes.
            stay = min(1.0, self.rng.uniform(1 / len(EMOTIONS), 1.25))
            emotion = self._draw(sorted(own))
            # No clip is heard against itself while the speaker has others.
            unheard = {e: [clips[i] for i in self.rng.permutation(len(clips))] for e, clips in own.items()}
            before: str | None = None
            for position in range(count):
                if position and self.rng.random() > stay:
                    emotion = self._draw(sorted(own))
                if self.agent_turns and self.rng.random() < self.agent_turns:
                    self._add_agent(rows, call, 2 * position)
                if not unheard[emotion]:
                    unheard[emotion] = list(own[emotion])
                sound = unheard[emotion].pop()
                before = self._add(rows, call, 2 * position + 1, sound, emotion, before)
        return rows

    def _draw(self, names: list[str]) -> str:
        return names[int(self.rng.integers(len(names)))]

    def _text(self, emotion: str) -> Words:
        pool = self.words[emotion]
        return pool[self.rng.integers(len(pool))]

    def _add(
        self,
        rows: Dialogues,
        call: int,
        position: int,
        heard: Sound,
        emotion: str,
        before: str | None,
    ) -> str:
        """Append one utterance and return the emotion that later ones change from."""
        kind = ("matched", "neutral_words", "conflicting", "audio_only", "text_only")[
            int(self.rng.choice(5, p=self.mix.shares()))
        ]
        sound: Sound | None = None if kind == "text_only" else heard
        text: Words | None = None
        if kind != "audio_only":
            text = self._text("neutral" if kind == "neutral_words" else emotion)
        target = one_hot(emotion)
        if kind == "conflicting":
            other = self._draw([e for e in EMOTIONS if e != emotion])
            text = self._text(other)
            target = [(a + b) / 2 for a, b in zip(target, one_hot(other), strict=True)]
        intensity = math.nan
        if sound is not None:
            known = sound.example.intensity
            intensity = NEUTRAL_INTENSITY if emotion == "neutral" else (math.nan if known is None else known)
        direction = direction_of(before, emotion) if before else None
        rows.sounds.append(sound)
        rows.words.append(text)
        rows.keys.append((call, 0, ROLES.index("customer")))
        rows.positions.append(position)
        rows.emotion.append(target)
        rows.intensity.append(intensity)
        # What a conflicting pair expresses is open, so a change to or from it is too.
        clear = bool(before) and kind != "conflicting"
        rows.change.append(float(before != emotion) if clear else math.nan)
        rows.direction.append(DIRECTIONS.index(direction) if direction and clear else -100)
        rows.kinds.append(kind)
        return "" if kind == "conflicting" else emotion

    def _add_agent(self, rows: Dialogues, call: int, position: int) -> None:
        """Append a withheld turn as in use: words only, no label of any task."""
        rows.sounds.append(None)
        rows.words.append(self._text(self._draw(sorted(self.words))))
        rows.keys.append((call, 1, ROLES.index("agent")))
        rows.positions.append(position)
        rows.emotion.append([0.0] * len(EMOTIONS))
        rows.intensity.append(math.nan)
        rows.change.append(math.nan)
        rows.direction.append(-100)
        rows.kinds.append("agent")


def meld_dialogues(words: Sequence[Words]) -> list[list[Words]]:
    """Group MELD's utterances into dialogues in order."""
    groups: dict[str, list[Words]] = defaultdict(list)
    for text in words:
        if text.example.dialogue_id is not None:
            groups[text.example.dialogue_id].append(text)
    return [sorted(g, key=lambda w: w.example.turn_index or 0) for g in groups.values()]


def meld_batch(
    dialogues: Sequence[Sequence[Words]],
    weights: Tensor | None = None,
    rng: np.random.Generator | None = None,
) -> Dialogues:
    """Lay out dialogues; change against the same speaker's previous turn, direction by sentiment.

    With `rng` (in training) each speaker plays a random role, since the corpus knows none: roles are
    told apart in use and must not be untrained there. Without it all are unknown.
    """
    rows = Dialogues()
    for number, dialogue in enumerate(dialogues):
        speakers: dict[str, int] = {}
        roles: dict[str, int] = {}
        last: dict[str, Words] = {}
        for position, text in enumerate(dialogue):
            example, name = text.example, str(text.example.speaker)
            emotion = example.emotions[0]
            before = last.get(name)
            rows.sounds.append(None)
            rows.words.append(text if len(text.tokens) else None)
            role = roles.setdefault(name, len(ROLES) - 1 if rng is None else int(rng.integers(len(ROLES))))
            rows.keys.append((number, speakers.setdefault(name, len(speakers)), role))
            rows.positions.append(position)
            scale = 1.0 if weights is None else float(weights[EMOTIONS.index(emotion)])
            rows.emotion.append([scale * p for p in one_hot(emotion)])
            rows.intensity.append(math.nan)
            shift = before is not None and before.example.emotions[0] != emotion
            rows.change.append(math.nan if before is None else float(shift))
            rows.direction.append(_sentiment_direction(before, text) if shift and before else -100)
            rows.kinds.append("meld")
            last[name] = text
    return rows


def _sentiment_direction(before: Words, now: Words) -> int:
    old, new = before.example.valence, now.example.valence
    assert old is not None and new is not None
    return DIRECTIONS.index("lateral" if new == old else ("better" if new > old else "worse"))


def trainable(model: MmserModel) -> list[nn.Parameter]:
    """Return what this stage trains: everything after the encoders and their own heads."""
    parts = (
        model.fusion,
        model.fusion_head,
        model.intensity_head,
        model.embed,
        model.context,
        model.context_head,
        model.change_head,
    )
    return [p for part in parts for p in part.parameters()] + [model.audio_scale, model.text_scale]


def start_from_late_fusion(model: MmserModel) -> None:
    """Zero the heads that correct the sum of both modalities, so that training starts from the sum."""
    with torch.no_grad():
        for head in (model.fusion_head, model.context_head, model.intensity_head, model.change_head.shift):
            head.weight.zero_()
            head.bias.zero_()


def train_fusion(
    model: MmserModel,
    made: PairSampler,
    made_validation: Dialogues,
    meld: Sequence[Sequence[Words]],
    meld_validation: Dialogues,
    meld_weights: Tensor,
    folder: Path,
    *,
    steps: int,
    seed: int = 0,
) -> None:
    """Train in place; the weights of the best validation step are kept."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    start_from_late_fusion(model)
    parameters = trainable(model)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimizer = torch.optim.AdamW(parameters, lr=5e-4, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min((s + 1) / 50, 0.5 + 0.5 * math.cos(math.pi * min(1, s / steps)))
    )
    log = MetricsLog(folder / "fusion.jsonl", steps)
    best, kept = math.inf, copy.deepcopy(model.state_dict())
    for step in range(steps):
        if step % 2:
            chosen = rng.choice(len(meld), 8, replace=False)
            rows = meld_batch([meld[i] for i in chosen], meld_weights, rng)
        else:
            rows = made.dialogues(8, 6)
        model.train()
        # What is frozen must speak as it will in use: its dropout stays off.
        model.audio.eval()
        loss = joint_loss(rows.run(model), *rows.targets())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        log.step(loss=float(loss.detach()))
        if (step + 1) % 100 == 0 or step + 1 == steps:
            made_loss, meld_loss = (_loss(model, d) for d in (made_validation, meld_validation))
            log.write(step=step + 1, made_validation=made_loss, meld_validation=meld_loss)
            if made_loss + meld_loss < best:
                best, kept = made_loss + meld_loss, copy.deepcopy(model.state_dict())
    model.load_state_dict(kept)
    model.eval()


def _loss(model: MmserModel, rows: Dialogues) -> float:
    model.eval()
    with torch.inference_mode():
        return round(float(joint_loss(rows.run(model), *rows.targets())), 4)
