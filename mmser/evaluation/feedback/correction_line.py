"""One line of `feedback.jsonl`, read and checked: what a report said of a turn, and what its reader heard."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, NoReturn

from mmser.data.tables import listing, nearest
from mmser.errors import DataError
from mmser.evaluation.documents import json_fault, said
from mmser.evaluation.feedback.profile import PATTERNS
from mmser.labels import INTENSITY_LEVELS, IntensityLevel
from mmser.record import Record

SCHEMA: Final = "mmser.feedback/1"
MODALITIES: Final = ("audio", "text")
REMEDY: Final = "give a feedback.jsonl as the call report wrote it"
_ROUNDING: Final = 1e-4  # of one probability, as the page writes it
_SUM: Final = 5e-3  # by which rounded probabilities may miss 1
_LONGEST: Final = 1e9  # seconds that a time may state; more is a mistake


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

    @property
    def sound_seconds(self) -> float | None:
        """How long the turn's sound is; None where it has none, or that is not known."""
        if (
            self.modalities is None
            or "audio" not in self.modalities
            or self.start is None
            or self.end is None
        ):
            return None
        return self.end - self.start


class CorrectionLine:
    """One line of a file on its way to a correction."""

    def __init__(self, place: str, text: str) -> None:
        self.place = place
        try:
            data = json.loads(text, parse_constant=self._no_number)
        except (ValueError, RecursionError) as error:
            self.refuse(f"it is not JSON ({json_fault(error)}); {REMEDY}")
        if not isinstance(data, dict):
            self.refuse(f"it is not a JSON object; {REMEDY}")
        self.data: dict[str, Any] = data

    def refuse(self, message: str) -> NoReturn:
        """Refuse the line, naming where it stands."""
        raise DataError(f"{self.place}: {message}")

    def _no_number(self, name: str) -> NoReturn:
        self.refuse(f"it holds {name}, which is no number; {REMEDY}")

    def unknown_label(self) -> str | None:
        """Return the corrected label where it is a text that the report has no probability of."""
        known, label = self.data.get("probabilities"), self.data.get("corrected_label")
        if not isinstance(known, dict) or not known or not isinstance(label, str) or not label:
            return None
        return None if label in known else label

    def correction(self, file: str) -> Correction:
        """Return the line's correction; `file` stands for a call whose recording is not known."""
        self._check_keys()
        probabilities = self._probabilities()
        call_id, digest = self._text("call_id"), self._text("recording_sha256")
        start, end = self._time("start"), self._time("end")
        if start is not None and end is not None and end < start:
            self.refuse(f"the turn ends at {end:g} s, before it starts at {start:g} s; {REMEDY}")
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
                f"the schema is {said(schema)}, but this mmser reads {SCHEMA}; update mmser, or {REMEDY}"
            )
        known = ["schema", *(f.name for f in fields(Correction) if f.name != "call")]
        for key in self.data:
            if key not in known:
                self.refuse(f"the key {key!r:.60} is not known; {nearest(key, known)}")
        for key in known:
            if key not in self.data and key != "modalities":  # pages did not always write these
                self.refuse(f"the key {key!r} is missing; {REMEDY}")

    def _text(self, key: str) -> str | None:
        value = self.data[key]
        if value is not None and not isinstance(value, str):
            self.refuse(f"{key} is {said(value)}, which is not a text; {REMEDY}")
        return value or None

    def _need(self, key: str) -> str:
        value = self._text(key)
        if value is None:
            self.refuse(f"{key} is empty; {REMEDY}")
        return value

    def _number(self, key: str, value: object, low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            bounds = f"from {low:g} to {high:g}" if math.isfinite(high) else f"of at least {low:g}"
            self.refuse(f"{key} is {said(value)}, not a number {bounds}; {REMEDY}")
        return float(value)

    def _time(self, key: str) -> float | None:
        value = self.data[key]
        return None if value is None else self._number(key, value, 0.0, _LONGEST)

    def _probabilities(self) -> dict[str, float]:
        given = self.data["probabilities"]
        if not isinstance(given, dict) or len(given) < 2:
            self.refuse(f"the probabilities are {said(given)}, not those of two labels or more; {REMEDY}")
        found = {label: self._number(f"the probability of {label}", p, 0, 1) for label, p in given.items()}
        total = sum(found.values())
        if abs(total - 1) > _SUM:
            self.refuse(f"the probabilities add up to {total:.4f}, not to 1; {REMEDY}")
        return found

    def _label(self, key: str, labels: Sequence[str] | dict[str, float]) -> str | None:
        value = self._text(key)
        if value is not None and value not in labels:
            self.refuse(
                f"{key} is {value!r:.60}, which is none of the report's labels, {listing(labels, 30)}; "
                f"{nearest(value, labels)}"
            )
        return value

    def _top(self, probabilities: dict[str, float]) -> str:
        """Return the most probable label, which is also the one that was said if any was."""
        top, label = self._label("predicted_top", probabilities), self._text("predicted_label")
        best = max(probabilities, key=lambda label: probabilities[label])
        if top is None or probabilities[top] < probabilities[best] - _ROUNDING:
            self.refuse(f"predicted_top is {said(top)}, but {best!r} is the most probable; {REMEDY}")
        if label is not None and label != top:
            self.refuse(f"predicted_label is {label!r}, but predicted_top {top!r}; {REMEDY}")
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
            self.refuse(f"modalities are {said(value)}, not some of {listing(MODALITIES)}; {REMEDY}")
        return tuple(value)

    def _level(self, key: str) -> IntensityLevel | None:
        value = self._text(key)
        levels: dict[str, IntensityLevel] = {level: level for level in INTENSITY_LEVELS}
        if value is not None and value not in levels:
            self.refuse(f"{key} is {value!r:.60}; {nearest(value, levels)}")
        return None if value is None else levels[value]
