"""Our own JSON, `mmser.transcript/1`: what `write_json` writes, read back without loss."""

import typing
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from mmser.errors import TranscriptError
from mmser.labels import ROLES
from mmser.transcripts.entries import check_span, count
from mmser.transcripts.fields import Json, get, kind, objects, shown
from mmser.types import Recognition, Redaction, Times, Transcript, Turn, Word

R = TypeVar("R", Recognition, Redaction)
SCHEMA: Final = "mmser.transcript/1"

_NUMBER, _TEXT = (int, float), (str,)
_WORD: Final[dict[str, tuple[type, ...]]] = {
    "text": _TEXT, "start": _NUMBER, "end": _NUMBER, "confidence": _NUMBER, "estimated": (bool,)
}  # fmt: skip
_TURN: Final[dict[str, tuple[type, ...]]] = {
    "id": _TEXT, "start": _NUMBER, "end": _NUMBER, "channel": (int,), "speaker": _TEXT, "role": _TEXT,
    "text": _TEXT, "words": (list,), "flags": (list,),
}  # fmt: skip
_TRANSCRIPT: Final[dict[str, tuple[type, ...]]] = {
    "schema": _TEXT, "turns": (list,), "format": _TEXT, "times": _TEXT, "language": _TEXT,
    "warnings": (list,), "recognition": (dict,), "redaction": (dict,),
}  # fmt: skip


def sniff_own(data: object) -> bool:
    """Tell whether JSON is our own transcript."""
    schema = get(data, "schema")
    return isinstance(schema, str) and schema.startswith("mmser.transcript/")


def read_own(data: Json) -> Transcript:
    """Read what `write_json` wrote.

    Raises:
        TranscriptError: if the schema is from a newer version, or a field is unknown, missing or of the
            wrong type.
    """
    if data["schema"] != SCHEMA:
        raise TranscriptError(f"its schema is {shown(data['schema'])}; this mmser reads {SCHEMA!r}")
    _check_fields(data, _TRANSCRIPT, "the transcript", needed=("format", "turns"))
    times = data.get("times", "given")
    if times not in typing.get_args(Times):
        raise TranscriptError(f"'times' is {shown(times)}; it is one of {', '.join(typing.get_args(Times))}")
    turns = [
        _turn(item, f"turns[{index}]", timed=times != "none")
        for index, item in enumerate(objects(data["turns"], "turns"))
    ]
    warnings = list(_strings(data.get("warnings", []), "warnings"))
    spoken = [turn for turn in turns if turn.text is None or turn.text.strip()]
    if len(spoken) < len(turns):
        warnings.append(f"{count(len(turns) - len(spoken), 'empty turn')} left out")
    if not spoken:
        raise TranscriptError("it holds no turns; a transcript needs at least one")
    if len({turn.id for turn in spoken}) < len(spoken):
        raise TranscriptError("two of its turns have the same id; every turn needs one of its own")
    return Transcript(
        turns=tuple(sorted(spoken, key=lambda turn: turn.start or 0.0)),
        format=data["format"],
        times=times,
        language=data.get("language"),
        warnings=tuple(warnings),
        recognition=_record(data.get("recognition"), Recognition, "recognition"),
        redaction=_record(data.get("redaction"), Redaction, "redaction"),
    )


def _record(value: object, kind: type[R], where: str) -> R | None:
    """Read a record that was written beside the turns."""
    if value is None:
        return None
    try:
        record = TypeAdapter(kind).validate_python(value, strict=False)
        _check_ranges(record, where)
        return record
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        raise TranscriptError(f"{where}: {place}: {first['msg']}") from error


def _check_ranges(record: Recognition | Redaction, where: str) -> None:
    """Refuse numbers that no run of mmser writes."""
    if isinstance(record, Redaction):
        counts, shares = list(record.counts.values()), []
        for span in record.spans:
            if len(span) != 2:
                raise TranscriptError(f"{where}.spans: {shown(span)} is not a start and an end")
            check_span(span[0], span[1], f"{where}.spans")
    else:
        counts = [record.num_words, record.crosstalk_words, *record.dropped.values()]
        shares = [record.confidence, record.language_probability]
    if any(number < 0 for number in counts):
        raise TranscriptError(f"{where}: a count is negative; counts are 0 or more")
    if any(share is not None and not 0 <= share <= 1 for share in shares):  # NaN fails this too
        raise TranscriptError(f"{where}: a confidence is not between 0 and 1")


def _turn(item: Json, where: str, *, timed: bool) -> Turn:
    _check_fields(item, _TURN, where, needed=("id",))
    if item.get("role", "unknown") not in ROLES:
        raise TranscriptError(f"{where}: role {shown(item['role'])} is none of {', '.join(ROLES)}")
    if timed and (item.get("start") is None or item.get("end") is None):
        raise TranscriptError(f"{where}: it has no start or no end, though 'times' is not none")
    check_span(item.get("start"), item.get("end"), where)
    words = [
        _word(word, f"{where}.words[{index}]")
        for index, word in enumerate(objects(item.get("words", []), f"{where}.words"))
    ]
    fields = {"start": None, "end": None, **item, "words": tuple(words)}
    return Turn(**{**fields, "flags": _strings(item.get("flags", []), f"{where}.flags")})


def _word(item: Json, where: str) -> Word:
    _check_fields(item, _WORD, where, needed=("text",))
    check_span(item.get("start"), item.get("end"), where)
    if not 0 <= (item.get("confidence") or 0) <= 1:
        raise TranscriptError(f"{where}: confidence {shown(item['confidence'])} is not between 0 and 1")
    return Word(**item)


def _check_fields(
    item: Json, allowed: dict[str, tuple[type, ...]], where: str, *, needed: tuple[str, ...]
) -> None:
    for key in needed:
        if item.get(key) is None:
            raise TranscriptError(f"{where}: {key!r} is missing")
    for key, value in item.items():
        if key not in allowed:
            raise TranscriptError(f"{where}: {shown(key)} is no field; fields are {', '.join(allowed)}")
        fits = isinstance(value, allowed[key]) and isinstance(value, bool) == (allowed[key] == (bool,))
        if value is not None and not fits:
            raise TranscriptError(f"{where}: {key!r} should not be {kind(value)}: {shown(value)}")


def _strings(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TranscriptError(f"{where}: expected a list of strings, found {shown(value)}")
    return tuple(value)
