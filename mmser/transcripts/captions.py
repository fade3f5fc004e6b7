"""WebVTT and SRT.

webvtt-py, the usual parser, skips a malformed cue without a word and takes 9 s for 200,000 cues;
here every line must belong to a cue, a comment or the header, and a fault names its line.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from mmser.errors import TranscriptError
from mmser.transcripts.clock import clock_seconds
from mmser.transcripts.decoding import ends_abruptly
from mmser.transcripts.entries import Entry, Parsed
from mmser.transcripts.fields import language_code, shown
from mmser.transcripts.names import numbered, speaker_names, split_prefix

_CLOCK = r"(?:\d+:)?\d{1,2}:\d{1,2}[.,]\d{1,3}"
_TIMING = re.compile(rf"\s*({_CLOCK})\s*-->\s*({_CLOCK})(?:[ \t].*)?", re.ASCII)
_VOICE = re.compile(r"<v(?:\.[^\s>.]*)*(?:[ \t]+([^<>]*))?>", re.IGNORECASE)
_VTT_MARKUP = re.compile(
    r"</?(?:c|i|b|u|ruby|rt|lang)(?:\.[^\s<>]*)?(?:\s[^<>]*)?>|</v>|<(?:\d+:)?\d\d:\d\d\.\d{3}>",
    re.IGNORECASE,
)
_SRT_MARKUP = re.compile(r"</?(?:i|b|u|font)(?:\s[^<>]*)?>|\{\\an?\d+\}", re.IGNORECASE)


@dataclass(slots=True)
class _Cue:
    line: int  # of the timing, from 1
    start: float
    end: float
    text: str


def sniff_webvtt(text: str) -> bool:
    """Tell whether a text is WebVTT."""
    return re.match(r"\s*WEBVTT(?:[ \t\n]|$)", text) is not None


def sniff_srt(text: str) -> bool:
    """Tell whether a text is SRT: a counter (or none) and a timing line come first."""
    return re.match(r"(?:\d+[ \t]*\n+)?[ \t]*[\d:]+[.,]\d{1,3}[ \t]*-->", text.lstrip()) is not None


def read_webvtt(text: str) -> Parsed:
    """Read WebVTT with `<v Speaker>` tags, closed or not, or Zoom's "Name: text".

    Raises:
        TranscriptError: if a line belongs to no cue or a timing is malformed.
    """
    lines = text.strip("\n").split("\n")
    offset = text[: len(text) - len(text.lstrip("\n"))].count("\n")
    head = next((index for index, line in enumerate(lines) if not line.strip() or "-->" in line), len(lines))
    stated = re.search(r"^Language:\s*(\S+)", "\n".join(lines[:head]), re.MULTILINE | re.IGNORECASE)
    cues = list(_cues(lines, head, offset, comments=True))
    parsed = Parsed(format="webvtt", entries=[], language=language_code(stated[1]) if stated else None)
    names = _prefixes(_without_markup(cue.text, _VTT_MARKUP) for cue in cues if not _VOICE.search(cue.text))
    for cue in cues:
        parsed.entries += _voices(cue, names)
    return _watch_end(parsed, text, cues)


def read_srt(text: str) -> Parsed:
    """Read SRT, with or without "Name:" before the text.

    Raises:
        TranscriptError: if a line belongs to no cue or a timing is malformed.
    """
    lines = text.strip("\n").split("\n")
    offset = text[: len(text) - len(text.lstrip("\n"))].count("\n")
    cues = list(_cues(lines, 0, offset, comments=False))
    for cue in cues:
        cue.text = _without_markup(cue.text, _SRT_MARKUP)
    names = _prefixes(cue.text for cue in cues)
    return _watch_end(
        Parsed(format="srt", entries=[_named(cue, cue.text, names) for cue in cues]), text, cues
    )


def _cues(lines: list[str], first: int, offset: int, *, comments: bool) -> Iterator[_Cue]:
    """Yield the cues of blocks parted by blank lines, from line index `first`."""
    index = first
    while index < len(lines):
        if not lines[index].strip():
            index += 1
        elif comments and re.match(r"(?:NOTE|STYLE|REGION)(?:\s|$)", lines[index]):
            while index < len(lines) and lines[index].strip():
                index += 1
        else:
            timing = index if "-->" in lines[index] else index + 1
            stop = _end_of_cue(lines, timing)
            yield _cue(lines, index, timing, stop, offset)
            index = stop


def _end_of_cue(lines: list[str], timing: int) -> int:
    """Return where a cue's text ends: at a blank line, or at the next cue where none parts them."""
    stop = timing + 1
    while stop < len(lines) and lines[stop].strip():
        if "-->" in lines[stop] and _TIMING.fullmatch(lines[stop]):
            return stop - 1 if stop - 1 > timing and lines[stop - 1].strip().isdecimal() else stop
        stop += 1
    return stop


def _cue(lines: list[str], index: int, timing: int, stop: int, offset: int) -> _Cue:
    where = f"line {offset + index + 1}"
    if timing >= len(lines) or "-->" not in lines[timing]:
        if timing >= len(lines):
            raise TranscriptError(
                f"{where}: the file ends in the middle of a cue, after {shown(lines[index])}"
            )
        raise TranscriptError(
            f"{where}: {shown(lines[index])} belongs to no cue; a cue is a timing line "
            f"(00:00:01.000 --> 00:00:02.000) and its text, without a blank line between"
        )
    match = _TIMING.fullmatch(lines[timing])
    where = f"line {offset + timing + 1}"
    if match is None:
        raise TranscriptError(
            f"{where}: {shown(lines[timing])} is not a cue timing such as 00:00:01.000 --> 00:00:02.000; "
            f"times are not negative"
        )
    if timing + 1 >= len(lines):
        raise TranscriptError(f"{where}: the file ends in the middle of a cue, before its text")
    start, end = (clock_seconds(match[group], where) for group in (1, 2))
    return _Cue(offset + timing + 1, start, end, "\n".join(lines[timing + 1 : stop]).strip())


def _voices(cue: _Cue, names: frozenset[str]) -> list[Entry]:
    """Split a cue at its voice tags; text before the first tag belongs to nobody."""
    parts = _VOICE.split(cue.text)
    if len(parts) == 1:
        if re.search(r"<v[\s.][^<>]*$", cue.text):
            raise TranscriptError(f"line {cue.line}: the voice tag of this cue is cut: {shown(cue.text)}")
        return [_named(cue, html.unescape(_without_markup(cue.text, _VTT_MARKUP)), names)]
    entries = []
    for speaker, spoken in zip([None, *parts[1::2]], parts[0::2], strict=True):
        plain = html.unescape(_without_markup(spoken, _VTT_MARKUP)).strip()
        if plain or (speaker is not None and len(parts) == 3):
            name = numbered(html.unescape(speaker)) if speaker else None
            entries.append(_at(cue, plain, name))
    return entries


def _named(cue: _Cue, text: str, names: frozenset[str]) -> Entry:
    found = split_prefix(text)
    if found is not None and found[0] in names:
        return _at(cue, found[1].strip(), found[0])
    return _at(cue, text, None)


def _at(cue: _Cue, text: str, speaker: str | None) -> Entry:
    return Entry(where=f"line {cue.line}", start=cue.start, end=cue.end, speaker=speaker, text=text)


def _prefixes(texts: Iterator[str]) -> frozenset[str]:
    spoken = [text for text in texts if text]
    found = [prefix[0] for text in spoken if (prefix := split_prefix(html.unescape(text)))]
    return frozenset(speaker_names(found, len(spoken)))


def _without_markup(text: str, markup: re.Pattern[str]) -> str:
    return markup.sub("", text) if "<" in text or "{" in text else text


def _watch_end(parsed: Parsed, text: str, cues: list[_Cue]) -> Parsed:
    """Warn where the last cue may be cut: no line end and no end of a sentence."""
    if cues and ends_abruptly(text):
        parsed.warnings.append(
            f"line {cues[-1].line}: the last cue ends without a line break or a full stop; "
            f"the file may be cut short"
        )
    return parsed
