"""What every command shares: results on stdout, progress on stderr, one line for an error."""

import contextlib
import errno
import gc
import os
import sys
import time
import unicodedata
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from mmser.errors import MmserError, OutputError, no_temporary_room

if TYPE_CHECKING:
    from mmser.pipeline import EmotionPipeline

SECONDS_BETWEEN_LINES = 10.0  # where stderr is a file, a line this often is enough
PACE_SECONDS = 3600.0  # over which a bar tells its pace
SECONDS_BEFORE_ETA = 5.0  # a pace measured over less is none
STAGES = {
    "loading": "loading what recognises words",
    "fetching": "fetching its weights",
    "listening": "finding speech",
    "transcribing": "recognising words",
    "placing": "finding channels",
    "analysing": "analysing turns",
    "writing": "writing the report",
}


class StoppedError(MmserError):
    """Somebody pressed Ctrl-C, and there is something to say of what is kept."""

    exit_code = 130


def load_pipeline(model: str | None, threads: int) -> "EmotionPipeline":
    """Load a model, and torch with it, for a command; see `EmotionPipeline.from_pretrained`."""
    # What torch and transformers make while they load lasts. Looking through it again and again for
    # garbage took one second in eight.
    gc.disable()
    try:
        from mmser.pipeline import EmotionPipeline, set_threads

        set_threads(threads)
        return EmotionPipeline.from_pretrained(model)
    finally:
        gc.enable()


def one_line(text: str) -> str:
    """Return `text` as one line in which file names and words can neither draw nor turn the direction."""
    return "".join(c if unicodedata.category(c)[0] != "C" else "\ufffd" for c in " ".join(text.split()))


def print_result(text: str) -> None:
    """Write `text` to stdout and flush it; what its encoding cannot hold becomes "?".

    Raises:
        OutputError: if stdout takes no more (a full disk).
        BrokenPipeError: if the reader has gone; `main` ends quietly then.
    """
    text = text if text.endswith("\n") else text + "\n"
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise stdout_error(error) from error


def stdout_error(error: OSError) -> OutputError:
    """Describe a failure to write to stdout, and keep Python from failing on it once more at exit."""
    silence_stdout()
    reason = os.strerror(error.errno) if error.errno else str(error)
    return OutputError(f"cannot write the result to standard output: {reason}; free space or write elsewhere")


def is_stdout_error(error: OSError) -> bool:
    """Tell whether an error that names no file comes from a full or closed output stream."""
    return error.filename is None and error.errno in (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EDQUOT)


def silence_stdout() -> None:
    """Send what is still buffered for stdout nowhere."""
    with contextlib.suppress(OSError, ValueError):  # a captured stdout has no descriptor
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, sys.stdout.fileno())
        os.close(descriptor)


class Progress:
    """Tells on stderr what is under way: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, *, quiet: bool, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._bar: Any = None
        self._task: Any = None
        self._stage = ""
        self._last_line = 0.0
        self._ended = False  # whether the last line said 100 %
        self._began, self._done_before = 0.0, 0.0  # of the stage that runs

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        # Nothing goes to stdout while work is under way, and the files of a report have their own error.
        told = no_temporary_room(error) if isinstance(error, OSError) else None
        if told is not None:
            raise told from error

    def say(self, text: str) -> None:
        """Print one line, above a bar that is running."""
        if not self._quiet:
            with ignoring_lost_stderr():
                self._stop()
                self._stream.write(one_line(text) + "\n")
                self._stream.flush()

    def warn(self, text: str) -> None:
        """Print a warning, also when quiet: what it says changes how results must be read."""
        with ignoring_lost_stderr():
            self._stop()
            self._stream.write(f"mmser: warning: {one_line(text)}\n")
            self._stream.flush()

    def __call__(self, stage: str, done: float, total: float) -> None:
        """Show how far a stage has come, both in the stage's own unit."""
        if self._quiet:
            return
        with ignoring_lost_stderr():
            if self._stream.isatty():
                self._draw(stage, done, total)
            elif self._is_due(stage, done, total):
                share = f" {100 * done / total:.0f} %" if total and done else ""
                left = self._time_left(stage, done, total)
                self._stream.write(f"  {STAGES.get(stage, stage)} …{share}{left}\n")
                self._stream.flush()
                self._last_line, self._ended = time.monotonic(), 0 < total <= done
        if stage != self._stage:
            self._began, self._done_before = time.monotonic(), done
        self._stage = stage

    def _is_due(self, stage: str, done: float, total: float) -> bool:
        """Tell whether a line is written: at a stage's beginning, then now and then, and at its end."""
        if stage != self._stage or time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
            return True
        return 0 < total <= done and not self._ended

    def _time_left(self, stage: str, done: float, total: float) -> str:
        """Return how long the rest of a stage takes at the pace of this run."""
        spent = time.monotonic() - self._began
        if stage != self._stage or not total or done <= self._done_before or spent < SECONDS_BEFORE_ETA:
            return ""
        seconds = spent * (total - done) / (done - self._done_before)
        return f", about {spoken(seconds)} left" if done < total else ""

    def _draw(self, stage: str, done: float, total: float) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        if self._bar is None or stage != self._stage:
            self._stop()
            columns = (TextColumn("  {task.description}"), BarColumn(), TimeRemainingColumn())
            # A batch of a recogniser may take a minute; rich forgets a pace after half a minute.
            target = Console(file=self._stream)
            self._bar = Bar(*columns, console=target, transient=True, speed_estimate_period=PACE_SECONDS)
            self._bar.start()
            self._task = self._bar.add_task(STAGES.get(stage, stage), total=total or None)
        self._bar.update(self._task, completed=done, total=total or None)

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def spoken(seconds: float) -> str:
    """Return a length of time in words: "40 s", "12 min", "3 h 5 min"."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{max(1, round(seconds)):d} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


@contextlib.contextmanager
def ignoring_lost_stderr() -> Iterator[None]:
    """Progress that nobody can read is no reason to stop the work."""
    with contextlib.suppress(BrokenPipeError, OSError):
        yield
