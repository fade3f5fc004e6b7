"""Datasets that `mmser push-dataset` published: columns as in the schema, sound embedded."""

from collections.abc import Mapping, Sequence
from typing import Any

from datasets import Dataset, concatenate_datasets

from mmser.data.hub_loading import HubDataset, hub_split_names, load_split
from mmser.data.schema import AUDIO, CHANGES, FEATURES, SPLITS
from mmser.data.tables import listing
from mmser.errors import DataError
from mmser.labels import EMOTIONS

_EMOTIONS = (*EMOTIONS, "calm")  # a class of its own in RAVDESS's 8-class task


def read_published(dataset_id: str, *, revision: str | None, streaming: bool = False) -> HubDataset:
    """Read a dataset that mmser published, from the Hub or a folder; its sound stays encoded.

    Rows keep the name of their corpus, so that its licence is known, and those of public corpora their
    speakers, so that they are known in other copies of it.

    Args:
        dataset_id: id, or a folder with the same files.
        revision: commit; None only for a folder.
        streaming: True = rows come as they are asked for, and nothing is stored.

    Raises:
        DataError: if it cannot be loaded, or its columns or labels are not mmser's.
    """
    names = hub_split_names(dataset_id, revision)
    parts = [_part(dataset_id, revision, streaming, name) for name in _in_order(names)]
    return parts[0] if len(parts) == 1 else concatenate_datasets(parts)


def _in_order(names: Sequence[str]) -> list[str]:
    return [*(name for name in SPLITS if name in names), *(name for name in names if name not in SPLITS)]


def _part(dataset_id: str, revision: str | None, streaming: bool, name: str) -> HubDataset:
    dataset = load_split(dataset_id, revision, streaming, name)
    there = dataset.features or {}
    missing = [column for column in FEATURES if column not in there]
    unknown = [column for column in there if column not in FEATURES]
    if missing or unknown:
        fault = f"lacks the column {missing[0]!r}" if missing else f"has the column {unknown[0]!r} besides"
        raise DataError(
            f"{dataset_id} is no dataset that this version of mmser published: it {fault}; its columns are "
            f"{listing(FEATURES, 30)}; read it by its corpus's name, or update mmser"
        )
    dataset = dataset.cast_column("audio", AUDIO)
    if not isinstance(dataset, Dataset):
        return dataset.map(
            lambda row: _checked(dataset_id, row), features=FEATURES, remove_columns=list(there)
        )
    dataset = dataset.select_columns(list(FEATURES)).cast(FEATURES)
    columns = dataset.select_columns(["id", "corpus", "split", "emotion", "change"])
    for row in columns.to_list():
        _checked(dataset_id, row)
    return dataset


def _checked(dataset_id: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row whose words are of the schema: anybody may have written it.

    Raises:
        DataError: if one is not.
    """
    for column, known in (("emotion", _EMOTIONS), ("split", SPLITS), ("change", CHANGES)):
        value = row[column]
        given = () if value is None else value if isinstance(value, list) else (value,)
        strange = next((word for word in given if word not in known), None)
        if strange is not None:
            raise DataError(
                f"{dataset_id}: the row {row['id']} has the {column} {strange!r}, which is none of "
                f"{', '.join(known)}; correct the dataset, or read another revision"
            )
    if not row["corpus"] or not row["id"]:
        raise DataError(f"{dataset_id}: a row has no {'id' if row['corpus'] else 'corpus'}; each needs both")
    return dict(row)
