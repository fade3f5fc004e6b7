"""The engine of one machine: reader processes, model processes, and who hands what to whom.

A reader works on one call at a time and sends it on in parts; a model has many calls open. A call is tied to
the model with the least to do when its reading begins. Parts are taken from a reader only while that model
has room, so that memory stays bounded. A process that is killed costs its calls one more try: those of a
model are tried one at a time, so that the one which cannot be done shows.
"""

import contextlib
import multiprocessing
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from mmser.batch.machine import count_gpus
from mmser.batch.processes import (
    AHEAD,
    Begin,
    Done,
    Drop,
    Failed,
    Progressed,
    Read,
    ReadPart,
    Ready,
    Unable,
    Write,
    Written,
    given_up,
    judge_calls,
    read_calls,
)
from mmser.batch.reading import End
from mmser.batch.records import CallResult, CallRow, DatasetSource
from mmser.batch.scratch import scratch_folder
from mmser.batch.settings import Settings
from mmser.errors import MmserError
from mmser.types import ModelInfo

MAX_TRIES = 2
SECONDS_TO_END = 2.0  # given to a process before it is made to end


class WorkerError(MmserError):
    """Worker processes cannot do their work at all."""


@dataclass
class _Job:
    """One call that is to be done."""

    row: CallRow
    tries: int = 0
    alone: bool = False  # its model may have no other call open


@dataclass
class _Process:
    """One worker process as its parent sees it."""

    process: BaseProcess
    pipe: Connection
    place: int  # among those of its kind: which GPU it is on
    ready: bool = False


@dataclass
class _ReaderProcess(_Process):
    key: int | None = None  # of the call that it reads
    writing: tuple["Write", CallResult] | None = None


@dataclass
class _ModelProcess(_Process):
    waiting: float = 0.0  # seconds of sound sent and not judged; what is sent must come back, else it stalls
    open: dict[int, _Job] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)

    @property
    def exclusive(self) -> bool:
        return any(job.alone for job in self.open.values())


def begin_loading() -> Any:
    """Return what starts worker processes, and begin to load what they all need.

    They are forked from one process that has imported everything: they share its memory and begin at once.
    That process takes some seconds itself, so a command begins it early.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver

    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mmser.batch.preloaded"])
    forkserver.ensure_running()
    return context


class LocalEngine:
    """Runs calls through worker processes; a context manager, which ends them."""

    def __init__(
        self,
        settings: Settings,
        info: ModelInfo,
        dataset: DatasetSource | None = None,
        *,
        workers: int = 1,
        models: int = 1,
        report_folder: Callable[[str], str] | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            settings: of the batch.
            info: the model.
            dataset: that the rows point into.
            workers: processes that read calls.
            models: processes that hold the model.
            report_folder: id of a call → the folder of its report; None = no reports.
        """
        self.settings, self.info, self.dataset = settings, info, dataset
        self.workers, self.models, self.report_folder = workers, models, report_folder
        self.spent: dict[str, float] = defaultdict(float)  # seconds of work by stage, over all processes
        self._context = begin_loading()
        self._readers: list[_ReaderProcess] = []
        self._models: list[_ModelProcess] = []
        self._jobs: deque[_Job] = deque()  # that are tried again
        self._writes: deque[tuple[Write, CallResult]] = deque()
        self._next_key = 0
        self._stack = contextlib.ExitStack()
        self._scratch: str | None = None
        self._deaths_at_start = 0

    def __enter__(self) -> "LocalEngine":
        """Make room for temporary files.

        Raises:
            OutputError: if there is none.
        """
        self._scratch = self._stack.enter_context(scratch_folder())
        return self

    def __exit__(self, *_: object) -> None:
        """End all processes."""
        started = (*self._readers, *self._models)
        for one in started:
            one.pipe.close()  # which ends those that wait for something to do
        for end in (BaseProcess.terminate, BaseProcess.kill):
            deadline = time.monotonic() + SECONDS_TO_END
            for one in started:
                one.process.join(max(0.0, deadline - time.monotonic()))
                if one.process.is_alive():
                    end(one.process)
        for one in started:
            one.process.join()
        self._stack.close()

    def run(self, rows: Iterable[CallRow]) -> Iterator[CallResult]:
        """Yield what became of each call, in the order in which they end.

        Raises:
            WorkerError: if the processes cannot begin at all.
        """
        coming = iter(rows)
        self._readers = [self._start_reader(place) for place in range(self.workers)]
        self._models = [self._start_model(place) for place in range(self.models)]
        exhausted = False
        while True:
            for reader in self._readers:
                while not exhausted and self._is_idle(reader) and not self._jobs:
                    row = next(coming, None)
                    exhausted = row is None
                    if row is not None and row.problem is not None:
                        yield CallResult(id=row.id, status="failed", error=row.problem)
                    elif row is not None:
                        self._jobs.append(_Job(row))
                        break
                self._employ(reader)
            if exhausted and not self._is_busy():
                return
            for pipe in wait(self._listened_to(), timeout=1.0):
                yield from self._hear(pipe)

    def _is_idle(self, reader: _ReaderProcess) -> bool:
        return reader.ready and reader.key is None and reader.writing is None

    def _is_busy(self) -> bool:
        working = any(reader.key is not None or reader.writing is not None for reader in self._readers)
        return working or bool(self._jobs or self._writes or any(model.open for model in self._models))

    # --- handing out -----------------------------------------------------------------------------

    def _employ(self, reader: _ReaderProcess) -> None:
        """Give an idle reader something to do, if there is anything."""
        if not self._is_idle(reader):
            return
        if self._writes:
            reader.writing = self._writes.popleft()
            self._send(reader, reader.writing[0])
            return
        if not self._jobs:
            return
        model = self._model_for(self._jobs[0])
        if model is not None:
            job = self._jobs.popleft()
            key, self._next_key = self._next_key, self._next_key + 1
            model.open[key], reader.key = job, key
            self._send(model, Begin(key=key, row=job.row))
            self._send(reader, Read(key=key, row=job.row))

    def _model_for(self, job: _Job) -> _ModelProcess | None:
        """Return the model that a call goes to, or None while it must wait."""
        free = [model for model in self._models if model.ready and not model.exclusive]
        if job.alone:
            free = [model for model in free if not model.open]
        # Calls count first: one that has just begun has sent no sound yet.
        return min(free, key=lambda model: (len(model.open), model.waiting), default=None)

    def _send(self, to: _Process, message: object) -> None:
        with contextlib.suppress(OSError):  # it has died: what it had is found when its pipe is heard
            to.pipe.send(message)

    def _listened_to(self) -> list[Connection]:
        room = AHEAD * self.settings.batch_seconds
        heard: list[Connection] = [model.pipe for model in self._models]
        for reader in self._readers:
            model = self._model_of(reader.key)
            if model is None or model.waiting < room:
                heard.append(reader.pipe)
        return heard

    def _model_of(self, key: int | None) -> _ModelProcess | None:
        return next((model for model in self._models if key in model.open), None)

    # --- hearing ---------------------------------------------------------------------------------

    def _hear(self, pipe: Any) -> Iterator[CallResult]:
        one: _Process = next(p for p in (*self._readers, *self._models) if p.pipe is pipe)
        try:
            message = pipe.recv()
        except (EOFError, OSError):
            yield from self._bury(one, None)
            return
        if isinstance(message, Unable):
            if not one.ready:
                raise WorkerError(message.why)
            yield from self._bury(one, message.why)
        elif isinstance(message, Ready):
            one.ready, self._deaths_at_start = True, 0
        elif isinstance(one, _ReaderProcess):
            yield from self._hear_reader(one, message)
        elif isinstance(one, _ModelProcess):
            yield from self._hear_model(one, message)

    def _hear_reader(self, reader: _ReaderProcess, message: Any) -> Iterator[CallResult]:
        if isinstance(message, Written):
            assert reader.writing is not None
            (_, result), reader.writing = reader.writing, None
            self.spent["writing reports"] += message.seconds
            yield told(result, message.problem)
            return
        model = self._model_of(message.key)
        if isinstance(message, ReadPart):
            if isinstance(message.part, End):
                reader.key = None
                for stage, seconds in message.part.spent.items():
                    self.spent[stage] += seconds
            if model is not None:  # else it died, and the call is begun anew
                model.waiting += message.seconds
                self._send(model, message)
        elif isinstance(message, Failed):
            reader.key = None
            if model is not None:
                job = model.open.pop(message.key)
                self._send(model, Drop(key=message.key))
                yield CallResult(id=job.row.id, status="failed", error=" ".join(message.why.split()))

    def _hear_model(self, model: _ModelProcess, message: Any) -> Iterator[CallResult]:
        if isinstance(message, Progressed):
            model.waiting = max(0.0, model.waiting - message.seconds)
            for stage, seconds in message.spent.items():
                self.spent[stage] += seconds - model.spent.get(stage, 0.0)
            model.spent = message.spent
        elif isinstance(message, Done):
            job = model.open.pop(message.key)
            if message.report is None or self.report_folder is None:
                yield message.result
                return
            folder = self.report_folder(job.row.id)
            write = Write(key=message.key, row=job.row, report=message.report, folder=folder)
            self._writes.append((write, message.result))

    # --- deaths ----------------------------------------------------------------------------------

    def _bury(self, one: _Process, why: str | None) -> Iterator[CallResult]:
        """Take leave of a process that ended, start another, and see to the calls that it had."""
        one.pipe.close()
        one.process.join(SECONDS_TO_END)
        if one.process.is_alive():
            one.process.kill()
            one.process.join()
        cause = f"ended ({why})" if why else _cause(one.process.exitcode)
        if not one.ready:
            self._deaths_at_start += 1
            if self._deaths_at_start > self.workers + self.models:
                raise WorkerError(
                    f"worker processes {cause} before they could begin; give fewer --workers and --models, "
                    "or look for what ends them"
                )
        if isinstance(one, _ReaderProcess):
            self._readers[self._readers.index(one)] = self._start_reader(one.place)
            yield from self._after_reader(one, cause)
        elif isinstance(one, _ModelProcess):
            self._models[self._models.index(one)] = self._start_model(one.place)
            for job in one.open.values():
                # With others beside it, a call is tried again alone before it is given up.
                yield from self._try_again(replace(job, alone=True), cause, last=job.alone)

    def _after_reader(self, reader: _ReaderProcess, cause: str) -> Iterator[CallResult]:
        if reader.writing is not None:
            yield told(reader.writing[1], f"its report was not written: the process that wrote it {cause}")
        model = self._model_of(reader.key)
        if model is not None and reader.key is not None:
            job = model.open.pop(reader.key)
            self._send(model, Drop(key=reader.key))
            yield from self._try_again(job, cause, last=job.tries + 1 >= MAX_TRIES)

    def _try_again(self, job: _Job, cause: str, *, last: bool) -> Iterator[CallResult]:
        if last:
            yield CallResult(
                id=job.row.id,
                status="failed",
                error=given_up(cause),
            )
        else:
            self._jobs.appendleft(replace(job, tries=job.tries + 1))

    # --- starting --------------------------------------------------------------------------------

    def _start_reader(self, place: int) -> _ReaderProcess:
        settings = replace(self.settings, asr_device=_dealt(self.settings.asr_device, place))
        return _ReaderProcess(*self._start(read_calls, settings, self.info, self.dataset), place)

    def _start_model(self, place: int) -> _ModelProcess:
        settings = replace(self.settings, device=_dealt(self.settings.device, place))
        return _ModelProcess(*self._start(judge_calls, settings, self.info), place)

    def _start(self, work: Callable[..., None], *arguments: object) -> tuple[BaseProcess, Connection]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=work, args=(theirs, self._scratch, *arguments), daemon=True)
        process.start()
        theirs.close()  # else its end would not show when the process dies
        return process, ours


def told(result: CallResult, problem: str | None) -> CallResult:
    """Return a result, or where its report could not be written that of a call to be tried again."""
    return result if problem is None else CallResult(id=result.id, status="failed", error=problem)


def _dealt(device: str, place: int) -> str:
    """Return the GPU of one of several processes: they are dealt to all that there are."""
    return f"cuda:{place % max(1, count_gpus())}" if device == "cuda" else device


def _cause(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"was killed by signal {-exit_code}"
    return f"ended with code {exit_code}"
