"""Errors name the file, the line and the nearest word."""

from pathlib import Path

import pytest

from mmser.data import read_emodb, read_goemotions
from mmser.data.tables import nearest, read_json_lines, read_rows, scaled
from mmser.errors import DataError
from mmser.labels import EMOTIONS


@pytest.mark.parametrize(
    ("word", "meant"),
    [("angry", "anger"), ("Happy", "happiness"), ("suprise", "surprise"), ("sad", "sadness")],
)
def test_the_nearest_label_is_offered(word: str, meant: str):
    assert nearest(word, EMOTIONS) == f"did you mean {meant!r}?"


def test_a_word_like_none_gets_the_whole_choice():
    assert nearest("xyz", EMOTIONS).endswith(", ".join(EMOTIONS))


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"labels\.txt is missing"):
        read_goemotions(tmp_path)
    with pytest.raises(DataError, match="is missing"):
        read_emodb(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="is a file"):
        read_emodb(tmp_path / "file")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3\n", "line 3: it does not have 2 cells"),
        ("a,b\n1,2,3\n", "line 2: it does not have 2 cells"),
        ("a,c\n1,2\n", "no column 'b'; its header is a, c"),
        ("", "its header is empty"),
        ("a,a,b\n", "the column 'a' twice"),
        ('a,b\n"1,2\n', "unexpected end of data"),
    ],
)
def test_a_broken_table_is_refused_with_its_line(tmp_path: Path, text: str, message: str):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        list(read_rows(tmp_path / "t.csv", ("a", "b")))


def test_text_of_another_encoding_is_refused(tmp_path: Path):
    (tmp_path / "t.csv").write_bytes(b"a,b\n\xff\xfe,2\n")
    with pytest.raises(DataError, match="is not UTF-8 text"):
        list(read_rows(tmp_path / "t.csv", ("a", "b")))


@pytest.mark.parametrize("line", ["{", "[1]", '{"a": {"b": 1}}', '{"a": true}'])
def test_json_lines_that_are_no_rows_are_refused(tmp_path: Path, line: str):
    (tmp_path / "t.jsonl").write_text('{"a": 1}\n\n' + line)
    with pytest.raises(DataError, match="line 3"):
        list(read_json_lines(tmp_path / "t.jsonl"))


def test_ratings_beyond_the_scale_count_as_its_ends():
    assert [scaled(x, 1, 5) for x in (0.5, 1, 3, 5, 5.5)] == [0, 0, 0.5, 1, 1]
