import io
import itertools
from collections.abc import Callable

import numpy as np
import pytest
import soundfile

from mmser.audio import encode_mp3, find_twin_channels, open_recording, waveform_envelope
from mmser.errors import OutputError

Encode = Callable[..., bytes]


def test_the_envelope_follows_each_channel(encode: Encode) -> None:
    samples = np.zeros((80_000, 2))
    samples[16_000:24_000, 0] = 0.5 * np.sin(np.arange(8_000))
    samples[72_000:, 1] = 0.25 * np.sin(np.arange(8_000))
    with open_recording(encode(samples, 16_000)) as source:
        peaks = waveform_envelope(source, 10)
    assert peaks.shape == (2, 10)
    assert np.flatnonzero(peaks[0]).tolist() == [2] and np.flatnonzero(peaks[1]).tolist() == [9]
    assert peaks[0, 2] == pytest.approx(0.5, abs=1e-3)
    assert peaks[1, 9] == pytest.approx(0.25, abs=1e-3)


def test_the_envelope_does_not_depend_on_blocks_and_covers_the_part_only(encode: Encode) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(16_000 * 70)
    with open_recording(encode(noise, 16_000), start=3.0, end=68.0) as source:
        peaks = waveform_envelope(source, 7)
        samples = source.read(3.0, 68.0, 0)
    edges = np.arange(8) * len(samples) // 7
    expected = [np.abs(samples[a:b]).max() for a, b in itertools.pairwise(edges)]
    np.testing.assert_allclose(peaks[0], expected, atol=1e-6)


def test_more_bins_than_samples_leave_bins_empty(encode: Encode) -> None:
    with open_recording(encode(np.full(160, 0.5), 16_000)) as source:
        peaks = waveform_envelope(source, 1_000)
    assert np.count_nonzero(peaks) == 160 and peaks.max() == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(("channels", "width"), [(1, 1), (2, 2), (5, 2)])
def test_the_player_gets_a_small_mp3_on_the_same_clock(encode: Encode, channels: int, width: int) -> None:
    rate = 8_000
    t = np.arange(rate * 10) / rate
    burst = np.where((t > 4) & (t < 4.5), 0.5 * np.sin(2 * np.pi * 800 * t), 0.0)
    samples = np.stack(
        [burst if i % 2 == 0 else 0.3 * np.sin(2 * np.pi * 300 * t) for i in range(channels)], 1
    )
    with open_recording(encode(samples, rate)) as source:
        data = encode_mp3(source)
    decoded, decoded_rate = soundfile.read(io.BytesIO(data), always_2d=True)
    assert decoded_rate == 16_000 and decoded.shape[1] == width
    assert len(decoded) == pytest.approx(160_000, abs=2_400)
    assert len(data) < 10 * 6_000
    loud = np.flatnonzero(np.abs(decoded[:, 0]) > 0.1)
    assert loud[0] / 16_000 == pytest.approx(4.0, abs=0.08)
    assert loud[-1] / 16_000 == pytest.approx(4.5, abs=0.08)
    if width == 2:
        assert not decoded[16_000:48_000, 0].any() and np.abs(decoded[16_000:48_000, 1]).max() > 0.2


def test_a_part_alone_is_encoded(encode: Encode) -> None:
    with open_recording(encode(np.full(80_000, 0.1)), start=2.0, end=4.0) as source:
        decoded, _ = soundfile.read(io.BytesIO(encode_mp3(source)))
    assert len(decoded) == pytest.approx(32_000, abs=2_400)


def test_no_room_for_the_mp3_is_told(encode: Encode, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise soundfile.LibsndfileError(2)

    monkeypatch.setattr("mmser.audio.measure._write_mp3", full)
    sound = encode(np.zeros((1600, 1), np.float32), 16_000)
    with (
        open_recording(sound) as source,
        pytest.raises(OutputError, match=r"temporary file at .* --no-audio"),
    ):
        encode_mp3(source)


@pytest.mark.parametrize(("gain", "noise"), [(1.0, 0.0), (0.25, 0.0), (-1.0, 0.0), (1.0, 0.001)])
def test_the_same_sound_on_two_channels_is_noticed_at_any_level(
    encode: Encode, gain: float, noise: float
) -> None:
    rng = np.random.default_rng(0)
    voice = 0.1 * rng.standard_normal(16_000 * 20)
    other = gain * voice + noise * rng.standard_normal(len(voice))
    third = 0.1 * rng.standard_normal(len(voice))
    with open_recording(encode(np.stack([third, voice, other], axis=1))) as source:
        assert find_twin_channels(source) == (1, 2)


def test_crosstalk_silence_and_short_clips_are_no_twins(encode: Encode) -> None:
    rng = np.random.default_rng(0)
    first, second = 0.1 * rng.standard_normal((2, 8_000 * 20))
    leaking = np.stack([first + 0.1 * second, second + 0.1 * first], axis=1)
    silent = np.stack([first, np.zeros_like(first)], axis=1)
    offset = leaking + np.array([0.5, 0.5])
    for samples in (leaking, silent, offset, leaking[:80], leaking[:, :1]):
        with open_recording(encode(samples)) as source:
            assert find_twin_channels(source) is None
