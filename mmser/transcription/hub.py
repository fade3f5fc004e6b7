"""The weights of a recogniser in the Hub's cache, and from the Hub where they are not there."""

import io
import json
import re
import socket
from pathlib import Path
from typing import Any

from mmser.errors import HubError, MmserError, ModelError, OutputError
from mmser.hub.explaining import FULL, error_chain, first_line
from mmser.hub.fetching import library_quietly, verify_files
from mmser.progress import ProgressCallback
from mmser.transcription.download import STAGE, UnreachableError

# Of each engine: what it reads, and nothing beside. The Hub's Whispers come in up to four formats and two
# precisions, and pickles are never read.
PATTERNS = {
    "hf": ("model.safetensors", "model-*.safetensors", "*.json", "*.txt"),
    "faster-whisper": (
        "config.json",
        "preprocessor_config.json",
        "model.bin",  # CTranslate2's own format
        "tokenizer.json",
        "vocabulary.*",
    ),
}
WEIGHTS = {"hf": "model.safetensors", "faster-whisper": "model.bin"}
_INDEX = "model.safetensors.index.json"


def cached(engine: str, repository: str, cache: Path | None) -> Path | None:
    """Return the folder of a repository in the Hub's cache; None where it is not there as a whole.

    Args:
        engine: a key of `PATTERNS`.
        repository: "ORGANISATION/MODEL".
        cache: folder of the cache; None = huggingface_hub's own, which follows HF_HOME.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = snapshot_download(
            repository, cache_dir=cache, allow_patterns=list(PATTERNS[engine]), local_files_only=True
        )
    except LocalEntryNotFoundError:
        return None
    # Without a list of the repository's files, one that was broken off is handed out as if it were whole.
    return Path(folder) if is_whole(engine, Path(folder)) else None


def fetch(engine: str, repository: str, cache: Path | None, progress: ProgressCallback) -> Path:
    """Fetch what an engine needs of a repository, and return its folder.

    Args:
        engine: a key of `PATTERNS`.
        repository: "ORGANISATION/MODEL".
        cache: folder of the cache; None = huggingface_hub's own, which follows HF_HOME.
        progress: called with "fetching", bytes done, bytes in all as far as they are known.

    Raises:
        UnreachableError: if the Hub cannot be reached, or has trouble of its own.
        ModelError: if there is no such repository, it is not open to everybody, or holds no such weights.
        OutputError: if the cache cannot be written or there is no room.
    """
    from huggingface_hub import snapshot_download

    progress(STAGE, 0, 0)
    try:
        with library_quietly():
            folder = Path(
                snapshot_download(
                    repository,
                    cache_dir=cache,
                    allow_patterns=list(PATTERNS[engine]),
                    tqdm_class=_bars(progress),
                )
            )
    except Exception as error:  # network, login, disk: each its own kind, and other kinds in other versions
        raise _explained(error, repository) from error
    if not is_whole(engine, folder):
        raise ModelError(
            f"the Hub's {repository} holds no {WEIGHTS[engine]}, which {engine} reads; give another model, "
            "or a folder to which it was converted"
        )
    _verify(folder, repository)
    return folder


def _verify(folder: Path, repository: str) -> None:
    """Compare the weights with their sha256.

    Raises:
        ModelError: if they differ; they are removed.
    """
    try:
        verify_files(folder, repository, small=False)
    except HubError as error:
        raise ModelError(str(error)) from error


def cache_folder(cache: Path | None) -> Path:
    """Return the folder in which repositories lie."""
    from huggingface_hub.constants import HF_HUB_CACHE

    return cache or Path(HF_HUB_CACHE)


def is_whole(engine: str, folder: Path) -> bool:
    """Tell whether a folder holds the weights that an engine reads, all parts of them."""
    if (folder / WEIGHTS[engine]).is_file():
        return True
    if engine != "hf":
        return False
    try:
        parts = set(json.loads((folder / _INDEX).read_text("utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return bool(parts) and all((folder / str(part)).is_file() for part in parts)


def _bars(progress: ProgressCallback) -> Any:
    """Return a class of bars that draw nothing, and tell how many bytes have come."""
    from tqdm import tqdm  # type: ignore[import-untyped]  # huggingface_hub needs it

    class Told(tqdm):  # type: ignore[misc]
        monitor_interval = 0  # no thread that looks after slow bars

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            silent = {"file": io.StringIO(), "disable": False, "mininterval": 0, "miniters": 1}
            super().__init__(*args, **(kwargs | silent))

        def display(self, *args: Any, **kwargs: Any) -> None:
            # Called under tqdm's own lock, so files that come side by side do not tell at once. Besides the
            # bars of bytes there is one of files.
            if self.unit == "B" and self.total:
                progress(STAGE, min(self.n, self.total), self.total)

    return Told


def _explained(error: Exception, repository: str) -> MmserError | UnreachableError:
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    chain = error_chain(error)
    if any(isinstance(inner, GatedRepoError) for inner in chain):
        return ModelError(
            f"the Hub gives {repository} only to those who accepted its terms; do so at "
            f"https://huggingface.co/{repository} and log in with: hf auth login"
        )
    if any(isinstance(inner, RepositoryNotFoundError) for inner in chain):
        return ModelError(
            f"there is no folder {repository}, and the Hub knows no model of that name, or it is private; "
            "correct the name, or log in with: hf auth login"
        )
    for inner in chain:
        full = isinstance(inner, OSError) and inner.errno in FULL
        if full or "No space left" in str(inner):  # Rust's part of huggingface_hub has no error numbers
            return OutputError(
                f"there is no room for the files of {repository} ({first_line(inner)}); free space or name "
                "another folder with --model-dir"
            )
    if isinstance(error, OSError) and error.filename is not None:
        return OutputError(
            f"{error.filename} cannot be written: {error.strerror}; make it writable or name another folder "
            "with --model-dir"
        )
    answered = next((inner for inner in chain if isinstance(inner, HfHubHTTPError)), None)
    if answered is not None and answered.response is not None:
        return UnreachableError(f"the Hub answered {answered.response.status_code}")
    # huggingface_hub wraps what its HTTP client says in advice of several lines.
    reason = re.sub(r"^\[Errno -?\d+\] ", "", first_line(error.__cause__ or error))
    cut = any(isinstance(inner, ConnectionError | TimeoutError | socket.gaierror) for inner in chain)
    return UnreachableError(f"no network: {reason}" if cut else reason)
