"""Pictures for the card: confusion matrices and learning curves."""

import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmser.errors import MissingExtraError
from mmser.labels import EMOTIONS

INK, GRID = "#1f2937", "#e5e7eb"


def _pyplot() -> Any:
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError("matplotlib", "train", "drawing the card's pictures")
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"font.size": 9, "text.color": INK, "axes.labelcolor": INK, "figure.dpi": 110})
    return pyplot


def draw_confusions(tables: Mapping[str, Sequence[Sequence[int]]], path: Path) -> None:
    """Draw confusion matrices side by side; rows are the truth, in percent of the row, counts below.

    Args:
        tables: title → counts, truth by guess, in the order of `EMOTIONS`.
        path: PNG.
    """
    pyplot = _pyplot()
    figure, axes = pyplot.subplots(1, len(tables), figsize=(4.6 * len(tables), 4.4), squeeze=False)
    for axis, (title, counts) in zip(axes[0], tables.items(), strict=True):
        table = np.asarray(counts, float)
        present = table.sum(1) > 0
        shares = 100 * table / np.maximum(table.sum(1, keepdims=True), 1)
        axis.imshow(np.where(present[:, None], shares, np.nan), cmap="Blues", vmin=0, vmax=100)
        for row, column in np.ndindex(*table.shape):
            if present[row] and table[row, column]:
                dark = shares[row, column] > 55
                axis.text(
                    column,
                    row,
                    f"{shares[row, column]:.0f}",
                    ha="center",
                    va="center",
                    color="white" if dark else INK,
                )
        axis.set_xticks(range(len(EMOTIONS)), EMOTIONS, rotation=45, ha="right")
        axis.set_yticks(range(len(EMOTIONS)), EMOTIONS)
        axis.set_title(f"{title} (n {int(table.sum())})", fontsize=10)
        axis.set_xlabel("answer")
    axes[0][0].set_ylabel("truth, % of the row")
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)


# What decides on validation, by stage.
SCORES = {"text": "mean F1, %", "frames": "UAR, %", "views": "UAR, %", "fusion": "−loss"}


def draw_curves(folder: Path, stages: Sequence[str], path: Path) -> None:
    """Draw each stage's training loss and validation score from its JSON lines in `folder`."""
    pyplot = _pyplot()
    figure, axes = pyplot.subplots(1, len(stages), figsize=(3.4 * len(stages), 2.9), squeeze=False)
    for axis, stage in zip(axes[0], stages, strict=True):
        rows = [json.loads(line) for line in (folder / f"{stage}.jsonl").read_text("utf-8").splitlines()]
        losses = [(row["step"], row["loss"]) for row in rows if "loss" in row]
        scores = [(row["step"], row["validation_score"]) for row in rows if "validation_score" in row]
        axis.plot(*zip(*losses, strict=True), color="#9ca3af", linewidth=0.8)
        axis.set_title(f"{stage}: {SCORES.get(stage, 'score')}", fontsize=10)
        axis.set_xlabel("step")
        axis.grid(color=GRID)
        if scores:
            twin = axis.twinx()
            twin.plot(*zip(*scores, strict=True), color="#2563eb", marker="o", markersize=3)
            twin.tick_params(colors="#2563eb")
    axes[0][0].set_ylabel("training loss (grey)\nvalidation score (blue)")
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
