"""`mmser info`: which model would speak, and what this installation can read."""

import platform
from dataclasses import replace
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmser import __version__
from mmser.cli.console import print_result
from mmser.cli.options import Debug

if TYPE_CHECKING:
    from mmser.types import ModelInfo

EPILOG = """Examples:

mmser info

mmser info my-model/ --json

mmser info name/model@v1
"""

PACKAGES = ("torch", "torchaudio", "transformers", "soundfile", "silero-vad")
CARD, EVALUATION = "README.md", "evaluation.json"


def info(
    model: Annotated[
        str | None,
        typer.Argument(
            help="A model folder or Hub id (name/model@revision pins it); the bundled one if left out."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    debug: Debug = False,
) -> None:
    """Show the versions at work, whether m4a, webm and amr can be read too, and the model."""
    from json import dumps, loads

    from mmser.hub.fetching import commit_of, listed_files
    from mmser.loading import describe_model, locate

    name, folder = locate(model)
    about = replace(describe_model(folder), id=name)
    commit = commit_of(folder)
    files = {path.name for path in folder.iterdir()} | (listed_files(name, commit) if commit else frozenset())
    schema = loads((folder / "config.json").read_text("utf-8")).get("schema_version", 1)
    if json:
        details = {
            "mmser": __version__,
            "python": platform.python_version(),
            "packages": {package: metadata.version(package) for package in PACKAGES},
            "codecs": find_spec("av") is not None,
            "model": about.to_dict(),
            "schema_version": schema,
            "hub_commit": commit,
            "has_card": CARD in files,
            "has_evaluation": EVALUATION in files,
        }
        print_result(dumps(details, ensure_ascii=False, indent=1))
        return
    beside = f"a card ({_yes(CARD in files)}), evaluation results ({_yes(EVALUATION in files)})"
    lines = [
        f"mmser {__version__}, Python {platform.python_version()}",
        ", ".join(f"{package} {metadata.version(package)}" for package in PACKAGES),
        "m4a, webm, amr: " + ("yes" if find_spec("av") else "no; pip install 'mmser[codecs]'"),
        *_model_lines(about, commit, folder),
        f"  schema version {schema}; has {beside}",
    ]
    print_result("\n".join(lines))


def _model_lines(about: "ModelInfo", commit: str | None, folder: Path) -> list[str]:
    where = f"the Hub, commit {commit}" if commit else str(folder)
    opposed = (
        f", and where words and voice oppose each other with a probability over {about.abstain_opposed:g}"
        if about.abstain_opposed < 1
        else ""
    )
    return [
        f"model: {about.id}, sha256 {about.revision}",
        f"  from {where}",
        f"  licence of the weights: {about.license or 'not stated'}",
        *([f"  marks: {about.training_mark}"] if about.training_mark else []),
        f"  emotions: {', '.join(about.labels)}",
        f"  reads: {', '.join(about.languages)}",
        f"  abstains below a confidence of {about.abstain_below:g}{opposed}",
    ]


def _yes(there: bool) -> str:
    return "yes" if there else "no"
