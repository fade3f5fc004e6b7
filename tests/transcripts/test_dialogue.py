"""Plain "Agent: …" text, alone and inside JSON."""

import json
import re
from pathlib import Path

import pytest

from mmser.errors import TranscriptError
from mmser.transcripts import read_transcript


def test_lines_become_turns_and_wrapped_lines_stay_with_them() -> None:
    transcript = read_transcript(
        b"Call of 3 May\n\nAgent: Hello: how are you?\n"
        b"Customer: Bad.\nIt broke\n\nAgent 2: I see.\nIVR: Goodbye.\n"
    )
    assert (transcript.format, transcript.times) == ("text", "none")
    assert [(t.speaker, t.role, t.text) for t in transcript.turns] == [
        ("Agent", "agent", "Hello: how are you?"),
        ("Customer", "customer", "Bad.\nIt broke"),
        ("Agent 2", "agent", "I see."),
        ("IVR", "system", "Goodbye."),
    ]
    assert transcript.warnings == ("1 line before the first speaker left out (line 1)",)


def test_no_warning_quotes_a_word_of_the_file() -> None:
    lines = b"secret title\n\nmore of it\nAgent: hello there\nCustomer: hello\n"
    (warning,) = read_transcript(lines).warnings
    assert warning == "2 lines before the first speaker left out (line 1 to line 3)"


def test_times_before_lines_are_read_and_ends_estimated() -> None:
    transcript = read_transcript(b"[00:01] Agent: Hello\n[00:01:05.5] Customer: Hi\n(1:10) Agent: Bye\n")
    assert transcript.times == "estimated"
    assert [turn.start for turn in transcript.turns] == [1.0, 65.5, 70.0]
    assert all("times_estimated" in turn.flags for turn in transcript.turns)
    ranged = read_transcript(
        b"[00:01.000 --> 00:02.500] Agent: Hello\n[00:03.000 --> 00:04.000] Agent: Bye\n"
    )
    assert [(turn.start, turn.end) for turn in ranged.turns] == [(1.0, 2.5), (3.0, 4.0)]


@pytest.mark.parametrize(
    "text", [b"just some words\nand more\n", b"The thing: it broke.\n", b"http://a.b: c\n"]
)
def test_prose_is_no_transcript(text: bytes) -> None:
    with pytest.raises(TranscriptError, match="no known transcript format"):
        read_transcript(text)


def test_real_conversation_inside_json(data_dir: Path) -> None:
    path = data_dir / "calls/transcripts/contact_center_conversation.json"
    content = json.loads(path.read_text())["Content"]
    lines = re.findall(r"^\*\*(Agent|Customer):\*\* (.*?) *$", content, re.MULTILINE)
    transcript = read_transcript(path)
    assert (transcript.format, transcript.times) == ("text_json", "none")
    assert [(turn.speaker, turn.text) for turn in transcript.turns] == lines
    assert len(lines) == content.count("**Agent:**") + content.count("**Customer:**") > 10
    assert {turn.role for turn in transcript.turns} == {"agent", "customer"}
    assert len(transcript.warnings) == 1  # the title
