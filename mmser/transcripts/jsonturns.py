"""JSON of no vendor: a list of turns with a speaker and a text, with or without times."""

from typing import Final

from mmser.transcripts.clock import clock_seconds
from mmser.transcripts.entries import Entry, Parsed
from mmser.transcripts.fields import Json, channel, get, is_object, language_code, objects, seconds, string
from mmser.transcripts.names import numbered, role_of
from mmser.types import Seconds

_LISTS: Final = (
    "turns", "transcript", "utterances", "segments", "conversation", "messages", "dialogue", "dialog",
    "transcription",
)  # fmt: skip
_SPEAKERS: Final = ("speaker", "speaker_name", "speakerName", "participant", "role", "name", "from")
_TEXTS: Final = ("text", "content", "message", "utterance", "transcript", "sentence")
_STARTS: Final = ("start", "start_time", "startTime", "begin")
_ENDS: Final = ("end", "end_time", "endTime", "stop")


def _turns(data: object) -> object:
    for items in (data, *(get(data, key) for key in _LISTS)):
        first = get(items, 0)
        if _first_of(first, _SPEAKERS) and _first_of(first, _TEXTS):
            return items
    return None


def _first_of(item: object, keys: tuple[str, ...]) -> str | None:
    return next((key for key in keys if is_object(item, key)), None)


def sniff_turns(data: object) -> bool:
    """Tell whether JSON holds a list of turns."""
    return _turns(data) is not None


def read_turns(data: object) -> Parsed:
    """Read turns; times are seconds or clock times where given.

    Raises:
        TranscriptError: if a turn is malformed.
    """
    entries = []
    for index, item in enumerate(objects(_turns(data), "turns")):
        where = f"turns[{index}]"
        role = item.get("role")
        stated = role_of(role) if isinstance(role, str) else "unknown"
        speaker = _first_of(item, _SPEAKERS)
        entries.append(
            Entry(
                where=where,
                start=_time(item, _STARTS, where),
                end=_time(item, _ENDS, where),
                speaker=numbered(item[speaker]) if speaker else None,
                role=None if stated == "unknown" else stated,
                channel=channel(item.get("channel")),
                text=string(item, _first_of(item, _TEXTS) or "text", where),
            )
        )
    language = language_code(get(data, "language")) if isinstance(data, dict) else None
    return Parsed(format="json", entries=entries, language=language)


def _time(item: Json, keys: tuple[str, ...], where: str) -> Seconds | None:
    key = _first_of(item, keys)
    if key is None or item[key] is None:
        return None
    if isinstance(item[key], str) and ":" in item[key]:
        return clock_seconds(item[key], f"{where}.{key}")
    return seconds(item[key], f"{where}.{key}")
