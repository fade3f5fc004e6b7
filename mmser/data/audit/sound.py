"""One pass over the audio: each clip is decoded once and everything is taken from it."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soxr
import torch
from datasets import Dataset

from mmser.audio import SAMPLING_RATE
from mmser.audio.files import LIMIT, AudioFile, Waveform
from mmser.data.audit.columns import Columns
from mmser.data.audit.fingerprint import Print, take_print
from mmser.errors import AudioError, MissingExtraError
from mmser.model.acoustics_mmser import Acoustics
from mmser.progress import ProgressCallback

MAX_SECONDS: Final = 300.0  # of one row; what lies beyond is not looked at
FUNCTIONAL_SECONDS: Final = 20.0
FRAME: Final = 320  # samples, 20 ms
QUIET: Final = 1e-3  # root mean square, -60 dBFS: silence whatever the rest of the clip
RELATIVE_QUIET: Final = 1e-2  # of the loudest frame's root mean square, 40 dB below it
PLATEAU: Final = 3  # successive samples at the extreme that make a clipped peak
LSB: Final = 1.5 / 32_768


@dataclass(frozen=True, kw_only=True, eq=False)
class ClipSound:
    """What one clip sounds like, and what is wrong with it; no samples."""

    row: int  # of the dataset
    duration: float  # seconds
    sampling_rate: int  # Hz, of the file
    num_channels: int
    digest: str  # of the decoded samples
    level_dbfs: float | None  # root mean square; None for digital silence
    clipped_share: float  # of the samples, those on a plateau at the clip's own extreme
    silent_share: float  # of the 20 ms frames
    padding: float  # seconds of exact zeros at beginning and end together
    num_bad: int  # samples that are NaN, infinite or absurd
    complaint: str | None  # what is odd about a file that could be read
    print: Print | None  # None where too little sound changes
    functionals: npt.NDArray[np.float32] | None  # (functionals,); only where they were wanted


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """A clip that could not be read, and why."""

    row: int
    reason: str


class NativeReader:
    """Reads rows' audio at its file's own rate; rows of one recording follow each other, and share it."""

    def __init__(self, audio: Dataset, columns: Columns) -> None:
        self._audio, self._columns = audio, columns
        self._stack = ExitStack()
        self._path: str | None = None
        self._file: AudioFile | None = None

    def close(self) -> None:
        """Close the file that is still open."""
        self._stack.close()
        self._path = self._file = None

    def read(self, row: int) -> tuple[AudioFile, Waveform] | None:
        """Return a row's file and its samples (frames, channels) at the file's rate; None without audio.

        Raises:
            AudioError: if the file cannot be read, or the row's part does not lie within it.
            MissingExtraError: if its format needs the `codecs` extra.
        """
        source: dict[str, Any] = self._audio[row]["audio"] or {}
        if not source.get("path") and source.get("bytes") is None:
            return None
        file = self._opened(source)
        rate = file.sampling_rate
        first = round((self._columns.start[row] or 0.0) * rate)
        end = self._columns.end[row]
        last = file.num_frames if end is None else min(round(end * rate), file.num_frames)
        last = min(last, first + round(MAX_SECONDS * rate))
        if last <= first:
            raise AudioError(
                f"{file.name} lasts {file.duration:.2f} s, and its row names a part that begins at "
                f"{first / rate:.2f} s and has no sample"
            )
        samples = np.concatenate([chunk for chunk, _ in file.native(first, last)])
        channel = self._columns.channel[row]
        if channel is not None and not 0 <= channel < file.num_channels:
            raise AudioError(
                f"{file.name} has {file.num_channels} channels, and its row names channel {channel} (from 0)"
            )
        return file, samples if channel is None else samples[:, channel : channel + 1]

    def waveform(self, row: int) -> npt.NDArray[np.float32]:
        """Return a readable row's sound again, mono at 16 kHz."""
        read = self.read(row)
        if read is None:
            return np.zeros(0, np.float32)
        return _mono(_usable(read[1])[0], read[0].sampling_rate)

    def _opened(self, source: dict[str, Any]) -> AudioFile:
        path, data = source.get("path"), source.get("bytes")
        if self._file is None or data is not None or path != self._path:
            self.close()
            self._file = AudioFile(path or "" if data is None else data)
            self._stack.callback(self._file.close)
            self._path = None if data is not None else path
        return self._file


def listen(
    reader: NativeReader, rows: Sequence[int], wanted: frozenset[int], progress: ProgressCallback
) -> Iterator[ClipSound | Unreadable]:
    """Yield what each row sounds like; rows without audio yield nothing.

    Args:
        reader: of the dataset.
        rows: to read, in order.
        wanted: rows whose functionals are computed too.
        progress: called for each row.
    """
    acoustics = Acoustics().eval()
    for done, row in enumerate(rows):
        progress("reading the audio", done, len(rows))
        try:
            read = reader.read(row)
        except (AudioError, MissingExtraError) as error:
            yield Unreadable(row=row, reason=str(error))
            continue
        if read is not None:
            yield _measure(row, *read, acoustics if row in wanted else None)
    progress("reading the audio", len(rows), len(rows))


def _measure(row: int, file: AudioFile, samples: Waveform, acoustics: Acoustics | None) -> ClipSound:
    digest = hashlib.sha256(np.ascontiguousarray(samples).tobytes() + str(file.sampling_rate).encode())
    samples, num_bad = _usable(samples)
    mono = _mono(samples, file.sampling_rate)
    power = float(np.mean(np.square(mono, dtype=np.float64)))
    bad = f"{num_bad} samples are NaN, infinite or beyond 1e9" if num_bad else None
    return ClipSound(
        row=row,
        duration=len(samples) / file.sampling_rate,
        sampling_rate=file.sampling_rate,
        num_channels=file.num_channels,
        digest=digest.hexdigest(),
        level_dbfs=10 * float(np.log10(power)) if power > 0 else None,
        clipped_share=max(_clipped(samples[:, i]) for i in range(samples.shape[1])),
        silent_share=_silent(mono),
        padding=_padding(samples) / file.sampling_rate,
        num_bad=num_bad,
        complaint="; ".join([*file.warnings, *([bad] if bad else [])]) or None,
        print=take_print(mono),
        functionals=None if acoustics is None else _functionals(mono, acoustics),
    )


def _usable(samples: Waveform) -> tuple[Waveform, int]:
    """Return the samples with 0 for what is no number, and how many those were."""
    usable = np.abs(samples) <= LIMIT  # False for NaN
    num_bad = int(samples.size - np.count_nonzero(usable))
    return (np.where(usable, samples, np.float32(0)) if num_bad else samples), num_bad


def _mono(samples: Waveform, sampling_rate: int) -> npt.NDArray[np.float32]:
    mono = samples.mean(axis=1, dtype=np.float32)
    if sampling_rate != SAMPLING_RATE:
        mono = soxr.resample(mono, sampling_rate, SAMPLING_RATE, "HQ").astype(np.float32)
    return mono if len(mono) else np.zeros(1, np.float32)


def _clipped(samples: npt.NDArray[np.float32]) -> float:
    """Return the share of samples on plateaus at the clip's own extremes; a later gain hides none."""
    held = 0
    for side in (samples, -samples):
        peak = float(side.max())
        if peak < 8 * LSB:
            continue
        at_peak = np.flatnonzero(np.diff(np.pad(side >= peak - LSB, 1).astype(np.int8)))
        lengths = at_peak[1::2] - at_peak[::2]
        held += int(lengths[lengths >= PLATEAU].sum())
    return held / len(samples)


def _silent(mono: npt.NDArray[np.float32]) -> float:
    count = max(1, len(mono) // FRAME)
    frames = mono[: count * FRAME].reshape(count, -1) if len(mono) >= FRAME else mono[None]
    levels = np.sqrt(np.mean(np.square(frames), axis=1))
    return float(np.mean(levels <= max(QUIET, RELATIVE_QUIET * float(levels.max()))))


def _padding(samples: Waveform) -> int:
    sounding = np.flatnonzero((samples != 0).any(axis=1))
    return len(samples) - int(sounding[-1] - sounding[0] + 1) if len(sounding) else len(samples)


@torch.inference_mode()
def _functionals(mono: npt.NDArray[np.float32], acoustics: Acoustics) -> npt.NDArray[np.float32]:
    cut = torch.from_numpy(mono[: round(FUNCTIONAL_SECONDS * SAMPLING_RATE)]).unsqueeze(0)
    length = torch.tensor([cut.shape[1]])
    values: npt.NDArray[np.float32] = acoustics.functionals(cut, length, acoustics.log_mel(cut, length))[
        0
    ].numpy()
    return values
