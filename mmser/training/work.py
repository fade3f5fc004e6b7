"""The work folder of a training: checkpoints, metrics, and what the training began with.

A run goes on from the checkpoints in its folder only if it is the same training: other data, or another
setting of a stage that has begun, are refused and named.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmser.errors import MmserError, UsageError

BEGUN = "begun.json"


def make_folder(folder: Path, option: str) -> None:
    """Make a folder with those above it.

    Raises:
        UsageError: if there is a file in its place.
        MmserError: if it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{folder} is, or lies below, a file; give a folder ({option})") from error
    except OSError as error:
        raise MmserError(
            f"the folder {folder} cannot be made ({error.strerror}); give another ({option})"
        ) from error


def require_own(target: Path) -> None:
    """Refuse a folder that holds something else than a model of ours, which training would write into.

    Raises:
        UsageError: if so.
    """
    files = sorted(path.name for path in target.iterdir())
    try:
        ours = json.loads((target / "config.json").read_text(encoding="utf-8"))["model_type"] == "mmser"
    except (OSError, ValueError, KeyError, TypeError):
        ours = False
    if files and not ours:
        raise UsageError(
            f"{target} holds {files[0]} and is no mmser model; give a new or empty folder (--output)"
        )


def forget(folder: Path, stages: Sequence[str]) -> None:
    """Remove the checkpoints and metrics of some stages, and nothing else that lies in the folder."""
    for stage in stages:
        for name in (stage, f"{stage}_without_*"):  # runs of a stage that leave a fold of speakers out
            for end in ("checkpoint.pt", "best.pt", "jsonl"):
                for stale in folder.glob(f"{name}.{end}"):
                    stale.unlink()
            for stale in folder.glob(f"tensorboard/{name}/events.*"):
                stale.unlink()


def begin(folder: Path, plan: Mapping[str, Any], stages: Sequence[str]) -> None:
    """Note what a training begins with, or check that it goes on as it began.

    Args:
        folder: that exists.
        plan: plain values: settings by stage, and by other names what all stages depend on.
        stages: all that there are, in order; each depends on those before it.

    Raises:
        MmserError: if a stage has begun with other settings; they are named.
    """
    path = folder / BEGUN
    begun = [stage for stage in stages if (folder / f"{stage}.checkpoint.pt").exists()]
    known = _flat(json.loads(json.dumps(plan)))
    if begun and path.exists():
        later = stages[stages.index(begun[-1]) + 1 :]
        before = _flat(_read(path))
        names = [name for name in {**before, **known} if name.split(".")[0] not in later]
        changed = [name for name in names if before.get(name) != known.get(name)]
        if changed:
            shown = "; ".join(_change(name, before, known) for name in changed[:3])
            more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
            raise MmserError(
                f"{folder} holds a training that began otherwise: {shown}{more}; go on with that "
                "configuration, give another --work folder, or --restart to train anew"
            )
    temporary = path.with_name(f".{BEGUN}.tmp")
    try:
        temporary.write_text(json.dumps(plan, indent=1), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise MmserError(
            f"{path} cannot be written ({error.strerror}); make room, or give another --work"
        ) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MmserError(f"{path} cannot be read ({error}); give --restart to train anew") from error
    return found if isinstance(found, dict) else {}


def _change(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    old, new = (json.dumps(values[name]) if name in values else "not given" for values in (before, now))
    return f"{name} was {old[:60]} and is now {new[:60]}"


def _flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return nested mappings as one, with dotted names."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= _flat(value, f"{above}{name}.")
        else:
            found[f"{above}{name}"] = value
    return found
