"""What a training spends, kept in its work folder as it goes, so that no kill takes it away."""

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from mmser.errors import DataError
from mmser.evaluation.documents import read_document
from mmser.record import Record
from mmser.training.energy import Counter, Meter

SCHEMA: Final = "mmser.training_spent/1"
SPENT: Final = "spent.json"
EVERY: Final = 5.0  # seconds between two entries; a counter of a CPU may begin again every few minutes


@dataclass(frozen=True, kw_only=True)
class Spent(Record):
    """What all runs of a training have spent so far."""

    schema: str = SCHEMA
    plan: str  # digest of what is trained on what
    runs: int = 1
    seconds: dict[str, float] = field(default_factory=dict)  # stage → of wall time
    joules: dict[str, float] = field(default_factory=dict)  # "cpu", "gpu" → by counters of the whole part
    unread: dict[str, str] = field(default_factory=dict)  # "cpu", "gpu" → why some run could not measure it
    uncounted: str = ""  # what else was spent and is not in these sums


class Ledger:
    """Counts the time and the energy of a run from its making on; written down once it is opened.

    Entries are made every `EVERY` seconds by a thread, so that a killed run loses no more than that.

    Args:
        counters: "cpu" and, where it is used, "gpu" → its counters, or why there are none.
    """

    def __init__(self, counters: dict[str, Sequence[Counter] | str]) -> None:
        self._lock, self._closed = threading.Lock(), threading.Event()
        self._then, self._stage = time.monotonic(), "data"
        self._path: Path | None = None
        self._meters: dict[str, Meter] = {}
        self.spent = Spent(plan="", unread={n: why for n, why in counters.items() if isinstance(why, str)})
        for name, some in counters.items():
            if not isinstance(some, str):
                self._measure(name, some)
        self._thread: threading.Thread | None = None

    def _measure(self, name: str, counters: Sequence[Counter]) -> None:
        try:
            self._meters[name] = Meter(counters)
        except OSError as error:
            self.spent = replace(self.spent, unread=self.spent.unread | {name: str(error)})

    def open(self, folder: Path, plan: str) -> None:
        """Go on with the sums of earlier runs of the same training, and keep them in `folder` from here on.

        Args:
            folder: of the work; what is forgotten there is forgotten before.
            plan: digest of what is trained on what; other plans share a folder where stages are planned anew.
        """
        path = folder / SPENT
        goes_on = any(folder.glob("*.checkpoint.pt"))
        with self._lock:
            self.spent = replace(self.spent, plan=plan)
            try:
                before = read_document(path, Spent, SCHEMA, "train anew") if path.exists() else None
            except DataError:
                before, goes_on = None, True
            if before is not None and (goes_on or before.plan == plan):
                self.spent = _joined(before, self.spent)
            elif goes_on:
                self.spent = replace(self.spent, uncounted="earlier runs, which kept no count")
            self._path = path
        self.enter()
        self._thread = threading.Thread(target=self._keep, name="ledger", daemon=True)
        self._thread.start()

    def at(self, stage: str) -> None:
        """Count what follows as a stage's."""
        self.enter()
        self._stage = stage

    def enter(self) -> Spent:
        """Add what was spent since the last entry, and return the sums."""
        with self._lock:
            now = time.monotonic()
            sums, self._then = {self._stage: now - self._then}, now
            joules, unread = {}, {}
            for name, meter in list(self._meters.items()):
                try:
                    joules[name] = meter.take()
                except OSError as error:
                    unread[name] = str(error)
                    del self._meters[name]
            run = Spent(plan="", runs=0, seconds=sums, joules=joules, unread=unread)
            self.spent = _joined(self.spent, run)
            if self._path is not None:
                self._write(self._path)
            return self.spent

    def _write(self, path: Path) -> None:
        temporary = path.with_name(f".{SPENT}.tmp")
        try:
            temporary.write_text(json.dumps(self.spent.to_dict()) + "\n", encoding="utf-8")
            temporary.replace(path)
        except OSError:  # no reason to end a training: the next entry holds this one's too
            temporary.unlink(missing_ok=True)

    def _keep(self) -> None:
        while not self._closed.wait(EVERY):
            self.enter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
            self.enter()


def _joined(before: Spent, run: Spent) -> Spent:
    """Return the sums of both; of the plan, the later one that there is."""
    return Spent(
        plan=run.plan or before.plan,
        runs=before.runs + run.runs,
        seconds=_summed(before.seconds, run.seconds),
        joules=_summed(before.joules, run.joules),
        unread={**before.unread, **run.unread},
        uncounted=before.uncounted or run.uncounted,
    )


def _summed(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    return {name: one.get(name, 0.0) + other.get(name, 0.0) for name in {**one, **other}}
