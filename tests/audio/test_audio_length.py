"""Files whose header and bytes disagree about their length, and files that are cut off."""

import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmser.audio import open_recording

Encode = Callable[..., bytes]


def with_wav_lengths(data: bytes, stated: int, *, fact: int | None = None, riff: int | None = None) -> bytes:
    """Change what a WAV file says of its samples in bytes, of its frames, and of itself."""
    changed = bytearray(data)
    struct.pack_into("<I", changed, data.index(b"data") + 4, stated)
    if fact is not None:
        struct.pack_into("<I", changed, data.index(b"fact") + 8, fact)
    if riff is not None:
        struct.pack_into("<I", changed, 4, riff)
    return bytes(changed)


def with_rf64_length(data: bytes, stated: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into("<Q", changed, data.index(b"ds64") + 16, stated)
    return bytes(changed)


def cut(data: bytes, share: float = 0.6) -> bytes:
    return data[: int(len(data) * share)]


# --- headers that promise too little ---------------------------------------------------------------


@pytest.mark.parametrize("subtype", ["GSM610", "IMA_ADPCM", "MS_ADPCM", "G721_32"])
@pytest.mark.parametrize(
    ("stated", "warning"),
    [(1_300, "all of it is used"), (0, "all of it is used"), (0xFFFFFFFF, "does not state the length")],
)
def test_all_of_a_compressed_wav_is_used_whatever_its_header_promises(
    two_channels: np.ndarray, encode: Encode, subtype: str, stated: int, warning: str
) -> None:
    honest = encode(two_channels[:, 0], 8_000, "WAV", subtype)
    lying = with_wav_lengths(honest, stated, fact=0, riff=stated)
    with open_recording(honest) as truth, open_recording(lying) as source:
        assert source.duration == truth.duration >= 5.0
        (message,) = source.warnings
        assert warning in message
        np.testing.assert_array_equal(source.read(0, 5, 0), truth.read(0, 5, 0))


def test_a_crashed_gsm_recording_on_disk_is_used_and_left_as_it_was(
    two_channels: np.ndarray, encode: Encode, tmp_path: Path
) -> None:
    path = tmp_path / "crashed.wav"
    honest = encode(two_channels[:, 0], 8_000, "WAV", "GSM610")
    lying = with_wav_lengths(honest, 0)
    path.write_bytes(lying)
    with open_recording(honest) as truth, open_recording(path) as source:
        assert source.duration == truth.duration
    assert path.read_bytes() == lying


def test_samples_beyond_what_a_wav_header_can_state_are_used(
    two_channels: np.ndarray, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmser.audio.wav.MAX_LENGTH", 1_000)  # instead of a file of 4 GiB
    honest = encode(two_channels)
    with open_recording(honest) as truth, open_recording(with_wav_lengths(honest, 900)) as source:
        assert source.duration == 5.0
        np.testing.assert_array_equal(source.read(0, 5, 1), truth.read(0, 5, 1))


@pytest.mark.parametrize(
    ("stated", "warning"),
    [
        (0, "promises 0.00 s of audio but the file holds 5.00 s"),
        (4_000, "but the file holds 5.00 s"),
        (10**12, "cut off"),
        (2**64 - 1, "does not state the length"),
    ],
)
def test_a_wrong_length_in_rf64_is_told_and_all_samples_used(
    two_channels: np.ndarray, encode: Encode, stated: int, warning: str
) -> None:
    honest = encode(two_channels, 8_000, "RF64")
    with open_recording(honest) as truth, open_recording(with_rf64_length(honest, stated)) as source:
        assert source.duration == 5.0 and truth.warnings == []
        (message,) = source.warnings
        assert warning in message
        np.testing.assert_array_equal(source.read(0, 5, 1), truth.read(0, 5, 1))


# --- files that end before their time ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("RF64", "PCM_16"),
        ("W64", "PCM_16"),
        ("AIFF", "PCM_16"),
        ("AU", "ULAW"),
    ],
)
def test_a_cut_file_is_used_and_told(
    two_channels: np.ndarray, encode: Encode, container: str, subtype: str
) -> None:
    whole = encode(two_channels, 8_000, container, subtype)
    with open_recording(whole) as source:
        assert source.warnings == []
    with open_recording(cut(whole)) as source:
        assert 1.0 < source.duration < 4.0
        (message,) = source.warnings
        assert "cut off" in message


def test_an_ogg_file_cut_between_pages_or_followed_by_a_tag_is_told_apart(encode: Encode) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal((80_000, 2))
    whole = encode(noise, 8_000, "OGG", "VORBIS")
    with open_recording(whole[: whole.rindex(b"OggS")]) as source:
        assert any("no end mark" in warning for warning in source.warnings)
    with open_recording(whole + b"TAG" + bytes(125)) as source:
        assert source.warnings == []


@pytest.mark.parametrize(("container", "stated_at"), [("AU", 8), ("W64", 16)])
def test_a_length_that_is_left_open_is_no_cut(
    two_channels: np.ndarray, encode: Encode, container: str, stated_at: int
) -> None:
    data = bytearray(encode(two_channels, 8_000, container))
    width = 4 if container == "AU" else 8
    data[stated_at : stated_at + width] = b"\xff" * width
    with open_recording(bytes(data)) as source:
        assert source.duration == 5.0 and source.warnings == []


def by_pyav(path: Path, container: str, codec: str, **options: str) -> bytes:
    """Encode four seconds of noise; on disk, since the encoder may have to move what it wrote."""
    av = pytest.importorskip("av")
    noise = (0.1 * np.random.default_rng(0).standard_normal((1, 64_000))).astype(np.float32)
    with av.open(str(path), "w", format=container, options=options) as out:
        stream = out.add_stream(codec, rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(noise, "fltp", layout="mono")
        frame.sample_rate = 16_000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            out.mux(packet)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("container", "codec", "options"),
    [
        ("webm", "libopus", {}),
        ("matroska", "aac", {}),
        ("mp4", "aac", {"movflags": "faststart"}),
        ("mp4", "aac", {"movflags": "empty_moov+default_base_moof", "frag_duration": "500000"}),
    ],
)
def test_a_cut_stream_is_used_and_told(
    tmp_path: Path, container: str, codec: str, options: dict[str, str]
) -> None:
    whole = by_pyav(tmp_path / "whole", container, codec, **options)
    with open_recording(whole) as source:
        assert source.warnings == [] and source.duration == pytest.approx(4.0, abs=0.1)
    with open_recording(cut(whole)) as source:
        assert 1.5 < source.duration < 3.0
        (message,) = source.warnings
        assert "cut off" in message or "damaged" in message


def test_a_stream_whose_length_is_left_open_is_no_cut(tmp_path: Path) -> None:
    with open_recording(by_pyav(tmp_path / "live", "webm", "libopus", live="1")) as source:
        assert source.warnings == [] and source.duration == pytest.approx(4.0, abs=0.1)


def test_a_stream_shorter_than_stated_is_told_though_no_byte_is_missing(tmp_path: Path) -> None:
    whole = by_pyav(tmp_path / "whole", "webm", "libopus")
    emptied = cut(whole) + bytes(len(whole) - len(cut(whole)))  # a download that stopped in a file made whole
    with open_recording(emptied) as source:
        assert source.duration < 3.0
        (message,) = source.warnings
        assert re.search(r"s of (3\.9|4\.0)", message)


def test_mp3_within_wav_is_read_by_seconds(tmp_path: Path) -> None:
    data = by_pyav(tmp_path / "whole", "wav", "libmp3lame")
    with open_recording(data) as source:
        whole = source.read(0, 4, 0)
        np.testing.assert_allclose(source.read(1, 2, 0), whole[16_000:32_000], atol=2e-6)
    with open_recording(with_wav_lengths(data, 2_000)) as source:
        assert source.duration >= 4.0 and "all of it is used" in source.warnings[0]
