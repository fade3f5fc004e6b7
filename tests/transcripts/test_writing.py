"""What is written is read back."""

import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmser.errors import OutputError, TranscriptError
from mmser.labels import ROLES
from mmser.transcripts import read_transcript, write_csv, write_json, write_srt, write_text, write_webvtt
from mmser.types import Recognition, Redaction, Transcript, Turn, Word

texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30).filter(str.strip)
times = st.floats(0, 1e5, allow_nan=False)
confidences = st.none() | st.floats(0, 1)


@st.composite
def words(draw: st.DrawFn) -> Word:
    start, end = sorted((draw(times), draw(times)))
    timed = draw(st.booleans())
    return Word(
        text=draw(texts),
        start=start if timed else None,
        end=end if timed else None,
        confidence=draw(confidences),
    )


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript:
    count = draw(st.integers(1, 5))
    starts = sorted(draw(st.lists(times, min_size=count, max_size=count)))
    timed = draw(st.booleans())
    turns = tuple(
        Turn(
            id=f"t{number}",
            start=start if timed else None,
            end=start + draw(st.floats(0, 100)) if timed else None,
            channel=draw(st.none() | st.integers(0, 7)),
            speaker=draw(st.none() | texts),
            role=draw(st.sampled_from(ROLES)),
            text=draw(st.none() | texts),
            words=tuple(draw(st.lists(words(), max_size=3))),
            flags=tuple(draw(st.lists(texts, max_size=2))),
        )
        for number, start in enumerate(starts, start=1)
    )
    return Transcript(
        turns=turns,
        format=draw(texts),
        times=draw(st.sampled_from(["given", "estimated"])) if timed else "none",
        language=draw(st.sampled_from([None, "en", "de"])),
        warnings=tuple(draw(st.lists(texts, max_size=2))),
    )


@given(transcripts())
@settings(max_examples=60, deadline=None)
def test_our_json_comes_back_without_loss(transcript: Transcript) -> None:
    assert read_transcript(write_json(transcript).encode()) == transcript


spoken = st.text(st.characters(codec="cp1252", categories=("L", "N", "P", "S", "Zs")), min_size=1).map(
    lambda text: " ".join(text.split())
)


@given(
    st.lists(
        st.tuples(st.integers(0, 10**7), st.integers(1, 10**5), spoken.filter(bool), spoken.filter(bool)),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=60, deadline=None)
def test_webvtt_comes_back_with_speakers_texts_and_milliseconds(
    rows: list[tuple[int, int, str, str]],
) -> None:
    rows = sorted(
        (start, start + length, speaker, text.replace("-->", "")) for start, length, speaker, text in rows
    )
    rows = [row for row in rows if row[3].strip()] or [(0, 1, "A", "x")]
    turns = [
        Turn(id=f"t{n}", start=start / 1000, end=end / 1000, speaker=speaker, text=text)
        for n, (start, end, speaker, text) in enumerate(rows, start=1)
    ]
    again = read_transcript(write_webvtt(turns).encode()).turns
    assert [(t.start, t.end, t.text) for t in again] == [
        (t.start, t.end, (t.text or "").strip()) for t in turns
    ]
    for before, after in zip(turns, again, strict=True):
        assert after.speaker == before.speaker or after.speaker == f"Speaker {before.speaker}"


def test_webvtt_escapes_markup_and_blank_lines() -> None:
    turn = Turn(id="t1", start=1.0, end=2.0, speaker="A <b>", text="x < y & <i>z</i>\n\n1\n00:01 --> 00:02")
    written = write_webvtt([turn])
    assert "x &lt; y &amp; &lt;i&gt;" in written and "\n\n1" not in written
    again = read_transcript(written.encode()).turns
    assert [(t.speaker, t.text) for t in again] == [("A <b>", "x < y & <i>z</i>\n1\n00:01 → 00:02")]


def test_srt_comes_back() -> None:
    turns = [
        Turn(id="t1", start=0.5, end=3661.25, speaker="Agent", text="Hello: you"),
        Turn(id="t2", start=3662.0, end=3663.0, speaker="Customer", text="Yes"),
    ]
    written = write_srt(turns)
    assert written.startswith("1\n00:00:00,500 --> 01:01:01,250\nAgent: Hello: you\n\n2\n")
    again = read_transcript(written.encode()).turns
    assert [(t.start, t.end, t.speaker, t.text) for t in again] == [
        (t.start, t.end, t.speaker, t.text) for t in turns
    ]


def test_captions_need_times() -> None:
    turn = Turn(id="t4", start=None, end=None, text="hi")
    for write in (write_webvtt, write_srt):
        with pytest.raises(OutputError, match="t4"):
            write([turn])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"mmser.transcript/1"', '"mmser.transcript/2"'),
        ('"role": "agent"', '"role": "boss"'),
        ('"start": 1.0', '"start": -1.0'),
        ('"start": 1.0', '"start": NaN'),
        ('"start": 1.0', '"start": null'),
        ('"start": 1.0', '"start": "1"'),
        ('"times": "given"', '"times": "maybe"'),
        ('"text": "hi"', '"txt": "hi"'),
        ('"text": "hi"', '"text": 3'),
        ('"flags": []', '"flags": [1]'),
        ('"words": []', '"words": [1]'),
        ('"format": "x",', ""),
        ('"confidence": 0.5', '"confidence": 5'),
        ('"id": "t1"', '"id": "t2"'),
    ],
)
def test_a_damaged_json_of_ours_is_refused(before: str, after: str) -> None:
    turn = Turn(id="t1", start=1.0, end=2.0, speaker="A", role="agent", text="hi")
    words = (Word(text="yo", confidence=0.5),)
    written = write_json(
        Transcript(turns=(turn, Turn(id="t2", start=3, end=4, text="yo", words=words)), format="x")
    )
    assert before in written
    with pytest.raises(TranscriptError):
        read_transcript(written.replace(before, after).encode())


RECOGNITION = Recognition(
    recogniser="whisper:small",
    version="1",
    language="en",
    language_probability=0.9,
    num_words=1,
    confidence=0.5,
    dropped={"loop": 1},
    crosstalk_words=0,
)


def own_json(**changed: object) -> bytes:
    """Our own JSON with how words were recognised and redacted, a part of it changed."""
    word = Word(text="hi", start=0.0, end=1.0, estimated=True)
    said = Turn(id="t1", start=0.0, end=1.0, text="hi", words=(word,))
    redaction = Redaction(counts={"card": 1}, spans=((0.0, 0.5),))
    whole = Transcript(turns=(said,), format="x", recognition=RECOGNITION, redaction=redaction)
    data = json.loads(write_json(whole))
    for place, value in changed.items():
        part, _, key = place.partition("__")
        data[part] = {**data[part], key: value}
    return json.dumps(data).encode()


def test_how_words_were_recognised_and_redacted_is_read_again():
    read = read_transcript(own_json())
    assert read.recognition == RECOGNITION and read.turns[0].words[0].estimated
    assert read.redaction == Redaction(counts={"card": 1}, spans=((0.0, 0.5),))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("recognition__confidence", float("nan")),
        ("recognition__confidence", 7),
        ("recognition__num_words", -3),
        ("recognition__dropped", {"loop": -1}),
        ("recognition__language_probability", "sure"),
        ("redaction__counts", {"card": -1}),
        ("redaction__spans", [[1]]),
        ("redaction__spans", [[5, 2]]),
        ("redaction__spans", [[float("nan"), 1]]),
        ("redaction__spans", [[-5, 1e9]]),
    ],
)
def test_what_no_run_writes_is_refused(place: str, value: object):
    with pytest.raises(TranscriptError, match=place.partition("__")[0]):
        read_transcript(own_json(**{place: value}))


def test_text_and_csv_hold_what_was_said_and_no_formula():
    sure = Word(text="=1+1", confidence=0.5)
    turns = (
        Turn(id="t1", start=1.5, end=2.0, channel=0, speaker="ch_0", role="agent", text="hello\nthere"),
        Turn(id="t2", start=2.0, end=3.0, speaker="Ann", text="=1+1", words=(sure,)),
        Turn(id="t3", start=3.0, end=4.0, flags=("nothing_recognised",)),
    )
    assert write_text(turns) == "[00:00:01.500] agent: hello there\n[00:00:02.000] Ann: =1+1\n"
    rows = list(csv.DictReader(io.StringIO(write_csv(turns))))
    assert [row["text"] for row in rows] == ["hello\nthere", "'=1+1", ""]
    assert [row["confidence"] for row in rows] == ["", "0.5000", ""]
    assert rows[2]["flags"] == "nothing_recognised"
