"""WebVTT and SRT: what is written is what is read, and a broken file never loads whole."""

import time
from pathlib import Path

import pytest

from mmser.errors import TranscriptError
from mmser.transcripts import read_transcript
from mmser.types import Transcript


def read(text: str) -> Transcript:
    return read_transcript(text.encode())


def test_voice_tags_closed_open_and_with_classes_name_the_speaker() -> None:
    transcript = read(
        "WEBVTT\nKind: captions\nLanguage: en-GB\n\n"
        "NOTE made by hand\n\n"
        "id-1\n00:01.000 --> 00:02.500 align:start\n<v Agent>Good <i>morning</i> &amp; welcome</v>\n\n"
        "00:00:03.000 --> 00:00:04.000\n<v.loud.first Zoë Ångström>My line\nis dead\n"
    )
    first, second = transcript.turns
    assert (transcript.format, transcript.language, transcript.times) == ("webvtt", "en", "given")
    assert (first.id, first.start, first.end, first.speaker, first.role) == ("t1", 1.0, 2.5, "Agent", "agent")
    assert first.text == "Good morning & welcome"
    assert (second.speaker, second.role, second.text) == ("Zoë Ångström", "unknown", "My line\nis dead")


def test_two_voices_in_one_cue_become_two_turns() -> None:
    turns = read("WEBVTT\n\n00:01.000 --> 00:04.000\n<v Agent>Hello?\n<v Customer>Yes, hello.\n").turns
    assert [(turn.role, turn.text) for turn in turns] == [("agent", "Hello?"), ("customer", "Yes, hello.")]


def test_script_and_html_in_text_stay_as_written() -> None:
    turn = read('WEBVTT\n\n00:01.000 --> 00:02.000\nA <script>alert("x")</script> <img src=x>\n').turns[0]
    assert turn.text == 'A <script>alert("x")</script> <img src=x>'


def test_zoom_names_are_split_and_later_colons_stay() -> None:
    turns = read(
        "WEBVTT\n\n1\n00:01.000 --> 00:02.000\nSpeaker R: Hello: all\n\n"
        "2\n00:02.000 --> 00:03.000\nSpeaker R: Here's the thing: it broke at 10:30\n"
    ).turns
    assert [turn.speaker for turn in turns] == ["Speaker R", "Speaker R"]
    assert [turn.text for turn in turns] == ["Hello: all", "Here's the thing: it broke at 10:30"]


def test_a_colon_inside_a_sentence_makes_no_speaker() -> None:
    turns = read(
        "WEBVTT\n\n00:01.000 --> 00:02.000\nSo this is it: broken\n\n00:02.000 --> 00:03.000\nI see.\n"
    ).turns
    assert [turn.speaker for turn in turns] == [None, None]
    assert turns[0].text == "So this is it: broken"


def test_srt_with_names_and_markup() -> None:
    transcript = read(
        "1\n00:00:01,000 --> 00:00:02,250\nAgent: <i>Hello</i>\n\n"
        "2\n00:00:02,500 --> 00:00:03,000\n{\\an8}Customer: Hi\nthere\n"
    )
    assert transcript.format == "srt"
    assert [(t.start, t.end, t.speaker, t.role, t.text) for t in transcript.turns] == [
        (1.0, 2.25, "Agent", "agent", "Hello"),
        (2.5, 3.0, "Customer", "customer", "Hi\nthere"),
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("WEBVTT\n\n00:01.000 --> 00:02.000\nhi\n\ngarbage\n\n00:03.000 --> 00:04.000\nyo\n", "line 6"),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\nhi\n\n00:03.000 --> 00:0", "line 6"),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\nhi\n\n00:03.000 -->", "line 6"),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\nhi\n\n00:03.000 --> 00:04.000", "line 6"),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\nhi\n\n7", "line 6"),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\n<v Age", "line 3"),
        ("WEBVTT\n\n00:05.000 --> 00:02.000\nhi\n", "line 3"),
        ("WEBVTT\n\n-00:05.000 --> 00:02.000\nhi\n", "line 3"),
        ("WEBVTT\n\n00:61.000 --> 00:72.000\nhi\n", "line 3"),
        ("1\n00:00:01,000 --> 00:00:02,000\nhi\n\n2\n00:00:0", "line 5"),
    ],
)
def test_broken_captions_are_refused_with_their_line(text: str, place: str) -> None:
    with pytest.raises(TranscriptError, match=place):
        read(text)


def test_a_last_cue_cut_in_its_text_is_warned_of() -> None:
    transcript = read("WEBVTT\n\n00:01.000 --> 00:02.000\nHello there, I wanted to comp")
    assert any("cut short" in warning for warning in transcript.warnings)
    assert not read("WEBVTT\n\n00:01.000 --> 00:02.000\nHello there.").warnings


def test_empty_cues_are_left_out_and_counted() -> None:
    transcript = read("WEBVTT\n\n00:01.000 --> 00:02.000\n\n\n00:02.000 --> 00:03.000\nhi\n")
    assert [turn.text for turn in transcript.turns] == ["hi"]
    assert transcript.warnings == ("1 empty turn left out",)


def test_cues_without_a_blank_line_between_are_apart() -> None:
    turns = read("WEBVTT\n\n00:01.000 --> 00:02.000\nhi\n00:02.000 --> 00:03.000\nyo\n").turns
    assert [turn.text for turn in turns] == ["hi", "yo"]


def test_real_voice_tags_agree_with_webvtt_py(data_dir: Path) -> None:
    webvtt = pytest.importorskip("webvtt")
    path = data_dir / "calls/transcripts/webvtt_voice_a.vtt"
    captions = webvtt.read(str(path)).captions
    turns = read_transcript(path).turns
    assert len(turns) == len(captions) == 33
    for turn, caption in zip(turns, captions, strict=True):
        hours, minutes, rest = caption.start.split(":")
        assert turn.start == pytest.approx(int(hours) * 3600 + int(minutes) * 60 + float(rest))
        assert (turn.speaker, turn.text) == (caption.voice, caption.text)


def test_real_zoom_file_keeps_a_colon_inside_the_text(data_dir: Path) -> None:
    turns = read_transcript(data_dir / "calls/transcripts/webvtt_zoom_a.vtt").turns
    assert [(turn.start, turn.end) for turn in turns] == [(2.1, 5.4), (5.4, 7.9), (7.9, 11.2)]
    assert len({turn.speaker for turn in turns}) == 2 and turns[0].speaker == turns[2].speaker
    assert turns[2].text == "Great. So here's the thing: we're behind on the audit."


def test_a_long_unclosed_class_list_costs_no_time() -> None:
    began = time.process_time()
    with pytest.raises(TranscriptError, match="cut"):
        read("WEBVTT\n\n00:01.000 --> 00:02.000\n<v" + ".a." * 2000 + " x\n")
    assert time.process_time() - began < 2


def test_a_file_cut_anywhere_is_refused_warned_of_or_ends_with_a_whole_cue() -> None:
    whole = (
        "WEBVTT\n\n1\n00:00:01.000 --> 00:00:02.000\n<v Agent>Good morning, how can I help</v>\n\n"
        "2\n00:00:03.000 --> 00:00:04.000\n<v Customer>My line is dead again</v>\n"
    )
    texts = [turn.text for turn in read(whole).turns]
    for end in range(1, len(whole)):
        try:
            transcript = read(whole[:end])
        except TranscriptError:
            continue
        found = [turn.text for turn in transcript.turns]
        assert transcript.warnings or found == texts[: len(found)], whole[:end]
