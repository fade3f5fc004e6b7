"""Real files of speech services: every word once, times in seconds, speakers as stated.

The expected values are taken from each file by a few lines here, not by the reader.
"""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

from mmser.errors import TranscriptError
from mmser.transcripts import read_transcript
from mmser.types import Transcript

Timed = tuple[str, float, float]


def load(data_dir: Path, name: str) -> tuple[Any, Transcript]:
    path = data_dir / "calls/transcripts" / name
    return json.loads(path.read_text()), read_transcript(path)


def read(data: Any) -> Transcript:
    return read_transcript(json.dumps(data).encode())


def plain(text: str) -> str:
    return re.sub(r"[^\w']", "", text)


def timed_words(transcript: Transcript) -> list[Timed]:
    words = [word for turn in transcript.turns for word in turn.words]
    return sorted((plain(w.text), round(w.start or 0.0, 6), round(w.end or 0.0, 6)) for w in words)


def expected(words: list[tuple[str, float, float]]) -> list[Timed]:
    return sorted((plain(text), round(start, 6), round(end, 6)) for text, start, end in words)


def assert_words_make_up_the_text(transcript: Transcript) -> None:
    for turn in transcript.turns:
        assert plain(turn.text or "") == plain("".join(word.text for word in turn.words))


@pytest.mark.parametrize(
    ("name", "speakers", "turns", "marks"),
    [
        ("aws_transcribe_plain_a.json", {None}, None, 38),
        ("aws_transcribe_speaker_labels_a.json", {"spk_0", "spk_1", "spk_2"}, 24, 38),
        ("aws_transcribe_channel_labels_a.json", {"ch_0", "ch_1"}, None, 39),
    ],
)
def test_aws_transcribe(
    data_dir: Path, name: str, speakers: set[str | None], turns: int | None, marks: int
) -> None:
    raw, transcript = load(data_dir, name)
    items = raw["results"]["items"]
    spoken = [
        (i["alternatives"][0]["content"], float(i["start_time"]), float(i["end_time"]))
        for i in items
        if "start_time" in i
    ]
    assert len(spoken) == 354 and len(items) - len(spoken) == marks
    assert timed_words(transcript) == expected(spoken)
    assert {turn.speaker for turn in transcript.turns} == speakers
    assert turns is None or len(transcript.turns) == turns
    assert sum(len(re.findall(r"[.,?!]", turn.text or "")) for turn in transcript.turns) == marks
    assert_words_make_up_the_text(transcript)


def test_aws_speakers_are_joined_by_time(data_dir: Path) -> None:
    raw, transcript = load(data_dir, "aws_transcribe_speaker_labels_a.json")
    said = {
        (float(item["start_time"]), item["speaker_label"])
        for segment in raw["results"]["speaker_labels"]["segments"]
        for item in segment["items"]
    }
    assert {(word.start, turn.speaker) for turn in transcript.turns for word in turn.words} == said


def test_aws_channels_are_apart(data_dir: Path) -> None:
    raw, transcript = load(data_dir, "aws_transcribe_channel_labels_a.json")
    for index, track in enumerate(raw["results"]["channel_labels"]["channels"]):
        said = sorted(float(item["start_time"]) for item in track["items"] if "start_time" in item)
        turns = [turn for turn in transcript.turns if turn.channel == index]
        assert sorted(word.start or 0.0 for turn in turns for word in turn.words) == said


def test_aws_plain_names_nobody_and_splits_at_sentences_and_pauses(data_dir: Path) -> None:
    _, named = load(data_dir, "aws_transcribe_speaker_labels_a.json")
    _, transcript = load(data_dir, "aws_transcribe_plain_a.json")
    words = [word for turn in transcript.turns for word in turn.words]
    breaks = sum(
        a.text[-1] in ".?!" or (b.start or 0) - (a.end or 0) > 0.5 for a, b in itertools.pairwise(words)
    )
    assert len(transcript.turns) == 1 + breaks
    who = {word.start: turn.speaker for turn in named.turns for word in turn.words}
    assert all(len({who[word.start] for word in turn.words}) == 1 for turn in transcript.turns)


def test_aws_newer_jobs_list_their_segments() -> None:
    items = [
        {"id": 0, "type": "pronunciation", "alternatives": [{"content": "Hi", "confidence": "0.9"}],
         "start_time": "1.0", "end_time": "1.5", "speaker_label": "spk_1"},
        {"id": 1, "type": "punctuation", "alternatives": [{"content": "."}], "speaker_label": "spk_1"},
    ]  # fmt: skip
    segments = [{"id": 0, "transcript": "Hi.", "start_time": "0.9", "end_time": "1.6",
                 "speaker_label": "spk_1", "items": [0, 1]}]  # fmt: skip
    job = {
        "status": "COMPLETED",
        "results": {"transcripts": [{"transcript": "Hi."}], "items": items, "audio_segments": segments},
    }
    turn = read(job).turns[0]
    assert (turn.text, turn.start, turn.end, turn.speaker) == ("Hi.", 0.9, 1.6, "spk_1")
    assert [(word.text, word.start, word.confidence) for word in turn.words] == [("Hi.", 1.0, 0.9)]
    segments[0]["items"] = [0, 7]
    with pytest.raises(TranscriptError, match="audio_segments"):
        read(job)
    with pytest.raises(TranscriptError, match="FAILED"):
        read({**job, "status": "FAILED"})


def test_aws_call_analytics(data_dir: Path) -> None:
    raw, transcript = load(data_dir, "aws_call_analytics.json")
    spoken = [
        (i["Content"], i["BeginOffsetMillis"] / 1000, i["EndOffsetMillis"] / 1000)
        for turn in raw["Transcript"]
        for i in turn["Items"]
        if "BeginOffsetMillis" in i
    ]
    assert len(spoken) == 462 and timed_words(transcript) == expected(spoken)
    assert (transcript.format, transcript.language, len(transcript.turns)) == ("aws_call_analytics", "en", 37)
    assert [turn.role for turn in transcript.turns].count("agent") == 19
    assert [(t.start, t.end, t.text, t.speaker) for t in transcript.turns] == [
        (t["BeginOffsetMillis"] / 1000, t["EndOffsetMillis"] / 1000, t["Content"], t["ParticipantRole"])
        for t in sorted(raw["Transcript"], key=lambda t: t["BeginOffsetMillis"])
    ]
    assert (
        transcript.turns[-1].end
        == raw["ConversationCharacteristics"]["TotalConversationDurationMillis"] / 1e3
    )


def test_contact_lens(data_dir: Path) -> None:
    raw, transcript = load(data_dir, "contact_lens_a.json")
    assert (transcript.format, transcript.times) == ("contact_lens", "given")
    assert [(t.start, t.end, t.text, t.role.upper()) for t in transcript.turns] == [
        (t["BeginOffsetMillis"] / 1000, t["EndOffsetMillis"] / 1000, t["Content"], t["ParticipantId"])
        for t in raw["Transcript"]
    ]
    assert len(transcript.turns) == 10


def test_contact_lens_keeps_two_agents_apart() -> None:
    turn = {"Content": "Hi", "BeginOffsetMillis": 0, "EndOffsetMillis": 900}
    people = [
        {"ParticipantId": "a-1", "ParticipantRole": "AGENT"},
        {"ParticipantId": "a-2", "ParticipantRole": "AGENT"},
        {"ParticipantId": "c", "ParticipantRole": "CUSTOMER"},
        {"ParticipantId": "s", "ParticipantRole": "SYSTEM"},
    ]
    turns = [{**turn, "ParticipantId": person["ParticipantId"]} for person in people]
    transcript = read({"Participants": people, "Transcript": turns})
    assert [(t.speaker, t.role) for t in transcript.turns] == [
        ("a-1", "agent"), ("a-2", "agent"), ("c", "customer"), ("s", "system")
    ]  # fmt: skip


def iso(text: str) -> float:
    match = re.fullmatch(r"PT(?:(\d+)M)?([\d.]+)S", text)
    assert match is not None
    return 60 * int(match[1] or 0) + float(match[2])


def test_azure_batch(data_dir: Path) -> None:
    raw, transcript = load(data_dir, "azure_batch_a.json")
    phrases = raw["recognizedPhrases"]
    spoken = [
        (w["displayText"], iso(w["offset"]), iso(w["offset"]) + iso(w["duration"]))
        for phrase in phrases
        for w in phrase["nBest"][0]["displayWords"]
    ]
    assert len(spoken) == 299 and timed_words(transcript) == expected(spoken)
    assert_words_make_up_the_text(transcript)
    assert [(t.speaker, t.text) for t in transcript.turns] == [
        (f"Speaker {p['speaker']}", p["nBest"][0]["display"]) for p in phrases
    ]
    for turn, phrase in zip(transcript.turns, phrases, strict=True):
        assert turn.start == pytest.approx(iso(phrase["offset"]), abs=1e-6)
        assert turn.end == pytest.approx(iso(phrase["offset"]) + iso(phrase["duration"]), abs=1e-6)
    assert transcript.turns[-1].end is not None and transcript.turns[-1].end <= iso(raw["duration"])
    assert transcript.turns[0].words[0].confidence == pytest.approx(0.6103932)


def test_azure_batch_without_ticks_reads_iso_durations() -> None:
    best = {"display": "Hi there.", "words": []}
    phrase = {"offset": "PT1H1M48.05S", "duration": "PT1.5S", "nBest": [best], "speaker": 2, "channel": 1}
    transcript = read({"recognizedPhrases": [phrase, {**phrase, "recognitionStatus": "Failure"}]})
    turn = transcript.turns[0]
    assert (turn.start, turn.end, turn.channel) == (3708.05, 3709.55, 1)
    assert transcript.warnings == ("1 phrase that Azure did not recognise left out",)


def test_azure_fast(data_dir: Path) -> None:
    raw, transcript = load(data_dir, "azure_fast_a.json")
    spoken = [
        (
            w["text"],
            w["offsetMilliseconds"] / 1000,
            (w["offsetMilliseconds"] + w["durationMilliseconds"]) / 1000,
        )
        for phrase in raw["phrases"]
        for w in phrase["words"]
    ]
    assert timed_words(transcript) == expected(spoken)
    assert len(spoken) == sum(len(p["text"].split()) for p in raw["phrases"])
    assert (transcript.format, transcript.language, len(transcript.turns)) == ("azure_fast", "en", 33)
    assert {turn.speaker for turn in transcript.turns} == {"Speaker 1", "Speaker 2"}


def test_azure_conversation_has_no_times(data_dir: Path) -> None:
    raw, transcript = load(data_dir, "azure_batch_transcription.json")
    items = raw["analysisInput"]["conversations"][0]["conversationItems"]
    assert (transcript.format, transcript.times, transcript.language) == ("azure_conversation", "none", "en")
    assert [(t.speaker, t.role, t.text, t.start, t.end) for t in transcript.turns] == [
        (item["participantId"], item["participantId"].lower(), item["text"].strip(), None, None)
        for item in items
    ]


def test_google_counts_each_word_once_and_keeps_speakers(data_dir: Path) -> None:
    raw, transcript = load(data_dir, "google_stt_a.json")
    results = raw["response"]["results"]
    tagged = results[-1]["alternatives"][0]["words"]
    spoken = [(w["word"], float(w["startTime"][:-1]), float(w["endTime"][:-1])) for w in tagged]
    assert len(spoken) == sum(len(r["alternatives"][0]["words"]) for r in results[:-1]) == 114
    assert timed_words(transcript) == expected(spoken)
    said = [(word.start, turn.speaker) for turn in transcript.turns for word in turn.words]
    assert sorted(said) == sorted((float(w["startTime"][:-1]), f"Speaker {w['speakerTag']}") for w in tagged)
    assert transcript.turns[0].words[0].start == 0.0


def test_google_v2_offsets_and_labels() -> None:
    words = [
        {"endOffset": "0.500s", "word": "Guten", "speakerLabel": "1"},
        {"startOffset": "0.500s", "endOffset": "1s", "word": "Tag", "speakerLabel": "1"},
        {"startOffset": "1s", "endOffset": "1.25s", "word": "Hallo", "speakerLabel": "2"},
    ]
    result = {"alternatives": [{"transcript": "Guten Tag Hallo", "confidence": 0.5, "words": words}],
              "languageCode": "de-de"}  # fmt: skip
    for data in ({"results": [result]}, {"results": {"gs://a": {"transcript": {"results": [result]}}}}):
        transcript = read(data)
        assert transcript.language == "de"
        assert [(t.speaker, t.start, t.end, t.text) for t in transcript.turns] == [
            ("Speaker 1", 0.0, 1.0, "Guten Tag"), ("Speaker 2", 1.0, 1.25, "Hallo")
        ]  # fmt: skip
    with pytest.raises(TranscriptError, match="not done"):
        read({"name": "1", "done": False, "metadata": {"@type": "x"}})


def test_deepgram(data_dir: Path) -> None:
    raw, transcript = load(data_dir, "deepgram_a.json")
    words = raw["results"]["channels"][0]["alternatives"][0]["words"]
    assert timed_words(transcript) == expected([(w["punctuated_word"], w["start"], w["end"]) for w in words])
    assert len(words) == 226
    utterances = raw["results"]["utterances"]
    changes = sum(a["speaker"] != b["speaker"] for u in utterances for a, b in itertools.pairwise(u["words"]))
    assert len(utterances) == 22 and len(transcript.turns) == 22 + changes  # speakers change inside three
    said = {(word.start, turn.speaker) for turn in transcript.turns for word in turn.words}
    assert said == {(w["start"], f"Speaker {w['speaker']}") for w in words}
    assert_words_make_up_the_text(transcript)
    whole = raw["results"]["channels"][0]["alternatives"][0]["transcript"]
    assert " ".join(turn.text or "" for turn in transcript.turns) == whole


def test_deepgram_without_utterances_splits_by_speaker_and_pause(data_dir: Path) -> None:
    raw, transcript = load(data_dir, "deepgram_a.json")
    del raw["results"]["utterances"]
    words = raw["results"]["channels"][0]["alternatives"][0]["words"]
    breaks = sum(
        a["speaker"] != b["speaker"] or b["start"] - a["end"] > 1.5 for a, b in itertools.pairwise(words)
    )
    again = read(raw)
    assert len(again.turns) == breaks + 1
    assert timed_words(again) == timed_words(transcript)


def test_deepgram_speakers_of_two_channels_are_different_people() -> None:
    word = {"word": "hi", "start": 0.1, "end": 0.4, "confidence": 1, "speaker": 0}
    track = {"alternatives": [{"transcript": "hi", "words": [word]}]}
    turns = read({"results": {"channels": [track, track]}}).turns
    assert [(t.channel, t.speaker) for t in turns] == [(0, "Speaker 0 (ch_0)"), (1, "Speaker 0 (ch_1)")]


def test_assemblyai_times_are_milliseconds(data_dir: Path) -> None:
    raw, transcript = load(data_dir, "assemblyai_a.json")
    spoken = [(w["text"], w["start"] / 1000, w["end"] / 1000) for w in raw["words"]]
    assert len(spoken) == 60 and timed_words(transcript) == expected(spoken)
    turn = transcript.turns[0]
    assert (turn.speaker, turn.start, turn.end, turn.text) == ("A", 0.17, 25.14, raw["text"])
    assert abs((turn.end or 0) - raw["audio_duration"]) < 1
    with pytest.raises(TranscriptError, match="queued"):
        read({**raw, "status": "queued"})


def test_revai_punctuation_has_no_times(data_dir: Path) -> None:
    raw, transcript = load(data_dir, "revai_a.json")
    elements = raw["monologues"][0]["elements"]
    spoken = [(e["value"], e["ts"], e["end_ts"]) for e in elements if e["type"] == "text"]
    assert len(elements) == 852 and len(spoken) == 410
    assert timed_words(transcript) == expected(spoken)
    assert [turn.text for turn in transcript.turns] == ["".join(e["value"] for e in elements).strip()]
    assert transcript.turns[0].speaker == "Speaker 0"


def test_speechmatics(data_dir: Path) -> None:
    raw, transcript = load(data_dir, "speechmatics_a.json")
    spoken = [
        (r["alternatives"][0]["content"], r["start_time"], r["end_time"])
        for r in raw["results"]
        if r["type"] == "word"
    ]
    assert timed_words(transcript) == expected(spoken) and len(spoken) == 4
    assert [(t.speaker, t.text) for t in transcript.turns] == [("S1", "That's amazing."), ("S2", "I know")]
    assert transcript.language == "en"
    batch = {"format": "2.9", "job": {}, "results": raw["results"],
             "metadata": {"transcription_config": {"language": "en"}}}  # fmt: skip
    assert read(batch).turns == transcript.turns


@pytest.mark.parametrize("name", ["aws_call_analytics.json", "deepgram_a.json", "azure_fast_a.json"])
def test_a_cut_file_is_refused(data_dir: Path, name: str) -> None:
    data = (data_dir / "calls/transcripts" / name).read_bytes()
    for share in (0.1, 0.5, 0.9, 0.999):
        with pytest.raises(TranscriptError):
            read_transcript(data[: int(len(data) * share)])


def test_json_of_no_vendor_is_read_where_it_lists_turns() -> None:
    turns = [
        {"speaker": "Agent", "text": "Hello", "start": "0:00", "end": "0:01"},
        {"speaker": 7, "text": "Hi", "start": "00:00:01.500", "end": "00:00:02"},
    ]
    for data in (turns, {"turns": turns}, {"segments": turns}):
        transcript = read(data)
        assert [(t.speaker, t.start, t.end, t.text) for t in transcript.turns] == [
            ("Agent", 0.0, 1.0, "Hello"), ("Speaker 7", 1.5, 2.0, "Hi")
        ]  # fmt: skip
    chat = {"messages": [{"role": "customer", "content": "Hi"}, {"role": "bot", "content": "Hello"}]}
    assert [t.role for t in read(chat).turns] == ["customer", "system"]


def test_unknown_json_names_its_keys() -> None:
    with pytest.raises(TranscriptError, match="its keys are foo, bar"):
        read({"foo": 1, "bar": [2]})
