"""Google Speech-to-Text: v1 (plain and long-running) and v2."""

from mmser.errors import TranscriptError
from mmser.transcripts.clock import duration_seconds
from mmser.transcripts.entries import Entry, Parsed, Token, channels_told, entries_from_tokens
from mmser.transcripts.fields import Json, confidence, get, is_object, language_code, objects, string
from mmser.transcripts.names import numbered
from mmser.types import Seconds, Word


def _results(data: object) -> object:
    for path in (("response", "results"), ("results",)):
        inside = get(data, *path)
        if isinstance(inside, dict) and len(inside) == 1:  # v2 batch: {"gs://…": {"transcript": {…}}}
            file = next(iter(inside.values()))
            inside = get(file, "transcript", "results") or get(file, "inlineResult", "transcript", "results")
        if isinstance(inside, list) and inside:
            return inside
    return None


def sniff_google(data: object) -> bool:
    """Tell whether JSON is a Google response: a list of results with alternatives."""
    results = _results(data)
    if get(data, "done") is False and get(data, "metadata", "@type"):
        return True
    if not isinstance(results, list) or any(is_object(item, "type") for item in results):
        return False
    best = [get(item, "alternatives", 0) for item in results]
    return any(is_object(item, "transcript") or is_object(item, "words") for item in best)


def read_google(data: object) -> Parsed:
    """Read each word once: with diarization the last result repeats all words to add their speakers.

    Raises:
        TranscriptError: if the operation is not done or a word is malformed.
    """
    if get(data, "done") is False:
        raise TranscriptError("the operation is not done yet; export the transcript when it is")
    results = objects(_results(data), "results")
    languages = {code for item in results if (code := language_code(item.get("languageCode")))}
    parts = [_words(result, index) for index, result in enumerate(results)]
    repeats = len(parts) > 1 and _repeats(parts)
    entries: list[Entry] = []
    if repeats:
        entries = entries_from_tokens(_with_segments(parts), "results")
    else:
        for index, (result, tokens) in enumerate(zip(results, parts, strict=True)):
            if tokens:
                entries += entries_from_tokens(tokens, f"results[{index}]")
            else:
                entries += _plain(result, index)
    return Parsed(
        format="google",
        entries=entries,
        language=languages.pop() if len(languages) == 1 else None,
        num_channels=channels_told(entries),
        file_order=False,
    )


def _words(result: Json, number: int) -> list[Token]:
    best = get(result, "alternatives", 0)
    tag = result.get("channelTag")
    channel = tag - 1 if isinstance(tag, int) and tag > 0 else None
    where = f"results[{number}]"
    tokens = []
    for index, item in enumerate(objects(get(best, "words") or [], f"{where}.words")):
        place = f"{where}.words[{index}]"
        speaker = item.get("speakerLabel") or item.get("speakerTag") or None  # 0 = nobody
        word = Word(
            text=string(item, "word", place),
            start=_time(item, "start", place),
            end=_time(item, "end", place),
            confidence=confidence(item.get("confidence", get(best, "confidence"))) or None,
        )
        tokens.append(Token(word=word, speaker=numbered(speaker), channel=channel, segment=number))
    return tokens


def _time(item: Json, name: str, where: str) -> Seconds | None:
    for key in (f"{name}Time", f"{name}Offset"):
        if key in item:
            return duration_seconds(item[key], f"{where}.{key}")
    other = "end" if name == "start" else "start"
    # Protocol buffers leave out a zero: the first word of a file has no start.
    return 0.0 if f"{other}Time" in item or f"{other}Offset" in item else None


def _repeats(parts: list[list[Token]]) -> bool:
    """Tell whether the last result holds all words again, now with speakers."""
    earlier, last = [token for part in parts[:-1] for token in part], parts[-1]
    if not earlier or not last or any(token.speaker is None for token in last):
        return False
    same = [token.word.text for token in earlier] == [token.word.text for token in last]
    untagged = all(token.speaker is None for token in earlier)
    return same or (untagged and last[0].word.start == earlier[0].word.start)


def _with_segments(parts: list[list[Token]]) -> list[Token]:
    """Return the last result's words, which know their speaker, with the segments of the earlier ones."""
    earlier, last = [token for part in parts[:-1] for token in part], parts[-1]
    paired = len(earlier) == len(last)
    for index, token in enumerate(last):
        token.segment = earlier[index].segment if paired else None
        if paired and token.word.confidence is None:
            token.word = earlier[index].word
    return last


def _plain(result: Json, index: int) -> list[Entry]:
    """Read a result without words: text, and no times."""
    text = get(result, "alternatives", 0, "transcript")
    return [Entry(where=f"results[{index}]", text=text)] if isinstance(text, str) else []
