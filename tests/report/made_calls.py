"""Made-up calls of every shape, as finished reports, for the tests of the HTML page."""

import io
import random
from dataclasses import replace

import numpy as np
import soundfile

from mmser.labels import EMOTIONS, direction_of
from mmser.types import (
    SCHEMA,
    CallReport,
    Change,
    ChangePoint,
    Conversation,
    Delta,
    Emotion,
    Intensity,
    Interruption,
    ModelInfo,
    Policy,
    Quarter,
    Recording,
    RoleSummary,
    Timeline,
    TimelineChange,
    TranscriptInfo,
    TurnReport,
    Window,
)

NO_TIMES = "the transcript carries no times"
WITHHELD = "withheld: agents are workers; give a reason (medical, safety, research-consented) to analyse them"
LINES = {
    "agent": (
        "Thank you for calling, how can I help you today?",
        "I am sorry to hear that, let me look up the order.",
        "Could you give me the postcode of the delivery address, please?",
        "I can send a replacement today and refund the postage.",
    ),
    "customer": (
        "The parcel never came and this is the third time I call about it.",
        "No, that is not what I was told last week!",
        "Oh. That is quicker than I expected, thank you.",
        "Yes.",
        "I have waited at home two whole days, nobody rang and nobody wrote, and your page says delivered.",
    ),
}


def emotion(label: str, confidence: float, *, abstain_below: float = 0.4) -> Emotion:
    """An answer whose other classes share what `label` leaves."""
    rest = round((1 - confidence) / (len(EMOTIONS) - 1), 4)
    probabilities = {name: confidence if name == label else rest for name in EMOTIONS}
    abstained = confidence < abstain_below
    return Emotion(
        label=None if abstained else label,
        top=label,
        confidence=confidence,
        abstained=abstained,
        probabilities=probabilities,
    )


def turn(number: int, start: float | None, end: float | None, **fields: object) -> TurnReport:
    """A customer's turn with nothing predicted; `fields` replace the rest."""
    empty = TurnReport(
        id=f"t{number}",
        start=start,
        end=end,
        channel=1,
        speaker="Speaker 1",
        role="customer",
        text=None,
        words=(),
        emotion=None,
        intensity=None,
        change=None,
        modalities=(),
        audio_only=None,
        text_only=None,
        windows=(),
        timeline=None,
        loudness_dbfs=None,
        words_per_minute=None,
        flags=(),
        reasons={},
    )
    return replace(empty, **fields)  # type: ignore[arg-type]


def withheld(
    number: int, start: float | None, end: float | None, text: str | None, role: str = "agent"
) -> TurnReport:
    """A turn that the policy keeps out."""
    names = ("emotion", "intensity", "change", "audio_only", "text_only", "modalities")
    return turn(
        number,
        start,
        end,
        role=role,
        speaker="Agent" if role == "agent" else "Speaker 2",
        channel=0,
        text=text,
        loudness_dbfs=-24.5,
        words_per_minute=150.0 if text else None,
        reasons=dict.fromkeys(names, WITHHELD),
    )


def scored(
    number: int, start: float | None, end: float | None, text: str | None, rng: random.Random, drift: float
) -> TurnReport:
    """A customer's turn whose anger gives way to happiness as `drift` goes from 0 to 1."""
    mood = rng.random()
    if mood < 0.45 * (1 - drift) + 0.08:
        label = "anger"
    elif mood < 0.6:
        label = "neutral"
    elif mood < 0.6 + 0.3 * drift:
        label = "happiness"
    else:
        label = rng.choice(("sadness", "surprise", "fear", "disgust", "neutral"))
    confidence = round(rng.uniform(0.3, 0.95), 4)
    strength = round(min(1.0, max(0.05, rng.gauss(0.25 if label == "neutral" else 0.6, 0.18))), 4)
    level = "low" if strength < 1 / 3 else "medium" if strength < 2 / 3 else "high"
    by_text = (
        emotion(rng.choice((label, label, "neutral")), round(rng.uniform(0.4, 0.9), 4)) if text else None
    )
    first = number <= 2
    reasons = {"change": "this speaker's first turn"} if first else {}
    if text is None:
        reasons["text_only"] = "no words"
    heard = start is not None
    if not heard:
        reasons |= {
            "audio_only": "no recording",
            "loudness_dbfs": "no recording",
            "words_per_minute": NO_TIMES,
        }
    return turn(
        number,
        start,
        end,
        text=text,
        emotion=emotion(label, confidence),
        intensity=Intensity(value=strength, level=level),
        change=None if first else Change(probability=0.2, shifted=False, direction=None),
        modalities=("audio",) * heard + ("text",) * bool(text),
        audio_only=emotion(label, round(min(0.97, confidence + 0.05), 4)) if heard else None,
        text_only=by_text,
        loudness_dbfs=-22.1 if heard else None,
        words_per_minute=168.0 if text and heard else None,
        reasons=reasons,
    )


def with_changes(turns: list[TurnReport]) -> tuple[list[TurnReport], list[ChangePoint]]:
    """Mark a shift wherever the customer's label moved."""
    points, previous = [], None
    for i, item in enumerate(turns):
        if item.emotion is None or item.emotion.label is None:
            continue
        if previous is not None and previous != item.emotion.label:
            way = direction_of(previous, item.emotion.label)
            turns[i] = replace(item, change=Change(probability=0.81, shifted=True, direction=way))
            points.append(
                ChangePoint(
                    time=item.start,
                    turn_id=item.id,
                    speaker=item.speaker,
                    role=item.role,
                    probability=0.81,
                    direction=way,
                    before=previous,
                    after=item.emotion.label,
                )
            )
        previous = item.emotion.label
    return turns, points


def quarters(duration: float | None) -> tuple[Quarter, ...]:
    """Four quarters, the third without a scored turn."""
    shares = ((0.5, 0.1, 0.2), (0.35, 0.1, 0.35), None, (0.08, 0.4, 0.4))
    made = []
    for number, share in enumerate(shares):
        span = (None, None) if duration is None else (duration * number / 4, duration * (number + 1) / 4)
        probabilities = None
        if share is not None:
            rest = (1 - sum(share)) / 4
            probabilities = dict.fromkeys(EMOTIONS, rest) | dict(
                zip(("anger", "happiness", "neutral"), share, strict=True)
            )
        made.append(
            Quarter(
                start=span[0],
                end=span[1],
                num_turns=0 if share is None else 6,
                probabilities=probabilities,
                intensity=None if share is None else 0.5 - 0.05 * number,
            )
        )
    return tuple(made)


def summaries(turns: list[TurnReport], duration: float | None) -> tuple[RoleSummary, ...]:
    """One summary per role present."""
    made = []
    for role in ("agent", "customer", "unknown"):
        own = [item for item in turns if item.role == role]
        answers = [item.emotion for item in own if item.emotion is not None]
        if not own:
            continue
        untimed = duration is None
        counts = {name: sum(a.label == name for a in answers) for name in EMOTIONS} if answers else {}
        counts["uncertain"] = sum(a.abstained for a in answers)
        missing = dict.fromkeys(("talk_time", "talk_share", "words_per_minute", "interruptions"), NO_TIMES)
        made.append(
            RoleSummary(
                role=role,
                speakers=tuple(sorted({item.speaker for item in own if item.speaker})),
                num_turns=len(own),
                num_scored=len(answers),
                num_abstained=sum(a.abstained for a in answers),
                talk_time=None if untimed else sum((t.end or 0) - (t.start or 0) for t in own),
                talk_share=None if untimed else 0.5,
                words_per_minute=None if untimed else 158.0,
                interruptions=None if untimed else 2,
                shares={k: v / len(answers) for k, v in counts.items()} if answers else None,
                quarters=quarters(duration) if answers else (),
                deltas=(
                    Delta(emotion="anger", value=-0.42, low=-0.6, high=-0.21),
                    Delta(emotion="happiness", value=0.3, low=0.08, high=0.5),
                    Delta(emotion="neutral", value=0.2, low=-0.1, high=0.44),
                )
                if answers
                else (),
                reasons=missing if untimed else {},
            )
        )
    return tuple(made)


def call(
    turns: list[TurnReport], duration: float | None, points: list[ChangePoint] | None = None, **fields: object
) -> CallReport:
    """A report around `turns`; without a duration there is no recording."""
    held: dict[str, int] = {}
    for item in turns:
        if item.reasons.get("emotion", "").startswith("withheld"):
            held[item.role] = held.get(item.role, 0) + 1
    report = CallReport(
        schema=SCHEMA,
        mmser_version="0.1.0",
        model=ModelInfo(
            id="mmser/default",
            revision="9f2c" * 16,
            license="CC-BY-NC-SA-4.0",
            labels=EMOTIONS,
            languages=("en",),
            calibration={"emotion.fused": 1.31, "emotion.audio": 1.12, "emotion.text": 1.48},
            abstain_below=0.4,
            abstain_opposed=1.0,
        ),
        recording=None
        if duration is None
        else Recording(
            id="call-0412.wav",
            path="call-0412.wav",
            duration=duration,
            sampling_rate=8000,
            num_channels=2,
            sha256="ab12" * 16,
        ),
        transcript=TranscriptInfo(
            path="call-0412.vtt",
            format="webvtt",
            sha256="cd34" * 16,
            language="en",
            times="none" if duration is None else "given",
        ),
        part=None,
        channels={} if duration is None else {"0": "agent", "1": "customer"},
        policy=Policy(
            agent_reason=None,
            withheld_turns=held,
            notice="Emotion of workers is not inferred: Article 5(1)(f) of the EU AI Act forbids it at work "
            "except for medical or safety reasons. Agent turns keep talk time, speed and interruptions only.",
        ),
        turns=tuple(turns),
        change_points=tuple(points or ()),
        roles=summaries(turns, duration),
        conversation=Conversation(
            talk_time=None if duration is None else duration * 0.8,
            non_talk=None if duration is None else duration * 0.2,
            longest_silence=None if duration is None else 6.4,
            overlap=None if duration is None else 3.2,
            interruptions=()
            if duration is None
            else (Interruption(time=12.0, turn_id="t2", by="customer", of="agent", overlap=1.4),),
            reasons=dict.fromkeys(("talk_time", "non_talk", "longest_silence", "overlap"), NO_TIMES)
            if duration is None
            else {},
        ),
        rules=(),
    )
    return replace(report, **fields)  # type: ignore[arg-type]


def dialogue(
    count: int = 36, *, seed: int = 4, words: bool = True, times: bool = True, turn_seconds: float = 6.8
) -> CallReport:
    """An agent and a customer in turns; `count` turns."""
    rng, turns, clock = random.Random(seed), [], 0.8
    for number in range(1, count + 1):
        role = "agent" if number % 2 else "customer"
        lasts = rng.uniform(0.25, 1.75) * turn_seconds
        start, end = (round(clock, 2), round(clock + lasts, 2)) if times else (None, None)
        text = rng.choice(LINES[role]) if words else None
        if role == "agent":
            turns.append(withheld(number, start, end, text))
        else:
            turns.append(scored(number, start, end, text, rng, number / count))
        clock += lasts + rng.choice((-0.3, 0.2, 0.6, 1.5))
    turns, points = with_changes(turns)
    return call(turns, round(clock + 1, 2) if times else None, points)


def long_turn_call() -> CallReport:
    """One customer turn of a minute, in windows."""
    rng = random.Random(1)
    windows = tuple(
        Window(
            start=20.0 * k,
            end=20.0 * (k + 1),
            emotion=emotion(label, 0.7),
            change=None,
            intensity=Intensity(value=0.3 + 0.2 * k, level="medium"),
        )
        for k, label in enumerate(("neutral", "sadness", "anger"))
    )
    item = replace(scored(2, 0.0, 60.0, LINES["customer"][4], rng, 0.1), windows=windows)
    return call([item], 60.0)


def moving_call() -> CallReport:
    """One customer turn of 12 s whose voice moves from neutral to anger, with its timeline."""
    times = tuple(1.0 + 0.5 * k for k in range(21))
    anger = tuple(0.1 if time < 6 else 0.7 for time in times)
    rest = tuple(round((1 - p) / (len(EMOTIONS) - 1), 4) for p in anger)
    courses = dict.fromkeys(EMOTIONS, rest) | {"anger": anger, "neutral": tuple(0.8 - p for p in anger)}
    moved = TimelineChange(time=6.0, strength=0.6, direction="worse", before="neutral", after="anger")
    timeline = Timeline(window=2.0, hop=0.5, times=times, probabilities=courses, changes=(moved,))
    item = scored(2, 0.0, 12.0, LINES["customer"][4], random.Random(1), 0.1)
    return call([replace(item, timeline=timeline), withheld(3, 12.5, 14.0, "I see.")], 15.0)


def envelope(duration: float, turns: tuple[TurnReport, ...], bins: int = 1200) -> list[list[float]]:
    """Loudness of two channels that speak where their turns are."""
    rng = np.random.default_rng(0)
    channels = np.zeros((2, bins))
    for item in turns:
        if item.start is None or item.end is None:
            continue
        a, b = int(item.start / duration * bins), int(item.end / duration * bins) + 1
        channels[0 if item.role == "agent" else 1, a:b] = rng.beta(1.6, 3.0, size=len(channels[0, a:b]))
    return [[float(v) for v in channel] for channel in channels]


def tone(duration: float, *, container: str = "WAV") -> bytes:
    """A quiet 8 kHz tone of `duration` seconds."""
    wave = 0.1 * np.sin(2 * np.pi * 220 * np.arange(int(8000 * duration)) / 8000)
    out = io.BytesIO()
    soundfile.write(out, wave.astype(np.float32), 8000, format=container)
    return out.getvalue()
