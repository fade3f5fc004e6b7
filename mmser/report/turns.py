"""One turn and its prediction → TurnReport, with a reason for whatever is missing."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from mmser.language import is_unspaced
from mmser.report.changes import NOTHING_BEFORE
from mmser.report.policy import is_withheld
from mmser.report.rounding import decimals, probability
from mmser.report.timing import to_ms
from mmser.talks import DROPPED, UNRECOGNISED
from mmser.types import Prediction, Seconds, Timeline, TranscriptInfo, Turn, TurnReport

MIN_RATE_MS: Final = 500  # a rate over less says nothing
ESTIMATED: Final = "times_estimated"
OPPOSED: Final = "words_against_voice"

NO_INTENSITY: Final = "judged from sound, and none was used"

LONG_TURN: Final[Seconds] = 4.0  # a shorter turn is one moment and has no timeline
NO_TIMELINE: Final = "no timeline was asked for"
SHORT_TURN: Final = f"the turn is shorter than {LONG_TURN:g} s"
LITTLE_SOUND: Final = "too little of the turn holds sound"

_SCORES: Final = ("emotion", "intensity", "change", "audio_only", "text_only", "timeline")


def turn_report(
    turn: Turn,
    prediction: Prediction | None,
    *,
    agent_reason: str | None,
    unscored: Mapping[str, str],
    loudness: Mapping[str, float | None],
    transcript: TranscriptInfo | None,
    has_recording: bool,
    timelines: Mapping[str, Timeline] | None = None,
) -> TurnReport:
    """Return all that is known of one turn; `turn`, `prediction` and `timelines` are rounded already.

    Without `timelines` none were asked for.

    Raises:
        ValueError: if `prediction` is for a withheld turn, or if a turn that may be scored has neither a
            prediction nor a reason in `unscored`.
    """
    withheld = is_withheld(turn.role, agent_reason, speaker=turn.speaker, channel=turn.channel)
    if prediction is not None and withheld is not None:
        raise ValueError(f"turn {turn.id!r} has a prediction although it is {withheld}")
    reasons = _input_reasons(turn, transcript, has_recording=has_recording)
    if prediction is None:
        reasons |= _no_score_reasons(turn, withheld, unscored)
    else:
        reasons |= _score_reasons(prediction)
        if turn.id not in (timelines or {}):
            reasons["timeline"] = _no_timeline(turn, prediction, asked=timelines is not None)
    rate, rate_reason = words_per_minute([turn], transcript)
    if rate is None:
        reasons["words_per_minute"] = rate_reason
    level = _loudness(turn, loudness, reasons, has_recording=has_recording)
    return TurnReport(
        id=turn.id,
        start=turn.start,
        end=turn.end,
        channel=turn.channel,
        speaker=turn.speaker,
        role=turn.role,
        text=turn.text,
        words=turn.words,
        text_confidence=_text_confidence(turn, reasons),
        emotion=prediction.emotion if prediction else None,
        intensity=prediction.intensity if prediction else None,
        change=prediction.change if prediction else None,
        modalities=prediction.modalities if prediction else (),
        audio_only=prediction.audio_only if prediction else None,
        text_only=prediction.text_only if prediction else None,
        windows=prediction.windows if prediction else (),
        timeline=(timelines or {}).get(turn.id) if prediction else None,
        loudness_dbfs=level,
        words_per_minute=rate,
        flags=(*turn.flags, OPPOSED) if prediction and prediction.opposed else turn.flags,
        reasons=reasons,
    )


def _input_reasons(turn: Turn, transcript: TranscriptInfo | None, *, has_recording: bool) -> dict[str, str]:
    reasons = {}
    for name, value in (("start", turn.start), ("end", turn.end)):
        if value is None:
            reasons[name] = "the transcript gives no times"
    if turn.channel is None:
        reasons["channel"] = "no channel is assigned" if has_recording else "no recording"
    if turn.speaker is None:
        reasons["speaker"] = "no speaker is named"
    if turn.text is None:
        reasons["text"] = "no transcript" if transcript is None else _why_no_words(turn)
    return reasons


def _why_no_words(turn: Turn) -> str:
    """Say of a turn of a call that has words why it has none itself."""
    why = [flag.removeprefix(DROPPED).replace("_", " ") for flag in turn.flags if flag.startswith(DROPPED)]
    if why:
        return f"what was recognised was not believed ({', '.join(why)})"
    return "nothing was recognised" if UNRECOGNISED in turn.flags else "no words"


def _text_confidence(turn: Turn, reasons: dict[str, str]) -> float | None:
    """Return the mean confidence of a turn's words, in [0, 1]; a word without one counts as sure."""
    stated = [word.confidence for word in turn.words]
    if any(one is not None for one in stated):
        return probability(sum(1.0 if one is None else one for one in stated) / len(stated))
    reasons["text_confidence"] = reasons.get("text", "the transcript states none")
    return None


def _no_score_reasons(turn: Turn, withheld: str | None, unscored: Mapping[str, str]) -> dict[str, str]:
    if withheld is not None:
        # The sentence stands once: 200,000 turns would repeat it a million times.
        return dict.fromkeys(_SCORES, "withheld") | {"emotion": withheld}
    if turn.id not in unscored:
        raise ValueError(f"turn {turn.id!r} may be scored but has neither a prediction nor a reason")
    return dict.fromkeys(_SCORES, unscored[turn.id])


def _score_reasons(prediction: Prediction) -> dict[str, str]:
    reasons = {}
    if prediction.intensity is None:
        reasons["intensity"] = NO_INTENSITY
    if prediction.change is None:
        reasons["change"] = NOTHING_BEFORE
    if prediction.audio_only is None:
        reasons["audio_only"] = "no sound was used"
    if prediction.text_only is None:
        reasons["text_only"] = "no words were used"
    return reasons


def _no_timeline(turn: Turn, prediction: Prediction, *, asked: bool) -> str:
    if prediction.audio_only is None:
        return "no sound was used"
    if not asked:
        return NO_TIMELINE
    return LITTLE_SOUND if is_long(turn) else SHORT_TURN


def is_long(turn: Turn) -> bool:
    """Say whether a turn is long enough for a timeline."""
    return turn.start is not None and turn.end is not None and turn.end - turn.start >= LONG_TURN


def _loudness(
    turn: Turn, loudness: Mapping[str, float | None], reasons: dict[str, str], *, has_recording: bool
) -> float | None:
    level = loudness.get(turn.id)
    if level is not None and not math.isnan(level) and level > -math.inf:
        return decimals(level, 2)
    if not has_recording:
        reasons["loudness_dbfs"] = "no recording"
    elif turn.start is None or turn.end is None:
        reasons["loudness_dbfs"] = "no times"
    else:
        reasons["loudness_dbfs"] = (
            "digital silence, or no sound here" if turn.id in loudness else "not measured"
        )
    return None


def words_per_minute(
    turns: Sequence[Turn] | Sequence[TurnReport], transcript: TranscriptInfo | None
) -> tuple[float | None, str]:
    """Return words per minute over `turns`, and the reason where it is None.

    Counted are turns with given times and words; words are tokens that hold a letter or a digit.
    """
    if transcript is not None and is_unspaced(transcript.language):
        return None, f"the language {transcript.language!r} is written without spaces between words"
    counted, length, reason = 0, 0, "no turn"
    for turn in turns:
        if not turn.text and not turn.words:
            reason = "no words known"
        elif turn.start is None or turn.end is None:
            reason = "no times"
        elif ESTIMATED in turn.flags or (transcript is not None and transcript.times == "estimated"):
            reason = "times are estimated"
        else:
            counted += count_words(turn)
            length += max(to_ms(turn.end) - to_ms(turn.start), 0)
            reason = f"less than {MIN_RATE_MS / 1000} s of speech"
    if length < MIN_RATE_MS:
        return None, reason
    return decimals(counted / (length / 60_000), 1), ""


def count_words(turn: Turn | TurnReport) -> int:
    """Return how many words a turn holds: its words where they are listed, else its text's tokens."""
    tokens = [word.text for word in turn.words] if turn.words else (turn.text or "").split()
    return sum(1 for token in tokens if any(character.isalnum() for character in token))
