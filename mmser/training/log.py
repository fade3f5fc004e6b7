"""Training metrics as JSON lines, with an estimate of the time left."""

import json
import sys
import time
from pathlib import Path


class MetricsLog:
    """Averages what it is given and writes a line every few seconds."""

    def __init__(self, path: Path, total_steps: int, every: float = 20.0) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._total, self._every = path, total_steps, every
        self._step, self._begun, self._written = 0, time.monotonic(), time.monotonic()
        self._sums: dict[str, float] = {}
        self._count = 0

    def step(self, **values: float) -> None:
        """Count one optimisation step with its metrics."""
        self._step += 1
        self._count += 1
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        now = time.monotonic()
        if now - self._written >= self._every or self._step == self._total:
            left = (now - self._begun) / self._step * (self._total - self._step)
            means = {name: round(total / self._count, 4) for name, total in self._sums.items()}
            self.write(step=self._step, total=self._total, seconds_left=round(left), **means)
            self._sums, self._count, self._written = {}, 0, now

    def write(self, **row: float | str | None) -> None:
        """Append one row and show it on stderr."""
        line = json.dumps(row)
        with self._path.open("a") as file:
            file.write(line + "\n")
        print(f"{self._path.stem}: {line}", file=sys.stderr, flush=True)
