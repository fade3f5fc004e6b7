"""A call report on a terminal: who, how long, the emotional course, the strongest moments, what was withheld.

Every word of a transcript goes through `plain`, so that it can neither draw with escape sequences nor with
rich's markup. Colour never speaks alone: each emotion has its letter.
"""

import unicodedata
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mmser.report.clock import report_clock
from mmser.report.palette import UNCERTAIN, style_of
from mmser.report.shown import clock, recognition_words, redaction_words, strongest
from mmser.types import CallReport, ChangePoint, Emotion, RoleSummary, TurnReport

MAX_MOMENTS: Final = 5
MAX_CHANGES: Final = 8
MAX_WARNINGS: Final = 10
_PAD: Final = 2
_INK: Final = "#14171c"  # dark letters: they stand on the colours made for a dark page


def plain(text: str | None, limit: int | None = None) -> str:
    """Return `text` on one line without control characters, escapes or marks that turn its direction.

    Args:
        text: Any text; None gives an empty string.
        limit: Most characters to keep; longer text ends in an ellipsis.
    """
    kept = (" " if character.isspace() else character for character in text or "")
    # Cc control, Cf format (bidirectional marks among them), Cs surrogates, Co private, Cn unassigned.
    line = " ".join("".join(c for c in kept if unicodedata.category(c)[0] != "C").split())
    return line if limit is None or len(line) <= limit else line[: max(limit - 1, 0)] + "…"


def render_terminal(report: CallReport, console: Console) -> None:
    """Print the summary of `report` on `console`, from 60 columns up, with or without colour."""
    _print(console, _title(report))
    _heading(console, "Course")
    for summary in report.roles:
        _print(console, _course(report, summary, console.width))
    if any(turn.emotion is not None for turn in report.turns):
        _print(console, _legend(report))
    _moments(console, report)
    _changes(console, report.change_points)
    _talk(console, report)
    for match in report.rules:
        where = f" ({', '.join(match.turn_ids[:6])}{', …' if len(match.turn_ids) > 6 else ''})"
        value = "" if match.value is None else f" [{match.value:g}]"
        _print(console, Text(f"Rule: {plain(match.message)}{value}{where if match.turn_ids else ''}", "bold"))
    console.print()
    _print(console, _policy(report))
    for kind, lines in (("Error", report.errors), ("Warning", report.warnings)):
        for line in lines[:MAX_WARNINGS]:
            _print(console, Text(f"{kind}: {plain(line)}", "red" if kind == "Error" else "yellow"))
        if len(lines) > MAX_WARNINGS:
            _print(console, Text(f"{kind}: and {len(lines) - MAX_WARNINGS} more, in the report"))


def _print(console: Console, text: Text) -> None:
    console.print(text, highlight=False, soft_wrap=False)


def _heading(console: Console, title: str) -> None:
    console.print()
    _print(console, Text(title, "bold"))


def _title(report: CallReport) -> Text:
    name = report.recording.path or report.recording.id if report.recording is not None else None
    if name is None and report.transcript is not None:
        name = report.transcript.path
    text = Text(plain(name) or "call", "bold")
    if report.recording is not None:
        text.append(f"  {clock(report.recording.duration)}", "default")
    else:
        text.append("  text only, no sound", "default")
    if report.part is not None:
        text.append(f", of which {clock(report.part[0])} to {clock(report.part[1])}", "not bold")
    who = "; ".join(
        summary.role
        + (f" ({', '.join(plain(s, 30) for s in summary.speakers[:4])})" if summary.speakers else "")
        for summary in report.roles
    )
    text.append(f"\n{who or 'nobody speaks'} · {_count(len(report.turns), 'turn')}", "not bold")
    text.append(f" · model {plain(report.model.id, 60)} {plain(report.model.revision)[:12]}", "not bold")
    if report.model.license:
        text.append(f" ({plain(report.model.license, 60)})", "not bold")
    return text


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _course(report: CallReport, summary: RoleSummary, width: int) -> Text:
    """Return one role's line: a letter on its colour for each slice of the call."""
    line = Text(f"{summary.role:<9}"[:9])
    if not summary.num_scored:
        why = next((t.reasons["emotion"] for t in report.turns if t.role == summary.role), "not scored")
        return line.append(plain(why), "dim")
    columns = max(width - 9 - _PAD, 10)
    for label in _slices(report, summary.role, columns):
        if label is None:
            line.append(" ")
        else:
            style = style_of(label)
            line.append(style.letter, f"bold {_INK} on {style.color_dark}")
    return line


def _slices(report: CallReport, role: str, columns: int) -> list[str | None]:
    """Return the emotion that fills most of each of `columns` slices; None where the role is silent."""
    turns = [(i, t) for i, t in enumerate(report.turns) if t.role == role and t.emotion is not None]
    times = report_clock(report)
    start, end = 0.0, float(len(report.turns))
    if times.timed and times.end is not None:
        start, end = times.start / 1000, times.end / 1000
    scale = columns / max(end - start, 1e-9)
    filled: list[dict[str, float]] = [{} for _ in range(columns)]
    for position, turn in turns:
        for first, last, emotion in _stretches(turn, position, timed=times.timed):
            low, high = (first - start) * scale, (last - start) * scale
            label = emotion.label or UNCERTAIN
            for column in range(max(int(low), 0), min(int(high), columns - 1) + 1):
                share = min(high, column + 1) - max(low, column)
                filled[column][label] = filled[column].get(label, 0.0) + max(share, 1e-6)
    return [max(slice_, key=slice_.__getitem__) if slice_ else None for slice_ in filled]


def _stretches(turn: TurnReport, position: int, *, timed: bool) -> list[tuple[float, float, Emotion]]:
    if turn.emotion is None:
        return []
    if not timed or turn.start is None or turn.end is None:
        return [(float(position), position + 1.0 - 1e-6, turn.emotion)]
    windows = [(w.start, w.end, w.emotion) for w in turn.windows if w.start is not None and w.end is not None]
    return [(a, b, e) for a, b, e in windows] or [(turn.start, turn.end, turn.emotion)]


def _legend(report: CallReport) -> Text:
    said = {turn.emotion.label or UNCERTAIN for turn in report.turns if turn.emotion is not None}
    legend = Text(" " * 9)
    for label in [name for name in (*report.model.labels, UNCERTAIN) if name in said]:
        style = style_of(label)
        legend.append(style.letter, f"bold {_INK} on {style.color_dark}")
        legend.append(f" {plain(label)}  ")
    legend.append(f"\n{' ' * 9}blank: silent, or somebody else speaks", "dim")
    return legend


def _moments(console: Console, report: CallReport) -> None:
    """Print the turns whose emotion stands out most, in order of time."""
    positions = strongest(report.turns, MAX_MOMENTS)
    if not positions:
        return
    _heading(console, "Strongest moments")
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0), expand=False)
    for column in range(4):
        table.add_column(no_wrap=column < 3)
    table.add_column(overflow="fold", ratio=1)
    for turn in (report.turns[position] for position in positions):
        if turn.emotion is None:
            continue
        style = style_of(turn.emotion.top)
        said = Text(f"{style.letter} {plain(turn.emotion.label)} {turn.emotion.confidence:.0%}", "bold")
        strength = "" if turn.intensity is None else f"{turn.intensity.level} {turn.intensity.value:.2f}"
        words = Text(
            f"“{plain(turn.text, 160)}”" if turn.text else f"({turn.reasons.get('text', 'no words')})"
        )
        table.add_row(clock(turn.start), turn.role, said, strength, words)
    console.print(table, highlight=False)


def _changes(console: Console, points: Sequence[ChangePoint]) -> None:
    if not points:
        return
    _heading(console, f"Change points ({len(points)})")
    likely = sorted(points, key=lambda point: point.probability, reverse=True)[:MAX_CHANGES]
    for point in [point for point in points if point in likely][:MAX_CHANGES]:
        direction = f", {point.direction}" if point.direction else ""
        moved = f"{plain(point.before)} → {plain(point.after)}{direction}"
        _print(console, Text(f"{clock(point.time):>6} {point.role}: {moved} ({point.probability:.0%})"))
    if len(points) > MAX_CHANGES:
        _print(console, Text(f"       and {len(points) - MAX_CHANGES} more, in the report", "dim"))


def _talk(console: Console, report: CallReport) -> None:
    _heading(console, "Talk")
    for summary in report.roles:
        parts = [f"{summary.role:<9}"]
        if summary.talk_time is None:
            parts.append(f"talk time unknown: {plain(summary.reasons.get('talk_time'))}")
        else:
            share = "" if summary.talk_share is None else f" ({summary.talk_share:.0%})"
            parts.append(f"{clock(summary.talk_time)}{share}")
        if summary.words_per_minute is not None:
            parts.append(f"· {summary.words_per_minute:.0f} words/min")
        if summary.interruptions is not None:
            parts.append(f"· {_count(summary.interruptions, 'interruption')}")
        if summary.num_abstained:
            parts.append(f"· uncertain on {summary.num_abstained} of {_count(summary.num_scored, 'turn')}")
        _print(console, Text(" ".join(parts)))
    talk = report.conversation
    known = (("silence", talk.non_talk), ("longest silence", talk.longest_silence), ("overlap", talk.overlap))
    line = " · ".join(f"{name} {value:.1f} s" for name, value in known if value is not None)
    if line:
        _print(console, Text(line))
    for name, said in (
        ("Words by", recognition_words(report.recognition)),
        ("Taken out:", redaction_words(report.redaction)),
    ):
        if said is not None:
            _print(console, Text(f"{name} {plain(said)}"))


def _policy(report: CallReport) -> Text:
    withheld = report.policy.withheld_turns
    parts = [f"{_count(count, f'{role} turn')} withheld" for role, count in withheld.items()]
    if report.policy.agent_reason is not None:
        parts.append(f"agents scored on the stated ground: {report.policy.agent_reason}")
    unknown = {
        t.reasons["emotion"]: None for t in report.turns if t.role == "unknown" and "emotion" in t.reasons
    }
    text = Text("Policy: " + ("; ".join(parts) or "nothing withheld"), "bold")
    for reason in list(unknown)[:3]:
        text.append(f"\n{plain(reason)}", "default")
    return text.append(f"\n{plain(report.policy.notice)}", "not bold dim")
