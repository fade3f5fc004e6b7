"""Load a dataset of the Hub, whole or streamed, and map its rows to the schema."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from datasets import ClassLabel, Dataset, IterableDataset, get_dataset_split_names, load_dataset

from mmser.data.schema import AUDIO, FEATURES, Example, row_of
from mmser.data.tables import listing
from mmser.errors import DataError

HubDataset: TypeAlias = Dataset | IterableDataset
Raw = Mapping[str, Any]  # one row as the Hub gives it; audio is {"path", "bytes"}


@dataclass(frozen=True, kw_only=True)
class HubMapping:
    """How a dataset's rows become ours."""

    corpus: str
    columns: tuple[str, ...]  # that must be there
    example: Callable[[Raw], Example]
    keep: Callable[[Raw], bool] = lambda row: True


def read_hub(
    dataset_id: str, revision: str | None, streaming: bool, mapping: HubMapping, split: str = "train"
) -> HubDataset:
    """Load a split and map its rows to `FEATURES`.

    Args:
        dataset_id: id, or a folder with the same files.
        revision: commit; None only for a folder.
        streaming: True = rows come as they are asked for, and nothing is stored.
        mapping: how its rows become ours.
        split: as the dataset calls it.

    Raises:
        DataError: if it cannot be loaded or lacks a column.
    """
    dataset = load_split(dataset_id, revision, streaming, split)
    features = dataset.features
    missing = [name for name in mapping.columns if name not in (features or {})]
    if missing or features is None:
        raise DataError(
            f"{dataset_id} has no column {missing[0] if missing else '?'!r} as {mapping.corpus} should; "
            f"it has {listing(features or (), 30)}"
        )
    named = {name: kind for name, kind in features.items() if isinstance(kind, ClassLabel)}
    dataset = dataset.cast_column("audio", AUDIO)

    def spelled(row: Raw) -> Raw:
        """Give class labels their names."""
        return {**row, **{n: k.int2str(row[n]) for n, k in named.items() if row[n] is not None}}

    def ours(row: Raw, index: int) -> dict[str, Any]:
        found = row_of(mapping.example(spelled(row)))
        audio = {"path": row["audio"]["path"], "bytes": row["audio"]["bytes"]}
        return found | {"audio": audio, "id": found["id"] or f"{split}/{index}"}

    kept = dataset.filter(lambda row: mapping.keep(spelled(row)))
    return kept.map(ours, with_indices=True, remove_columns=list(features), features=FEATURES)


def load_split(dataset_id: str, revision: str | None, streaming: bool, split: str) -> HubDataset:
    """Load a split, from the Hub or a folder.

    Raises:
        DataError: if it cannot be loaded.
    """
    _need_revision(dataset_id, revision)
    try:
        return load_dataset(dataset_id, revision=revision, split=split, streaming=streaming)
    except (OSError, ValueError, RuntimeError) as error:  # ConnectionError and "not found" are OSErrors
        raise unloadable(dataset_id, error) from error


def hub_split_names(dataset_id: str, revision: str | None) -> list[str]:
    """Return the names of a dataset's splits.

    Raises:
        DataError: if it cannot be loaded.
    """
    _need_revision(dataset_id, revision)
    try:
        return list(get_dataset_split_names(dataset_id, revision=revision))
    except (OSError, ValueError, RuntimeError) as error:
        raise unloadable(dataset_id, error) from error


def _need_revision(dataset_id: str, revision: str | None) -> None:
    if revision is None and not Path(dataset_id).is_dir():
        raise DataError(
            f"{dataset_id} needs a revision: give the commit of the dataset that you mean, so that the same "
            "rows are read next time"
        )


def unloadable(dataset_id: str, error: Exception) -> DataError:
    """Return the error for a dataset that `error` kept from being loaded."""
    if "scripts are no longer supported" in str(error):
        return DataError(
            f"{dataset_id} is a script, which datasets no longer runs; give the revision "
            "refs/convert/parquet if it has one, or read the publisher's folder"
        )
    said = (str(error).splitlines() or [repr(error)])[0]
    return DataError(f"{dataset_id} cannot be loaded: {said}")
