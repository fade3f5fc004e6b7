"""What a WAV header says of its length, against the bytes that are there.

libsndfile reads a header that promises too much, and says nothing; it believes one that promises
too little. Recorders that crash or stream leave both kinds.
"""

import io
import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

UNKNOWN_LENGTH = 0xFFFFFFFF  # what streaming writers put where the length belongs
JUNK_BYTES = 512  # fewer than these after the last chunk are a stray tag, not audio

# (format tag, bits per sample) → libsndfile's name, for the encodings that can be read without a header
RAW_SUBTYPES = {
    (1, 8): "PCM_U8",
    (1, 16): "PCM_16",
    (1, 24): "PCM_24",
    (1, 32): "PCM_32",
    (3, 32): "FLOAT",
    (3, 64): "DOUBLE",
    (6, 8): "ALAW",
    (7, 8): "ULAW",
}


@dataclass(frozen=True, kw_only=True)
class WavData:
    """Where the samples of a RIFF/WAVE file lie, and how they are stored."""

    tag: int
    bits: int
    num_channels: int
    sampling_rate: int  # Hz
    byte_rate: int  # bytes a second
    offset: int  # of the first sample, in bytes
    stated: int  # bytes of samples that the header promises
    present: int  # bytes from the first sample to the end of the file
    understated: bool  # audio goes on after the promised end

    @property
    def raw_subtype(self) -> str | None:
        """Name of the encoding for a read without the header; None where there is none."""
        return RAW_SUBTYPES.get((self.tag, self.bits))

    def complaint(self) -> str | None:
        """Return a sentence about a length that does not fit the file, or None."""
        if self.stated == UNKNOWN_LENGTH:
            return "the WAV header does not state the length; all samples up to the end of the file are used"
        if self.understated:
            return (
                f"the WAV header promises {self._seconds(self.stated)} of audio but the file holds "
                f"{self._seconds(self.present)}; all of it is used"
            )
        if self.stated > self.present:
            return (
                f"the WAV file is cut off: its header promises {self._seconds(self.stated)} of audio and "
                f"{self._seconds(self.present)} are there; these are used"
            )
        return None

    def _seconds(self, num_bytes: int) -> str:
        return f"{num_bytes / self.byte_rate:.2f} s" if self.byte_rate else f"{num_bytes} bytes"


def find_wav_data(file: BinaryIO) -> WavData | None:
    """Return where the samples of a RIFF/WAVE file lie, or None for any other file."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return None
    fmt = b""
    position = 12
    while position + 8 <= size:
        file.seek(position)
        name, length = struct.unpack("<4sI", file.read(8))
        if name == b"fmt ":
            fmt = file.read(min(length, 40))
        if name == b"data":
            return _describe(file, fmt, offset=position + 8, stated=length, size=size)
        position += 8 + length + length % 2
    return None


def _describe(file: BinaryIO, fmt: bytes, *, offset: int, stated: int, size: int) -> WavData | None:
    if len(fmt) < 16:
        return None
    tag, num_channels, rate, byte_rate, _, bits = struct.unpack("<HHIIHH", fmt[:16])
    if tag == 0xFFFE and len(fmt) >= 26:  # extensible: the true tag begins the GUID
        tag = struct.unpack("<H", fmt[24:26])[0]
    return WavData(
        tag=tag,
        bits=bits,
        num_channels=num_channels,
        sampling_rate=rate,
        byte_rate=byte_rate,
        offset=offset,
        stated=stated,
        present=size - offset,
        understated=_bytes_outside_chunks(file, offset + stated, size) >= JUNK_BYTES,
    )


def _bytes_outside_chunks(file: BinaryIO, position: int, size: int) -> int:
    """Count the bytes after `position` that do not form RIFF chunks: samples past the promised end."""
    while position + 8 <= size:
        file.seek(position)
        header = file.read(9)
        if header[0] == 0:  # the pad byte after an odd length, which some writers leave out
            position, header = position + 1, header[1:] + file.read(1)
        if len(header) < 8:
            break
        name, length = struct.unpack("<4sI", header[:8])
        if not all(32 <= byte < 127 for byte in name) or position + 8 + length > size + 1:
            return size - position
        position += 8 + length
    return 0


class Window(io.RawIOBase):
    """The bytes of a file from `offset` on, as a file of its own."""

    def __init__(self, file: BinaryIO, offset: int) -> None:
        super().__init__()
        self._file = file
        self._offset = offset
        self._file.seek(offset)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill `buffer` from the present position and return the number of bytes read."""
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def tell(self) -> int:
        """Return the position in bytes, from the window's first."""
        return self._file.tell() - self._offset

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        """Move to `position` and return it."""
        base = self._offset if whence == os.SEEK_SET else 0
        return self._file.seek(base + position, whence) - self._offset
