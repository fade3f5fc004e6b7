"""Fixed decimals for every number in a report, so that equal input gives equal bytes.

Times get milliseconds, probabilities and intensities four decimals, loudness two. Nothing that is not finite
passes: a report never holds NaN.
"""

import dataclasses
import math

from mmser.types import (
    Change,
    Emotion,
    Intensity,
    Prediction,
    Redaction,
    Seconds,
    Timeline,
    Turn,
    Window,
    Word,
)


def decimals(value: float, digits: int) -> float:
    """Return `value` with `digits` decimals, never "-0.0".

    Raises:
        ValueError: if it is not finite.
    """
    if not math.isfinite(value):
        raise ValueError(f"a report holds only finite numbers, not {value}")
    return round(float(value), digits) + 0.0


def seconds(value: Seconds) -> Seconds:
    """Return a time with milliseconds."""
    return decimals(value, 3)


def optional_seconds(value: Seconds | None) -> Seconds | None:
    """Return a time with milliseconds, or None."""
    return None if value is None else seconds(value)


def probability(value: float) -> float:
    """Return a probability or intensity in [0, 1] with four decimals.

    Raises:
        ValueError: if it lies outside by more than rounding can explain.
    """
    if 0.0 <= value <= 1.0:  # nearly always: a report may hold millions of them
        return round(float(value), 4) + 0.0
    if not -1e-3 <= value <= 1 + 1e-3:
        raise ValueError(f"a probability or intensity lies in [0, 1], not at {value}")
    return decimals(min(max(value, 0.0), 1.0), 4)


def rounded_turn(turn: Turn) -> Turn:
    """Return `turn` with rounded times, also of its words."""
    return Turn(
        id=turn.id,
        start=optional_seconds(turn.start),
        end=optional_seconds(turn.end),
        channel=turn.channel,
        speaker=turn.speaker,
        role=turn.role,
        text=turn.text,
        words=tuple(_word(word) for word in turn.words),
        flags=turn.flags,
    )


def _word(word: Word) -> Word:
    confidence = None if word.confidence is None else probability(word.confidence)
    start, end = optional_seconds(word.start), optional_seconds(word.end)
    return dataclasses.replace(word, start=start, end=end, confidence=confidence)


def rounded_redaction(redaction: Redaction) -> Redaction:
    """Return `redaction` with rounded times."""
    spans = tuple(tuple(seconds(time) for time in span) for span in redaction.spans)
    return dataclasses.replace(redaction, spans=spans)


def rounded_prediction(prediction: Prediction) -> Prediction:
    """Return `prediction` with every number rounded."""
    return dataclasses.replace(
        prediction,
        emotion=_emotion(prediction.emotion),
        intensity=_intensity(prediction.intensity),
        change=_change(prediction.change),
        audio_only=None if prediction.audio_only is None else _emotion(prediction.audio_only),
        text_only=None if prediction.text_only is None else _emotion(prediction.text_only),
        windows=tuple(_window(window) for window in prediction.windows),
    )


def rounded_timeline(timeline: Timeline) -> Timeline:
    """Return `timeline` with every number rounded."""
    return Timeline(
        window=seconds(timeline.window),
        hop=seconds(timeline.hop),
        times=tuple(seconds(time) for time in timeline.times),
        probabilities={
            label: tuple(probability(value) for value in course)
            for label, course in timeline.probabilities.items()
        },
        changes=tuple(
            dataclasses.replace(change, time=seconds(change.time), strength=probability(change.strength))
            for change in timeline.changes
        ),
    )


def _window(window: Window) -> Window:
    return Window(
        start=optional_seconds(window.start),
        end=optional_seconds(window.end),
        emotion=_emotion(window.emotion),
        intensity=_intensity(window.intensity),
        change=_change(window.change),
    )


def _emotion(emotion: Emotion) -> Emotion:
    return Emotion(
        label=emotion.label,
        top=emotion.top,
        confidence=probability(emotion.confidence),
        abstained=emotion.abstained,
        probabilities={label: probability(value) for label, value in emotion.probabilities.items()},
    )


def _intensity(intensity: Intensity | None) -> Intensity | None:
    if intensity is None:
        return None
    return Intensity(value=probability(intensity.value), level=intensity.level)


def _change(change: Change | None) -> Change | None:
    return (
        None if change is None else dataclasses.replace(change, probability=probability(change.probability))
    )
