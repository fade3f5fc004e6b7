"""Clips of rows: what is read, and how often a file is opened for it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmser.audio import AudioSource, open_recording
from mmser.data import Example, to_dataset, waveforms
from mmser.errors import MmserError
from mmser.training.clip_reader import ClipReader
from tests.training.training_fixtures import RATE


def recording(path: Path, seed: int = 0) -> Path:
    """Write two seconds of noise on two channels."""
    soundfile.write(path, np.random.default_rng(seed).standard_normal((2 * RATE, 2)) * 0.1, RATE)
    return path


def reader(*examples: Example) -> ClipReader:
    return ClipReader(to_dataset(examples), max_seconds=20)


def turn(audio: Path, **part: float | int) -> Example:
    return Example(corpus="calls", split="train", emotions=(), id="t", audio=audio, **part)  # type: ignore[arg-type]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[AudioSource]:
    """Note every file that a reader opens."""
    found: list[AudioSource] = []

    def noted(source: str) -> AudioSource:
        found.append(open_recording(source))
        return found[-1]

    monkeypatch.setattr(waveforms, "open_recording", noted)
    return found


def test_turns_of_a_call_share_one_opening(tmp_path: Path, opened: list[AudioSource]):
    call = recording(tmp_path / "call.wav")
    own = reader(*(turn(call, start=0.1 * i, end=0.1 * i + 0.1, channel=i % 2) for i in range(10)))
    samples, _ = soundfile.read(call, dtype="float32")
    for i in range(10):
        heard = own.read(i)
        assert heard is not None
        assert np.array_equal(heard, samples[1600 * i : 1600 * (i + 1), i % 2])
    assert len(opened) == 1


def test_few_files_are_open_at_once_and_closing_closes_them(
    tmp_path: Path, opened: list[AudioSource], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(waveforms, "KEPT_FILES", 2)
    calls = [recording(tmp_path / f"{i}.wav", i) for i in range(3)]
    own = reader(*(turn(call, start=0.5 * half, end=0.5 * half + 0.5) for half in (0, 1) for call in calls))
    for row in (0, 1, 3, 2, 4):
        own.read(row)
    assert len(opened) == 4  # the first is read again while it is open, the second after it was closed

    def is_open(source: AudioSource) -> bool:
        return not source._files[0].sound.closed

    assert [is_open(source) for source in opened] == [False, False, True, True]
    own.close()
    assert not any(map(is_open, opened))
    assert own.read(5) is not None and is_open(opened[-1])
    own.close()


@pytest.mark.parametrize("part", [{"channel": 2}, {"start": 0.5, "end": 0.50001}])
def test_a_part_that_is_not_there_is_told_with_its_row(part: dict[str, float], tmp_path: Path):
    with pytest.raises(MmserError, match=r"the clip calls/t .*take it out"):
        reader(turn(recording(tmp_path / "call.wav"), **part)).read(0)
