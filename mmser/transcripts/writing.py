"""Write transcripts: WebVTT, SRT, plain text, CSV and our own JSON."""

import csv
import html
import io
import json
from collections.abc import Iterable

from mmser.errors import OutputError
from mmser.transcripts.cells import inert
from mmser.transcripts.clock import as_clock
from mmser.transcripts.own import SCHEMA
from mmser.types import Transcript, Turn

COLUMNS = ("id", "start", "end", "channel", "speaker", "role", "text", "confidence", "flags")


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
        if name := _name(turn):
            text = f"<v {html.escape(name, quote=False)}>{text}</v>"
        blocks.append(f"{_timing(turn, '.', 'WebVTT')}\n{text}")
    return "\n\n".join(blocks) + "\n"


def write_srt(source: Transcript | Iterable[Turn]) -> str:
    """Return SRT with "Name:" before the text; times are rounded to milliseconds.

    Raises:
        OutputError: if a turn has no times.
    """
    blocks = []
    for number, turn in enumerate(_turns(source), start=1):
        name = _name(turn)
        speaker = f"{name}: " if name else ""
        blocks.append(f"{number}\n{_timing(turn, ',', 'SRT')}\n{speaker}{_lines(turn.text)}")
    return "\n\n".join(blocks) + "\n"


def write_text(source: Transcript | Iterable[Turn]) -> str:
    """Return a line for each turn with words: "[0:00:05.000] agent: …"; times only where there are any."""
    lines = []
    for turn in _turns(source):
        words = " ".join((turn.text or "").split())
        if words:
            time = "" if turn.start is None else f"[{as_clock(turn.start, '.')}] "
            name = _name(turn)
            lines.append(f"{time}{f'{name}: ' if name else ''}{words}\n")
    return "".join(lines)


def write_csv(source: Transcript | Iterable[Turn]) -> str:
    """Return a row for each turn; text that a spreadsheet would run as a formula gets an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for turn in _turns(source):
        stated = [word.confidence for word in turn.words if word.confidence is not None]
        sure = f"{sum(stated) / len(stated):.4f}" if stated else ""
        times = ["" if time is None else f"{time:.3f}" for time in (turn.start, turn.end)]
        channel = "" if turn.channel is None else turn.channel
        texts = [inert(text or "") for text in (turn.speaker, turn.role, turn.text)]
        writer.writerow([turn.id, *times, channel, *texts, sure, "+".join(turn.flags)])
    return out.getvalue()


def write_json(transcript: Transcript) -> str:
    """Return `mmser.transcript/1`, which `read_transcript` reads back without loss."""
    return json.dumps({"schema": SCHEMA, **transcript.to_dict()}, ensure_ascii=False, indent=1) + "\n"


def _name(turn: Turn) -> str | None:
    """Return who is named: the role where the speaker has no name but a channel's."""
    speaker = " ".join((turn.speaker or "").split())
    unnamed = not speaker or speaker == f"ch_{turn.channel}"
    return turn.role if unnamed and turn.role != "unknown" else speaker or None


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
