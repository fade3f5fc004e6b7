"""vCon and WTF."""

import json
from pathlib import Path
from typing import Any

import pytest

from mmser.errors import TranscriptError
from mmser.transcripts import read_transcript
from mmser.types import Transcript


def read(data: Any) -> Transcript:
    return read_transcript(json.dumps(data).encode())


def vcon(**more: Any) -> dict[str, Any]:
    parties = [{"name": "P. One", "role": "customer"}, {"name": "P. Two", "meta": {"role": "agent"}}]
    return {"vcon": "0.0.1", "uuid": "u", "parties": parties, "dialog": [], "analysis": [], **more}


def test_real_vcon_without_speakers(data_dir: Path) -> None:
    path = data_dir / "calls/transcripts/vcon_a.json"
    body = next(a for a in json.loads(path.read_text())["analysis"] if a["type"] == "transcript")["body"]
    transcript = read_transcript(path)
    assert (transcript.format, transcript.times, transcript.language) == ("vcon", "none", "en")
    words = [word for turn in transcript.turns for word in (turn.text or "").split()]
    assert words == body["transcript"].split()
    assert len(transcript.turns) == body["transcript"].count("\n\n") + 1 == 13
    assert any("does not say who speaks" in warning for warning in transcript.warnings)


def test_real_wtf_body(data_dir: Path) -> None:
    path = data_dir / "calls/transcripts/vcon_wtf_a.json"
    raw = json.loads(path.read_text())
    for transcript in (
        read_transcript(path),
        read(vcon(analysis=[{"type": "wtf_transcription", "dialog": 0, "body": raw, "encoding": "json"}])),
        read(vcon(analysis=[{"type": "transcript", "dialog": 0, "body": json.dumps(raw)}])),
    ):
        assert [(t.start, t.end, t.text, t.speaker) for t in transcript.turns] == [
            (s["start"], s["end"], s["text"], "Speaker 1") for s in raw["segments"]
        ]
        assert transcript.language == "en"
        assert any("do not cover" in warning for warning in transcript.warnings)  # three words of fifteen


def test_wtf_words_join_their_segment() -> None:
    segments = [
        {"start": 0, "end": 1, "text": "Hello, you.", "speaker": 0},
        {"start": 1, "end": 2, "text": "Yes", "speaker": 1},
    ]
    listed = [("Hello", 0.0, 0.4), (",", 0.4, 0.4), ("you", 0.5, 0.9), (".", 0.9, 0.9), ("Yes", 1.0, 1.5)]
    words = [
        {"text": text, "start": start, "end": end, "is_punctuation": not text.isalpha(), "confidence": 0.5}
        for text, start, end in listed
    ]
    turns = read({"transcript": {"text": "…"}, "segments": segments, "words": words}).turns
    assert [[(w.text, w.start) for w in t.words] for t in turns] == [
        [("Hello,", 0.0), ("you.", 0.5)], [("Yes", 1.0)]
    ]  # fmt: skip
    assert [turn.speaker for turn in turns] == ["Speaker 0", "Speaker 1"]


def test_parties_give_roles_to_the_speakers_of_their_name() -> None:
    body = {"transcript": "P. One: My line is dead.\nP. Two: I see.\nP. One: Well?"}
    turns = read(vcon(analysis=[{"type": "transcript", "dialog": 0, "body": body}])).turns
    assert [(t.speaker, t.role) for t in turns] == [
        ("P. One", "customer"), ("P. Two", "agent"), ("P. One", "customer")
    ]  # fmt: skip


def test_text_dialogues_are_turns_of_their_originator() -> None:
    dialog = [
        {"type": "text", "parties": [0, 1], "originator": 0, "body": "It broke."},
        {"type": "recording", "parties": [0, 1]},
        {"type": "text", "parties": [1, 0], "body": "I see."},
    ]
    turns = read(vcon(dialog=dialog)).turns
    assert [(t.role, t.text) for t in turns] == [("customer", "It broke."), ("agent", "I see.")]


def test_transcripts_of_two_dialogues_are_joined_by_when_they_began() -> None:
    dialog = [
        {"type": "recording", "start": "2025-01-01T10:00:00+00:00"},
        {"type": "recording", "start": "2025-01-01T11:01:00+01:00"},
    ]
    body = {"segments": [{"start": 1, "end": 2, "text": "Hi"}], "text": "Hi"}
    analysis = [{"type": "transcript", "dialog": index, "body": body} for index in (0, 1, 1)]
    transcript = read(vcon(dialog=dialog, analysis=analysis))
    assert [(turn.start, turn.end) for turn in transcript.turns] == [(1, 2), (61, 62)]
    assert any("joined" in w for w in transcript.warnings)
    assert any("same dialogue" in w for w in transcript.warnings)


def joined(*dialogues: tuple[str | None, str]) -> Transcript:
    bodies = [{"text": "…", "segments": [{"start": 1, "end": 2, "text": text}]} for _, text in dialogues]
    return read(
        vcon(
            dialog=[{"type": "recording", "start": start} for start, _ in dialogues],
            analysis=[{"type": "transcript", "dialog": n, "body": body} for n, body in enumerate(bodies)],
        )
    )


def test_dialogues_listed_in_any_order_count_from_the_earliest() -> None:
    transcript = joined(("2025-01-01T10:05:00Z", "later"), ("2025-01-01T10:00:00Z", "first"))
    assert [(turn.text, turn.start) for turn in transcript.turns] == [("first", 1), ("later", 301)]


def test_dialogues_without_times_follow_one_another_as_they_began() -> None:
    starts = ("2025-01-01T10:05:00Z", "2025-01-01T10:00:00Z")
    bodies = [{"type": "transcript", "dialog": n, "body": {"transcript": f"said {n}"}} for n in (0, 1)]
    dialog = [{"type": "recording", "start": start} for start in starts]
    transcript = read(vcon(dialog=dialog, analysis=bodies))
    assert [turn.text for turn in transcript.turns] == ["said 1", "said 0"]


@pytest.mark.parametrize("start", [None, "soon", "0001-01-01T00:00:00+01:00"])
def test_a_dialogue_that_states_no_start_is_warned_of(start: str | None) -> None:
    transcript = joined(("2025-01-01T10:05:00Z", "later"), ("2025-01-01T10:00:00Z", "first"), (start, "lost"))
    assert {turn.text: turn.start for turn in transcript.turns} == {"first": 1, "lost": 1, "later": 301}
    assert any("1 of them state no start" in warning for warning in transcript.warnings)
    assert not any("by when they began" in warning for warning in transcript.warnings)


@pytest.mark.parametrize(
    "data",
    [
        vcon(),
        vcon(analysis=[{"type": "transcript", "dialog": 0, "body": {"foo": 1}}]),
        vcon(analysis=[{"type": "transcript", "dialog": 0, "body": '{"transcript": "a'}]),
        vcon(analysis=[{"type": "summary", "dialog": 0, "body": "All went well."}]),
        vcon(analysis={"type": "transcript"}),
    ],
)
def test_a_vcon_without_a_whole_transcript_is_refused(data: Any) -> None:
    with pytest.raises(TranscriptError):
        read(data)
