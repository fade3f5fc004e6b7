"""Write the files of one report: all of them, whole, or none."""

import contextlib
import errno
import functools
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from mmser.errors import OutputError


def write_outputs(
    files: Mapping[Path, bytes | str | Path], *, overwrite: bool, stale: Sequence[Path] = ()
) -> None:
    """Write `files`, creating missing folders, and remove `stale` ones.

    Each file is first written in full under a temporary name in its folder and flushed to the disk; only when
    all of them are there do they take their names. After a failure no new file and no new folder is left, and
    files that were to be replaced stand as before.

    Args:
        files: Path → content; text is written as UTF-8, and of a path its file is copied.
        overwrite: Whether existing files may be replaced.
        stale: Files to remove once all the new ones have their names; those that are none are left alone.

    Raises:
        OutputError: if a file exists and `overwrite` is false, if a folder cannot be created, or if the disk
            is full or refuses.
    """
    _require_free(files, overwrite=overwrite)
    undo: list[Callable[[], None]] = []  # newest last
    temporary: list[Path] = []
    try:
        for path, content in files.items():
            _make_folder(path.parent, undo)
            temporary.append(_hidden(path, "tmp"))
            _write_whole(temporary[-1], content)
        backups = [_take_name(name, path, undo) for name, path in zip(temporary, files, strict=True)]
        backups += [_set_aside(path, undo) for path in stale if path.is_file() or path.is_symlink()]
    except BaseException as error:  # an interrupt too leaves nothing behind
        for name in temporary:
            name.unlink(missing_ok=True)
        for step in reversed(undo):
            step()
        if not isinstance(error, OSError):
            raise
        failed = error.filename2 or error.filename or temporary[-1]
        raise OutputError(
            f"{_shown(failed)}: cannot be written: {_why(error)}; nothing was left behind"
        ) from error
    for backup in backups:
        if backup is not None:
            backup.unlink(missing_ok=True)


def check_outputs(files: Iterable[Path], *, overwrite: bool) -> None:
    """Refuse files that cannot be written, before any work is done; nothing is left behind.

    Raises:
        OutputError: if one exists and `overwrite` is false, is no file, has a name that the disk refuses, or
            if its folder cannot be made or takes no file.
    """
    files = tuple(files)
    try:
        _require_free(files, overwrite=overwrite)
    except OSError as error:  # a name too long, a loop of links
        raise _refused(error.filename or files[0], error) from error
    for folder in dict.fromkeys(path.parent for path in files):
        require_writable(folder)


def require_writable(folder: Path) -> None:
    """Make a folder and a file in it, and take both away again: a disk may refuse for many reasons.

    Raises:
        OutputError: if either cannot be made.
    """
    undo: list[Callable[[], None]] = []
    probe = _hidden(folder / "probe", "tmp")
    try:
        _make_folder(folder, undo)
        _write_whole(probe, b"0")
    except OSError as error:
        raise _refused(folder, error) from error
    finally:
        with contextlib.suppress(OSError):  # where nothing can be made nothing is to be taken away
            probe.unlink(missing_ok=True)
        for step in reversed(undo):
            step()


def _refused(name: object, error: OSError) -> OutputError:
    shown = str(name)
    shown = shown if len(shown) <= 120 else f"{shown[:40]}…{shown[-70:]}"
    reasons = {
        errno.ENOENT: "no folder can be made there",  # as pseudo file systems say
        **dict.fromkeys((errno.ENOTDIR, errno.EEXIST), "a file stands where a folder should be"),
    }
    why = reasons.get(error.errno or 0) or _why(error)
    return OutputError(f"{shown}: cannot be written: {why}; choose another folder")


def _require_free(files: Iterable[Path], *, overwrite: bool) -> None:
    for path in files:
        if (path.exists() or path.is_symlink()) and not path.is_file():
            raise OutputError(
                f"{path}: this is not a file that can be replaced; move it or choose another name"
            )
        for folder in path.parents:
            if folder.exists() and not folder.is_dir():
                raise OutputError(
                    f"{folder}: a file stands where the output folder should be; choose another folder"
                )
    standing = [path for path in files if path.exists()]
    if standing and not overwrite:
        raise OutputError(
            f"{standing[0].parent} already holds {standing[0].name}; "
            "give --overwrite to replace it, or choose another place"
        )


def _hidden(path: Path, suffix: str) -> Path:
    # Beside the file, because a rename is only atomic within one file system.
    return path.with_name(f".{path.name[:60]}.{secrets.token_hex(4)}.{suffix}")


def _make_folder(folder: Path, undo: list[Callable[[], None]]) -> None:
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        new.mkdir(exist_ok=True)
        undo.append(functools.partial(_remove_folder, new))


def _remove_folder(folder: Path) -> None:
    # Somebody else may have put a file there since: then it is no longer ours to remove.
    with contextlib.suppress(OSError):
        folder.rmdir()


def _write_whole(name: Path, content: bytes | str | Path) -> None:
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    with name.open("xb") as file:
        if isinstance(data, Path):
            with data.open("rb") as source:
                shutil.copyfileobj(source, file, 1 << 20)
        else:
            file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _take_name(name: Path, path: Path, undo: list[Callable[[], None]]) -> Path | None:
    """Rename `name` to `path`; return where the file that stood there waits until all went well."""
    if not path.exists():
        name.replace(path)
        undo.append(functools.partial(path.unlink, missing_ok=True))
        return None
    backup = _set_aside(path, undo)
    name.replace(path)
    return backup


def _set_aside(path: Path, undo: list[Callable[[], None]]) -> Path:
    backup = _hidden(path, "old")
    path.replace(backup)
    undo.append(functools.partial(_put_back, backup, path))
    return backup


def _put_back(backup: Path, path: Path) -> None:
    backup.replace(path)


def _shown(name: object) -> str:
    """Return the name that the user gave for a temporary one."""
    path = Path(os.fsdecode(name)) if isinstance(name, str | bytes | os.PathLike) else Path(str(name))
    match = re.fullmatch(r"\.(.*)\.[0-9a-f]{8}\.(?:tmp|old)", path.name)
    return str(path.with_name(match[1]) if match else path)


def _why(error: OSError) -> str:
    reasons = {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the disk quota is used up",
        errno.EFBIG: "it is larger than this system allows",
        errno.EROFS: "the disk is read-only",
        errno.EACCES: "permission is denied",
        errno.EPERM: "permission is denied",
        errno.ENAMETOOLONG: "the name is too long",
    }
    return reasons.get(error.errno or 0, error.strerror or str(error))
