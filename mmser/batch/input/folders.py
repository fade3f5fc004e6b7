"""Recordings of a folder, of a glob, and single ones, each with the transcript that lies beside it."""

import fnmatch
import glob
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from mmser.batch.input.part import Part, storable
from mmser.batch.input.urls import find_files, joined, list_folder, match_files, root_url, scheme_of
from mmser.batch.records import CallRow
from mmser.data.tables import AUDIO_SUFFIXES, TRANSCRIPT_SUFFIXES, is_audio, is_unicode, listing
from mmser.errors import DataError

Listing = Callable[[str], list[str]]  # path or URL of a folder → the names in it
_MAGIC: Final = re.compile(r"[*?[]")


def is_glob(text: str) -> bool:
    """Tell whether a text can be a pattern."""
    return _MAGIC.search(text) is not None


def local_names(folder: str) -> list[str]:
    """Return the names in a folder.

    Raises:
        DataError: if it cannot be read.
    """
    try:
        return [path.name for path in Path(folder or ".").iterdir()]
    except OSError as error:
        raise _unreadable(folder, error) from error


def read_folder(folder: str) -> Part:
    """Return the recordings under a folder, at any depth, sorted; hidden names are left out.

    Links are followed, but no folder is searched twice.

    Raises:
        DataError: if there is none, or a folder cannot be read.
    """
    names = sorted(_below(path, folder) for path in _walk(folder))
    if not any(is_audio(PurePosixPath(name)) for name in names):
        raise DataError(f"{folder} holds no recordings; {_allowed(names)}")
    return _part(names, names, lambda name: joined(folder, name))


def read_url_folder(url: str) -> Part:
    """Return the recordings under the URL of a folder, as `read_folder` does.

    Raises:
        DataError: if there is none, or the folder cannot be listed.
    """
    root = root_url(url)
    names = sorted(_shown(_below(name, root) for name in find_files(url)))
    if not any(is_audio(PurePosixPath(name)) for name in names):
        raise DataError(f"{url} holds no recordings; {_allowed(names)}")
    return _part(names, names, lambda name: f"{root}/{name}")


def read_glob(pattern: str, names_in: Listing) -> Part:
    """Return the recordings that a pattern means, sorted; "**" stands for folders at any depth.

    A folder that it means is searched as `read_folder` does. Ids are relative to the fixed part.

    Raises:
        DataError: if there is none, or a folder cannot be read.
    """
    fixed, rest = _parted(pattern)
    names = {_below(path, fixed) for path in _matches(fixed, rest)}
    found = sorted(name for name in names if is_audio(PurePosixPath(name)))
    if not found:
        raise DataError(f"{pattern} matches no recordings; {_allowed(sorted(names))}")

    def address(name: str) -> str:
        return joined(fixed, name)

    return _part(found, _beside(found, address, names_in), address)


def read_url_glob(url: str, names_in: Listing) -> Part:
    """Return the recordings that a URL with a pattern means, as `read_glob` does.

    Raises:
        DataError: if there is none, or it cannot be listed.
    """
    root = root_url(_fixed(url))
    names = set(_shown(_below(name, root) for name in match_files(url)))
    found = sorted(name for name in names if is_audio(PurePosixPath(name)))
    if not found:
        raise DataError(f"{url} matches no recordings; {_allowed(sorted(names))}")

    def address(name: str) -> str:
        return f"{root}/{name}"

    return _part(found, _beside(found, address, names_in), address)


def read_file(path: str, names_in: Listing) -> Part:
    """Return one recording, by its path or URL; its id is its name without suffix.

    Raises:
        DataError: if its folder cannot be listed.
    """
    folder, _, name = path.rpartition("/")
    folder = folder or ("/" if path.startswith("/") else "")

    def address(name: str) -> str:
        return path[: path.rfind("/") + 1] + name

    return _part([name], names_in(folder), address)


def names_beside() -> Listing:
    """Return what lists folders, by path or URL, and each of them once: thousands of files have one."""
    known: dict[str, list[str]] = {}

    def names_in(folder: str) -> list[str]:
        if folder not in known:
            if "://" not in folder:
                known[folder] = local_names(folder)
            else:  # a web server lists nothing
                known[folder] = [] if scheme_of(folder) in ("http", "https") else list_folder(folder)
        return known[folder]

    return names_in


def _beside(names: Sequence[str], address: Callable[[str], str], names_in: Listing) -> list[str]:
    """Return the names of all files in the folders of `names`, relative as these are."""
    folders = dict.fromkeys(name.rpartition("/")[0] for name in names)
    found = []
    for folder in folders:
        inside = names_in(address(folder).rstrip("/") or address(folder))
        found += [f"{folder}/{name}" if folder else name for name in inside]
    return found


def _part(names: Sequence[str], others: Iterable[str], address: Callable[[str], str]) -> Part:
    """Return a row for each recording.

    Args:
        names: relative paths; what is no recording is left out.
        others: relative paths of what lies beside, transcripts among it.
        address: from a relative path to a path or URL.
    """
    recordings = [name for name in names if is_audio(PurePosixPath(name))]
    whole, count = set(recordings), Counter(_stem(name) for name in recordings)
    beside: dict[str, list[str]] = defaultdict(list)
    for other in others:
        if other.lower().endswith(TRANSCRIPT_SUFFIXES) and not other.rpartition("/")[2].startswith("."):
            beside[_stem(other)].append(other)
    rows, places = [], []
    for name in recordings:
        stem = _stem(name)
        # "a.wav" beside "a.mp3", or beside "a.wav.flac": the whole names differ.
        own = name if count[stem] > 1 or stem in whole else stem
        rows.append(_row(own, address(name), sorted(beside.get(stem, ())), address))
        places.append(rows[-1].audio[0])
    return Part(rows=rows, place=places.__getitem__)


def _row(own: str, audio: str, transcripts: Sequence[str], address: Callable[[str], str]) -> CallRow:
    problem = None
    if not is_unicode(audio):
        problem = f"the name of {storable(audio)!r} is not UTF-8; rename it"
    elif len(transcripts) > 1:
        told = listing(storable(name.rpartition("/")[2]) for name in transcripts)
        problem = f"{audio} has {len(transcripts)} transcripts: {told}; keep one"
    return CallRow(
        id=storable(own),
        audio=(storable(audio),),
        transcript=storable(address(transcripts[0])) if len(transcripts) == 1 else None,
        problem=problem,
    )


def _stem(name: str) -> str:
    """Return a relative path without the suffix of its last part."""
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and "/" not in suffix else name


def _below(path: str, root: str) -> str:
    return path.removeprefix(root).lstrip("/") if root else path


def _shown(names: Iterable[str]) -> list[str]:
    return [name for name in names if not any(part.startswith(".") for part in name.split("/"))]


def _allowed(names: Sequence[str]) -> str:
    """End a message that there are no recordings."""
    if any(name.lower().endswith(TRANSCRIPT_SUFFIXES) for name in names):
        return (
            "of transcripts alone give a manifest with a column 'transcript' (recordings end in "
            f"{', '.join(AUDIO_SUFFIXES)})"
        )
    return f"a recording ends in {', '.join(AUDIO_SUFFIXES)}"


def _walk(root: str) -> list[str]:
    """Return the files under a folder; folders behind links come last, and each folder once.

    Raises:
        DataError: if one cannot be read.
    """
    folders = [root]
    links: list[str] = []
    found: list[str] = []
    seen: set[tuple[int, int]] = set()
    while folders or links:
        folder = folders.pop() if folders else links.pop()
        try:
            about = os.stat(folder)  # noqa: PTH116
            if (about.st_dev, about.st_ino) in seen:
                continue
            seen.add((about.st_dev, about.st_ino))
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if not _is_folder(entry):
                        found.append(entry.path)
                    elif entry.is_symlink():
                        links.append(entry.path)
                    else:
                        folders.append(entry.path)
        except OSError as error:
            raise _unreadable(folder, error) from error
        links.sort(reverse=True)
    return found


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: as a file it is told of where it is called a recording
        return False


def _parted(pattern: str) -> tuple[str, str]:
    """Return the folders of a pattern before its first sign, and the rest; one that exists has no signs."""
    fixed, rest = "", pattern
    while "/" in rest:
        part, _, after = rest.partition("/")
        if is_glob(part) and not os.path.lexists(f"{fixed}{part}"):
            break
        fixed, rest = f"{fixed}{part}/", after
    return fixed, rest


def _fixed(pattern: str) -> str:
    """Return the folders of a URL before its first sign."""
    match = _MAGIC.search(pattern)
    head = pattern[: match.start()] if match else pattern
    folder = head[: head.rfind("/") + 1]
    return folder if folder.endswith("://") else folder.rstrip("/") or folder


def _matches(fixed: str, pattern: str) -> list[str]:
    """Return the files that a pattern within `fixed` means; of a folder that it means, those under it."""
    parts, start = pattern.split("/"), glob.escape(fixed)
    if "**" not in parts:
        return [one for path in glob.glob(start + pattern) for one in _files(path)]  # noqa: PTH207
    # The library's "**" goes round in circles of links.
    first = parts.index("**")
    head, wanted = "".join(f"{part}/" for part in parts[:first]), parts[first:]
    paths = []
    for root in glob.glob(start + head) if is_glob(head) else [fixed + head]:  # noqa: PTH207
        for path in _walk(root or ".") if os.path.isdir(root or ".") else ():  # noqa: PTH112
            name = _below(path, root or ".")
            if _fits(name.split("/"), wanted):
                paths.append(root + name)
    return paths


def _files(path: str) -> list[str]:
    return _walk(path) if os.path.isdir(path) else [path]  # noqa: PTH112


def _fits(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    """Tell whether a path, or a folder on its way, is what the parts of a pattern mean."""
    if not wanted:
        return True
    if wanted[0] == "**":
        return any(_fits(parts[i:], wanted[1:]) for i in range(len(parts) + 1))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], wanted[0]) and _fits(parts[1:], wanted[1:])


def _unreadable(folder: str, error: OSError) -> DataError:
    reason = error.strerror or str(error)
    return DataError(f"{folder or '.'} cannot be read: {reason}; mend it or take it out")
