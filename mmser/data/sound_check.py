"""Which clips of a dataset cannot be used: missing, corrupt, cut off, silent, or not within their file."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mmser.audio import SAMPLING_RATE, open_recording
from mmser.errors import AudioError, MissingExtraError, UsageError

SLACK = 0.1  # s by which a stated end may lie beyond the end of the file
# Of what opening a file may warn, what makes it unfit for training.
_FAULTS = ("is cut off", "holds digital silence only")


@dataclass(frozen=True)
class _File:
    """A recording that can be read."""

    duration: float  # seconds
    num_channels: int


def check_audio(
    dataset: Iterable[Mapping[str, Any]], *, progress: Callable[[int], None] | None = None
) -> list[tuple[str, str]]:
    """Decode every clip and say which cannot be used, and why.

    A file that many rows cut their parts from is decoded once.

    Args:
        dataset: rows of `FEATURES`; those without audio pass.
        progress: called with the number of rows done.

    Returns:
        (id, reason), in the order of the dataset; empty = all clips are sound.
    """
    files: dict[str, _File | str] = {}
    found = []
    for done, row in enumerate(dataset, 1):
        audio = row.get("audio") or {}
        if audio.get("path") or audio.get("bytes"):
            reason = _fault(row, audio, files)
            if reason is not None:
                found.append((str(row.get("id")), reason))
        if progress is not None:
            progress(done)
    return found


def _fault(row: Mapping[str, Any], audio: Mapping[str, Any], files: dict[str, _File | str]) -> str | None:
    """Return what is wrong with a row's clip, None if nothing is."""
    if audio.get("bytes"):
        file = _decode(audio["bytes"])
    else:
        path = str(audio["path"])
        file = files[path] if path in files else files.setdefault(path, _decode(path))
    return file if isinstance(file, str) else _misplaced(row, file)


def _misplaced(row: Mapping[str, Any], file: _File) -> str | None:
    """Return why the part of a file that a row names is not there, None if it is."""
    channel = row.get("channel")
    if channel is not None and not 0 <= channel < file.num_channels:
        there = "1 channel" if file.num_channels == 1 else f"{file.num_channels} channels"
        return f"channel {channel} (counted from 0) is not among the {there} of the recording"
    start, end = row.get("start") or 0.0, row.get("end")
    last = "its end" if end is None else f"{end:.2f} s"
    if start >= file.duration or (end is not None and end > file.duration + SLACK):
        return (
            f"the part from {start:.2f} s to {last} is not within the {file.duration:.2f} s of the recording"
        )
    stop = file.duration if end is None else min(end, file.duration)
    if round((stop - start) * SAMPLING_RATE) < 1:
        return f"the part from {start:.5f} s to {stop:.5f} s is too short to hold a sample"
    return None


def _decode(source: str | bytes) -> _File | str:
    """Return what is known of a recording after all of it was decoded, or what is wrong with it."""
    try:
        with open_recording(source) as recording:
            for _, _samples in recording.blocks():
                pass  # damage inside shows only when all of it is decoded
            faults = [w for w in recording.warnings if any(fault in w for fault in _FAULTS)]
            return faults[0] if faults else _File(recording.duration, recording.num_channels)
    except (AudioError, MissingExtraError, UsageError) as error:
        return str(error)
