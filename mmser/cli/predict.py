"""`mmser predict`: single clips in, one answer each out."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mmser import __version__
from mmser.cli.console import Progress, load_pipeline, print_result
from mmser.cli.options import Debug, Model, Quiet, Threads, parse_language
from mmser.errors import MmserError

EPILOG = """Examples:

mmser predict clip.wav

mmser predict clip.wav --text "I have been waiting for an hour"

mmser predict --text "I have been waiting for an hour" --format json

mmser predict *.flac --format csv > clips.csv
"""


class Format(StrEnum):
    """How the answers are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def predict(
    clips: Annotated[
        list[Path] | None,
        typer.Argument(help="Clips of one voice each. Leave them out to judge --text alone."),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(help="What is said; repeat it for several clips, in their order."),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(help="Of the text: a code or a name (en, en-US, English); found out if left out."),
    ] = None,
    format: Annotated[Format, typer.Option(help="How to print the answers.")] = Format.TABLE,
    model: Model = None,
    quiet: Quiet = False,
    debug: Debug = False,
    threads: Threads = 1,
) -> None:
    """Judge single clips, without the context of a call: one answer each."""
    clips, texts, spoken = clips or [], text or None, parse_language(language)
    number, kind = (len(clips), "clip") if clips else (len(texts or ()), "text")
    with Progress(quiet=quiet) as progress:
        progress.say(f"mmser {__version__}: judging {number} {kind}{'s' if number != 1 else ''}")
        # Imported here: the line above is printed before torch begins to load.
        from mmser.cli.clips import as_csv, as_json, as_table
        from mmser.pipeline import check_clips
        from mmser.report.policy import CLIP_NOTICE

        check_clips(len(clips), None if texts is None else len(texts))
        if format is Format.CSV:
            # A comment in the CSV would break its readers; table and JSON carry the notice themselves.
            Progress(quiet=False).say(CLIP_NOTICE)
        pipeline = load_pipeline(model, threads)
        reports = pipeline.predict_clips(clips, texts, language=spoken, progress=progress)
        for report in reports:
            for warning in report.warnings:
                progress.warn(warning)
    if format is Format.JSON:
        print_result(as_json(reports, pipeline.info))
    elif format is Format.CSV:
        print_result(as_csv(reports, pipeline.info.labels))
    else:
        print_result(as_table(reports))
    failed = [report.error for report in reports if report.error is not None]
    if len(failed) == 1:
        raise MmserError(failed[0])
    if failed:
        raise MmserError(f"{len(failed)} of {len(reports)} clips failed; the first: {failed[0]}")
