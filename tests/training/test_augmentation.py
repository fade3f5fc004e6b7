"""Augmentation: what each change does to a waveform, and that one call sounds like one call."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from pydantic import ValidationError

from mmser.errors import MmserError
from mmser.training.augmentation import AugmentConfig, Augmenter, blank, mix_waveforms

NOTHING: dict[str, Any] = dict.fromkeys(("speed", "room", "noise", "telephone", "spec_augment"), 0.0)
NOTHING["gain_range"] = (0.0, 0.0)


def tone(hertz: float = 200.0, seconds: float = 1.0, level: float = 0.3) -> np.ndarray:
    times = np.arange(round(16_000 * seconds)) / 16_000
    return (level * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


def rms(waveform: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_blanks_take_out_a_little_and_leave_no_digital_silence():
    wave = rng().standard_normal(16_000).astype(np.float32) * 0.1
    changed = []
    for seed in range(30):
        blanked = blank(wave, np.random.default_rng(seed))
        assert blanked.shape == wave.shape and blanked.dtype == np.float32
        assert np.count_nonzero(blanked) > 0.999 * len(wave)
        changed.append(rms(blanked) / rms(wave))
    assert 0.7 < min(changed) < 0.95 < max(changed) <= 1.01


def test_a_mixture_has_the_length_and_level_of_the_first():
    loud, quiet = tone(200, 0.5), tone(330, 0.2, 0.01)
    assert np.allclose(mix_waveforms((loud, quiet), 1.0), loud)
    mixed = mix_waveforms((loud, quiet), 0.5)
    assert len(mixed) == len(loud)
    spectrum = np.abs(np.fft.rfft(mixed))
    assert spectrum[165] > 0.3 * spectrum[100]


def test_nothing_happens_where_nothing_is_asked_for():
    augmenter = Augmenter(AugmentConfig(**NOTHING))
    assert np.array_equal(augmenter(tone(), augmenter.scene(rng()), rng()), tone())


@pytest.mark.parametrize("kind", ["speed", "room", "noise", "telephone", "spec_augment"])
def test_each_kind_alone_changes_the_sound_and_the_same_draws_give_the_same(kind: str):
    augmenter = Augmenter(AugmentConfig(**(NOTHING | {kind: 1.0})))
    once, again = (augmenter(tone(), augmenter.scene(rng()), np.random.default_rng(1)) for _ in range(2))
    assert np.array_equal(once, again) and once.dtype == np.float32 and np.isfinite(once).all()
    assert len(once) != len(tone()) or not np.allclose(once, tone(), atol=1e-3)


def test_the_turns_of_a_call_share_voice_line_and_level():
    augmenter = Augmenter(AugmentConfig(**(NOTHING | {"speed": 1.0, "gain_range": (-12.0, 6.0)})))
    for seed in range(5):
        scene = augmenter.scene(np.random.default_rng(seed))
        first, second = (augmenter(tone(), scene, np.random.default_rng(turn)) for turn in (1, 2))
        assert np.array_equal(first, second)


def test_rooms_and_noises_are_read_from_folders(tmp_path: Path):
    soundfile.write(tmp_path / "hum.wav", tone(50)[::2], 8000)
    augmenter = Augmenter(AugmentConfig(**(NOTHING | {"noise": 1.0, "noise_folder": tmp_path})))
    added = augmenter(tone(1000), augmenter.scene(rng()), rng()) - tone(1000)
    assert np.argmax(np.abs(np.fft.rfft(added))) == pytest.approx(50, abs=2)
    for missing in (tmp_path / "nowhere", Path(__file__).parent):
        with pytest.raises(MmserError, match=r"is not there; give a folder|holds no WAV or FLAC files"):
            Augmenter(AugmentConfig(room_folder=missing))


@pytest.mark.parametrize("samples", [None, [], [0.0] * 100, [math.nan] * 100])
def test_a_room_that_cannot_be_heard_is_named(samples: list[float] | None, tmp_path: Path):
    if samples is None:
        (tmp_path / "room.wav").write_bytes(b"RIFF nothing")
    else:
        soundfile.write(tmp_path / "room.wav", np.array(samples), 16_000, "FLOAT")
    with pytest.raises(MmserError, match=r"room\.wav .*; take it out"):
        Augmenter(AugmentConfig(room_folder=tmp_path))


@pytest.mark.parametrize(
    "wrong",
    [
        {"speed": 1.5},
        {"speed_range": (1.2, 0.8)},
        {"speed_range": (0, 1)},
        {"snr_range": (-1e6, 0)},
        {"gain_range": (0, 1e5)},
        {"sped": 1},
    ],
)
def test_an_augmentation_that_cannot_be_is_refused(wrong: dict[str, Any]):
    with pytest.raises(ValidationError):
        AugmentConfig(**wrong)
