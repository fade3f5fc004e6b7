"""AWS: Transcribe (plain, speaker labels, channel labels), Call Analytics, Connect Contact Lens."""

from collections.abc import Iterator
from typing import Final

from mmser.errors import TranscriptError
from mmser.labels import Role
from mmser.transcripts.entries import Entry, Parsed, Token, attach_punctuation, entries_from_tokens
from mmser.transcripts.fields import (
    Json,
    channel,
    confidence,
    get,
    is_object,
    language_code,
    objects,
    seconds,
    shown,
    string,
)
from mmser.types import Word

_ROLES: Final[dict[str, Role]] = {
    "AGENT": "agent", "CUSTOMER": "customer", "SYSTEM": "system", "CUSTOM_BOT": "system"
}  # fmt: skip

# --- Transcribe: strings of seconds; punctuation has no times ------------------------------------


def sniff_transcribe(data: object) -> bool:
    """Tell whether JSON is the output of an Amazon Transcribe job."""
    results = get(data, "results")
    return is_object(results, "items") and is_object(get(results, "transcripts", 0), "transcript")


def read_transcribe(data: object) -> Parsed:
    """Read a Transcribe job: speakers are joined to words by time, channels read apart.

    Raises:
        TranscriptError: if the job did not complete or an item is malformed.
    """
    status = get(data, "status")
    if status is not None and status != "COMPLETED":
        raise TranscriptError(f"the job's status is {shown(status)}; only a COMPLETED job has a transcript")
    results = get(data, "results")
    language = language_code(results.get("language_code"))
    items = objects(results["items"], "results.items")
    tracks = _tracks(results.get("channel_labels"))
    if results.get("audio_segments"):
        entries = _audio_segments(objects(results["audio_segments"], "results.audio_segments"), items)
    elif tracks:
        entries = _by_channel(tracks)
    else:
        tokens = _tokens(items, "results.items", _speakers(results.get("speaker_labels")))
        entries = entries_from_tokens(tokens, "results.items")
    return Parsed(
        format="aws_transcribe",
        entries=entries,
        language=language,
        num_channels=max(1, len(tracks)),
        file_order=False,
    )


def _tracks(labels: object) -> list[Json]:
    return objects(get(labels, "channels"), "results.channel_labels.channels") if labels else []


def _by_channel(tracks: list[Json]) -> list[Entry]:
    entries = []
    for index, track in enumerate(tracks):
        where = f"results.channel_labels.channels[{index}]"
        number = channel(track.get("channel_label"))
        tokens = list(_tokens(objects(track.get("items"), f"{where}.items"), f"{where}.items", {}))
        label = string(track, "channel_label", where)
        for token in tokens if len(tracks) > 1 else ():  # one channel is the mix of everybody
            token.channel, token.speaker = number, label
        entries += entries_from_tokens(tokens, where)
    return entries


_Key = tuple[object, object]


def _speakers(labels: object) -> dict[_Key, tuple[int, str | None]]:
    """Return (start, end) of each word → its segment and speaker; a start alone where ends differ."""
    found: dict[_Key, tuple[int, str | None]] = {}
    if labels is None:
        return found
    where = "results.speaker_labels.segments"
    for index, segment in enumerate(objects(get(labels, "segments"), where)):
        for item in objects(segment.get("items", []), f"{where}[{index}].items"):
            label = item.get("speaker_label", segment.get("speaker_label"))
            value = (index, label if isinstance(label, str) else None)
            start, end = item.get("start_time"), item.get("end_time")
            if isinstance(start, str | int | float) and isinstance(end, str | int | float):
                found[(start, end)] = value
                found.setdefault((start, None), value)
    return found


def _tokens(items: list[Json], where: str, speakers: dict[_Key, tuple[int, str | None]]) -> Iterator[Token]:
    token: Token | None = None
    for index, item in enumerate(items):
        place = f"{where}[{index}]"
        best = get(item, "alternatives", 0)
        if not isinstance(best, dict):
            raise TranscriptError(f"{place}: it has no alternatives")
        text = string(best, "content", place)
        if item.get("type") == "punctuation" and token is not None:
            token.word = attach_punctuation(token.word, text)
            continue
        if token is not None:
            yield token
        token = _token(item, text, best.get("confidence"), place, speakers)
    if token is not None:
        yield token


def _token(
    item: Json, text: str, sure: object, place: str, speakers: dict[_Key, tuple[int, str | None]]
) -> Token:
    if item.get("type") == "punctuation":  # before any word
        return Token(word=Word(text=text))
    start, end = item.get("start_time"), item.get("end_time")
    word = Word(
        text=text,
        start=seconds(start, f"{place}.start_time"),
        end=seconds(end, f"{place}.end_time"),
        confidence=confidence(sure),
    )
    if not speakers:
        label = item.get("speaker_label")
        return Token(word=word, speaker=label if isinstance(label, str) else None)
    segment, speaker = speakers.get((start, end)) or speakers.get((start, None)) or (-1, None)
    return Token(word=word, speaker=speaker, segment=segment)


def _audio_segments(segments: list[Json], items: list[Json]) -> list[Entry]:
    """Newer jobs list their segments with the ids of the items in each."""
    by_id = {item["id"]: item for item in items if isinstance(item.get("id"), int)}
    entries = []
    for index, segment in enumerate(segments):
        where = f"results.audio_segments[{index}]"
        ids = segment.get("items", [])
        known = isinstance(ids, list) and all(isinstance(number, int) and number in by_id for number in ids)
        if not known:
            raise TranscriptError(f"{where}: its items are not all among results.items")
        track = segment.get("channel_label")
        label = segment.get("speaker_label", track)
        words = [token.word for token in _tokens([by_id[number] for number in ids], f"{where}.items", {})]
        entries.append(
            Entry(
                where=where,
                start=seconds(segment.get("start_time"), f"{where}.start_time"),
                end=seconds(segment.get("end_time"), f"{where}.end_time"),
                speaker=label if isinstance(label, str) else None,
                channel=channel(track),
                text=string(segment, "transcript", where),
                words=words,
            )
        )
    return entries


# --- Call Analytics and Contact Lens: milliseconds; the file states the roles --------------------


def sniff_calls(data: object) -> bool:
    """Tell whether JSON is a Call Analytics or Contact Lens document."""
    return is_object(get(data, "Transcript", 0), "Content", "BeginOffsetMillis") or is_object(
        get(data, "Segments", 0, "Transcript"), "Content", "BeginOffsetMillis"
    )


def read_calls(data: object) -> Parsed:
    """Read Call Analytics or Contact Lens turns with the roles that they state.

    Raises:
        TranscriptError: if the job did not complete or a turn is malformed.
    """
    status = get(data, "JobStatus")
    if status not in (None, "COMPLETED"):
        raise TranscriptError(f"the job's status is {shown(status)}; only a COMPLETED job has a transcript")
    if is_object(data, "Segments"):  # real-time Contact Lens: turns among categories and issues
        segments = objects(get(data, "Segments"), "Segments")
        turns = [segment["Transcript"] for segment in segments if "Transcript" in segment]
    else:
        turns = get(data, "Transcript")
    people = get(data, "Participants")
    roles = {
        person["ParticipantId"]: person.get("ParticipantRole")
        for person in (people if isinstance(people, list) else [])
        if isinstance(get(person, "ParticipantId"), str)
    }
    analytics = is_object(get(turns, 0), "ParticipantRole") and not is_object(get(turns, 0), "ParticipantId")
    return Parsed(
        format="aws_call_analytics" if analytics else "contact_lens",
        entries=[
            _turn(turn, f"Transcript[{index}]", roles)
            for index, turn in enumerate(objects(turns, "Transcript"))
        ],
        language=language_code(get(data, "LanguageCode")),
        file_order=False,
    )


def _turn(turn: Json, where: str, roles: dict[str, object]) -> Entry:
    person = turn.get("ParticipantId")
    stated = turn.get("ParticipantRole") or (roles.get(person) if isinstance(person, str) else None) or person
    speaker = person or stated
    words: list[Word] = []
    for index, item in enumerate(objects(turn.get("Items", []), f"{where}.Items")):
        place = f"{where}.Items[{index}]"
        text = string(item, "Content", place)
        if item.get("Type") == "punctuation" and words:
            words[-1] = attach_punctuation(words[-1], text)
        else:
            words.append(_word(item, text, place))
    return Entry(
        where=where,
        start=seconds(turn.get("BeginOffsetMillis"), f"{where}.BeginOffsetMillis", per_second=1000),
        end=seconds(turn.get("EndOffsetMillis"), f"{where}.EndOffsetMillis", per_second=1000),
        speaker=speaker if isinstance(speaker, str) else None,
        role=_ROLES.get(stated.upper()) if isinstance(stated, str) else None,
        text=string(turn, "Content", where),
        words=words,
    )


def _word(item: Json, text: str, place: str) -> Word:
    if item.get("BeginOffsetMillis") is None:
        return Word(text=text, confidence=confidence(item.get("Confidence")))
    return Word(
        text=text,
        start=seconds(item["BeginOffsetMillis"], f"{place}.BeginOffsetMillis", per_second=1000),
        end=seconds(item.get("EndOffsetMillis"), f"{place}.EndOffsetMillis", per_second=1000),
        confidence=confidence(item.get("Confidence")),
    )
