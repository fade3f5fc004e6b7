"""Which clips of a dataset cannot be used: missing, corrupt, cut off, silent, or shorter than said."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mmser.audio import open_recording
from mmser.errors import AudioError, MissingExtraError, UsageError

SLACK = 0.1  # s by which a stated end may lie beyond the end of the file
# Of what opening a file may warn, what makes it unfit for training.
_FAULTS = ("is cut off", "holds digital silence only")


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
    lengths: dict[str, float | str] = {}
    found = []
    for done, row in enumerate(dataset, 1):
        audio = row.get("audio") or {}
        if audio.get("path") or audio.get("bytes"):
            reason = _fault(row, audio, lengths)
            if reason is not None:
                found.append((str(row.get("id")), reason))
        if progress is not None:
            progress(done)
    return found


def _fault(row: Mapping[str, Any], audio: Mapping[str, Any], lengths: dict[str, float | str]) -> str | None:
    """Return what is wrong with a row's clip, None if nothing is."""
    if audio.get("bytes"):
        length = _length(audio["bytes"])
    else:
        path = str(audio["path"])
        length = lengths[path] if path in lengths else lengths.setdefault(path, _length(path))
    if isinstance(length, str):
        return length
    start, end = row.get("start") or 0.0, row.get("end")
    if start >= length or (end is not None and end > length + SLACK):
        last = "its end" if end is None else f"{end:.2f} s"
        return f"the part from {start:.2f} s to {last} is not within the {length:.2f} s of the recording"
    return None


def _length(source: str | bytes) -> float | str:
    """Return the seconds of a recording, or what is wrong with it."""
    try:
        with open_recording(source) as recording:
            for _, _samples in recording.blocks():
                pass  # damage inside shows only when all of it is decoded
            faults = [w for w in recording.warnings if any(fault in w for fault in _FAULTS)]
            return faults[0] if faults else recording.duration
    except (AudioError, MissingExtraError, UsageError) as error:
        return str(error)
