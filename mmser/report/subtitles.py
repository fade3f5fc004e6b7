"""Turns as SRT and WebVTT, each with its role and, where it was scored, its emotion.

WebVTT carries the notice of permitted use as a comment; SRT knows no comments.
"""

import re
from collections.abc import Iterator
from typing import Final

from mmser.report.palette import UNCERTAIN
from mmser.report.timing import to_ms
from mmser.types import CallReport, TurnReport

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def to_srt(report: CallReport) -> str:
    """Return the timed turns as SRT; turns without times are left out, for SRT cannot hold them."""
    blocks = []
    for number, (turn, start, end) in enumerate(_timed(report), 1):
        # A player takes "-->" for a cue and <…> for markup.
        line = _label(turn) + _words(turn).replace("-->", "→").replace("<", "‹").replace(">", "›")
        blocks.append(f"{number}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{line}\n")
    return "\n".join(blocks)


def to_webvtt(report: CallReport) -> str:
    """Return the timed turns as WebVTT with the speaker as voice; turns without times are left out."""
    blocks = ["WEBVTT\n", _note(report)]
    for turn, start, end in _timed(report):
        voice = _escaped(turn.speaker or turn.role)
        line = f"<v {voice}>{_escaped(_label(turn))}{_escaped(_words(turn))}</v>"
        blocks.append(f"{_clock(start, '.')} --> {_clock(end, '.')}\n{line}\n")
    return "\n".join(blocks)


def _note(report: CallReport) -> str:
    ground = report.policy.agent_reason
    scored = f"\nAgents were scored on the stated ground: {ground}." if ground is not None else ""
    return f"NOTE\n{report.policy.notice}{scored}\n"


def _timed(report: CallReport) -> Iterator[tuple[TurnReport, int, int]]:
    for turn in report.turns:
        if turn.start is not None and turn.end is not None:
            start = max(to_ms(turn.start), 0)
            yield turn, start, max(to_ms(turn.end), start + 1)


def _label(turn: TurnReport) -> str:
    if turn.emotion is None:
        return f"[{turn.role}] "
    return f"[{turn.role}: {turn.emotion.label or UNCERTAIN}] "


def _words(turn: TurnReport) -> str:
    return " ".join(_CONTROL.sub(" ", turn.text or "").split())


def _escaped(text: str) -> str:
    text = _CONTROL.sub(" ", text).replace("&", "&amp;").replace("<", "&lt;")
    return text.replace(">", "&gt;")


def _clock(milliseconds: int, mark: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{mark}{rest:03d}"
