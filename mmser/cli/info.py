"""`mmser info`: which model would speak, and what this installation can read."""

import platform
from importlib import metadata
from importlib.util import find_spec
from typing import Annotated

import typer

from mmser import __version__
from mmser.cli.console import print_result
from mmser.cli.options import Debug, Model

EPILOG = """Examples:

mmser info

mmser info --model my-model/ --json
"""

PACKAGES = ("torch", "torchaudio", "transformers", "soundfile", "silero-vad")


def info(
    model: Model = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    debug: Debug = False,
) -> None:
    """Show the versions at work, whether m4a, webm and amr can be read too, and the model."""
    from mmser.loading import describe_model

    about = describe_model(model)
    details = {
        "mmser": __version__,
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "codecs": find_spec("av") is not None,
        "model": about.to_dict(),
    }
    if json:
        from json import dumps

        print_result(dumps(details, ensure_ascii=False, indent=1))
        return
    lines = [
        f"mmser {__version__}, Python {platform.python_version()}",
        ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES),
        "m4a, webm, amr: " + ("yes" if find_spec("av") else "no; pip install 'mmser[codecs]'"),
        f"model: {about.id}, sha256 {about.revision}",
        f"  licence of the weights: {about.license or 'not stated'}",
        f"  emotions: {', '.join(about.labels)}",
        f"  reads: {', '.join(about.languages)}",
        f"  abstains below a confidence of {about.abstain_below:g}"
        + (
            f", and where words and voice oppose each other with a probability over {about.abstain_opposed:g}"
            if about.abstain_opposed < 1
            else ""
        ),
    ]
    if about.training_mark:
        lines.insert(5, f"  marks: {about.training_mark}")
    print_result("\n".join(lines))
