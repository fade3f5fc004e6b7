"""One run at a time in a batch's folder."""

import contextlib
import json
import os
import platform
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import psutil
from filelock import FileLock, Timeout

from mmser.batch.place import Place
from mmser.errors import OutputError

HOLDER: Final = ".running.json"
LOCK: Final = ".lock"


@contextlib.contextmanager
def holding(place: Place) -> Iterator[None]:
    """Keep every other run out of a batch's folder meanwhile.

    Raises:
        OutputError: if another run holds it.
    """
    with contextlib.ExitStack() as stack:
        if place.folder is not None:
            lock = FileLock(place.folder / LOCK)
            try:
                place.folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(lock.acquire(timeout=0))
            except Timeout as error:
                raise _held(place) from error
            except OSError as error:
                raise OutputError(f"{place.out} cannot be locked: {error.strerror or error}") from error
        elif place.read(HOLDER) is not None and not _is_gone(place):
            raise _held(place, f"; if that one is gone, remove {place.out}/{HOLDER}")
        me = {"pid": os.getpid(), "host": platform.node(), "started": now(), "token": secrets.token_hex(8)}
        place.write(HOLDER, json.dumps(me).encode())
        if place.read(HOLDER) != json.dumps(me).encode():  # another began at the same moment
            raise _held(place)
        stack.callback(place.remove, HOLDER)
        yield


def is_held(place: Place) -> bool | None:
    """Tell whether a run holds a batch's folder; None where it cannot be told, as behind a URL."""
    if place.folder is None:
        return None
    if not (place.folder / LOCK).exists():
        return False
    try:
        with FileLock(place.folder / LOCK).acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return None


def _is_gone(place: Place) -> bool:
    """Tell whether the run that a URL is said to be held by was one of this machine, and is no more."""
    try:
        told = json.loads(place.read(HOLDER) or b"")
        return told["host"] == platform.node() and not psutil.pid_exists(int(told["pid"]))
    except (ValueError, KeyError, TypeError):
        return False


def holder_of(place: Place) -> str | None:
    """Say who holds a batch's folder, as far as is known; None where nobody does."""
    content = place.read(HOLDER)
    if content is None:
        return None
    try:
        told = json.loads(content)
        return f"process {told['pid']} on {told['host']}, since {told['started']}"
    except (ValueError, KeyError, TypeError):
        return "another process"


def _held(place: Place, remedy: str = "") -> OutputError:
    who = holder_of(place) or "another process"
    return OutputError(
        f"{place.out} is held by another run ({who}); wait for it, or give another OUT{remedy}"
    )


def now() -> str:
    """Return the time, in UTC, as outputs state it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
