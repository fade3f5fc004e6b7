"""How far a batch is, as its folder tells."""

from collections import Counter
from dataclasses import dataclass

from mmser.batch.holding import holder_of, is_held
from mmser.batch.place import Place
from mmser.batch.records import ManifestLine
from mmser.batch.run_info import RunInfo, read_run
from mmser.batch.store import read_manifest
from mmser.record import Record


@dataclass(frozen=True, kw_only=True)
class BatchStatus(Record):
    """A batch at one moment."""

    out: str
    run: RunInfo
    held_by: str | None  # who is at work on it, where anybody is or was killed at it
    running: bool | None  # whether they still are; None where it cannot be told, as behind a URL
    num_done: int
    num_failed: int
    num_left: int  # of the last run's input
    sound_seconds: float  # of all that is done
    failed: tuple[ManifestLine, ...]


def read_status(place: Place) -> BatchStatus:
    """Read how far a batch is; its folder is not changed, also while a run is at work.

    Raises:
        OutputError: if the folder holds no batch, or its manifest is damaged.
    """
    run = read_run(place)
    last = {line.id: line for line in read_manifest(place)}
    counts = Counter(line.status for line in last.values())
    return BatchStatus(
        out=place.out,
        run=run,
        held_by=holder_of(place),
        running=is_held(place),
        num_done=counts["done"],
        num_failed=counts["failed"],
        num_left=max(0, run.num_calls + run.num_others - len(last)),
        sound_seconds=round(sum(line.duration or 0.0 for line in last.values()), 3),
        failed=tuple(line for line in last.values() if line.status == "failed"),
    )
