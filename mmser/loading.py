"""A model folder or Hub id → model, processor and what the report says of them."""

import contextlib
import hashlib
import re
from collections.abc import Iterator
from importlib import resources
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmser.aggregation import label_order
from mmser.config_checks import check_config
from mmser.errors import HubError, ModelError, UsageError
from mmser.hub.fetching import commit_of, fetch_snapshot
from mmser.quiet import quietly
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
        revision: of the Hub's repository: a branch, tag or commit; "name/model@revision" says the same.
        device: where it runs, as torch names it.

    Raises:
        ModelError: if files are missing or damaged, or the model is from a newer version.
        HubError: if the Hub does not give it.
    """
    name, folder = _checked_folder(source, revision)
    import torch

    from mmser.model import MmserModel, MmserProcessor

    load: Any = MmserModel.from_pretrained
    with _loading(folder):
        loaded, found = load(
            folder,
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # refused below, in a sentence
            dtype=torch.float32,
        )
        processor = MmserProcessor.from_pretrained(folder, local_files_only=True)
    lost = sorted(found["missing_keys"]) + sorted(key[0] for key in found["mismatched_keys"])
    if lost:
        # transformers would go on with random numbers in their place.
        raise ModelError(
            f"{folder / WEIGHTS} lacks {len(lost)} of the weights that config.json beside it asks for, such "
            f"as {lost[0]}; fetch or train the model again"
        )
    left = sorted(found["unexpected_keys"])
    if left:
        raise ModelError(
            f"{folder / WEIGHTS} holds {len(left)} weights that config.json beside it has no place for, such "
            f"as {left[0]}; fetch or train the model again"
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
    # Turns are cut by the config's limits: a processor file that states others must not refuse the pieces.
    for limit in ("sampling_rate", "max_seconds", "max_text_tokens"):
        setattr(processor, limit, getattr(model.config, limit))
    return model.to(device).eval(), processor, _describe(name, folder, model.config)


@contextlib.contextmanager
def _loading(folder: Path) -> Iterator[None]:
    """Say of any failure in here that the model in `folder` cannot be loaded."""
    try:
        with quietly():
            yield
    except Exception as error:  # safetensors, tokenizers and transformers each raise their own kinds
        raise ModelError(
            f"the model in {folder} cannot be loaded: {_first_line(error)}; "
            "if its files are damaged, fetch or train it again"
        ) from error


def locate(source: str | PathLike[str] | None, revision: str | None = None) -> tuple[str, Path]:
    """Return a model's name and its folder, fetching it from the Hub where it is a Hub id.

    Args:
        source: a folder, a Hub id such as "name/model" or "name/model@revision", or None for the bundled one.
        revision: of a Hub id: a branch, tag or commit.

    Raises:
        ModelError: if there is no such folder, or the repository has no weights that are read.
        HubError: if the Hub does not give it.
        UsageError: if a revision is named that cannot be meant.
    """
    text = "" if source is None else fspath(source)
    if source is not None and not text.strip():
        raise UsageError("the model's name is empty; name a folder or a Hub id, or leave it out")
    if source is None or Path(text).is_dir():
        if revision is not None:
            raise UsageError(
                f"the revision {revision!r:.80} is of no use to {text or 'the bundled model'}, which is not "
                "from the Hub; leave it out, or name a Hub id"
            )
        return (Path(text).resolve().name, Path(text)) if text else (BUNDLED, _bundled())
    if Path(text).exists():
        raise ModelError(f"the model {text} is a file; give the folder that save_pretrained wrote")
    repository, at, pinned = text.partition("@")
    if repository.count("/") != 1 or text.startswith((".", "/", "~")):
        raise ModelError(
            f"there is no model folder {text!r:.200}; give a folder or a Hub id such as name/model"
        )
    if at and revision not in (None, pinned):
        raise UsageError(f"{text} and the revision {revision!r:.80} contradict each other; name one of them")
    revision = pinned if at else revision
    if revision is not None and not re.fullmatch(r"\w[\w./+-]*", revision):
        raise UsageError(
            f"{revision!r:.80} is no revision of {repository}; name a branch, a tag or a commit, such as "
            f"{repository}@v1"
        )
    return repository, _fetch(repository, revision)


def _bundled() -> Path:
    folder = Path(str(resources.files("mmser") / "assets" / "model"))
    if not folder.is_dir():
        raise ModelError(
            f"the bundled model is missing at {folder}; install mmser again or name another model"
        )
    return folder


def _fetch(repository: str, revision: str | None) -> Path:
    folder = fetch_snapshot(repository, revision=revision, patterns=FETCHED)
    if not (folder / WEIGHTS).is_file():
        raise ModelError(
            f"the Hub's {repository} holds no {WEIGHTS}, and only safetensors is read, never pickled weights "
            "such as pytorch_model.bin; name another model or revision, or have it saved by save_pretrained"
        )
    return folder


def describe_model(source: str | PathLike[str] | None, *, revision: str | None = None) -> ModelInfo:
    """Return what a report says of a model, without loading its weights.

    Raises:
        ModelError: if files are missing or damaged, or the model is from a newer version.
    """
    name, folder = _checked_folder(source, revision)
    from safetensors import safe_open

    from mmser.model import MmserConfig

    with _loading(folder):
        config = MmserConfig.from_pretrained(folder)
        with safe_open(folder / WEIGHTS, framework="numpy"):
            pass  # its header says how long it is: one that was cut is noticed
    return _describe(name, folder, config)


def _checked_folder(source: str | PathLike[str] | None, revision: str | None) -> tuple[str, Path]:
    name, folder = locate(source, revision)
    for needed in NEEDED:
        if not (folder / needed).is_file():
            raise ModelError(
                f"the model folder {folder} has no {needed}; it needs {', '.join(NEEDED)}, "
                "as save_pretrained writes them"
            )
    check_config(folder / "config.json")
    return name, folder


def _describe(name: str, folder: Path, config: Any) -> ModelInfo:
    weights = (folder / WEIGHTS).resolve()
    with weights.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    # The Hub's cache names a large file by its sha256: one that was changed there is not what was published.
    if commit_of(folder) and len(weights.name) == len(digest) and weights.name != digest:
        raise HubError(
            f"{folder / WEIGHTS} is not the file that the Hub gave (sha256 {weights.name[:12]}…); remove "
            f"{weights} and run again"
        )
    return ModelInfo(
        id=name,
        revision=digest,
        license=config.weights_license,
        labels=label_order(config.id2label),
        languages=tuple(config.text_languages),
        calibration={task: float(value) for task, value in sorted(config.calibration.items())},
        abstain_below=float(config.abstain_below),
        abstain_opposed=float(config.abstain_opposed),
        training_mark=config.training_mark,
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
