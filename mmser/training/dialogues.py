"""Labelled rows → dialogues to train on: real ones, and made calls of one speaker's clips."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmser.data import Example
from mmser.errors import UsageError
from mmser.labels import ROLES, direction_of


@dataclass(frozen=True)
class Turn:
    """One row of a dialogue as it will be heard."""

    row: int  # of the training examples
    seed: int  # of its augmentation
    other: int | None = None  # row of the clip that is mixed in
    share: float = 1.0  # of this clip in the mixture


@dataclass(frozen=True)
class Dialogue:
    """Turns in order; `made` = clips of one speaker put together, so each changes from the one before."""

    turns: tuple[Turn, ...]
    made: bool
    seed: int  # of what is the same throughout the call: the line, the room


@dataclass(frozen=True)
class Piece:
    """Turns of a dialogue that are computed at once; who speaks and what changed come from all of it."""

    dialogue: Dialogue
    first: int
    last: int  # exclusive

    @classmethod
    def whole(cls, dialogue: Dialogue) -> "Piece":
        """Return all of a dialogue."""
        return cls(dialogue, 0, len(dialogue.turns))


@dataclass(frozen=True)
class Labels:
    """What a turn is trained towards; None = not known."""

    emotions: tuple[str, ...]
    changed: bool | None
    direction: str | None  # worse, better, lateral


def bounded_batches(dialogues: Sequence[Dialogue], most: int) -> Iterator[list[Piece]]:
    """Yield batches of at most `most` turns: whole dialogues, or the next piece of one that is longer.

    The pieces of a long dialogue follow each other, each alone in its batch.
    """
    batch: list[Piece] = []
    count = 0
    for dialogue in dialogues:
        turns = len(dialogue.turns)
        if batch and count + turns > most:
            yield batch
            batch, count = [], 0
        if turns > most:
            for first in range(0, turns, most):
                yield [Piece(dialogue, first, min(first + most, turns))]
        else:
            batch.append(Piece.whole(dialogue))
            count += turns
    if batch:
        yield batch


def validation_dialogues(examples: Sequence[Example]) -> list[Dialogue]:
    """Return every row once: dialogues as they were, in order, and single rows as dialogues of one turn."""
    groups: dict[str, list[int]] = {}
    for row, example in enumerate(examples):
        groups.setdefault(example.dialogue_id or f"row {row}", []).append(row)
    return [
        Dialogue(tuple(Turn(r, 0) for r in sorted(g, key=lambda r: examples[r].turn_index or 0)), False, 0)
        for g in groups.values()
    ]


def speakers_of(examples: Sequence[Example], turns: Sequence[Turn], made: bool) -> list[int]:
    """Number the speakers of a dialogue in order of appearance."""
    if made:
        return [0] * len(turns)
    # Who is not named is nobody's earlier self.
    names = [examples[t.row].speaker or position for position, t in enumerate(turns)]
    numbers: dict[str | int, int] = {}
    return [numbers.setdefault(name, len(numbers)) for name in names]


def roles_of(examples: Sequence[Example], dialogue: Dialogue, *, random: bool) -> list[str]:
    """Return each turn's role, "unknown" where the corpus knows none.

    With `random` (in training) a speaker without a role plays one by chance: roles are told apart in use
    and must not be untrained there.
    """
    rng = np.random.default_rng(dialogue.seed)
    played: dict[int, str] = {}
    found = []
    speakers = speakers_of(examples, dialogue.turns, dialogue.made)
    for turn, speaker in zip(dialogue.turns, speakers, strict=True):
        role = ROLES[int(rng.integers(len(ROLES)))] if random else "unknown"
        found.append(examples[turn.row].role or played.setdefault(speaker, role))
    return found


def labels_of(examples: Sequence[Example], dialogue: Dialogue) -> list[Labels]:
    """Return each turn's labels; change is the corpus's own, or against the same speaker's turn before.

    Nothing is known of a change where that turn is not in the dialogue, as at the beginning of a stretch,
    or where either turn is a mixture.
    """
    found: list[Labels] = []
    last: dict[int, Turn] = {}
    speakers = speakers_of(examples, dialogue.turns, dialogue.made)
    for turn, speaker in zip(dialogue.turns, speakers, strict=True):
        example, before = examples[turn.row], last.get(speaker)
        last[speaker] = turn
        if before is None or before.other is not None or turn.other is not None:
            found.append(Labels(example.emotions, None, None))
        elif not dialogue.made and example.change is not None:
            named = example.change if example.change not in ("none", "shift") else None
            found.append(Labels(example.emotions, example.change != "none", named))
        else:
            found.append(_against(examples[before.row], example))
    return found


def _against(before: Example, now: Example) -> Labels:
    """Compare two turns of one speaker that both carry a single label."""
    if len(before.emotions) != 1 or len(now.emotions) != 1:
        return Labels(now.emotions, None, None)
    old, new = before.emotions[0], now.emotions[0]
    if old == new:
        return Labels(now.emotions, False, None)
    direction = direction_of(old, new)
    if before.valence is not None and now.valence is not None:
        rise = now.valence - before.valence
        direction = "lateral" if rise == 0 else ("better" if rise > 0 else "worse")
    return Labels(now.emotions, True, direction)


class DialogueSampler:
    """Draws dialogues: corpus by a power of its size, then class-balanced clips or whole stretches.

    Args:
        examples: training rows.
        temperature: corpora are drawn by size ** (1 / temperature); 1 = as they are.
        shares: of corpora that were given one instead; see `corpus_shares`.
        longest: most turns of a dialogue; longer ones are cut at a random place.
        balance: whether the emotions of single clips are drawn alike.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        *,
        temperature: float,
        shares: dict[str, float],
        longest: int,
        balance: bool,
    ) -> None:
        self.examples, self.longest, self.balance = examples, longest, balance
        rows: dict[str, list[int]] = defaultdict(list)
        for index, example in enumerate(examples):
            rows[example.corpus].append(index)
        self.names = sorted(rows)
        sizes = [len(rows[name]) for name in self.names]
        self.weights = corpus_shares(dict(zip(self.names, sizes, strict=True)), temperature, shares)
        self.spoken = [_dialogues(examples, rows[name]) for name in self.names]
        self.single = [_by_emotion(examples, rows[name]) for name in self.names]
        self.of_speaker: dict[str, list[int]] = defaultdict(list)
        for index, example in enumerate(examples):
            if example.speaker is not None and example.dialogue_id is None:
                self.of_speaker[example.speaker].append(index)

    def draw(self, rng: np.random.Generator) -> Dialogue:
        """Draw one: a stretch of a dialogue, or a made call, as often as the corpus holds rows of each."""
        corpus = int(rng.choice(len(self.names), p=self.weights))
        spoken, single = self.spoken[corpus], self.single[corpus]
        in_dialogues = sum(map(len, spoken))
        alone = sum(map(len, single.values()))
        if rng.random() * (in_dialogues + alone) < in_dialogues:
            return self._stretch(rng, spoken[rng.integers(len(spoken))])
        return self._made(rng, single)

    def mean_turns(self) -> float:
        """Return how many turns a draw has on average, estimated from 300."""
        rng = np.random.default_rng(0)
        return float(np.mean([len(self.draw(rng).turns) for _ in range(300)]))

    def _stretch(self, rng: np.random.Generator, rows: Sequence[int]) -> Dialogue:
        start = int(rng.integers(max(1, len(rows) - self.longest + 1)))
        chosen = rows[start : start + self.longest]
        return Dialogue(tuple(Turn(r, _seed(rng)) for r in chosen), False, _seed(rng))

    def _made(self, rng: np.random.Generator, single: dict[str, list[int]]) -> Dialogue:
        """Draw a clip, and before it up to `longest` - 1 others of its speaker in random order."""
        names = list(single)
        sizes = np.array([1.0 if self.balance else len(single[n]) for n in names])
        pool = single[names[rng.choice(len(names), p=sizes / sizes.sum())]]
        row = pool[rng.integers(len(pool))]
        # No clip is heard against itself.
        others = [r for r in self.of_speaker.get(str(self.examples[row].speaker), []) if r != row]
        count = min(int(rng.integers(self.longest)), len(others))
        earlier = rng.permutation(others)[:count]
        turns = [Turn(int(r), _seed(rng)) for r in earlier]
        return Dialogue((*turns, Turn(row, _seed(rng))), True, _seed(rng))


def corpus_shares(
    sizes: Mapping[str, int], temperature: float, given: Mapping[str, float]
) -> NDArray[np.float64]:
    """Return how often each corpus is drawn, in the order of `sizes`; the sum is 1.

    Args:
        sizes: rows of each corpus.
        temperature: corpora are drawn by size ** (1 / temperature).
        given: shares of some corpora, which the others leave to them; or weights of all of them.

    Raises:
        UsageError: if a share is given to a corpus without rows, or nothing is left for the others.
    """
    strange = sorted(given.keys() - sizes.keys())
    if strange:
        raise UsageError(
            f"data gives a share to {strange[0]}, which has no training rows; those that have are "
            f"{', '.join(sizes)}"
        )
    natural = {name: size ** (1 / temperature) for name, size in sizes.items() if name not in given}
    left = 1.0 - sum(given.values())
    if natural and left <= 0:
        raise UsageError(
            f"the shares in data add up to {1 - left:g}, which leaves nothing for {', '.join(natural)}; give "
            "shares below 1 in all, or one to each corpus"
        )
    total = sum(natural.values())
    weights = np.array([given[n] if n in given else left * natural[n] / total for n in sizes])
    return np.asarray(weights / weights.sum())


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**62))


def _dialogues(examples: Sequence[Example], rows: Sequence[int]) -> list[list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        dialogue = examples[row].dialogue_id
        if dialogue is not None:
            groups[dialogue].append(row)
    return [sorted(g, key=lambda r: examples[r].turn_index or 0) for g in groups.values()]


def _by_emotion(examples: Sequence[Example], rows: Sequence[int]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        if examples[row].dialogue_id is None:
            groups[examples[row].emotions[0] if examples[row].emotions else ""].append(row)
    return groups
