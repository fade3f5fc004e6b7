"""`answers.csv`: what a model said of each judged row, beside its labels; no texts, no paths.

Two results are compared by it, and new calls are held against it.
"""

import csv
import hashlib
import io
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from mmser.data import Example
from mmser.data.schema import CHANGES, SPLITS, Split
from mmser.data.tables import Row, listing, nearest, read_rows
from mmser.errors import DataError
from mmser.evaluation.judged import Floats, Judged, name_of
from mmser.labels import DIRECTIONS, EMOTIONS
from mmser.transcripts.cells import inert

ANSWERS: Final = "answers.csv"  # its name beside evaluation.json
DIGITS: Final = 6
SUM_ERROR: Final = 1e-3  # by which rounded probabilities may miss 1
_STEP: Final = 10.0**-DIGITS
_KEYS: Final = ("corpus", "id", "split", "fold", "speaker", "dialogue_id", "turn_index")
_BEFORE: Final = (*_KEYS, "emotion", "intensity", "change", "guess", "abstained")
_AFTER: Final = ("said_intensity", "p_change", "shifted", "direction")
_BOOLS: Final = ("false", "true")


# --- to text -----------------------------------------------------------------------------------------------


def write_answers(judged: Judged) -> str:
    """Return the judged rows as CSV; what is unknown is an empty cell.

    Probabilities are rounded to six decimals; where that makes the most probable class a tie, it gets one
    step more, so that the guess stays what it was.

    Raises:
        DataError: if there is no row, two have one name, or a label is one that the file cannot hold.
    """
    if not judged.examples:
        raise DataError("no row was judged, so there are no answers to write; see why each was left out")
    check_answerable(judged.examples, judged.labels)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")  # with "\n", a "\r" in a cell would go unquoted
    writer.writerow([*_BEFORE, *(f"p_{label}" for label in judged.labels), *_AFTER])
    guess, probabilities = judged.guess(), _rounded(judged)
    for row, example in enumerate(judged.examples):
        writer.writerow(
            [
                *_about(example, judged.fold[row]),
                _guarded(judged.labels[guess[row]]),
                _bool(judged.abstained[row]),
                *(_number(value) for value in probabilities[row]),
                _number(judged.intensity[row]),
                _number(judged.change[row]),
                _bool(judged.shifted[row]),
                judged.direction[row] or "",
            ]
        )
    return out.getvalue()


def answers_digest(text: str) -> str:
    """Return the sha256 of what `write_answers` gave, which ties a result to its answers."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def check_answerable(examples: Sequence[Example], labels: Sequence[str] = ()) -> None:
    """Refuse what `write_answers` could not write, before anything is judged.

    Args:
        examples: rows that are to be judged.
        labels: of the model, where they are known already.

    Raises:
        DataError: if two rows have one name, or a label is one that the file cannot hold.
    """
    for name, times in Counter(name_of(example) for example in examples).most_common(1):
        if times > 1:
            raise DataError(f"{times} rows are called {name}; give each row of a corpus an id of its own")
    stated = sorted({label for example in examples for label in example.emotions})
    if "change" in (*labels, *stated):
        raise DataError('a label is called "change", which is the name of another column; rename the label')
    for label in stated:
        if "|" in label:
            raise DataError(f'the label {label!r} holds "|", which divides labels; rename it')


def _about(example: Example, fold: str) -> list[str]:
    """Return the cells that no model changes."""
    names = (example.corpus, example.id, example.split, fold, example.speaker, example.dialogue_id)
    return [
        *(_guarded(name or "") for name in names),
        "" if example.turn_index is None else str(example.turn_index),
        _guarded("|".join(example.emotions)),
        "" if example.intensity is None else _number(example.intensity),
        example.change or "",
    ]


def _rounded(judged: Judged) -> Floats:
    """Return the probabilities as they are written, (rows, classes)."""
    values = np.round(judged.emotion, DIGITS)
    guess = judged.guess()
    tied = np.flatnonzero((values == values.max(1, initial=0.0)[:, None]).sum(1) > 1)
    values[tied, guess[tied]] += _STEP
    return values


def _guarded(text: str) -> str:
    """Return a cell that no spreadsheet runs and that `_bare` undoes."""
    return f"'{text}" if text.startswith("'") or inert(text) != text else text


def _bare(cell: str) -> str:
    return cell.removeprefix("'")


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.{DIGITS}f}"


def _bool(value: object) -> str:
    return "true" if value else "false"


# --- from text ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """One line of the file."""

    example: Example
    fold: str
    probabilities: list[float]
    abstained: bool
    intensity: float
    change: float
    shifted: bool
    direction: str | None


def read_answers(path: Path, sha256: str | None = None) -> Judged:
    """Return the rows that `write_answers` wrote; their examples have labels, but no text and no audio.

    Args:
        path: of the file.
        sha256: that the result beside it states of it; None = none is stated.

    Raises:
        DataError: if the file cannot be read, is not the one that is stated, a column is missing, or a line
            holds what cannot be.
    """
    if not path.is_file():
        state = "is a folder" if path.is_dir() else "is missing"
        raise DataError(f"{path} {state}; give the {ANSWERS} that an evaluation writes")
    if sha256 is not None and hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise DataError(
            f"{path} is not the file that the result beside it was written with (answers_sha256 differs): it "
            "was changed, or is of another run; evaluate again, or put the two files of one run together"
        )
    found: list[_Answer] = []
    lines: dict[str, int] = {}
    labels: tuple[str, ...] = ()
    for row in read_rows(path, (*_BEFORE, *_AFTER)):
        labels = labels or _labels(row)
        answer = _answer(row, labels)
        name = name_of(answer.example)
        if name in lines:
            raise row.error(f"{name} stands on line {lines[name]} already; keep one of the two")
        lines[name] = row.line
        found.append(answer)
    if not found:
        raise DataError(f"{path} holds no judged rows; evaluate again")
    return Judged(
        examples=tuple(one.example for one in found),
        labels=labels,
        emotion=np.array([one.probabilities for one in found], np.float64),
        abstained=np.array([one.abstained for one in found], np.bool_),
        intensity=np.array([one.intensity for one in found], np.float64),
        change=np.array([one.change for one in found], np.float64),
        shifted=np.array([one.shifted for one in found], np.bool_),
        direction=tuple(one.direction for one in found),
        fold=tuple(one.fold for one in found),
    )


def _labels(row: Row) -> tuple[str, ...]:
    """Return the model's labels, which the columns are named by."""
    found = tuple(name[2:] for name in row.cells if name.startswith("p_") and name != "p_change")
    unknown = sorted(set(row.cells) - {*_BEFORE, *_AFTER, *(f"p_{label}" for label in found)})
    if unknown:
        raise DataError(f"{row.path} has a column {unknown[0]!r}, which is not known; take it out")
    if len(found) < 2:
        raise DataError(
            f"{row.path} has probabilities of {listing(found) or 'no label'}; it needs two or more columns "
            "p_LABEL"
        )
    return found


def _answer(row: Row, labels: Sequence[str]) -> _Answer:
    direction = row.choice("direction", DIRECTIONS) if row.text("direction") else None
    intensity, change = row.number("said_intensity", 0, 1), row.number("p_change", 0, 1)
    shifted = row.choice("shifted", _BOOLS) == "true"
    if direction is not None and not shifted:
        raise row.error(f"the direction is {direction!r}, but no shift is claimed; correct one of the two")
    return _Answer(
        example=_example(row, labels),
        fold=_bare(row.cells["fold"]),
        probabilities=_probabilities(row, labels),
        abstained=row.choice("abstained", _BOOLS) == "true",
        intensity=math.nan if intensity is None else intensity,
        change=math.nan if change is None else change,
        shifted=shifted,
        direction=direction,
    )


def _example(row: Row, labels: Sequence[str]) -> Example:
    row.need("corpus")
    names = {name: _bare(row.cells[name]) for name in ("corpus", "id", "speaker", "dialogue_id", "emotion")}
    splits: dict[str, Split] = {split: split for split in SPLITS}
    return Example(
        corpus=names["corpus"],
        id=names["id"],
        split=splits[row.choice("split", SPLITS)] if row.text("split") else None,
        emotions=_emotions(row, names["emotion"], labels),
        intensity=row.number("intensity", 0, 1),
        change=row.choice("change", CHANGES) if row.text("change") else None,
        speaker=names["speaker"] or None,
        dialogue_id=names["dialogue_id"] or None,
        turn_index=row.whole("turn_index"),
    )


def _emotions(row: Row, cell: str, labels: Sequence[str]) -> tuple[str, ...]:
    """Return the labels of a row: of the house, or of the model's own."""
    known = list(dict.fromkeys([*labels, *EMOTIONS]))
    found = tuple(cell.split("|")) if cell else ()
    for label in found:
        if label not in known:
            raise row.error(f"the emotion {label!r} is unknown; {nearest(label, known)}")
    if len(set(found)) < len(found):
        raise row.error(f"the emotion is {cell!r}, which names one twice; name each once")
    return found


def _probabilities(row: Row, labels: Sequence[str]) -> list[float]:
    """Return the probabilities of a row in the order of the columns."""
    values = []
    for label in labels:
        value = row.number(f"p_{label}", 0, 1)
        if value is None:
            raise row.error(f"the column 'p_{label}' is empty; evaluate again")
        values.append(value)
    if abs(sum(values) - 1) > SUM_ERROR:
        raise row.error(f"the probabilities add up to {sum(values):.4f}, not to 1; evaluate again")
    guess, best = _bare(row.cells["guess"]), labels[int(np.argmax(values))]
    if guess != best:
        raise row.error(f"the guess is {guess!r}, but {best!r} is the most probable; evaluate again")
    return values
