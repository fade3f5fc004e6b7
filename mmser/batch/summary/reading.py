"""The parts of `calls` → columns in memory, without the calls that are there twice.

A million calls are some fifty columns of numbers and a few of text, and no object a call.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.parquet

from mmser.batch.summary.intervals import Bools, Floats
from mmser.batch.tables import call_columns
from mmser.errors import DataError
from mmser.labels import ROLES
from mmser.report.palette import UNCERTAIN

_ROWS: Final = 65_536  # read at a time
_TEXTS: Final = ("id", "audio_sha256", "rules", "agent_reason")
_SHARE: Final = "customer_share_"
_CUSTOMER: Final = ("escalation", "negative_first", "negative_last")
_CUSTOMER_ANGER: Final = ("anger_delta", "anger_delta_low", "anger_delta_high")
_ROLE: Final = ("num_turns", "num_scored", "num_abstained", "talk_time", "words_per_minute", "interruptions")
_CALL: Final = ("duration", "talk_time", "non_talk", "longest_silence", "overlap", "interruptions")


@dataclass(frozen=True, kw_only=True)
class Archive:
    """What a batch's folder holds, before its rows are read."""

    folder: Path
    parts: tuple[Path, ...]
    labels: tuple[str, ...]  # of the models' emotions, without "uncertain"
    columns: tuple[str, ...]  # the user's, in order
    models: tuple[str, ...]
    notices: tuple[str, ...]
    failed: int | None  # calls that could not be analysed; None where nothing tells
    unfinished: int  # calls of the batch that are neither in the tables nor failed


@dataclass(frozen=True, kw_only=True, eq=False)
class Calls:
    """Columns of all calls that count, each (calls,)."""

    labels: tuple[str, ...]
    numbers: Mapping[str, Floats]  # NaN where there is none
    texts: Mapping[str, pyarrow.Array]  # of strings
    duplicates: int  # calls left out: their recording is there under a smaller id

    def __len__(self) -> int:
        return len(self.texts["id"])

    def shares(self, role: str) -> Floats:
        """Return the share of each label in the role's scored talk, "uncertain" last, (calls, labels)."""
        return np.stack([self.numbers[f"{role}_share_{label}"] for label in (*self.labels, UNCERTAIN)], 1)


def open_archive(folder: Path) -> Archive:
    """Look into a batch's folder; only the heads of its files are read.

    Raises:
        DataError: if it is none, holds no finished call, or a part is damaged.
    """
    parts = _parts(folder)
    labels: dict[str, None] = {}
    names: dict[str, None] = {}
    told: dict[str, dict[str, None]] = {"model": {}, "notice": {}}
    rows = 0
    for part in parts:
        opened = _opened(part)
        schema, rows = opened.schema_arrow, rows + opened.metadata.num_rows
        found = set(schema.names)
        if "id" not in found or "duration" not in found:
            raise DataError(
                f"{part} has no column {'id' if 'id' not in found else 'duration'!r}, which mmser batch "
                "writes; name the folder that mmser batch wrote"
            )
        own = [name.removeprefix(_SHARE) for name in schema.names if name.startswith(_SHARE)]
        labels |= dict.fromkeys(o for o in own if o != UNCERTAIN and f"agent_share_{o}" in found)
        names |= dict.fromkeys(schema.names)
        for key, seen in told.items():
            text = (schema.metadata or {}).get(key.encode(), b"").decode("utf-8", "replace").strip()
            seen |= {text: None} if text else {}
    ours, failed = call_columns(tuple(labels)), _failed(folder)
    return Archive(
        folder=folder,
        parts=parts,
        labels=tuple(labels),
        columns=tuple(name for name in names if name not in ours),
        models=tuple(told["model"]),
        notices=tuple(told["notice"]),
        failed=failed,
        unfinished=_unfinished(folder, rows, failed),
    )


def read_calls(archive: Archive, columns: Sequence[str]) -> Calls:
    """Read what a summary needs, and the text of some further columns.

    Raises:
        DataError: if a part is damaged, holds what no batch writes, or no part has a call.
    """
    numbers = _number_columns(archive.labels)
    texts = tuple(dict.fromkeys((*_TEXTS, *columns)))
    read: dict[str, list[Any]] = {name: [] for name in (*numbers, *texts)}
    for part in archive.parts:
        for batch in _batches(part, (*numbers, *texts)):
            rows = batch.num_rows
            for name in numbers:
                read[name].append(_floats(batch, name, part) if name in batch.schema.names else _nan(rows))
            for name in texts:
                there = name in batch.schema.names
                read[name].append(
                    _strings(batch.column(name), name, part) if there else pyarrow.nulls(rows, "string")
                )
    if not any(len(one) for one in read["id"]):
        raise DataError(
            f"{archive.folder}: its tables hold no call{_told_failed(archive.failed)}; see what mmser batch "
            "says of it"
        )
    joined = {name: pyarrow.concat_arrays(read.pop(name)) for name in texts}
    kept = _kept(joined["id"], joined["audio_sha256"])
    mask = pyarrow.array(kept)
    return Calls(
        labels=archive.labels,
        numbers={name: np.concatenate(read.pop(name))[kept] for name in numbers},
        texts={name: joined.pop(name).filter(mask) for name in texts},
        duplicates=int((~kept).sum()),
    )


def _parts(folder: Path) -> tuple[Path, ...]:
    if not folder.exists():
        raise DataError(f"{folder} does not exist; name the folder that mmser batch wrote with -o")
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; name the one that mmser batch wrote with -o")
    parts = tuple(sorted((folder / "calls").glob("part-*.parquet")))
    if parts:
        return parts
    failed = _failed(folder)
    if failed is not None or (folder / "calls").is_dir() or (folder / "run.json").is_file():
        raise DataError(
            f"{folder} holds no finished call{_told_failed(failed)}; run mmser batch on it again, or see "
            "what it says of each call in manifest.jsonl"
        )
    raise DataError(
        f"{folder} is not a folder of mmser batch: it has no calls/part-00000.parquet; name the folder that "
        "mmser batch wrote with -o"
    )


def _unfinished(folder: Path, rows: int, failed: int | None) -> int:
    """Return how many calls of the last run's input are neither in the tables nor failed."""
    try:
        run = json.loads((folder / "run.json").read_text("utf-8"))
        return max(0, int(run["num_calls"]) + int(run["num_others"]) - rows - (failed or 0))
    except (OSError, ValueError, KeyError, TypeError):
        return 0  # tables of another origin


def _told_failed(failed: int | None) -> str:
    return "" if not failed else f", and {failed:,} that failed"


def _failed(folder: Path) -> int | None:
    """Return how many calls failed, by the last line of each; None without a `manifest.jsonl`."""
    path = folder / "manifest.jsonl"
    if not path.is_file():
        return None
    failed: set[str] = set()
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                row = json.loads(line)
            except ValueError:
                continue  # the last line of a batch that was killed
            if not isinstance(row, dict) or not isinstance(row.get("id"), str):
                continue
            if row.get("status") == "failed":
                failed.add(row["id"])
            else:
                failed.discard(row["id"])
    return len(failed)


def _opened(part: Path) -> pyarrow.parquet.ParquetFile:
    try:
        return pyarrow.parquet.ParquetFile(part)
    except (pyarrow.ArrowException, OSError) as error:
        raise _damaged(part, error) from error


def _batches(part: Path, names: Sequence[str]) -> Iterator[pyarrow.RecordBatch]:
    file = _opened(part)
    there = [name for name in names if name in file.schema_arrow.names]
    try:
        yield from file.iter_batches(batch_size=_ROWS, columns=there)
    except (pyarrow.ArrowException, OSError) as error:
        raise _damaged(part, error) from error


def _damaged(part: Path, error: Exception) -> DataError:
    why = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DataError(
        f"{part} cannot be read as Parquet ({why[:120]}); it is damaged: run mmser batch anew for its calls, "
        "or take the part out of the folder"
    )


def _number_columns(labels: tuple[str, ...]) -> tuple[str, ...]:
    names = [*_CALL, *(f"{role}_{name}" for role in ROLES for name in _ROLE)]
    names += [f"customer_{name}" for name in (*_CUSTOMER, *_CUSTOMER_ANGER)]
    for role in ("customer", "agent"):
        names += [f"{role}_scored_time", *(f"{role}_share_{label}" for label in (*labels, UNCERTAIN))]
    return tuple(names)


def _nan(rows: int) -> Floats:
    return np.full(rows, np.nan)


def _floats(batch: pyarrow.RecordBatch, name: str, part: Path) -> Floats:
    try:
        cast = batch.column(name).cast("float64")
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:
        raise DataError(
            f"{part}: column {name!r} holds {batch.column(name).type} where mmser batch writes numbers; name "
            "the folder that mmser batch wrote"
        ) from error
    values = np.asarray(cast.to_numpy(zero_copy_only=False), np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _strings(column: pyarrow.Array, name: str, part: Path) -> pyarrow.Array:
    """Return a column as text; whole numbers read the same whether a part holds them as int or float."""
    if pyarrow.types.is_floating(column.type):
        coded = column.dictionary_encode()
        values = [_written(value) for value in coded.dictionary.to_pylist()]
        return pyarrow.array(values, "string").take(coded.indices)
    try:
        return column.cast("string")
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:
        raise DataError(
            f"{part}: column {name!r} holds {column.type}, of which no groups can be made; choose another"
        ) from error


def _written(value: float | None) -> str | None:
    if value is None or not np.isfinite(value):
        return None
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else repr(value)


def _kept(ids: pyarrow.Array, sounds: pyarrow.Array) -> Bools:
    """Return which calls count: of an id, and of a recording, the one with the smallest id, (calls,)."""
    kept = _first_of(ids, ids)
    places = np.flatnonzero(kept)
    mask = pyarrow.array(kept)
    kept[places[~_first_of(sounds.filter(mask), ids.filter(mask))]] = False
    return kept


def _first_of(keys: pyarrow.Array, ids: pyarrow.Array) -> Bools:
    """Return which row of each key has the smallest id; every row without a key counts, (rows,)."""
    coded = keys.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
    table = pyarrow.table({"key": coded, "id": ids})
    order = pyarrow.compute.sort_indices(table, [("key", "ascending"), ("id", "ascending")]).to_numpy()
    ordered = coded[order]
    first = np.ones(len(coded), np.bool_)
    first[order[1:]] = (ordered[1:] != ordered[:-1]) | (ordered[1:] < 0)
    return first
