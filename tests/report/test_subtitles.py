import io

import webvtt
from examples import LINES, example_report, example_turns

from mmser.report.subtitles import to_srt, to_webvtt
from mmser.transcripts import read_transcript
from mmser.types import Turn


def test_webvtt_has_each_turn_with_voice_role_and_emotion():
    captions = list(webvtt.from_buffer(io.StringIO(to_webvtt(example_report()))))
    assert len(captions) == len(LINES)
    assert (captions[7].start, captions[7].end, captions[7].voice) == (
        "00:00:34.400",
        "00:00:40.800",
        "Customer",
    )
    assert captions[7].text == f"[customer: anger] {LINES[7][3]}"
    assert captions[0].text == f"[agent] {LINES[0][3]}"
    assert captions[9].text == "[customer: uncertain] Mhm."


def test_webvtt_carries_the_notice_and_the_ground_as_a_comment():
    assert "NOTE\nThis report describes perceived" in to_webvtt(example_report())
    text = to_webvtt(example_report(agent_reason="medical"))
    assert "stated ground: medical" in text
    assert len(list(webvtt.from_buffer(io.StringIO(text)))) == len(LINES)
    assert len(read_transcript(text.encode()).turns) == len(LINES)


def test_srt_numbers_its_blocks():
    blocks = to_srt(example_report()).strip().split("\n\n")
    assert len(blocks) == len(example_turns())
    assert blocks[1] == f"2\n00:00:03,600 --> 00:00:08,200\n[customer: neutral] {LINES[1][3]}"


def test_text_cannot_make_cues_or_markup():
    nasty = "a\n\n9\n00:00:00,000 --> 00:00:09,000\n<b>x</b> & y"
    turn = Turn(id="t1", start=0.0, end=1.0, role="agent", speaker="<i>\n", text=nasty)
    report = example_report(turns=[turn], predictions=[], loudness={})
    assert to_srt(report).count("-->") == 1 and "<" not in to_srt(report)
    (caption,) = webvtt.from_buffer(io.StringIO(to_webvtt(report)))
    assert "<b>" not in to_webvtt(report)
    assert to_webvtt(report).count("-->") == 1
    assert caption.text.startswith("[agent] a 9")


def test_turns_without_times_are_left_out():
    turn = Turn(id="t1", start=None, end=None, role="agent", text="x")
    assert to_srt(example_report(turns=[turn], predictions=[], loudness={})) == ""
