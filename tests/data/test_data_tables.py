"""Errors name the file, the line and the nearest word."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from datasets import Dataset

from mmser.data import read_emobank, read_emodb, read_goemotions, read_meld, read_semeval_ei
from mmser.data.tables import nearest, read_json_lines, read_rows, recordings_in, scaled
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


@pytest.mark.data
@pytest.mark.parametrize(
    ("read", "folder", "name", "rows"),
    [
        (read_goemotions, "goemotions", "train.tsv", "21,705 of 43,410"),
        (read_meld, "meld", "test_sent_emo.csv", "1,305 of 2,610"),
        (read_emobank, "emobank", "emobank.csv", "5,031 of 10,062"),
        (read_semeval_ei, "semeval2018_ei", "EI-reg-En-joy-dev.txt", "145 of 290"),
    ],
)
def test_half_a_corpus_of_texts_is_refused(
    read: Callable[..., Dataset], folder: str, name: str, rows: str, data_dir: Path, tmp_path: Path
):
    shutil.copytree(data_dir / "text" / folder, tmp_path / folder)
    path = tmp_path / folder / name
    lines = path.read_text("utf-8").splitlines(keepends=True)
    header = 0 if name == "train.tsv" else 1
    path.write_text("".join(lines[: header + (len(lines) - header) // 2]), "utf-8")
    with pytest.raises(DataError, match=f"{re.escape(name)} holds {rows} rows; fetch it again"):
        read(tmp_path / folder)
    assert len(read(tmp_path / folder, partial=True)) == len(read(data_dir / "text" / folder)) - (
        len(lines) - header - (len(lines) - header) // 2
    )


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


@pytest.mark.parametrize(
    "line", ["{", "[1]", '{"a": {"b": 1}}', '{"a": true}', '{"a": "\\ud800"}', '{"a": ' + "[" * 100_000]
)
def test_json_lines_that_are_no_rows_are_refused(tmp_path: Path, line: str):
    (tmp_path / "t.jsonl").write_text('{"a": 1}\n\n' + line)
    with pytest.raises(DataError, match="line 3"):
        list(read_json_lines(tmp_path / "t.jsonl"))


def test_ratings_beyond_the_scale_count_as_its_ends():
    assert [scaled(x, 1, 5) for x in (0.5, 1, 3, 5, 5.5)] == [0, 0, 0.5, 1, 1]


def test_whole_numbers_are_as_large_as_a_dataset_keeps_them(tmp_path: Path):
    (tmp_path / "t.csv").write_text(f"a\n{2**31 - 1}\n{2**31}\n")
    rows = list(read_rows(tmp_path / "t.csv", ("a",)))
    assert rows[0].whole("a") == 2**31 - 1
    with pytest.raises(DataError, match="line 3: a is 2147483648; give a number from 0 to 2147483647"):
        rows[1].whole("a")


def test_a_clip_whose_name_is_no_text_is_refused(tmp_path: Path):
    (tmp_path / "ü.wav").touch()
    assert len(recordings_in(tmp_path)) == 1
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.wav")).touch()
    with pytest.raises(DataError, match=r"udcff\.wav' is not UTF-8; rename it"):
        recordings_in(tmp_path)
