"""`mmser calibrate`: a model's confidence fitted anew to what the readers of its reports corrected."""

from pathlib import Path
from typing import Annotated

import typer

from mmser import __version__
from mmser.cli.console import Progress
from mmser.cli.json_output import JsonFile, Overwrite, check_json, deliver
from mmser.cli.options import Debug, Quiet
from mmser.errors import MmserError

EPILOG = """Examples:

mmser calibrate default feedback.jsonl

mmser calibrate models/mine reviews/*.jsonl -o models/mine-calibrated

mmser calibrate models/mine reviews/*.jsonl --json - | jq .difference.nll

Half of the calls are fitted on, and the others scored. Exit code 1: it is no better, and nothing is written.
"""
DEFAULT = "default"


def calibrate(
    model: Annotated[
        str, typer.Argument(help="The model that made the reports: a folder, a Hub id, or `default`.")
    ],
    feedback: Annotated[
        list[Path], typer.Argument(help="feedback.jsonl files, as the call report downloads them.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="A new folder for the calibrated model; none is written without."
        ),
    ] = None,
    share: Annotated[
        float, typer.Option(min=0.05, max=0.95, help="Of the calls that is fitted on; the others are scored.")
    ] = 0.5,
    seed: Annotated[int, typer.Option(min=0, help="Of which calls are fitted on, and of intervals.")] = 0,
    draws: Annotated[int, typer.Option(min=100, max=100_000, help="Of the bootstrap over calls.")] = 1000,
    force: Annotated[
        bool, typer.Option("--force", help="Write the folder although it is no better.")
    ] = False,
    json: JsonFile = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Fit emotion temperatures to corrected turns, and score the old and the new on other calls."""
    check_json(json, overwrite=overwrite, inputs=(*feedback, Path(model)))
    with Progress(quiet=quiet) as progress:
        progress.say(f"mmser {__version__}: calibrating {model} on {_files(len(feedback))} of corrections")
        # Imported here: the line above is printed before torch begins to load.
        from mmser.evaluation.feedback.corrections import read_feedback
        from mmser.evaluation.feedback.recalibrated_folder import check_target, write_recalibrated
        from mmser.evaluation.feedback.recalibration import recalibrate, render_recalibration_text
        from mmser.loading import describe_model, locate

        source = None if model == DEFAULT else model
        about, (_, folder) = describe_model(source), locate(source)
        if output is not None:
            check_target(folder, output)
        corrections = read_feedback(feedback, revision=about.revision, warn=progress.warn)
        found = recalibrate(corrections, about, share=share, draws=draws, seed=seed)
        deliver(found, render_recalibration_text(found), json, overwrite=overwrite)
        if output is None:
            return
        if not found.better and not force:
            raise MmserError(
                f"the new temperatures are no better on the calls that were not fitted to, so {output} was "
                "not written; correct more turns, or give --force"
            )
        left_out = write_recalibrated(folder, output, found, about.license)
        progress.say(f"written: {output}{_left_out(left_out)}")


def _files(count: int) -> str:
    return f"{count} file{'s' if count != 1 else ''}"


def _left_out(names: list[str]) -> str:
    return f"; not copied, as they tell of the old one: {', '.join(names)}" if names else ""
