"""`--json FILE` and `--json -`: a result as a document, in a file beside the text or in its place."""

from collections.abc import Sequence
from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from mmser.cli.console import print_result
from mmser.errors import UsageError
from mmser.record import Record
from mmser.report.writing import check_outputs, write_outputs

STDOUT = "-"
JsonFile = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", help="Write JSON to a file; - prints it in place of the text."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the JSON file.")]


def check_json(target: str | None, *, overwrite: bool, inputs: Sequence[Path] = ()) -> None:
    """Refuse a file that stands there already, or that cannot be written, before any work is done.

    Args:
        target: what follows --json.
        overwrite: whether it may be replaced.
        inputs: files and folders that are read: nothing is written over or into them.

    Raises:
        UsageError: if it does and may not be replaced, or is one of the inputs.
        OutputError: if it is no file, or cannot be written.
    """
    if target is None or target == STDOUT:
        return
    path = Path(target)
    place = path.resolve()
    read = next((i for i in inputs if i.resolve() in (place, *place.parents)), None)
    if read is not None:
        raise UsageError(f"--json {target} would be written over what is read ({read}); choose another file")
    if path.is_file() and not overwrite:
        raise UsageError(f"--json {target} exists; give --overwrite to replace it, or another file")
    check_outputs([path], overwrite=overwrite)


def as_json(found: Record) -> str:
    """Return a result as the document that is printed or written."""
    return dumps(found.to_dict(), ensure_ascii=False, indent=1, allow_nan=False)


def deliver(found: Record, text: str, target: str | None, *, overwrite: bool) -> None:
    """Print a result as `text`, or as JSON where that is asked for; write the file that is asked for.

    Raises:
        OutputError: if the file cannot be written, or stdout takes no more.
    """
    document = as_json(found)
    if target == STDOUT:
        print_result(document)
        return
    if target is not None:
        write_outputs({Path(target): document + "\n"}, overwrite=overwrite)
    print_result(text)
