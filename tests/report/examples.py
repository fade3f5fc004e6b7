"""A call worth looking at: hand-written turns and predictions, put together by `build_report`."""

import random

from mmser.labels import EMOTIONS, VALENCE, direction_of
from mmser.report.build import build_report
from mmser.types import (
    CallReport,
    Change,
    Emotion,
    Intensity,
    ModelInfo,
    Prediction,
    Recording,
    TranscriptInfo,
    Turn,
    Window,
    Word,
)

ABSTAIN_BELOW = 0.4
MODEL = ModelInfo(
    id="mmser-default",
    revision="0" * 64,
    license="cc-by-nc-sa-4.0",
    labels=EMOTIONS,
    languages=("en",),
    calibration={"emotion.fused": 1.3, "emotion.audio": 1.5, "emotion.text": 1.2, "change": 1.1},
    abstain_below=ABSTAIN_BELOW,
    abstain_opposed=1.0,
)
RECORDING = Recording(
    id="call", path="call.wav", duration=64.0, sampling_rate=8000, num_channels=2, sha256="a" * 64
)
TRANSCRIPT = TranscriptInfo(path="call.vtt", format="webvtt", sha256="b" * 64, language="en", times="given")

# (start, end, role, text, top emotion, its probability, intensity); None = not scored
LINES = [
    (0.4, 3.1, "agent", "Thank you for calling, how can I help you?", None, 0, 0),
    (3.6, 8.2, "customer", "Hi, I am calling about the bill I got this morning.", "neutral", 0.71, 0.22),
    (8.5, 11.0, "agent", "Sure, may I have the number on the bill?", None, 0, 0),
    (11.6, 16.4, "customer", "It is four five one. It is twice what I pay!", "surprise", 0.52, 0.48),
    (16.6, 20.0, "agent", "I see. One moment, let me look at that.", None, 0, 0),
    (27.5, 31.5, "customer", "I have called three times about this already.", "anger", 0.63, 0.66),
    (30.6, 34.0, "agent", "I understand, I am checking it right now.", None, 0, 0),
    (34.4, 40.8, "customer", "You said that last time! Nobody ever fixes it.", "anger", 0.86, 0.91),
    (41.0, 46.0, "agent", "I found the mistake, we will pay you back today.", None, 0, 0),
    (42.9, 43.4, "customer", "Mhm.", "neutral", 0.33, 0.18),
    (46.7, 51.0, "customer", "Oh. All of it? Today?", "surprise", 0.47, 0.41),
    (51.3, 54.4, "agent", "Yes, all of it, and I am sorry for the trouble.", None, 0, 0),
    (55.0, 58.6, "customer", "Great, thank you so much, that really helps.", "happiness", 0.78, 0.57),
    (59.0, 61.2, "agent", "You are welcome. Have a good day.", None, 0, 0),
    (61.6, 63.0, "customer", "You too, bye.", "happiness", 0.55, 0.31),
]


def emotion(top: str, confidence: float, labels=EMOTIONS) -> Emotion:
    """An emotion whose remaining probability is spread over the other labels, most on neutral's side."""
    others = [label for label in labels if label != top]
    weights = [3.0 if VALENCE.get(label) == VALENCE.get(top) else 1.0 for label in others]
    rest = {label: (1 - confidence) * w / sum(weights) for label, w in zip(others, weights, strict=True)}
    probabilities = {label: confidence if label == top else rest[label] for label in labels}
    abstained = confidence < ABSTAIN_BELOW
    return Emotion(
        label=None if abstained else top,
        top=top,
        confidence=confidence,
        abstained=abstained,
        probabilities=probabilities,
    )


def intensity(value: float) -> Intensity:
    """An intensity with its level."""
    return Intensity(value=value, level="low" if value < 1 / 3 else "medium" if value < 2 / 3 else "high")


def change(before: str | None, after: str) -> Change | None:
    """A change between two top emotions; None without a `before`."""
    if before is None:
        return None
    shifted = before != after
    direction = direction_of(before, after) if shifted else None
    return Change(probability=0.82 if shifted else 0.17, shifted=shifted, direction=direction)


def prediction(
    turn_id: str,
    top: str,
    confidence: float,
    strength: float = 0.5,
    before: str | None = None,
    windows: tuple[Window, ...] = (),
) -> Prediction:
    """A prediction from sound and words."""
    return Prediction(
        turn_id=turn_id,
        emotion=emotion(top, confidence),
        intensity=intensity(strength),
        change=change(before, top),
        modalities=("audio", "text"),
        audio_only=emotion(top, confidence * 0.9),
        text_only=emotion("neutral", 0.6),
        windows=windows,
    )


def words_of(text: str, start: float, end: float) -> tuple[Word, ...]:
    """The words of `text`, evenly over its time."""
    tokens = text.split()
    step = (end - start) / len(tokens)
    return tuple(
        Word(text=token, start=start + i * step, end=start + (i + 1) * step, confidence=0.9)
        for i, token in enumerate(tokens)
    )


def example_turns(lines=LINES) -> tuple[Turn, ...]:
    """The turns of `lines`: the agent on channel 0, the customer on channel 1."""
    return tuple(
        Turn(
            id=f"t{number}",
            start=start,
            end=end,
            channel=0 if role == "agent" else 1,
            speaker="Agent" if role == "agent" else "Customer",
            role=role,
            text=text,
            words=words_of(text, start, end) if text else (),
        )
        for number, (start, end, role, text, *_) in enumerate(lines, 1)
    )


def example_predictions(lines=LINES, *, score_agents: bool = False) -> tuple[Prediction, ...]:
    """Predictions for the customer's turns, and on demand neutral ones for the agent's."""
    found, before = [], {"customer": None, "agent": None}
    for number, (_, _, role, _, top, confidence, strength) in enumerate(lines, 1):
        if role == "agent" and not score_agents:
            continue
        if role == "agent":
            top, confidence, strength = "neutral", 0.8, 0.2
        found.append(prediction(f"t{number}", top, confidence, strength, before[role]))
        before[role] = top
    return tuple(found)


def example_report(*, agent_reason: str | None = None, **overrides) -> CallReport:
    """The example call's report; any argument of `build_report` can be given anew."""
    turns = example_turns()
    arguments = {
        "model": MODEL,
        "recording": RECORDING,
        "transcript": TRANSCRIPT,
        "turns": turns,
        "predictions": example_predictions(score_agents=agent_reason is not None),
        "loudness": {turn.id: -20.0 - i for i, turn in enumerate(turns)},
        "channels": {0: "agent", 1: "customer"},
        "duration": RECORDING.duration,
        "part": None,
        "agent_reason": agent_reason,
    }
    return build_report(**(arguments | overrides))


def many_turns(count: int) -> tuple[tuple[Turn, ...], tuple[Prediction, ...]]:
    """A very long call: turns of 2 s that overlap a little, two speakers, and the customer's predictions."""
    rng = random.Random(7)
    turns, predictions, before = [], [], None
    for number in range(count):
        role = "customer" if number % 2 else "agent"
        start = number * 1.8
        turn = Turn(
            id=f"t{number + 1}",
            start=start,
            end=start + 2.0 + rng.random(),
            channel=number % 2,
            speaker=role.title(),
            role=role,
            text="one two three",
        )
        turns.append(turn)
        if role == "customer":
            top = rng.choice(EMOTIONS)
            predictions.append(prediction(turn.id, top, 0.6, rng.random(), before))
            before = top
    return tuple(turns), tuple(predictions)
