"""What training says while it runs: a bar or lines, JSON lines, and TensorBoard where it is there."""

import contextlib
import importlib.util
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mmser.errors import MmserError
from mmser.training.board import Board

CONSOLE = Console(stderr=True)  # of all that training says; `--quiet` and all processes but one mute it
EVERY = 10  # steps whose losses are averaged into one line
SPOKEN_EVERY = 20.0  # seconds between lines where there is no terminal for a bar


class MetricsLog:
    """The log of one stage: `NAME.jsonl` in its folder, and what is shown."""

    def __init__(self, folder: Path, name: str, total_steps: int, main: bool = True) -> None:
        self.path, self.name, self.total, self.main = folder / f"{name}.jsonl", name, total_steps, main
        self._sums: dict[str, float] = {}
        self._seen: dict[str, int] = {}  # steps that had each loss
        self._count = 0
        self._bar: Progress | None = None
        self._board: Board | None = None

    @property
    def is_flushed(self) -> bool:
        """Whether every step so far is in a line: a run that goes on from here writes the same lines."""
        return self._count == 0

    def start(self, step: int, *, validated: bool = True) -> None:
        """Begin, or go on after `step`: lines of what will be repeated are taken out.

        Args:
            step: the last that is done.
            validated: whether its validation, if it has one, is done too.
        """
        self._first, self._begun, self._spoken = step, time.monotonic(), time.monotonic()
        if not self.main:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            rows = [row for row in read_metrics(self.path) if row["step"] <= step]
            if not validated:
                rows = [row for row in rows if row["step"] < step or "validation_score" not in row]
            kept = self.path.with_name(f".{self.path.name}.tmp")
            kept.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
            kept.replace(self.path)
            if importlib.util.find_spec("tensorboard"):
                self._board = Board(self.path.parent / "tensorboard" / self.name, step + 1)
        except OSError as error:
            raise MmserError(f"cannot write training metrics to {self.path}: {error.strerror}") from error
        if CONSOLE.is_terminal and not CONSOLE.quiet:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            more = (TimeRemainingColumn(), TextColumn("{task.fields[said]}"))
            self._bar = Progress(*columns, *more, console=CONSOLE)
            self._bar.add_task(self.name, total=self.total, completed=step, said="")
            self._bar.start()

    def step(self, step: int, losses: Mapping[str, float], learning_rate: float) -> None:
        """Count one optimisation step with its losses by name."""
        self._count += 1
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
            self._seen[name] = self._seen.get(name, 0) + 1
        if self._bar is not None:
            self._bar.update(self._bar.tasks[0].id, completed=step)
        self._rate = learning_rate
        if self._count >= EVERY:
            self.flush(step)

    def flush(self, step: int) -> None:
        """Write the mean of the losses since the last line, so that nothing of them is kept in memory."""
        if self._count:
            means = {name: round(total / self._seen[name], 5) for name, total in self._sums.items()}
            means |= {"loss": round(sum(means.values()), 5), "learning_rate": self._rate}
            self._write(step, means)
            self._sums, self._seen, self._count = {}, {}, 0
            self._speak(step, means)

    def _speak(self, step: int, means: Mapping[str, float]) -> None:
        now = time.monotonic()
        left = (now - self._begun) / max(1, step - self._first) * (self.total - step)
        said = f"loss {means['loss']:.3f}"
        if self._bar is not None:
            self._bar.update(self._bar.tasks[0].id, said=said)
        elif now - self._spoken >= SPOKEN_EVERY or step == self.total:
            self._spoken = now
            self.say(f"step {step} of {self.total}, {said}, {_clock(left)} left")

    def validated(self, step: int, metrics: Mapping[str, float]) -> None:
        """Write and show the metrics of one validation."""
        # JSON has no NaN: what could not be measured is null.
        rounded = {n: round(v, 5) if math.isfinite(v) else None for n, v in metrics.items()}
        self._write(step, {f"validation_{name}": value for name, value in rounded.items()})
        shown = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        self.say(f"step {step}: validation {shown}")

    def say(self, line: str) -> None:
        """Show one line, above a bar that is running."""
        if self.main:
            say(f"{self.name}: {line}")

    def _write(self, step: int, values: Mapping[str, float | None]) -> None:
        if not self.main:
            return
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, **values}) + "\n")
            if self._board is not None:
                self._board.write(step, values)
        except OSError as error:
            raise MmserError(
                f"cannot write training metrics to {self.path} ({error.strerror}); make room and run the "
                "same command again: training goes on from the last checkpoint"
            ) from error

    def close(self) -> None:
        """Close the bar and the files."""
        if self._bar is not None:
            self._bar.stop()
        if self._board is not None:
            self._board.close()


def say(line: str) -> None:
    """Show one line."""
    CONSOLE.print(line, highlight=False, soft_wrap=True, markup=False)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a stage's log; none where there is no file yet.

    A line that was cut off when its run was killed belongs to no checkpoint, and is left out as any damage.
    """
    rows: list[Any] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []:
        with contextlib.suppress(json.JSONDecodeError):
            rows.append(json.loads(line))
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("step"), int)]


@contextlib.contextmanager
def track(total: int, what: str) -> Iterator[Callable[[], None]]:
    """Show how far a pass over `total` things is; call what is given after each."""
    count, begun, spoken = 0, 0.0, time.monotonic()

    def advance() -> None:
        nonlocal count, begun, spoken
        now = time.monotonic()
        count += 1
        begun = begun or now  # processes that had to start first would make the rest look endless
        bar.advance(task)
        if not CONSOLE.is_terminal and now - spoken >= SPOKEN_EVERY:
            spoken = now
            left = f", {_clock((now - begun) / (count - 1) * (total - count))} left" if count > 1 else ""
            say(f"{what}: {count} of {total}{left}")

    with Progress(console=CONSOLE, disable=CONSOLE.quiet or not CONSOLE.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield advance


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
