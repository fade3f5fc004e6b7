import io
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmser.audio import open_recording
from mmser.errors import UsageError

Encode = Callable[..., bytes]

# container, encoding, largest difference from the samples that were written
FORMATS = [
    ("WAV", "PCM_U8", 2e-2),
    ("WAV", "PCM_16", 4e-5),
    ("WAV", "PCM_24", 2e-6),
    ("WAV", "PCM_32", 2e-6),
    ("WAV", "FLOAT", 2e-6),
    ("WAV", "DOUBLE", 2e-6),
    ("WAV", "ULAW", 2e-2),
    ("WAV", "ALAW", 2e-2),
    ("WAVEX", "PCM_16", 4e-5),
    ("RF64", "PCM_16", 4e-5),
    ("W64", "PCM_16", 4e-5),
    ("AIFF", "PCM_16", 4e-5),
    ("AU", "ULAW", 2e-2),
    ("FLAC", "PCM_16", 4e-5),
    ("FLAC", "PCM_24", 2e-6),
    ("OGG", "VORBIS", 0.1),
    ("OGG", "OPUS", 0.1),
    ("MP3", "MPEG_LAYER_III", 0.1),
]


@pytest.mark.parametrize(("container", "subtype", "tolerance"), FORMATS)
def test_every_encoding_is_read_with_its_channels_apart(
    two_channels: np.ndarray, encode: Encode, container: str, subtype: str, tolerance: float
) -> None:
    with open_recording(encode(two_channels, 8_000, container, subtype)) as source:
        assert (source.recording.sampling_rate, source.num_channels) == (8_000, 2)
        assert source.duration == pytest.approx(5.0, abs=0.001)
        assert source.warnings == []
        for channel in (0, 1):
            samples = source.read(0.5, 4.5, channel)
            expected = soxr.resample(two_channels[:, channel], 8_000, 16_000)[8_000:72_000]
            assert samples.dtype == np.float32 and len(samples) == 64_000
            assert np.sqrt(np.mean(np.square(samples - expected))) < tolerance / 2
            assert np.corrcoef(samples, expected)[0, 1] > 0.97


def test_gsm_is_read_by_seconds_though_libsndfile_cannot_seek_in_it(
    two_channels: np.ndarray, encode: Encode
) -> None:
    left = two_channels[:, 0]
    with open_recording(encode(left, 8_000, "WAV", "GSM610")) as source:
        late, early = source.read(3.0, 4.0, 0), source.read(1.0, 2.0, 0)
    expected = soxr.resample(left, 8_000, 16_000)
    assert np.corrcoef(late, expected[48_000:64_000])[0, 1] > 0.9
    assert np.corrcoef(early, expected[16_000:32_000])[0, 1] > 0.9


def test_path_bytes_and_file_object_give_the_same(
    two_channels: np.ndarray, encode: Encode, tmp_path: Path
) -> None:
    data = encode(two_channels)
    path = tmp_path / "a call.wav"
    path.write_bytes(data)
    readings, digests = [], set()
    with path.open("rb") as handle:
        handle.seek(100)  # wherever the caller left it
        for given_source in (path, str(path), data, io.BytesIO(data), handle):
            with open_recording(given_source) as source:
                readings.append(source.read(1.0, 2.0, 1))
                digests.add(source.recording.sha256)
    assert len(digests) == 1
    for reading in readings[1:]:
        np.testing.assert_array_equal(reading, readings[0])


def test_the_record_names_file_and_digest(two_channels: np.ndarray, encode: Encode, tmp_path: Path) -> None:
    import hashlib

    path = tmp_path / "call 7.flac"
    path.write_bytes(encode(two_channels, 8_000, "FLAC"))
    with open_recording(path) as source:
        record = source.recording
    assert (record.id, record.path, record.duration) == ("call 7", str(path), 5.0)
    assert record.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    with open_recording(path.read_bytes()) as source:
        assert source.recording.path is None and source.recording.id == record.sha256[:12]


def test_a_stream_that_cannot_seek_is_read(two_channels: np.ndarray, encode: Encode) -> None:
    reader, writer = os.pipe()
    data = encode(two_channels[:4_000])
    code = "import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))"
    with os.fdopen(writer, "wb") as out, os.fdopen(reader, "rb") as stream:
        subprocess.run([sys.executable, "-c", code], input=data.hex().encode(), stdout=out, check=True)
        out.close()
        with open_recording(stream) as source:
            assert source.duration == pytest.approx(0.5)


# --- resampling and slices -----------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_056, 44_100, 48_000, 96_000, 192_000])
def test_resampling_keeps_frequency_phase_and_level(encode: Encode, rate: int) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 1_000 * np.arange(rate * 2) / rate)
    with open_recording(encode(tone, rate, "WAV", "FLOAT")) as source:
        samples = source.read(0.5, 1.5, 0)
    expected = 0.5 * np.sin(2 * np.pi * 1_000 * (np.arange(16_000) / 16_000 + 0.5))
    np.testing.assert_allclose(samples, expected, atol=1e-4)


@pytest.mark.parametrize("rate", [22_050, 48_000])
def test_what_lies_above_the_band_does_not_fold_back(encode: Encode, rate: int) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 9_500 * np.arange(rate * 2) / rate)
    with open_recording(encode(tone, rate, "WAV", "FLOAT")) as source:
        assert np.abs(source.read(0.5, 1.5, 0)).max() < 1e-3


@given(
    rate=st.sampled_from([8_000, 11_025, 16_000, 44_100]),
    start=st.floats(0, 4.9),
    length=st.floats(0, 2),
    container=st.sampled_from(
        [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")]
    ),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_slice_equals_the_same_stretch_of_the_whole(
    two_channels: np.ndarray,
    encode: Encode,
    rate: int,
    start: float,
    length: float,
    container: tuple[str, str],
) -> None:
    end = min(start + length, 5.0)
    samples = soxr.resample(two_channels, 8_000, rate)
    with open_recording(encode(samples, rate, *container)) as source:
        cut = source.read(start, end, 1)
        whole = np.concatenate([block for _, block in source.blocks(0.7)], axis=1)
        again = source.read(start, end, 1)
    first = round(start * 16_000)
    assert len(cut) == round((end - start) * 16_000)
    np.testing.assert_array_equal(cut, again)
    inside = min(len(cut), whole.shape[1] - first)
    np.testing.assert_allclose(cut[:inside], whole[1, first : first + inside], atol=2e-6)


def test_blocks_have_their_length_and_start_and_no_seams(two_channels: np.ndarray, encode: Encode) -> None:
    with open_recording(encode(two_channels, 8_000)) as source:
        blocks = list(source.blocks(1.5))
        whole = source.read(0, 5, 0)
    assert [(start, block.shape) for start, block in blocks] == [
        (0.0, (2, 24_000)),
        (1.5, (2, 24_000)),
        (3.0, (2, 24_000)),
        (4.5, (2, 8_000)),
    ]
    np.testing.assert_allclose(np.concatenate([b[0] for _, b in blocks]), whole, atol=1e-6)


def test_blocks_stay_right_while_slices_are_read_between(two_channels: np.ndarray, encode: Encode) -> None:
    with open_recording(encode(two_channels, 44_100)) as source:
        expected = [block for _, block in source.blocks(0.2)]
        disturbed = []
        for _, block in source.blocks(0.2):
            disturbed.append(block)
            source.read(0.1, 0.3, 1)
    for ours, theirs in zip(disturbed, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_beyond_the_end_there_is_silence(encode: Encode) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 1_000 * np.arange(8_000) / 8_000)
    with open_recording(encode(tone)) as source:
        samples = source.read(0.5, 2.0, 0)
    assert len(samples) == 24_000 and samples[:7_000].max() > 0.4 and not samples[8_100:].any()


@pytest.mark.parametrize(("start", "end"), [(2.0, 1.0), (-1.0, 1.0), (math.nan, 1.0), (0.0, math.inf)])
def test_slices_that_cannot_be_are_refused(encode: Encode, start: float, end: float) -> None:
    with open_recording(encode(np.full(8_000, 0.5))) as source, pytest.raises(UsageError):
        source.read(start, end, 0)


def test_a_channel_that_is_not_there_is_refused(encode: Encode) -> None:
    with open_recording(encode(np.full(8_000, 0.5))) as source, pytest.raises(UsageError, match="channel 1"):
        source.read(0, 1, 1)


# --- several files, parts ------------------------------------------------------------------------


def test_two_mono_files_make_one_recording(two_channels: np.ndarray, encode: Encode, tmp_path: Path) -> None:
    paths = [tmp_path / "agent.wav", tmp_path / "customer.wav"]
    for path, channel in zip(paths, (0, 1), strict=True):
        path.write_bytes(encode(two_channels[:, channel]))
    with open_recording(*paths) as apart, open_recording(encode(two_channels)) as together:
        assert apart.num_channels == 2 and apart.warnings == []
        assert apart.recording.id == "agent+customer"
        assert apart.recording.path == f"{paths[0]} + {paths[1]}"
        for channel in (0, 1):
            np.testing.assert_array_equal(apart.read(1, 2, channel), together.read(1, 2, channel))
        for (_, one), (_, other) in zip(apart.blocks(2), together.blocks(2), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)


def test_files_of_different_rate_and_length_share_the_clock(encode: Encode) -> None:
    tone = [
        0.5 * np.sin(2 * np.pi * 440 * np.arange(rate * n) / rate) for rate, n in ((8_000, 4), (48_000, 2))
    ]
    with open_recording(encode(tone[0], 8_000), encode(tone[1], 48_000)) as source:
        assert source.duration == 4.0
        np.testing.assert_allclose(source.read(1, 1.5, 0), source.read(1, 1.5, 1), atol=1e-3)
        assert not source.read(2.5, 4.0, 1).any()
        assert len(source.warnings) == 2
        assert "differ in length" in source.warnings[0] and "8000, 48000 Hz" in source.warnings[1]


def test_a_stereo_file_among_several_is_refused(two_channels: np.ndarray, encode: Encode) -> None:
    with pytest.raises(UsageError, match="2 channels"):
        open_recording(encode(two_channels), encode(two_channels[:, 0]))


def test_no_source_is_refused() -> None:
    with pytest.raises(UsageError, match="no recording"):
        open_recording()


def test_a_part_keeps_the_clock_of_the_whole(two_channels: np.ndarray, encode: Encode) -> None:
    data = encode(two_channels)
    with open_recording(data) as whole, open_recording(data, start=1.25, end=3.0) as part:
        assert (part.duration, part.recording.duration) == (1.75, 5.0)
        np.testing.assert_array_equal(part.read(2, 2.5, 0), whole.read(2, 2.5, 0))
        blocks = list(part.blocks(1.0))
        assert [start for start, _ in blocks] == [1.25, 2.25]
        joined = np.concatenate([block[0] for _, block in blocks])
        np.testing.assert_allclose(joined, whole.read(1.25, 3.0, 0), atol=1e-6)


@pytest.mark.parametrize(
    ("start", "end"), [(3.0, 2.0), (-1.0, None), (5.0, None), (0.0, 5.1), (math.nan, None), (1.0, 1.0)]
)
def test_a_part_outside_or_reversed_is_refused(encode: Encode, start: float, end: float | None) -> None:
    with pytest.raises(UsageError, match=r"recording of 5\.000 s"):
        open_recording(encode(np.full(40_000, 0.1)), start=start, end=end)


# --- extremes ------------------------------------------------------------------------------------


def test_ten_milliseconds_and_seven_channels_work(encode: Encode) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal((80, 7))
    with open_recording(encode(noise)) as source:
        assert source.num_channels == 7 and source.duration == 0.01
        ((_, block),) = source.blocks()
        assert block.shape == (7, 160)
        assert source.read(0, 0.01, 6).shape == (160,)


def test_reading_by_seconds_needs_little_memory(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "ten minutes.wav"
    minute = (0.1 * np.random.default_rng(0).standard_normal((16_000 * 60, 2))).astype(np.float32)
    with soundfile.SoundFile(path, "w", 16_000, 2, "PCM_16") as out:
        for _ in range(10):
            out.write(minute)
    tracemalloc.start()
    with open_recording(path) as source:
        assert sum(block.shape[1] for _, block in source.blocks()) == 16_000 * 600
        source.read(599, 600, 1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 25e6  # the whole would be 77 MB


@pytest.mark.slow
def test_ten_hours_of_stereo_stay_under_one_gigabyte(tmp_path: Path, encode: Encode) -> None:
    """A sparse WAV of ten hours at 8 kHz, walked whole in a process of its own."""
    path = tmp_path / "long.wav"
    num_bytes = 10 * 3_600 * 8_000 * 4
    head = encode(np.full((800, 2), 0.1))
    with path.open("wb") as out:
        out.write(head[:4] + (num_bytes + 36).to_bytes(4, "little"))
        out.write(head[8:40] + num_bytes.to_bytes(4, "little") + head[44:])
        out.truncate(num_bytes + 44)
    code = (
        "import re, sys\nfrom mmser.audio import open_recording, waveform_envelope\n"
        "with open_recording(sys.argv[1]) as source:\n"
        "    assert source.duration == 36000, source.duration\n"
        "    assert source.read(35999, 36000, 1).shape == (16000,)\n"
        "    assert waveform_envelope(source, 1000).shape == (2, 1000)\n"
        # What getrusage tells counts what the parent had before this program began.
        "print(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1])"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < 1e9


# --- real files ----------------------------------------------------------------------------------


@pytest.mark.data
def test_a_real_mulaw_file_is_read(data_dir: Path) -> None:
    with open_recording(data_dir / "calls" / "mulaw_8k.wav") as source:
        samples = source.read(0, source.duration, 0)
        assert source.num_channels == 1 and source.warnings == []
        assert 0.01 < np.abs(samples).max() <= 1 and len(samples) == round(source.duration * 16_000)


@pytest.mark.data
def test_two_files_of_a_real_call_are_one_recording(data_dir: Path) -> None:
    folder = data_dir / "calls" / "aws_lca"
    with open_recording(*sorted(folder.glob("*.wav"))) as source:
        assert source.num_channels == 2
        assert source.duration == pytest.approx(245.4, abs=0.1)
        assert source.warnings == []
        assert all(np.abs(block).max() > 0 for _, block in source.blocks(60))
