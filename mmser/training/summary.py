"""The table at the end of a training."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mmser.training.log import read_metrics
from mmser.training.run import Trained

WIDTH = 110  # characters; the table is the same on a terminal and in a file


def summary(work: Path, stages: Sequence[str], trained: Trained, seconds: float) -> str:
    """Return what a training came to: each stage's steps, losses and best validation, and what it left.

    Args:
        work: its folder, with the stages' metrics.
        stages: that ran.
        trained: what it left.
        seconds: how long this run of it took.
    """
    table = Table(title="training", title_justify="left")
    for name, justify in (("stage", "left"), ("steps", "right"), ("loss, first → last", "right")):
        table.add_column(name, justify="right" if justify == "right" else "left", no_wrap=True)
    table.add_column("best validation")
    for stage in stages:
        table.add_row(stage, *_stage(read_metrics(work / f"{stage}.jsonl")))
    stream = io.StringIO()
    Console(file=stream, width=WIDTH, highlight=False).print(table)
    counts = ", ".join(f"{split} {count}" for split, count in trained.rows.items())
    lines = [
        f"rows: {counts}",
        f"time: {seconds / 60:.1f} min (this run)",
        f"metrics: {work}",
        f"licence of the weights: {trained.license}",
    ]
    if trained.mark:
        lines.append(f"MARK of every number above: {trained.mark}")
    lines.append(f"model: {trained.model}")
    return stream.getvalue() + "\n".join(lines)


def _score(value: float | None) -> float:
    return float("-inf") if value is None else value


def _stage(rows: Sequence[dict[str, Any]]) -> tuple[str, str, str]:
    """Return steps, losses and the best validation of a stage, as shown."""
    losses = [row["loss"] for row in rows if "loss" in row]
    checks = [row for row in rows if "validation_score" in row]
    best = max(checks, key=lambda row: _score(row["validation_score"]), default={})
    shown = [
        f"{name.removeprefix('validation_')} {value:.4g}"
        for name, value in best.items()
        if name.startswith("validation_") and name != "validation_score" and value is not None
    ]
    # A stage with one number calls it the score.
    shown = shown or [f"score {best['validation_score']:.4g}"] if best else ["none"]
    steps = str(rows[-1]["step"]) if rows else "0"
    ends = f"{losses[0]:.3f} → {losses[-1]:.3f}" if losses else "none"
    at = f" (step {best['step']})" if best else ""
    return steps, ends, ", ".join(shown) + at
