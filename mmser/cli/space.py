"""`mmser space create`: a Gradio app in a folder, ready for a Space on the Hugging Face Hub."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from mmser import __version__
from mmser.cli.console import Progress, print_result
from mmser.cli.options import Debug, Quiet, some_path

EPILOG = """Examples:

mmser space create my-space

mmser space create my-space --model user/name@v1 --title "Our calls"

cd my-space && pip install -r requirements.txt && python app.py
"""


def create(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", parser=some_path, help="Where to write; made if missing.")
    ],
    model: Annotated[
        str | None,
        typer.Option(
            help="A Hub id or id@revision, which the app loads when it starts, or a model folder, which is "
            "copied; the bundled model if left out."
        ),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Of the Space and its page.", show_default=False)] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier Space; files that are not its own stay.")
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write a ready Gradio app: upload or record a call, and see its report; agents stay withheld."""
    with Progress(quiet=quiet) as progress:
        progress.say(f"mmser {__version__}: making a Space in {folder}")
        # Imported here: the line above is printed before torch is loaded.
        from mmser.publishing.space import TITLE, create_space

        info = create_space(folder, model=model, title=TITLE if title is None else title, overwrite=overwrite)
    print_result(
        f"{folder}: a Space with the model {info.id} (weights: {info.license or 'no licence stated'})\n"
        f"try it: cd {shlex.quote(str(folder))} && pip install -r requirements.txt && python app.py"
    )
