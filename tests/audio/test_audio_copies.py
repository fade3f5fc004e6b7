"""Files that are decoded into a temporary copy first: other codecs, MP3, room for the copy."""

import io
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from mmser.audio import open_recording
from mmser.errors import AudioError, MissingExtraError

Encode = Callable[..., bytes]


# --- other codecs --------------------------------------------------------------------------------


def m4a(samples: np.ndarray, rate: int, container: str = "mp4", codec: str = "aac") -> bytes:
    av = pytest.importorskip("av")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono" if samples.shape[1] == 1 else "stereo")
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples.T.astype(np.float32)), "fltp", layout=stream.layout.name
        )
        frame.sample_rate = rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            out.mux(packet)
    return buffer.getvalue()


@pytest.mark.parametrize(("container", "codec"), [("mp4", "aac"), ("matroska", "aac"), ("webm", "libopus")])
def test_other_containers_are_decoded_on_the_clock(
    two_channels: np.ndarray, encode: Encode, container: str, codec: str
) -> None:
    import soxr

    rate = 48_000
    samples = soxr.resample(two_channels, 8_000, rate)
    with (
        open_recording(m4a(samples, rate, container, codec)) as source,
        open_recording(encode(samples, rate)) as truth,
    ):
        assert source.num_channels == 2 and source.duration == pytest.approx(5.0, abs=0.1)
        assert source.recording.sampling_rate == rate
        for channel in (0, 1):
            theirs = truth.read(1, 4, channel)
            # PyAV's muxer leaves the AAC encoder's delay (21 ms) unmarked in mp4, unlike ffmpeg's own
            delays = (0.0, 1024 / rate) if container == "mp4" else (0.0,)
            likeness = [np.corrcoef(source.read(1 + d, 4 + d, channel), theirs)[0, 1] for d in delays]
            assert max(likeness) > 0.95


def test_of_a_cut_stream_what_is_there_is_used(two_channels: np.ndarray) -> None:
    import soxr

    data = m4a(soxr.resample(two_channels, 8_000, 48_000), 48_000, "matroska", "aac")
    with open_recording(data[: len(data) // 2]) as source:
        assert 1.5 < source.duration < 3.5


def test_temporary_copies_are_deleted(
    two_channels: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = m4a(two_channels, 8_000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with open_recording(data) as source:
        assert len(list(tmp_path.iterdir())) == 1 and source.duration > 4
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_the_message_names_it(
    two_channels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = m4a(two_channels, 8_000)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mmser\[codecs\]'"):
        open_recording(data)


# --- what libraries write by themselves ----------------------------------------------------------


@pytest.fixture(scope="module")
def mp3(encode: Encode) -> bytes:
    """An MP3 file of which libmpg123 has much to say on stderr: it is cut off."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(80_000)
    data = encode(noise, 8_000, "MP3", "MPEG_LAYER_III")
    return data[: len(data) * 6 // 10]


def test_mp3_is_decoded_without_a_word_on_stderr(mp3: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with open_recording(mp3) as source:
        assert "cut off" in source.warnings[0]
    with pytest.raises(AudioError, match="not audio that can be read"):
        open_recording(mp3[:100])
    print("still heard", file=sys.stderr)
    assert capfd.readouterr().err == "still heard\n"


def test_what_another_thread_writes_while_mp3_is_decoded_is_passed_on(
    mp3: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    done, lines = threading.Event(), []

    def talk() -> None:
        while not done.wait(0.0003):
            lines.append(f"line {len(lines)}\n")
            os.write(2, lines[-1].encode())

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        with open_recording(mp3) as source:
            assert source.duration > 4
    finally:
        done.set()
        thread.join()
    assert lines and capfd.readouterr().err == "".join(lines)


@pytest.mark.parametrize("closed", ["2>&-", "2</dev/null"])
def test_mp3_is_decoded_where_stderr_cannot_be_written(mp3: bytes, tmp_path: Path, closed: str) -> None:
    path = tmp_path / "cut.mp3"
    path.write_bytes(mp3)
    code = (
        "import sys; from mmser.audio import open_recording; print(open_recording(sys.argv[1]).duration > 4)"
    )
    done = subprocess.run(
        ["bash", "-c", f'"$@" {closed}', "bash", sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "True\n"


# --- temporary copies without room ---------------------------------------------------------------


@pytest.fixture
def limit_files() -> Iterator[Callable[[int], None]]:
    """A function that keeps every file that is written from growing beyond so many bytes, until the end."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def kinds_that_are_copied(encode: Encode) -> dict[str, bytes]:
    noise = 0.1 * np.random.default_rng(0).standard_normal((40_000, 1))
    flac = encode(noise, 8_000, "FLAC")
    return {
        "MP3": encode(noise, 8_000, "MP3", "MPEG_LAYER_III"),
        "Ogg": encode(noise, 8_000, "OGG", "VORBIS"),
        "cut FLAC": flac[: len(flac) // 2],
        "m4a": m4a(noise, 16_000),
    }


@pytest.mark.parametrize("kind", ["MP3", "Ogg", "cut FLAC", "m4a"])
def test_where_a_copy_has_no_room_the_folder_and_the_remedy_are_named(
    encode: Encode,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit_files: Callable[[int], None],
    kind: str,
) -> None:
    data = kinds_that_are_copied(encode)[kind]
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    limit_files(1_024)
    with pytest.raises(AudioError, match=r"room .*free space .*TMPDIR") as caught:
        open_recording(data)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_room_that_lacks_for_the_end_of_a_copy_only_is_noticed(
    encode: Encode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit_files: Callable[[int], None]
) -> None:
    data = kinds_that_are_copied(encode)["MP3"]
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with open_recording(data):
        (copy,) = tmp_path.glob("*.flac")
        size = copy.stat().st_size
    limit_files(size - 10)
    with pytest.raises(AudioError, match="TMPDIR"):
        open_recording(data)


def test_a_stream_that_cannot_be_kept_names_the_remedy(
    encode: Encode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit_files: Callable[[int], None]
) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    limit_files(1_024)
    with pytest.raises(AudioError, match="TMPDIR"):
        open_recording(Pipe(encode(np.zeros(8_000))))


def test_without_any_folder_for_copies_the_remedy_is_named(
    encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_found(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", none_found)
    with pytest.raises(AudioError, match=r"No usable temporary directory.*TMPDIR"):
        open_recording(kinds_that_are_copied(encode)["Ogg"])
