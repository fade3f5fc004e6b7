"""Folders, globs and single recordings as the input of a batch, on this machine and by URL."""

import os
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from mmser.batch.input.reading import read_input
from mmser.batch.records import BatchInput
from mmser.errors import DataError, UsageError


def read(*inputs: object) -> BatchInput:
    return read_input([str(one) for one in inputs], split=None, revision=None)


def ids(*inputs: object) -> list[str]:
    return [row.id for row in read(*inputs).rows]


def put(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    """A bucket in memory, emptied afterwards."""
    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()
    yield filesystem
    filesystem.store.clear()


def test_a_folder_is_searched_for_recordings_and_the_transcripts_beside_them(tmp_path: Path):
    put(tmp_path, "b.WAV", "a/1.wav", "a/1.vtt", "a/2.mp3", "a/notes.pdf", ".hidden/x.wav", "a/._1.wav")
    put(tmp_path, "other/1.vtt", "a/.2.vtt")
    rows = {row.id: row for row in read(tmp_path).rows}
    assert list(rows) == ["a/1", "a/2", "b"]
    assert rows["a/1"].audio == (f"{tmp_path}/a/1.wav",)
    assert rows["a/1"].transcript == f"{tmp_path}/a/1.vtt"
    assert rows["a/2"].transcript is None and rows["b"].audio == (f"{tmp_path}/b.WAV",)
    assert all(row.problem is None for row in rows.values())


def test_recordings_that_differ_by_suffix_alone_keep_it(tmp_path: Path):
    put(tmp_path, "a.wav", "a.mp3", "b.wav.flac", "b.wav", "c.wav")
    assert ids(tmp_path) == ["a.mp3", "a.wav", "b", "b.wav.flac", "c"]


def test_two_transcripts_beside_one_recording_are_a_problem_of_that_call_alone(tmp_path: Path):
    put(tmp_path, "a.wav", "a.vtt", "a.srt", "b.wav", "b.vtt")
    first, second = read(tmp_path).rows
    assert first.problem is not None and "2 transcripts: a.srt, a.vtt; keep one" in first.problem
    assert first.transcript is None and second.problem is None


def test_links_in_a_circle_are_followed_once(tmp_path: Path):
    put(tmp_path, "in/a/x.wav")
    (tmp_path / "in" / "a" / "up").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "itself").symlink_to("itself")
    (tmp_path / "in" / "0again").symlink_to(tmp_path / "in" / "a")
    put(tmp_path, "outside/y.wav")
    (tmp_path / "in" / "more").symlink_to(tmp_path / "outside")
    assert ids(tmp_path / "in") == ["a/x", "more/y"]
    assert ids(f"{tmp_path}/in/**/*.wav") == ["a/x", "more/y"]


def test_a_glob_means_what_it_means_in_a_shell_and_goes_down_with_two_stars(tmp_path: Path):
    put(tmp_path, "c/1.wav", "c/1.vtt", "c/x/2.wav", "c/x/y/2b.wav", "c/x/3.mp3", "c/x/2.txt")
    assert ids(f"{tmp_path}/c/*.wav") == ["1"]
    assert ids(f"{tmp_path}/c/**/*.wav") == ["1", "x/2", "x/y/2b"]
    assert ids(f"{tmp_path}/c/**") == ["1", "x/2", "x/3", "x/y/2b"]
    assert ids(f"{tmp_path}/?/x/[0-9].*") == ["c/x/2", "c/x/3"]
    assert ids(f"{tmp_path}/c/x*") == ["x/2", "x/3", "x/y/2b"]
    assert ids(f"{tmp_path}/c/**/y/*") == ["x/y/2b"]
    rows = {row.id: row for row in read(f"{tmp_path}/c/**/*.wav").rows}
    assert rows["x/2"].transcript == f"{tmp_path}/c/x/2.txt" and rows["1"].transcript == f"{tmp_path}/c/1.vtt"


def test_relative_globs_and_folders_are_read_from_the_folder_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    put(tmp_path, "a.wav", "d/b.wav", "d/b.vtt")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ids("*.wav") == ["a"] and ids("**/*.wav") == ["a", "d/b"] and ids(".") == ["a", "d/b"]
    assert ids("./d/") == ["b"] and ids("~/d") == ["b"] and ids("a.wav") == ["a"]
    (row,) = read("d/*.wav").rows
    assert (row.audio, row.transcript) == (("d/b.wav",), "d/b.vtt")
    (row,) = read("d/b.wav").rows
    assert (row.id, row.audio, row.transcript) == ("b", ("d/b.wav",), "d/b.vtt")


def test_a_path_that_exists_is_no_glob_whatever_signs_are_in_it(tmp_path: Path):
    put(tmp_path, "[1]/a*?#.wav", "[1]/b|c.wav")
    assert ids(tmp_path / "[1]") == ["a*?#", "b|c"]
    assert ids(tmp_path / "[1]" / "a*?#.wav") == ["a*?#"]
    assert ids(f"{tmp_path}/[1]/*c.wav") == ["b|c"] and ids(f"{tmp_path}/[1]/**/a*") == ["a*?#"]


def test_names_with_blanks_and_line_breaks_stand_and_what_is_not_utf_8_is_a_problem(tmp_path: Path):
    put(tmp_path, "ä b.wav", "x\ny.wav")
    (tmp_path / os.fsdecode(b"caf\xe9.wav")).write_bytes(b"x")
    rows = {row.id: row for row in read(tmp_path).rows}
    assert set(rows) == {"ä b", "x\ny", "caf\\xe9"}
    problem = rows["caf\\xe9"].problem
    assert problem is not None and problem.endswith("is not UTF-8; rename it") and problem.isascii()


def test_inputs_are_joined_and_ids_that_clash_are_refused_with_their_places(tmp_path: Path):
    put(tmp_path, "a/1.wav", "b/1.wav", "b/2.wav")
    assert ids(tmp_path / "a", tmp_path / "b" / "2.wav") == ["1", "2"]
    with pytest.raises(DataError, match=r"'1' \(.*/a/1.wav, .*/b/1.wav\)"):
        read(tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("missing", "does not exist"),
        ("missing/*.wav", "matches no recordings"),
        ("empty", "holds no recordings; a recording ends in .wav"),
        ("words", "of transcripts alone give a manifest"),
        ("words/a.vtt", "neither a recording nor a manifest; name it in the column 'transcript'"),
        ("a.docx", "recordings end in .wav"),
        ("words/a.vtt/b.wav", "does not exist"),
        ("a.docx/", "is a file, not a folder"),
        ("broken.wav", "is a link to what is not there"),
        ("pipe.wav", "is a pipe or a device"),
        ("dir.csv", "holds no recordings"),
        ("x" * 300, "cannot be read: File name too long"),
    ],
)
def test_what_is_no_input_is_refused(tmp_path: Path, given: str, message: str):
    put(tmp_path, "words/a.vtt", "a.docx")
    for folder in ("empty", "dir.csv"):
        (tmp_path / folder).mkdir()
    (tmp_path / "broken.wav").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(DataError) as caught:
        read(f"{tmp_path}/{given}")
    assert message in str(caught.value)


@pytest.mark.parametrize("given", [(), ("",), ("  ",), ("a\0b",)])
def test_no_input_is_a_mistake_of_the_command(given: tuple[str, ...]):
    with pytest.raises(UsageError):
        read(*given)


def test_folders_globs_and_files_are_read_by_url(memory: fsspec.AbstractFileSystem):
    for name in ("1.wav", "1.vtt", "x/2.wav", "x/2.vtt", "x/2.srt", ".h/3.wav", "a#?b.wav"):
        memory.pipe(f"/arch/{name}", b"x")
    rows = {row.id: row for row in read("memory://arch").rows}
    assert list(rows) == ["1", "a#?b", "x/2"]
    assert (rows["1"].audio, rows["1"].transcript) == (("memory:///arch/1.wav",), "memory:///arch/1.vtt")
    assert "2 transcripts" in str(rows["x/2"].problem)
    assert ids("memory://arch/") == ["1", "a#?b", "x/2"]
    assert ids("memory://") == ["arch/1", "arch/a#?b", "arch/x/2"]
    assert ids("memory://arch/**/*.wav") == ["1", "a#?b", "x/2"] and ids("memory://arch/x/*.wav") == ["2"]
    (row,) = read("memory://arch/*1.wav").rows
    assert (row.id, row.transcript) == ("1", "memory:///arch/1.vtt")
    (row,) = read("memory://arch/1.wav").rows
    assert (row.id, row.audio, row.transcript) == ("1", ("memory://arch/1.wav",), "memory://arch/1.vtt")


def test_urls_of_this_machine_are_read(tmp_path: Path):
    put(tmp_path, "a b.wav", "a b.vtt")
    (row,) = read(f"file://{tmp_path}").rows
    assert (row.id, row.audio) == ("a b", (f"file://{tmp_path}/a b.wav",))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("memory://nowhere", "does not exist"),
        ("memory://nowhere/*.wav", "matches no recordings"),
        ("nosuch://a/b", "scheme that is not known"),
    ],
)
def test_urls_that_lead_nowhere_are_refused(memory: fsspec.AbstractFileSystem, url: str, message: str):
    with pytest.raises(DataError, match=message):
        read(url)


def test_a_package_that_a_url_needs_is_named_as_pip_knows_it():
    for url, package in (("s3://bucket/calls", "s3fs"), ("gs://bucket/calls", "gcsfs")):
        try:
            __import__(package)
        except ImportError:
            with pytest.raises(DataError, match=f"pip install {package}"):
                read(url)
