"""`mmser compare`: two evaluations of the same rows, and whether one is better."""

from pathlib import Path
from typing import Annotated

import typer

from mmser import __version__
from mmser.cli.console import Progress
from mmser.cli.json_output import JsonFile, Overwrite, check_json, deliver
from mmser.cli.options import Debug, Quiet
from mmser.errors import UsageError
from mmser.evaluation.defaults import DRAWS

EPILOG = """Examples:

mmser compare out/mine out/default

mmser compare out/mine out/svm --metric UAR --metric NLL

mmser compare out/mine out/default --json - | jq '.parts[].differences'

A and B are folders that mmser evaluate or mmser baseline wrote with -o; their protocols may differ, as of a
finished model and of a baseline that was trained on folds: the rows that both answered are paired. The
difference is A minus B; NLL is better where it is lower.

The rule: one is better where the 95 % interval of the difference leaves 0 out and p, corrected over the
corpora (Holm), is under 0.05; where one of the two says so and the other does not, it is borderline. With 5
groups (speakers or dialogues) or fewer p cannot fall under 0.05: not decidable.
"""


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="Folder of one evaluation.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Folder of another.")],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="UAR, WA, macro-F1, weighted-F1, NLL, CCC (intensity), MCC or AP (change); repeat it for "
            "several; all if left out."
        ),
    ] = None,
    allow_different: Annotated[
        bool,
        typer.Option(
            "--allow-different", help="Compare the rows that both answered although folds or data differ."
        ),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap and the swaps.")] = 0,
    draws: Annotated[int, typer.Option(min=100, max=100_000, help="Of both.")] = DRAWS,
    json: JsonFile = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Compare two evaluations row by row: differences with intervals, and tests by whole groups.

    One is called better where interval and test both say so; the rule stands below.
    """
    check_json(json, overwrite=overwrite, inputs=(a, b))
    with Progress(quiet=quiet) as progress:
        progress.say(f"mmser {__version__}: comparing {a} and {b}")
        # Imported here: the line above is printed before much is loaded.
        from mmser.evaluation.comparing.comparison_text import render_comparison_text
        from mmser.evaluation.comparing.pairing import compare_folders

        found = compare_folders(
            a, b, metrics=_metrics(metric), allow_different=allow_different, draws=draws, seed=seed
        )
        for reason in found.differs:
            progress.warn(f"A and B differ: {reason}")
    deliver(found, render_comparison_text(found), json, overwrite=overwrite)


def _metrics(typed: list[str] | None) -> list[str]:
    """Return metrics by the names that the comparison knows them by."""
    from mmser.evaluation.comparing.comparison import NAMES

    known = {name.split()[-1].lower(): name for name in NAMES}
    for name in typed or ():
        if name.lower() not in known:
            short = ", ".join(full.split()[-1] for full in NAMES)
            raise UsageError(f"--metric {name!r} is not known; it is one of {short}")
    return [known[name.lower()] for name in typed or known]
