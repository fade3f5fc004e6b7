"""Reads the audio of labelled rows; the latest clips stay in memory, the latest files open."""

from collections import OrderedDict
from typing import Any

from datasets import Dataset

from mmser.audio import SAMPLING_RATE, AudioSource, open_recording
from mmser.audio.files import Waveform
from mmser.data.waveforms import OpenRecordings, read_span
from mmser.errors import MmserError

KEPT_SECONDS = 3 * 3600.0  # of audio in memory: 700 MB


class ClipReader:
    """Mono waveforms at 16 kHz of the rows of a dataset with `mmser.data.FEATURES`.

    Close it to close the files.

    Args:
        dataset: map-style.
        max_seconds: how much of a clip is read, in seconds.
    """

    def __init__(self, dataset: Dataset, max_seconds: float) -> None:
        self.rows = dataset.select_columns(["id", "corpus", "audio", "start", "end", "channel"])
        self.max_seconds = max_seconds
        self._kept: OrderedDict[int, Waveform | None] = OrderedDict()
        self._seconds = 0.0
        self._open = OpenRecordings()

    def close(self) -> None:
        """Close the files that are still open; what is read later opens its own again."""
        self._open.close()

    def read(self, index: int) -> Waveform | None:
        """Return the waveform of a row, None where it has no audio.

        Raises:
            MmserError: if the audio cannot be read or lasts no time; the row is named.
        """
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        waveform = self._read(self.rows[index])
        self._kept[index] = waveform
        self._seconds += 0 if waveform is None else len(waveform) / SAMPLING_RATE
        while self._seconds > KEPT_SECONDS:
            _, old = self._kept.popitem(last=False)
            self._seconds -= 0 if old is None else len(old) / SAMPLING_RATE
        return waveform

    def _read(self, row: dict[str, Any]) -> Waveform | None:
        audio = row["audio"]
        if audio is None:
            return None
        try:
            if audio["bytes"] is not None:
                with open_recording(audio["bytes"]) as recording:
                    waveform = self._span(recording, row)
            else:
                waveform = self._span(self._open.get(audio["path"]), row)
        except MmserError as error:
            raise MmserError(
                f"the clip {row['corpus']}/{row['id']} cannot be used: {error}; mend it, or take it out"
            ) from error
        if not len(waveform):
            raise MmserError(f"the clip {row['corpus']}/{row['id']} lasts no time; take it out")
        return waveform

    def _span(self, recording: AudioSource, row: dict[str, Any]) -> Waveform:
        return read_span(recording, row["start"], row["end"] or None, row["channel"], self.max_seconds)
