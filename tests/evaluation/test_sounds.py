"""The sound of labelled rows: how long it may be, and what decoders say of it."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmser.data import Example
from mmser.errors import DataError
from mmser.evaluation import sounds
from mmser.evaluation.sounds import Sounds
from mmser.quiet import without_chatter


def row(path: Path, **part: float) -> Example:
    return Example(corpus="made", split="test", id="1", emotions=("anger",), audio=path, **part)


def test_decoders_write_nothing_and_stderr_is_as_before(capfd: pytest.CaptureFixture[str]):
    with pytest.raises(ValueError, match="once"), without_chatter():
        os.write(2, b"part2_3_length too large")
        raise ValueError("once")
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_damaged_frames_of_an_mp3_are_not_written_to_stderr(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "whole.mp3", 0.1 * rng.standard_normal(32_000), 16_000)
    whole = (tmp_path / "whole.mp3").read_bytes()
    with Sounds() as reader:
        for seed in (25, 27, 34, 80, 108):  # some of the few that the decoder complains of
            broken, drawn = bytearray(whole), np.random.default_rng(seed)
            for place, value in zip(drawn.integers(0, 400, 5), drawn.integers(0, 256, 5), strict=True):
                broken[place] = value
            path = tmp_path / f"{seed}.mp3"
            path.write_bytes(broken)
            try:
                reader.read(row(path))
            except DataError as error:
                assert path.name in str(error)
    assert capfd.readouterr().err == ""


def test_a_row_that_is_longer_than_memory_should_hold_is_refused_unless_a_part_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sounds, "LONGEST", 2.0)
    soundfile.write(tmp_path / "long.wav", np.sin(np.arange(3 * 16_000) / 9), 16_000)
    with Sounds() as reader:
        with pytest.raises(DataError, match="cut it by start and end"):
            reader.read(row(tmp_path / "long.wav"))
        assert len(reader.read(row(tmp_path / "long.wav"), 1.0)) == 16_000
        assert len(reader.read(row(tmp_path / "long.wav", start=1.5))) == 24_000
        assert len(reader.read(row(tmp_path / "long.wav", end=2.0))) == 32_000
