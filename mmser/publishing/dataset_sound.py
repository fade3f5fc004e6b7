"""The sound of a row that is to be published: a file as it is, or the part of a recording alone, as FLAC."""

import io
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import soundfile

from mmser.audio.files import AudioFile
from mmser.errors import AudioError

MOST_BYTES: Final = 256 << 20  # of one clip, in memory and in one cell of a Parquet file
MOST_FLAC_CHANNELS: Final = 8
_DEEP: Final = ("PCM_24", "PCM_32", "FLOAT", "DOUBLE")  # subtypes that 16 bits would round


class Clips:
    """Reads clips one after the other; the recording that was read last stays open. A context manager."""

    def __init__(self) -> None:
        self._path: str | None = None
        self._file: AudioFile | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def read(self, row: Mapping[str, Any]) -> tuple[bytes, float, str] | None:
        """Return a row's clip, encoded, its length in seconds and its suffix; None where it has none.

        A row that names a part or a channel gets that alone, with the samples and the rate of the recording.

        Raises:
            AudioError: if it cannot be read, or is too large for one row.
            MissingExtraError: if its format needs the `codecs` extra.
        """
        audio = row.get("audio") or {}
        data, path = audio.get("bytes"), audio.get("path")
        if data is None and not path:
            return None
        file = self._open(data if data is not None else str(path))
        if row.get("channel") is None and row.get("role") is not None and file.num_channels > 1:
            raise AudioError(
                f"{file.name} has {file.num_channels} channels, and the row of a {row['role']} does not say "
                "which is theirs, so that others would be published with it; fill the column channel"
            )
        if row.get("start") is not None or row.get("end") is not None or row.get("channel") is not None:
            first, last = _frames(row, file)
            return _part(file, first, last, row.get("channel")), (last - first) / file.sampling_rate, ".flac"
        whole = data if data is not None else _whole(str(path))
        return whole, file.duration, Path(path or "").suffix.lower()

    def _open(self, source: str | bytes) -> AudioFile:
        """Open a recording; bytes, which are small, each time."""
        if isinstance(source, bytes) or source != self._path or self._file is None:
            self._close()
            self._file = AudioFile(source)
            self._path = None if isinstance(source, bytes) else source
        return self._file

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._path = None, None


def _whole(path: str) -> bytes:
    size = Path(path).stat().st_size
    if size > MOST_BYTES:
        raise AudioError(
            f"{path} has {size >> 20} MB, and one row holds at most {MOST_BYTES >> 20} MB; name its parts by "
            "start and end"
        )
    return Path(path).read_bytes()


def _frames(row: Mapping[str, Any], file: AudioFile) -> tuple[int, int]:
    """Return the first frame of a row's part and the one after its last."""
    end = row.get("end")
    first = round((row.get("start") or 0.0) * file.sampling_rate)
    last = file.num_frames if end is None else min(file.num_frames, round(end * file.sampling_rate))
    if last <= first:
        raise AudioError(f"the part of {file.name} from {row.get('start') or 0:g} s on lasts no time")
    return first, last


def _part(file: AudioFile, first: int, last: int, channel: int | None) -> bytes:
    """Return frames of a recording as FLAC: one channel, or all of them."""
    if channel is not None and not 0 <= channel < file.num_channels:
        raise AudioError(f"{file.name} has no channel {channel} (counted from 0)")
    mixed = channel is None and file.num_channels > MOST_FLAC_CHANNELS
    channels = 1 if channel is not None or mixed else file.num_channels
    deep = file.sound.subtype in _DEEP
    size = (last - first) * channels * (3 if deep else 2)
    if size > MOST_BYTES:
        raise AudioError(
            f"the part of {file.name} from {first / file.sampling_rate:g} s lasts "
            f"{(last - first) / file.sampling_rate:.0f} s, {size >> 20} MB, and one row holds at most "
            f"{MOST_BYTES >> 20} MB; part it"
        )
    target = io.BytesIO()
    with soundfile.SoundFile(
        target, "w", file.sampling_rate, channels, "PCM_24" if deep else "PCM_16", format="FLAC"
    ) as flac:
        for chunk, _ in file.native(first, last):
            kept = chunk.mean(1, keepdims=True) if mixed else chunk
            flac.write(kept if channel is None else kept[:, channel])
    return target.getvalue()
