"""Corrections of turns that the call report downloads, `mmser.feedback/1`, read and checked line by line."""

import json
import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np

from mmser.data import Example
from mmser.data.tables import listing, nearest
from mmser.errors import DataError
from mmser.evaluation.feedback.drift import PATTERNS
from mmser.evaluation.judged import Judged
from mmser.labels import INTENSITY_LEVELS, IntensityLevel
from mmser.record import Record

SCHEMA: Final = "mmser.feedback/1"
CORPUS: Final = "feedback"  # of the examples that corrections are made into
MODALITIES: Final = ("audio", "text")
_ROUNDING: Final = 1e-4  # of one probability, as the page writes it
_SUM: Final = 5e-3  # by which rounded probabilities may miss 1
_TIE: Final = 1e-6  # by which the label that was said leads another of the same rounded probability
_LONGEST: Final = 1e9  # seconds that a time may state; more is a mistake
# In which two lines of one turn must be alike; others do not change what is scored.
_COMPARED: Final = (
    "corrected_label",
    "corrected_intensity",
    "predicted_top",
    "predicted_label",
    "predicted_intensity",
    "probabilities",
)
_REMEDY: Final = "give a feedback.jsonl as the call report wrote it"

Warn = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Correction(Record):
    """One turn of a report that a reviewer gave a label, perhaps the one that the report gave."""

    call: str  # that it is grouped by: the recording's digest, or its name, or else its file ("file 1")
    call_id: str | None
    recording_sha256: str | None
    model_id: str
    model_revision: str
    turn_id: str
    start: float | None  # s
    end: float | None  # s
    predicted_label: str | None  # None where the model abstained
    predicted_top: str
    probabilities: dict[str, float]  # of four decimals
    modalities: tuple[str, ...] | None  # "audio", "text"; None where the page did not say yet
    predicted_intensity: IntensityLevel | None
    corrected_label: str
    corrected_intensity: IntensityLevel | None
    comment: str | None

    @property
    def pattern(self) -> str | None:
        """What the turn was judged from: "fused", "audio" or "text"; None where it is not known."""
        return None if self.modalities is None else PATTERNS[frozenset(self.modalities)]


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
        DataError: if a file cannot be read or is empty, a line is not one that the report writes, two
            contradict each other, or several models spoke and none is chosen.
    """
    found: list[tuple[str, Correction]] = []
    numbers: dict[Path, int] = {}
    for path in paths:
        own = list(_file(path, f"file {numbers.setdefault(path.resolve(), len(numbers) + 1)}"))
        if not own:
            raise DataError(f"{path} holds no corrections; {_REMEDY}")
        found += own
    if not found:
        raise DataError(f"no file of corrections was given; {_REMEDY}")
    return _each_once(_of_revision(found, revision, warn), warn)


def _file(path: Path, name: str) -> Iterator[tuple[str, Correction]]:
    """Yield where each correction of a file stands, and the correction."""
    if not path.is_file():
        raise DataError(f"{path} {'is a folder' if path.is_dir() else 'is missing'}; {_REMEDY}")
    try:
        lines = path.read_text("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text, or no text at all; {_REMEDY}") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            place = f"{path}, line {number}"
            yield place, _Line(place, line).correction(name)


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
            raise DataError(
                f"{other_place}: turn {one.turn_id} of call {one.call:.40} has another {name} in {place} "
                f"({here!r:.60} here, {there!r:.60} there); keep one of the two lines"
            )


class _Line:
    """One line of a file on its way to a correction."""

    def __init__(self, place: str, text: str) -> None:
        self.place = place
        try:
            data = json.loads(text, parse_constant=self._no_number)
        except (ValueError, RecursionError) as error:
            self.refuse(f"it is not JSON ({error}); {_REMEDY}")
        if not isinstance(data, dict):
            self.refuse(f"it is not a JSON object; {_REMEDY}")
        self.data: dict[str, Any] = data

    def refuse(self, message: str) -> NoReturn:
        raise DataError(f"{self.place}: {message}")

    def _no_number(self, name: str) -> NoReturn:
        self.refuse(f"it holds {name}, which is no number; {_REMEDY}")

    def correction(self, file: str) -> Correction:
        """Return the line's correction; `file` stands for a call whose recording is not known."""
        self._check_keys()
        probabilities = self._probabilities()
        call_id, digest = self._text("call_id"), self._text("recording_sha256")
        start, end = self._time("start"), self._time("end")
        if start is not None and end is not None and end < start:
            self.refuse(f"the turn ends at {end:g} s, before it starts at {start:g} s; {_REMEDY}")
        return Correction(
            call=digest or call_id or file,  # a report of a transcript alone knows of no recording
            call_id=call_id,
            recording_sha256=digest,
            model_id=self._need("model_id"),
            model_revision=self._need("model_revision"),
            turn_id=self._need("turn_id"),
            start=start,
            end=end,
            predicted_label=self._label("predicted_label", probabilities),
            predicted_top=self._top(probabilities),
            probabilities=probabilities,
            modalities=self._modalities(),
            predicted_intensity=self._level("predicted_intensity"),
            corrected_label=self._label("corrected_label", probabilities) or self._need("corrected_label"),
            corrected_intensity=self._level("corrected_intensity"),
            comment=self._text("comment"),
        )

    def _check_keys(self) -> None:
        schema = self.data.get("schema")
        if schema != SCHEMA:
            self.refuse(
                f"the schema is {schema!r:.60}, but this mmser reads {SCHEMA}; update mmser, or {_REMEDY}"
            )
        known = ["schema", *(f.name for f in fields(Correction) if f.name != "call")]
        for key in self.data:
            if key not in known:
                self.refuse(f"the key {key!r:.60} is not known; {nearest(key, known)}")
        for key in known:
            if key not in self.data and key != "modalities":  # pages did not always write these
                self.refuse(f"the key {key!r} is missing; {_REMEDY}")

    def _text(self, key: str) -> str | None:
        value = self.data[key]
        if value is not None and not isinstance(value, str):
            self.refuse(f"{key} is {value!r:.60}, which is not a text; {_REMEDY}")
        return value or None

    def _need(self, key: str) -> str:
        value = self._text(key)
        if value is None:
            self.refuse(f"{key} is empty; {_REMEDY}")
        return value

    def _number(self, key: str, value: object, low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            bounds = f"from {low:g} to {high:g}" if math.isfinite(high) else f"of at least {low:g}"
            self.refuse(f"{key} is {value!r:.60}, not a number {bounds}; {_REMEDY}")
        return float(value)

    def _time(self, key: str) -> float | None:
        value = self.data[key]
        return None if value is None else self._number(key, value, 0.0, _LONGEST)

    def _probabilities(self) -> dict[str, float]:
        given = self.data["probabilities"]
        if not isinstance(given, dict) or len(given) < 2:
            self.refuse(f"the probabilities are {given!r:.60}, not those of two labels or more; {_REMEDY}")
        found = {label: self._number(f"the probability of {label}", p, 0, 1) for label, p in given.items()}
        total = sum(found.values())
        if abs(total - 1) > _SUM:
            self.refuse(f"the probabilities add up to {total:.4f}, not to 1; {_REMEDY}")
        return found

    def _label(self, key: str, labels: Sequence[str] | dict[str, float]) -> str | None:
        value = self._text(key)
        if value is not None and value not in labels:
            self.refuse(
                f"{key} is {value!r:.60}, which is none of the report's labels; {nearest(value, labels)}"
            )
        return value

    def _top(self, probabilities: dict[str, float]) -> str:
        """Return the most probable label, which is also the one that was said if any was."""
        top, said = self._label("predicted_top", probabilities), self._text("predicted_label")
        best = max(probabilities, key=lambda label: probabilities[label])
        if top is None or probabilities[top] < probabilities[best] - _ROUNDING:
            self.refuse(f"predicted_top is {top!r}, but {best!r} is the most probable; {_REMEDY}")
        if said is not None and said != top:
            self.refuse(f"predicted_label is {said!r}, but predicted_top {top!r}; {_REMEDY}")
        return top

    def _modalities(self) -> tuple[str, ...] | None:
        value = self.data.get("modalities")
        if value is None:
            return None
        if (
            not isinstance(value, list)
            or [name for name in MODALITIES if name in value] != value
            or not value
        ):
            self.refuse(f"modalities are {value!r:.60}, not some of {listing(MODALITIES)}; {_REMEDY}")
        return tuple(value)

    def _level(self, key: str) -> IntensityLevel | None:
        value = self._text(key)
        levels: dict[str, IntensityLevel] = {level: level for level in INTENSITY_LEVELS}
        if value is not None and value not in levels:
            self.refuse(f"{key} is {value!r:.60}; {nearest(value, levels)}")
        return None if value is None else levels[value]


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
