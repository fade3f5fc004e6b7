"""vCon conversations and the WTF transcript that their analyses carry.

Read by a few lines of our own: the `vcon` package (0.3) brings pytest, Authlib and cryptography along.
"""

import dataclasses
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from mmser.errors import TranscriptError
from mmser.labels import Role
from mmser.transcripts.dialogue import read_dialogue, sniff_dialogue
from mmser.transcripts.entries import Entry, Parsed, attach_punctuation
from mmser.transcripts.fields import (
    Json,
    confidence,
    get,
    is_object,
    language_code,
    objects,
    seconds,
    string,
)
from mmser.transcripts.names import numbered, role_of
from mmser.types import Word

Read = Callable[[object], Parsed | None]

# --- WTF: the World Transcription Format -----------------------------------------------------------


def sniff_wtf(data: object) -> bool:
    """Tell whether JSON is a WTF transcript."""
    return is_object(get(data, "transcript"), "text") and isinstance(get(data, "segments"), list)


def read_wtf(data: object) -> Parsed:
    """Read the segments; their words stand apart, at the top level.

    Raises:
        TranscriptError: if a segment or word is malformed.
    """
    labels = get(data, "speakers")
    words = objects(get(data, "words") or [], "words")
    parsed = Parsed(
        format="wtf",
        entries=[],
        language=language_code(get(data, "transcript", "language")),
        file_order=False,
    )
    segments = objects(get(data, "segments"), "segments")
    groups = _group_words(words, segments)
    incomplete = 0
    for index, (segment, group) in enumerate(zip(segments, groups, strict=True)):
        where = f"segments[{index}]"
        label = segment.get("speaker")
        stated = get(labels, str(label), "label")
        text = string(segment, "text", where)
        spoken = _wtf_words(group)
        if spoken and _letters("".join(word.text for word in spoken)) != _letters(text):
            spoken, incomplete = [], incomplete + 1
        parsed.entries.append(
            Entry(
                where=where,
                start=seconds(segment.get("start"), f"{where}.start"),
                end=seconds(segment.get("end"), f"{where}.end"),
                speaker=numbered(stated if isinstance(stated, str) else label),
                text=text,
                words=spoken,
            )
        )
    if incomplete:
        parsed.warnings.append("its words do not cover its segments' text; the text was kept, not the words")
    return parsed


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def _group_words(words: list[Json], segments: list[Json]) -> list[list[tuple[Json, str]]]:
    """Return each segment's words: the last segment that begins at or before the word's start."""
    groups: list[list[tuple[Json, str]]] = [[] for _ in segments]
    starts = [seconds(item.get("start"), f"segments[{index}].start") for index, item in enumerate(segments)]
    current = 0
    for index, word in enumerate(words):
        where = f"words[{index}]"
        start = seconds(word.get("start"), f"{where}.start")
        while current + 1 < len(starts) and starts[current + 1] <= start:
            current += 1
        if groups:
            groups[current].append((word, where))
    return groups


def _wtf_words(group: list[tuple[Json, str]]) -> list[Word]:
    words: list[Word] = []
    for item, where in group:
        text = string(item, "text", where)
        if item.get("is_punctuation") is True and words:
            words[-1] = attach_punctuation(words[-1], text)
            continue
        start, end = (seconds(item.get(key), f"{where}.{key}") for key in ("start", "end"))
        words.append(Word(text=text, start=start, end=end, confidence=confidence(item.get("confidence"))))
    return words


# --- vCon ------------------------------------------------------------------------------------------

_ROLES: Final[dict[str, Role]] = {"agent": "agent", "customer": "customer"}


def sniff_vcon(data: object) -> bool:
    """Tell whether JSON is a vCon."""
    return is_object(data, "vcon") and (is_object(data, "parties") or is_object(data, "dialog"))


def read_vcon(data: object, read_body: Read) -> Parsed:
    """Read the transcript among a vCon's analyses, or else the bodies of its text dialogues.

    Args:
        data: the parsed vCon.
        read_body: reads an analysis body that is itself JSON of a known format; None if it is none.

    Raises:
        TranscriptError: if the vCon holds no transcript, or one that is malformed.
    """
    analyses = objects(get(data, "analysis") or [], "analysis")
    bodies: dict[str, Parsed] = {}
    skipped = 0
    for index, item in enumerate(analyses):
        if item.get("type") not in ("transcript", "wtf_transcription"):
            continue
        found = _body(item, f"analysis[{index}]", read_body)
        key = json.dumps(item.get("dialog"))
        skipped += found is not None and key in bodies
        if found is not None:
            bodies.setdefault(key, found)
    parsed = _joined(data, bodies) if bodies else _chat(data)
    if not parsed.entries:
        raise TranscriptError("this vCon holds no transcript among its analyses and no text dialogue")
    if skipped:
        parsed.warnings.append(f"the first of {skipped + 1} transcripts of the same dialogue was read")
    if all(entry.speaker is None for entry in parsed.entries):
        parsed.warnings.append("this vCon's transcript does not say who speaks; its roles are unknown")
    return _with_parties(parsed, data)


def _body(item: Json, where: str, read_body: Read) -> Parsed | None:
    body = item.get("body")
    if isinstance(body, str) and body.lstrip()[:1] in ("{", "["):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise TranscriptError(f"{where}.body: it is cut or broken JSON ({error})") from error
    if isinstance(body, dict | list):
        known = read_body(body)
        if known is not None:
            return known
        text = get(body, "transcript") or get(body, "text")
        language = language_code(get(body, "detected_language") or get(body, "language"))
    else:
        text, language = body, None
    if not isinstance(text, str) or not text.strip():
        raise TranscriptError(f"{where}.body: it is no transcript of a known shape")
    if sniff_dialogue(text):
        return dataclasses.replace(read_dialogue(text), language=language)
    paragraphs = [part.strip() for part in text.replace("\r\n", "\n").split("\n\n") if part.strip()]
    entries = [
        Entry(where=f"{where}, paragraph {n}", text=part) for n, part in enumerate(paragraphs, start=1)
    ]
    return Parsed(format="vcon", entries=entries, language=language)


def _joined(data: object, bodies: dict[str, Parsed]) -> Parsed:
    """Join the dialogues of one vCon, each moved by how long after the earliest it began."""
    first = next(iter(bodies.values()))
    if len(bodies) == 1:
        return dataclasses.replace(first, format="vcon", file_order=False)
    began = {key: _began(data, json.loads(key)) for key in bodies}
    origin = min((start for start in began.values() if start is not None), default=None)
    offsets = {
        key: 0.0 if start is None or origin is None else (start - origin).total_seconds()
        for key, start in began.items()
    }
    parsed = Parsed(format="vcon", entries=[], language=first.language, file_order=False)
    for key in sorted(bodies, key=offsets.__getitem__):
        _move(bodies[key].entries, offsets[key])
        parsed.entries += bodies[key].entries
        parsed.warnings += bodies[key].warnings
    parsed.warnings.append(_how_joined(len(bodies), sum(start is None for start in began.values())))
    return parsed


def _how_joined(dialogues: int, unplaced: int) -> str:
    if not unplaced:
        return f"the transcripts of {dialogues} dialogues were joined by when they began"
    return (
        f"the transcripts of {dialogues} dialogues were joined, but {unplaced} of them state no start: their "
        "times count from the beginning of the earliest and may lie over another's; give every dialogue its "
        "'start'"
    )


def _began(data: object, dialog: object) -> datetime | None:
    """Return when the earliest of an analysis's dialogues began, in UTC; None where none of them says."""
    stated = [
        get(data, "dialog", index, "start")
        for index in (dialog if isinstance(dialog, list) else [dialog])
        if isinstance(index, int)
    ]
    return min((found for text in stated if (found := _instant(text)) is not None), default=None)


def _instant(text: object) -> datetime | None:
    try:
        stated = datetime.fromisoformat(str(text))
        return stated.replace(tzinfo=None) - (stated.utcoffset() or timedelta())
    except (ValueError, OverflowError):  # no date, or one beside the calendar's edge
        return None


def _move(entries: list[Entry], by: float) -> None:
    for entry in entries:
        entry.start = None if entry.start is None else entry.start + by
        entry.end = None if entry.end is None else entry.end + by
        entry.words = [
            dataclasses.replace(
                word,
                start=None if word.start is None else word.start + by,
                end=None if word.end is None else word.end + by,
            )
            for word in entry.words
        ]


def _chat(data: object) -> Parsed:
    """Read text dialogues: each is one message of its originator."""
    parsed = Parsed(format="vcon", entries=[], file_order=False)
    for index, item in enumerate(objects(get(data, "dialog") or [], "dialog")):
        body = item.get("body")
        if item.get("type") == "text" and isinstance(body, str) and body.strip():
            who: Any = item.get("originator", get(item, "parties", 0) if "parties" in item else None)
            parsed.entries.append(
                Entry(where=f"dialog[{index}]", speaker=_party(data, who), text=body.strip())
            )
    return parsed


def _party(data: object, index: object) -> str | None:
    if not isinstance(index, int):
        return None
    name = get(data, "parties", index, "name") or get(data, "parties", index, "tel")
    return numbered(name) if isinstance(name, str) else f"Party {index}"


def _with_parties(parsed: Parsed, data: object) -> Parsed:
    """Give speakers the role that the vCon states for the party of that name."""
    people = get(data, "parties")
    stated: dict[str, Role] = {}
    for person in people if isinstance(people, list) else []:
        role = get(person, "role") or get(person, "meta", "role")
        name = get(person, "name")
        known = role_of(role) if isinstance(role, str) else "unknown"
        if isinstance(name, str) and known != "unknown":
            stated[name.casefold()] = known
    for entry in parsed.entries:
        if entry.role is None and entry.speaker is not None:
            entry.role = stated.get(entry.speaker.casefold())
    return parsed
