"""What the page's script needs of a report: compact rows in a JSON island that no text can break out of."""

import base64
import json
import re
from collections.abc import Hashable, Sequence
from typing import Any

from mmser.labels import DIRECTIONS, INTENSITY_LEVELS, Direction
from mmser.report.palette import UNCERTAIN, style_of
from mmser.types import CallReport, Emotion, Timeline, TurnReport, Window

LANE_ORDER = ("customer", "agent", "unknown", "system")
_SCALE = 10_000  # probabilities travel as integers: shorter, and enough digits

# Terminal escapes, NUL and lone surrogates; embeddings and overrides that would turn the text around them.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]")


def visible(text: str) -> str:
    """Return `text` with control characters replaced by visible marks; newlines and tabs stay."""
    if text.isascii() and text.isprintable():
        return text

    def mark(match: re.Match[str]) -> str:
        return f"[U+{ord(match.group()):04X}]"

    return _UNSAFE.sub(mark, text.replace("\r\n", "\n").replace("\r", "\n"))


def data_island(
    report: CallReport,
    labels: Sequence[str],
    envelope: Sequence[Sequence[float]] | None,
    *,
    include_text: bool,
    embedded: bool,
) -> str:
    """Return JSON that is safe inside a `<script type="application/json">` element.

    Args:
        report: The call.
        labels: Emotion labels; rows hold their index, and `len(labels)` means "uncertain".
        envelope: `(channels, bins)` in [0, 1], or None.
        include_text: Whether turns carry their words.
        embedded: Whether the sound in the page starts at `report.part` rather than at zero.
    """
    names = _Names()
    data = _head(report, labels, embedded=embedded)
    data["turns"] = [_turn_row(turn, labels, names, include_text=include_text) for turn in report.turns]
    data["changes"] = _changes(report, labels)
    data["envelope"] = _envelope(report, envelope or ())
    data["hasText"] = include_text and any(turn.text for turn in report.turns)
    data |= {"speakers": names.speakers, "flags": names.flags, "reasons": names.reasons}
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    # `</script>` and `<!--` cannot end the element when no angle bracket is left.
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


class _Names:
    """Repeated strings, written once; rows hold their index."""

    def __init__(self) -> None:
        self.speakers: list[str] = []
        self.flags: list[list[str]] = []
        self.reasons: list[dict[str, str]] = []
        self._seen: dict[Hashable, int] = {}

    def speaker(self, name: str | None) -> int:
        return -1 if name is None else self._index(("speaker", name), self.speakers, visible(name))

    def flag(self, flags: tuple[str, ...]) -> int:
        return self._index(("flags", flags), self.flags, [visible(flag) for flag in flags])

    def reason(self, reasons: dict[str, str]) -> int:
        plain = {key: visible(value) for key, value in reasons.items()}
        return self._index(("reasons", *sorted(reasons.items())), self.reasons, plain)

    def _index(self, key: Hashable, table: list[Any], value: Any) -> int:
        if key not in self._seen:
            self._seen[key] = len(table)
            table.append(value)
        return self._seen[key]


def _head(report: CallReport, labels: Sequence[str], *, embedded: bool) -> dict[str, Any]:
    timed = [turn for turn in report.turns if turn.start is not None and turn.end is not None]
    recording, part = report.recording, report.part
    ordinal = not timed
    last = max((turn.end or 0.0 for turn in timed), default=0.0)
    if ordinal:
        span = [0.0, float(len(report.turns))]
    elif part:
        span = [part[0], part[1]]
    else:
        span = [0.0, max(last, recording.duration if recording else 0.0)]
    present = {turn.role for turn in report.turns}
    return {
        "call": visible(recording.id) if recording else None,
        "sha256": recording.sha256 if recording else None,
        "model": {"id": visible(report.model.id), "revision": visible(report.model.revision)},
        "labels": [visible(label) for label in labels],
        "letters": [style_of(label).letter for label in (*labels, UNCERTAIN)],
        "roles": [role for role in LANE_ORDER if role in present],
        "directions": DIRECTIONS,
        "levels": INTENSITY_LEVELS,
        "span": span,
        "ordinal": ordinal,
        "estimated": report.transcript is not None and report.transcript.times == "estimated",
        "offset": part[0] if part and embedded else 0.0,
    }


def _turn_row(turn: TurnReport, labels: Sequence[str], names: _Names, *, include_text: bool) -> list[Any]:
    intensity, change = turn.intensity, turn.change
    text = turn.text if include_text else None
    return [
        visible(turn.id),
        _rounded(turn.start, 3),
        _rounded(turn.end, 3),
        turn.role,
        names.speaker(turn.speaker),
        None if text is None else visible(text),
        _emotion(turn.emotion, labels),
        None if intensity is None else [_scaled(intensity.value), INTENSITY_LEVELS.index(intensity.level)],
        None
        if change is None
        else [_scaled(change.probability), int(change.shifted), _direction(change.direction)],
        _emotion(turn.audio_only, labels),
        _emotion(turn.text_only, labels),
        ("audio" in turn.modalities) + 2 * ("text" in turn.modalities),
        _rounded(turn.loudness_dbfs, 1),
        _rounded(turn.words_per_minute, 0),
        names.flag(turn.flags),
        names.reason(turn.reasons),
        [_window(window, labels) for window in turn.windows],
        None if turn.timeline is None else _timeline(turn.timeline, labels),
        None if turn.text_confidence is None or not include_text else _scaled(turn.text_confidence),
    ]


def _window(window: Window, labels: Sequence[str]) -> list[Any]:
    return [
        _rounded(window.start, 3),
        _rounded(window.end, 3),
        _emotion(window.emotion, labels),
        None if window.intensity is None else _scaled(window.intensity.value),
    ]


def _timeline(timeline: Timeline, labels: Sequence[str]) -> list[Any]:
    """Half a window, times, whole percents per time and label, and changes as (time, before, after)."""
    nothing = (0.0,) * len(timeline.times)
    courses = [timeline.probabilities.get(label, nothing) for label in labels]
    return [
        _rounded(timeline.window / 2, 3),
        [_rounded(time, 2) for time in timeline.times],
        [[round(100 * value) for value in row] for row in zip(*courses, strict=True)],
        [[_rounded(c.time, 2), labels.index(c.before), labels.index(c.after)] for c in timeline.changes],
    ]


def _emotion(emotion: Emotion | None, labels: Sequence[str]) -> list[int] | None:
    """Top label's index, whether the model abstained, then a probability per label."""
    if emotion is None:
        return None
    probabilities = [_scaled(emotion.probabilities.get(label, 0.0)) for label in labels]
    return [labels.index(emotion.top), int(emotion.abstained), *probabilities]


def _changes(report: CallReport, labels: Sequence[str]) -> list[list[Any]]:
    index = {turn.id: i for i, turn in enumerate(report.turns)}
    return [
        [
            index[point.turn_id],
            _rounded(point.time, 3),
            _direction(point.direction),
            labels.index(point.before),
            labels.index(point.after),
            _scaled(point.probability),
        ]
        for point in report.change_points
        if point.turn_id in index
    ]


def _envelope(report: CallReport, channels: Sequence[Sequence[float]]) -> list[dict[str, Any]]:
    """One byte per bin and channel; `role` is None where a channel carries everybody."""
    present = {turn.role for turn in report.turns}
    shared = len(channels) == 1 and len(present) > 1
    known = {} if shared else {key: role for key, role in report.channels.items() if role in present}
    return [
        {
            "role": known.get(str(number)),
            "bins": base64.b64encode(bytes(round(255 * min(1.0, max(0.0, v))) for v in bins)).decode("ascii"),
        }
        for number, bins in enumerate(channels)
        if len(bins)
    ]


def _direction(direction: Direction | None) -> int:
    return -1 if direction is None else DIRECTIONS.index(direction)


def _scaled(value: float) -> int:
    return round(value * _SCALE)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
