"""Deepgram."""

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
    string,
)
from mmser.transcripts.names import numbered
from mmser.types import Word


def sniff_deepgram(data: object) -> bool:
    """Tell whether JSON is a Deepgram response: results by channel."""
    return is_object(get(data, "results", "channels", 0), "alternatives")


def read_deepgram(data: object) -> Parsed:
    """Read the utterances; without them, the words of each channel by speaker.

    Raises:
        TranscriptError: if a word or utterance is malformed.
    """
    tracks = objects(get(data, "results", "channels"), "results.channels")
    language = get(tracks, 0, "detected_language") or get(tracks, 0, "alternatives", 0, "languages", 0)
    several = len(tracks) > 1
    by_channel = [
        _tokens(
            get(track, "alternatives", 0, "words") or [],
            f"results.channels[{index}].words",
            index if several else None,  # one channel is the mix of everybody
        )
        for index, track in enumerate(tracks)
    ]
    spoken = get(data, "results", "utterances")
    entries = _utterances(objects(spoken, "results.utterances")) if spoken else []
    spoken_words = sum(map(len, by_channel))
    speakers = {entry.speaker for entry in entries} | {token.speaker for token in by_channel[0]}
    nobody = not several and speakers <= {None}
    # Utterances that hold fewer words than the channels would lose some, and those of nobody end at a
    # pause only, with two people's words in one: the words decide then.
    if spoken_words and (nobody or sum(len(entry.words) for entry in entries) != spoken_words):
        entries = [
            entry
            for index, tokens in enumerate(by_channel)
            for entry in entries_from_tokens(tokens, f"results.channels[{index}]")
        ]
    for entry in entries:
        if several and entry.speaker is not None:  # speaker 0 of one channel is not that of another
            entry.speaker = f"{entry.speaker} (ch_{entry.channel})"
    if not entries:
        entries = [
            Entry(where=f"results.channels[{index}]", channel=index, text=text)
            for index, track in enumerate(tracks)
            if isinstance(text := get(track, "alternatives", 0, "transcript"), str)
        ]
    return Parsed(
        format="deepgram",
        entries=entries,
        language=language_code(language),
        num_channels=len(tracks),
        file_order=False,
    )


def _word(item: Json, where: str) -> Word:
    return Word(
        text=string(item, "punctuated_word" if "punctuated_word" in item else "word", where),
        start=seconds(item.get("start"), f"{where}.start"),
        end=seconds(item.get("end"), f"{where}.end"),
        confidence=confidence(item.get("confidence")),
    )


def _tokens(items: object, where: str, track: int | None) -> list[Token]:
    return [
        Token(word=_word(item, f"{where}[{index}]"), speaker=numbered(item.get("speaker")), channel=track)
        for index, item in enumerate(objects(items, where))
    ]


def _utterances(items: list[Json]) -> list[Entry]:
    entries = []
    for index, item in enumerate(items):
        where = f"results.utterances[{index}]"
        words = objects(item.get("words") or [], f"{where}.words")
        entry = Entry(
            where=where,
            start=seconds(item.get("start"), f"{where}.start"),
            end=seconds(item.get("end"), f"{where}.end"),
            speaker=numbered(item.get("speaker")),
            channel=channel(item.get("channel")),
            text=string(item, "transcript", where),
            words=[_word(word, f"{where}.words[{number}]") for number, word in enumerate(words)],
        )
        # An utterance ends at a pause; another speaker may begin inside it.
        entries += split_by_speaker(entry, [numbered(word.get("speaker")) for word in words])
    return entries
