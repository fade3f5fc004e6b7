"""What was recognised so far outlives the process."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mmser.errors import OutputError
from mmser.speech import ChannelSpeech
from mmser.transcription.chunks import Chunk
from mmser.transcription.journal import Journal, place_of
from mmser.transcription.segments import Recognised
from tests.transcription.scripted import phrase

KEY = {"recording": "abc", "part": [0.0, 10.5], "recogniser": "whisper:small"}
CHUNK = Chunk(channel=1, pieces=((0.1 + 0.2, 10.5),), speech=((0.5, 10.3),))
FOUND = Recognised(segments=(phrase(0.0, "grüß Gott 你好", 2.0, log_probability=-0.25),), language="de")
SPEECH = ChannelSpeech(stretches={0: [], 1: [(0.5, 10.3)]}, leaked={0: 0.0, 1: 1.5})


def filled(path: Path) -> Path:
    with Journal(path, KEY) as journal:
        journal.keep_speech(SPEECH)
        journal.keep_language("de", 0.75)
        journal.keep_chunk(CHUNK, FOUND)
    return path


def test_the_next_run_has_all_that_was_kept(tmp_path: Path):
    with Journal(filled(tmp_path / "new" / "j"), KEY) as journal:
        assert journal.speech == SPEECH
        assert journal.language == ("de", 0.75)
        assert journal.chunks == {place_of(CHUNK): FOUND}


@pytest.mark.parametrize("key", [{**KEY, "recording": "abd"}, {**KEY, "part": [0.0, 10.4]}, {}])
def test_steps_of_other_work_are_thrown_away(key: dict[str, object], tmp_path: Path):
    path = filled(tmp_path / "j")
    with Journal(path, key) as journal:
        assert (journal.speech, journal.language, journal.chunks) == (None, None, {})
        assert journal.discarded
    assert len(path.read_bytes().splitlines()) == 1


@pytest.mark.parametrize("lost", [1, 5, 200])
def test_a_step_that_was_cut_off_is_done_again_and_the_steps_before_it_stay(lost: int, tmp_path: Path):
    path = filled(tmp_path / "j")
    path.write_bytes(path.read_bytes()[:-lost])
    with Journal(path, KEY) as journal:
        assert (journal.speech, journal.language, journal.chunks) == (SPEECH, ("de", 0.75), {})
        journal.keep_chunk(CHUNK, FOUND)
    with Journal(path, KEY) as journal:
        assert journal.chunks == {place_of(CHUNK): FOUND}


def test_an_empty_file_is_begun(tmp_path: Path):
    (tmp_path / "j").touch(0o644)
    with Journal(tmp_path / "j", KEY) as journal:
        assert journal.chunks == {}
        journal.keep_language("en", None)
    assert (tmp_path / "j").stat().st_mode & 0o777 == 0o600
    with Journal(tmp_path / "j", KEY) as journal:
        assert journal.language == ("en", None)


@pytest.mark.parametrize("mine", [b"notes of mine\n", b"\0\0\0", b"{}\n", b"\xff\xfe\n", b"RIFF\0\0\0\0WAVE"])
def test_what_is_no_journal_is_left_alone(mine: bytes, tmp_path: Path):
    path = tmp_path / "j"
    path.write_bytes(mine)
    with pytest.raises(OutputError, match="is no journal of mmser"):
        Journal(path, KEY)
    assert path.read_bytes() == mine


def test_a_link_is_not_followed(tmp_path: Path):
    (tmp_path / "mine").write_text("notes")
    (tmp_path / "j").symlink_to(tmp_path / "mine")
    (tmp_path / "endless").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    for name in ("j", "endless", "pipe"):
        with pytest.raises(OutputError, match=r"cannot be written|is no journal"):
            Journal(tmp_path / name, KEY)
    assert (tmp_path / "mine").read_text() == "notes"


@pytest.mark.parametrize(
    "rubbish",
    [
        b"[1, 2]\n",
        b'{"chunk": [1]}\n',
        b"00000000 {}\n",
        b"[" * 200_000 + b"\n",
        b'{"stretches": [[0, [["a", "b"]]]], "leaked": []}\n',
        b"\0" * 100,
    ],
)
def test_a_damaged_step_ends_what_is_taken_over(rubbish: bytes, tmp_path: Path):
    path = filled(tmp_path / "j")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], rubbish, *lines[2:]]))
    with Journal(path, KEY) as journal:
        assert (journal.speech, journal.language, journal.chunks) == (SPEECH, None, {})


def test_a_step_that_was_changed_is_not_taken_over(tmp_path: Path):
    path = filled(tmp_path / "j")
    path.write_bytes(path.read_bytes().replace(b'"de", "probability": 0.75', b'"pl", "probability": 0.75'))
    with Journal(path, KEY) as journal:
        assert (journal.speech, journal.language, journal.chunks) == (SPEECH, None, {})


def test_only_its_owner_may_read_it(tmp_path: Path):
    assert filled(tmp_path / "j").stat().st_mode & 0o777 == 0o600


def test_two_runs_do_not_write_the_same_one(tmp_path: Path):
    with Journal(tmp_path / "j", KEY), pytest.raises(OutputError, match="another process is transcribing"):
        Journal(tmp_path / "j", KEY)
    Journal(tmp_path / "j", KEY).__exit__(None, None, None)


def test_a_file_where_its_folder_should_be_is_told(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match=r"file.* cannot be written: "):
        Journal(tmp_path / "file" / "j", KEY)
    with pytest.raises(OutputError, match=r"Is a directory"):
        Journal(tmp_path, KEY)


FULL = """
import json, resource, signal, sys
from pathlib import Path
from mmser.errors import OutputError
from mmser.transcription.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Journal(Path(sys.argv[1]), {"key": 1}) as journal:
    journal.keep_language("en", 0.5)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60, 60))
    try:
        journal.keep_language("x" * 100, 0.5)
    except OutputError as error:
        print(error)
"""


def test_a_full_disk_is_one_sentence_and_what_was_kept_stays(tmp_path: Path):
    assert hasattr(resource, "RLIMIT_FSIZE") and hasattr(signal, "SIGXFSZ")
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "j")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert "cannot be written: File too large; free space" in done.stdout
    with Journal(tmp_path / "j", json.loads('{"key": 1}')) as journal:
        assert journal.language == ("en", 0.5)
