"""The words and figures of the HTML page that need no script, computed from a `CallReport`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmser.report.html_summary import spoken_duration, summary_sentence
from mmser.report.palette import UNCERTAIN, style_of
from mmser.report.shown import clock, recognition_words, redaction_words, strongest
from mmser.types import CallReport, Conversation, RoleSummary

MAX_MOMENTS = 4
MAX_INTERRUPTIONS = 12
ROLE_NAMES = {"agent": "Agent", "customer": "Customer", "system": "System", "unknown": "Unknown role"}
ABSENT = "—"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number of the page; an absent one has its reason."""

    value: str
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One stretch of a stacked bar: `index` is the emotion's, `start` and `size` are in [0, 1]."""

    index: int
    label: str
    letter: str
    start: float
    size: float


def page_view(
    report: CallReport, labels: Sequence[str], *, include_text: bool, has_audio: bool
) -> dict[str, Any]:
    """Return everything the template shows, by section.

    Args:
        report: The call.
        labels: Emotion labels; chips and segments hold their index, and `len(labels)` is "uncertain".
        include_text: Whether words may appear.
        has_audio: Whether the page can play the sound.
    """
    roles = [_role_view(role, labels) for role in report.roles]
    return {
        "title": report.recording.id if report.recording else _fallback_title(report),
        "sentence": summary_sentence(report),
        "facts": _facts(report),
        "warnings": report.warnings,
        "errors": report.errors,
        "rules": report.rules,
        "moments": _moments(report, labels, include_text=include_text),
        "roles": roles,
        "scored_roles": [role for role in roles if role["quarters"] or role["shares"]],
        "conversation": _conversation(report.conversation, report),
        "interruptions": report.conversation.interruptions[:MAX_INTERRUPTIONS],
        "more_interruptions": max(0, len(report.conversation.interruptions) - MAX_INTERRUPTIONS),
        "report": report,
        "reasons": [reason for name, reason in report.reasons.items() if name in ("recording", "transcript")],
        "has_audio": has_audio,
        "has_text": include_text and any(turn.text for turn in report.turns),
        "text_left_out": not include_text,
        "num_scored": sum(turn.emotion is not None for turn in report.turns),
        "has_course": any(turn.timeline is not None for turn in report.turns),
        "no_intensity": sum(turn.emotion is not None and turn.intensity is None for turn in report.turns),
        "untimed": sum(turn.start is None for turn in report.turns),
        "recognition": recognition_words(report.recognition),
        "redaction": redaction_words(report.redaction),
        "estimated": report.transcript is not None and report.transcript.times == "estimated",
        "letters": [style_of(label).letter for label in (*labels, UNCERTAIN)],
        "names": [*labels, UNCERTAIN],
        "role_names": ROLE_NAMES,
        "clock": clock,
    }


def _fallback_title(report: CallReport) -> str:
    path = report.transcript.path if report.transcript else None
    return path.replace("\\", "/").rsplit("/", 1)[-1] if path else "Call"


def _facts(report: CallReport) -> list[tuple[str, str]]:
    recording, transcript = report.recording, report.transcript
    facts = []
    if recording:
        facts.append(("Duration", clock(recording.duration)))
    if report.part:
        facts.append(("Part", f"{clock(report.part[0])} – {clock(report.part[1])}"))
    facts.append(("Turns", f"{len(report.turns):,}"))
    people = [f"{ROLE_NAMES[role.role]} ({len(role.speakers) or 1})" for role in report.roles]
    facts.append(("Who", ", ".join(people) or ABSENT))
    if recording:
        channels = "mono" if recording.num_channels == 1 else f"{recording.num_channels} channels"
        facts.append(("Sound", f"{recording.sampling_rate / 1000:g} kHz, {channels}"))
    else:
        facts.append(("Sound", "none, words only"))
    if transcript:
        language = f", {transcript.language}" if transcript.language else ""
        facts.append(("Words", f"{transcript.format}{language}, times {transcript.times}"))
        if report.recognition and report.recognition.confidence is not None:
            facts.append(("Words recognised", f"{report.recognition.confidence:.0%} sure"))
    else:
        facts.append(("Words", "none, sound only"))
    taken = redaction_words(report.redaction)
    if taken is not None:
        facts.append(("Taken out of the words", taken))
    facts.append(("Model", f"{report.model.id} @ {report.model.revision[:12]}"))
    return facts


def _moments(report: CallReport, labels: Sequence[str], *, include_text: bool) -> list[dict[str, Any]]:
    """The turns whose emotion stands out most, in order of time."""
    moments = []
    for i in strongest(report.turns, MAX_MOMENTS):
        turn = report.turns[i]
        moments.append(
            {
                "index": i,
                "emotion": list(labels).index(turn.emotion.top) if turn.emotion else len(labels),
                "time": clock(turn.start) if turn.start is not None else f"turn {i + 1}",
                "who": turn.speaker or ROLE_NAMES[turn.role],
                "level": turn.intensity.level if turn.intensity else None,
                "confidence": turn.emotion.confidence if turn.emotion else 0.0,
                "text": _shortened(turn.text) if include_text and turn.text else None,
            }
        )
    return moments


def _shortened(text: str, limit: int = 180) -> str:
    if len(text) <= limit:
        return text
    return text[:limit].rsplit(" ", 1)[0].rstrip(",;:. ") + " …"


def _role_view(role: RoleSummary, labels: Sequence[str]) -> dict[str, Any]:
    reach = max((max(abs(d.low), abs(d.high)) for d in role.deltas), default=0.0)
    quarters = [
        {
            "number": number,
            "span": None
            if quarter.start is None or quarter.end is None
            else f"{clock(quarter.start)}–{clock(quarter.end)}",
            "num_turns": quarter.num_turns,
            "segments": segments(quarter.probabilities or {}, labels),
            "intensity": quarter.intensity,
        }
        for number, quarter in enumerate(role.quarters, start=1)
    ]
    return {
        "role": role.role,
        "name": ROLE_NAMES[role.role],
        "speakers": [name for name in role.speakers if name.lower() != role.role],
        "figures": _role_figures(role),
        "shares": segments(role.shares or {}, labels),
        "quarters": quarters if any(quarter["num_turns"] for quarter in quarters) else [],
        "deltas": [
            {
                "delta": delta,
                "index": list(labels).index(delta.emotion) if delta.emotion in labels else len(labels),
                "beyond_zero": delta.low > 0 or delta.high < 0,
                "low": _position(delta.low, reach),
                "high": _position(delta.high, reach),
                "value": _position(delta.value, reach),
            }
            for delta in role.deltas
        ],
        "reasons": role.reasons,
    }


def _position(value: float, reach: float) -> float:
    """Where `value` lies on an axis from -reach to +reach, in [0, 1]."""
    return 0.5 if reach == 0 else 0.5 + 0.5 * value / reach


def segments(shares: dict[str, float], labels: Sequence[str]) -> list[Segment]:
    """Return the stacked bar of `shares` (emotion or "uncertain" → [0, 1]), in label order."""
    names = [*labels, UNCERTAIN]
    total = sum(shares.get(name, 0.0) for name in names)
    stacked: list[Segment] = []
    start = 0.0
    for index, name in enumerate(names):
        size = shares.get(name, 0.0) / total if total > 0 else 0.0
        if size > 0:
            stacked.append(
                Segment(index=index, label=name, letter=style_of(name).letter, start=start, size=size)
            )
        start += size
    return stacked


def _role_figures(role: RoleSummary) -> list[tuple[str, Figure]]:
    def figure(name: str, text: str | None) -> Figure:
        return Figure(value=ABSENT, reason=role.reasons.get(name)) if text is None else Figure(value=text)

    talk = None if role.talk_time is None else clock(role.talk_time)
    share = None if role.talk_share is None else f"{role.talk_share:.0%}"
    speed = None if role.words_per_minute is None else f"{role.words_per_minute:.0f}"
    cuts = None if role.interruptions is None else str(role.interruptions)
    return [
        ("Turns", Figure(value=f"{role.num_turns:,}")),
        ("With an emotion", Figure(value=f"{role.num_scored:,}")),
        ("Uncertain", Figure(value=f"{role.num_abstained:,}")),
        ("Talk time", figure("talk_time", talk)),
        ("Share of talk", figure("talk_share", share)),
        ("Words per minute", figure("words_per_minute", speed)),
        ("Interruptions", figure("interruptions", cuts)),
    ]


def _conversation(conversation: Conversation, report: CallReport) -> list[tuple[str, Figure]]:
    def figure(name: str, seconds: float | None) -> Figure:
        if seconds is None:
            return Figure(value=ABSENT, reason=conversation.reasons.get(name))
        return Figure(value=spoken_duration(seconds))

    # An empty list of interruptions means none only where no reason stands beside it.
    unknown = conversation.reasons.get("interruptions")
    if unknown is None and all(turn.start is None for turn in report.turns):
        unknown = "no turn carries a time"
    count = f"{len(conversation.interruptions):,}"
    interruptions = Figure(value=count) if unknown is None else Figure(value=ABSENT, reason=unknown)
    return [
        ("Speech", figure("talk_time", conversation.talk_time)),
        ("Silence", figure("non_talk", conversation.non_talk)),
        ("Longest silence", figure("longest_silence", conversation.longest_silence)),
        ("Two at once", figure("overlap", conversation.overlap)),
        ("Interruptions", interruptions),
    ]
