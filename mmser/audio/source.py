"""A recording as the rest of the house sees it: one clock, channels apart, 16 kHz, read by seconds."""

import copy
import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self

import numpy as np

from mmser.audio.files import SAMPLING_RATE, AudioFile, Waveform
from mmser.audio.intake import Source
from mmser.errors import UsageError
from mmser.types import Recording

MAX_DIFFERENCE = 1.0  # s; files of one call that differ by more in length earn a warning


def open_recording(*sources: Source, start: float | None = None, end: float | None = None) -> "AudioSource":
    """Open one recording: one file of any number of channels, or several mono files on one clock.

    Args:
        sources: paths, bytes or binary file objects (WAV, FLAC, MP3, Ogg; m4a, webm, amr with `codecs`).
        start: seconds at which the part to analyse begins; the beginning by default.
        end: seconds at which it ends; the end of the longest file by default.

    Raises:
        AudioError: if a source cannot be read or holds nothing that can be analysed.
        MissingExtraError: if a format needs the `codecs` extra.
        UsageError: if no source is given, one of several has more than one channel, or the part does not
            lie within the recording.
    """
    if not sources:
        raise UsageError("no recording was given; name at least one audio file")
    files: list[AudioFile] = []
    try:
        for source in sources:
            files.append(AudioFile(source))
        return AudioSource(files, start=start, end=end)
    except BaseException:
        for file in files:
            file.close()
        raise


class AudioSource:
    """An opened recording; a context manager. Not safe for use from several threads at once.

    All times are seconds on the recording's clock, also where `start` and `end` cut a part.
    """

    def __init__(self, files: list[AudioFile], *, start: float | None, end: float | None) -> None:
        self._files = files
        if len(files) > 1:
            _require_mono(files)
        total = max(file.duration for file in files)
        self.start, self.end = _part(start, end, total)
        self.recording = _describe(files, total)
        self.warnings: list[str] = _warnings(files, self.start, self.end)
        self._mutes: list[tuple[float, float]] = []  # seconds that `muted` silences
        # (file, its channel) of each of the recording's channels
        self._channels = [(file, i) for file in files for i in range(file.num_channels)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files and delete temporary copies."""
        for file in self._files:
            file.close()

    @property
    def duration(self) -> float:
        """Length of the part in seconds; `recording.duration` is that of the whole."""
        return self.end - self.start

    @property
    def num_channels(self) -> int:
        """Number of channels over all files."""
        return len(self._channels)

    def whole(self) -> "AudioSource":
        """Return this recording without the cut to a part; closing either closes both."""
        view = copy.copy(self)
        view.start, view.end = 0.0, self.recording.duration
        return view

    def muted(self, spans: Iterable[Sequence[float]]) -> "AudioSource":
        """Return this recording with silence within `spans`, (start, end) in seconds.

        On every channel, because a voice that leaks into another is heard there too. Closing either closes
        both.
        """
        view = copy.copy(self)
        view._mutes = [*self._mutes, *((start, end) for start, end in spans)]
        return view

    def read(self, start: float, end: float, channel: int) -> Waveform:
        """Return one channel from `start` to `end` s: float32 at 16 kHz, round((end-start)*16000) samples.

        The same slice has the same samples whatever was read before; beyond the end there is silence.

        Raises:
            UsageError: if the channel does not exist, or the times are negative, reversed or not finite.
        """
        if not 0 <= channel < self.num_channels:
            raise UsageError(
                f"channel {channel} does not exist; this recording has {self.num_channels} (from 0)"
            )
        if not (math.isfinite(start) and math.isfinite(end) and 0 <= start <= end):
            raise UsageError(f"cannot read from {start} s to {end} s; give 0 <= start <= end")
        first = round(start * SAMPLING_RATE)
        file, own = self._channels[channel]
        chunks = list(file.resampled(first, first + round((end - start) * SAMPLING_RATE), own))
        waveform = np.concatenate(chunks)[:, 0] if chunks else np.zeros(0, np.float32)
        self._mute(waveform, first)
        return waveform

    def blocks(self, seconds: float = 30.0) -> Iterator[tuple[float, Waveform]]:
        """Yield (start in seconds, samples (channels, samples) at 16 kHz) over the part, without seams.

        All blocks but the last hold round(seconds*16000) samples; memory is bounded by a few blocks.
        """
        first, last = round(self.start * SAMPLING_RATE), round(self.end * SAMPLING_RATE)
        size = max(1, round(seconds * SAMPLING_RATE))
        streams = [_in_blocks(file.resampled(first, last), size) for file in self._files]
        for number, blocks in enumerate(zip(*streams, strict=True)):
            block = np.ascontiguousarray(np.hstack(blocks).T)
            self._mute(block, first + number * size)
            yield (first + number * size) / SAMPLING_RATE, block

    def _mute(self, samples: Waveform, first: int) -> None:
        """Silence what is not to be heard in samples (…, samples) that begin with sample `first`."""
        for start, end in self._mutes:
            low = max(0, math.floor(start * SAMPLING_RATE) - first)
            high = max(low, math.ceil(end * SAMPLING_RATE) - first)
            samples[..., low:high] = 0


def _in_blocks(chunks: Iterator[Waveform], size: int) -> Iterator[Waveform]:
    """Cut chunks (samples, channels) of any length into blocks of `size` samples; the last may be shorter."""
    held: list[Waveform] = []
    count = 0
    for chunk in chunks:
        while count + len(chunk) >= size:
            taken = size - count
            yield np.concatenate([*held, chunk[:taken]])
            chunk, held, count = chunk[taken:], [], 0
        if len(chunk):
            held.append(chunk)
            count += len(chunk)
    if count:
        yield np.concatenate(held)


def _require_mono(files: list[AudioFile]) -> None:
    for file in files:
        if file.num_channels != 1:
            raise UsageError(
                f"{file.name} has {file.num_channels} channels; where several files make one recording, "
                "each must be mono (or give the one file with all channels alone)"
            )


def _part(start: float | None, end: float | None, total: float) -> tuple[float, float]:
    begin = 0.0 if start is None else float(start)
    stop = total if end is None else float(end)
    half = 0.5 / SAMPLING_RATE  # so that a length printed and typed in again is within
    if not (0 <= begin < stop <= total + max(half, 0.0005)) or begin > total - half:
        raise UsageError(
            f"the part from {begin:g} s to {stop:g} s does not lie within the recording of {total:.3f} s; "
            f"give 0 <= start < end <= {total:.3f}"
        )
    return begin, min(stop, total)


def _describe(files: list[AudioFile], total: float) -> Recording:
    digests = [file.sha256 for file in files]
    joined = hashlib.sha256("".join(digests).encode()).hexdigest()
    digest = digests[0] if len(files) == 1 else joined
    stems = [file.stem for file in files if file.stem]
    paths = [file.path for file in files if file.path]
    return Recording(
        id="+".join(stems) or digest[:12],
        path=" + ".join(paths) or None,
        duration=total,
        sampling_rate=files[0].sampling_rate,
        num_channels=sum(file.num_channels for file in files),
        sha256=digest,
    )


def _warnings(files: list[AudioFile], start: float, end: float) -> list[str]:
    """Collect what is odd about the files, and look for samples that are not numbers and for silence.

    Raises:
        AudioError: if a file has not one usable sample.
    """
    found = [warning for file in files for warning in file.warnings]
    lengths = [file.duration for file in files]
    if max(lengths) - min(lengths) > MAX_DIFFERENCE:
        listed = ", ".join(f"{file.name} {file.duration:.2f} s" for file in files)
        found.append(f"the files differ in length ({listed}); the shorter is taken as silent at its end")
    rates = sorted({file.sampling_rate for file in files})
    if len(rates) > 1:
        found.append(
            f"the files differ in sampling rate ({', '.join(map(str, rates))} Hz); each is resampled"
        )
    for file in files:
        num_bad, still = file.inspect(min(start, file.duration), min(end, file.duration))
        if num_bad:
            found.append(f"{file.name} holds {num_bad} NaN, infinite or absurd samples; they are taken as 0")
        if len(still) == file.num_channels:
            found.append(f"{file.name} holds digital silence only")
        else:
            found.extend(f"{file.name}: channel {i} (counted from 0) is digital silence" for i in still)
    return found
