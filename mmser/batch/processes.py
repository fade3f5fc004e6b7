"""What the worker processes of a batch do: some read calls, some hold the model.

Each has one pipe, to the process that began it, and ends when that pipe does: whatever becomes of that
process, none is left behind. Messages are the records below.
"""

import contextlib
import multiprocessing
import os
import queue
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from mmser.batch.place import Place
from mmser.batch.reading import SILENT_ROW_SECONDS, End, Part
from mmser.batch.records import CallResult, CallRow, DatasetSource
from mmser.batch.settings import Settings
from mmser.errors import MmserError
from mmser.timeline import Course
from mmser.types import CallReport, ModelInfo, Seconds

AHEAD = 4.0  # batches of sound that may wait for a model


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A process has loaded what it needs."""


@dataclass(frozen=True, kw_only=True)
class Unable:
    """A process cannot begin at all, or go on."""

    why: str


@dataclass(frozen=True, kw_only=True)
class Read:
    """To a reader: read this call."""

    key: int
    row: CallRow


@dataclass(frozen=True, kw_only=True)
class Write:
    """To a reader: write this call's report into a folder."""

    key: int
    row: CallRow
    report: CallReport
    folder: str  # path or URL


@dataclass(frozen=True, kw_only=True)
class ReadPart:
    """From a reader, and on to a model: the next part of a call."""

    key: int
    part: Part
    seconds: Seconds  # of sound that it brings to the model


@dataclass(frozen=True, kw_only=True)
class Failed:
    """From a reader: the call cannot be read."""

    key: int
    why: str


@dataclass(frozen=True, kw_only=True)
class Written:
    """From a reader: the report is in its folder, or why it is not."""

    key: int
    problem: str | None
    seconds: float  # of work


@dataclass(frozen=True, kw_only=True)
class Begin:
    """To a model: parts of this call will come."""

    key: int
    row: CallRow


@dataclass(frozen=True, kw_only=True)
class Drop:
    """To a model: no more of this call will come."""

    key: int


@dataclass(frozen=True, kw_only=True)
class Progressed:
    """From a model: how much sound it has judged, or need not judge, since the last message."""

    seconds: Seconds
    spent: dict[str, float]  # seconds of work by stage, since it began


@dataclass(frozen=True, kw_only=True)
class Done:
    """From a model: one call."""

    key: int
    result: CallResult
    report: CallReport | None


def read_calls(
    pipe: Connection,
    scratch: str | None,
    settings: Settings,
    info: ModelInfo,
    dataset: DatasetSource | None,
) -> None:
    """Read calls as they are asked for, until the pipe ends."""
    _settle(scratch)
    from mmser.pipeline import set_threads

    set_threads(1)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            reader = make_reader(settings, info, dataset)
        except MmserError as error:
            pipe.send(Unable(why=str(error)))
            return
        pipe.send(Ready())
        while True:
            asked: Read | Write = pipe.recv()
            if isinstance(asked, Write):
                pipe.send(write(asked, settings, dataset))
            else:
                _read(asked, reader, pipe)


def make_reader(settings: Settings, info: ModelInfo, dataset: DatasetSource | None) -> Any:
    """Return the reader of a process: with the model's tokenizer and limits, without its weights."""
    from mmser.batch.reading import Reader
    from mmser.model import MmserConfig, MmserProcessor
    from mmser.quiet import quietly
    from mmser.scoring import limits_of

    with quietly():
        config: Any = MmserConfig.from_pretrained(settings.model_folder)
        processor = MmserProcessor.from_pretrained(settings.model_folder, local_files_only=True)
    timelines = config.audio_encoder == "cnn" if settings.timeline is None else settings.timeline
    return Reader(
        settings=settings,
        dataset=dataset,
        count_tokens=processor.count_tokens,
        limits=limits_of(config),
        languages_read=info.languages,
        timelines=timelines,
    )


def _read(asked: Read, reader: Any, pipe: Connection) -> None:
    from mmser.batch.judging import unexpected

    try:
        for part in reader.read(asked.row):
            pipe.send(
                ReadPart(key=asked.key, part=part, seconds=seconds_of(part, reader.limits.sampling_rate))
            )
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise
    except MmserError as error:
        pipe.send(Failed(key=asked.key, why=str(error)))
    except Exception as error:
        pipe.send(Failed(key=asked.key, why=unexpected(error)))


def seconds_of(part: Part, sampling_rate: int) -> Seconds:
    """Return how much sound a part brings to the model; see `SILENT_ROW_SECONDS`."""
    if isinstance(part, End):
        return 0.0
    if isinstance(part, Course):
        return len(part.starts) * part.length / sampling_rate
    return sum(max(row.num_samples / sampling_rate, SILENT_ROW_SECONDS) for row in part.rows)


def write(asked: Write, settings: Settings, dataset: DatasetSource | None) -> Written:
    """Write one report."""
    from mmser.batch.input.fetching import fetch
    from mmser.batch.judging import unexpected
    from mmser.outputs import write_report

    begun, problem = time.perf_counter(), None
    try:
        with contextlib.ExitStack() as stack:
            given = fetch(asked.row, dataset, stack)
            out, _, name = asked.folder.rpartition("/")
            folder = stack.enter_context(Place(out).local_folder(name))
            write_report(
                asked.report,
                folder,
                sources=given.sources,
                include_audio=settings.include_audio,
                include_text=settings.include_text,
                overwrite=True,
            )
    except Exception as error:
        why = str(error) if isinstance(error, MmserError) else unexpected(error)
        problem = f"its report could not be written: {why}"
    return Written(key=asked.key, problem=problem, seconds=time.perf_counter() - begun)


def judge_calls(pipe: Connection, scratch: str | None, settings: Settings, info: ModelInfo) -> None:
    """Hold the model and judge what comes, until the pipe ends."""
    _settle(scratch)
    from mmser.batch.judging import Judge, unexpected

    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            judge = Judge(settings, info)
        except Exception as error:
            pipe.send(Unable(why=str(error) if isinstance(error, MmserError) else unexpected(error)))
            return
        pipe.send(Ready())
        try:
            _judge_what_comes(pipe, judge)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:
            pipe.send(Unable(why=unexpected(error)))


def _judge_what_comes(pipe: Connection, judge: Any) -> None:
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    # A thread empties the pipe: whoever fills it never waits for a batch to end.
    threading.Thread(target=_receive, args=(pipe, inbox), daemon=True).start()
    working, dropped = False, 0.0
    while True:
        # While nothing waits to be judged, wait for what comes; otherwise take what has come.
        while not working or not inbox.empty():
            message = inbox.get()
            if message is None:
                return
            dropped += _take(judge, message)
            working = True
        seconds = judge.step()
        for key, finished in judge.finished():
            pipe.send(Done(key=key, result=finished.result, report=finished.report))
        working = seconds > 0
        if seconds or dropped:
            pipe.send(Progressed(seconds=seconds + dropped, spent=dict(judge.fuser.spent)))
            dropped = 0.0


def _receive(pipe: Connection, inbox: "queue.SimpleQueue[Any]") -> None:
    try:
        while True:
            inbox.put(pipe.recv())
    except (EOFError, OSError):
        inbox.put(None)


def _take(judge: Any, message: Begin | Drop | ReadPart) -> Seconds:
    """Do what a message says; return how much sound that waited needs no judging any more."""
    if isinstance(message, Drop):
        return float(judge.drop(message.key))
    if isinstance(message, Begin):
        judge.begin(message.key, message.row)
    else:
        judge.take(message.key, message.part)
    return 0.0


def _settle(scratch: str | None) -> None:
    """Leave Ctrl-C to the process that began this one, and temporary files where it takes them away."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # on the way out they go
    if scratch is not None:
        tempfile.tempdir = scratch
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    """End this process when its parent does, also in the middle of hours of work for it."""
    parent.join()
    os._exit(1)


def given_up(cause: str) -> str:
    """Say why a call is not tried any more, by what became of the process that worked on it."""
    return (
        f"the process that worked on it {cause}, also when it was tried again; if memory ran out, give fewer "
        "--workers and --models, or analyse it by itself"
    )
