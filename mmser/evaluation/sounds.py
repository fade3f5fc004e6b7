"""The sound of labelled examples, whole, as the model hears it in use."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mmser.audio import SAMPLING_RATE
from mmser.data import Example, example_of
from mmser.data.waveforms import OpenRecordings, read_span
from mmser.errors import DataError, MmserError
from mmser.evaluation.judged import name_of
from mmser.quiet import without_chatter

Waveform = NDArray[np.float32]
LONGEST = 2 * 3600.0  # seconds of one row that are held in memory, 1 GB an hour with what is made of them


class Sounds:
    """Mono waveforms at 16 kHz of examples; a context manager, for one thread."""

    def __init__(self) -> None:
        self._open = OpenRecordings()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def read(self, example: Example, most: float | None = None) -> Waveform | None:
        """Return an example's sound, (samples,), its channels mixed unless it names one; None without any.

        Args:
            example: with or without audio.
            most: how much of it is read, in seconds; None = all.

        Raises:
            DataError: if it cannot be read, lasts no time or, where all is read, more than `LONGEST`; the
                example is named.
        """
        if example.audio is None:
            return None
        try:
            with without_chatter():
                recording = self._open.get(example.audio)
            seconds = min(example.end or np.inf, recording.duration) - (example.start or 0.0)
            if most is None and seconds > LONGEST:
                raise DataError(
                    f"it lasts {seconds / 3600:.1f} h, and a row may last {LONGEST / 3600:g} h at most; cut "
                    "it by start and end"
                )
            waveform = read_span(recording, example.start, example.end, example.channel, most)
        except MmserError as error:
            raise DataError(f"the clip {name_of(example)} cannot be used: {error}") from error
        if not len(waveform):
            raise DataError(
                f"the clip {name_of(example)} lasts no time: it would begin at {example.start or 0:g} s of "
                f"{recording.duration:g} s; correct its times, or take it out"
            )
        return waveform


def seconds_of(waveform: Waveform | None) -> float:
    """Return the length of a waveform in seconds; 0 without one."""
    return 0.0 if waveform is None else len(waveform) / SAMPLING_RATE


class Unpacked:
    """Examples of rows whose sound may lie in the rows themselves, as from the Hub: it is put into files.

    A context manager: the files go with it.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mmser-clips-")
        self.examples: list[Example] = []
        for number, row in enumerate(rows):
            self.examples.append(_unpacked(row, Path(self._folder.name), number))

    def __enter__(self) -> list[Example]:
        return self.examples

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()


def each_unpacked(rows: Iterable[Mapping[str, Any]]) -> Iterator[Example]:
    """Yield rows as `Unpacked` gives them; a file that is made for one is gone when the next is asked for."""
    for number, row in enumerate(rows):
        with tempfile.TemporaryDirectory(prefix="mmser-clip-") as folder:
            yield _unpacked(row, Path(folder), number)


def _unpacked(row: Mapping[str, Any], folder: Path, number: int) -> Example:
    example, audio = example_of(row), row.get("audio") or {}
    if audio.get("bytes") is None:
        return example
    path = folder / f"{number}{Path(audio.get('path') or '').suffix}"
    path.write_bytes(audio["bytes"])
    return replace(example, audio=path)
