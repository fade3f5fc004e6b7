"""Rows as Parquet files with their sound in them, written a batch at a time."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Audio, Features

from mmser.data.schema import FEATURES, SPLITS
from mmser.errors import OutputError
from mmser.publishing.dataset_rows import PreparedRows, published_row
from mmser.publishing.dataset_sound import Clips

SHARD_BYTES: Final = 500_000_000  # of one file, about
GROUP_BYTES: Final = 32 << 20  # of rows that are held in memory
GROUP_ROWS: Final = 1_000
# `Audio` stores what our column holds; named so, the Hub's viewer plays it and `datasets` decodes it.
SCHEMA: Final = Features({**FEATURES, "audio": Audio()}).arrow_schema


@dataclass(kw_only=True)
class WrittenFiles:
    """What was written."""

    files: dict[str, Path] = field(default_factory=dict)  # path in the repository → file
    seconds: float = 0.0  # of sound
    clips: int = 0


def write_files(
    rows: PreparedRows,
    folder: Path,
    *,
    shard_bytes: int = SHARD_BYTES,
    progress: Callable[[str, float, float], None],
) -> WrittenFiles:
    """Write the rows of each split as data/SPLIT-00000-of-0000N.parquet; without splits all are "train".

    The same rows give the same bytes.

    Args:
        rows: what is published.
        folder: that the files are written into; it is there.
        shard_bytes: size from which on a file ends; one row more than that is possible.
        progress: called with a stage, what is done and the total.

    Raises:
        OutputError: if the folder takes no more.
        AudioError: if a clip cannot be read, or is too large for one row.
    """
    written = WrittenFiles()
    splits = [split or "train" for split in rows.dataset["split"]]
    done = 0
    try:
        (folder / "data").mkdir(parents=True, exist_ok=True)
        for split in SPLITS:
            chosen = [i for i, name in enumerate(splits) if name == split]
            shards = _Shards(folder / "data", split, shard_bytes)
            with contextlib.closing(shards):
                for row in _rows(rows, chosen, written):
                    shards.add(row)
                    done += 1
                    progress("writing Parquet", done, len(splits))
                written.files |= {f"data/{path.name}": path for path in shards.named()}
    except OSError as error:
        raise OutputError(
            f"the dataset's files cannot be written in {folder}: {error.strerror or error}; free space, "
            "or name another folder in TMPDIR"
        ) from error
    return written


def _rows(rows: PreparedRows, chosen: list[int], written: WrittenFiles) -> Iterator[dict[str, Any]]:
    with Clips() as clips:
        for row in rows.dataset.select(chosen):
            clip = clips.read(row)
            if clip is not None:
                written.seconds += clip[1]
                written.clips += 1
            yield published_row(row, clip)


class _Shards:
    """The files of one split: rows are collected into groups, groups into files."""

    def __init__(self, folder: Path, split: str, most: int) -> None:
        self._folder, self._split, self._most = folder, split, most
        self._paths: list[Path] = []
        self._writer: pq.ParquetWriter | None = None
        self._held: list[dict[str, Any]] = []
        self._held_bytes = self._shard_bytes = 0

    def add(self, row: dict[str, Any]) -> None:
        """Take one row."""
        audio = row["audio"] or {}
        size = len(audio.get("bytes") or b"") + len((row["text"] or "").encode()) + 100
        if self._shard_bytes and self._shard_bytes + size > self._most:
            self._flush()
            self.close()
        elif self._held and (self._held_bytes + size > GROUP_BYTES or len(self._held) >= GROUP_ROWS):
            self._flush()
        self._held.append(row)
        self._held_bytes += size
        self._shard_bytes += size

    def _flush(self) -> None:
        if not self._held:
            return
        if self._writer is None:
            self._paths.append(self._folder / f"{self._split}-{len(self._paths):05d}.part")
            self._writer = pq.ParquetWriter(self._paths[-1], SCHEMA)
        self._writer.write_table(pa.Table.from_pylist(self._held, schema=SCHEMA))
        self._held, self._held_bytes = [], 0

    def close(self) -> None:
        """Close the file that is open; the next row begins another."""
        if self._writer is not None:
            self._writer.close()
        self._writer, self._shard_bytes = None, 0

    def named(self) -> list[Path]:
        """Write what is held, and give all files their names, which say how many there are."""
        self._flush()
        self.close()
        total = len(self._paths)
        return [
            path.rename(self._folder / f"{self._split}-{number:05d}-of-{total:05d}.parquet")
            for number, path in enumerate(self._paths)
        ]
