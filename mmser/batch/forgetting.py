"""Take every trace of some calls out of a batch's folder."""

from collections.abc import Collection
from dataclasses import dataclass

import pyarrow.compute
import pyarrow.parquet

from mmser.batch.holding import holding
from mmser.batch.place import Place
from mmser.batch.run_info import read_run
from mmser.batch.store import Schemas, Store, as_file, part_name, report_folder
from mmser.batch.tables import call_schema, turn_schema
from mmser.errors import UsageError

SUMMARY = "summary"  # folder of `mmser summarize`, whose lists may name a call


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """What was taken out."""

    calls: int
    turns: int
    reports: int
    summary: bool  # whether a summary was removed, which may have named them


def forget(place: Place, ids: Collection[str]) -> Forgotten:
    """Remove calls from the Parquet parts, the manifest, the reports and the summary.

    The manifest comes last: where this is stopped, the same call finishes it.

    Args:
        place: the batch's folder.
        ids: of calls that the batch holds.

    Raises:
        UsageError: if an id is not in the batch; then nothing is removed.
        OutputError: if the folder holds no batch, is held by a run, or cannot be written.
    """
    run = read_run(place)
    with holding(place):
        schemas = Schemas(turns=turn_schema(run.model), calls=call_schema(run.model, run.columns))
        store = Store(place, schemas)  # finishes what a crash left open
        try:
            unknown = [key for key in ids if key not in store.lines]
            if unknown:
                raise UsageError(
                    f"{place.out} holds no call {unknown[0]!r}; `mmser batch status {place.out} --json` and "
                    "manifest.jsonl there have the ids; nothing was removed"
                )
            turns = calls = reports = 0
            for part in sorted({line.part for key in ids if (line := store.lines[key]).part is not None}):
                turns += _without(place, part_name("turns", part), "call", ids)
                calls += _without(place, part_name("calls", part), "id", ids)
            for key in ids:
                reports += _removed(place, report_folder(key))
            summary = _removed(place, SUMMARY)
            for key in ids:
                del store.lines[key]
            store.close(list(store.lines))
        finally:
            store.abandon()
    return Forgotten(calls=calls, turns=turns, reports=reports, summary=summary)


def _without(place: Place, name: str, column: str, ids: Collection[str]) -> int:
    """Rewrite a part without the rows of some calls; return how many went."""
    content = place.read(name)
    if content is None:  # an earlier try went so far
        return 0
    table = pyarrow.parquet.read_table(pyarrow.BufferReader(content))
    gone = pyarrow.compute.is_in(table[column], value_set=pyarrow.array(list(ids), pyarrow.string()))
    kept = table.filter(pyarrow.compute.invert(gone))
    if kept.num_rows:
        place.write(name, as_file(kept))
    else:
        place.remove(name)
    return int(table.num_rows - kept.num_rows)


def _removed(place: Place, folder: str) -> bool:
    there = place.has(folder)
    if there:
        place.remove(folder)
    return there
