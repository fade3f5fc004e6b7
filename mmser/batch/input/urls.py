"""Folders and files behind URLs, through fsspec: s3://, gs://, memory:// and what else is installed."""

import posixpath
from collections.abc import Sequence
from typing import Any, Final

from mmser.errors import DataError, MmserError

# What brings the file system of a scheme; fsspec names some of them only, and none as pip does.
_PACKAGES: Final = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "http": "aiohttp",
    "https": "aiohttp",
    "sftp": "paramiko",
    "ssh": "paramiko",
}


def is_url(text: str) -> bool:
    """Tell a URL from a path."""
    return "://" in text


def joined(folder: str, path: str) -> str:
    """Return a path or URL in a folder, written as this one is ("./" stays); "" is the folder at hand."""
    return f"{folder}{path}" if not folder or folder.endswith("/") else f"{folder}/{path}"


def scheme_of(url: str) -> str:
    """Return "s3" of "s3://bucket/name"."""
    return url.partition("://")[0].lower()


def open_filesystem(url: str, kind: type[MmserError] = DataError) -> tuple[Any, str]:
    """Return the fsspec file system of a URL and the path there.

    Args:
        url: with a scheme.
        kind: of the error.

    Raises:
        MmserError: of that kind, if its package is not installed, the scheme is unknown or its settings are
            wrong.
    """
    from fsspec.core import url_to_fs

    try:
        filesystem, path = url_to_fs(url)
    except ImportError as error:
        package = _PACKAGES.get(scheme_of(url))
        remedy = f"install it with: pip install {package}" if package else f"install it ({error})"
        raise kind(f"{url} needs a package that is not installed; {remedy}") from error
    except Exception as error:  # each file system has its own, for credentials and settings
        raise kind(unreachable(url, error)) from error
    return filesystem, path


def unreachable(url: str, error: Exception) -> str:
    """Say in a sentence why what is behind a URL cannot be read."""
    said = (str(error).splitlines() or [""])[0].rstrip(".") or type(error).__name__
    if isinstance(error, FileNotFoundError):
        return f"{url} does not exist; check the URL"
    if isinstance(error, IsADirectoryError):
        return f"{url} is a folder; name a file in it"
    if isinstance(error, PermissionError):
        return f"{url} may not be read ({said}); check the credentials of this machine and their rights"
    if isinstance(error, ValueError) and "not known" in said:
        return f"{url} begins with a scheme that is not known; give s3://, gs://, https://, file:// or a path"
    return f"{url} cannot be reached ({said}); check the URL, the connection and the credentials, and go on"


def read_url(url: str) -> bytes:
    """Return what is behind a URL, whole.

    Raises:
        DataError: if it cannot be read.
    """
    filesystem, path = open_filesystem(url)
    try:
        with filesystem.open(path, "rb") as file:
            data: bytes = file.read()
    except Exception as error:
        raise DataError(unreachable(url, error)) from error
    return data


def kind_of_url(url: str) -> str:
    """Return "file", "folder" or "missing".

    Raises:
        DataError: if it cannot be told.
    """
    filesystem, path = open_filesystem(url)
    try:
        if not url.endswith("/") and filesystem.isfile(path):
            return "file"
        return "folder" if filesystem.isdir(path) else "missing"
    except Exception as error:
        raise DataError(unreachable(url, error)) from error


def find_files(url: str) -> list[str]:
    """Return the URLs of all files under a folder.

    Raises:
        DataError: if it cannot be listed.
    """
    filesystem, path = open_filesystem(url)
    try:
        return [filesystem.unstrip_protocol(name) for name in filesystem.find(path)]
    except Exception as error:
        raise DataError(unreachable(url, error)) from error


def match_files(url: str) -> list[str]:
    """Return the URLs of all files that a pattern means; of a folder that it means, those under it.

    Raises:
        DataError: if it cannot be listed.
    """
    filesystem, path = open_filesystem(url)
    found: dict[str, None] = {}
    try:
        for name, facts in filesystem.glob(path, detail=True).items():
            inner = filesystem.find(name) if facts["type"] == "directory" else [name]
            found |= dict.fromkeys(filesystem.unstrip_protocol(one) for one in inner)
    except Exception as error:
        raise DataError(unreachable(url, error)) from error
    return list(found)


def list_folder(url: str) -> list[str]:
    """Return the names in a folder, without its path.

    Raises:
        DataError: if it cannot be listed.
    """
    filesystem, path = open_filesystem(url)
    try:
        return [posixpath.basename(name.rstrip("/")) for name in filesystem.ls(path, detail=False)]
    except Exception as error:
        raise DataError(unreachable(url, error)) from error


def root_url(url: str) -> str:
    """Return a URL as file systems write it themselves, so that what they list begins with it."""
    filesystem, path = open_filesystem(url)
    root = str(filesystem.unstrip_protocol(path))
    return root if root.endswith("://") else root.rstrip("/")


def join_url(folder: str, parts: Sequence[str]) -> str:
    """Return the URL of a path in a folder; ".." leads out of it, but not out of the bucket."""
    scheme, divider, path = folder.partition("://")
    bucket, slash, rest = path.partition("/")
    inner = posixpath.normpath(posixpath.join("/", rest, *parts)).lstrip("/")
    return f"{scheme}{divider}{bucket}{slash or '/'}{inner}"
