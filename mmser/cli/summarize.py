"""`mmser summarize`: the calls of a batch, taken together."""

from pathlib import Path
from typing import Annotated

import typer

from mmser import __version__
from mmser.cli.console import Progress, print_result
from mmser.cli.options import MAX_SEED, Debug, Quiet, some_path
from mmser.errors import UsageError

EPILOG = """Examples:

mmser summarize out

mmser summarize out --by queue --by product -o out/june

mmser summarize out --json | jq '.trend.weeks[].negative.value'

OUT is the folder that mmser batch wrote. Written are summary.html, summary.json, shares.csv, weeks.csv,
escalated.csv, rules.csv and groups.csv; numbers are of customers, with 95 % intervals over calls.

Agents are neither ranked nor compared: --by takes no column that names people at work (EU AI Act,
Art. 5(1)(f)). Small groups are pooled, and a group is marked only where it differs from all other calls after
correction for the number of groups.
"""


def summarize(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", parser=some_path, help="Folder that mmser batch wrote.")
    ],
    by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN",
            help="Divide the calls by a column of the manifest: queue, product, region; may be repeated.",
        ),
    ] = None,
    date: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Dates of the calls; date, started_at, timestamp and the like are found. ISO 8601, or "
            "seconds since 1970.",
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=10_000, help="Most escalated calls that are listed.")] = 20,
    min_calls: Annotated[int, typer.Option(min=1, help="Of a group; smaller ones are pooled.")] = 5,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            parser=some_path,
            help="Where to write; OUT/summary if left out.",
            show_default=False,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print summary.json in place of the text.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier summary.")] = False,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Of the bootstrap.")] = 0,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Summarise the calls of a batch: emotions, weeks, escalation, rules and groups of calls.

    Agents are neither ranked nor compared.
    """
    if "://" in str(out) or str(out).startswith(("s3:/", "gs:/", "memory:/")):
        raise UsageError(f"{out} is a URL; copy what is there to this machine, and give that folder")
    place = output if output is not None else out / "summary"
    with Progress(quiet=quiet) as progress:
        progress.say(f"mmser {__version__}: summarising {out}")
        # Imported here: the line above is printed before pyarrow and scipy are loaded.
        from mmser.batch.summary.columns import groupable
        from mmser.batch.summary.files import check_summary_files, summary_document, write_summary
        from mmser.batch.summary.reading import open_archive
        from mmser.batch.summary.summarizing import SummaryOptions, summarize_archive
        from mmser.batch.summary.text import render_summary_text

        archive = open_archive(out)
        check_summary_files(out, place, overwrite=overwrite)
        options = SummaryOptions(by=tuple(by or ()), date=date, top=top, min_calls=min_calls, seed=seed)
        summary = summarize_archive(archive, place, options)
        for warning in summary.warnings if json else ():  # the text has them
            progress.warn(warning)
        write_summary(summary, place, overwrite=overwrite)
        could = groupable(archive.columns)
        if not by and could:
            progress.say(f"--by can divide the calls by {', '.join(could[:10])}")
        progress.say(f"written to {place}")
    print_result(summary_document(summary) if json else render_summary_text(summary))
