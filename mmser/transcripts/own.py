"""Our own JSON, `mmser.transcript/1`: what `write_json` writes, read back without loss."""

import typing
from typing import Any, Final

from mmser.errors import TranscriptError
from mmser.labels import ROLES
from mmser.transcripts.entries import check_span
from mmser.transcripts.fields import get, kind, objects, shown
from mmser.types import Times, Transcript

SCHEMA: Final = "mmser.transcript/1"

_NUMBER, _TEXT = (int, float), (str,)
_TURN: Final[dict[str, tuple[type, ...]]] = {
    "id": _TEXT, "start": _NUMBER, "end": _NUMBER, "channel": (int,), "speaker": _TEXT, "role": _TEXT,
    "text": _TEXT, "words": (list,), "flags": (list,),
}  # fmt: skip
_WORD: Final[dict[str, tuple[type, ...]]] = {
    "text": _TEXT, "start": _NUMBER, "end": _NUMBER, "confidence": _NUMBER
}  # fmt: skip


def sniff_own(data: object) -> bool:
    """Tell whether JSON is our own transcript."""
    schema = get(data, "schema")
    return isinstance(schema, str) and schema.startswith("mmser.transcript/")


def read_own(data: dict[str, Any]) -> Transcript:
    """Read what `write_json` wrote.

    Raises:
        TranscriptError: if the schema is from a newer version or a field has the wrong type.
    """
    if data["schema"] != SCHEMA:
        raise TranscriptError(
            f"its schema is {shown(data['schema'])}; this version of mmser reads {SCHEMA!r}"
        )
    turns = objects(data.get("turns"), "turns")
    for index, turn in enumerate(turns):
        where = f"turns[{index}]"
        _check_types(turn, _TURN, where)
        if turn.get("role", "unknown") not in ROLES:
            raise TranscriptError(f"{where}: role {shown(turn['role'])} is none of {', '.join(ROLES)}")
        _check_strings(turn.get("flags", []), f"{where}.flags")
        check_span(turn.get("start"), turn.get("end"), where)
        for number, word in enumerate(objects(turn.get("words", []), f"{where}.words")):
            _check_types(word, _WORD, f"{where}.words[{number}]")
            check_span(word.get("start"), word.get("end"), f"{where}.words[{number}]")
    if data.get("times", "given") not in typing.get_args(Times):
        raise TranscriptError(f"'times' is {shown(data['times'])}; it is one of given, estimated, none")
    _check_strings(data.get("warnings", []), "warnings")
    _check_types(data, {"format": _TEXT, "language": _TEXT}, "the transcript")
    if data.get("times", "given") != "none" and any(turn.get("start") is None for turn in turns):
        raise TranscriptError("a turn has no start, though 'times' is not none")
    if not turns:
        raise TranscriptError("it holds no turns; a transcript needs at least one")
    try:
        return Transcript.from_dict({key: value for key, value in data.items() if key != "schema"})
    except ValueError as error:
        raise TranscriptError(str(error)) from error


def _check_types(item: dict[str, Any], allowed: dict[str, tuple[type, ...]], where: str) -> None:
    for key, types in allowed.items():
        value = item.get(key)
        if value is not None and (not isinstance(value, types) or isinstance(value, bool)):
            raise TranscriptError(f"{where}: {key!r} should not be {kind(value)}: {shown(value)}")


def _check_strings(value: object, where: str) -> None:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TranscriptError(f"{where}: expected a list of strings, found {shown(value)}")
