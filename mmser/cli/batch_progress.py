"""The progress of a batch on stderr: how many calls, how fast, how long still, how many failed."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from mmser.cli.console import SECONDS_BETWEEN_LINES, ignoring_lost_stderr, spoken

if TYPE_CHECKING:
    from mmser.batch.run import Progress

SECONDS_BEFORE_RATE = 3.0  # a rate measured over less is none


class BatchBar:
    """A bar on a terminal, a line now and then elsewhere; nothing where it is to be quiet."""

    def __init__(self, *, quiet: bool, stream: TextIO | None = None) -> None:
        self._stream, self._quiet = stream or sys.stderr, quiet
        self._bar: Any = None
        self._task: Any = None
        self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, progress: "Progress") -> None:
        """Show how far it is."""
        if self._quiet:
            return
        with ignoring_lost_stderr():
            if self._stream.isatty():
                self._draw(progress)
            elif (
                time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES
                or _handled(progress) == progress.total
            ):
                self._stream.write(f"  {told(progress)}\n")
                self._stream.flush()
                self._last_line = time.monotonic()

    def _draw(self, progress: "Progress") -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        if self._bar is None:
            columns = (BarColumn(), TextColumn("{task.description}"))
            self._bar = Bar(*columns, console=Console(file=self._stream), transient=True)
            self._bar.start()
            self._task = self._bar.add_task("", total=progress.total)
        self._bar.update(self._task, completed=_handled(progress), description=told(progress))


def _handled(progress: "Progress") -> int:
    return progress.before + progress.done + progress.failed


def told(progress: "Progress") -> str:
    """Say how far a batch is, in one line."""
    handled = _handled(progress)
    share = 100 * handled / progress.total if progress.total else 100.0
    parts = [f"{handled:,} of {progress.total:,} calls ({share:.0f} %)"]
    if progress.failed:
        parts.append(f"{progress.failed:,} failed")
    # Counted from the first call: before it, processes load what they need.
    ran, worked = (
        progress.done + progress.failed - 1,
        progress.seconds - (progress.first_seconds or progress.seconds),
    )
    if worked > SECONDS_BEFORE_RATE and ran > 0:
        parts.append(f"{60 * ran / worked:,.0f} a minute")
        parts.append(f"{progress.sound_seconds / worked:,.0f} × real time")
        if handled < progress.total:
            parts.append(f"about {spoken(worked * (progress.total - handled) / ran)} left")
    return ", ".join(parts)
