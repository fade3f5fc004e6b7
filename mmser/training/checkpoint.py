"""Checkpoints that are whole or not there: written under a temporary name, then renamed."""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mmser.errors import MmserError


def save_atomically(state: dict[str, Any], path: Path) -> None:
    """Write tensors and plain values to `path`; what was there before stays until the new file is whole.

    Raises:
        MmserError: if the file cannot be written (a full disk, a file where a folder should be).
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    # torch reports a failed write as a RuntimeError of its zip writer.
    except (OSError, RuntimeError) as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        kept = "; the checkpoint before it is kept" if path.exists() else ""
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "the disk may be full"
        raise MmserError(
            f"the checkpoint {path} could not be written ({reason}){kept}; make room and run the same "
            f"command again: training goes on from the last checkpoint"
        ) from error


def remove_unfinished(folder: Path, stage: str) -> None:
    """Remove what a killed run was writing for a stage; as large as a checkpoint, and of no use."""
    for stale in folder.glob(f".{stage}.*.tmp"):
        stale.unlink(missing_ok=True)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what `save_atomically` wrote.

    Raises:
        MmserError: if the file is no checkpoint.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    # What torch raises of damaged files has no common class.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")[:80]
        raise MmserError(
            f"{path} is not a whole checkpoint ({reason}); remove it to start its stage again"
        ) from error
    if not isinstance(state, dict):
        raise MmserError(f"{path} holds no checkpoint of mmser; remove it to start its stage again")
    return state


def digest(values: Any) -> str:
    """Return a short hash of plain values, the same on every machine."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:16]


def tensor_digest(state: Mapping[str, torch.Tensor]) -> str:
    """Return a short hash of weights."""
    found = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        found.update(name.encode())
        found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]
