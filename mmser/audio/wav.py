"""What a header says of a file's length, against the bytes that are there: WAV first, then its kin and Ogg.

libsndfile reads a header that promises too much, and says nothing; it believes one that promises
too little. Recorders that crash or stream leave both kinds.
"""

import io
import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

UNKNOWN_LENGTH = 0xFFFFFFFF  # what streaming writers put where the length belongs
MAX_LENGTH = UNKNOWN_LENGTH - 1  # bytes that a RIFF header can state
JUNK_BYTES = 512  # fewer than these after the last chunk are a stray tag, not audio
PAD_BYTES = 8  # the last chunk may lack its padding
OGG_PAGE_BYTES = 65_307  # the longest page
OGG_LAST_PAGE = 4  # the flag of the page that ends a stream

# (format tag, bits per sample) → libsndfile's name, for the encodings that can be read without a header,
# which is needed beyond MAX_LENGTH
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
    """Where the samples of a RIFF/WAVE or RF64 file lie, and how they are stored."""

    tag: int
    bits: int
    num_channels: int
    sampling_rate: int  # Hz
    byte_rate: int  # bytes a second
    offset: int  # of the first sample, in bytes
    stated: int | None  # bytes of samples that the header promises; None where it leaves them open
    present: int  # bytes from the first sample to the end of the file
    understated: bool  # audio goes on after the promised end, or no end is promised
    length_at: int  # where in the file the promise stands, in bytes
    length_format: str  # how `struct` writes it there

    @property
    def raw_subtype(self) -> str | None:
        """Name of the encoding for a read without the header; None where there is none."""
        return RAW_SUBTYPES.get((self.tag, self.bits))

    @property
    def true_length(self) -> bytes | None:
        """What belongs at `length_at`, to put the header right; None where it cannot be stated there."""
        fits = self.present <= MAX_LENGTH or self.length_format == "<Q"
        return struct.pack(self.length_format, self.present) if fits else None

    def complaint(self) -> str | None:
        """Return a sentence about a length that does not fit the file, or None."""
        if self.stated is None:
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
    """Return where the samples of a RIFF/WAVE or RF64 file lie, or None for any other file."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if len(head) < 12 or head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
        return None
    fmt = b""
    position, wide_at = 12, 0
    while position + 8 <= size:
        file.seek(position)
        name, length = struct.unpack("<4sI", file.read(8))
        if name == b"fmt ":
            fmt = file.read(min(length, 40))
        if name == b"ds64" and head[:4] == b"RF64" and length >= 16:
            wide_at = position + 16  # after the chunk's own header and the length of the file
        if name == b"data":
            # RF64 leaves the 32-bit length open and states it with 64 bits in ds64, which comes first.
            wide = wide_at > 0 and length == UNKNOWN_LENGTH
            promise = (wide_at, "<Q") if wide else (position + 4, "<I")
            return _describe(file, fmt, offset=position + 8, promise=promise, size=size)
        position += 8 + length + length % 2
    return None


def _describe(
    file: BinaryIO, fmt: bytes, *, offset: int, promise: tuple[int, str], size: int
) -> WavData | None:
    if len(fmt) < 16:
        return None
    tag, num_channels, rate, byte_rate, _, bits = struct.unpack("<HHIIHH", fmt[:16])
    if tag == 0xFFFE and len(fmt) >= 26:  # extensible: the true tag begins the GUID
        tag = struct.unpack("<H", fmt[24:26])[0]
    at, how = promise
    file.seek(at)
    stated: int = struct.unpack(how, file.read(struct.calcsize(how)))[0]
    is_open = stated == 256 ** struct.calcsize(how) - 1
    return WavData(
        tag=tag,
        bits=bits,
        num_channels=num_channels,
        sampling_rate=rate,
        byte_rate=byte_rate,
        offset=offset,
        stated=None if is_open else stated,
        present=size - offset,
        understated=is_open or _bytes_outside_chunks(file, offset + stated, size) >= JUNK_BYTES,
        length_at=at,
        length_format=how,
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


def complain_of_length(file: BinaryIO) -> str | None:
    """Return a sentence about W64, AIFF, AU and Ogg files that end before their time; None for others."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(24)
    if head[:4] == b"OggS":
        if _ogg_is_ended(file, size):
            return None
        return "the Ogg file is cut off or was never finished: it has no end mark; what is there is used"
    for magic, kind, how, at, before in (
        (b"riff", "W64", "<Q", 16, 0),
        (b"FORM", "AIFF", ">I", 4, 8),
        (b".snd", "AU", ">I", 8, int.from_bytes(head[4:8], "big")),
        (b"dns.", "AU", "<I", 8, int.from_bytes(head[4:8], "little")),
    ):
        if head[:4] == magic and len(head) == 24:
            stated: int = struct.unpack_from(how, head, at)[0]
            is_open = stated == 256 ** struct.calcsize(how) - 1
            if not is_open and stated + before > size + PAD_BYTES:
                return (
                    f"the {kind} file is cut off or was never finished: its header promises "
                    f"{stated + before} bytes and {size} are there; these are used"
                )
    return None


def _ogg_is_ended(file: BinaryIO, size: int) -> bool:
    """Tell whether the last page is there as a whole and marks the end of its stream."""
    file.seek(max(0, size - OGG_PAGE_BYTES - JUNK_BYTES))
    tail = file.read()
    page = tail[max(0, tail.rfind(b"OggS")) :]
    if len(page) < 27 or not page.startswith(b"OggS"):
        return False
    lengths = page[27 : 27 + page[26]]
    whole = len(lengths) == page[26] and len(page) >= 27 + len(lengths) + sum(lengths)
    return whole and bool(page[5] & OGG_LAST_PAGE)


class Window(io.RawIOBase):
    """The bytes of a file from `offset` on, as a file of its own; at `fix_at` it holds `fix` instead."""

    def __init__(self, file: BinaryIO, offset: int = 0, *, fix_at: int = 0, fix: bytes = b"") -> None:
        super().__init__()
        self._file = file
        self._offset = offset
        self._fix_at, self._fix = fix_at, fix  # the place counts from the file's first byte
        self._file.seek(offset)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill `buffer` from the present position and return the number of bytes read."""
        begin = self._file.tell()
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        for i, byte in enumerate(self._fix, self._fix_at - begin):
            if 0 <= i < len(data):
                buffer[i : i + 1] = bytes((byte,))
        return len(data)

    def tell(self) -> int:
        """Return the position in bytes, from the window's first."""
        return self._file.tell() - self._offset

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        """Move to `position` and return it."""
        base = self._offset if whence == os.SEEK_SET else 0
        return self._file.seek(base + position, whence) - self._offset
