"""`mmser audit`: what to know of the data before training on it."""

import io
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmser import __version__
from mmser.cli.console import Progress, print_result
from mmser.cli.corpora import corpora_of, data_folder
from mmser.cli.options import Debug, Quiet, Threads
from mmser.errors import UsageError

if TYPE_CHECKING:
    from datasets import Dataset

    from mmser.data.audit import Audit

EPILOG = """Examples:

mmser audit configs/default.yaml --data data/

mmser audit mine.csv --fast

mmser audit configs/default.yaml --json audit.json

mmser audit configs/default.yaml --json - | jq .findings

Exit code 1: the split leaks.
"""
MAX_LABELS = 5_000


def audit(
    corpora: Annotated[
        Path,
        typer.Argument(
            help="Labelled data with splits: a configuration that names corpora, a manifest, a folder of "
            "calls or clips."
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(help="The folder of corpora; MMSER_DATA if left out.", show_default=False),
    ] = None,
    json: Annotated[
        str | None,
        typer.Option("--json", metavar="FILE", help="Write JSON to a file; - prints it instead of the page."),
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Leave the audio alone.")] = False,
    suspicious_labels: Annotated[
        int, typer.Option(min=0, help="Of how many examples a corpus labels are checked; 0 = none.")
    ] = MAX_LABELS,
    as_published: Annotated[
        bool, typer.Option("--as-published", help="Keep recordings that readers leave out as known copies.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the JSON file.")] = False,
    quiet: Quiet = False,
    debug: Debug = False,
    threads: Threads = 1,
) -> int:
    """Report what leaks between splits, copies, faulty sound, scripts, imbalance and doubtful labels."""
    folder = data_folder(data, corpora)
    if json not in (None, "-") and Path(str(json)).exists() and not overwrite:
        raise UsageError(f"--json {json} exists; give --overwrite to replace it, or another file")
    if json not in (None, "-"):
        from mmser.report.writing import check_outputs

        check_outputs([Path(str(json))], overwrite=overwrite)
    with Progress(quiet=quiet) as progress:
        progress.say(f"mmser {__version__}: auditing {corpora}")
        # Imported here: the line above is printed before torch begins to load.
        from mmser.data.audit import audit as audit_dataset
        from mmser.pipeline import set_threads

        set_threads(threads)
        dataset = _load(corpora, folder, keep_duplicates=as_published)
        found = audit_dataset(dataset, read_sound=not fast, max_labels=suspicious_labels, progress=progress)
    _show(found, json, overwrite=overwrite)
    return 1 if found.leaks else 0


def _load(source: Path, data: Path, *, keep_duplicates: bool) -> "Dataset":
    """Read what a path stands for as one dataset."""
    from mmser.data import load_corpora

    entries = list(corpora_of(source))
    if keep_duplicates:
        known = [entry for entry in entries if entry.corpus == "ravdess"]
        copies = {id(entry): entry.model_copy(update={"keep_duplicate": True}) for entry in known}
        entries = [copies.get(id(entry), entry) for entry in entries]
    return load_corpora(entries, data)


def _show(found: "Audit", target: str | None, *, overwrite: bool) -> None:
    from json import dumps

    document = dumps(found.to_dict(), ensure_ascii=False, indent=1, allow_nan=False)
    if target == "-":
        print_result(document)
        return
    if target is not None:
        from mmser.report.writing import write_outputs

        write_outputs({Path(target): document + "\n"}, overwrite=overwrite)
    from rich.console import Console

    from mmser.data.audit.page import render_audit

    # Rendered first and written as one text, so that a full disk behind stdout is one clear error.
    page = io.StringIO()
    width = shutil.get_terminal_size((110, 24)).columns
    render_audit(found, Console(file=page, width=width, force_terminal=sys.stdout.isatty()))
    print_result("\n".join(line.rstrip() for line in page.getvalue().splitlines()))
