"""What a batch has finished, kept so that nothing is lost or doubled, whenever it is stopped.

On this machine a finished call is appended to the open part (`.open-00007.jsonl`) and then to
`manifest.jsonl`; a part with enough calls becomes `turns/part-00007.parquet` and `calls/part-00007.parquet`,
and the open one goes. Object storage cannot append: there calls are held until a part is full or a minute
old, and its lines of the manifest (`manifest/part-00007.jsonl`), written last, make it count.
"""

import dataclasses
import hashlib
import io
import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from mmser.batch.place import Place
from mmser.batch.records import CallResult, ManifestLine
from mmser.errors import OutputError
from mmser.report.parquet import stored

PART_CALLS = 256
PART_TURNS = 20_000
HELD_SECONDS = 60.0  # that a finished call may wait for its part, where nothing can be appended
MANIFEST = "manifest.jsonl"
PARTS = "manifest"  # folder of the parts' lines, behind a URL


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schemas:
    """What the Parquet parts look like."""

    turns: pyarrow.Schema
    calls: pyarrow.Schema


class Store:
    """Takes results one by one; `lines` says what is there already."""

    def __init__(self, place: Place, schemas: Schemas) -> None:
        """Find what is there, and put right what a crash left."""
        self.place, self.schemas = place, schemas
        self.lines: dict[str, ManifestLine] = {}  # the last of each call
        self._held: list[tuple[CallResult, ManifestLine]] = []  # of the open part
        self._held_since = 0.0
        self._turns = 0  # rows in the open part
        self._part = 0  # number of the open part
        self._open: Any = None
        self._manifest: Any = None
        if place.folder is not None:
            _cut_last_line(place.folder / MANIFEST)
        for line in read_manifest(place):
            self.lines[line.id] = line
        self._recover()

    # --- taking results --------------------------------------------------------------------------

    def record(self, result: CallResult, line: ManifestLine) -> None:
        """Keep what became of a call.

        Args:
            result: it.
            line: its line in the manifest; the part is filled in here.

        Raises:
            OutputError: if it cannot be written; what was kept before stays.
        """
        if result.status == "done":
            line = dataclasses.replace(line, part=self._part)
        if self.place.folder is not None:
            if result.status == "done":
                self._open = self._open or self._opened(_open_name(self._part))
                self._append(self._open, {"result": result.to_dict(), "line": line.to_dict()})
            self._manifest = self._manifest or self._opened(MANIFEST)
            self._append(self._manifest, line.to_dict())
        self.lines[line.id] = line
        self._held.append((result, line))
        self._held_since = self._held_since or time.monotonic()
        self._turns += len(result.turns)
        full = len(self._held) >= PART_CALLS or self._turns >= PART_TURNS
        old = self.place.folder is None and time.monotonic() - self._held_since > HELD_SECONDS
        if full or old:
            self.finish_part()

    def finish_part(self) -> None:
        """Turn the open part into Parquet.

        Raises:
            OutputError: if it cannot be written; the open part stays.
        """
        done = [(result, line) for result, line in self._held if result.status == "done"]
        if done:
            self._write_part(self._part, [result for result, _ in done])
        if self.place.folder is None and self._held:
            lines = "".join(_json_line(line.to_dict()) for _, line in self._held)
            self.place.write(f"{PARTS}/part-{self._part:05d}.jsonl", lines.encode())
        if self._open is not None:
            self._open.close()
            self._open = None
            self.place.remove(_open_name(self._part))
        if self._held:
            self._part += 1
        self._held, self._turns, self._held_since = [], 0, 0.0

    def close(self, order: Sequence[str]) -> None:
        """Finish the open part, and give the manifest one line a call, in the order of the input.

        Args:
            order: ids; those of calls that the input no longer holds come last.
        """
        self.finish_part()
        self._close_files()
        places = {key: number for number, key in enumerate(order)}
        keys = sorted(self.lines, key=lambda key: places.get(key, len(places)))
        text = "".join(_json_line(self.lines[key].to_dict()) for key in keys)
        self.place.write(MANIFEST, text.encode())
        if self.place.folder is None:
            self.place.remove(PARTS)

    def abandon(self) -> None:
        """Leave what is finished for another run, and for whoever reads the tables meanwhile.

        Raises:
            OutputError: if there is no room for it; on this machine the open part is found by the next run.
        """
        try:
            self.finish_part()
        finally:
            self._close_files()

    def _close_files(self) -> None:
        for file in (self._open, self._manifest):
            if file is not None:
                file.close()
        self._open = self._manifest = None

    def _write_part(self, number: int, results: Sequence[CallResult]) -> None:
        turns = [row for result in results for row in result.turns]
        calls = [result.call for result in results if result.call is not None]
        for folder, rows, schema in (
            ("turns", turns, self.schemas.turns),
            ("calls", calls, self.schemas.calls),
        ):
            self.place.write(part_name(folder, number), as_parquet(rows, schema))

    def _opened(self, name: str) -> Any:
        assert self.place.folder is not None
        path = self.place.folder / name
        try:
            return path.open("ab", buffering=0)
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror}") from error

    def _append(self, file: Any, content: dict[str, Any]) -> None:
        """Append one line, whole or not at all."""
        size = os.fstat(file.fileno()).st_size
        data = memoryview(_json_line(content).encode())
        try:
            while data:  # a disk that is nearly full takes a part
                data = data[file.write(data) :]
            os.fdatasync(file.fileno())
        except OSError as error:
            os.ftruncate(file.fileno(), size)
            raise OutputError(
                f"{file.name} cannot be written: {error.strerror}; what is finished is kept: make room, and "
                "the same command goes on"
            ) from error

    # --- putting right what a crash left ---------------------------------------------------------

    def _recover(self) -> None:
        folder = self.place.folder
        if folder is not None:
            for path in (*folder.glob(".*.tmp"), *folder.glob("*/.*.tmp")):
                path.unlink()
            self._require_manifest(folder)
            for path in sorted(folder.glob(".open-*.jsonl")):
                self._recover_open(path)
        numbers = [line.part for line in self.lines.values() if line.part is not None]
        marked = self.place.names(PARTS, ".jsonl") if folder is None else []  # parts of failures alone too
        self._part = max([*numbers, *map(number_of, marked)], default=-1) + 1
        self._drop_uncounted(set(numbers))

    def _require_manifest(self, folder: Path) -> None:
        """Refuse parts without any manifest: somebody took it away, and they would pass for uncounted."""
        parts = [*folder.glob("calls/part-*.parquet"), *folder.glob("turns/part-*.parquet")]
        if parts and not (folder / MANIFEST).exists() and not any(folder.glob(".open-*.jsonl")):
            raise OutputError(
                f"{folder} holds {parts[0].relative_to(folder)} and no {MANIFEST}; put that back, or give "
                "another OUT"
            )

    def _recover_open(self, path: Path) -> None:
        """Finish a part that was left open, with the calls whose line did not get into the manifest."""
        _cut_last_line(path)
        try:
            found = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]
            results = {entry["line"]["id"]: CallResult.from_dict(entry["result"]) for entry in found}
        except (ValueError, KeyError, TypeError) as error:
            raise OutputError(
                f"{path} is damaged ({error}); put it right, or give another OUT: it holds calls that are "
                "finished and in no table yet"
            ) from error
        for entry in found:
            line = ManifestLine.from_dict(entry["line"])
            known = self.lines.get(line.id)
            if known is None or known.part != line.part:
                self._manifest = self._manifest or self._opened(MANIFEST)
                self._append(self._manifest, line.to_dict())
                self.lines[line.id] = line
        if found:
            number = found[0]["line"]["part"]
            self._write_part(number, list(results.values()))
        path.unlink()

    def _drop_uncounted(self, numbers: set[int]) -> None:
        """Remove parts that no line of the manifest names: they were written when it stopped."""
        for folder in ("turns", "calls"):
            for name in self.place.names(folder, ".parquet"):
                if number_of(name) >= 0 and number_of(name) not in numbers:  # others' files stay
                    self.place.remove(name)


def read_manifest(place: Place) -> Iterator[ManifestLine]:
    """Yield the lines of a batch's manifest, those of one call in order of time.

    Raises:
        OutputError: if one is damaged, other than the last, which a crash may have cut off.
    """
    names = [MANIFEST, *(place.names(PARTS, ".jsonl") if place.folder is None else ())]
    for name in names:
        texts = (place.read(name) or b"").split(b"\n")
        for number, text in enumerate(texts, 1):
            if not text:
                continue
            try:
                yield ManifestLine.from_dict(json.loads(text))
            except ValueError as error:
                if number == len(texts):
                    return
                raise OutputError(
                    f"{place.out}/{name}, line {number}, is damaged ({error}); put the line right, or give "
                    "another OUT"
                ) from error


def manifest_line(
    result: CallResult, *, model_revision: str, config_hash: str, row_hash: str
) -> ManifestLine:
    """Return the line of a result."""
    return ManifestLine(
        id=result.id,
        status=result.status,
        error=result.error,
        audio_sha256=result.audio_sha256,
        model_revision=model_revision,
        config_hash=config_hash,
        row_hash=row_hash,
        duration=result.duration,
        seconds=round(result.seconds, 3),
        part=None,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def report_folder(call_id: str) -> str:
    """Return the folder of a call's report: "reports/NAME", NAME the id where it can be one."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", call_id).lstrip(".")[:80]
    if plain != call_id:  # another id may look the same
        plain += "-" + hashlib.sha256(call_id.encode("utf-8", "replace")).hexdigest()[:8]
    return f"reports/{plain}"


def part_name(folder: str, number: int) -> str:
    """Return the name of a Parquet part: "turns/part-00007.parquet"."""
    return f"{folder}/part-{number:05d}.parquet"


def number_of(name: str) -> int:
    """Return the number of a part by its name; -1 of a file that is none."""
    digits = name.rsplit("-", 1)[-1].split(".")[0]
    return int(digits) if digits.isdigit() else -1


def as_parquet(rows: Iterable[dict[str, Any]], schema: pyarrow.Schema) -> bytes:
    """Return rows as one Parquet file of a schema."""
    plain = [{stored(name): stored(value) for name, value in row.items()} for row in rows]
    return as_file(pyarrow.Table.from_pylist(plain, schema=schema))


def as_file(table: pyarrow.Table) -> bytes:
    """Return a table as one Parquet file."""
    out = io.BytesIO()
    pyarrow.parquet.write_table(table, out, compression="zstd")
    return out.getvalue()


def _open_name(number: int) -> str:
    return f".open-{number:05d}.jsonl"


def _json_line(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=True, allow_nan=False) + "\n"


def _cut_last_line(path: Path) -> None:
    """Take away a last line that has no end: it was being written when the process was killed."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        content = file.read()
        end = content.rfind(b"\n") + 1
        try:
            json.loads(content[end:])
        except ValueError:
            file.truncate(end)
        else:  # an editor that leaves the end of the last line away
            file.write(b"\n")
