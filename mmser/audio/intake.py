"""From what the user gave (path, bytes, file object) to a seekable binary file with a name."""

import hashlib
import io
import os
import shutil
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
        seekable = _seekable(file, stack)
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


def _seekable(file: BinaryIO, stack: ExitStack) -> BinaryIO:
    if not hasattr(file, "seekable") or file.seekable():
        file.seek(0)
        return file
    spool: BinaryIO = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    shutil.copyfileobj(file, spool, CHUNK_BYTES)
    spool.seek(0)
    return spool


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()
