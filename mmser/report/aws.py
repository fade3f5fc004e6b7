"""CallReport → the output shape of AWS Transcribe Call Analytics, so that existing dashboards work.

What the shape means here: `Sentiment` is the valence of the emotion (POSITIVE, NEGATIVE, NEUTRAL; MIXED for
surprise and where the model abstains), and scores run from -5 to 5 as there, five times the mean valence. A
turn that was not scored has no `Sentiment`, and a participant without a scored turn has no scores: a withheld
agent is absent, never NEUTRAL. `LoudnessScores` are decibels relative to the quietest 16-bit sound (96 dB
under full scale), one per turn rather than one per second. Punctuation stays with its word. `Categories` are
the matched rules; issues and redaction are not produced. Besides AWS's own keys, `MmserPolicy` carries the
notice of permitted use and the ground on which agents were scored, if any. Only agents and customers are
participants: AWS knows no other roles.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from mmser.labels import VALENCE
from mmser.report.timing import to_ms
from mmser.types import CallReport, Emotion, RoleSummary, RuleMatch, TurnReport, Word

FULL_SCALE_DB: Final = 96.0
MAX_SCORE: Final = 5.0
_SENTIMENTS: Final = {-1: "NEGATIVE", 0: "NEUTRAL", 1: "POSITIVE", None: "MIXED"}
_PARTICIPANTS: Final = {"agent": "AGENT", "customer": "CUSTOMER"}
# Periods in which nobody speaks count from this length, as in AWS's own output.
MIN_NON_TALK_MS: Final = 3000


def to_call_analytics(report: CallReport) -> dict[str, Any]:
    """Return `report` as AWS Call Analytics would write it; see the top of this file for what differs."""
    turns = [turn for turn in report.turns if turn.role in _PARTICIPANTS]
    summaries = [summary for summary in report.roles if summary.role in _PARTICIPANTS]
    language = report.transcript.language if report.transcript is not None else None
    return {
        "JobStatus": "COMPLETED",
        **({"LanguageCode": language} if language else {}),
        "Transcript": [_transcript_item(turn) for turn in turns],
        "Categories": _categories(report.rules, turns),
        "Channel": "VOICE",
        "JobName": report.recording.id if report.recording is not None else "transcript",
        "Participants": [{"ParticipantRole": _PARTICIPANTS[summary.role]} for summary in summaries],
        "ConversationCharacteristics": _characteristics(report, summaries),
        "ContentMetadata": {"Output": "Raw"},
        "MmserPolicy": {"AgentReason": report.policy.agent_reason, "Notice": report.policy.notice},
    }


def _transcript_item(turn: TurnReport) -> dict[str, Any]:
    item: dict[str, Any] = {}
    if turn.loudness_dbfs is not None:
        item["LoudnessScores"] = [round(max(turn.loudness_dbfs + FULL_SCALE_DB, 0.0), 2)]
    item |= {"Content": turn.text or "", "Items": [_word_item(word) for word in turn.words], "Id": turn.id}
    item |= _offsets(turn.start, turn.end)
    if turn.emotion is not None:
        item["Sentiment"] = _SENTIMENTS[_valence(turn.emotion)]
    return item | {"ParticipantRole": _PARTICIPANTS[turn.role]}


def _word_item(word: Word) -> dict[str, Any]:
    item: dict[str, Any] = {"Type": "pronunciation"}
    if word.confidence is not None:
        item["Confidence"] = word.confidence
    return item | {"Content": word.text} | _offsets(word.start, word.end)


def _offsets(start: float | None, end: float | None) -> dict[str, int]:
    if start is None or end is None:
        return {}
    return {"BeginOffsetMillis": to_ms(start), "EndOffsetMillis": to_ms(end)}


def _valence(emotion: Emotion) -> int | None:
    return VALENCE.get(emotion.label) if emotion.label is not None else None


def _categories(rules: Sequence[RuleMatch], turns: Sequence[TurnReport]) -> dict[str, Any]:
    places = {turn.id: _offsets(turn.start, turn.end) for turn in turns}
    details = {}
    for rule in rules:
        points = [places[turn_id] for turn_id in rule.turn_ids if places.get(turn_id)]
        details[rule.name] = {"PointsOfInterest": points}
    return {"MatchedDetails": details, "MatchedCategories": [rule.name for rule in rules]}


def _characteristics(report: CallReport, summaries: Sequence[RoleSummary]) -> dict[str, Any]:
    conversation = report.conversation
    found: dict[str, Any] = {}
    total = _total_ms(report)
    if conversation.non_talk is not None:
        gaps = _silences(report, total)
        found["NonTalkTime"] = {
            "Instances": gaps,
            "TotalTimeMillis": sum(gap["DurationMillis"] for gap in gaps),
        }
    if "interruptions" not in conversation.reasons:
        found["Interruptions"] = _interruptions(report)
    if total is not None:
        found["TotalConversationDurationMillis"] = total
    found["Sentiment"] = _sentiment(summaries, report.turns)
    found["TalkSpeed"] = _by_participant(
        summaries,
        lambda one: (
            None if one.words_per_minute is None else {"AverageWordsPerMinute": round(one.words_per_minute)}
        ),
    )
    if conversation.talk_time is not None:
        times = _by_participant(
            summaries,
            lambda one: None if one.talk_time is None else {"TotalTimeMillis": to_ms(one.talk_time)},
        )
        # As there, the sum over the participants: time in which both speak counts for each.
        details = times["DetailsByParticipant"].values()
        found["TalkTime"] = times | {"TotalTimeMillis": sum(one["TotalTimeMillis"] for one in details)}
    return found


def _by_participant(
    summaries: Sequence[RoleSummary], value: Callable[[RoleSummary], dict[str, int] | None]
) -> dict[str, Any]:
    details = {_PARTICIPANTS[one.role]: value(one) for one in summaries}
    return {"DetailsByParticipant": {name: given for name, given in details.items() if given is not None}}


def _total_ms(report: CallReport) -> int | None:
    conversation = report.conversation
    if conversation.talk_time is None or conversation.non_talk is None:
        return None
    return to_ms(conversation.talk_time) + to_ms(conversation.non_talk)


def _silences(report: CallReport, total: int | None) -> list[dict[str, int]]:
    """Return the stretches of at least `MIN_NON_TALK_MS` in which nobody speaks."""
    edges = [_offsets(turn.start, turn.end) for turn in report.turns]
    gaps, reach = [], 0 if report.part is None else to_ms(report.part[0])
    for edge in sorted((edge for edge in edges if edge), key=lambda edge: edge["BeginOffsetMillis"]):
        gaps.append((reach, edge["BeginOffsetMillis"]))
        reach = max(reach, edge["EndOffsetMillis"])
    if total is not None:
        gaps.append((reach, total if report.part is None else to_ms(report.part[1])))
    return [
        {"BeginOffsetMillis": start, "DurationMillis": end - start, "EndOffsetMillis": end}
        for start, end in gaps
        if end - start >= MIN_NON_TALK_MS
    ]


def _interruptions(report: CallReport) -> dict[str, Any]:
    by: dict[str, list[dict[str, int]]] = {}
    for one in report.conversation.interruptions:
        if one.by in _PARTICIPANTS and one.of in _PARTICIPANTS:
            start, length = to_ms(one.time), to_ms(one.overlap)
            instance = {
                "BeginOffsetMillis": start,
                "DurationMillis": length,
                "EndOffsetMillis": start + length,
            }
            by.setdefault(_PARTICIPANTS[one.by], []).append(instance)
    every = [instance for instances in by.values() for instance in instances]
    return {
        "TotalCount": len(every),
        "TotalTimeMillis": sum(instance["DurationMillis"] for instance in every),
        "InterruptionsByInterrupter": by,
    }


def _sentiment(summaries: Sequence[RoleSummary], turns: Sequence[TurnReport]) -> dict[str, Any]:
    overall, quarters = {}, {}
    for summary in summaries:
        scored = [turn for turn in turns if turn.role == summary.role and turn.emotion is not None]
        if not scored:
            continue
        name = _PARTICIPANTS[summary.role]
        weights = [max((turn.end or 0.0) - (turn.start or 0.0), 0.001) for turn in scored]
        scores = [_score(turn.emotion.probabilities) for turn in scored if turn.emotion is not None]
        mean = sum(w * s for w, s in zip(weights, scores, strict=True)) / sum(weights)
        overall[name] = round(mean, 1) + 0.0
        quarters[name] = [
            {"Score": round(_score(quarter.probabilities), 1) + 0.0, **_offsets(quarter.start, quarter.end)}
            for quarter in summary.quarters
            if quarter.probabilities is not None
        ]
    return {"OverallSentiment": overall, "SentimentByPeriod": {"QUARTER": quarters}}


def _score(probabilities: dict[str, float]) -> float:
    return MAX_SCORE * sum(p * (VALENCE.get(label) or 0) for label, p in probabilities.items())
