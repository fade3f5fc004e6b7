"""`mmser train`: a model from a configuration and labelled data."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from mmser import __version__
from mmser.cli.console import Progress, print_result
from mmser.cli.options import Debug, Quiet, Threads
from mmser.errors import UsageError

EPILOG = """Examples:

mmser train configs/joint.yaml --data data/ -o models/mine

mmser train configs/joint.yaml joint.steps=50 seed=1 --data data/ -o models/quick

torchrun --nproc_per_node 2 -m mmser train configs/joint.yaml --data data/ -o models/mine

A run that was stopped goes on when the same command is given again.
"""


def train(
    config: Annotated[Path, typer.Argument(help="Training configuration, YAML; see configs/.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="key=value, dotted, such as joint.steps=50.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            envvar="MMSER_DATA",
            help="Folder that the corpora's paths are under; this folder if left out.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the model; WORK/model if left out.")
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option("--work", help="Checkpoints and metrics; runs/NAME-OF-CONFIG if left out."),
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Forget earlier checkpoints in --work.")] = False,
    allow_overlap: Annotated[
        bool, typer.Option("--allow-overlap", help="Train on splits that share speakers; the model says so.")
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out clips that cannot be read, counted and named.")
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,
    threads: Threads = 1,
) -> None:
    """Train a model; checkpoints, metrics and the model are written as it goes."""
    begun = time.monotonic()
    first = os.environ.get("RANK", "0") == "0"  # of the processes of torchrun
    with Progress(quiet=quiet or not first) as progress:
        progress.say(f"mmser {__version__}: training by {config}")
    # Imported here: the line above is printed before torch begins to load.
    import torch

    from mmser.training.config import read_config
    from mmser.training.run import stage_names, train
    from mmser.training.summary import summary

    torch.set_num_threads(threads)
    plan = read_config(config, overrides or ())
    folder = work or Path("runs") / config.stem
    if data is not None and not data.is_dir():
        raise UsageError(f"--data {data} is not a folder; give the one that the corpora's paths are under")
    trained = train(
        plan,
        data or Path(),
        folder,
        output or folder / "model",
        restart=restart,
        allow_overlap=allow_overlap,
        skip_bad=skip_bad,
        quiet=quiet,
    )
    if first:
        print_result(summary(folder, stage_names(plan), trained, time.monotonic() - begun))
