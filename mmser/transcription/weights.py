"""Where the weights of a recogniser lie; they are fetched where they are not there."""

import difflib
import os
import re
from collections.abc import Collection
from pathlib import Path

from mmser.errors import MissingExtraError, MmserError, ModelError, UsageError
from mmser.progress import ProgressCallback, ignore_progress
from mmser.transcription import hub
from mmser.transcription.digest import file_digest
from mmser.transcription.download import UnreachableError, download
from mmser.transcription.recogniser import RecogniserName

# Sizes of openai-whisper, known without importing it, and torch with it, only to find no slip of the pen.
SIZES = (
    *("tiny.en", "tiny", "base.en", "base", "small.en", "small", "medium.en", "medium"),
    *("large-v1", "large-v2", "large-v3", "large", "large-v3-turbo", "turbo"),
)
WAYS = (
    "give the words with --transcript FILE, weights of your own with --asr whisper:FILE.pt, or judge by "
    "sound alone with --no-asr"
)
WAYS_TO_TRANSCRIBE = "or give weights of your own with --asr whisper:FILE.pt"
# As huggingface_hub takes them, but for those without an organisation, which look like sizes.
_HUB_ID = re.compile(r"(?!.*(?:--|\.\.|\.git$))\w(?:[\w.-]*\w)?/\w(?:[\w.-]{0,94}\w)?", re.ASCII)
_TRUE = ("1", "ON", "YES", "TRUE")  # as huggingface_hub reads them


def check_weights(name: RecogniserName) -> None:
    """Refuse a name whose weights cannot be, without loading anything large or asking the network.

    Raises:
        UsageError: if it is no size, or no Hub id.
        ModelError: if there is no such file or folder.
        MissingExtraError: if its engine is not installed.
    """
    if name.engine == "whisper":
        _openai_file(name)
    else:
        _folder_or_repository(name)


def locate_weights(
    name: RecogniserName,
    *,
    model_dir: Path | None = None,
    progress: ProgressCallback = ignore_progress,
    ways: str = WAYS,
) -> Path:
    """Return the file (whisper) or the folder (others) of a recogniser's weights.

    What is on this machine is taken as it is, and the network is not asked. HF_HUB_OFFLINE=1 keeps every
    engine from asking it.

    Args:
        name: of the recogniser. A size is a size, whatever lies in the working folder: "./small" is a path.
        model_dir: where weights lie and are put; None = HF_HOME where it is set, else the engine's place.
        progress: called with "fetching", bytes done, bytes in all (0: not known).
        ways: what else a user can do where there are neither weights nor network.

    Raises:
        UsageError: if the name is no size, or no Hub id.
        ModelError: if there are no such weights, here or there, or they are not what they should be.
        OutputError: if they cannot be written.
        MissingExtraError: if the engine is not installed.
    """
    folder = None if model_dir is None else _expanded(model_dir)
    if folder is not None and folder.exists() and not folder.is_dir():
        raise ModelError(f"{folder} is a file, and weights lie in a folder; name another with --model-dir")
    if name.engine == "whisper":
        path = _openai_file(name)
        return _from_openai(name, folder, progress, ways) if path is None else path
    found = _folder_or_repository(name)
    return found if isinstance(found, Path) else _from_hub(name, found, folder, progress, ways)


def differs(name: RecogniserName, path: Path) -> bool:
    """Tell whether a file is not the one that openai publishes under a size; False for other names."""
    url = _url(name.model) if name.engine == "whisper" else None
    return url is not None and not _sha256(url).startswith(file_digest(path))


# --- openai-whisper ---------------------------------------------------------------------------------------


def _openai_file(name: RecogniserName) -> Path | None:
    """Return the path that a name of openai-whisper is; None for a size."""
    model = name.model
    if model in SIZES:
        return None
    path = _expanded(Path(model))
    exists = _exists(path)
    if not exists and not _looks_like_path(model) and path.suffix != ".pt":
        if _url(model) is not None:  # a later version knows more sizes
            return None
        raise _no_size(name, SIZES, "the path of a .pt file")
    if path.is_dir():
        raise ModelError(
            f"{path} is a folder, and openai-whisper reads one .pt file; give that, or write hf:{model} for "
            f"one of transformers' folders and faster-whisper:{model} for one of CTranslate2's"
        )
    if not exists:
        hint = f", or write hf:{model} for a model of the Hub" if _is_hub_id(model) else ""
        raise ModelError(
            f"there is no file {path}; give the path of a .pt file of openai-whisper or a size such as "
            f"whisper:small{hint}"
        )
    return path.absolute()  # openai-whisper takes "small.en" for a size, whatever lies there


def _from_openai(name: RecogniserName, folder: Path | None, progress: ProgressCallback, ways: str) -> Path:
    url = _url(name.model)
    if url is None:  # a version from before that size
        raise ModelError(f"the installed openai-whisper has no {name.model}; update it, or give another size")
    places = [place / url.rsplit("/", 1)[-1] for place in ([folder] if folder else _openai_folders())]
    for place in places:
        if place.is_dir():
            raise ModelError(f"{place} is a folder where the file of {name} should be; move it away")
        if _exists(place):
            return place
    place = places[0]
    by_hand = f"fetch {url} elsewhere and put it at {place}"
    if _is_offline():
        raise _missing(name, _offline_reason(), by_hand, ways)
    try:
        download(url, place, _sha256(url), progress)
    except UnreachableError as error:
        raise _missing(name, str(error), by_hand, ways) from error
    return place


def _openai_folders() -> list[Path]:
    """Return where weights of openai-whisper may lie; the first is where they are put."""
    cache = os.environ.get("XDG_CACHE_HOME")
    own = (Path(cache) if cache else _expanded(Path("~/.cache"))) / "whisper"
    home = os.environ.get("HF_HOME")
    return [_expanded(Path(os.path.expandvars(home))) / "whisper", own] if home else [own]


def _url(size: str) -> str | None:
    import whisper

    found: str | None = whisper._MODELS.get(size)
    return found


def _sha256(url: str) -> str:
    return url.split("/")[-2]  # as openai-whisper reads it


# --- the Hub ----------------------------------------------------------------------------------------------


def _folder_or_repository(name: RecogniserName) -> Path | str:
    """Return the folder that a name is, or its id in the Hub."""
    model = name.model
    sizes = _faster_whisper_sizes() if name.engine == "faster-whisper" else {}
    if model in sizes:
        return sizes[model]
    folder = _expanded(Path(model))
    if _exists(folder):
        if folder.is_dir():
            return folder
        own = f", or write whisper:{model}" if folder.suffix == ".pt" else ""
        raise ModelError(f"{folder} is a file, and {name.engine} reads a folder; give that{own}")
    if _is_hub_id(model):
        return model
    if _looks_like_path(model):
        raise ModelError(
            f"there is no folder {folder}; give one, or a Hub id such as {name.engine}:name/model"
        )
    if sizes:
        raise _no_size(name, sizes, "a folder or a Hub id such as name/model")
    hint = f" such as hf:openai/whisper-{model}" if model in SIZES else ", ORGANISATION/MODEL"
    raise UsageError(f"{model!r} is neither a folder nor a model of the Hub; give a folder or a Hub id{hint}")


def _faster_whisper_sizes() -> dict[str, str]:
    try:
        from faster_whisper import utils
    except ImportError as error:
        raise MissingExtraError("faster-whisper", "faster-whisper", "--asr faster-whisper:…") from error
    return dict(utils._MODELS)


def _from_hub(
    name: RecogniserName, repository: str, folder: Path | None, progress: ProgressCallback, ways: str
) -> Path:
    found = hub.cached(name.engine, repository, folder)
    if found is not None:
        return found
    part = f"models--{repository.replace('/', '--')}"
    by_hand = (
        f"copy the folder {part} from the cache of a machine that has it into {hub.cache_folder(folder)}"
    )
    if _is_offline():
        raise _missing(name, _offline_reason(), by_hand, ways)
    try:
        return hub.fetch(name.engine, repository, folder, progress)
    except UnreachableError as error:
        raise _missing(name, str(error), by_hand, ways) from error


# --- both -------------------------------------------------------------------------------------------------


def _missing(name: RecogniserName, reason: str, by_hand: str, ways: str) -> MmserError:
    own = "FILE.pt" if name.engine == "whisper" else "FOLDER"
    ways = ways.replace("whisper:FILE.pt", f"{name.engine}:{own}")
    return ModelError(
        f"the weights of {name} are not on this machine and cannot be fetched ({reason}); {by_hand}, {ways}"
    )


def _no_size(name: RecogniserName, known: Collection[str], other: str) -> UsageError:
    near = difflib.get_close_matches(name.model, known, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return UsageError(f"{name} is no size that is known{hint}; give {', '.join(known)}, or {other}")


def _offline_reason() -> str:
    return f"{'HF_HUB_OFFLINE' if os.environ.get('HF_HUB_OFFLINE') else 'TRANSFORMERS_OFFLINE'} is set"


def _is_offline() -> bool:
    # Read when it is needed; huggingface_hub reads it once, when it is imported.
    stated = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return stated.upper() in _TRUE


def _is_hub_id(model: str) -> bool:
    return _HUB_ID.fullmatch(model) is not None


def _looks_like_path(model: str) -> bool:
    return model.startswith(("~", ".")) or "/" in model or os.sep in model


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:  # a name that is too long
        raise ModelError(f"{path} cannot be a path of weights: {error.strerror}; correct it") from error


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # nobody of that name: it stays as it is, and is not found
        return path
