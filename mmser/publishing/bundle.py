"""The files of a model as they are published: what makes it run, and what tells of it."""

import fnmatch
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from mmser.errors import ModelError
from mmser.hub.committing import Content
from mmser.publishing.evidence import without_names
from mmser.publishing.licence_terms import links, parts_of

CARD: Final = "README.md"
NOTES: Final = "NOTES.md"
LICENCE: Final = "LICENSE"
EVALUATION_PAGE: Final = "evaluation.md"
WRITTEN: Final = "<!-- written by mmser push -->"
CODE: Final = "*_mmser.py"
AUTO_MAP: Final = {
    "AutoConfig": "configuration_mmser.MmserConfig",
    "AutoModel": "modeling_mmser.MmserModel",
}
# What is taken from the folder as it is; all else in it stays where it is.
TAKEN: Final = (
    *("model.safetensors", "processor_config.json", "preprocessor_config.json", "tokenizer.json"),
    *("tokenizer_config.json", "tokenizer.model", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.txt", "vocab.json", "merges.txt", "NOTICE", "NOTICE.txt", "*.png", NOTES),
    *("training_data.json", "training_run.json", "validation_profile.json", "measurements.json"),
)
# Of an earlier state in the repository: what no file here replaces, and would be wrong beside it.
STALE: Final = (
    *(
        CODE,
        "model*.safetensors",
        "model.safetensors.index.json",
        "pytorch_model*.bin",
        NOTES,
        EVALUATION_PAGE,
    ),
    *("evaluation*.json", "training_data.json", "training_run.json", "validation_profile.json"),
    *("measurements.json", "preprocessor_config.json", "tokenizer.json", "tokenizer.model", "vocab.txt"),
    *("vocab.json", "merges.txt", "special_tokens_map.json", "added_tokens.json"),
)
# Whose values may hold places on a disk.
SETTINGS: Final = ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json")


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """The files that are taken from a model's folder."""

    files: Mapping[str, Content]
    config: Mapping[str, Any]
    left: tuple[str, ...]  # what stays in the folder


def bundle(folder: Path, licence: str) -> Bundle:
    """Return the files of a model but for its card and its evaluations.

    The code is that of this mmser, which loaded the weights, and not what lies in the folder.

    Args:
        folder: of the model.
        licence: of the weights, as it is published.

    Raises:
        ModelError: if a file cannot be read.
    """
    files: dict[str, Content] = {}
    left = []
    for path in sorted(folder.iterdir()):
        if path.is_file() and any(fnmatch.fnmatch(path.name, pattern) for pattern in TAKEN):
            files[path.name] = _content(path)
        elif not fnmatch.fnmatch(path.name, CODE) and path.name not in _MADE and path.name[0] != ".":
            left.append(path.name + ("/" if path.is_dir() else ""))
    config = _config(folder / "config.json", licence)
    files["config.json"] = (json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
    files |= {path.name: path.read_bytes() for path in code_files()}
    files[LICENCE] = _licence_text(folder, licence)
    notes = _notes(folder)
    if notes is not None:
        files[NOTES] = notes
    return Bundle(files=dict(sorted(files.items())), config=config, left=tuple(left))


_MADE = ("config.json", CARD, LICENCE, EVALUATION_PAGE, "evaluation.json", "about.yaml")


def _content(path: Path) -> Content:
    """Return a file that is taken as it is, or without the places on a disk that it names.

    Raises:
        ModelError: if it is a link to somewhere else, or damaged.
    """
    real = path.resolve()
    if path.is_symlink() and real.parent != path.parent.resolve() and real.parent.name != "blobs":
        raise ModelError(
            f"{path} is a link out of the model's folder; put the file itself there, or take it away"
        )
    if path.name not in SETTINGS:
        return real
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as JSON: {error}; fetch or train the model again") from error
    if _without_places(values) == values:
        return real
    return (json.dumps(_without_places(values), indent=2, ensure_ascii=False) + "\n").encode()


def _without_places(value: Any) -> Any:
    """Return JSON in which no text is a place on a disk."""
    if isinstance(value, dict):
        return {key: _without_places(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_places(one) for one in value]
    return "" if isinstance(value, str) and re.match(r"[/~]|\.{1,2}/|[A-Za-z]:\\", value) else value


def is_stale(name: str) -> bool:
    """Tell of a file in the repository, that is not written anew, whether it goes."""
    return "/" not in name and any(fnmatch.fnmatch(name, pattern) for pattern in STALE)


def code_files() -> list[Path]:
    """Return the files that load the model where mmser is not."""
    folder = Path(str(resources.files("mmser") / "model"))
    return sorted(folder.glob(CODE))


def _config(path: Path, licence: str) -> dict[str, Any]:
    """Return the model's config, with its remote code, its licence, and no place on a disk."""
    try:
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as JSON: {error}; fetch or train the model again") from error
    config |= {"auto_map": AUTO_MAP, "weights_license": licence}
    if isinstance(config.get("training_mark"), str):
        config["training_mark"] = without_names(config["training_mark"])
    for part in (config, config.get("text_config"), config.get("audio_config")):
        name = part.get("_name_or_path") if isinstance(part, dict) else None
        if isinstance(part, dict) and name and (Path(name).is_absolute() or Path(name).exists()):
            part["_name_or_path"] = ""
    return dict(_without_places(config))


def _licence_text(folder: Path, licence: str) -> bytes:
    """Return the licence's own text where the folder has it, or what the terms are and where they stand."""
    own = folder / LICENCE
    stated = json.loads((folder / "config.json").read_text("utf-8")).get("weights_license")
    if own.is_file() and stated == licence:
        return own.read_bytes()
    lines = [f"The weights (model.safetensors) are licensed under: {licence}", ""]
    lines += [f"Full text: {url}" for url in links(parts_of(licence))]
    lines += ["", "The Python files are part of mmser and licensed under Apache-2.0.", ""]
    return "\n".join(lines).encode()


def _notes(folder: Path) -> bytes | None:
    """Return the folder's own README, if it has one that was not written here, without its metadata."""
    path = folder / CARD
    if not path.is_file():
        return None
    text = path.read_text("utf-8", "replace")
    if WRITTEN in text:
        return None
    if text.startswith("---\n"):
        text = text.partition("\n---\n")[2]
    return text.lstrip().encode()
