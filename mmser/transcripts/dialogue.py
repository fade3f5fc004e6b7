"""Plain text such as "Agent: …", alone or as a string inside JSON ("**Agent:** …")."""

import re

from mmser.transcripts.clock import clock_seconds
from mmser.transcripts.entries import Entry, Parsed, count
from mmser.transcripts.fields import language_code
from mmser.transcripts.names import role_of, speaker_names, split_prefix

_CLOCK = r"(?:\d{1,2}:)?\d{1,3}:\d{2}(?:[.,]\d{1,3})?"
_TIMES = re.compile(
    rf"[\[(]? ?({_CLOCK})\s*(?:(?:-->|-|–|to)\s*({_CLOCK})\s*)?[\])]?\s*[-–]?\s*(?=\S)", re.ASCII
)
_NAME_TIME = re.compile(rf"^([^:\[\]()]{{1,60}}?)\s*[\[(]({_CLOCK})[\])]\s*:(?=\s|$)", re.ASCII)
_MAX_DEPTH = 4


def _split(line: str) -> tuple[str | None, str | None, str]:
    """Return (start, end, rest) of a line that may begin with a time, "[00:05 --> 00:07] …"."""
    line = line.strip()
    match = _TIMES.match(line)
    if match:
        return match[1], match[2], line[match.end() :]
    match = _NAME_TIME.match(line)
    if match:
        return match[2], None, f"{match[1]}:{line[match.end() :]}"
    return None, None, line


def _speakers(lines: list[str]) -> frozenset[str]:
    spoken = [_split(line)[2] for line in lines if line.strip()]
    found = [prefix[0] for line in spoken if (prefix := split_prefix(line))]
    return frozenset(speaker_names(found, len(spoken)))


def sniff_dialogue(text: str) -> bool:
    """Tell whether lines begin with speakers' names: a role's, or at least two turns of people's."""
    lines = text.split("\n")
    names = _speakers(lines)
    found = [prefix[0] for line in lines if (prefix := split_prefix(_split(line)[2])) and prefix[0] in names]
    return any(role_of(name) != "unknown" for name in found) or len(found) >= 2


def read_dialogue(text: str) -> Parsed:
    """Read "Name: text" lines; a line without a name goes on with the turn before it.

    A title above the first speaker is left out with a warning that names its lines. Warnings quote no
    words: they stand in reports that leave the words out.

    Raises:
        TranscriptError: if a time before a line is none.
    """
    lines = text.split("\n")
    names = _speakers(lines)
    parsed = Parsed(format="text", entries=[])
    title: list[int] = []  # numbers of its lines
    wrapped: list[list[str]] = []  # each turn's lines; joined once, so that long turns stay cheap
    for number, line in enumerate(lines, start=1):
        start, end, rest = _split(line)
        found = split_prefix(rest)
        where = f"line {number}"
        if found is not None and found[0] in names:
            parsed.entries.append(_entry(where, start, end, found[0]))
            wrapped.append([re.sub(r"^\*\*\s*", "", found[1]).strip()])
        elif wrapped and line.strip():
            wrapped[-1].append(line.strip())
        elif line.strip():
            title.append(number)
    for entry, spoken in zip(parsed.entries, wrapped, strict=True):
        entry.text = "\n".join(part for part in spoken if part)
    if title:
        parsed.warnings.append(
            f"{count(len(title), 'line')} before the first speaker left out (line "
            + (f"{title[0]})" if len(title) == 1 else f"{title[0]} to line {title[-1]})")
        )
    return parsed


def _entry(where: str, start: str | None, end: str | None, speaker: str) -> Entry:
    return Entry(
        where=where,
        start=None if start is None else clock_seconds(start, where),
        end=None if end is None else clock_seconds(end, where),
        speaker=speaker,
    )


def dialogue_inside(data: object, depth: int = 0) -> str | None:
    """Return the longest string inside JSON that reads as a dialogue, None without one."""
    if isinstance(data, str):
        return data if "\n" in data.strip() and sniff_dialogue(data) else None
    if depth >= _MAX_DEPTH or not isinstance(data, dict | list):
        return None
    inside = data.values() if isinstance(data, dict) else data
    found = [text for item in inside if (text := dialogue_inside(item, depth + 1))]
    return max(found, key=len, default=None)


def sniff_dialogue_json(data: object) -> bool:
    """Tell whether JSON holds a dialogue as one string."""
    return dialogue_inside(data) is not None


def read_dialogue_json(data: object) -> Parsed:
    """Read the dialogue that JSON holds as one string.

    Raises:
        TranscriptError: if a time before a line is none.
    """
    parsed = read_dialogue((dialogue_inside(data) or "").replace("\r\n", "\n"))
    parsed.format = "text_json"
    if isinstance(data, dict):
        parsed.language = language_code(data.get("language", data.get("Language")))
    return parsed
