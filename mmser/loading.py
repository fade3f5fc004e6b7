"""A model folder or Hub id → model, processor and what the report says of them."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from importlib import resources
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmser.aggregation import label_order
from mmser.errors import ModelError
from mmser.types import ModelInfo

if TYPE_CHECKING:
    from mmser.model import MmserModel, MmserProcessor

BUNDLED = "mmser-default"
WEIGHTS = "model.safetensors"
NEEDED = ("config.json", WEIGHTS, "tokenizer.json")
FETCHED = ("*.json", WEIGHTS)  # of a Hub repository, which may hold training states and much else


def load_model(
    source: str | PathLike[str] | None, *, revision: str | None = None, device: str = "cpu"
) -> "tuple[MmserModel, MmserProcessor, ModelInfo]":
    """Load a model from a folder, from the Hub, or (None) the one in the package.

    Args:
        source: a folder written by `save_pretrained`, a Hub id such as "name/model", or None.
        revision: of the Hub's repository: a branch, tag or commit.
        device: where it runs, as torch names it.

    Raises:
        ModelError: if files are missing or damaged, or the model is from a newer version.
    """
    name, folder = _checked_folder(source, revision)
    import torch

    from mmser.model import MmserModel, MmserProcessor

    load: Any = MmserModel.from_pretrained
    try:
        with _quietly():
            loaded, found = load(
                folder,
                local_files_only=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # refused below, in a sentence
                dtype=torch.float32,
            )
            processor = MmserProcessor.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # safetensors, tokenizers and transformers each raise their own kinds
        raise ModelError(
            f"the model in {folder} cannot be loaded: {_first_line(error)}; "
            "if its files are damaged, fetch or train it again"
        ) from error
    lost = sorted(found["missing_keys"]) + sorted(key[0] for key in found["mismatched_keys"])
    if lost:
        # transformers would go on with random numbers in their place.
        raise ModelError(
            f"{folder / WEIGHTS} lacks {len(lost)} of the weights that config.json beside it asks for, such "
            f"as {lost[0]}; fetch or train the model again"
        )
    model: Any = loaded
    broken = next(
        (key for key, tensor in model.state_dict().items() if not bool(tensor.isfinite().all())), None
    )
    if broken is not None:
        raise ModelError(
            f"{folder / WEIGHTS} is damaged: {broken} holds values that are not finite; "
            "fetch or train the model again"
        )
    return model.to(device).eval(), processor, _describe(name, folder, model.config)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep transformers from drawing a bar for a load of a second, and from tables of what did not fit."""
    from transformers.utils import logging as library_logging

    logging: Any = library_logging
    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()


def locate(source: str | PathLike[str] | None, revision: str | None = None) -> tuple[str, Path]:
    """Return a model's name and its folder, fetching it from the Hub where it is a Hub id."""
    if source is None:
        folder = Path(str(resources.files("mmser") / "assets" / "model"))
        if not folder.is_dir():
            raise ModelError(f"the bundled model is missing at {folder}; install mmser again or give --model")
        return BUNDLED, folder
    text = fspath(source)
    if Path(text).is_dir():
        return Path(text).resolve().name, Path(text)
    if Path(text).exists():
        raise ModelError(f"the model {text} is a file; give the folder that save_pretrained wrote")
    if text.count("/") != 1 or text.startswith((".", "/", "~")):
        raise ModelError(f"there is no model folder {text}; give a folder or a Hub id such as name/model")
    return text, _fetch(text, revision)


def _fetch(repository: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=list(FETCHED)))
    except Exception as error:  # network, login, revision: each its own kind
        raise ModelError(
            f"there is no folder {repository}, and the Hub did not give a model of that name: "
            f"{_first_line(error)}"
        ) from error


def _check_config(path: Path) -> None:
    from mmser.model.configuration_mmser import SCHEMA_VERSION

    try:
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as JSON: {error}; fetch or train the model again") from error
    if not isinstance(config, dict) or config.get("model_type") != "mmser":
        kind = config.get("model_type") if isinstance(config, dict) else None
        raise ModelError(f"{path} describes a model of type {kind!r}, not 'mmser'; give an mmser model")
    version = config.get("schema_version", 1)
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise ModelError(
            f"the model in {path.parent} has schema version {version!r}, but this mmser reads up to "
            f"{SCHEMA_VERSION}; update mmser with: pip install --upgrade mmser"
        )
    _check_values(path, config)


def _check_values(path: Path, config: dict[str, Any]) -> None:
    """Refuse values with which every answer would be wrong."""
    checks: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
        ("max_seconds", "a number above 0", lambda value: _is_number(value) and value > 0),
        ("max_text_tokens", "a number above 2", lambda value: _is_number(value) and value > 2),
        ("abstain_below", "a number from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1),
    )
    wrong = [
        (key, config[key], allowed)
        for key, allowed, fits in checks
        if key in config and not fits(config[key])
    ]
    if wrong:
        key, value, allowed = wrong[0]
        raise ModelError(
            f"{path} states {key} {value!r}, which must be {allowed}; fetch or train the model again"
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def describe_model(source: str | PathLike[str] | None, *, revision: str | None = None) -> ModelInfo:
    """Return what a report says of a model, without loading its weights.

    Raises:
        ModelError: if files are missing or damaged, or the model is from a newer version.
    """
    name, folder = _checked_folder(source, revision)
    from mmser.model import MmserConfig

    return _describe(name, folder, MmserConfig.from_pretrained(folder))


def _checked_folder(source: str | PathLike[str] | None, revision: str | None) -> tuple[str, Path]:
    name, folder = locate(source, revision)
    for needed in NEEDED:
        if not (folder / needed).is_file():
            raise ModelError(
                f"the model folder {folder} has no {needed}; it needs {', '.join(NEEDED)}, "
                "as save_pretrained writes them"
            )
    _check_config(folder / "config.json")
    return name, folder


def _describe(name: str, folder: Path, config: Any) -> ModelInfo:
    digest = hashlib.sha256()
    with (folder / WEIGHTS).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return ModelInfo(
        id=name,
        revision=digest.hexdigest(),
        license=config.weights_license,
        labels=label_order(config.id2label),
        languages=tuple(config.text_languages),
        calibration={task: float(value) for task, value in sorted(config.calibration.items())},
        abstain_below=float(config.abstain_below),
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
