"""From what a row names to files at hand, in a worker."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import fsspec
import pytest

from mmser.audio import open_recording
from mmser.batch.input.fetching import fetch
from mmser.batch.records import CallRow
from mmser.errors import AudioError, TranscriptError
from mmser.transcripts import read_transcript
from tests.data_fixtures import write_clip

CAPTIONS = b"WEBVTT\n\n00:00.000 --> 00:01.000\n<v Agent>Hello.\n"


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    """A bucket in memory, emptied afterwards."""
    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()
    yield filesystem
    filesystem.store.clear()


def test_local_paths_stay_as_they_are_whether_or_not_something_is_there(tmp_path: Path):
    row = CallRow(id="a", audio=("no/a.wav", f"file://{tmp_path}/b c.wav"), transcript="no/a.vtt")
    with ExitStack() as stack:
        fetched = fetch(row, None, stack)
    assert fetched.sources == ("no/a.wav", f"{tmp_path}/b c.wav") and fetched.transcript == "no/a.vtt"
    assert fetched.names == row.audio and fetched.transcript_name == "no/a.vtt"


def test_what_is_behind_urls_is_copied_under_its_name_and_removed(
    tmp_path: Path, memory: fsspec.AbstractFileSystem
):
    sound = write_clip(tmp_path / "a.wav", seconds=60.0).read_bytes()
    assert len(sound) > 1 << 20  # more than one piece
    memory.pipe("/arch/call #1?.wav", sound)
    memory.pipe("/arch/call.vtt", CAPTIONS)
    row = CallRow(id="a", audio=("memory://arch/call #1?.wav",), transcript="memory://arch/call.vtt")
    with ExitStack() as stack:
        fetched = fetch(row, None, stack)
        (source,) = fetched.sources
        assert Path(str(source)).name == "call #1?.wav" and Path(str(source)).read_bytes() == sound
        with open_recording(source) as recording:
            assert recording.recording.id == "call #1?"
        assert len(read_transcript(str(fetched.transcript)).turns) == 1
        assert fetched.names == row.audio and fetched.transcript_name == row.transcript
    assert not Path(str(source)).exists() and not Path(str(source)).parent.exists()


def test_two_files_of_one_name_do_not_meet(memory: fsspec.AbstractFileSystem):
    memory.pipe("/a/call.wav", b"1")
    memory.pipe("/b/call.wav", b"2")
    with ExitStack() as stack:
        fetched = fetch(CallRow(id="a", audio=("memory://a/call.wav", "memory://b/call.wav")), None, stack)
        assert [Path(str(source)).read_bytes() for source in fetched.sources] == [b"1", b"2"]


def test_long_and_hidden_names_are_made_plain(memory: fsspec.AbstractFileSystem):
    for name in (f"/arch/{'ä' * 300}.wav", "/arch/...", "/arch/.wav"):
        memory.pipe(name, b"1")
        with ExitStack() as stack:
            (source,) = fetch(CallRow(id="a", audio=(f"memory:/{name}",)), None, stack).sources
            assert Path(str(source)).read_bytes() == b"1" and len(Path(str(source)).name.encode()) < 120


def test_what_is_not_there_is_said_in_a_sentence_that_names_the_url(memory: fsspec.AbstractFileSystem):
    with ExitStack() as stack:
        with pytest.raises(AudioError, match=r"^memory://no/a.wav does not exist; check the URL$"):
            fetch(CallRow(id="a", audio=("memory://no/a.wav",)), None, stack)
        with pytest.raises(TranscriptError, match=r"^memory://no/a.vtt does not exist"):
            fetch(CallRow(id="a", transcript="memory://no/a.vtt"), None, stack)
        with pytest.raises(AudioError, match="begins with a scheme that is not known"):
            fetch(CallRow(id="a", audio=("nosuch://a.wav",)), None, stack)


def test_a_full_disk_is_said_to_be_one(
    tmp_path: Path, memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
):
    memory.pipe("/arch/a.wav", b"1")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with ExitStack() as stack, pytest.raises(AudioError, match="needs room for a temporary copy"):
        fetch(CallRow(id="a", audio=("memory://arch/a.wav",)), None, stack)
