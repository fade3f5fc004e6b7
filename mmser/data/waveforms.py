"""The sound of corpus clips in memory, cut to what one utterance can hold."""

from collections import OrderedDict
from os import PathLike, fspath
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from mmser.audio import SAMPLING_RATE, AudioSource, open_recording
from mmser.data.schema import Example
from mmser.errors import AudioError

Waveform = NDArray[np.float32]

MAX_SECONDS = 20.0
KEPT_FILES = 16  # open at once


def read_clip(path: Path) -> Waveform:
    """Return a corpus clip as mono float32 at 16 kHz, at most 20 s, (samples,).

    Raises:
        AudioError: if it cannot be read.
        MissingExtraError: if its format needs the `codecs` extra.
    """
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError:  # what reads calls knows more formats, and says what is wrong
        return _read_span(Example(corpus="", split=None, emotions=(), audio=path))
    mono = samples.mean(1)
    if rate != SAMPLING_RATE:
        mono = soxr.resample(mono, rate, SAMPLING_RATE)
    return np.asarray(mono[: int(MAX_SECONDS * SAMPLING_RATE)], np.float32)


def read_part(example: Example) -> Waveform:
    """Return an example's clip as `read_clip`, or the part of a longer recording that it is, (samples,).

    Raises:
        AudioError: if it cannot be read, or the part lasts no time.
        MissingExtraError: if its format needs the `codecs` extra.
    """
    assert example.audio is not None
    if example.start is None and example.end is None and example.channel is None:
        return read_clip(example.audio)
    return _read_span(example)


def _read_span(example: Example) -> Waveform:
    assert example.audio is not None
    with open_recording(example.audio) as recording:
        waveform = read_span(recording, example.start, example.end or None, example.channel, MAX_SECONDS)
    if not len(waveform):
        raise AudioError(
            f"the part of {example.audio} from {example.start or 0:g} s on lasts no time; correct its times"
        )
    return waveform


class OpenRecordings:
    """The recordings that were read last, open: turns of one call, read in a row, share one opening.

    A file that is opened is hashed, and an MP3 or Ogg decoded, as a whole. Close it to close the files; what
    is asked for later opens its own again. Not safe for use from several threads at once.
    """

    def __init__(self) -> None:
        self._open: OrderedDict[str, AudioSource] = OrderedDict()

    def get(self, path: str | PathLike[str]) -> AudioSource:
        """Return an open file; the one that was not read for longest is closed for it.

        Raises:
            AudioError: if it cannot be opened.
            MissingExtraError: if its format needs the `codecs` extra.
        """
        name = fspath(path)
        if name not in self._open:
            while len(self._open) >= KEPT_FILES:
                self._open.popitem(last=False)[1].close()
            self._open[name] = open_recording(name)
        self._open.move_to_end(name)
        return self._open[name]

    def close(self) -> None:
        """Close all."""
        while self._open:
            self._open.popitem()[1].close()


def read_span(
    source: AudioSource, start: float | None, end: float | None, channel: int | None, most: float | None
) -> Waveform:
    """Return a part of an open recording as mono float32 at 16 kHz, (samples,); none where it lasts no time.

    Args:
        source: the recording.
        start: of the part, in seconds; None = the beginning.
        end: in seconds; None, or past the end, = the end.
        channel: counted from 0; None = all, mixed.
        most: how much of it is read, in seconds; None = all.

    Raises:
        AudioError: if it cannot be read.
        UsageError: if the channel does not exist, or a time is negative or not finite.
    """
    first = start or 0.0
    last = source.duration if end is None else min(end, source.duration)
    if most is not None:
        last = min(last, first + most)
    channels = range(source.num_channels) if channel is None else [channel]
    parts = [source.read(first, max(first, last), one) for one in channels]
    waveform: Waveform = np.mean(parts, 0).astype(np.float32)
    return waveform
