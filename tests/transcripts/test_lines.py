"""CTM, STM, RTTM and TextGrid."""

from pathlib import Path

import pytest

from mmser.errors import TranscriptError
from mmser.transcripts import read_transcript

GRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 4
tiers? <exists>
size = {size}
item []:
{tiers}"""
TIER = """    item [{number}]:
        class = "IntervalTier"
        name = "{name}"
        xmin = 0
        xmax = 4
        intervals: size = 2
        intervals [1]:
            xmin = 0
            xmax = {middle}
            text = "{first}"
        intervals [2]:
            xmin = {middle}
            xmax = 4
            text = "{second}"
"""


def grid(*tiers: tuple[str, float, str, str]) -> bytes:
    blocks = [
        TIER.format(number=n, name=name, middle=middle, first=first, second=second)
        for n, (name, middle, first, second) in enumerate(tiers, start=1)
    ]
    return GRID.format(size=len(tiers), tiers="".join(blocks)).encode()


def test_ctm_start_and_duration_and_tags() -> None:
    turns = read_transcript(
        b";; a comment\ncall A 0.50 0.25 Hello;tag 0.9\ncall A 0.75 0.25 A\\;S;tag1;tag2\n"
        b"call B 1.00 0.50 yes NA\ncall A 3.00 0.10 bye\ncall A * * <ALT_BEGIN>\ncall A 3.10 0.1 one\n"
        b"call A * * <ALT>\ncall A 3.10 0.1 won\ncall A * * <ALT_END>\n"
    ).turns
    assert [(t.speaker, t.channel, t.start, t.end, t.text) for t in turns] == [
        ("A", 0, 0.5, 1.0, "Hello A;S"), ("B", 1, 1.0, 1.5, "yes"), ("A", 0, 3.0, 3.2, "bye one")
    ]  # fmt: skip
    assert [word.confidence for word in turns[0].words] == [0.9, None]


def test_real_ctm(data_dir: Path) -> None:
    path = data_dir / "calls/transcripts/ctm_a.ctm"
    rows = [line.split() for line in path.read_text().splitlines()]
    transcript = read_transcript(path)
    found = sorted((turn.speaker, word.start, word.end) for turn in transcript.turns for word in turn.words)
    wanted = sorted((f"{r[0]} {r[1]}", float(r[2]), round(float(r[2]) + float(r[3]), 6)) for r in rows)
    assert found == wanted and len(found) == 1725
    texts = {word.text for turn in transcript.turns for word in turn.words}
    assert "A;S" in texts and "THEY" in texts and not any("tag" in text for text in texts)
    assert any("2 recordings" in warning for warning in transcript.warnings)


def test_real_stm(data_dir: Path) -> None:
    path = data_dir / "calls/transcripts/stm_a.stm"
    rows = [line.split(maxsplit=5) for line in path.read_text().splitlines()]
    turns = read_transcript(path).turns
    assert [(t.speaker, t.start, t.end, t.text) for t in turns] == [
        (r[2], float(r[3]), float(r[4]), r[5]) for r in rows
    ]
    assert len(turns) == 13


def test_real_rttm_knows_who_and_when_but_no_words(data_dir: Path) -> None:
    path = data_dir / "calls/transcripts/rttm_a.rttm"
    rows = [line.split() for line in path.read_text().splitlines()]
    transcript = read_transcript(path)
    assert [(t.speaker, t.start, t.end) for t in transcript.turns] == [
        (r[7], float(r[3]), pytest.approx(float(r[3]) + float(r[4]))) for r in rows
    ]
    assert all(turn.text is None and turn.words == () for turn in transcript.turns)
    assert not transcript.warnings  # the empty text is no defect
    assert "overlap" in transcript.turns[7].flags


def test_real_textgrid(data_dir: Path) -> None:
    path = data_dir / "calls/transcripts/textgrid_a.TextGrid"
    lines = [line.strip() for line in path.read_text().splitlines()]
    first, last = lines.index('name = "word"'), lines.index('name = "mute"')
    part = lines[first:last]
    rows = [
        (part[i].split('"')[1], float(part[i - 2].split("=")[1]), float(part[i - 1].split("=")[1]))
        for i, line in enumerate(part)
        if line.startswith("text =")
    ]
    wanted = [row for row in rows if row[0] not in ("sp", "sil", "")]
    transcript = read_transcript(path)
    assert [(w.text, w.start, w.end) for t in transcript.turns for w in t.words] == wanted
    assert len(wanted) == 29
    assert transcript.warnings == ("tiers left out: number 1, 3, 4 of 4",)


def test_textgrid_tiers_are_speakers_where_there_are_no_words() -> None:
    transcript = read_transcript(grid(("Agent", 1, "Hello there", ""), ("Customer", 1.5, "", "Hi")))
    assert [(t.speaker, t.role, t.start, t.end, t.text) for t in transcript.turns] == [
        ("Agent", "agent", 0, 1, "Hello there"), ("Customer", "customer", 1.5, 4, "Hi")
    ]  # fmt: skip


def test_textgrid_of_an_aligner_and_of_a_diarizer() -> None:
    aligned = read_transcript(grid(("Agent - words", 1, "hi", "sil"), ("Agent - phones", 1, "h", "ai")))
    assert [(t.speaker, t.text) for t in aligned.turns] == [("Agent", "hi")]
    diarized = read_transcript(grid(("speaker", 1, "A", "B")))
    assert [(t.speaker, t.text, t.start) for t in diarized.turns] == [("A", None, 0), ("B", None, 1)]


def test_a_cut_textgrid_never_loads() -> None:
    whole = grid(("Agent", 1, "Hello there", "again"), ("Customer", 1.5, "so", "Hi"))
    for end in range(60, len(whole) - 2):
        with pytest.raises(TranscriptError):
            read_transcript(whole[:end])


def test_a_short_textgrid_reads_whole_and_never_cut() -> None:
    tiers = '"IntervalTier"\n"Agent"\n0\n4\n2\n0\n1\n"Hello there"\n1\n4\n""\n'
    tiers += '"IntervalTier"\n"Customer"\n0\n4\n2\n0\n1.5\n""\n1.5\n4\n"Hi you"\n'
    whole = f'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n4\n<exists>\n2\n{tiers}'
    assert [(t.speaker, t.text) for t in read_transcript(whole.encode()).turns] == [
        ("Agent", "Hello there"), ("Customer", "Hi you")
    ]  # fmt: skip
    for end in range(60, len(whole) - 1):
        with pytest.raises(TranscriptError):
            read_transcript(whole[:end].encode())


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("call A 0.5 0.25 hi\ncall A 0.5\n", "line 2"),
        ("call A 0.5 0.25 hi\ncall A 0.5 -1 hi\n", "line 2"),
        ("call A 0.5 0.25 hi\ncall A nan 1 hi\n", "line 2"),
        ("call 1 Agent 0.5 1.5 hi\ncall 1 Agent 2.5 1.5 hi\n", "line 2"),
        ("call 1 Agent 0.5 1.5 hi\ngarbage\n", "line 2"),
        ("SPEAKER c 1 0.5 1 <NA> <NA> a <NA> <NA>\nSPEAKER c 1 0.5\n", "line 2"),
        ("SPEAKER c 1 0.5 1 <NA> <NA> a <NA> <NA>\nSPEAKER c 1 0.5 -1 <NA> <NA> a <NA> <NA>\n", "line 2"),
    ],
)
def test_broken_lines_are_named(text: str, place: str) -> None:
    with pytest.raises(TranscriptError, match=place):
        read_transcript(text.encode())


RTTM_LINE = "SPEAKER call 1 {} 1.0 <NA> <NA> {} <NA> <NA>"


def test_a_speaker_name_that_is_cut_off_is_no_new_speaker() -> None:
    whole = "\n".join(RTTM_LINE.format(i, f"speaker9{i % 2}") for i in range(3)) + "\n"
    assert {turn.speaker for turn in read_transcript(whole.encode()).turns} == {"speaker90", "speaker91"}
    with pytest.raises(TranscriptError, match="line 3: it has 8 columns"):
        read_transcript(whole[: whole.rindex("eaker90") + 2].encode())


@pytest.mark.parametrize(
    "text",
    [
        "start,end,speaker,text\n0,1,A,my parcel is late and i want a refund\n",
        "start\tend\ttext\n0\t1\tmy parcel is late and i want a refund\n",
        "Agent: hello\nCustomer: my parcel is late and i want a refund\n",
        "call 1 spk 0.0 2.0 my parcel is late and i want a refund\n",
        "call 1 0.0 0.5 my\ncall 1 0.5 0.5 parcel\n",
    ],
)
def test_a_file_that_stops_within_a_line_is_read_with_a_warning(text: str) -> None:
    assert not any("cut short" in warning for warning in read_transcript(text.encode()).warnings)
    assert any("cut short" in warning for warning in read_transcript(text[:-3].encode()).warnings)
