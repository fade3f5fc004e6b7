"""JSON of the Whisper family."""

import json
from pathlib import Path
from typing import Any

import pytest

from mmser.errors import TranscriptError
from mmser.transcripts import read_transcript
from mmser.types import Transcript


def read(data: Any) -> Transcript:
    return read_transcript(json.dumps(data).encode())


def segment(**more: Any) -> dict[str, Any]:
    return {"start": 1.0, "end": 2.0, "text": " Hello there", **more}


def test_words_lose_their_leading_space_and_keep_missing_times() -> None:
    words = [
        {"word": " In", "start": 1.0, "end": 1.2, "probability": 0.5},
        {"word": " 2014.", "score": 0.25},
    ]
    transcript = read({"text": "…", "language": "english", "segments": [segment(words=words)]})
    first, second = transcript.turns[0].words
    assert (first.text, first.start, first.end, first.confidence) == ("In", 1.0, 1.2, 0.5)
    assert (second.text, second.start, second.end, second.confidence) == ("2014.", None, None, 0.25)
    assert transcript.language == "en"


def test_whisper_cpp_and_chunks_and_bare_lists_are_read() -> None:
    cpp = {
        "result": {"language": "de"},
        "transcription": [{"offsets": {"from": 1500, "to": 2500}, "text": " Ja"}],
    }
    chunks = {
        "text": "a b",
        "chunks": [{"timestamp": [0, 1.5], "text": " a"}, {"timestamp": [1.5, None], "text": "b"}],
    }
    assert [(t.start, t.end, t.text) for t in read(cpp).turns] == [(1.5, 2.5, "Ja")]
    assert read(cpp).language == "de"
    assert [t.start for t in read(chunks).turns] == [0, 1.5]
    assert read(chunks).times == "estimated" and read(chunks).turns[1].flags == ("times_estimated",)
    assert [t.text for t in read([segment(), segment(start=3, end=4)]).turns] == ["Hello there"] * 2


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"start": float("nan")}, "not finite"),
        ({"end": float("inf")}, "not finite"),
        ({"start": -1}, "negative"),
        ({"end": 0.5}, "before it starts"),
        ({"start": "soon"}, "not a time"),
        ({"start": True}, "not a time"),
        ({"text": None}, "string"),
        ({"words": [3]}, "object"),
        ({"words": [{"word": "a", "start": 3, "end": 2}]}, "before it starts"),
    ],
)
def test_impossible_values_name_their_segment(change: dict[str, Any], what: str) -> None:
    with pytest.raises(TranscriptError, match=what) as caught:
        read({"segments": [segment(), segment(**change)]})
    assert "segments[1]" in str(caught.value)


def test_cut_json_is_refused() -> None:
    whole = json.dumps({"text": "Agent: hi", "segments": [segment()]}).encode()
    for end in range(1, len(whole)):
        with pytest.raises(TranscriptError):
            read_transcript(whole[:end])


@pytest.mark.parametrize(
    ("file", "name", "language", "turns", "words", "score"),
    [
        ("whisper_a.json", "whisper", "en", 6, 78, "probability"),
        ("whisperx_a.json", "whisperx", "fr", 2, 14, "score"),
    ],
)
def test_real_files_have_the_same_words_and_times(
    data_dir: Path, file: str, name: str, language: str, turns: int, words: int, score: str
) -> None:
    path = data_dir / "calls/transcripts" / file
    raw = json.loads(path.read_text())
    transcript = read_transcript(path)
    assert (transcript.format, transcript.language, transcript.times) == (name, language, "given")
    assert len(transcript.turns) == len(raw["segments"]) == turns
    expected = [
        (w["word"].strip(), w["start"], w["end"], w[score]) for s in raw["segments"] for w in s["words"]
    ]
    found = [(w.text, w.start, w.end, w.confidence) for t in transcript.turns for w in t.words]
    assert found == expected and len(found) == words
    assert [(t.start, t.end, t.text) for t in transcript.turns] == [
        (s["start"], s["end"], s["text"].strip()) for s in raw["segments"]
    ]


def test_a_segment_in_which_two_people_speak_is_split() -> None:
    words = [
        {"word": "Yes?", "start": 1.0, "end": 1.2, "speaker": "SPEAKER_00"},
        {"word": "9", "score": 0.1},
        {"word": "Hello.", "start": 1.5, "end": 2.0, "speaker": "SPEAKER_01"},
    ]
    item = segment(text="Yes? 9 Hello.", words=words, speaker="SPEAKER_00")
    turns = read({"segments": [item], "word_segments": words}).turns
    assert [(t.speaker, t.start, t.end, t.text) for t in turns] == [
        ("SPEAKER_00", 1.0, 1.2, "Yes? 9"), ("SPEAKER_01", 1.5, 2.0, "Hello.")
    ]  # fmt: skip
