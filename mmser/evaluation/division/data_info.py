"""Which data a result is of: rows, speakers, terms, and hashes that another machine can check."""

import functools
import hashlib
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from mmser.data import Example
from mmser.data.audit.columns import UNASSIGNED
from mmser.data.licences import licence_of
from mmser.data.schema import SPLITS
from mmser.errors import DataError
from mmser.evaluation.result import DataInfo


def data_info(
    scored: Sequence[Example], everything: Sequence[Example], trained: Sequence[Example] = ()
) -> tuple[DataInfo, ...]:
    """Return what is to be said of each corpus that is scored, in order of appearance.

    Args:
        scored: rows that numbers are of; `files`, `sha256` and `rows_sha256` are of them alone.
        everything: rows of all splits, whose counts are given.
        trained: rows of any corpus that trained or validated what is scored, those of all folds together;
            `train_sha256` is over them, each once, and not over their files.

    Raises:
        DataError: if a clip cannot be read.
    """
    train_sha256 = _train_sha256(trained) if trained else None
    return tuple(
        _corpus_info(corpus, own, [e for e in everything if e.corpus == corpus], train_sha256)
        for corpus, own in _by_corpus(scored).items()
    )


def _by_corpus(examples: Iterable[Example]) -> dict[str, list[Example]]:
    rows: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        rows[example.corpus].append(example)
    return rows


def _train_sha256(trained: Sequence[Example]) -> str:
    """Return a hash over the corpora's own: wherever the corpora lie, it is the same."""
    digest = hashlib.sha256()
    for corpus, own in sorted(_by_corpus(dict.fromkeys(trained)).items()):
        names = relative_names([example.audio for example in own if example.audio is not None])
        digest.update(f"{rows_sha256(own, names)}  {corpus}\n".encode())
    return digest.hexdigest()


def _corpus_info(
    corpus: str, scored: Sequence[Example], everything: Sequence[Example], train_sha256: str | None
) -> DataInfo:
    licence = licence_of(corpus)
    names = relative_names([example.audio for example in scored if example.audio is not None])
    splits = Counter(example.split or UNASSIGNED for example in everything)
    speakers = {(example.split or UNASSIGNED, example.speaker) for example in everything if example.speaker}
    voices = Counter(split for split, _ in speakers)
    order = [split for split in (*SPLITS, UNASSIGNED) if splits[split]]
    return DataInfo(
        corpus=corpus,
        rows={split: splits[split] for split in order},
        speakers={split: voices[split] for split in order},
        license=None if licence is None else licence.name,
        files=len(set(names.values())),
        sha256=files_sha256(names) if names else None,
        rows_sha256=rows_sha256(scored, names),
        train_sha256=train_sha256,
    )


def relative_names(paths: Sequence[Path]) -> dict[Path, str]:
    """Return each file's name from the folder on that all of them lie under, with forward slashes."""
    whole = {path: Path(os.path.normpath(path.absolute())) for path in paths}
    if not whole:
        return {}
    common = os.path.commonpath([path.parent for path in whole.values()])
    return {path: full.relative_to(common).as_posix() for path, full in whole.items()}


def files_sha256(names: Mapping[Path, str]) -> str:
    """Return a hash over the names and contents of files, in the order of their names.

    It is that of what `sha256sum` prints in their common folder, sorted by name: "HASH  NAME", a line each.

    Args:
        names: file → its name.

    Raises:
        DataError: if one cannot be read.
    """
    digest = hashlib.sha256()
    for name, path in sorted({name: path for path, name in names.items()}.items()):
        digest.update(f"{content_sha256(path)}  {name}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def rows_sha256(examples: Sequence[Example], names: Mapping[Path, str]) -> str:
    """Return a hash over all fields of rows, whatever their order and wherever their files lie.

    Args:
        examples: the rows.
        names: file → the name that stands for it.
    """
    lines = sorted(_line(example, names) for example in examples)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _line(example: Example, names: Mapping[Path, str]) -> str:
    values = asdict(example) | {"audio": None if example.audio is None else names[example.audio]}
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def content_sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes; each file is read once.

    Raises:
        DataError: if it cannot be read.
    """
    try:
        status = path.stat()
        return _hashed(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise _unreadable(path, error) from error


def content_size(path: Path) -> int:
    """Return a file's size in bytes.

    Raises:
        DataError: if it cannot be read.
    """
    try:
        return path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"the clip {path} cannot be read ({error.strerror}); put it back, or leave its rows out")


@functools.cache  # folds look at the same files again and again
def _hashed(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
