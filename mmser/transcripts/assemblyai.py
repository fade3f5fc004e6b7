"""AssemblyAI: times in milliseconds."""

from mmser.errors import TranscriptError
from mmser.transcripts.entries import Entry, Parsed, Token, entries_from_tokens, split_by_speaker
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
from mmser.transcripts.names import numbered
from mmser.types import Word

_MILLISECONDS = 1000.0


def sniff_assemblyai(data: object) -> bool:
    """Tell whether JSON is an AssemblyAI transcript."""
    return is_object(data, "status", "audio_url") or (
        is_object(data, "words", "text", "audio_duration") and isinstance(get(data, "words"), list)
    )


def read_assemblyai(data: object) -> Parsed:
    """Read the utterances; without them, the words by speaker.

    Raises:
        TranscriptError: if the transcript is not completed or a word is malformed.
    """
    status = get(data, "status")
    if status not in (None, "completed"):
        raise TranscriptError(f"its status is {shown(status)}; only a completed transcript can be read")
    words = objects(get(data, "words") or [], "words")
    entries = []
    for index, item in enumerate(objects(get(data, "utterances") or [], "utterances")):
        entry = _utterance(item, f"utterances[{index}]")
        entries += split_by_speaker(
            entry, [numbered(word.get("speaker")) for word in item.get("words") or []]
        )
    if sum(len(entry.words) for entry in entries) != len(words) or not entries:
        tokens = [_token(item, f"words[{index}]") for index, item in enumerate(words)]
        entries = entries_from_tokens(tokens, "words")
    if not entries and isinstance(get(data, "text"), str):
        entries = [Entry(where="text", text=get(data, "text"))]
    return Parsed(
        format="assemblyai",
        entries=entries,
        language=language_code(get(data, "language_code")),
        file_order=False,
    )


def _word(item: Json, where: str) -> Word:
    return Word(
        text=string(item, "text", where),
        start=seconds(item.get("start"), f"{where}.start", per_second=_MILLISECONDS),
        end=seconds(item.get("end"), f"{where}.end", per_second=_MILLISECONDS),
        confidence=confidence(item.get("confidence")),
    )


def _token(item: Json, where: str) -> Token:
    return Token(
        word=_word(item, where),
        speaker=numbered(item.get("speaker")),
        channel=channel(item.get("channel"), first=1),
    )


def _utterance(item: Json, where: str) -> Entry:
    words = objects(item.get("words") or [], f"{where}.words")
    return Entry(
        where=where,
        start=seconds(item.get("start"), f"{where}.start", per_second=_MILLISECONDS),
        end=seconds(item.get("end"), f"{where}.end", per_second=_MILLISECONDS),
        speaker=numbered(item.get("speaker")),
        channel=channel(item.get("channel"), first=1),
        text=string(item, "text", where),
        words=[_word(word, f"{where}.words[{index}]") for index, word in enumerate(words)],
    )
