"""Turns and predictions → CallReport: the one place where a report is put together."""

import dataclasses
import itertools
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from mmser import __version__
from mmser.labels import ROLES, Role
from mmser.report.policy import NOTICE, check_agent_reason, is_withheld
from mmser.report.rounding import rounded_prediction, rounded_turn, seconds
from mmser.report.rules import Rule, match_rules
from mmser.report.summary import CallClock, summarize_roles, turn_edges
from mmser.report.timing import find_interruptions, overlap_total, speaker_of, to_ms, union
from mmser.report.turns import ESTIMATED, turn_report, words_per_minute
from mmser.types import (
    SCHEMA,
    CallReport,
    Change,
    ChangePoint,
    Conversation,
    ModelInfo,
    Policy,
    Prediction,
    Recording,
    Seconds,
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
        part: The analysed (start, end) of the recording, or None for all of it. Turn times always count
            from the start of the recording.
        agent_reason: Why agents may be scored, one of `policy.AGENT_REASONS`, or None to withhold them.
        unscored: Turn id → why a turn that policy allows has no prediction.
        rules: Rules to match.
        warnings: Sentences for the user.
        errors: Sentences for the user about what failed.

    Raises:
        UsageError: if `agent_reason` is not one of those allowed.
        ValueError: if a prediction is for a withheld, unknown or already scored turn, if a turn that may be
            scored has neither a prediction nor a reason, or if a number is not finite.
    """
    reason = check_agent_reason(agent_reason)
    by_turn = _by_turn(turns, predictions)
    rounded = tuple(rounded_turn(turn) for turn in turns)
    clock = _clock(rounded, transcript, duration, part)
    reports = tuple(
        turn_report(
            turn,
            by_turn.get(turn.id),
            agent_reason=reason,
            unscored=unscored or {},
            loudness=loudness,
            transcript=transcript,
            has_recording=recording is not None,
        )
        for turn in rounded
    )
    points, point_warnings = _change_points(rounded, reports)
    conversation = _conversation(rounded, reports, transcript, clock)
    known = None if "interruptions" in conversation.reasons else conversation.interruptions
    rates = {role: words_per_minute([t for t in reports if t.role == role], transcript) for role in ROLES}
    report = CallReport(
        schema=SCHEMA,
        mmser_version=__version__,
        model=model,
        recording=None if recording is None else _rounded_recording(recording),
        transcript=transcript,
        part=None if part is None else (seconds(part[0]), seconds(part[1])),
        channels={str(channel): channels[channel] for channel in sorted(channels)},
        policy=Policy(
            agent_reason=reason,
            withheld_turns=_withheld_counts(reports, reason),
            notice=NOTICE,
        ),
        turns=reports,
        change_points=points,
        roles=summarize_roles(reports, model.labels, clock, known, rates),
        conversation=conversation,
        rules=(),
        warnings=(*warnings, *point_warnings),
        errors=tuple(errors),
        reasons=_reasons(recording, transcript, part),
    )
    return dataclasses.replace(report, rules=match_rules(report, rules)) if rules else report


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


def _withheld_counts(turns: Sequence[TurnReport], agent_reason: str | None) -> dict[str, int]:
    counts = Counter(turn.role for turn in turns if is_withheld(turn.role, agent_reason) is not None)
    return {role: counts[role] for role in ROLES if counts[role]}


def _clock(
    turns: Sequence[Turn],
    transcript: TranscriptInfo | None,
    duration: Seconds | None,
    part: tuple[Seconds, Seconds] | None,
) -> CallClock:
    untimed = sum(1 for turn in turns if turn.start is None or turn.end is None)
    reason = ""
    if not turns:
        reason = "the call has no turns"
    elif untimed:
        reason = f"{untimed} of {len(turns)} turns have no times"
        if transcript is not None and transcript.times == "none":
            reason = "the transcript gives no times"
    start, end = 0, None if duration is None else to_ms(duration)
    known = end is not None
    if part is not None:
        start, end, known = to_ms(part[0]), to_ms(part[1]), True
    elif end is None and not reason:
        # Only quarters use this end; silence after the last turn stays unknown.
        end = max(to_ms(turn.end or 0.0) for turn in turns)
    return CallClock(timed=not reason, start=start, end=end, end_known=known, untimed_reason=reason)


def _conversation(
    turns: Sequence[Turn],
    reports: Sequence[TurnReport],
    transcript: TranscriptInfo | None,
    clock: CallClock,
) -> Conversation:
    if not clock.timed:
        fields = ("talk_time", "non_talk", "longest_silence", "overlap", "interruptions")
        return Conversation(
            talk_time=None,
            non_talk=None,
            longest_silence=None,
            overlap=None,
            interruptions=(),
            reasons=dict.fromkeys(fields, clock.untimed_reason),
        )
    starts, ends = turn_edges(reports, clock)
    spans, reasons = union(starts, ends), {}
    talk, end = spans.total(), clock.end if clock.end_known else None
    if end is None:
        reasons["non_talk"] = "the length of the call is not known"
    if end is None and not len(spans.starts):
        reasons["longest_silence"] = "the length of the call is not known"
    # Placed turns tell roughly who spoke when, but not who cut in on whom.
    estimated = (transcript is not None and transcript.times == "estimated") or all(
        ESTIMATED in turn.flags for turn in turns
    )
    if estimated:
        reasons |= dict.fromkeys(("overlap", "interruptions"), "turn times are estimated")
    names: dict[Hashable, int] = {}
    speakers = np.array([names.setdefault(speaker_of(turn), len(names)) for turn in turns], np.int64)
    silence = spans.longest_gap(clock.start, end)
    return Conversation(
        talk_time=talk / 1000,
        non_talk=None if end is None else (end - clock.start - talk) / 1000,
        longest_silence=None if "longest_silence" in reasons else silence / 1000,
        overlap=None if estimated else overlap_total(starts, ends, speakers) / 1000,
        interruptions=() if estimated else find_interruptions(turns),
        reasons=reasons,
    )


def _change_points(
    turns: Sequence[Turn], reports: Sequence[TurnReport]
) -> tuple[tuple[ChangePoint, ...], tuple[str, ...]]:
    """Return where each speaker's emotion moved, in order of time, and what could not be placed."""
    last: dict[Hashable, str] = {}
    points: list[ChangePoint] = []
    lost: list[str] = []
    for turn, report in zip(turns, reports, strict=True):
        if report.emotion is None:
            continue
        speaker = speaker_of(turn)
        first_window = report.windows[0].emotion if report.windows else report.emotion
        if report.change is not None and report.change.shifted:
            if speaker in last:
                points.append(_point(report, report.start, report.change, last[speaker], first_window.top))
            else:
                lost.append(report.id)
        for before, window in itertools.pairwise(report.windows):
            moved = window.change is not None and window.change.shifted
            if window.change is not None and moved and window.emotion.top != before.emotion.top:
                after = window.emotion.top
                points.append(_point(report, window.start, window.change, before.emotion.top, after))
        last[speaker] = report.windows[-1].emotion.top if report.windows else report.emotion.top
    if all(point.time is not None for point in points):
        points.sort(key=lambda point: point.time or 0.0)
    warnings = [
        f"turn {turn_id} is said to have moved, but its speaker has no earlier scored turn; "
        "it is left out of the change points"
        for turn_id in lost
    ]
    return tuple(points), tuple(warnings)


def _point(turn: TurnReport, time: Seconds | None, change: Change, before: str, after: str) -> ChangePoint:
    return ChangePoint(
        time=time,
        turn_id=turn.id,
        speaker=turn.speaker,
        role=turn.role,
        probability=change.probability,
        direction=change.direction,
        before=before,
        after=after,
    )
