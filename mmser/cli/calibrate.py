"""`mmser calibrate`: a model's confidence fitted anew to what the readers of its reports corrected."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmser import __version__
from mmser.cli.console import Progress, print_result
from mmser.cli.json_output import (
    STDOUT,
    JsonFile,
    Overwrite,
    as_json,
    check_json,
    deliver,
)
from mmser.cli.options import Debug, Quiet
from mmser.errors import MmserError, UsageError
from mmser.evaluation.defaults import DRAWS
from mmser.report.writing import check_outputs

if TYPE_CHECKING:
    from mmser.evaluation.feedback.recalibration import Recalibration

EPILOG = """Examples:

mmser calibrate default feedback.jsonl

mmser calibrate models/mine reviews/*.jsonl -o models/mine-calibrated

mmser calibrate models/mine reviews/*.jsonl --json - | jq .difference.nll

Half of the calls are fitted on, and the others scored. The new temperatures are better where the NLL is lower
on those others and the 95 % interval of the difference, over whole calls, leaves 0 out; ECE, Brier and
abstention are told beside it. Exit code 1: with -o, they are not better, and no file is written; --force
writes them, marked.

A line of feedback.jsonl, which the report's page downloads, is one turn that was corrected or confirmed:

{"schema": "mmser.feedback/1", "call_id": "call", "recording_sha256": "9f2c…",
"model_id": "mmser-default", "model_revision": "f991…", "turn_id": "t2", "start": 4.1, "end": 7.9,
"predicted_label": "neutral", "predicted_top": "neutral", "probabilities": {"anger": 0.2, "disgust": 0.02,
"fear": 0.03, "happiness": 0.05, "neutral": 0.55, "sadness": 0.1, "surprise": 0.05},
"modalities": ["audio", "text"], "predicted_intensity": "low", "corrected_label": "anger",
"corrected_intensity": null, "comment": null}

corrected_label is what the reader hears, one of the labels of probabilities; the same as predicted_top, it
confirms the turn. predicted_label is null where the report said "uncertain".
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
    draws: Annotated[int, typer.Option(min=100, max=100_000, help="Of the bootstrap over calls.")] = DRAWS,
    force: Annotated[
        bool, typer.Option("--force", help="Write the folder although it is not better, with a mark.")
    ] = False,
    json: JsonFile = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Fit emotion temperatures to corrected turns, and score the old and the new on other calls."""
    check_json(json, overwrite=overwrite, inputs=(*feedback, Path(model)))
    _check_output(output, json)
    with Progress(quiet=quiet) as progress:
        progress.say(f"mmser {__version__}: calibrating {model} on {_files(len(feedback))} of corrections")
        # Imported here: the line above is printed before torch begins to load.
        from mmser.evaluation.feedback.corrections import read_feedback
        from mmser.evaluation.feedback.recalibrated_folder import check_target
        from mmser.evaluation.feedback.recalibration import recalibrate
        from mmser.evaluation.feedback.recalibration_text import render_recalibration_text
        from mmser.loading import describe_model, load_model, locate

        source = None if model == DEFAULT else model
        about, (_, folder) = describe_model(source), locate(source)
        if output is not None:
            check_target(folder, output)
        corrections = read_feedback(feedback, revision=about.revision, warn=progress.warn)
        load_model(source)  # temperatures of a model that does not load are of no use
        found = recalibrate(corrections, about, share=share, draws=draws, seed=seed)
        if found.worse:
            progress.warn(f"worse on the calls that were not fitted to: {'; '.join(found.worse)}")
        if output is None:
            deliver(found, render_recalibration_text(found), json, overwrite=overwrite)
            return
        found = _written(
            found, folder, output, about.license, json, force=force, overwrite=overwrite, tell=progress
        )
        print_result(as_json(found) if json == STDOUT else render_recalibration_text(found))


def _written(
    found: "Recalibration",
    folder: Path,
    output: Path,
    license: str,
    json: str | None,
    *,
    force: bool,
    overwrite: bool,
    tell: Progress,
) -> "Recalibration":
    """Write the new folder and the JSON file, both or none, and return what was written, with its mark."""
    from mmser.evaluation.feedback.recalibrated_folder import write_recalibrated
    from mmser.evaluation.feedback.recalibration import forced, verdict
    from mmser.evaluation.feedback.recalibration_text import render_recalibration_text

    if not found.better and not force:
        print_result(as_json(found) if json == STDOUT else render_recalibration_text(found))
        raise MmserError(
            f"{output} was not written, nor any other file: on the calls that were not fitted to, "
            f"{verdict(found)}; correct turns of more calls, or write it all the same with --force"
        )
    if not found.better:
        found = forced(found)
    beside = {} if json in (None, STDOUT) else {Path(str(json)): as_json(found) + "\n"}
    left_out = write_recalibrated(folder, output, found, license, beside=beside, overwrite=overwrite)
    tell.say(f"written: {output}{_left_out(left_out)}")
    return found


def _check_output(output: Path | None, json: str | None) -> None:
    """Refuse a folder that cannot be written, before any work is done."""
    if output is None:
        return
    if output.exists() and not output.is_dir():
        raise UsageError(f"-o {output} is a file; give a new folder")
    if json not in (None, STDOUT) and Path(str(json)).resolve() in (
        output.resolve(),
        *output.resolve().parents,
    ):
        raise UsageError(f"--json {json} stands where -o {output} should be; choose another file")
    check_outputs([output / "config.json"], overwrite=True)


def _files(count: int) -> str:
    return f"{count} file{'s' if count != 1 else ''}"


def _left_out(names: list[str]) -> str:
    return f"; not copied, as they tell of the old one: {', '.join(names)}" if names else ""
