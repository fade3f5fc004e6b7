"""Formats beyond libsndfile (m4a, mp4, webm, amr, …), through PyAV, into a temporary FLAC file.

The decoded file keeps the rate and the channels of the original at 16 bits. It lies on disk, not in
memory, so that a long call stays within bounds; it is deleted when the recording is closed.
"""

import tempfile
from contextlib import ExitStack
from typing import Any, BinaryIO

import numpy as np
import soundfile

from mmser.errors import AudioError, MissingExtraError

# Seconds. A hole between timestamps (a dropped line) is filled with silence, to keep the clock; shorter ones
# are rounding, longer ones a broken clock.
MIN_GAP, MAX_GAP = 0.1, 3600.0

# The beginnings of containers that PyAV reads and libsndfile does not.
_MAGIC = ((4, b"ftyp"), (0, b"\x1a\x45\xdf\xa3"), (0, b"#!AMR"), (0, b"\x30\x26\xb2\x75"), (0, b"\xff\xf1"))


def needs_codecs(head: bytes) -> bool:
    """Tell by its first 12 bytes whether a file is in a container that the `codecs` extra reads."""
    aac = len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0  # ADTS: layer 0
    return aac or any(head[at : at + len(magic)] == magic for at, magic in _MAGIC)


def decode_to_flac(file: BinaryIO, name: str, stack: ExitStack) -> tuple[str, list[str]]:
    """Decode the first audio stream of `file` and return a FLAC file's path and warnings.

    Raises:
        MissingExtraError: if PyAV is not installed.
        AudioError: if the file holds no audio that can be decoded.
    """
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("av", "codecs", f"reading {name}") from error
    file.seek(0)
    try:
        container = stack.enter_context(av.open(file, mode="r", metadata_errors="ignore"))
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise AudioError(
            f"{name} is not audio that can be read: {getattr(error, 'strerror', error)}"
        ) from error
    if not container.streams.audio:
        raise AudioError(f"{name} holds no audio stream; give a file with sound")
    target = stack.enter_context(tempfile.NamedTemporaryFile(suffix=".flac"))  # noqa: SIM115
    stream = container.streams.audio[0]
    num_frames, failure = _write(av, container, stream, target.name, name)
    if not num_frames:
        raise AudioError(f"{name} holds no audio that can be decoded{failure and ': ' + failure}")
    warnings = []
    if failure:
        seconds = num_frames / stream.rate
        warnings.append(f"{name} is damaged after {seconds:.2f} s ({failure}); what is there is used")
    return target.name, warnings


def _write(av: Any, container: Any, stream: Any, path: str, name: str) -> tuple[int, str]:
    """Write all frames of `stream`; return how many samples a channel, and why it stopped early or ''."""
    if stream.codec_context is None:
        raise AudioError(
            f"{name} holds audio in an encoding that is not known here; convert it to WAV or FLAC"
        )
    rate, num_channels = stream.rate, stream.codec_context.channels
    if not rate or not 1 <= num_channels <= 8:
        raise AudioError(f"{name} has {num_channels} channels at {rate} Hz; 1 to 8 channels can be read")
    resampler = av.AudioResampler(format="s16", rate=rate)
    written, origin = 0, None
    try:
        with soundfile.SoundFile(path, "w", rate, num_channels, "PCM_16", format="FLAC") as out:
            try:
                for frame in container.decode(stream):
                    if frame.time is not None:
                        origin = frame.time if origin is None else origin
                        gap = round((frame.time - origin) * rate) - written
                        if MIN_GAP * rate < gap <= MAX_GAP * rate:
                            written += _write_silence(out, gap, num_channels)
                    for part in resampler.resample(frame):
                        samples = part.to_ndarray().reshape(-1, num_channels)
                        out.write(samples)
                        written += len(samples)
            except (av.error.FFmpegError, ValueError) as error:  # ValueError: the format changes within
                return written, str(getattr(error, "strerror", None) or error)
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{name} cannot be decoded to a temporary file at {path}: {error}") from error
    return written, ""


def _write_silence(out: soundfile.SoundFile, num_frames: int, num_channels: int) -> int:
    for begin in range(0, num_frames, 1 << 16):
        out.write(np.zeros((min(1 << 16, num_frames - begin), num_channels), np.int16))
    return num_frames
