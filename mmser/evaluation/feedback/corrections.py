"""Corrections of turns that the call report downloads, `mmser.feedback/1`, read and checked line by line.

A `feedback.jsonl` holds one JSON object a line, one for each turn that a reader corrected or confirmed:

    {"schema": "mmser.feedback/1", "call_id": "call", "recording_sha256": "9f2c…",
     "model_id": "mmser-default", "model_revision": "f991…", "turn_id": "t2", "start": 4.1, "end": 7.9,
     "predicted_label": "neutral", "predicted_top": "neutral",
     "probabilities": {"anger": 0.2, "disgust": 0.02, "fear": 0.03, "happiness": 0.05, "neutral": 0.55,
                       "sadness": 0.1, "surprise": 0.05},
     "modalities": ["audio", "text"], "predicted_intensity": "low",
     "corrected_label": "anger", "corrected_intensity": "high", "comment": null}

- `corrected_label` is what the reader hears, one of the labels of `probabilities`; where it is the same as
  `predicted_top`, it confirms the turn. `corrected_intensity` (low, medium, high) and `comment` may be null.
- `predicted_label` is null where the report said "uncertain"; `predicted_top` is the most probable label even
  then. `predicted_intensity` is null where none was said.
- `call_id`, `recording_sha256` (null for a report of words alone) and `turn_id` say which turn it is, `start`
  and `end` (s) where; `model_id` and `model_revision` (sha256 of the weights) whose probabilities these are.
- `modalities` are what the turn was judged from, "audio", "text" or both; older pages leave it out.
"""

import json
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from mmser.data import Example
from mmser.data.tables import listing, nearest
from mmser.errors import DataError
from mmser.evaluation.documents import said
from mmser.evaluation.feedback.correction_line import REMEDY, Correction, CorrectionLine
from mmser.evaluation.judged import Judged

CORPUS: Final = "feedback"  # of the examples that corrections are made into
_UNKNOWN: Final = 20  # labels that are named
_TIE: Final = 1e-6  # by which the label that was said leads another of the same rounded probability
# In which two lines of one turn must be alike; others do not change what is scored.
_COMPARED: Final = (
    "corrected_label",
    "corrected_intensity",
    "predicted_top",
    "predicted_label",
    "predicted_intensity",
    "probabilities",
)

Warn = Callable[[str], None]


# --- reading -----------------------------------------------------------------------------------------------


def read_feedback(
    paths: Iterable[Path], *, revision: str | None = None, warn: Warn = warnings.warn
) -> tuple[Correction, ...]:
    """Return the corrections of files that the call report wrote, each turn once.

    Args:
        paths: `feedback.jsonl` files, of one call or of several.
        revision: of the model, or its first characters; needed where the files are of several.
        warn: told of lines that say again what another says, and of corrections of other revisions.

    Raises:
        DataError: if a file cannot be read or is empty, a line is not one that the report writes, labels are
            not the report's (all of them are named), two lines contradict each other, or several models spoke
            and none is chosen.
    """
    found: list[tuple[str, Correction]] = []
    numbers: dict[Path, int] = {}
    unknown = _Unknown()
    for path in paths:
        if path.is_fifo() and path.resolve() in numbers:
            raise DataError(f"{path} is a pipe, which can be read once, and is given twice; give it once")
        lines = _lines(path)
        if not lines:
            raise DataError(f"{path} holds no corrections; {REMEDY}")
        name = f"file {numbers.setdefault(path.resolve(), len(numbers) + 1)}"
        found += [(line.place, line.correction(name)) for line in lines if not unknown.notes(line)]
    unknown.refuse()
    if not found:
        raise DataError(f"no file of corrections was given; {REMEDY}")
    return _each_once(_of_revision(found, revision, warn), warn)


def _lines(path: Path) -> list[CorrectionLine]:
    """Return the lines of a file that hold something; a pipe is read once."""
    if not (path.is_file() or path.is_fifo()):
        fault = "is a folder" if path.is_dir() else "is neither a file nor a pipe"
        raise DataError(f"{path} {fault if path.exists() else 'is missing'}; {REMEDY}")
    try:
        lines = path.read_text("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text, or no text at all; {REMEDY}") from error
    return [
        CorrectionLine(f"{path}, line {number}", line) for number, line in enumerate(lines, 1) if line.strip()
    ]


@dataclass(kw_only=True)
class _Unknown:
    """Corrected labels that the report does not have, on their way to one error."""

    places: dict[str, list[str]] = field(default_factory=dict)  # label → where it stands
    known: tuple[str, ...] = ()

    def notes(self, line: CorrectionLine) -> bool:
        """Note a line whose corrected label is unknown; tell whether it is."""
        label = line.unknown_label()
        if label is None:
            return False
        self.places.setdefault(label, []).append(line.place)
        self.known = self.known or tuple(line.data["probabilities"])
        return True

    def refuse(self) -> None:
        """Refuse all of them at once.

        Raises:
            DataError: if there is any.
        """
        if not self.places:
            return
        told = listing((self._told(label, places) for label, places in self.places.items()), _UNKNOWN)
        first = next(iter(self.places.values()))[0]
        raise DataError(
            f"{first}: {told} {'is' if len(self.places) == 1 else 'are'} none of the report's labels, which "
            f"are {listing(self.known, 30)}; write one of these as corrected_label"
        )

    def _told(self, label: str, places: Sequence[str]) -> str:
        times = "once" if len(places) == 1 else f"{len(places):,} times"
        hint = nearest(label, self.known)
        meant = f", {hint}" if hint.startswith("did you mean") else ""
        return f"{label!r:.60} ({times}, first in {places[0]}{meant})"


def _of_revision(
    found: Sequence[tuple[str, Correction]], revision: str | None, warn: Warn
) -> list[tuple[str, Correction]]:
    """Return the corrections of one model."""
    known = Counter(one.model_revision for _, one in found)
    named = listing(f"{name[:12]} ({count})" for name, count in known.items())
    if revision is None:
        if len(known) > 1:
            raise DataError(
                f"the corrections are of {len(known)} models: {named}; choose one with --revision, since "
                "their probabilities are not alike"
            )
        return list(found)
    chosen = [name for name in known if revision and name.startswith(revision)]
    if len(chosen) != 1:
        what = "no correction is" if not chosen else "corrections of several models are"
        raise DataError(f"{what} of the revision {revision!r}; the revisions are {named}")
    others = len(found) - known[chosen[0]]
    if others:
        warn(f"{others} corrections of other models than {chosen[0][:12]} are left out")
    return [(place, one) for place, one in found if one.model_revision == chosen[0]]


def _each_once(found: Sequence[tuple[str, Correction]], warn: Warn) -> tuple[Correction, ...]:
    """Return each turn's correction once; all of one model have the same labels."""
    first: dict[tuple[str, str], tuple[str, Correction]] = {}
    labels = list(found[0][1].probabilities)
    again = 0
    for place, one in found:
        if sorted(one.probabilities) != sorted(labels):
            raise DataError(
                f"{place}: the labels are {listing(one.probabilities, 30)}, but {found[0][0]} has "
                f"{listing(labels, 30)}, of the same model; give the files as the report wrote them"
            )
        seen = first.setdefault((one.call, one.turn_id), (place, one))
        if seen[1] is one:
            continue
        _require_alike(*seen, place, one)
        if seen[1].modalities is None:  # the newer page says more
            first[one.call, one.turn_id] = (seen[0], replace(seen[1], modalities=one.modalities))
        again += 1
    if again:
        warn(f"{again} line{' repeats' if again == 1 else 's repeat'} a correction that counts once")
    return tuple(one for _, one in first.values())


def _require_alike(place: str, one: Correction, other_place: str, other: Correction) -> None:
    for name in _COMPARED:
        there, here = getattr(one, name), getattr(other, name)
        if there != here:
            values = (
                f"{json.dumps(value):.60}" if isinstance(value, dict) else said(value)
                for value in (here, there)
            )
            raise DataError(
                f"{other_place}: turn {one.turn_id} of call {one.call:.40} has another {name} in {place} "
                f"({' here, '.join(values)} there); keep one of the two lines"
            )


# --- for scores --------------------------------------------------------------------------------------------


def judged_of(corrections: Sequence[Correction]) -> Judged:
    """Return corrections as judged rows, calls as their dialogues; change is not among what was corrected."""
    labels = tuple(corrections[0].probabilities)
    values = np.array([[one.probabilities[label] for label in labels] for one in corrections], np.float64)
    # Rounding may have made the label that was said one of several that are equally probable.
    for row, one in zip(values, corrections, strict=True):
        row[labels.index(one.predicted_top)] = row.max() + _TIE
    rows = len(corrections)
    return Judged(
        examples=tuple(
            Example(
                corpus=CORPUS,
                split=None,
                id=f"{one.call}/{one.turn_id}",
                emotions=(one.corrected_label,),
                dialogue_id=one.call,
            )
            for one in corrections
        ),
        labels=labels,
        emotion=values / values.sum(1, keepdims=True),
        abstained=np.array([one.predicted_label is None for one in corrections], np.bool_),
        intensity=np.full(rows, np.nan),
        change=np.full(rows, np.nan),
        shifted=np.zeros(rows, np.bool_),
        direction=(None,) * rows,
        fold=("",) * rows,
    )
