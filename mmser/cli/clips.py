"""Answers for clips → a table, CSV or JSON."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import PurePath

from mmser import __version__
from mmser.clips import ClipReport
from mmser.report.policy import CLIP_NOTICE
from mmser.transcripts.cells import inert
from mmser.types import ModelInfo

SCHEMA = "mmser.clips/1"


def as_json(reports: Sequence[ClipReport], model: ModelInfo) -> str:
    """Return one document for all clips."""
    document = {
        "schema": SCHEMA,
        "mmser_version": __version__,
        "model": model.to_dict(),
        "notice": CLIP_NOTICE,
        "clips": [report.to_dict() for report in reports],
    }
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False)


def as_csv(reports: Sequence[ClipReport], labels: Sequence[str]) -> str:
    """Return a row for each clip, with a column for each emotion's probability."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\r\n")  # with "\n", a "\r" in a name would go unquoted
    head = ["clip", "emotion", "top", "confidence", "intensity", "level", "modalities"]
    writer.writerow([*head, *map(inert, labels), "reason", "error"])
    for report in reports:
        said, strength = report.emotion, report.intensity
        row: list[object] = [inert(report.clip)]
        row += ["", "", ""] if said is None else [said.label or "uncertain", said.top, said.confidence]
        row += ["", ""] if strength is None else [strength.value, strength.level]
        row += ["+".join(report.modalities)]
        row += [""] * len(labels) if said is None else [said.probabilities[label] for label in labels]
        writer.writerow([*row, report.reasons.get("emotion", ""), inert(report.error or "")])
    return target.getvalue()


def as_table(reports: Sequence[ClipReport]) -> str:
    """Return a table for people, as text, with the notice of permitted use below it."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from mmser.report.terminal import plain

    table = Table(box=box.SIMPLE_HEAD)
    for column in ("clip", "emotion", "confidence", "next", "intensity", "from"):
        table.add_column(column, overflow="fold")
    short = [PurePath(report.clip).name for report in reports]
    unique = len(set(short)) == len(short)
    for report, name in zip(reports, short, strict=True):
        table.add_row(plain(name if unique else report.clip), *_cells(report))
    console = Console(file=io.StringIO(), width=_width(), markup=False, highlight=False)
    console.print(table)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    shown = "\n".join(line.rstrip() for line in lines).strip("\n")
    return f"{shown}\n\n{CLIP_NOTICE}"


def _cells(report: ClipReport) -> list[str]:
    if report.emotion is None:
        return ["failed" if report.error else report.reasons["emotion"], "", "", "", ""]
    said = report.emotion
    ranked = sorted(said.probabilities, key=lambda label: -said.probabilities[label])
    return [
        said.label or f"uncertain ({said.top}?)",
        f"{said.confidence:.2f}",
        f"{ranked[1]} {said.probabilities[ranked[1]]:.2f}" if len(ranked) > 1 else "",
        "" if report.intensity is None else f"{report.intensity.level} {report.intensity.value:.2f}",
        "+".join(report.modalities),
    ]


def _width() -> int:
    import shutil

    return max(80, shutil.get_terminal_size((100, 24)).columns)
