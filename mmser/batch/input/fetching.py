"""What a row names → files at hand, in a worker: as they are, downloaded, or out of the dataset."""

import contextlib
import functools
import os
import re
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmser.audio.intake import CHUNK_BYTES, Source, no_room
from mmser.batch.input.hub import open_dataset
from mmser.batch.input.urls import is_url, open_filesystem, scheme_of, unreachable
from mmser.batch.records import CallRow, DatasetSource
from mmser.errors import AudioError, DataError, MmserError, TranscriptError

MAX_NAME = 100  # bytes of a temporary file's name


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A call at hand."""

    sources: tuple[Source, ...]  # of the recording; () = words alone
    transcript: str | Path | None  # a file
    names: tuple[str, ...]  # of the sources, as the user knows them: path, URL, row of the dataset
    transcript_name: str | None


def fetch(row: CallRow, dataset: DatasetSource | None, stack: ExitStack) -> Fetched:
    """Bring the files of a call to this machine.

    Local paths stay as they are, whether or not something lies there. What is behind a URL is streamed into a
    temporary file under its own name. A row of a dataset is its bytes, or the path that it holds.

    Args:
        row: a call without a `problem`.
        dataset: where the row's sound is, if the input is one.
        stack: removes what was downloaded.

    Raises:
        AudioError: if a recording cannot be downloaded or there is no room for it.
        TranscriptError: if a transcript cannot be downloaded.
        DataError: if the dataset cannot be loaded or has no such row.
    """
    sources: tuple[Source, ...] = tuple(_at_hand(place, AudioError, stack) for place in row.audio)
    names = row.audio
    if dataset is not None and row.index is not None:
        sources = (_sound(dataset, row.index, stack),)
        names = (f"{dataset.name}, row {row.index} (counted from 0)",)
    transcript = None if row.transcript is None else _at_hand(row.transcript, TranscriptError, stack)
    return Fetched(sources=sources, transcript=transcript, names=names, transcript_name=row.transcript)


def _at_hand(place: str, kind: type[MmserError], stack: ExitStack) -> str:
    """Return a path as it is, and that of a temporary copy of what is behind a URL."""
    if not is_url(place):
        return place
    filesystem, path = open_filesystem(place, kind)
    if scheme_of(place) in ("file", "local"):
        return str(path)
    try:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="mmser-"))
    except OSError as error:
        raise no_room(place, error) from error
    copy = Path(folder) / _plain_name(place)
    with contextlib.ExitStack() as opened:
        try:
            remote = opened.enter_context(filesystem.open(path, "rb"))
        except Exception as error:
            raise kind(unreachable(place, error)) from error
        _copy(place, remote, copy, kind)
    return str(copy)


def _copy(place: str, remote: Any, copy: Path, kind: type[MmserError]) -> None:
    """Write what comes from `remote` to a file, a piece at a time."""
    try:
        with copy.open("wb") as file:
            while chunk := _read(place, remote, kind):
                file.write(chunk)
    except OSError as error:
        raise no_room(place, error) from error


def _read(place: str, remote: Any, kind: type[MmserError]) -> bytes:
    try:
        chunk: bytes = remote.read(CHUNK_BYTES)
    except Exception as error:
        raise kind(unreachable(place, error)) from error
    return chunk


def _plain_name(url: str) -> str:
    """Return the last part of a URL as a file may be called: reports name a recording by it."""
    path = url.partition("://")[2]
    if scheme_of(url) in ("http", "https"):
        path = re.split(r"[?#]", path)[0]  # what is signed there is no part of the name
    stem, suffix = os.path.splitext(path.rstrip("/").rpartition("/")[2].replace("\0", ""))  # noqa: PTH122
    stem = stem.encode("utf-8", "ignore")[:MAX_NAME].decode("utf-8", "ignore")
    return f"{stem.lstrip('.') or 'call'}{suffix if len(suffix) <= 12 else ''}"


@functools.cache
def _opened(source: DatasetSource) -> Any:
    """Return the rows of a dataset, opened once a process."""
    dataset = open_dataset(source.name, source.split, source.revision)
    if source.audio_column not in dataset.column_names:
        raise DataError(f"{source.name} has no column {source.audio_column!r} any more; start the batch anew")
    # As Arrow: the library's own sound asks for a decoder even where nothing is decoded.
    return dataset.select_columns([source.audio_column]).with_format("arrow")


def _sound(source: DatasetSource, index: int, stack: ExitStack) -> Source:
    """Return the bytes of a row's sound, or the path of its file."""
    rows = _opened(source)
    if not 0 <= index < len(rows):
        raise DataError(
            f"{source.name} has no row {index}, as it holds {len(rows)} now; start the batch anew"
        )
    cell = rows[index][source.audio_column].to_pylist()[0] or {}
    if cell.get("bytes"):
        return bytes(cell["bytes"])
    if not cell.get("path"):
        raise AudioError(
            f"{source.name}, row {index} (counted from 0): it holds no sound; fill it or take it out"
        )
    path = str(cell["path"])
    if not is_url(path) and Path(source.name).is_dir():
        path = str(Path(source.name) / path)
    return _at_hand(path, AudioError, stack)
