"""What was found out about one call → its report."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmser.audio import AudioSource
from mmser.calls import UNREAD, Call, is_part
from mmser.report.build import build_report
from mmser.report.rules import Rule
from mmser.scoring import Scores
from mmser.types import CallReport, ModelInfo, Recording, Seconds, Timeline, Turn


@dataclass(frozen=True, kw_only=True)
class Described:
    """All that a report tells of a call beside what the model says; no sound."""

    call: Call
    recording: Recording | None
    part: tuple[Seconds, Seconds] | None  # where the recording was cut to one
    warnings: tuple[str, ...]


def described(call: Call, source: AudioSource | None, warnings: Sequence[str] = ()) -> Described:
    """Return what the report needs of an opened recording, which may be closed after it.

    Args:
        call: what `prepare_call` returned.
        source: the recording; None for words alone.
        warnings: those beside the recording's and the call's own.
    """
    return Described(
        call=call,
        recording=None if source is None else source.recording,
        part=(source.start, source.end) if source is not None and is_part(source) else None,
        warnings=(*(source.warnings if source is not None else ()), *call.warnings, *warnings),
    )


def report_of(
    found: Described,
    scores: Scores,
    timelines: Mapping[str, Timeline] | None,
    *,
    model: ModelInfo,
    agent_reason: str | None,
    rules: Sequence[Rule] = (),
) -> CallReport:
    """Return the report of one call.

    Args:
        found: the call and its recording.
        scores: what the model says of its turns.
        timelines: turn id → how a long turn sounds; None = none was asked for.
        model: which weights spoke.
        agent_reason: ground on which agents were scored; None = they were withheld.
        rules: to be matched.
    """
    call, recording = found.call, found.recording
    report = build_report(
        model=model,
        recording=recording,
        transcript=call.transcript,
        turns=call.turns,
        predictions=list(scores.predictions.values()),
        loudness=scores.loudness,
        channels=call.channels,
        duration=None if recording is None else recording.duration,
        part=found.part,
        agent_reason=agent_reason,
        unscored=_unscored(call.turns, scores),
        timelines=timelines,
        recognition=call.recognition,
        redaction=call.redaction,
        rules=rules,
        warnings=found.warnings,
    )
    return _with_reasons(report, scores)


def _unscored(turns: Sequence[Turn], scores: Scores) -> dict[str, str]:
    """Say of each turn without a prediction why, where the policy is not the cause."""
    unread = {turn.id for turn in turns if UNREAD in turn.flags}
    return {
        key: f"{why}, and the model does not read this language" if key in unread else why
        for key, why in scores.no_sound.items()
        if key not in scores.predictions
    }


def _with_reasons(report: CallReport, scores: Scores) -> CallReport:
    """Say of each turn why it has no acoustic answer, or no verbal one, where the cause is known."""
    turns = []
    for turn in report.turns:
        known = {}
        if turn.id in scores.no_sound and "audio_only" in turn.reasons:
            known["audio_only"] = scores.no_sound[turn.id]
        if UNREAD in turn.flags and turn.emotion is not None:
            known["text_only"] = "the model does not read this language"
        turns.append(dataclasses.replace(turn, reasons={**turn.reasons, **known}) if known else turn)
    return dataclasses.replace(report, turns=tuple(turns))
