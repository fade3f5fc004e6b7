"""Turns and predictions → CallReport: the one place where a report is put together."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence

from mmser import __version__
from mmser.labels import ROLES, Role
from mmser.report.changes import settle_changes
from mmser.report.clock import call_clock
from mmser.report.conversation import measure_conversation
from mmser.report.policy import AgentReason, check_agent_reason, is_withheld, notice_of
from mmser.report.rounding import (
    rounded_prediction,
    rounded_redaction,
    rounded_timeline,
    rounded_turn,
    seconds,
)
from mmser.report.rules import Rule, match_rules
from mmser.report.summary import summarize_roles
from mmser.report.turns import turn_report, words_per_minute
from mmser.types import (
    SCHEMA,
    CallReport,
    ModelInfo,
    Policy,
    Prediction,
    Recognition,
    Recording,
    Redaction,
    Seconds,
    Timeline,
    TranscriptInfo,
    Turn,
    TurnReport,
)


def build_report(
    *,
    model: ModelInfo,
    recording: Recording | None,
    transcript: TranscriptInfo | None,
    turns: Sequence[Turn],
    predictions: Sequence[Prediction],
    loudness: Mapping[str, float | None],
    channels: Mapping[int, Role],
    duration: Seconds | None,
    part: tuple[Seconds, Seconds] | None,
    agent_reason: str | None,
    unscored: Mapping[str, str] | None = None,
    timelines: Mapping[str, Timeline] | None = None,
    recognition: Recognition | None = None,
    redaction: Redaction | None = None,
    rules: Sequence[Rule] = (),
    warnings: Sequence[str] = (),
    errors: Sequence[str] = (),
) -> CallReport:
    """Return the report of one call; equal arguments give equal reports.

    Args:
        model: Which weights spoke.
        recording: None for a transcript without sound.
        transcript: None for sound without words.
        turns: All turns of the call, in order of start.
        predictions: One for each turn that was scored, in any order.
        loudness: Turn id → root mean square in dBFS, or None where it cannot be told.
        channels: 0-based channel → role; empty without sound.
        duration: Length of the call; None where it is not known.
        part: The analysed (start, end), or None for all; turn times count from the recording's start.
        agent_reason: One of `policy.AGENT_REASONS`, or None to withhold agents.
        unscored: Turn id → why a turn that policy allows has no prediction.
        timelines: Turn id → how a long turn sounds from moment to moment; None = none was asked for.
        recognition: How mmser recognised the words, where it did.
        redaction: What was taken out of the words, where that was asked for.
        rules: Rules to match.
        warnings: Sentences for the user.
        errors: Sentences for the user about what failed.

    Raises:
        UsageError: if `agent_reason` is not one of those allowed.
        ValueError: if a prediction is for a withheld, unknown or already scored turn, if a turn that may be
            scored has neither a prediction nor a reason, or if a number is not finite.
    """
    reason, given = check_agent_reason(agent_reason), _by_turn(turns, predictions)
    rounded = tuple(rounded_turn(turn) for turn in turns)
    heard = recording is not None
    courses = None if timelines is None else {key: rounded_timeline(one) for key, one in timelines.items()}
    reports = tuple(
        turn_report(
            turn,
            given.get(turn.id),
            agent_reason=reason,
            unscored=unscored or {},
            loudness=loudness,
            transcript=transcript,
            has_recording=heard,
            timelines=courses,
        )
        for turn in rounded
    )
    report = _measured(model, recording, transcript, part, duration, rounded, reports, reason)
    roles = {str(channel): channels[channel] for channel in sorted(channels)}
    report = dataclasses.replace(
        report,
        channels=roles,
        recognition=recognition,
        redaction=None if redaction is None else rounded_redaction(redaction),
        warnings=tuple(warnings),
        errors=tuple(errors),
        reasons=report.reasons | _origin_reasons(transcript, recognition, redaction),
    )
    return dataclasses.replace(report, rules=match_rules(report, rules)) if rules else report


def _measured(
    model: ModelInfo,
    recording: Recording | None,
    transcript: TranscriptInfo | None,
    part: tuple[Seconds, Seconds] | None,
    duration: Seconds | None,
    turns: Sequence[Turn],
    reports: Sequence[TurnReport],
    agent_reason: AgentReason | None,
) -> CallReport:
    """Return the report with all that follows from its turns, which are rounded already."""
    clock = call_clock(turns, transcript, duration, part)
    settled, points = settle_changes(turns, reports)
    conversation = measure_conversation(turns, settled, transcript, clock)
    known = None if "interruptions" in conversation.reasons else conversation.interruptions
    rates = {role: words_per_minute([t for t in settled if t.role == role], transcript) for role in ROLES}
    withheld = _withheld_counts(settled, agent_reason)
    return CallReport(
        schema=SCHEMA,
        mmser_version=__version__,
        model=model,
        recording=None if recording is None else _rounded_recording(recording),
        transcript=transcript,
        part=None if part is None else (seconds(part[0]), seconds(part[1])),
        channels={},
        policy=Policy(
            agent_reason=agent_reason, withheld_turns=withheld, notice=notice_of(model.calibration)
        ),
        turns=settled,
        change_points=points,
        roles=summarize_roles(settled, model.labels, clock, known, rates),
        conversation=conversation,
        rules=(),
        reasons=_reasons(recording, transcript, part),
    )


def _by_turn(turns: Sequence[Turn], predictions: Sequence[Prediction]) -> dict[str, Prediction]:
    ids = Counter(turn.id for turn in turns)
    by_turn: dict[str, Prediction] = {}
    for prediction in predictions:
        if ids[prediction.turn_id] != 1:
            raise ValueError(
                f"prediction for turn {prediction.turn_id!r}, of which there are {ids[prediction.turn_id]}"
            )
        if prediction.turn_id in by_turn:
            raise ValueError(f"two predictions for turn {prediction.turn_id!r}")
        by_turn[prediction.turn_id] = rounded_prediction(prediction)
    return by_turn


def _rounded_recording(recording: Recording) -> Recording:
    return dataclasses.replace(recording, duration=seconds(recording.duration))


def _reasons(
    recording: Recording | None, transcript: TranscriptInfo | None, part: tuple[Seconds, Seconds] | None
) -> dict[str, str]:
    reasons = {}
    if recording is None:
        reasons["recording"] = "no recording: the report rests on the transcript alone"
    if transcript is None:
        reasons["transcript"] = "no transcript: the report rests on the sound alone"
    if part is None:
        reasons["part"] = "the whole call was analysed"
    return reasons


def _origin_reasons(
    transcript: TranscriptInfo | None, recognition: Recognition | None, redaction: Redaction | None
) -> dict[str, str]:
    reasons = {}
    if recognition is None:
        reasons["recognition"] = "no words were recognised" if transcript is None else "the words were given"
    if redaction is None:
        reasons["redaction"] = "it was not asked for"
    return reasons


def _withheld_counts(turns: Sequence[TurnReport], agent_reason: str | None) -> dict[str, int]:
    counts = Counter(turn.role for turn in turns if is_withheld(turn.role, agent_reason) is not None)
    return {role: counts[role] for role in ROLES if counts[role]}
