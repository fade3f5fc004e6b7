"""Order, overlap, and whether a transcript belongs to a recording."""

import math
import time

import pytest

from mmser.errors import TranscriptError
from mmser.transcripts import check_against, check_turns, read_transcript, with_plain_text
from mmser.transcripts.clock import as_clock
from mmser.types import Transcript, Turn, Word


def table(*rows: str) -> Transcript:
    return read_transcript("\n".join(["start,end,speaker,text", *rows, ""]).encode())


def test_turns_out_of_order_are_sorted_numbered_and_counted() -> None:
    transcript = table("5,6,A,late", "1,2,A,early", "3,4,B,middle")
    assert [(turn.id, turn.text) for turn in transcript.turns] == [
        ("t1", "early"), ("t2", "middle"), ("t3", "late")
    ]  # fmt: skip
    assert transcript.warnings == ("2 turns stood out of order and were sorted by start time",)


def test_crosstalk_is_flagged_and_one_speaker_twice_at_once_is_warned_of() -> None:
    crosstalk = table("0,3,A,one", "2,4,B,two", "5,6,A,three")
    assert [turn.flags for turn in crosstalk.turns] == [("overlap",), ("overlap",), ()]
    assert crosstalk.warnings == ()
    double = table("0,3,A,one", "2,4,A,two", "4,5,A,three")
    assert [turn.flags for turn in double.turns] == [("overlap",), ("overlap",), ()]
    assert "2 turns overlap with another turn of the same speaker" in double.warnings


def test_a_long_turn_overlaps_those_inside_it() -> None:
    flags = [turn.flags for turn in table("0,2400,A,on", "10,11,B,a", "20,21,B,b", "2500,2501,B,c").turns]
    assert flags == [("overlap",), ("overlap",), ("overlap",), ()]


def test_a_transcript_that_fits_passes_unchanged() -> None:
    transcript = table("0,1,A,one", "1,10.3,B,two")
    assert check_against(transcript, 10.0) == (transcript, [])


def test_a_transcript_that_ends_after_the_audio_is_warned_of() -> None:
    found, warnings = check_against(table("0,1,A,one", "5,12,B,two", "13,14,B,three"), 10.0)
    assert len(warnings) == 1
    assert "14.00 s" in warnings[0] and "10.00 s" in warnings[0] and "2 turns" in warnings[0]
    assert ["outside_audio" in turn.flags for turn in found.turns] == [False, False, True]


def test_a_transcript_that_begins_after_the_audio_is_refused() -> None:
    with pytest.raises(TranscriptError, match=r"begins at 1361\.00 s"):
        check_against(table("1361,1362,A,one"), 10.0)


def test_turns_made_elsewhere_are_checked_and_sorted_too() -> None:
    first, second = Turn(id="t1", start=5.0, end=6.0, text="b"), Turn(id="t2", start=1.0, end=2.0, text="a")
    found, warnings = check_against(Transcript(turns=(first, second), format="json"), 10.0)
    assert [(turn.id, turn.text) for turn in found.turns] == [("t1", "a"), ("t2", "b")]
    assert any("out of order" in warning for warning in warnings)
    for start, end in ((-1.0, 1.0), (math.nan, 1.0), (0.0, math.inf), (2.0, 1.0)):
        broken = Transcript(turns=(Turn(id="t9", start=start, end=end, text="x"),), format="json")
        with pytest.raises(TranscriptError, match="t9"):
            check_against(broken, 10.0)


def test_a_transcript_without_times_has_nothing_to_check() -> None:
    transcript = read_transcript(b"Agent: hi\nCustomer: yes\n")
    assert check_against(transcript, 0.5) == (transcript, [])


def test_empty_turns_are_counted_and_nothing_left_is_an_error() -> None:
    assert table("0,1,A,", "1,2,A, ", "2,3,A,x").warnings == ("2 empty turns left out",)
    with pytest.raises(TranscriptError, match="no spoken words"):
        table("0,1,A,")
    with pytest.raises(TranscriptError, match="no spoken words"):
        read_transcript(b"WEBVTT\n")


@pytest.mark.slow
def test_two_hundred_thousand_turns_load_without_quadratic_work() -> None:
    number = 200_000
    cues = (
        f"{as_clock(n)} --> {as_clock(n + 1.5)}\n<v {'Agent' if n % 2 else 'Customer'}>turn {n}\n\n"
        for n in range(number)
    )
    text = ("WEBVTT\n\n" + "".join(cues)).encode()
    began = time.process_time()
    transcript, _ = check_against(read_transcript(text), float(number + 1))
    assert time.process_time() - began < 120  # about 8 s on a free core; quadratic work would take hours
    assert len(transcript.turns) == number and transcript.turns[-1].id == f"t{number}"
    assert all("overlap" in turn.flags for turn in transcript.turns)


@pytest.mark.parametrize(
    ("turn", "said"),
    [
        ({"start": -1.0}, "negative"),
        ({"start": 5.0, "end": 3.0}, "before it starts"),
        ({"end": math.nan}, "not finite"),
        ({"end": 1e300}, "too large"),
        ({"role": "boss"}, "'boss' is not a role"),
        ({"text": 5}, "give a string"),
        ({"words": (Word(text="so", start=math.nan),)}, "not finite"),
        ({"id": "t1"}, "comes twice"),
    ],
)
def test_a_transcript_made_by_a_program_is_checked_like_a_file(turn: dict[str, object], said: str) -> None:
    first = Turn(id="t1", start=0.0, end=1.0, text="yes")
    second = Turn(**({"id": "t2", "start": 2.0, "end": 3.0, "text": "no"} | turn))  # type: ignore[arg-type]
    with pytest.raises(TranscriptError, match=said):
        check_turns(Transcript(turns=(first, second), format="made"))
    check_turns(Transcript(turns=(first,), format="made"))


def test_half_a_character_is_replaced_and_all_else_stays() -> None:
    read = read_transcript(
        b'{"segments": [{"start": 0, "end": 1, "text": "hello \\ud83d there \\ud83d\\ude00"}]}'
    )
    (turn,) = with_plain_text(read).turns
    assert turn.text == "hello \ufffd there \U0001f600"
    assert with_plain_text(table("0,1,A,gr\u00fc\u00df dich")).turns[0].text == "gr\u00fc\u00df dich"
