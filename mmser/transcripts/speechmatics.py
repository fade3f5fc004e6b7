"""Speechmatics: a batch job or one real-time message."""

from collections import Counter

from mmser.errors import TranscriptError
from mmser.transcripts.entries import Parsed, Token, attach_punctuation, entries_from_tokens
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
from mmser.transcripts.names import role_of
from mmser.types import Word

_UNKNOWN = "UU"


def sniff_speechmatics(data: object) -> bool:
    """Tell whether JSON is Speechmatics' (json-v2): typed results with start_time and alternatives."""
    results = get(data, "results")
    if get(data, "message") == "AddTranscript":
        return isinstance(results, list)
    return is_object(get(results, 0), "type", "start_time", "alternatives")


def read_speechmatics(data: object) -> Parsed:
    """Read words by speaker; punctuation joins the word before it.

    Raises:
        TranscriptError: if a result is malformed.
    """
    tokens: list[Token] = []
    languages: Counter[str] = Counter()
    results = objects(get(data, "results"), "results")
    several = len({label for item in results if isinstance(label := item.get("channel"), str)}) > 1
    for index, item in enumerate(results):
        where = f"results[{index}]"
        if item.get("type") == "speaker_change":
            continue
        best = get(item, "alternatives", 0)
        if not isinstance(best, dict):
            raise TranscriptError(f"{where}: it has no alternatives")
        text = string(best, "content", where)
        if item.get("type") == "punctuation" and tokens and item.get("attaches_to") != "next":
            tokens[-1].word = attach_punctuation(tokens[-1].word, text)
        else:
            tokens.append(_token(item, best, text, where, several=several))
        code = language_code(best.get("language"))
        languages.update([code] if code else [])
    stated = get(data, "metadata", "transcription_config", "language")
    tokens.sort(key=lambda token: token.channel or 0)  # a turn is of one channel
    return Parsed(
        format="speechmatics",
        entries=entries_from_tokens(tokens, "results"),
        language=languages.most_common(1)[0][0] if languages else language_code(stated),
        file_order=False,
    )


def _token(item: Json, best: Json, text: str, where: str, *, several: bool) -> Token:
    speaker = best.get("speaker")
    label = item.get("channel")
    return Token(
        word=Word(
            text=text,
            start=seconds(item.get("start_time"), f"{where}.start_time"),
            end=seconds(item.get("end_time"), f"{where}.end_time"),
            confidence=confidence(best.get("confidence")),
        ),
        speaker=speaker if isinstance(speaker, str) and speaker != _UNKNOWN else _label(label, several),
        channel=channel(label, first=1) if several else None,  # one channel is the mix of everybody
    )


def _label(value: object, several: bool) -> str | None:
    """Return a channel's name as its speaker's; the only channel names somebody only if it states a role."""
    named = isinstance(value, str) and (several or role_of(value) != "unknown")
    return str(value) if named else None
