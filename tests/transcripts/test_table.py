"""CSV and TSV."""

import pytest

from mmser.errors import TranscriptError
from mmser.transcripts import read_transcript


@pytest.mark.parametrize(
    "text",
    [
        'start,end,speaker,text\n1.5,2.5,Agent,"Hello, all"\n3,4,Customer,Hi\n',
        "Start_Time,End_Time,Speaker,Transcript\n"
        '00:00:01.500,00:00:02.500,Agent,"Hello, all"\n00:03,00:04,Customer,Hi\n',
        "start\tend\tspeaker\ttext\n1.5\t2.5\tAgent\tHello, all\n3\t4\tCustomer\tHi\n",
        "Start (s);End (s);Speaker;Text\n1,5;2,5;Agent;Hello, all\n3;4;Customer;Hi\n",
        'startMs,endMs,speaker,text\n1500,2500,Agent,"Hello, all"\n3000,4000,Customer,Hi\n',
        'start_time,duration,role,utterance\n1.5,1,AGENT,"Hello, all"\n3,1,CUSTOMER,Hi\n\n',
    ],
)
def test_header_variants_read_alike(text: str) -> None:
    turns = read_transcript(text.encode()).turns
    assert [(t.start, t.end, t.role, t.text) for t in turns] == [
        (1.5, 2.5, "agent", "Hello, all"),
        (3.0, 4.0, "customer", "Hi"),
    ]


def test_whisper_tables_in_milliseconds_are_told_from_seconds() -> None:
    rows = "start\tend\ttext\n0\t2400\tHello, how can I help you?\n2400\t7000\tMy line is dead again.\n"
    transcript = read_transcript(rows.encode())
    assert [(t.start, t.end) for t in transcript.turns] == [(0, 2.4), (2.4, 7.0)]
    assert any("milliseconds" in warning for warning in transcript.warnings)
    seconds = read_transcript(b"start,end,text\n1000,1003,Hello how can I help you\n").turns[0]
    assert (seconds.start, seconds.end) == (1000, 1003)


def test_a_table_without_times_has_none() -> None:
    transcript = read_transcript(b"speaker,text\nAgent,Hello\nCustomer,Hi\n")
    assert transcript.times == "none"
    assert [turn.start for turn in transcript.turns] == [None, None]


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("3,4,Agent", "3 columns"),
        ("3,4,Agent,a,b", "5 columns"),
        ("x,4,Agent,a", "not a time"),
        ("nan,4,Agent,a", "not finite"),
        ("-3,4,Agent,a", "negative"),
        ("9,4,Agent,a", "before it starts"),
        (",,Agent,a", "no start time"),
        ('3,4,Agent,"a', "cut short"),
    ],
)
def test_a_broken_row_names_its_line(row: str, what: str) -> None:
    with pytest.raises(TranscriptError, match=what) as caught:
        read_transcript(f"start,end,speaker,text\n1,2,Agent,Hi\n{row}".encode())
    assert "line 3" in str(caught.value)


def test_cells_that_a_spreadsheet_would_run_stay_text() -> None:
    turn = read_transcript(b"start,end,speaker,text\n1,2,Agent,=cmd|' /C calc'!A0\n").turns[0]
    assert turn.text == "=cmd|' /C calc'!A0"


def test_one_long_turn_is_no_millisecond() -> None:
    turn = read_transcript(b"start,end,speaker,text\n0,2400,Customer,hello\n").turns[0]
    assert (turn.start, turn.end) == (0, 2400)
