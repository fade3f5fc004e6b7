"""Take every trace of some calls out of a batch's folder."""

import json
from collections.abc import Collection
from dataclasses import dataclass

import pyarrow.compute
import pyarrow.parquet

from mmser.batch.holding import holding
from mmser.batch.place import Place
from mmser.batch.run_info import RunInfo, read_run
from mmser.batch.store import Schemas, Store, as_file, part_name, read_manifest, report_folder
from mmser.batch.tables import call_schema, turn_schema
from mmser.errors import UsageError

PENDING = ".forgetting.json"  # ids that are being taken out
SUMMARY = "summary"  # folder of `mmser summarize`, whose lists may name a call


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """What was taken out."""

    calls: int
    turns: int
    reports: int
    summary: bool  # whether a summary was removed, which may have named them
    same_audio: tuple[str, ...]  # ids that stay and are one of these recordings


def forget(place: Place, ids: Collection[str]) -> Forgotten:
    """Remove calls from the Parquet parts, the manifest, the reports and the summary in the folder.

    What is to go is noted first: where this is stopped, the next command on the folder finishes it.

    Args:
        place: the batch's folder.
        ids: of calls that the batch holds, if only a report of one that was stopped.

    Raises:
        UsageError: if an id is not in the batch; then nothing is removed.
        OutputError: if the folder holds no batch, is held by a run, or cannot be written.
    """
    run = read_run(place)
    with holding(place):
        begun = json.loads(place.read(PENDING) or b"[]")
        known = {line.id for line in read_manifest(place)} | set(begun)
        unknown = [key for key in ids if key not in known and not place.has(report_folder(key))]
        if unknown:
            raise UsageError(
                f"{place.out} holds no call {unknown[0]!r}; `mmser batch status {place.out} --json` and "
                "manifest.jsonl there have the ids; nothing was removed"
            )
        wanted = list(dict.fromkeys([*begun, *ids]))
        place.write(PENDING, json.dumps(wanted).encode())
        return _take_out(place, run, wanted)


def finish_forgetting(place: Place, run: RunInfo) -> None:
    """Finish what `forget` began and could not end; whoever calls this holds the folder.

    Raises:
        OutputError: if it cannot be written.
    """
    pending = place.read(PENDING)
    if pending is not None:
        _take_out(place, run, json.loads(pending))


def _take_out(place: Place, run: RunInfo, ids: Collection[str]) -> Forgotten:
    reason = run.options.get("agent_reason")
    schemas = Schemas(turns=turn_schema(run.model, reason), calls=call_schema(run.model, run.columns, reason))
    store = Store(place, schemas)  # finishes what a crash left open
    turns = calls = reports = 0
    there = [store.lines[key] for key in ids if key in store.lines]
    for part in sorted({line.part for line in there if line.part is not None}):
        turns += _without(place, part_name("turns", part), "call", ids)
        calls += _without(place, part_name("calls", part), "id", ids)
    for key in ids:
        reports += _removed(place, report_folder(key))
        store.lines.pop(key, None)
    sounds = {line.audio_sha256 for line in there if line.audio_sha256 is not None}
    same = tuple(key for key, line in store.lines.items() if line.audio_sha256 in sounds)
    summary = _removed(place, SUMMARY)
    store.close(list(store.lines))
    place.remove(PENDING)
    return Forgotten(calls=calls, turns=turns, reports=reports, summary=summary, same_audio=same)


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
