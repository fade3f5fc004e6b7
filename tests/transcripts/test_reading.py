"""Encodings, files that are none, and any bytes at all."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mmser.errors import TranscriptError
from mmser.transcripts import read_transcript
from mmser.transcripts.fields import _LANGUAGES, _THREE_LETTERS, language_code
from mmser.types import Transcript

VTT = "WEBVTT\r\n\r\n00:01.000 --> 00:02.000\r\n<v Zoë>Süße Grüße – „ja“ €5</v>\r\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_encodings_read_alike(encoding: str) -> None:
    turn = read_transcript(VTT.encode(encoding)).turns[0]
    assert (turn.speaker, turn.text) == ("Zoë", "Süße Grüße – „ja“ €5")


def test_utf16_with_either_mark() -> None:
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert read_transcript(mark + VTT.encode(encoding)).turns[0].speaker == "Zoë"


def test_utf8_cut_in_a_character_is_not_taken_for_cp1252() -> None:
    data = "Agent: Grüße\nCustomer: Schöne Gr".encode() + "ü".encode()[:1]
    with pytest.raises(TranscriptError, match="cut or damaged at byte"):
        read_transcript(data)


@pytest.mark.parametrize("data", [b"", b" \n\r\n\t", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n"])
def test_an_empty_file_is_refused(data: bytes) -> None:
    with pytest.raises(TranscriptError, match=r"empty|no known"):
        read_transcript(data)


@pytest.mark.parametrize("data", [b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00", bytes(range(256)) * 10])
def test_a_binary_file_is_refused(data: bytes) -> None:
    with pytest.raises(TranscriptError):
        read_transcript(data)


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(TranscriptError, match=r"nowhere\.vtt does not exist"):
        read_transcript(tmp_path / "nowhere.vtt")
    with pytest.raises(TranscriptError, match="is a folder"):
        read_transcript(str(tmp_path))
    with pytest.raises(TranscriptError, match="cannot be read"):
        read_transcript("a\x00b")


def test_errors_begin_with_the_file_and_may_call_it_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "call.vtt"
    path.write_text("WEBVTT\n\ngarbage\n")
    with pytest.raises(TranscriptError, match=r"call\.vtt: line 3"):
        read_transcript(path)
    with pytest.raises(TranscriptError, match=r"^upload: line 3"):
        read_transcript(path, name="upload")


def test_a_given_language_beats_the_stated_one() -> None:
    data = json.dumps({"language": "en", "segments": [{"start": 0, "end": 1, "text": "a"}]}).encode()
    assert read_transcript(data).language == "en"
    assert read_transcript(data, language="de-DE").language == "de"
    with pytest.raises(TranscriptError, match="klingon!"):
        read_transcript(data, language="klingon!")


def test_deep_json_is_an_error_not_a_crash() -> None:
    for data in (b"[" * 200_000, b'{"a":' * 200_000, b'{"a": ' + b"9" * 5000 + b"}"):
        with pytest.raises(TranscriptError):
            read_transcript(data)


def read_or_refuse(data: bytes) -> None:
    try:
        transcript = read_transcript(data)
    except TranscriptError as error:
        assert str(error).startswith("the transcript")
    else:
        assert isinstance(transcript, Transcript) and transcript.turns
        starts = [turn.start for turn in transcript.turns if turn.start is not None]
        assert starts == sorted(starts)
        assert [turn.id for turn in transcript.turns] == [f"t{n + 1}" for n in range(len(transcript.turns))]


HEADS = [
    b"WEBVTT\n\n", b"1\n00:00:01,000 --> 00:00:02,000\n", b"start,end,text\n", b"Agent: ", b"[0:01] Agent: ",
    b"SPEAKER a 1 0.1 0.2 <NA> <NA> b <NA> <NA>\n", b"a A 0.1 0.2 hi\n", b"a 1 b 0.1 0.2 hi\n",
    b'File type = "ooTextFile"\nObject class = "TextGrid"\n',
]  # fmt: skip


@given(st.sampled_from([b"", *HEADS]), st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
@example(b"", b"\xff\xfe")
@example(b"", b"\xff\xfe\x00\xd8")
def test_any_bytes_are_read_or_refused(head: bytes, data: bytes) -> None:
    read_or_refuse(head + data)


@given(st.sampled_from(["", *[head.decode() for head in HEADS]]), st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_or_refused(head: str, text: str) -> None:
    read_or_refuse((head + text).encode("utf-8", "replace"))


KEYS = [
    "segments", "start", "end", "text", "words", "word", "results", "items", "transcripts", "transcript",
    "alternatives", "content", "type", "speaker", "speaker_labels", "channel_labels", "channels", "Content",
    "Transcript", "BeginOffsetMillis", "recognizedPhrases", "nBest", "phrases", "monologues", "elements",
    "status", "utterances", "vcon", "parties", "dialog", "analysis", "body", "schema", "turns",
    "start_time", "role",
]  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(KEYS), values, max_size=4))
@settings(max_examples=150, deadline=None)
def test_any_json_is_read_or_refused(data: dict[str, object]) -> None:
    read_or_refuse(json.dumps(data).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"a:" * 200_000,
        b" " * 200_000 + b"x",
        b"0:" * 200_000,
        b"WEBVTT\n\n00:01.000 --> 00:02.000\n" + b"<v " * 100_000,
        b"Agent: a\n" + b"and on\n" * 100_000,
        b"a A 0.1 0.2 " + b"a " * 100_000,
    ],
    ids=["colons", "spaces", "clocks", "tags", "one long turn", "one long line"],
)
def test_hostile_text_costs_no_more_than_its_length(data: bytes) -> None:
    began = time.process_time()
    read_or_refuse(data)
    assert time.process_time() - began < 20  # each takes about a second; backtracking would take hours


@pytest.mark.parametrize(
    ("stated", "code"),
    [
        ("eng", "en"), ("ENG", "en"), ("eng-US", "en"), ("deu", "de"), ("ger", "de"), ("fre", "fr"),
        ("chi", "zh"), ("cmn-Hans-CN", "zh"), ("dut", "nl"), ("nob", "nb"), ("per", "fa"), ("ron", "ro"),
        ("en_GB", "en"), ("English", "en"), ("haw", "haw"),
        ("12", None), ("klingon", None), ("und", None), ("mul", None), ("", None), (7, None), (None, None),
    ],
)  # fmt: skip
def test_languages_are_known_by_name_and_by_two_or_three_letters(stated: object, code: str | None) -> None:
    assert language_code(stated) == code


def test_every_three_letter_code_stands_for_a_language_of_two_letters() -> None:
    for name, code in _THREE_LETTERS.items():
        assert len(name) == 3 and len(code) == 2
    assert set(_LANGUAGES.values()) - set(_THREE_LETTERS.values()) == set()
