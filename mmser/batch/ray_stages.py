"""What the worker processes of Ray do: some read calls, some hold the model, some write reports.

Heavy modules are imported where the work is done: the process that drives the stages names them, no more.
"""

import json
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import ray

from mmser.batch.local import MAX_TRIES, told
from mmser.batch.processes import AHEAD, Write, given_up, make_reader, seconds_of, write
from mmser.batch.ray_book import Begun
from mmser.batch.reading import Part, Reader, TooLongError
from mmser.batch.records import CallResult, CallRow, DatasetSource
from mmser.batch.settings import Settings
from mmser.errors import MmserError
from mmser.types import CallReport, ModelInfo, Seconds

if TYPE_CHECKING:
    from mmser.batch.judging import Judge

# Sound that a block of calls may carry, and a call in it: what is longer is read where it is judged, a part
# at a time. A block leaves a stage whole, for Ray tells what it was given twice by its place alone.
BLOCK_SECONDS: Final[Seconds] = 5400.0
LONG_SECONDS: Final[Seconds] = 1800.0
CALL: Final = "call"  # the column that the stages hand on
Batch = dict[str, Any]  # column → values, an array of objects
Loaded = TypeVar("Loaded")


@dataclass(frozen=True, kw_only=True)
class Carried:
    """One call on its way through the stages."""

    row: CallRow
    folder: str  # of its report; "" = none
    parts: tuple[Part, ...] | None = None  # None of a long one, and once it is judged
    result: CallResult | None = None
    report: CallReport | None = None  # that is to be written
    spent: dict[str, float] = field(default_factory=dict)  # seconds of work by stage
    unable: str | None = None  # why no call at all can be done


@dataclass(frozen=True, kw_only=True)
class Work:
    """What every stage is given."""

    settings: Settings
    info: ModelInfo
    dataset: DatasetSource | None
    book: Any  # handle of the Book

    def begin(self, *names: str) -> list[Begun]:
        """Note that work begins."""
        found: list[Begun] = ray.get(self.book.begin.remote(names))
        return found

    def end(self, *names: str) -> None:
        """Note that work is done."""
        self.book.end.remote(names)

    def blame(self, name: str, why: str) -> None:
        """Note what went wrong, before this process ends."""
        ray.get(self.book.blame.remote(name, why))


class ReadStage:
    """Reads calls."""

    def __init__(self, work: Work) -> None:
        from mmser.pipeline import set_threads

        set_threads(1)
        self.work = work
        self.reader, self.unable = loaded(work, lambda: _make_reader(work))

    def __call__(self, batch: Batch) -> Batch:
        """Read the calls of one block; see `BLOCK_SECONDS`."""
        done, taken = [], 0.0
        for text, folder in zip(batch["row"], batch["folder"], strict=True):
            call = Carried(row=CallRow.from_dict(json.loads(text)), folder=folder)
            if self.unable is not None or self.reader is None:
                return _column([replace(call, unable=self.unable)])
            name = f"read {call.row.id}"
            if self.work.begin(name)[0].times >= MAX_TRIES:
                call = _given_up(call)
            else:
                call = self._read(call, self.reader, min(LONG_SECONDS, BLOCK_SECONDS - taken))
            self.work.end(name)
            taken += sum(seconds_of(part, self.reader.limits.sampling_rate) for part in call.parts or ())
            done.append(call)
        return _column(done)

    def _read(self, call: Carried, reader: Reader, longest: Seconds) -> Carried:
        try:
            return replace(call, parts=tuple(reader.read(call.row, longest=longest)))
        except TooLongError:
            return call
        except MmserError as error:
            return _failed(call, str(error))
        except Exception as error:
            return _failed(call, _unexpected(error))


class JudgeStage:
    """Holds the model."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self._judge_of, self.unable = loaded(work, lambda: _make_judge(work))
        self._reader: Reader | None = None  # for long calls
        self._room = AHEAD * work.settings.batch_seconds
        self._next_key = 0
        self._told: dict[str, float] = {}

    @property
    def judge(self) -> "Judge":
        """The model's keeper, once it is there."""
        assert self._judge_of is not None
        return self._judge_of

    def __call__(self, batch: Batch) -> Batch:
        """Judge the calls of one block together."""
        calls = list(batch[CALL])
        waiting = [call for call in calls if call.result is None and call.unable is None]
        done = [call for call in calls if call.result is not None or call.unable is not None]
        if self.unable is not None:
            return _column([replace(calls[0], parts=None, unable=self.unable)])
        return _column([*done, *self._done(waiting)])

    def _done(self, calls: list[Carried]) -> Iterator[Carried]:
        names = [f"judge {call.row.id}" for call in calls]
        if not any(begun.times for begun in self.work.begin(*names)):
            try:
                yield from self.judged(calls)
            except Exception as error:
                _end_process(error)  # a fresh one does them one at a time
        else:
            for call in calls:
                yield from self._judge_alone(call)
        self.work.end(*names)

    def _judge_alone(self, call: Carried) -> Iterator[Carried]:
        name = f"judge alone {call.row.id}"
        begun = self.work.begin(name)[0]
        if begun.why is not None:
            yield _failed(call, begun.why)
        elif begun.times >= MAX_TRIES:
            yield _given_up(call)
        else:
            try:
                yield from self.judged([call])
            except Exception as error:
                # A device that has failed once may fail with every call after: the process is not kept.
                self.work.blame(name, _unexpected(error))
                _end_process(error)
        self.work.end(name)

    def judged(self, calls: Sequence[Carried]) -> Iterator[Carried]:
        """Judge calls together; memory holds what they carry, and of long ones a few batches."""
        opened: dict[int, Carried] = {}
        for call in calls:
            key, self._next_key = self._next_key, self._next_key + 1
            opened[key] = replace(call, parts=None)
            self.judge.begin(key, call.row)
            try:
                for part in self._parts(call):
                    self.judge.take(key, part)
                    while self.judge.fuser.waiting_seconds > self._room:
                        yield from self._step(opened)
            except MmserError as error:
                self.judge.drop(key)
                yield _failed(opened.pop(key), str(error))
        while opened:
            yield from self._step(opened)

    def _parts(self, call: Carried) -> Iterator[Part]:
        if call.parts is not None:
            yield from call.parts
            return
        self._reader = self._reader or _make_reader(self.work)
        try:
            yield from self._reader.read(call.row)
        except MmserError:
            raise
        except Exception as error:
            raise MmserError(_unexpected(error)) from error

    def _step(self, opened: dict[int, Carried]) -> Iterator[Carried]:
        seconds, number = self.judge.step(), len(opened)
        for key, finished in self.judge.finished():
            spent = dict(self.judge.fuser.spent)
            fresh = {stage: value - self._told.get(stage, 0.0) for stage, value in spent.items()}
            self._told = spent
            yield replace(opened.pop(key), result=finished.result, report=finished.report, spent=fresh)
        if not seconds and len(opened) == number:
            raise RuntimeError(f"{number} calls do not end")


class WriteStage:
    """Writes reports."""

    def __init__(self, work: Work) -> None:
        self.work = work

    def __call__(self, batch: Batch) -> Batch:
        """Write the reports of one block."""
        return _column([self._write(call) for call in batch[CALL]])

    def _write(self, call: Carried) -> Carried:
        if call.report is None or call.result is None:
            return call
        name = f"write {call.row.id}"
        if self.work.begin(name)[0].times >= MAX_TRIES:
            problem: str | None = "its report was not written: the process that wrote it ended"
            seconds = 0.0
        else:
            asked = Write(key=0, row=call.row, report=call.report, folder=call.folder)
            written = write(asked, self.work.settings, self.work.dataset)
            problem, seconds = written.problem, written.seconds
        self.work.end(name)
        spent = {**call.spent, "writing reports": seconds}
        return replace(call, report=None, spent=spent, result=told(call.result, problem))


def loaded(work: Work, load: Callable[[], Loaded]) -> tuple[Loaded | None, str | None]:
    """Return what a process needs, or why it cannot be had."""
    name = f"start {ray.get_runtime_context().get_actor_id()}"
    if work.begin(name)[0].times > MAX_TRIES:
        return None, (
            f"a worker process of Ray ended {MAX_TRIES + 1} times before it could begin; give fewer "
            "--workers and --models, or look for what ends it"
        )
    folder = work.settings.model_folder
    try:
        if not Path(folder).is_dir():
            return None, (
                f"{socket.gethostname()}, a machine of the Ray cluster, has no model at {folder}; every "
                "machine needs it there: give --model a folder that they share, or copy it to each"
            )
        return load(), None
    except MmserError as error:
        return None, str(error)
    except Exception as error:
        return None, _unexpected(error)
    finally:
        work.end(name)


def _make_reader(work: Work) -> Reader:
    reader: Reader = make_reader(work.settings, work.info, work.dataset)
    return reader


def _make_judge(work: Work) -> "Judge":
    from mmser.batch.judging import Judge

    return Judge(work.settings, work.info)


def _failed(call: Carried, why: str) -> Carried:
    from mmser.batch.judging import failed

    return replace(call, parts=None, result=failed(call.row, why))


def _unexpected(error: Exception) -> str:
    from mmser.batch.judging import unexpected

    return unexpected(error)


def _given_up(call: Carried) -> Carried:
    return _failed(call, given_up("ended"))


def _column(calls: Sequence[Carried]) -> Batch:
    column = np.empty(len(calls), dtype=object)
    column[:] = calls
    return {CALL: column}


def _end_process(error: Exception) -> None:
    """End this worker, which Ray then replaces; its log says why."""
    print(_unexpected(error), flush=True)
    os._exit(1)
