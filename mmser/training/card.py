"""The default model's card, written from the measured results."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from mmser.errors import MmserError
from mmser.labels import EMOTIONS
from mmser.training.config import TrainingConfig
from mmser.training.result_rows import Row, result_rows

TEMPLATE = Path(__file__).with_name("card_template.md")
TABLE_START, TABLE_END = "<!-- results, by scripts/measure.py -->", "<!-- end of results -->"
NOTES = Path(__file__).with_name("card_notes.yaml")


def write_card(folder: Path, results: Mapping[str, Any], config: TrainingConfig) -> None:
    """Write README.md into `folder`.

    Args:
        folder: of the model.
        results: what scripts/measure.py keeps in measurements.json; rows that it lacks are left out.
        config: that the model was trained with.
    """
    notes = yaml.safe_load(NOTES.read_text(encoding="utf-8"))
    shipped = results["shipped"]
    audio, rows = shipped["audio"], result_rows(results)
    content = TEMPLATE.read_text(encoding="utf-8").format(
        labels=", ".join(EMOTIONS),
        license=config.license,
        seed=config.seed,
        other_seeds=" and ".join(results.get("seeds", {})) or "(none yet)",
        seeds=notes["seeds"].strip(),
        sha256=results["weights_sha256"],
        speakers=", ".join(audio["speakers"]),
        rows=results_table(rows),
        verdict=verdict(rows),
        tried=attempts(rows, notes["tried"]),
        audio_rows="\n".join(_audio_row(name, audio[name]) for name in ("ravdess", "nemo", "emodb", "all")),
        accuracy=audio["accuracy"],
        macro_f1=audio["macro_f1"],
        class_f1=", ".join(f"{name} {value:.0f}" for name, value in audio["class_f1"].items()),
        interval_difference="[{:.1f}, {:.1f}]".format(*audio["interval_difference"]),
        history=notes["history"].strip(),
        helped=notes["helped"].strip(),
    )
    (folder / "README.md").write_text(content, encoding="utf-8")


def write_readme(readme: Path, results: Mapping[str, Any]) -> None:
    """Put the table of results between the marks of the project's README.

    Args:
        readme: that has both marks.
        results: as in `write_card`.
    """
    page = readme.read_text(encoding="utf-8")
    before, start, rest = page.partition(TABLE_START)
    _, end, after = rest.partition(TABLE_END)
    if not start or not end:
        raise MmserError(f"{readme} lacks the lines {TABLE_START!r} and {TABLE_END!r}; put them back")
    said = results_table(result_rows(results))
    if "shipped" in results:
        said = f"Weights `{results['weights_sha256'][:12]}`, seed 0:\n\n{said}"
    readme.write_text(f"{before}{TABLE_START}\n\n{said}\n\n{TABLE_END}{after}", encoding="utf-8")


def results_table(rows: Sequence[Row]) -> str:
    """Return the rows as Markdown."""
    head = ("", "measure", "result", "other seeds", "beside it", "bar / aim", "")
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *map(_row, rows)])


def verdict(rows: list[Row]) -> str:
    """Say in words which bars are missed."""
    missed = [row.measure for row in rows if row.passed is False]
    if not missed:
        return "Every bar is met."
    return f"**Missed, {len(missed)} of {len(rows)}**: " + "; ".join(missed) + "."


def attempts(rows: Sequence[Row], tried: Mapping[str, Sequence[str]]) -> str:
    """Say of each missed bar what its attempts gave, as Markdown.

    Args:
        rows: of the table.
        tried: what each attempt gave, by how the row's measure begins.
    """
    lines = []
    for row in rows:
        if row.passed is False:
            found = next(
                (tried[start] for start in tried if row.measure.startswith(start)), ["Not told yet."]
            )
            lines += [f"- {row.measure}:", *(f"  {n}. {what.strip()}" for n, what in enumerate(found, 1))]
    return "\n".join(lines)


def _row(row: Row) -> str:
    sign = {True: "met", False: "**missed**", None: ""}[row.passed]
    result = f"{row.value} {row.interval}".strip()
    cells = (row.kind, row.measure, result, row.other_seeds, row.beside, row.bar, sign)
    return "| " + " | ".join(cells) + " |"


def _audio_row(name: str, row: Mapping[str, Any]) -> str:
    columns = (row["no_history"], row["history"], row["telephone"], row["svm"])
    return f"| {name} | {row['n']} | " + " | ".join(f"{c:.1f}" for c in columns) + " |"
