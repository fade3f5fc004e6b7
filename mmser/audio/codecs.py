"""Formats beyond libsndfile (m4a, mp4, webm, amr, …), through PyAV, into a temporary FLAC file.

The decoded file keeps the rate and the channels of the original at 16 bits. It lies on disk, not in
memory, so that a long call stays within bounds; it is deleted when the recording is closed.
"""

import os
import struct
from contextlib import ExitStack
from typing import Any, BinaryIO

import numpy as np
import soundfile

from mmser.audio.intake import make_copy_path, no_room
from mmser.errors import AudioError, MissingExtraError

# Seconds. A hole between timestamps (a dropped line) is filled with silence, to keep the clock; shorter ones
# are rounding, longer ones a broken clock.
MIN_GAP, MAX_GAP = 0.1, 3600.0
SLACK = 0.5  # s; audio may be so much shorter than its container states: encoders' delays, the last packet

_MATROSKA = b"\x1a\x45\xdf\xa3"

# The beginnings of containers that PyAV reads and libsndfile does not.
_MAGIC = ((4, b"ftyp"), (0, _MATROSKA), (0, b"#!AMR"), (0, b"\x30\x26\xb2\x75"), (0, b"\xff\xf1"))


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
    path = make_copy_path(name, stack)
    stream = container.streams.audio[0]
    num_frames, failure = _write(av, container, stream, path, name)
    if not num_frames:
        raise AudioError(f"{name} holds no audio that can be decoded{failure and ': ' + failure}")
    seconds, stated = num_frames / stream.rate, _stated_seconds(stream)
    if failure:
        return path, [f"{name} is damaged after {seconds:.2f} s ({failure}); what is there is used"]
    if seconds < stated - SLACK or _promised_end(file) > file.seek(0, os.SEEK_END):
        promise = f" of {stated:.2f} s" if stated > seconds else ""
        return path, [f"{name} is cut off or damaged: {seconds:.2f} s{promise} are there and are used"]
    return path, []


def _stated_seconds(stream: Any) -> float:
    """Return the length that the container states for `stream`; 0 where it states none."""
    if stream.container.format.name.startswith("mov,") and stream.duration:
        return float(stream.duration * stream.time_base)
    # Elsewhere `duration` may be FFmpeg's guess from the bytes that are there; this tag is never one.
    tag = str(stream.metadata.get("DURATION", ""))
    try:
        hours, minutes, seconds = (float(part) for part in tag.split(":"))
    except ValueError:
        return 0.0
    start = float((stream.start_time or 0) * stream.time_base)  # the tag counts from the container's 0
    return 3600 * hours + 60 * minutes + seconds - max(0.0, start)


def _promised_end(file: BinaryIO) -> int:
    """Return the byte at which an mp4 or Matroska file should end by its own account; 0 if it gives none."""
    file.seek(0)
    head = file.read(64)
    if head[4:8] == b"ftyp":
        return _end_of_boxes(file)
    if head.startswith(_MATROSKA):
        at, length = _variable_length(head, 4)
        at += length
        if head[at : at + 4] == b"\x18\x53\x80\x67":  # the segment, which holds everything else
            return sum(_variable_length(head, at + 4))
    return 0


def _variable_length(head: bytes, at: int) -> tuple[int, int]:
    """Return where the part begins whose length is written at `at`, and that length; 0 where it is open."""
    width = 9 - head[at].bit_length() if at < len(head) else 9  # leading zeros tell how many bytes follow
    if width > 8 or at + width > len(head):
        return at, 0
    value = int.from_bytes(head[at : at + width], "big") & ((1 << 7 * width) - 1)
    return at + width, 0 if value == (1 << 7 * width) - 1 else value


def _end_of_boxes(file: BinaryIO) -> int:
    position, size = 0, file.seek(0, os.SEEK_END)
    while position + 16 <= size:
        file.seek(position)
        length, name, long_length = struct.unpack(">I4sQ", file.read(16))
        length = long_length if length == 1 else length
        if length < 8 or not name.isalnum():  # 0: to the end of the file
            break
        position += length
    return position


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
        raise no_room(name, error) from error
    return written, ""


def _write_silence(out: soundfile.SoundFile, num_frames: int, num_channels: int) -> int:
    for begin in range(0, num_frames, 1 << 16):
        out.write(np.zeros((min(1 << 16, num_frames - begin), num_channels), np.int16))
    return num_frames
