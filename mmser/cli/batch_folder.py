"""`mmser batch status` and `mmser batch forget`: what can be asked of a batch's folder."""

from typing import Annotated

import typer

from mmser.cli.console import print_result
from mmser.cli.options import Debug

BatchFolder = Annotated[str, typer.Argument(help="The OUT of `mmser batch`, a folder or URL.", metavar="OUT")]


def status(
    out: BatchFolder,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, with every call that failed.")] = False,
    debug: Debug = False,
) -> None:
    """Tell how far a batch is, and which calls failed why; also while it runs."""
    from mmser.batch.place import Place
    from mmser.batch.status import read_status
    from mmser.batch.telling import status_json, status_text

    found = read_status(Place(out))
    print_result(status_json(found) if json else status_text(found))


def forget(
    out: BatchFolder,
    ids: Annotated[
        list[str], typer.Option("--id", help="Of a call to forget; repeat for more.", metavar="ID")
    ],
    debug: Debug = False,
) -> None:
    """Remove every trace of calls: tables, manifest, reports, and the summary, whose lists may name them."""
    from mmser.batch.forgetting import forget as forget_calls
    from mmser.batch.place import Place
    from mmser.batch.telling import forgotten_text

    place = Place(out)
    print_result(forgotten_text(forget_calls(place, tuple(dict.fromkeys(ids))), place.out))
