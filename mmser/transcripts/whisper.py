"""JSON of the Whisper family: openai-whisper, faster-whisper, whisper.cpp, WhisperX, transformers."""

from mmser.errors import TranscriptError
from mmser.transcripts.entries import Entry, Parsed, split_by_speaker
from mmser.transcripts.fields import (
    Json,
    confidence,
    get,
    is_object,
    language_code,
    objects,
    optional_seconds,
    seconds,
    string,
)
from mmser.transcripts.names import numbered
from mmser.types import Word


def sniff_whisper(data: object) -> bool:
    """Tell whether JSON has Whisper's segments, chunks or whisper.cpp's transcription."""
    if is_object(data, "segments"):
        first = get(data, "segments", 0)
        return get(data, "segments") == [] or (
            is_object(first, "start", "end", "text") and not isinstance(first["start"], str)
        )
    return (
        is_object(get(data, "transcription", 0), "offsets", "text")
        or is_object(get(data, "chunks", 0), "timestamp", "text")
        or (is_object(first := get(data, 0), "start", "end", "text") and not isinstance(first["start"], str))
    )


def read_whisper(data: object) -> Parsed:
    """Read segments with times in seconds (whisper.cpp: milliseconds) and words, some without times.

    Raises:
        TranscriptError: if a segment lacks its text or times.
    """
    if is_object(data, "transcription"):
        entries = [
            _cpp_segment(item, f"transcription[{index}]")
            for index, item in enumerate(objects(get(data, "transcription"), "transcription"))
        ]
        return Parsed(
            format="whisper_cpp", entries=entries, language=language_code(get(data, "result", "language"))
        )
    language = language_code(get(data, "language"))
    if is_object(data, "chunks") and not is_object(data, "segments"):
        chunks = objects(get(data, "chunks"), "chunks")
        return Parsed(format="whisper_chunks", entries=_chunks(chunks), language=language)
    key = "segments" if isinstance(data, dict) else "segment"
    segments = objects(get(data, "segments") if isinstance(data, dict) else data, key)
    entries = [entry for index, item in enumerate(segments) for entry in _segment(item, f"{key}[{index}]")]
    name = "whisperx" if is_object(data, "word_segments") or _has_scores(segments) else "whisper"
    return Parsed(format=name, entries=entries, language=language)


def _has_scores(segments: list[Json]) -> bool:
    return any("score" in word for segment in segments for word in segment.get("words") or () if word)


def _segment(item: Json, where: str) -> list[Entry]:
    words = item.get("words")
    entry = Entry(
        where=where,
        start=seconds(item.get("start"), f"{where}.start"),
        end=seconds(item.get("end"), f"{where}.end"),
        speaker=numbered(item.get("speaker")),
        text=string(item, "text", where),
        words=[] if words is None else words_of(words, f"{where}.words"),
    )
    return split_by_speaker(entry, _word_speakers(words or [], entry.speaker))


def _word_speakers(words: list[Json], speaker: str | None) -> list[str | None]:
    """Return WhisperX's speaker per word; a word without one belongs with the word before it."""
    speakers = []
    for word in words:
        if str(word.get("word", word.get("text", ""))).strip():
            speaker = numbered(word.get("speaker")) or speaker
            speakers.append(speaker)
    return speakers


def words_of(items: object, where: str) -> list[Word]:
    """Return words as Whisper, WhisperX and faster-whisper write them; a number may have no times.

    Raises:
        TranscriptError: if a word is malformed.
    """
    words = []
    for index, item in enumerate(objects(items, where)):
        place = f"{where}[{index}]"
        text = string(item, "word" if "word" in item else "text", place).strip()
        if text:
            words.append(
                Word(
                    text=text,
                    start=optional_seconds(item.get("start"), f"{place}.start"),
                    end=optional_seconds(item.get("end"), f"{place}.end"),
                    confidence=confidence(item.get("probability", item.get("score", item.get("confidence")))),
                )
            )
    return words


def _cpp_segment(item: Json, where: str) -> Entry:
    offsets = item.get("offsets")
    return Entry(
        where=where,
        start=seconds(get(offsets, "from"), f"{where}.offsets.from", per_second=1000),
        end=seconds(get(offsets, "to"), f"{where}.offsets.to", per_second=1000),
        speaker=numbered(item.get("speaker")),
        text=string(item, "text", where),
    )


def _chunks(chunks: list[Json]) -> list[Entry]:
    entries = []
    for index, item in enumerate(chunks):
        where = f"chunks[{index}]"
        times = item.get("timestamp")
        if not isinstance(times, list) or len(times) != 2:
            raise TranscriptError(f"{where}: 'timestamp' should be a list of start and end")
        entries.append(
            Entry(
                where=where,
                start=seconds(times[0], f"{where}.timestamp"),
                end=optional_seconds(times[1], f"{where}.timestamp"),
                speaker=numbered(item.get("speaker")),
                text=string(item, "text", where),
            )
        )
    return entries
