"""The line formats of speech evaluation: CTM (words), STM (segments), RTTM (who spoke when)."""

import re
from collections.abc import Iterator
from typing import Final

from mmser.errors import TranscriptError
from mmser.transcripts.entries import Entry, Parsed, Token, count, entries_from_tokens
from mmser.transcripts.fields import channel, confidence, seconds, shown
from mmser.transcripts.names import numbered
from mmser.types import Word

_NUMBER: Final = r"-?(?:\d+\.?\d*|\.\d+|nan|inf)(?:e[+-]?\d+)?"
_RTTM_TYPES: Final = (
    "SPEAKER", "SPKR-INFO", "LEXEME", "NON-LEX", "NON-SPEECH", "FILLER", "EDIT", "SU", "IP", "CB", "A/P",
    "SEGMENT", "NOSCORE", "NO_RT_METADATA",
)  # fmt: skip
_NOBODY: Final = ("<na>", "unknown", "unk", "speech")  # stands for a name where speakers were not told apart
_CTM = re.compile(
    rf"(?P<file>\S+)\s+(?P<channel>\S+)\s+(?P<start>{_NUMBER})\s+(?P<length>{_NUMBER})\s+(?P<word>\S+)"
    rf"(?:\s+(?P<sure>{_NUMBER}|NA))?(?:\s+\S+){{0,2}}\s*",
    re.IGNORECASE,
)
_STM = re.compile(
    rf"(?P<file>\S+)\s+(?P<channel>\S+)\s+(?P<speaker>\S+)\s+(?P<start>{_NUMBER})\s+(?P<end>{_NUMBER})"
    r"(?:\s+<[^>]*>)?(?:\s+(?P<text>.*))?",
    re.IGNORECASE,
)
_RTTM = re.compile(
    rf"(?P<type>\S+)\s+(?P<file>\S+)\s+(?P<channel>\S+)\s+(?P<start>{_NUMBER})\s+(?P<length>{_NUMBER})"
    r"\s+\S+\s+\S+\s+(?P<speaker>\S+)(?:\s+\S+){0,2}\s*",
    re.IGNORECASE,
)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of lines that are neither blank nor a ";;" comment."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip() and not line.lstrip().startswith(";;"):
            yield number, line.strip()


def _first(text: str) -> str:
    return next((line for _, line in _lines(text[:20_000])), "")


def sniff_rttm(text: str) -> bool:
    """Tell whether the first line is RTTM's."""
    words = _first(text).split()
    return len(words) >= 8 and words[0] in _RTTM_TYPES


def sniff_stm(text: str) -> bool:
    """Tell whether the first line is STM's: file, channel, speaker, start, end."""
    return _STM.fullmatch(_first(text)) is not None


def sniff_ctm(text: str) -> bool:
    """Tell whether the first line is CTM's: file, channel, start, duration, word."""
    return _CTM.fullmatch(_first(text)) is not None


def read_rttm(text: str) -> Parsed:
    """Read who spoke when: start and duration, no words.

    Raises:
        TranscriptError: if a line is malformed.
    """
    parsed = Parsed(format="rttm", entries=[], spoken_only=True, file_order=False)
    other, files = 0, set()
    width = len(_first(text).split())
    for number, line in _lines(text):
        if line.split()[0] in _RTTM_TYPES[1:]:
            other += 1
            continue
        found = _match(_RTTM, line, number, "SPEAKER file channel start duration <NA> <NA> name <NA> <NA>")
        start = seconds(found["start"], f"line {number}")
        files.add(found["file"])
        columns = len(line.split())
        if columns < min(width, 9):  # a name cut short would pass for another speaker
            raise TranscriptError(
                f"line {number}: it has {columns} columns, and the first {width}; the file may be cut short"
            )
        if found["type"].upper() != "SPEAKER":
            raise TranscriptError(f"line {number}: {shown(found['type'])} is no RTTM type")
        parsed.entries.append(
            Entry(
                where=f"line {number}",
                start=start,
                end=round(start + seconds(found["length"], f"line {number}"), 6),
                speaker=_somebody(found["speaker"]),
                channel=channel(found["channel"], first=1),
            )
        )
    if other:
        parsed.warnings.append(f"{count(other, 'line')} of other types than SPEAKER left out")
    return _one_recording(parsed, files)


def read_stm(text: str) -> Parsed:
    """Read segments: start and END, one speaker, text.

    Raises:
        TranscriptError: if a line is malformed.
    """
    parsed = Parsed(format="stm", entries=[], file_order=False)
    files, gaps = set(), 0
    for number, line in _lines(text):
        found = _match(_STM, line, number, "file channel speaker start end text")
        spoken = found["text"] or ""
        if found["speaker"] == "inter_segment_gap" or spoken == "ignore_time_segment_in_scoring":
            gaps += 1
            continue
        files.add(found["file"])
        parsed.entries.append(
            Entry(
                where=f"line {number}",
                start=seconds(found["start"], f"line {number}"),
                end=seconds(found["end"], f"line {number}"),
                speaker=_somebody(found["speaker"]),
                channel=channel(found["channel"], first=1),
                text=spoken,
            )
        )
    if gaps:
        parsed.warnings.append(f"{count(gaps, 'segment')} marked as not transcribed left out")
    return _one_recording(parsed, files)


def read_ctm(text: str) -> Parsed:
    r"""Read words: start and duration; tags after ";" are dropped, "\;" is a semicolon.

    Raises:
        TranscriptError: if a line is malformed.
    """
    tracks: dict[tuple[str, str], list[Token]] = {}
    alternative = False  # inside <ALT_BEGIN> … <ALT_END> only the first reading is spoken
    for number, line in _lines(text):
        mark = re.fullmatch(r"\S+\s+\S+\s+\*\s+\*\s+<(ALT_BEGIN|ALT|ALT_END)>.*", line)
        if mark:
            alternative = mark[1] == "ALT"
            continue
        found = _match(_CTM, line, number, "file channel start duration word")
        word = re.split(r"(?<!\\);", found["word"])[0].replace("\\;", ";")
        if alternative or word in ("", "@"):
            continue
        start = seconds(found["start"], f"line {number}")
        end = round(start + seconds(found["length"], f"line {number}"), 6)
        if not (start >= 0 and end >= start):  # NaN fails too; named here, where the line is known
            raise TranscriptError(
                f"line {number}: start {start} or duration {found['length']} is negative or NaN"
            )
        track = tracks.setdefault((found["file"], found["channel"]), [])
        sure = confidence(found["sure"])
        track.append(Token(word=Word(text=word, start=start, end=end, confidence=sure)))
    return _ctm_turns(tracks)


def _ctm_turns(tracks: dict[tuple[str, str], list[Token]]) -> Parsed:
    """Read each side of each file as a speaker; the only side of one file is the mix, and nobody."""
    parsed = Parsed(format="ctm", entries=[], file_order=False)
    files = {file for file, _ in tracks}
    for (file, side), tokens in tracks.items():
        for token in tokens:
            if len(tracks) > 1:
                token.channel = channel(side, first=1)
                token.speaker = numbered(f"{file} {side}" if len(files) > 1 else side)
        parsed.entries += entries_from_tokens(tokens, f"{file} {side}")
    return _one_recording(parsed, files)


def _somebody(name: str) -> str | None:
    return None if name.casefold() in _NOBODY else name


def _match(pattern: re.Pattern[str], line: str, number: int, shape: str) -> re.Match[str]:
    found = pattern.fullmatch(line)
    if found is None:
        raise TranscriptError(f"line {number}: {shown(line)} is not {shape!r}; the file may be cut or mixed")
    return found


def _one_recording(parsed: Parsed, files: set[str]) -> Parsed:
    if len(files) > 1:
        parsed.warnings.append(
            f"it holds {len(files)} recordings, whose times run over one another; give one recording's lines "
            f"to analyse one call"
        )
    return parsed
