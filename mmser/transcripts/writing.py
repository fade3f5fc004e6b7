"""Write transcripts: WebVTT, SRT and our own JSON."""

import html
import json
from collections.abc import Iterable

from mmser.errors import OutputError
from mmser.transcripts.clock import as_clock
from mmser.transcripts.own import SCHEMA
from mmser.types import Transcript, Turn


def write_webvtt(source: Transcript | Iterable[Turn]) -> str:
    """Return WebVTT with a `<v Speaker>` tag per cue; times are rounded to milliseconds.

    Raises:
        OutputError: if a turn has no times.
    """
    blocks = ["WEBVTT"]
    if isinstance(source, Transcript) and source.language:
        blocks[0] += f"\nLanguage: {source.language}"
    for turn in _turns(source):
        text = html.escape(_lines(turn.text), quote=False)
        if turn.speaker:
            speaker = html.escape(" ".join(turn.speaker.split()), quote=False)
            text = f"<v {speaker}>{text}</v>"
        blocks.append(f"{_timing(turn, '.', 'WebVTT')}\n{text}")
    return "\n\n".join(blocks) + "\n"


def write_srt(source: Transcript | Iterable[Turn]) -> str:
    """Return SRT with "Name:" before the text; times are rounded to milliseconds.

    Raises:
        OutputError: if a turn has no times.
    """
    blocks = []
    for number, turn in enumerate(_turns(source), start=1):
        speaker = f"{' '.join(turn.speaker.split())}: " if turn.speaker else ""
        blocks.append(f"{number}\n{_timing(turn, ',', 'SRT')}\n{speaker}{_lines(turn.text)}")
    return "\n\n".join(blocks) + "\n"


def write_json(transcript: Transcript) -> str:
    """Return `mmser.transcript/1`, which `read_transcript` reads back without loss."""
    return json.dumps({"schema": SCHEMA, **transcript.to_dict()}, ensure_ascii=False, indent=1) + "\n"


def _turns(source: Transcript | Iterable[Turn]) -> Iterable[Turn]:
    return source.turns if isinstance(source, Transcript) else source


def _timing(turn: Turn, decimal: str, kind: str) -> str:
    if turn.start is None or turn.end is None:
        raise OutputError(f"turn {turn.id} has no times, and {kind} needs them; write JSON instead")
    return f"{as_clock(turn.start, decimal)} --> {as_clock(turn.end, decimal)}"


def _lines(text: str | None) -> str:
    """Return text without blank lines, which would end a cue, and without a timing arrow."""
    lines = (line.strip() for line in (text or "").splitlines())
    return "\n".join(line for line in lines if line).replace("-->", "→")
