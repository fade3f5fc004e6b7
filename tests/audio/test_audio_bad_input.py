import io
import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmser.audio import open_recording
from mmser.errors import AudioError, MmserError, UsageError

Encode = Callable[..., bytes]

FUZZ = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def with_stated_length(data: bytes, stated: int) -> bytes:
    at = data.index(b"data") + 4
    return data[:at] + struct.pack("<I", stated) + data[at + 4 :]


# --- no audio at all -----------------------------------------------------------------------------


def test_what_is_no_readable_file_is_told_in_one_sentence(tmp_path: Path) -> None:
    empty = tmp_path / "empty.wav"
    empty.touch()
    text = tmp_path / "notes.wav"
    text.write_text("not a sound\n" * 100)
    raw = tmp_path / "samples.raw"
    raw.write_bytes(bytes(range(256)) * 10)
    for path, words in [
        (tmp_path / "missing.wav", "does not exist"),
        (tmp_path, "is a folder"),
        (empty, "is empty"),
        (text, "not audio that can be read"),
        (raw, "not audio that can be read"),
        ("", "path of the recording is empty"),
        ("a\0b", "cannot be read"),
    ]:
        with pytest.raises(AudioError, match=words) as caught:
            open_recording(path)
        message = str(caught.value)
        assert "\n" not in message and (str(path) in message or "\0" in str(path))


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux's /proc")
def test_a_file_that_cannot_be_read_is_told() -> None:
    with pytest.raises(AudioError, match="/proc/self/mem cannot be read"):
        open_recording("/proc/self/mem")  # opens, but its first byte cannot be read, by root either


def test_empty_bytes_and_wrong_types_are_refused() -> None:
    with pytest.raises(AudioError, match="0 bytes"):
        open_recording(b"")
    with pytest.raises(UsageError, match="not int"):
        open_recording(3)  # type: ignore[arg-type]
    with pytest.raises(AudioError, match="cannot be read"):
        open_recording(io.StringIO("text"))  # type: ignore[arg-type]


def test_a_file_without_samples_is_refused(encode: Encode) -> None:
    for container in ("WAV", "AIFF", "AU"):
        with pytest.raises(AudioError, match="0 samples"):
            open_recording(encode(np.zeros((0, 2)), 8_000, container))


def test_a_name_that_ends_in_raw_does_not_matter(
    two_channels: np.ndarray, encode: Encode, tmp_path: Path
) -> None:
    path = tmp_path / "call.raw"
    path.write_bytes(encode(two_channels))
    with open_recording(path) as source:
        assert (source.duration, source.num_channels) == (5.0, 2)


def test_nothing_stays_open_after_an_error(tmp_path: Path, encode: Encode) -> None:
    good = tmp_path / "good.wav"
    good.write_bytes(encode(np.full(800, 0.1)))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        with pytest.raises(AudioError):
            open_recording(good, tmp_path / "missing.wav")
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


# --- headers that lie ----------------------------------------------------------------------------


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "ULAW", "ALAW"])
@pytest.mark.parametrize(
    ("stated", "warning"),
    [
        (0, "promises 0.00 s of audio but the file holds 5.00 s"),
        (4_000, "but the file holds 5.00 s"),
        (10**9, "cut off"),
        (0xFFFFFFFF, "does not state the length"),
    ],
)
def test_a_wrong_length_in_the_header_is_told_and_all_samples_used(
    two_channels: np.ndarray, encode: Encode, subtype: str, stated: int, warning: str
) -> None:
    honest = encode(two_channels, 8_000, "WAV", subtype)
    with open_recording(honest) as truth, open_recording(with_stated_length(honest, stated)) as source:
        assert source.duration == 5.0
        (message,) = source.warnings
        assert warning in message
        np.testing.assert_allclose(source.read(1, 5, 1)[:-50], truth.read(1, 5, 1)[:-50], atol=1e-6)


def test_a_wrong_length_is_repaired_in_a_file_on_disk(
    two_channels: np.ndarray, encode: Encode, tmp_path: Path
) -> None:
    path = tmp_path / "crashed.wav"
    path.write_bytes(with_stated_length(encode(two_channels), 0))
    with open_recording(path) as source:
        assert source.duration == 5.0 and str(path) in source.warnings[0]


def test_chunks_and_tags_after_the_samples_are_not_taken_for_samples(
    two_channels: np.ndarray, encode: Encode
) -> None:
    plain = encode(two_channels)
    chunk = b"LIST" + struct.pack("<I", 2_000) + bytes(2_000)
    for tail in (chunk, chunk + b"id3 " + struct.pack("<I", 701) + bytes(701), b"TAG" + bytes(125)):
        with open_recording(plain + tail) as source:
            assert source.duration == 5.0 and source.warnings == []


@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("WAV", "ULAW"),
        ("WAV", "PCM_24"),
        ("FLAC", "PCM_16"),
        ("MP3", "MPEG_LAYER_III"),
    ],
)
def test_of_a_cut_file_what_is_there_is_used(encode: Encode, container: str, subtype: str) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal((80_000, 2))
    data = encode(noise, 8_000, container, subtype)
    with open_recording(data[: len(data) // 2 + 1]) as source, open_recording(data) as whole:
        assert source.duration == pytest.approx(5.0, abs=0.6)
        assert any("cut off" in warning for warning in source.warnings)
        np.testing.assert_allclose(source.read(1, 4, 1), whole.read(1, 4, 1), atol=1e-5)


@given(stated=st.integers(0, 0xFFFFFFFF), cut=st.integers(0, 20_000))
@FUZZ
def test_whatever_the_header_states_the_length_is_that_of_the_file(
    two_channels: np.ndarray, encode: Encode, stated: int, cut: int
) -> None:
    data = with_stated_length(encode(two_channels), stated)
    data = data[: len(data) - cut]
    with open_recording(data) as source:
        present = (len(data) - 44) / 4 / 8_000
        stray = 512 / 4 / 8_000  # fewer bytes than these past the stated end are left out
        assert present - stray - 0.001 <= source.duration <= present + 0.001


@given(data=st.data())
@FUZZ
def test_damage_gives_audio_or_one_sentence(
    two_channels: np.ndarray, encode: Encode, data: st.DataObject
) -> None:
    container, subtype = data.draw(
        st.sampled_from(
            [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "GSM610"), ("FLAC", "PCM_16"), ("OGG", "OPUS")]
        )
    )
    clip = two_channels[:2_000, :1] if subtype == "GSM610" else two_channels[:2_000]
    damaged = bytearray(encode(clip, 8_000, container, subtype))
    for position, value in data.draw(
        st.lists(st.tuples(st.integers(0, 100), st.integers(0, 255)), max_size=6)
    ):
        damaged[position] = value
    cut = data.draw(st.integers(0, len(damaged)))
    try:
        with open_recording(bytes(damaged[: len(damaged) - cut // 4])) as source:
            samples = source.read(0, 0.1, source.num_channels - 1)
    except MmserError as error:
        assert str(error) and "\n" not in str(error)
    else:
        assert len(samples) == 1_600 and np.isfinite(samples).all()


# --- samples that are no sound -------------------------------------------------------------------


def test_samples_that_are_not_finite_are_counted_and_silenced(encode: Encode) -> None:
    samples = np.full((16_000, 2), 0.25, np.float32)
    samples[:8_000] = 0.2
    samples[4_000:4_003, 0] = [np.nan, np.inf, -np.inf]
    with open_recording(encode(samples, 16_000, "WAV", "FLOAT")) as source:
        assert re.search(r"holds 3 NaN, infinite", source.warnings[0])
        left = source.read(0, 1, 0)
        assert not left[4_000:4_003].any() and left[4_003] == np.float32(0.2)
    with open_recording(encode(samples, 8_000, "WAV", "FLOAT")) as source:
        assert np.isfinite(source.read(0, 2, 0)).all()


def test_a_file_of_nothing_but_nan_is_refused(encode: Encode) -> None:
    with pytest.raises(AudioError, match="no usable sample"):
        open_recording(encode(np.full(800, np.nan), 8_000, "WAV", "FLOAT"))


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT", "ULAW", "ALAW"])
def test_digital_silence_earns_a_warning(two_channels: np.ndarray, encode: Encode, subtype: str) -> None:
    with open_recording(encode(np.zeros(8_000), 8_000, "WAV", subtype)) as source:
        assert "digital silence only" in source.warnings[0]
    half = two_channels * [1, 0]
    with open_recording(encode(half, 8_000, "WAV", subtype)) as source:
        (warning,) = source.warnings
        assert warning.endswith("channel 1 (counted from 0) is digital silence")


def test_silence_is_judged_by_the_part(two_channels: np.ndarray, encode: Encode) -> None:
    data = encode(np.concatenate([np.zeros((8_000, 2)), two_channels]))
    with open_recording(data, end=1.0) as source:
        assert "digital silence only" in source.warnings[0]
    with open_recording(data) as source:
        assert source.warnings == []


@pytest.mark.parametrize(("subtype", "level"), [("PCM_16", 0.5), ("FLOAT", -0.1), ("ALAW", 0.0)])
def test_a_value_that_never_changes_is_read_as_silence(
    two_channels: np.ndarray, encode: Encode, subtype: str, level: float
) -> None:
    samples = two_channels.copy()
    samples[:, 1] = level
    with open_recording(encode(samples, 8_000, "WAV", subtype)) as source:
        assert "channel 1" in source.warnings[0] and len(source.warnings) == 1
        assert source.read(0, 5, 0).any() and not source.read(0, 5, 1).any()
        assert not any(block[1].any() for _, block in source.blocks(1.0))


def test_only_the_part_that_never_changes_is_read_as_silence(encode: Encode) -> None:
    tone = 0.5 + 0.3 * np.sin(2 * np.pi * 500 * np.arange(16_000) / 16_000)
    samples = np.concatenate([tone, np.full(16_000, 0.5), tone])
    with open_recording(encode(samples, 16_000), start=1.0, end=2.0) as part:
        assert "digital silence only" in part.warnings[0] and not part.read(1.0, 2.0, 0).any()
        np.testing.assert_allclose(part.read(2.0, 3.0, 0), tone, atol=1e-4)
        np.testing.assert_allclose(part.read(0.0, 1.0, 0), tone, atol=1e-4)


def test_a_few_equal_samples_may_be_a_piece_of_a_wave(encode: Encode) -> None:
    with open_recording(encode(np.full(80, 0.5))) as source:
        assert source.warnings == [] and source.read(0, 0.01, 0).any()
