"""Azure Speech: batch, fast transcription, and the input of conversation analysis."""

from typing import Final

from mmser.labels import Role
from mmser.transcripts.clock import duration_seconds
from mmser.transcripts.entries import Entry, Parsed, channels_told, count
from mmser.transcripts.fields import (
    Json,
    channel,
    confidence,
    get,
    is_object,
    language_code,
    objects,
    seconds,
    string,
)
from mmser.transcripts.names import numbered
from mmser.types import Seconds, Word

_TICKS: Final = 1e7  # 100 ns
_MILLISECONDS: Final = 1e3
_ROLES: Final[dict[str, Role]] = {"agent": "agent", "customer": "customer"}


def sniff_azure(data: object) -> bool:
    """Tell whether JSON is one of Azure's transcripts."""
    return (
        isinstance(get(data, "recognizedPhrases"), list)
        or is_object(get(data, "phrases", 0), "offsetMilliseconds", "text")
        or _conversations(data) is not None
    )


def _conversations(data: object) -> object:
    inside = get(data, "analysisInput", "conversations") or get(data, "conversations")
    return inside if is_object(get(inside, 0), "conversationItems") else None


def read_azure(data: object) -> Parsed:
    """Read batch (ISO durations and ticks), fast (milliseconds) or conversation (no times) JSON.

    Raises:
        TranscriptError: if a phrase is malformed.
    """
    if is_object(data, "recognizedPhrases"):
        return _batch(objects(get(data, "recognizedPhrases"), "recognizedPhrases"))
    if is_object(data, "phrases"):
        phrases = objects(get(data, "phrases"), "phrases")
        entries = [_fast(phrase, f"phrases[{index}]") for index, phrase in enumerate(phrases)]
        return Parsed(
            format="azure_fast",
            entries=entries,
            language=_one_locale(phrases),
            num_channels=channels_told(entries),
            file_order=False,
        )
    return _conversation(objects(_conversations(data), "conversations"))


def _one_locale(items: list[Json]) -> str | None:
    codes = {code for item in items if (code := language_code(item.get("locale")))}
    return codes.pop() if len(codes) == 1 else None


def _times(item: Json, where: str) -> tuple[Seconds, Seconds]:
    """Return start and end from offset + duration, in the unit that the file uses."""
    if "offsetMilliseconds" in item:
        start = seconds(item["offsetMilliseconds"], f"{where}.offsetMilliseconds", per_second=_MILLISECONDS)
        length = seconds(
            item.get("durationMilliseconds"), f"{where}.durationMilliseconds", per_second=_MILLISECONDS
        )
    elif item.get("offsetInTicks") is not None:
        start = seconds(item["offsetInTicks"], f"{where}.offsetInTicks", per_second=_TICKS)
        length = seconds(item.get("durationInTicks"), f"{where}.durationInTicks", per_second=_TICKS)
    else:
        start = duration_seconds(item.get("offset"), f"{where}.offset")
        length = duration_seconds(item.get("duration"), f"{where}.duration")
    return start, round(start + length, 7)


def _batch(phrases: list[Json]) -> Parsed:
    parsed = Parsed(format="azure_batch", entries=[], language=_one_locale(phrases), file_order=False)
    failed = 0
    for index, phrase in enumerate(phrases):
        where = f"recognizedPhrases[{index}]"
        best = get(phrase, "nBest", 0)
        if phrase.get("recognitionStatus", "Success") != "Success" or not isinstance(best, dict):
            failed += 1
            continue
        start, end = _times(phrase, where)
        parsed.entries.append(
            Entry(
                where=where,
                start=start,
                end=end,
                speaker=numbered(phrase.get("speaker")),
                channel=channel(phrase.get("channel")),
                text=string(best, "display", f"{where}.nBest[0]"),
                words=_batch_words(best, f"{where}.nBest[0]"),
            )
        )
    parsed.num_channels = channels_told(parsed.entries)
    if failed:
        parsed.warnings.append(f"{count(failed, 'phrase')} that Azure did not recognise left out")
    return parsed


def _batch_words(best: Json, where: str) -> list[Word]:
    """Return the words as displayed; the lexical ones carry the confidences, where they pair up."""
    lexical = objects(best.get("words") or [], f"{where}.words")
    shown = objects(best.get("displayWords") or lexical, f"{where}.displayWords")
    overall = confidence(best.get("confidence"))
    sure = [confidence(word.get("confidence")) for word in lexical]
    words = []
    for index, item in enumerate(shown):
        place = f"{where}.displayWords[{index}]"
        start, end = _times(item, place)
        text = string(item, "displayText" if "displayText" in item else "word", place)
        own = sure[index] if len(sure) == len(shown) else None
        words.append(Word(text=text, start=start, end=end, confidence=overall if own is None else own))
    return words


def _fast(phrase: Json, where: str) -> Entry:
    start, end = _times(phrase, where)
    sure = confidence(phrase.get("confidence"))
    words = []
    for index, item in enumerate(objects(phrase.get("words") or [], f"{where}.words")):
        place = f"{where}.words[{index}]"
        first, last = _times(item, place)
        words.append(Word(text=string(item, "text", place), start=first, end=last, confidence=sure))
    return Entry(
        where=where,
        start=start,
        end=end,
        speaker=numbered(phrase.get("speaker")),
        channel=channel(phrase.get("channel")),
        text=string(phrase, "text", where),
        words=words,
    )


def _conversation(conversations: list[Json]) -> Parsed:
    """Read the turns of a conversation-analysis input: text and participants, mostly without times."""
    parsed = Parsed(format="azure_conversation", entries=[], file_order=False)
    if len(conversations) > 1:
        parsed.warnings.append(f"only the first of {len(conversations)} conversations was read")
    parsed.language = language_code(conversations[0].get("language"))
    items = objects(conversations[0].get("conversationItems"), "conversationItems")
    for index, item in enumerate(items):
        where = f"conversationItems[{index}]"
        role = item.get("role")
        words = _timings(item, where)
        parsed.entries.append(
            Entry(
                where=where,
                speaker=numbered(item.get("participantId")),
                role=_ROLES.get(role.casefold()) if isinstance(role, str) else None,
                text=string(item, "text", where),
                words=words,
            )
        )
    return parsed


def _timings(item: Json, where: str) -> list[Word]:
    """Return the words of an item that was made from audio (offsets in ticks)."""
    timings = objects(item.get("audioTimings") or item.get("wordLevelTimings") or [], f"{where}.audioTimings")
    words = []
    for index, timing in enumerate(timings):
        place = f"{where}.audioTimings[{index}]"
        start = seconds(timing.get("offset"), f"{place}.offset", per_second=_TICKS)
        length = seconds(timing.get("duration"), f"{place}.duration", per_second=_TICKS)
        words.append(Word(text=string(timing, "word", place), start=start, end=start + length))
    return words
