"""Datasets of the Hub, or folders with the same files, whose rows hold the recordings."""

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from mmser.batch.input.arrow import holds_bytes
from mmser.batch.input.manifests import OURS, Table, arrow_table
from mmser.batch.input.part import Part
from mmser.batch.input.rows import manifest_part
from mmser.batch.records import DatasetSource
from mmser.data.hub_loading import unloadable
from mmser.data.tables import listing
from mmser.errors import DataError, UsageError
from mmser.quiet import quiet_datasets

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


def read_dataset(name: str, *, split: str | None, revision: str | None, audio_column: str) -> Part:
    """Return the rows of a dataset as calls; their sound is not read.

    The columns `id`, `roles` and `language` are read as those of a manifest. `transcript` is read only where
    it holds paths of files that exist, relative to the dataset's folder; words in it are left out. Without
    an `id`, a row is called as its sound's file, else SPLIT:ROW.

    Args:
        name: Hub id, or a folder.
        split: as the dataset calls it; None = its only one.
        revision: of a Hub id: commit, tag or branch; what is loaded is pinned to its commit.
        audio_column: that holds the sound.

    Raises:
        DataError: if it cannot be loaded, has several splits and none is named, or lacks the column.
        UsageError: if a folder is given a revision.
    """
    folder = os.path.expanduser(name)  # noqa: PTH111
    local = bool(name) and Path(folder).is_dir()
    if not local and (name.startswith((".", "/", "~")) or name.count("/") > 1 or not name):
        raise DataError(f"hf:{name} is no folder; give the folder of a dataset, or its id on the Hub")
    if local and revision is not None:
        raise UsageError(f"hf:{name} is a folder, which has no revision {revision!r}; leave the revision out")
    name = folder if local else name
    split = _split(name, revision, split)
    dataset = open_dataset(name, split, revision)
    if not len(dataset):
        raise DataError(f"{name} holds 0 rows in the split {split}; name another, or add a row for each call")
    kinds = dataset.with_format("arrow").data.schema
    _require_sound(name, dataset, kinds, audio_column)
    kept = [c for c in dataset.column_names if c != audio_column and not holds_bytes(kinds.field(c).type)]
    dropped = [c for c in dataset.column_names if c != audio_column and c not in kept]
    beside = folder if local else ""
    sound, table = _columns(name, dataset, audio_column, kept, dropped)
    table = _without_words(table, beside)
    part = manifest_part(table, beside, stem=split, sound=sound)
    source = DatasetSource(
        name=name,
        split=split,
        revision=None if local else loaded_commit(dataset) or revision,
        audio_column=audio_column,
    )
    return Part(
        rows=part.rows, place=part.place, columns=part.columns, warnings=part.warnings, dataset=source
    )


def open_dataset(name: str, split: str, revision: str | None) -> Any:
    """Return a split of a dataset, rows memory-mapped.

    Args:
        name: Hub id, or a folder, also one that `save_to_disk` wrote.
        split: as the dataset calls it.
        revision: of a Hub id.

    Raises:
        DataError: if it cannot be loaded.
    """
    from datasets.exceptions import DatasetsError

    try:
        with quiet_datasets():
            return _load(name, split, revision)
    except (OSError, ValueError, RuntimeError, LookupError, DatasetsError) as error:
        raise _failed(name, error) from error


def _load(name: str, split: str, revision: str | None) -> Any:
    from datasets import load_dataset, load_from_disk

    if _is_saved(name):
        saved = load_from_disk(name)
        return saved[split] if isinstance(saved, dict) else saved
    return load_dataset(name, revision=revision, split=split)


def _failed(name: str, error: Exception) -> DataError:
    """Return the error with what is at its bottom: the library wraps it into "an error occurred"."""
    bottom: BaseException = error
    while bottom.__cause__ is not None:
        bottom = bottom.__cause__
    if "torchcodec" in f"{error} {bottom}":
        return DataError(
            f"{name} holds its recordings as files; give the folder of these files itself, without hf: (a "
            "dataset of the Hub is downloaded first)"
        )
    return unloadable(name, bottom if isinstance(bottom, Exception) else error)


def _is_saved(name: str) -> bool:
    return any((Path(name) / file).is_file() for file in ("dataset_dict.json", "state.json"))


def _split(name: str, revision: str | None, split: str | None) -> str:
    """Return the split that is meant."""
    from datasets import get_dataset_split_names, load_from_disk
    from datasets.exceptions import DatasetsError

    try:
        if _is_saved(name):
            saved = load_from_disk(name)
            names = list(saved) if isinstance(saved, dict) else [str(saved.split or "train")]
        else:
            with quiet_datasets():
                names = [str(one) for one in get_dataset_split_names(name, revision=revision)]
    except (OSError, ValueError, RuntimeError, LookupError, DatasetsError) as error:
        raise _failed(name, error) from error
    if split is None and len(names) != 1:
        raise DataError(f"{name} has the splits {', '.join(names)}; name one with --split")
    if split is not None and split not in names:
        raise DataError(f"{name} has no split {split!r}; it has {', '.join(names)}")
    return split or names[0]


def _require_sound(name: str, dataset: Any, kinds: Any, audio_column: str) -> None:
    """Refuse a dataset whose column of sound is none.

    Raises:
        DataError: naming the columns that are.
    """
    if audio_column in dataset.column_names and _is_sound(kinds.field(audio_column).type):
        return
    sounds = [c for c in dataset.column_names if _is_sound(kinds.field(c).type)]
    what = "which holds no sound" if audio_column in dataset.column_names else "which is not there"
    remedy = (
        f"name {sounds[0]!r} with --audio-column"
        if sounds
        else "a list of paths is given as a manifest (.csv, .jsonl, .parquet)"
    )
    raise DataError(
        f"{name}: the sound is looked for in the column {audio_column!r}, {what} (its columns: "
        f"{listing(dataset.column_names, 20)}); {remedy}"
    )


def _is_sound(kind: Any) -> bool:
    import pyarrow.types

    return bool(
        pyarrow.types.is_struct(kind)
        and {kind.field(i).name for i in range(kind.num_fields)} == {"bytes", "path"}
    )


def _columns(
    name: str, dataset: Any, audio_column: str, kept: list[str], dropped: list[str]
) -> tuple[list[str | None], Table]:
    """Return where each row's sound comes from, and the other columns; the bytes stay on disk."""
    import pyarrow.compute
    from datasets import ClassLabel

    sound: list[str | None] = []
    column = dataset.select_columns([audio_column]).with_format("arrow").data.column(audio_column)
    for chunk in column.chunks:
        paths = pyarrow.compute.struct_field(chunk, "path").to_pylist()
        held = pyarrow.compute.struct_field(chunk, "bytes").is_valid().to_pylist()
        sound += [path or ("" if has else None) for path, has in zip(paths, held, strict=True)]
    features = dataset.features

    def named(column: str, cells: Any) -> Any:
        """Give class labels their names."""
        label = features.get(column)
        if not isinstance(label, ClassLabel):
            return cells
        return pyarrow.chunked_array(
            [[None if v is None or v < 0 else label.int2str(v) for v in cells.to_pylist()]], pyarrow.string()
        )

    data = dataset.select_columns(kept).with_format("arrow").data.table
    ours = [column for column in OURS if column != "audio"]  # of text, beside the sound, it is the user's
    table = arrow_table(name, "dataset", data, ours=ours, dropped=dropped, named=named)
    return sound, replace(table, numbers=range(len(sound)))  # a table without columns has no rows


def _without_words(table: Table, folder: str) -> Table:
    """Keep of the column `transcript` what is a path that exists."""
    words = table.ours.get("transcript", [])
    there = [cell if isinstance(cell, str) and _exists(folder, cell) else None for cell in words]
    lost = sum(cell is not None for cell in words) - sum(cell is not None for cell in there)
    if not lost:
        return table
    warning = (
        f"{table.name}: {lost} cells of the column 'transcript' are no paths of files and are not read; give "
        "transcripts as files, in a manifest"
    )
    return replace(table, ours=table.ours | {"transcript": there}, warnings=(*table.warnings, warning))


def _exists(folder: str, text: str) -> bool:
    if len(text) > 1000 or "\0" in text or "\n" in text:
        return False
    try:
        return (Path(folder) / text).is_file()
    except OSError:
        return False


def loaded_commit(dataset: Any) -> str | None:
    """Return the commit that was loaded, by which the library names the folder that it stores it in."""
    for file in dataset.cache_files:
        for part in Path(file["filename"]).parent.parts[::-1]:
            if _COMMIT.fullmatch(part):
                return part
    return None
