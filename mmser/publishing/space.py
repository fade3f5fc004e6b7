"""A folder with a Gradio app that is ready for a Space: the app, the package beside it, its metadata."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib import metadata, resources
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Final

import yaml

from mmser import __version__
from mmser.errors import MmserError, OutputError, UsageError
from mmser.loading import describe_model
from mmser.publishing.bundle import bundle
from mmser.publishing.licence_terms import hub_fields
from mmser.report.writing import require_writable, write_outputs
from mmser.types import ModelInfo

GRADIO: Final = "6.31.0"  # with which the app was tried, where none is installed
TITLE: Final = "How a call sounds"
MAX_TITLE: Final = 60  # characters
SHORT: Final = "Turn by turn, how people on a call sound and speak"  # the Hub takes 60 characters
LARGE: Final = ("*.safetensors", "*.wav", "*.png")  # the Hub takes binary files through LFS only
# Of a model's folder; what else lies there (results, corrections) is nobody's business.
LOADED: Final = (
    *("config.json", "model.safetensors", "processor_config.json", "preprocessor_config.json", "tokenizer*"),
    *("special_tokens_map.json", "added_tokens.json", "vocab*", "merges.txt", "LICENSE", "NOTICE*"),
)
OWN: Final = ("mmser", "model")  # folders of a Space in which --overwrite leaves nothing of before
BUNDLED: Final = "mmser/assets/model/"
PASSED_OVER: Final = ("__pycache__", "*.pyc", ".*", "*~")


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The model of a Space."""

    info: ModelInfo
    name: str | None  # as the app loads it: "model", a Hub id, or None for the bundled one
    revision: str | None = None
    folder: Path | None = None  # what is copied to model/


def create_space(
    folder: Path, *, model: str | None = None, title: str = TITLE, overwrite: bool = False
) -> ModelInfo:
    """Write a Space into `folder`: all of it, or nothing.

    Args:
        folder: made where it is missing.
        model: None for the bundled one, a model folder, which is copied, or a Hub id or id@revision, which
            the app loads when it starts and which is fetched once here, to see that it loads.
        title: of the Space and its page.
        overwrite: whether a Space in `folder` may be replaced; files that are no part of one stay.

    Raises:
        UsageError: if the title does not fit.
        OutputError: if `folder` holds something else, or cannot be written.
        ModelError: if the model cannot be loaded.
    """
    if not title.strip() or len(title) > MAX_TITLE or not title.isprintable():
        raise UsageError(f"--title {title!r:.80}: a title has 1 to {MAX_TITLE} characters on one line")
    _check_folder(folder, overwrite=overwrite)
    weights = _find(model)
    files = space_files(weights, title)
    written = {folder / name: content for name, content in files.items()}
    there = [path for own in OWN if overwrite for path in (folder / own).rglob("*") if path.is_file()]
    sources = {content.resolve() for content in files.values() if isinstance(content, Path)}
    lost = next((path for path in (*written, *there) if path.resolve() in sources), None)
    if lost is not None:
        raise OutputError(f"{lost} is what the Space would be made from; choose another folder")
    write_outputs(written, overwrite=overwrite, stale=[path for path in there if path not in written])
    return weights.info


def _check_folder(folder: Path, *, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file, and a folder is needed there; choose another name")
    require_writable(folder)
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not overwrite:
        raise OutputError(f"{folder} is not empty; give --overwrite to replace a Space, or another folder")
    if not _is_space(folder):
        raise OutputError(
            f"{folder} holds no Space (a README.md that states an sdk), and only one is replaced; choose "
            "another folder"
        )


def _is_space(folder: Path) -> bool:
    try:
        beginning = (folder / "README.md").read_text("utf-8", "replace").split("---")[1]
        stated = yaml.safe_load(beginning)
    except (OSError, IndexError, yaml.YAMLError):
        return False
    return isinstance(stated, dict) and "sdk" in stated


def _find(model: str | PathLike[str] | None) -> Weights:
    if model is None:
        return Weights(info=describe_model(None), name=None)
    text = fspath(model)
    if Path(text).exists():
        return Weights(info=describe_model(text), name="model", folder=Path(text))
    name, _, revision = text.partition("@")
    info = describe_model(name, revision=revision or None)
    return Weights(info=info, name=name, revision=revision or None)


def space_files(weights: Weights, title: str) -> dict[str, bytes | str | Path]:
    """Return what a Space consists of: path in it, with "/" → content, or the file that is copied."""
    gradio = _gradio_version()
    files: dict[str, bytes | str | Path] = {
        "app.py": _app(weights, title),
        "requirements.txt": _requirements(gradio),
        "README.md": _readme(weights, title, gradio),
        ".gitattributes": "".join(f"{name} filter=lfs diff=lfs merge=lfs -text\n" for name in LARGE),
        "LICENSE": _licence_of_code(),
    }
    package = Path(str(resources.files("mmser")))
    for path in _below(package):
        name = f"mmser/{path.relative_to(package).as_posix()}"
        if weights.name is None or not name.startswith(BUNDLED):
            files[name] = path
    if weights.folder is not None:
        for name, content in bundle(weights.folder, weights.info.license or "").files.items():
            if any(fnmatch(name, one) for one in LOADED):
                files[f"model/{name}"] = content
    return files


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if any(fnmatch(path.name, one) for one in PASSED_OVER):
            continue
        if path.is_dir():
            yield from _below(path)
        else:
            yield path


def _app(weights: Weights, title: str) -> str:
    code = resources.files("mmser.publishing").joinpath("space_app.py").read_text("utf-8")
    settings = {
        "TITLE =": title,
        "MODEL: str | None =": weights.name,
        "REVISION: str | None =": weights.revision,
    }
    lines = code.splitlines()
    for start, value in settings.items():
        (number,) = [i for i, line in enumerate(lines) if line.startswith(start)]
        lines[number] = f"{start} {value!r}"
    return "\n".join(lines) + "\n"


def _licence_of_code() -> str:
    """Return the text of the code's licence: installed in the metadata, in a clone beside it."""
    own = [found.read_text("licenses/LICENSE") for found in metadata.distributions(name="mmser")]
    text = next((text for text in own if text), None)
    return text or Path(str(resources.files("mmser"))).with_name("LICENSE").read_text("utf-8")


def _own() -> metadata.Distribution:
    try:
        return metadata.distribution("mmser")
    except metadata.PackageNotFoundError as error:
        raise MmserError(
            "mmser runs from a folder and is not installed, so what it needs is not known; install it with: "
            "pip install ."
        ) from error


def _gradio_version() -> str:
    try:
        return metadata.version("gradio")
    except metadata.PackageNotFoundError:
        return GRADIO


def _requirements(gradio: str) -> str:
    needed = [line for line in _own().requires or () if "extra ==" not in line]
    return "\n".join([f"gradio=={gradio}", *needed, "av>=14  # m4a and webm"]) + "\n"


def _readme(weights: Weights, title: str, gradio: str) -> str:
    stated = weights.info.license
    stated_model = weights.name if weights.folder is None else None
    head: dict[str, Any] = {
        "title": title,
        "emoji": "📞",
        "colorFrom": "blue",
        "colorTo": "gray",
        "sdk": "gradio",
        "sdk_version": gradio,
        "python_version": f"{sys.version_info.major}.{sys.version_info.minor}",
        "app_file": "app.py",
        "pinned": False,
        "short_description": SHORT,
    }
    head |= hub_fields(stated)
    if stated_model:
        head["models"] = [stated_model]
    text = resources.files("mmser.publishing").joinpath("space_readme.md").read_text("utf-8")
    shown = weights.info.id if weights.name is None or weights.folder else weights.name
    at = f" at revision {weights.revision}" if weights.revision else ""
    body = text.format(
        title=title,
        model=f"`{shown}`{at}",
        version=__version__,
        licence=f"The weights are under {stated}." if stated else "The weights state no licence.",
    )
    return f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---\n\n{body}"
