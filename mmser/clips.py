"""Single clips: one voice, no call, no role."""

import dataclasses
from dataclasses import dataclass, field
from os import PathLike, fspath
from typing import TYPE_CHECKING

from mmser.audio import AudioSource
from mmser.channels import louder_channel
from mmser.errors import MmserError
from mmser.hearing import NO_SOUND
from mmser.record import Record
from mmser.report.policy import CLIP_NOTICE
from mmser.report.rounding import decimals, rounded_prediction, seconds
from mmser.report.turns import NO_INTENSITY
from mmser.scoring import Scorer
from mmser.types import Emotion, Intensity, Seconds, Turn, Window

if TYPE_CHECKING:
    from mmser.model import MmserModel, MmserProcessor


@dataclass(frozen=True, kw_only=True)
class ClipReport(Record):
    """What is said of one clip; a None has its reason in `reasons`, a clip that failed its `error`."""

    clip: str
    duration: Seconds | None = None
    channel: int | None = None  # 0-based, the one that was listened to
    text: str | None = None
    emotion: Emotion | None = None
    intensity: Intensity | None = None
    modalities: tuple[str, ...] = ()
    audio_only: Emotion | None = None
    text_only: Emotion | None = None
    windows: tuple[Window, ...] = ()  # only where the clip was longer than one window
    loudness_dbfs: float | None = None  # root mean square, relative to full scale
    reasons: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    error: str | None = None
    notice: str = CLIP_NOTICE


def clip_name(clip: object, number: int) -> str:
    """Return what to call a clip: its path, else its place in the list, from 1."""
    if clip is None:
        return f"text {number}"
    return fspath(clip) if isinstance(clip, str | PathLike) else f"clip {number}"


def failed_clip(name: str, error: MmserError) -> ClipReport:
    """Record why a clip has no answer."""
    return ClipReport(clip=name, error=str(error))


def score_clip(
    name: str,
    source: AudioSource | None,
    text: str | None,
    *,
    model: "MmserModel",
    processor: "MmserProcessor",
    words_read: bool = True,
) -> ClipReport:
    """Judge one clip, as the only utterance of its speaker; of several channels, the loudest.

    Without a `source` the words alone are judged.
    """
    words = text.strip() if text and text.strip() else None
    turn, warnings = _as_turn(name, source, words)
    read = None if source is None else source.read
    scores = Scorer(model, processor, read=read, withheld=lambda _: False, use_words=words_read).run([turn])
    reasons = {} if source is not None else dict.fromkeys(("duration", "channel", "loudness_dbfs"), NO_SOUND)
    if turn.id in scores.no_sound:
        reasons["audio_only"] = scores.no_sound[turn.id]
    if words is None or not words_read:
        reasons["text_only"] = (
            "no text was given" if words is None else "the model does not read this language"
        )
    loudness = scores.loudness.get(turn.id)
    report = ClipReport(
        clip=name,
        duration=None if source is None else seconds(source.duration),
        channel=turn.channel,
        text=words,
        loudness_dbfs=None if loudness is None else decimals(loudness, 2),
        reasons=reasons,
        warnings=tuple(warnings),
    )
    if turn.id not in scores.predictions:
        why = (
            reasons["text_only"]
            if source is None and "text_only" in reasons
            else reasons.get("audio_only", "there is nothing to judge")
        )
        return dataclasses.replace(report, reasons={**reasons, "emotion": why, "intensity": why})
    said = rounded_prediction(scores.predictions[turn.id])
    if said.intensity is None:
        report.reasons["intensity"] = NO_INTENSITY
    return dataclasses.replace(
        report,
        emotion=said.emotion,
        intensity=said.intensity,
        modalities=said.modalities,
        audio_only=said.audio_only,
        text_only=said.text_only,
        windows=said.windows,
    )


def _as_turn(name: str, source: AudioSource | None, words: str | None) -> tuple[Turn, list[str]]:
    """Return a clip as the one turn of a call, and what must be said of its sound."""
    if source is None:
        return Turn(id="clip", start=None, end=None, speaker="clip", text=words), []
    warnings = list(source.warnings)
    channel, lead = louder_channel(source)
    if source.num_channels > 1:
        warnings.append(
            f"{name} has {source.num_channels} channels; only channel {channel}, the loudest, was used"
            + ("" if lead else " (others are as loud)")
        )
    turn = Turn(id="clip", start=source.start, end=source.end, channel=channel, speaker="clip", text=words)
    return turn, warnings
