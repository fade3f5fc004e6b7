"""What a model says of labelled utterances, side by side with the labels: what every score is made from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mmser.data import Example
from mmser.data.audit import OFFICIAL_SPLITS
from mmser.labels import EMOTIONS

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One row an example, in their order; examples that got no answer are in `left_out` and `context`."""

    examples: tuple[Example, ...]
    labels: tuple[str, ...] = EMOTIONS  # of the columns of `emotion`
    emotion: Floats  # calibrated probabilities, (rows, classes); each row sums to 1
    abstained: Bools  # (rows,)
    intensity: Floats  # [0, 1], NaN where none was said, (rows,)
    change: Floats  # P(shift), NaN where none was said, (rows,)
    shifted: Bools  # whether a shift is claimed, (rows,)
    direction: tuple[str | None, ...]  # worse, better, lateral; None where no shift is claimed
    fold: tuple[str, ...]  # whose model judged the row; all alike under one model
    left_out: Mapping[str, str] = field(default_factory=dict)  # name of an example → why it got no answer
    context: tuple[Example, ...] = ()  # turns of the rows' dialogues that are no rows: unlabelled, unanswered

    def __len__(self) -> int:
        return len(self.examples)

    def guess(self) -> Ints:
        """Return the most probable class of each row, whether or not the model abstains, (rows,)."""
        return np.asarray(self.emotion.argmax(1), np.int64)


def name_of(example: Example) -> str:
    """Return what an example is called in messages and files: "ravdess/03-01-05-…"."""
    return f"{example.corpus}/{example.id}"


def truth_of(judged: Judged) -> Ints:
    """Return the class of each row that has exactly one label of the model's, else -1, (rows,)."""
    known = {label: place for place, label in enumerate(judged.labels)}
    single = [e.emotions[0] if len(e.emotions) == 1 else "" for e in judged.examples]
    return np.array([known.get(label, -1) for label in single], np.int64)


def targets_of(judged: Judged) -> Bools:
    """Return which labels each row carries, (rows, classes)."""
    rows = [[label in e.emotions for label in judged.labels] for e in judged.examples]
    return np.array(rows, np.bool_).reshape(len(judged), len(judged.labels))


def groups_of(judged: Judged) -> list[str]:
    """Return what each row is resampled with: rows of two groups share no speaker and no dialogue.

    A group is named by its first speaker or dialogue ("speaker ravdess/06"). Where the publisher's split
    shares speakers (MELD), dialogues are the groups; a row that has neither speaker nor dialogue is its own.
    """
    keys: list[tuple[str, ...]] = []
    for number, example in enumerate(judged.examples):
        official = OFFICIAL_SPLITS.get(example.corpus)
        speaker = None if official is not None and official.shares_speakers else example.speaker
        found = [
            f"{kind} {value}"
            for kind, value in (("speaker", speaker), ("dialogue", example.dialogue_id))
            if value is not None
        ]
        keys.append(tuple(found) or (f"row {number}",))
    names = list(dict.fromkeys(key for row in keys for key in row))
    places = {name: place for place, name in enumerate(names)}
    links = [(places[row[0]], places[row[-1]]) for row in keys]
    rows, columns = np.array(links, np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(names), len(names)))
    _, component = connected_components(graph, directed=False)
    first: dict[int, str] = {}
    for name in names:
        first.setdefault(int(component[places[name]]), name)
    return [first[int(component[places[row[0]]])] for row in keys]


def with_context(judged: Judged, examples: Sequence[Example]) -> Judged:
    """Return the rows beside those of some examples that are of their dialogues and no rows themselves."""
    return replace(judged, context=_context(judged.examples, examples))


def _context(rows: Sequence[Example], others: Iterable[Example]) -> tuple[Example, ...]:
    there = {_turn_of(row) for row in rows}
    dialogues = {row.dialogue_id for row in rows} - {None}
    found = (e for e in others if e.dialogue_id in dialogues and _turn_of(e) not in there)
    return tuple(dict.fromkeys(found))


def _turn_of(example: Example) -> tuple[object, ...]:
    # Nothing that differs where one fold scores a turn and another hears it without its labels.
    return example.corpus, example.id, example.dialogue_id, example.turn_index, example.start, example.text


def where(judged: Judged, kept: Bools | Ints) -> Judged:
    """Return some of the rows, by mask or by place; the others of their dialogues become context."""
    places = np.arange(len(judged))[kept].tolist()
    values: dict[str, object] = {}
    for one in fields(Judged):
        value = getattr(judged, one.name)
        if isinstance(value, np.ndarray):
            values[one.name] = value[places]
        elif one.name in ("examples", "direction", "fold"):
            values[one.name] = tuple(value[i] for i in places)
        elif one.name == "context":
            kept_rows = [judged.examples[i] for i in places]
            values[one.name] = _context(kept_rows, (*judged.context, *judged.examples))
        else:
            values[one.name] = value
    return Judged(**values)  # type: ignore[arg-type]


def join(parts: Sequence[Judged]) -> Judged:
    """Return the rows of several parts with the same labels, one after the other."""
    values: dict[str, object] = {"labels": parts[0].labels, "left_out": {}}
    for one in fields(Judged):
        columns = [getattr(part, one.name) for part in parts]
        if one.name == "labels":
            continue
        if isinstance(columns[0], np.ndarray):
            values[one.name] = np.concatenate(columns)
        elif one.name == "left_out":
            values[one.name] = {name: why for column in columns for name, why in column.items()}
        else:
            values[one.name] = tuple(value for column in columns for value in column)
    joined = Judged(**values)  # type: ignore[arg-type]
    return with_context(joined, joined.context)  # what is context in one part may be a row of another


def emotion_only(
    examples: Sequence[Example], labels: Sequence[str], probabilities: Floats, fold: str = ""
) -> Judged:
    """Return what a classifier of emotions alone says, (rows, classes); it never abstains."""
    rows = len(examples)
    return Judged(
        examples=tuple(examples),
        labels=tuple(labels),
        emotion=np.asarray(probabilities, np.float64).reshape(rows, len(labels)),
        abstained=np.zeros(rows, np.bool_),
        intensity=np.full(rows, np.nan),
        change=np.full(rows, np.nan),
        shifted=np.zeros(rows, np.bool_),
        direction=(None,) * rows,
        fold=(fold,) * rows,
    )
