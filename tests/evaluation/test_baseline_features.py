"""Functionals of made sounds whose values can be worked by hand, and the cache that reads clips."""

import math
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from scipy.signal import sawtooth

from mmser.data import Example
from mmser.errors import DataError
from mmser.evaluation.baseline_models import FeatureCache, feature_names
from mmser.evaluation.baseline_models.contours import CEPSTRAL, SPECTRAL, Contours, delta
from mmser.evaluation.baseline_models.features import functionals, measure

RATE = 16_000
Waveform = NDArray[np.float32]


def time_of(seconds: float) -> NDArray[np.float64]:
    return np.arange(round(seconds * RATE)) / RATE


def sine(hertz: float, seconds: float = 1.0, level: float = 0.3) -> Waveform:
    return np.asarray(level * np.sin(2 * np.pi * hertz * time_of(seconds)), np.float32)


def saw(hertz: float, seconds: float = 1.0, level: float = 0.3) -> Waveform:
    return np.asarray(level * sawtooth(2 * np.pi * hertz * time_of(seconds)), np.float32)


def noise(seconds: float = 1.0, level: float = 0.1, seed: int = 0) -> Waveform:
    samples = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return np.asarray(level * samples, np.float32)


def named(values: NDArray[np.float32]) -> dict[str, float]:
    return dict(zip(feature_names(), values.tolist(), strict=True))


def frames(count: int, **known: list[float]) -> Contours:
    """Contours that are flat but for what is given."""
    flat = {name: np.array(known.get(name, [0.0] * count)) for name in ("f0", "harmonics_db", "amplitude")}
    return Contours(
        spectral=np.zeros((count, len(SPECTRAL))),
        cepstrum=np.zeros((count, len(CEPSTRAL))),
        log_mel=np.zeros((count, 64), np.float32),
        **flat,
    )


# --- what is measured ------------------------------------------------------------------------------------


def test_every_column_has_a_name_of_its_own():
    assert len(set(feature_names())) == len(feature_names()) == len(measure(saw(150)))


@pytest.mark.parametrize("hertz", [95.0, 200.0, 337.0])
def test_pitch_of_a_saw_is_its_frequency_in_semitones_above_27_5_hz(hertz: float):
    found = named(measure(saw(hertz)))
    # 200 Hz: 12 * log2(200 / 27.5) = 34.35 semitones; a tenth of one is 0.6 %.
    assert found["f0_semitones.q50"] == pytest.approx(12 * math.log2(hertz / 27.5), abs=0.1)
    assert found["voiced_share"] > 0.95  # the last frames have no whole window
    assert found["jitter"] < 0.005


def test_noise_has_no_pitch_and_zeros_stand_for_it():
    found = named(measure(noise()))
    assert found["voiced_share"] < 0.05
    silent = named(measure(np.zeros(RATE, np.float32)))
    assert [v for name, v in silent.items() if name.startswith(("f0", "harmonics"))] == [0.0] * 14


def test_a_sine_crosses_zero_twice_a_period():
    # 440 periods a second cross 880 times.
    assert named(measure(sine(440)))["zero_crossings_per_s.mean"] == pytest.approx(880, rel=0.01)


def test_roll_off_is_where_85_percent_of_the_power_lies_below():
    # Powers 1 and 1: half lies below the upper tone. Powers 1 and 0.01: 99 % lies at the lower.
    equal = named(measure(sine(1000) + sine(3000)))
    low = named(measure(sine(1000) + sine(3000, level=0.03)))
    assert equal["rolloff_hz.q50"] == pytest.approx(3000, abs=63)  # two bins of 31.25 Hz
    assert low["rolloff_hz.q50"] == pytest.approx(1000, abs=63)


def test_centroid_and_bandwidth_of_two_equal_tones_are_their_middle_and_half_their_distance():
    found = named(measure(sine(1000) + sine(3000)))
    assert found["centroid_hz.mean"] == pytest.approx(2000, rel=0.01)
    assert found["bandwidth_hz.mean"] == pytest.approx(1000, rel=0.02)
    assert found["skewness.mean"] == pytest.approx(0, abs=0.05)
    assert found["kurtosis.mean"] == pytest.approx(1, abs=0.05)  # of two points, the least there is


def test_energy_of_a_full_sine_is_3_db_under_full_scale():
    # Mean square 1/2: 10 * log10(0.5) = -3.01 dB.
    assert named(measure(sine(500, level=1.0)))["energy_db.mean"] == pytest.approx(-3.01, abs=0.02)


def test_slope_of_the_energy_is_in_db_a_second():
    rising = sine(500) * 10 ** (time_of(1.0) - 1)  # 20 dB over the second
    assert named(measure(rising.astype(np.float32)))["energy_db.slope"] == pytest.approx(20, rel=0.02)


def test_a_flat_spectrum_is_flatter_and_a_changing_one_has_more_flux():
    tone, hiss = named(measure(sine(500))), named(measure(noise()))
    assert hiss["flatness_db.mean"] > tone["flatness_db.mean"] + 20
    steps = np.concatenate([sine(500 + 400 * (n % 2), 0.05) for n in range(20)])
    assert named(measure(steps))["flux.mean"] > 10 * tone["flux.mean"]


def test_harmonics_stand_out_less_under_noise():
    clean, rough = named(measure(saw(150))), named(measure(saw(150) + noise(level=0.05)))
    assert clean["harmonics_db.mean"] > rough["harmonics_db.mean"] + 5


def test_jitter_is_the_change_of_the_period_as_a_share_of_it():
    # Periods of 10 and 9.0909 ms change by 0.90909 ms, of a mean of 9.5455 ms: 0.09524. The last voiced frame
    # has no voiced neighbour.
    found = named(functionals(frames(4, f0=[100.0, 110.0, 0.0, 100.0])))
    assert found["jitter"] == pytest.approx(0.09524, abs=1e-5)
    octave = named(functionals(frames(2, f0=[100.0, 200.0])))
    assert octave["jitter"] == 0  # an error of the pitch, no jitter


def test_shimmer_is_the_change_of_the_amplitude_as_a_share_of_it():
    # 0.5 and 0.4 change by 0.1, of a mean of 0.45: 0.2222; the third frame has no voice.
    made = frames(3, f0=[100.0, 100.0, 0.0], amplitude=[0.5, 0.4, 0.1])
    assert named(functionals(made))["shimmer"] == pytest.approx(0.2222, abs=1e-4)


def test_a_pause_lies_between_two_stretches_of_speech_and_not_at_the_ends():
    still = np.zeros(round(0.4 * RATE), np.float32)
    found = named(measure(np.concatenate([still, saw(150, 0.5), still, saw(150, 0.5), still])))
    assert found["pauses"] == 1
    assert found["pause_s"] == pytest.approx(0.4, abs=0.03)
    assert found["speech_share"] == pytest.approx(1.0 / 2.2, abs=0.03)
    assert found["voiced_parts_per_s"] == pytest.approx(2 / 2.2, rel=0.02)


def test_peaks_of_the_energy_are_counted_for_each_second_of_speech():
    # Six bumps in 1.2 s, all of it within 30 dB of the loudest.
    bumps = sine(300, 1.2) * (0.55 - 0.45 * np.cos(2 * np.pi * 5 * time_of(1.2)))
    assert named(measure(bumps.astype(np.float32)))["peaks_per_s"] == pytest.approx(5, rel=0.05)


def test_silence_around_the_speech_changes_no_statistic_of_the_spectrum():
    still = np.zeros(RATE // 2, np.float32)
    alone, within = named(measure(saw(150))), named(measure(np.concatenate([still, saw(150), still])))
    for name in ("centroid_hz.q50", "mfcc_1.q50", "energy_db.q50", "flatness_db.q50", "f0_semitones.q50"):
        assert within[name] == pytest.approx(alone[name], rel=0.02)


def test_twice_the_level_moves_the_energy_by_6_db_and_no_cepstrum():
    quiet, loud = (named(measure(saw(150, level=level) + noise(level=level / 10))) for level in (0.2, 0.4))
    assert loud["energy_db.mean"] - quiet["energy_db.mean"] == pytest.approx(6.02, abs=0.02)
    for name in CEPSTRAL:
        assert loud[f"{name}.mean"] == pytest.approx(quiet[f"{name}.mean"], abs=0.01)


def test_the_slope_over_five_frames_of_a_line_is_its_slope():
    line = 3.0 * np.arange(9.0)[:, None]
    assert delta(line)[2:-2] == pytest.approx(np.full((5, 1), 3.0))


@pytest.mark.parametrize(
    "waveform",
    [
        np.zeros(RATE, np.float32),
        np.full(RATE, 0.5, np.float32),
        np.sign(sine(150)),
        np.ones(1, np.float32),
        np.full(3, 1e-30, np.float32),
        saw(150, 0.1),
        noise(0.1),
        noise(0.025),
        noise(level=1e6),
        sine(100, level=1e-12),
    ],
    ids=[
        "silent",
        "constant",
        "clipped",
        "1 sample",
        "3 samples",
        "0.1 s",
        "hiss",
        "1 frame",
        "huge",
        "tiny",
    ],
)
def test_all_numbers_are_finite_and_nothing_is_warned_of(waveform: Waveform):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(measure(waveform)).all()


# --- reading clips ---------------------------------------------------------------------------------------


def example(path: Path | None, **options: object) -> Example:
    return Example(corpus="made", id="one", split=None, emotions=(), audio=path, **options)  # type: ignore[arg-type]


def write(path: Path, *channels: Waveform) -> Path:
    soundfile.write(path, np.stack(channels, 1), RATE, subtype="FLOAT")
    return path


def test_a_part_and_a_channel_are_heard_alone(tmp_path: Path):
    left = np.concatenate([saw(100), saw(200)])
    path = write(tmp_path / "two.wav", left, noise(2.0))
    cache = FeatureCache()
    part = cache.functionals([example(path, start=1.0, end=2.0, channel=0)])[0]
    assert part == pytest.approx(measure(saw(200)), rel=1e-3, abs=1e-3)
    mixed = cache.functionals([example(path)])[0]
    assert mixed == pytest.approx(measure((left + noise(2.0)) / 2), rel=1e-3, abs=1e-3)


def test_a_clip_is_read_once(tmp_path: Path):
    path = write(tmp_path / "a.wav", saw(150))
    cache, said = FeatureCache(), []
    first = cache.functionals([example(path)] * 2, progress=lambda *told: said.append(told))
    path.unlink()
    assert (cache.functionals([example(path)])[0] == first[0]).all() and (first[0] == first[1]).all()
    assert said == [("listening", 1, 1)]


def test_frames_come_every_20_ms_without_the_silence_around_them(tmp_path: Path):
    still = np.zeros(RATE, np.float32)
    path = write(tmp_path / "a.wav", np.concatenate([still, saw(150), still]))
    (frames,) = FeatureCache().log_mels([example(path)])
    assert frames.shape[1] == 64 and 50 <= len(frames) <= 53
    (silent,) = FeatureCache().log_mels([example(write(tmp_path / "b.wav", still))])
    assert len(silent) == 49  # 98 whole frames of 10 ms; nothing is cut off


def test_of_a_long_clip_20_seconds_are_heard(tmp_path: Path):
    path = write(tmp_path / "long.wav", np.concatenate([saw(150, 20.0), noise(5.0)]))
    assert FeatureCache().functionals([example(path)])[0] == pytest.approx(
        measure(saw(150, 20.0)), rel=1e-3, abs=1e-3
    )


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"channel": 1}, "channel 1 does not exist"),
        ({"start": 3.0}, "it would begin at 3 s of 1 s"),
        ({"start": 0.5, "end": 0.5}, "lasts no time"),
    ],
)
def test_a_part_that_is_not_there_names_the_clip(tmp_path: Path, options: dict[str, float], says: str):
    path = write(tmp_path / "a.wav", saw(150))
    with pytest.raises(DataError, match=f"made/one .*{says}"):
        FeatureCache().listen([example(path), example(path, **options)])


def test_a_clip_that_cannot_be_read_is_named(tmp_path: Path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF no sound")
    for path in (tmp_path / "broken.wav", tmp_path / "absent.wav", None):
        with pytest.raises(DataError, match="made/one cannot be used"):
            FeatureCache().functionals([example(path)])
