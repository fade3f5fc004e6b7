"""From what the user gave (path, bytes, file object) to a seekable binary file with a name."""

import hashlib
import io
import os
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from mmser.errors import AudioError, UsageError

Source = str | PathLike[str] | bytes | BinaryIO
"""One recording, as a path, its bytes or a binary file object."""

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Intake:
    """A seekable binary file and what is known of where it came from."""

    file: BinaryIO
    path: str | None  # as the user gave it; None for bytes and unnamed file objects
    name: str  # for messages
    stem: str | None
    sha256: str
    on_disk: bool  # `path` can be opened again by its name


def take_in(source: Source, stack: ExitStack) -> Intake:
    """Open `source` for seeking and hash it by streaming; `stack` closes what was opened here.

    Raises:
        AudioError: if the source is missing, a folder, empty or unreadable.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        file: BinaryIO = io.BytesIO(bytes(source))
        path, name, stem = None, f"the audio given ({len(source)} bytes)", None
    elif isinstance(source, str | PathLike):
        path = name = os.fspath(source)
        stem = Path(path).stem
        file = _open_path(path, stack)
    elif hasattr(source, "read"):
        given = getattr(source, "name", None)
        path = given if isinstance(given, str) and Path(given).is_file() else None
        name, stem = path or "the audio stream", Path(path).stem if path else None
        file = source
    else:
        raise UsageError(
            f"a recording must be a path, bytes or a binary file object, not {type(source).__name__}"
        )
    try:
        seekable = _seekable(name, file, stack)
        digest = _sha256(seekable)
    except (OSError, ValueError, TypeError) as error:
        raise AudioError(f"{name} cannot be read: {error}") from error
    if not seekable.tell():
        raise AudioError(f"{name} is empty (0 bytes); give a file that holds audio")
    # A name that is not UTF-8 holds surrogates, which libsndfile is not given: it reads the opened file.
    named = path is not None and path.encode("utf-8", "replace").decode() == path
    on_disk = isinstance(source, str | PathLike) and seekable is file and named
    return Intake(file=seekable, path=path, name=name, stem=stem, sha256=digest, on_disk=on_disk)


def _open_path(path: str, stack: ExitStack) -> BinaryIO:
    if not path:
        raise AudioError("the path of the recording is empty; name an audio file")
    try:
        if Path(path).is_dir():
            raise AudioError(f"{path} is a folder; name an audio file in it")
        if Path(path).exists() and not Path(path).is_file():
            # A pipe gives its bytes once, a device may never end; a recording is read several times.
            raise AudioError(f"{path} is a pipe or a device, not a file; save the recording to a file first")
        return stack.enter_context(Path(path).open("rb"))
    except FileNotFoundError as error:
        raise AudioError(f"{path} does not exist; check the path of the recording") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        reason = getattr(error, "strerror", None) or error
        raise AudioError(f"{path!r} cannot be read: {reason}") from error


def make_copy_path(name: str, stack: ExitStack) -> str:
    """Make an empty temporary file for the decoded samples of `name` and return its path; `stack` deletes it.

    Raises:
        AudioError: if it cannot be made.
    """
    try:
        return stack.enter_context(tempfile.NamedTemporaryFile(suffix=".flac")).name
    except OSError as error:
        raise no_room(name, error) from error


def no_room(name: str, error: Exception) -> AudioError:
    """Return the error for a temporary copy that cannot be written, or not whole."""
    reason = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    folder = tempfile.tempdir or "the folder for temporary files"  # None where no folder was found
    return AudioError(
        f"{name} needs room for a temporary copy, which cannot be written in {folder} "
        f"({reason.rstrip('.')}); free space there, or name another folder in TMPDIR"
    )


def _seekable(name: str, file: BinaryIO, stack: ExitStack) -> BinaryIO:
    if not hasattr(file, "seekable") or file.seekable():
        file.seek(0)
        return file
    try:
        spool: BinaryIO = stack.enter_context(tempfile.TemporaryFile(buffering=0))  # noqa: SIM115
    except OSError as error:
        raise no_room(name, error) from error
    while chunk := file.read(CHUNK_BYTES):
        _write_whole(name, spool, chunk)
    spool.seek(0)
    return spool


def _write_whole(name: str, spool: BinaryIO, chunk: bytes) -> None:
    view = memoryview(chunk)
    try:
        while view:  # without a buffer a write may take a part only, the last before the disk is full
            view = view[spool.write(view) :]
    except OSError as error:
        raise no_room(name, error) from error


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()
