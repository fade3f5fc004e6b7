"""Made calls, real dialogues and single texts as rows of cached encodings with their targets.

No paired natural corpus is at hand. Pairs are made across corpora (a clip of one, a text of
another) in the proportions of `PairMix`, and put into made calls of one speaker each.
"""

import contextlib
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from mmser.labels import DIRECTIONS, EMOTIONS, ROLES, direction_of
from mmser.model import MmserModel
from mmser.model.audio_mmser import AudioBranch
from mmser.model.modeling_mmser import Encoded
from mmser.model.output_mmser import MmserOutput
from mmser.training.dialogues import Dialogue, Turn, labels_of, speakers_of
from mmser.training.encodings import Sound, Words, collate
from mmser.training.targets import example_intensity


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
        """Pass the rows through everything after the encoders, heard by one audio branch."""
        branch = next((s.branch for s in self.sounds if s and s.branch), model.audio)
        with heard_by(model, branch):
            return model.converse(
                self.encoded(model),
                torch.tensor(self.keys),
                torch.tensor(self.positions),
                torch.zeros(len(self.keys), dtype=torch.bool),
                None,
            )


@contextlib.contextmanager
def heard_by(model: MmserModel, branch: AudioBranch) -> Iterator[None]:
    """Let another audio branch hear for the model for a while."""
    own, model.audio = model.audio, branch
    try:
        yield
    finally:
        model.audio = own


def one_hot(emotion: str) -> list[float]:
    """Return the distribution that is certain of `emotion`."""
    return [float(label == emotion) for label in EMOTIONS]


def merge(parts: Sequence[Dialogues]) -> Dialogues:
    """Put dialogues one after the other and number them anew."""
    rows, number = Dialogues(), 0
    for part in parts:
        numbers = {old: number + new for new, old in enumerate(dict.fromkeys(key[0] for key in part.keys))}
        rows.keys += [(numbers[dialogue], speaker, role) for dialogue, speaker, role in part.keys]
        for name in ("sounds", "words", "positions", "emotion", "intensity", "change", "direction", "kinds"):
            getattr(rows, name).extend(getattr(part, name))
        number += len(numbers)
    return rows


def _choose(rng: np.random.Generator, names: Sequence[str]) -> str:
    return names[int(rng.integers(len(names)))]


class PairSampler:
    """Draws made calls from cached encodings of one split."""

    def __init__(
        self,
        sounds: Sequence[Sound],
        words: Sequence[Words],
        mix: PairMix,
        agent_turns: float = 0.0,
    ) -> None:
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

    def sounds(self) -> list[Sound]:
        """Return all clips."""
        return [sound for own in self.speakers.values() for clips in own.values() for sound in clips]

    def texts(self) -> list[Words]:
        """Return all texts of one emotion."""
        return [text for texts in self.words.values() for text in texts]

    def dialogues(self, rng: np.random.Generator, calls: int, count: int) -> Dialogues:
        """Draw `calls` calls of `count` utterances of one speaker."""
        return merge([self.call(rng, count) for _ in range(calls)])

    def call(self, rng: np.random.Generator, count: int) -> Dialogues:
        """Draw one call of `count` utterances of one speaker."""
        rows = Dialogues()
        own = self.speakers[self.names[rng.integers(len(self.names))]]
        # Each call has its own stability, from hardly any to a speaker who never changes.
        stay = min(1.0, rng.uniform(1 / len(EMOTIONS), 1.25))
        emotion = _choose(rng, sorted(own))
        # No clip is heard against itself while the speaker has others.
        unheard = {e: [clips[i] for i in rng.permutation(len(clips))] for e, clips in own.items()}
        before: str | None = None
        for position in range(count):
            if position and rng.random() > stay:
                emotion = _choose(rng, sorted(own))
            if self.agent_turns and rng.random() < self.agent_turns:
                self._add_agent(rng, rows, 2 * position)
            if not unheard[emotion]:
                unheard[emotion] = list(own[emotion])
            sound = unheard[emotion].pop()
            before = self._add(rng, rows, 2 * position + 1, sound, emotion, before)
        return rows

    def _text(self, rng: np.random.Generator, emotion: str) -> Words:
        pool = self.words[emotion]
        return pool[rng.integers(len(pool))]

    def _add(
        self,
        rng: np.random.Generator,
        rows: Dialogues,
        position: int,
        heard: Sound,
        emotion: str,
        before: str | None,
    ) -> str:
        """Append one utterance and return the emotion that later ones change from."""
        kind = ("matched", "neutral_words", "conflicting", "audio_only", "text_only")[
            int(rng.choice(5, p=self.mix.shares()))
        ]
        sound: Sound | None = None if kind == "text_only" else heard
        text: Words | None = None
        if kind != "audio_only":
            text = self._text(rng, "neutral" if kind == "neutral_words" else emotion)
        target = one_hot(emotion)
        if kind == "conflicting":
            other = _choose(rng, [e for e in EMOTIONS if e != emotion])
            text = self._text(rng, other)
            target = [(a + b) / 2 for a, b in zip(target, one_hot(other), strict=True)]
        intensity = math.nan if sound is None else example_intensity(sound.example)
        direction = direction_of(before, emotion) if before else None
        rows.sounds.append(sound)
        rows.words.append(text)
        rows.keys.append((0, 0, ROLES.index("customer")))
        rows.positions.append(position)
        rows.emotion.append(target)
        rows.intensity.append(intensity)
        # What a conflicting pair expresses is open, so a change to or from it is too.
        clear = bool(before) and kind != "conflicting"
        rows.change.append(float(before != emotion) if clear else math.nan)
        rows.direction.append(DIRECTIONS.index(direction) if direction and clear else -100)
        rows.kinds.append(kind)
        return "" if kind == "conflicting" else emotion

    def _add_agent(self, rng: np.random.Generator, rows: Dialogues, position: int) -> None:
        """Append a withheld turn as in use: words only, no label of any task."""
        rows.sounds.append(None)
        rows.words.append(self._text(rng, _choose(rng, sorted(self.words))))
        rows.keys.append((0, 1, ROLES.index("agent")))
        rows.positions.append(position)
        rows.emotion.append([0.0] * len(EMOTIONS))
        rows.intensity.append(math.nan)
        rows.change.append(math.nan)
        rows.direction.append(-100)
        rows.kinds.append("agent")


def whole_dialogues(words: Sequence[Words]) -> list[list[Words]]:
    """Group the utterances that belong to dialogues, in order."""
    groups: dict[str, list[Words]] = defaultdict(list)
    for text in words:
        if text.example.dialogue_id is not None:
            groups[text.example.dialogue_id].append(text)
    return [sorted(g, key=lambda w: w.example.turn_index or 0) for g in groups.values()]


def dialogue_rows(dialogues: Sequence[Sequence[Words]], rng: np.random.Generator | None = None) -> Dialogues:
    """Lay out dialogues of words, with the labels that `labels_of` finds in them.

    With `rng` (in training) each speaker plays a random role, since the corpora know none: roles are
    told apart in use and must not be untrained there. Without it all are unknown.

    Args:
        dialogues: turns in order.
        rng: of roles.
    """
    rows = Dialogues()
    for number, dialogue in enumerate(dialogues):
        examples = [text.example for text in dialogue]
        turns = tuple(Turn(position, 0) for position in range(len(examples)))
        speakers = speakers_of(examples, turns, made=False)
        labels = labels_of(examples, Dialogue(turns, made=False, seed=0))
        roles: dict[int, int] = {}
        for position, text in enumerate(dialogue):
            role = len(ROLES) - 1 if rng is None else int(rng.integers(len(ROLES)))
            rows.sounds.append(None)
            rows.words.append(text if len(text.tokens) else None)
            rows.keys.append((number, speakers[position], roles.setdefault(speakers[position], role)))
            rows.positions.append(position)
            rows.emotion.append(text.example.target())
            rows.intensity.append(math.nan)
            changed, direction = labels[position].changed, labels[position].direction
            rows.change.append(math.nan if changed is None else float(changed))
            rows.direction.append(-100 if direction is None else DIRECTIONS.index(direction))
            rows.kinds.append("dialogue")
    return rows


def comment_rows(words: Sequence[Words]) -> Dialogues:
    """Lay out texts that stand alone, each a dialogue of its own."""
    rows = Dialogues()
    for number, text in enumerate(words):
        rows.sounds.append(None)
        rows.words.append(text if len(text.tokens) else None)
        rows.keys.append((number, 0, len(ROLES) - 1))
        rows.positions.append(0)
        rows.emotion.append(text.example.target())
        rows.intensity.append(math.nan)
        rows.change.append(math.nan)
        rows.direction.append(-100)
        rows.kinds.append("comment")
    return rows
