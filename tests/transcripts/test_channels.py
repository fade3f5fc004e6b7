"""Channels that tell who speaks, and the mix of everybody, which does not."""

import json
from typing import Any

import pytest

from mmser.transcripts import read_transcript
from mmser.types import Transcript


def read(data: Any) -> Transcript:
    return read_transcript(json.dumps(data).encode())


def test_a_channel_that_everybody_shares_is_forgotten() -> None:
    shared = b"c 1 Agent 0 1 hi\nc 1 Customer 1 2 yes\n"
    alone = b"c 1 A 0 1 hi\nc 1 A 1 2 yes\n"
    unnamed = b"start,end,channel,text\n0,1,0,hi\n1,2,0,yes\n"
    apart = b"c A Agent 0 1 hi\nc B Customer 1 2 yes\n"
    for text in (shared, alone, unnamed):
        assert [turn.channel for turn in read_transcript(text).turns] == [None, None]
    assert [turn.channel for turn in read_transcript(apart).turns] == [0, 1]


def aws_channels(*said: list[str]) -> dict[str, Any]:
    tracks: list[dict[str, Any]] = [
        {"channel_label": f"ch_{index}", "items": [
            {"type": "pronunciation", "alternatives": [{"content": word}], "start_time": "1", "end_time": "2"}
            for word in words
        ]}
        for index, words in enumerate(said)
    ]  # fmt: skip
    items = [item for track in tracks for item in track["items"]]
    labels = {"channels": tracks, "number_of_channels": len(tracks)}
    return {"results": {"transcripts": [{"transcript": ""}], "items": items, "channel_labels": labels}}


def test_aws_keeps_the_channel_of_the_only_party_that_spoke() -> None:
    turns = read(aws_channels([], ["Hi"])).turns
    assert [(turn.channel, turn.speaker) for turn in turns] == [(1, "ch_1")]


def test_aws_of_one_channel_names_nobody() -> None:
    turns = read(aws_channels(["Hi."])).turns
    assert [(turn.channel, turn.speaker) for turn in turns] == [(None, None)]


def test_azure_keeps_a_second_channel_though_the_first_is_silent() -> None:
    phrase = {"offsetMilliseconds": 0, "durationMilliseconds": 900, "text": "Hi"}
    for channel, kept in ((0, None), (1, 1)):
        assert read({"phrases": [{**phrase, "channel": channel}]}).turns[0].channel == kept


def test_deepgram_utterances_stay_where_the_channels_list_no_words() -> None:
    spoken = [{"start": n, "end": n + 1, "channel": 0, "transcript": text} for n, text in enumerate("ab")]
    track = {"alternatives": [{"transcript": "a b"}]}
    turns = read({"results": {"channels": [track], "utterances": spoken}}).turns
    assert [(turn.text, turn.start) for turn in turns] == [("a", 0), ("b", 1)]


def deepgram(*tracks: str, utterance: bool = False) -> Transcript:
    channels = [
        {"alternatives": [{"transcript": text, "words": [
            {"word": word, "punctuated_word": word, "start": n / 2, "end": n / 2 + 0.5}
            for n, word in enumerate(text.split())
        ]}]}
        for text in tracks
    ]  # fmt: skip
    results: dict[str, Any] = {"channels": channels}
    if utterance:
        words = channels[0]["alternatives"][0]["words"]
        results["utterances"] = [
            {"start": 0, "end": 9, "channel": 0, "transcript": tracks[0], "words": words}
        ]
    return read({"results": results})


@pytest.mark.parametrize("utterance", [False, True])
def test_deepgram_of_one_channel_without_speakers_is_nobodys_and_ends_at_sentences(utterance: bool) -> None:
    turns = deepgram("Good day, Mr. Li. It broke at 9 p.m. again! Oh.", utterance=utterance).turns
    assert [turn.text for turn in turns] == ["Good day, Mr. Li.", "It broke at 9 p.m. again!", "Oh."]
    assert {(turn.channel, turn.speaker) for turn in turns} == {(None, None)}


def test_deepgram_keeps_the_channel_of_the_only_party_that_spoke() -> None:
    turns = deepgram("", "One. Two.").turns
    assert [(turn.channel, turn.text) for turn in turns] == [(1, "One. Two.")]


def test_speechmatics_only_channel_is_nobody_unless_its_name_states_a_role() -> None:
    def result(label: str) -> dict[str, Any]:
        best = {"content": "hi", "speaker": "UU"}
        return {"type": "word", "start_time": 0, "end_time": 1, "channel": label, "alternatives": [best]}

    def found(*labels: str) -> list[tuple[str | None, int | None, str]]:
        turns = read({"results": [result(label) for label in labels]}).turns
        return [(turn.speaker, turn.channel, turn.role) for turn in turns]

    assert found("channel_1") == [(None, None, "unknown")]
    assert found("Agent") == [("Agent", None, "agent")]
    assert [turn[:2] for turn in found("channel_1", "channel_2")] == [("channel_1", 0), ("channel_2", 1)]


def test_the_only_side_of_a_ctm_is_nobody_and_its_pauses_end_turns() -> None:
    turns = read_transcript(b"c 1 0.0 0.5 hello\nc 1 0.6 0.3 you\nc 1 1.5 0.5 yes\n").turns
    assert [(t.speaker, t.channel, t.text) for t in turns] == [(None, None, "hello you"), (None, None, "yes")]


@pytest.mark.parametrize("name", ["unknown", "<NA>", "speech"])
def test_a_stand_in_for_a_name_is_nobody_and_an_only_channel_is_forgotten(name: str) -> None:
    stm = f"c 1 {name} 0 1 hi\nc 1 {name} 2 3 yes\n"
    rttm = f"SPEAKER c 1 0 1 <NA> <NA> {name} <NA> <NA>\nSPEAKER c 1 2 1 <NA> <NA> {name} <NA> <NA>\n"
    for text in (stm, rttm):
        assert {(t.speaker, t.channel) for t in read_transcript(text.encode()).turns} == {(None, None)}
