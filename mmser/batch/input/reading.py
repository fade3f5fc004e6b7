"""All inputs of a batch → its calls, or an error before any work where something is wrong with the whole."""

import os
import posixpath
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from mmser.batch.input.arrow import compact
from mmser.batch.input.folders import (
    Listing,
    is_glob,
    names_beside,
    read_file,
    read_folder,
    read_glob,
    read_url_folder,
    read_url_glob,
)
from mmser.batch.input.hub import read_dataset
from mmser.batch.input.manifests import KINDS, read_manifest
from mmser.batch.input.part import Part
from mmser.batch.input.rows import manifest_part
from mmser.batch.input.urls import is_url, kind_of_url, read_url, scheme_of
from mmser.batch.records import BatchInput, CallRow, Cell, ColumnType
from mmser.data.tables import AUDIO_SUFFIXES, TRANSCRIPT_SUFFIXES, is_audio, listing
from mmser.errors import DataError, UsageError

AUDIO_COLUMN = "audio"
MOST_TOLD = 5  # ids that are there twice


def read_input(
    inputs: Sequence[str], *, split: str | None, revision: str | None, audio_column: str = AUDIO_COLUMN
) -> BatchInput:
    """Read what a batch is given.

    Each input is a folder, a glob, a recording, a manifest (.csv, .tsv, .jsonl, .parquet) or a dataset
    (`hf:NAME`, `hf:./folder`); all but the last also as URLs. Several are joined.

    A manifest has the columns `audio` and/or `transcript`: paths relative to it, or URLs. Several mono files
    of one call are a list in .jsonl and Parquet, and joined by "|" in .csv and .tsv. `roles` are of channels
    (agent,customer) or of speakers (spk_0=agent,spk_1=customer); `id` and `language` may be given. All other
    columns are passed through.

    Args:
        inputs: at least one.
        split: of the dataset; None = its only one.
        revision: of a dataset of the Hub.
        audio_column: of the dataset, that holds the sound.

    Returns:
        The calls. What is wrong with one of them is its `problem`; whether files are there is not looked at.

    Raises:
        DataError: if an input is missing, of no known kind, empty or broken, or two calls have one id.
        UsageError: if no input is given, a dataset is not the only one, or an option of datasets is given
            without one.
    """
    if not inputs:
        raise UsageError("no input is given; name a folder, a glob, a manifest or a dataset (hf:NAME)")
    for text in inputs:
        if not text.strip() or "\0" in text:
            raise UsageError(f"the input {text!r} is no path; name a folder, a glob, a manifest or hf:NAME")
    datasets = [text for text in inputs if _is_dataset(text)]
    if datasets and len(inputs) > 1:
        raise UsageError(
            f"{datasets[0]} is given beside {len(inputs) - 1} more; a dataset is the only input of a batch"
        )
    given = {"a split": split, "a revision": revision}
    given["an audio column"] = None if audio_column == AUDIO_COLUMN else audio_column
    option = next((f"{what} {value!r}" for what, value in given.items() if value is not None), None)
    if option is not None and not datasets:
        raise UsageError(f"{option} is given, but {inputs[0]} is no dataset; leave it out, or give hf:NAME")
    if datasets:
        name = datasets[0].removeprefix("hf:").strip()
        parts = [read_dataset(name, split=split, revision=revision, audio_column=audio_column)]
    else:
        names_in = names_beside()
        parts = [_read_url(t, names_in) if is_url(t) else _read_path(t, names_in) for t in inputs]
    _require_unique(parts)
    columns = _joint(parts)
    return BatchInput(
        rows=tuple(_typed(row, part.columns, columns) for part in parts for row in part.rows),
        columns=columns,
        dataset=parts[0].dataset,
        warnings=tuple(dict.fromkeys(warning for part in parts for warning in part.warnings)),
    )


def _is_dataset(text: str) -> bool:
    return text.startswith("hf:") and not is_url(text)


def _read_path(text: str, names_in: Listing) -> Part:
    """Return the calls of a folder, a file or a glob of this machine; what exists is never a glob."""
    try:
        path = text if os.path.lexists(text) else os.path.expanduser(text)  # noqa: PTH111
        if Path(path).is_dir():
            return read_folder(path)
        if text.endswith("/") and Path(path).is_file():
            raise DataError(f"{text} is a file, not a folder; leave the slash at its end out")
        if Path(path).is_file():
            return _read_file(path, names_in)
        exists = os.path.lexists(path)
    except OSError as error:  # a name that is too long
        raise DataError(f"{text[:200]} cannot be read: {error.strerror or error}; check the path") from error
    if exists and not Path(path).exists():
        raise DataError(f"{text} is a link to what is not there; mend it or leave it out")
    if exists:
        raise DataError(f"{text} is a pipe or a device; save what it gives to a file first")
    if is_glob(path):
        return read_glob(path, names_in)
    raise DataError(f"{text} does not exist; check the path")


def _read_url(url: str, names_in: Listing) -> Part:
    """Return the calls of a folder, a file or a glob behind a URL; what exists is never a glob."""
    if "::" in url:
        raise UsageError(f"{url} is a chain of file systems; unpack it and give a folder")
    kind = kind_of_url(url)
    if kind == "file":
        return _read_file(url, names_in)
    if kind == "folder":
        return read_url_folder(url)
    if is_glob(url):
        return read_url_glob(url, names_in)
    raise DataError(f"{url} does not exist; check the URL")


def _read_file(path: str, names_in: Listing) -> Part:
    named = path.partition("?")[0] if scheme_of(path) in ("http", "https") else path
    suffix = PurePosixPath(named).suffix.lower()
    if is_audio(PurePosixPath(named)):
        return read_file(path, names_in)
    if suffix in KINDS:
        url = is_url(path)
        table = read_manifest(path, suffix, read_url(path) if url else None)
        folder = posixpath.dirname(named) if url else os.path.dirname(path)  # noqa: PTH120
        return manifest_part(table, folder, stem=PurePosixPath(named).stem)
    known = f"recordings end in {', '.join(AUDIO_SUFFIXES)}, manifests in {', '.join(KINDS)}"
    if suffix in TRANSCRIPT_SUFFIXES:
        raise DataError(
            f"{path} is neither a recording nor a manifest; name it in the column 'transcript' "
            f"of one ({known})"
        )
    raise DataError(f"{path} is neither a recording nor a manifest; {known}")


def _require_unique(parts: Sequence[Part]) -> None:
    """Refuse ids that several calls have.

    Raises:
        DataError: naming the first of them and where they stand.
    """
    count = Counter(row.id for part in parts for row in part.rows)
    twice = {name for name, times in count.items() if times > 1}
    if not twice:
        return
    places: dict[str, list[str]] = defaultdict(list)
    for part in parts:
        for index, row in enumerate(part.rows):
            if row.id in twice:
                places[row.id].append(part.place(index))
    told = [f"{name!r} ({listing(where, 3)})" for name, where in list(places.items())[:MOST_TOLD]]
    rest = f" and {len(places) - MOST_TOLD} more" if len(places) > MOST_TOLD else ""
    raise DataError(
        f"several calls have one id: {', '.join(told)}{rest}; give each its own in the column 'id' of a "
        "manifest, or batches of their own"
    )


def _joint(parts: Sequence[Part]) -> dict[str, ColumnType]:
    """Return the columns of all inputs, with a type that holds what each has."""
    columns: dict[str, ColumnType] = {}
    for part in parts:
        for name, kind in part.columns.items():
            known = columns.setdefault(name, kind)
            if known != kind:
                columns[name] = "float" if {known, kind} == {"int", "float"} else "string"
    return columns


def _typed(row: CallRow, own: dict[str, ColumnType], columns: dict[str, ColumnType]) -> CallRow:
    if own == columns:
        return row
    cells = {name: _as(row.columns.get(name), kind) for name, kind in columns.items()}
    return replace(row, columns=cells)


def _as(cell: Cell, kind: ColumnType) -> Cell:
    if kind == "float" and isinstance(cell, int):
        return float(cell)
    return compact(cell) if kind == "string" and not isinstance(cell, str | None) else cell
