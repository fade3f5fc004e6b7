"""A large file from the network: resumed where it broke off, verified, and there as a whole or not at all."""

import contextlib
import errno
import hashlib
import http.client
import os
import re
import shutil
import time
from collections.abc import Iterator
from http import HTTPStatus
from io import FileIO
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from mmser import __version__
from mmser.errors import ModelError, OutputError
from mmser.progress import ProgressCallback, ignore_progress

try:
    import fcntl
except ImportError:  # Windows: two at once waste their work there, and the sum of the whole tells
    fcntl = None  # type: ignore[assignment]

STAGE = "fetching"  # in bytes
TIMEOUT = 30.0  # s without a byte
TRIES = 4  # the first, and three more where a connection is cut
PAUSE = 1.0  # s before the next; two before the one after it, and three
WAIT = 0.2  # s between two looks at a file that another process fetches
BLOCK = 1 << 20  # bytes
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_BUSY = (408, 429, 500, 502, 503, 504)  # answers of a server that may have another a moment later
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # a network drive without them


class UnreachableError(Exception):
    """The network gave nothing; the text says why, in a few words."""


class _CutError(Exception):
    """What was asked for did not come whole, and may at the next try."""


class _NoNetworkError(_CutError):
    """There is no way to the server: none at all, if it is so from the first."""


def download(url: str, path: Path, sha256: str, progress: ProgressCallback = ignore_progress) -> None:
    """Fetch a file; what an earlier try left beside it, in `NAME.part`, is not fetched again.

    Two processes may ask for one file at once: the second waits, and finds it there.

    Args:
        url: of a server; one that knows ranges resumes.
        path: of the file; its folder is made.
        sha256: of the whole, in hexadecimal digits.
        progress: called with "fetching", bytes done, bytes in all.

    Raises:
        UnreachableError: if the network does not give it; what came is kept.
        ModelError: if what came is not what was asked for; nothing is kept.
        OutputError: if it cannot be written or there is no room; what came is kept.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _held(part, path, progress) as file:
            if file is None:
                return
            _receive(url, sha256, file, progress)
            if _sha256(file) != sha256:
                _let_go(file)
                part.unlink()
                raise ModelError(
                    f"what came from {url} is not the file that its address names (sha256 {sha256[:12]}…) "
                    "and was removed; run again, and if it comes so again, a proxy on the way changes it"
                )
            os.fsync(file.fileno())
            _let_go(file)
            part.replace(path)
    except OSError as error:
        raise OutputError(
            f"{error.filename or part} cannot be written: {error.strerror or error}; make it writable or "
            "name another folder with --model-dir"
        ) from error


@contextlib.contextmanager
def _held(part: Path, path: Path, progress: ProgressCallback) -> Iterator[FileIO | None]:
    """Hold what there is of a file against other processes; None once one of them has brought the whole.

    The lock is on the file itself: it ends with its process, however that ends.
    """
    while True:
        with part.open("a+b", buffering=0) as file:
            while not _locked(file):
                progress(STAGE, os.fstat(file.fileno()).st_size, 0)
                time.sleep(WAIT)
            # Whoever held it before has renamed or removed it, or was ended.
            same = part.exists() and os.path.samestat(os.fstat(file.fileno()), part.stat())
            if path.exists():
                if same:
                    _let_go(file)
                    part.unlink()
                yield None
                return
            if same:
                yield file
                return


def _locked(file: FileIO) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True


def _let_go(file: FileIO) -> None:
    if fcntl is None:
        file.close()  # Windows renames and removes no open file; elsewhere the lock must outlast that


def _receive(url: str, sha256: str, file: FileIO, progress: ProgressCallback) -> None:
    """Bring the rest of a file, going on where the connection was cut."""
    for left in reversed(range(TRIES)):
        try:
            _receive_once(url, sha256, file, progress)
            return
        except _CutError as cut:
            if not left or (left == TRIES - 1 and isinstance(cut, _NoNetworkError)):
                kept = file.seek(0, os.SEEK_END)
                told = f", {megabytes(kept)} are kept for the next run" if kept else ""
                raise UnreachableError(f"{cut}{told}") from cut
            time.sleep(PAUSE * (TRIES - left))


def _receive_once(url: str, sha256: str, file: FileIO, progress: ProgressCallback) -> None:
    done = file.seek(0, os.SEEK_END)
    answer = _ask(url, done)
    if answer is None:  # there is nothing after what is here: either that is all, or it is something else
        if _sha256(file) == sha256:
            return
        file.truncate(0)
        raise _CutError("the server does not go on with what is here")
    with answer:
        if answer.status != HTTPStatus.PARTIAL_CONTENT:
            done = 0  # the server sends the whole
            file.truncate(0)
        elif _first_byte(answer) not in (None, done):
            file.truncate(0)
            raise _CutError("the server does not go on with what is here")
        length = answer.headers.get("Content-Length", "")
        total = done + int(length) if length.isdecimal() else 0
        _check_room(file, total - done)
        progress(STAGE, done, total)
        told = done
        while block := _read(answer):
            _write(file, block, total)
            done += len(block)
            if done == total or done - told >= BLOCK:
                progress(STAGE, done, total)
                told = done
    if done < total:  # a cut connection reads like an end
        raise _CutError("the connection was cut")


def _ask(url: str, start: int) -> http.client.HTTPResponse | None:
    """Return a server's answer; None where it has nothing from `start` (in bytes) on."""
    headers = {"User-Agent": f"mmser/{__version__}"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        answer: http.client.HTTPResponse = urlopen(Request(url, headers=headers), timeout=TIMEOUT)
        return answer
    except HTTPError as error:
        error.close()
        if start and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return None
        reason = f"the server answered {error.code} {error.reason}".strip()
        raise (_CutError if error.code in _BUSY else UnreachableError)(reason) from error
    except URLError as error:
        inner = error.reason
        reason = (inner.strerror if isinstance(inner, OSError) else None) or str(inner)
        raise _NoNetworkError(f"no network: {reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise _CutError(_why_cut(error)) from error
    except ValueError as error:  # the address of a proxy
        raise _NoNetworkError(f"no network: {error}") from error


def _first_byte(answer: http.client.HTTPResponse) -> int | None:
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _read(answer: http.client.HTTPResponse) -> bytes:
    # read would gather a whole block first, and lose what it has of it when the connection is cut.
    try:
        return answer.read1(BLOCK)
    except (OSError, http.client.HTTPException) as error:
        raise _CutError(_why_cut(error)) from error


def _why_cut(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"the server was silent for {TIMEOUT:g} s"
    return "the connection was cut"


def _check_room(file: FileIO, needed: int) -> None:
    """Tell at once, not after an hour, that a disk is too small; one that says 0 does not know."""
    free = shutil.disk_usage(Path(str(file.name)).parent).free
    if 0 < free < needed:
        raise _no_room(file, needed, os.strerror(errno.ENOSPC))


def _write(file: FileIO, block: bytes, total: int) -> None:
    view = memoryview(block)
    try:
        while view:
            view = view[file.write(view) :]
    except OSError as error:
        if error.errno not in FULL:
            raise
        needed = max(0, total - file.seek(0, os.SEEK_END))
        raise _no_room(file, needed, os.strerror(error.errno)) from error


def _no_room(file: FileIO, needed: int, reason: str) -> OutputError:
    more = megabytes(needed) if needed else "more room"
    return OutputError(
        f"{file.name} cannot take the {more} that are still to come ({reason}); free space or name another "
        "folder with --model-dir, and what has come is not fetched again"
    )


def megabytes(size: int) -> str:
    """Write a number of bytes in MB, rounded up."""
    return f"{-(-size // 1_000_000)} MB"


def _sha256(file: FileIO) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()
