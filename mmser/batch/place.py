"""The folder that a batch is kept in: on this machine, or an object storage behind a URL."""

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mmser.batch.input.urls import is_url, open_filesystem, scheme_of
from mmser.errors import OutputError
from mmser.report.writing import require_writable


class Place:
    """Reads and writes the files of one folder, by their names in it ("calls/part-00000.parquet")."""

    def __init__(self, out: str | os.PathLike[str]) -> None:
        """Look nowhere yet.

        Raises:
            OutputError: if it is empty, or a URL of a kind that nothing installed knows.
        """
        self.out = os.fspath(out)
        if not self.out.strip():
            raise OutputError("the path of OUT is empty; name a folder or URL")
        self.folder: Path | None = None  # None behind a URL
        if not is_url(self.out) or scheme_of(self.out) in ("file", "local"):
            self.folder = Path(self.out.partition("://")[2] if is_url(self.out) else self.out)
            return
        self._fs, self._root = open_filesystem(self.out, OutputError)

    def check(self) -> None:
        """Refuse a folder that cannot be written to.

        Raises:
            OutputError: if so.
        """
        if self.folder is not None:
            require_writable(self.folder)
        else:
            self.write(".probe", b"0")
            self.remove(".probe")

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all.

        Raises:
            OutputError: if it cannot be written.
        """
        if self.folder is not None:
            _replace(self.folder / name, content)
            return
        with self._told(name):
            path = self._path(name)
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._fs.pipe_file(path, content)

    def read(self, name: str) -> bytes | None:
        """Return what a file holds; None where there is none."""
        if self.folder is not None:
            path = self.folder / name
            return path.read_bytes() if path.is_file() else None
        with self._told(name):
            try:
                return bytes(self._fs.cat_file(self._path(name)))
            except FileNotFoundError:
                return None

    def names(self, folder: str, suffix: str) -> list[str]:
        """Return the names of the files in a folder of the place that end so, sorted."""
        if self.folder is not None:
            found = [path.name for path in (self.folder / folder).glob(f"*{suffix}")]
        else:
            with self._told(folder):
                try:
                    listed = self._fs.ls(self._path(folder), detail=False)
                except FileNotFoundError:
                    listed = []
            found = [path.rstrip("/").rsplit("/", 1)[-1] for path in listed]
        return sorted(
            f"{folder}/{name}" for name in found if name.endswith(suffix) and not name.startswith(".")
        )

    def is_empty(self) -> bool:
        """Tell whether nothing is there, hidden files aside."""
        if self.folder is not None:
            return not self.folder.exists() or not any(
                path for path in self.folder.iterdir() if not path.name.startswith(".")
            )
        with self._told(""):
            try:
                listed = self._fs.ls(self._root, detail=False)
            except FileNotFoundError:
                return True
        return all(path.rstrip("/").rsplit("/", 1)[-1].startswith(".") for path in listed)

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all that it holds; what is not there is gone already."""
        if self.folder is not None:
            path = self.folder / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            return
        with self._told(name), contextlib.suppress(FileNotFoundError):
            self._fs.rm(self._path(name), recursive=True)

    def has(self, name: str) -> bool:
        """Tell whether there is a file or folder of that name."""
        if self.folder is not None:
            return (self.folder / name).exists()
        with self._told(name):
            return bool(self._fs.exists(self._path(name)))

    @contextlib.contextmanager
    def local_folder(self, name: str) -> Iterator[Path]:
        """Give a folder on this machine to write into; behind a URL its files are sent there at the end."""
        if self.folder is not None:
            yield self.folder / name
            return
        with tempfile.TemporaryDirectory() as made:
            yield Path(made)
            for path in Path(made).iterdir():
                self.write(f"{name}/{path.name}", path.read_bytes())

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    @contextlib.contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """Say of a storage that refuses which file it was."""
        try:
            yield
        except FileNotFoundError:
            raise
        except Exception as error:  # every storage has errors of its own kinds
            raise OutputError(f"{self.out}/{name} cannot be read or written: {error}") from error


def _replace(path: Path, content: bytes) -> None:
    """Write a file in one step: at every moment the old one or the new one has its name, also when killed."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}; what is finished is kept: make room, and "
            "the same command goes on"
        ) from error


def _sync(folder: Path) -> None:
    """Bring a folder's names to the disk, so that a power cut does not take back a renaming."""
    with contextlib.suppress(OSError):  # some file systems know no such thing
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
