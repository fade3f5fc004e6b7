"""What the model says of utterances → what the report says of their turn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mmser.labels import DIRECTIONS, IntensityLevel
from mmser.types import Change, Emotion, Intensity, Prediction, Turn, Window
from mmser.utterances import Utterance

Row = list[float]


class Thresholds(Protocol):
    """The part of the model's config that turns numbers into words."""

    abstain_below: float
    abstain_opposed: float
    change_thresholds: Mapping[str, float]  # of fused, audio and text
    intensity_thresholds: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The model's calibrated answer for one utterance, as plain numbers."""

    emotion: Row  # (classes,)
    intensity: float  # [0, 1]; means nothing without sound
    change: float | None  # P(shift); None on the speaker's first utterance
    direction: Row  # (3,) in the order of `DIRECTIONS`
    audio_only: Row | None  # (classes,); None without sound
    text_only: Row | None  # (classes,); None without words
    opposition: float | None = None  # P(words and voice oppose each other); None unless both are there


@dataclass
class TurnAnswers:
    """The utterances of one turn with their answers, in order."""

    turn: Turn
    pieces: list[tuple[Utterance, Answer]] = field(default_factory=list)


def label_order(id2label: Mapping[Any, str] | None) -> tuple[str, ...]:
    """Return a model's labels in the order of their ids, which JSON may have made into texts."""
    return tuple(label for _, label in sorted((int(key), label) for key, label in (id2label or {}).items()))


def predict_turn(answers: TurnAnswers, labels: Sequence[str], thresholds: Thresholds) -> Prediction:
    """Return the turn's prediction: means weighted by duration, and the change of its first utterance."""
    pieces = answers.pieces
    weights = [utterance.weight for utterance, _ in pieces]
    emotion = _mean([answer.emotion for _, answer in pieces], weights)
    mean = _mean([None if a.opposition is None else [a.opposition] for _, a in pieces], weights)
    opposition = 0.0 if mean is None else mean[0]
    assert emotion is not None
    audio = _mean([answer.audio_only for _, answer in pieces], weights)
    text = _mean([answer.text_only for _, answer in pieces], weights)
    used = [name for name, mean in (("audio", audio), ("text", text)) if mean is not None]
    return Prediction(
        turn_id=answers.turn.id,
        opposed=opposition > thresholds.abstain_opposed,
        emotion=to_emotion(emotion, labels, thresholds, opposition),
        intensity=_to_intensity([answer for _, answer in pieces], weights, thresholds),
        change=_to_change(pieces[0][1], thresholds),
        modalities=tuple(used),
        audio_only=None if audio is None else to_emotion(audio, labels, thresholds),
        text_only=None if text is None else to_emotion(text, labels, thresholds),
        windows=tuple(_to_window(piece, labels, thresholds) for piece in pieces) if len(pieces) > 1 else (),
    )


def to_emotion(
    probabilities: Row, labels: Sequence[str], thresholds: Thresholds, opposition: float = 0.0
) -> Emotion:
    """Return class probabilities, (classes,), as a record that abstains by the model's thresholds."""
    best = max(range(len(labels)), key=lambda index: probabilities[index])
    confidence = probabilities[best]
    abstained = confidence < thresholds.abstain_below or opposition > thresholds.abstain_opposed
    return Emotion(
        label=None if abstained else labels[best],
        top=labels[best],
        confidence=confidence,
        abstained=abstained,
        probabilities=dict(zip(labels, probabilities, strict=True)),
    )


def to_intensity(value: float, thresholds: Thresholds) -> Intensity:
    """Return an intensity in [0, 1] with its level."""
    medium, high = thresholds.intensity_thresholds
    level: IntensityLevel = "low" if value < medium else "medium" if value < high else "high"
    return Intensity(value=value, level=level)


def _to_intensity(
    answers: Sequence[Answer], weights: Sequence[float], thresholds: Thresholds
) -> Intensity | None:
    # Intensity is learned from voices alone: on an utterance without sound the model's number is made up.
    heard = _mean([None if answer.audio_only is None else [answer.intensity] for answer in answers], weights)
    return None if heard is None else to_intensity(heard[0], thresholds)


def _to_change(answer: Answer, thresholds: Thresholds) -> Change | None:
    if answer.change is None:
        return None
    one = "text" if answer.audio_only is None else "audio" if answer.text_only is None else "fused"
    shifted = answer.change >= thresholds.change_thresholds[one]
    best = max(range(len(DIRECTIONS)), key=lambda index: answer.direction[index])
    return Change(probability=answer.change, shifted=shifted, direction=DIRECTIONS[best] if shifted else None)


def _to_window(piece: tuple[Utterance, Answer], labels: Sequence[str], thresholds: Thresholds) -> Window:
    utterance, answer = piece
    return Window(
        start=utterance.start,
        end=utterance.end,
        emotion=to_emotion(answer.emotion, labels, thresholds, answer.opposition or 0.0),
        intensity=_to_intensity([answer], [1.0], thresholds),
        change=_to_change(answer, thresholds),
    )


def _mean(rows: Sequence[Row | None], weights: Sequence[float]) -> Row | None:
    """Return the weighted mean of the rows that exist, or None without any."""
    present = [(row, weight) for row, weight in zip(rows, weights, strict=True) if row is not None]
    if len(present) < 2:
        return list(present[0][0]) if present else None
    total = sum(weight for _, weight in present)
    return [
        sum(row[index] * weight for row, weight in present) / total for index in range(len(present[0][0]))
    ]
