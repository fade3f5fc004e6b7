"""A model's folder written anew with other emotion temperatures, and without what tells of the old ones."""

import fnmatch
import json
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mmser.config_checks import find_fault
from mmser.errors import ModelError, UsageError
from mmser.evaluation.division.training_data import TRAINING_DATA
from mmser.evaluation.feedback.recalibration import Recalibration, scores_of, verdict
from mmser.evaluation.page.terminal import shown
from mmser.loading import WEIGHTS
from mmser.report.writing import write_outputs

CONFIG: Final = "config.json"
NOTE: Final = "README.md"
STAMP: Final = "mmser.calibration"  # key in the header of the weights
TRAINING_RUN: Final = "training_run.json"  # what the training of the weights took
# What makes a model; anything else in its folder (its card, its numbers) is of the old probabilities.
KEPT: Final = (
    *("processor_config.json", "tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab*"),
    *("merges.txt", "*_mmser.py", "LICENSE*", "NOTICE*", TRAINING_DATA, TRAINING_RUN),
)
_CARD: Final = """# {found.model_id}, recalibrated

The weights of {found.model_id} (sha256 {found.model_revision})
with other emotion temperatures, by `mmser calibrate` (mmser {found.mmser_version}, seed {found.seed}).
They were fitted to {found.fitted.turns} turns of {found.fitted.calls} calls that reviewers corrected,
and scored on {found.scored.turns} turns of {found.scored.calls} other calls.
Reviewers choose which turns they correct: these are no random sample of calls.

{changed}

|  | before | after | difference [95 %] |
|---|---|---|---|
{rows}
| abstains, % | {found.before.abstained:.1f} | {found.after.abstained:.1f} | {abstained} |

Criterion: {found.criterion}. {verdict}.{worse}

{notes}The card and the numbers of the original are not copied, since its probabilities are not these: see
there for data, credits, limits and accuracy. Most probable emotions stay what they were, but for long turns
of several pieces whose emotions are about equally probable. The licence of the weights is the original's.
"""


FORCED: Final = "temperatures refitted on corrections, not shown to be better (forced)"


def without_forced(mark: str) -> str:
    """Return a model's mark without what bears on temperatures alone, which are then fitted anew."""
    return "; ".join(clause for clause in mark.split("; ") if clause not in ("", FORCED))


def check_target(model: Path, target: Path) -> None:
    """Refuse a folder that holds something, or lies in the model's.

    Raises:
        UsageError: if it does.
    """
    if target.resolve() == model.resolve() or model.resolve() in target.resolve().parents:
        raise UsageError(f"{target} lies in the model's own folder; give a new one outside it")
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} is a file; give a new folder")
    if target.exists() and any(target.iterdir()):
        raise UsageError(f"{target} is not empty; give a new folder")


def write_recalibrated(
    model: Path,
    target: Path,
    found: Recalibration,
    license: str,
    *,
    beside: Mapping[Path, str] | None = None,
    overwrite: bool = False,
) -> list[str]:
    """Write a model's folder anew with other emotion temperatures, whole or not at all.

    Weights are the same but for their header, which names the temperatures: a report's revision is the digest
    of this file, so that probabilities of before and after cannot be taken for each other's.

    Args:
        model: its folder, which stays as it is.
        target: a new or an empty one.
        found: with the temperatures.
        license: of the weights.
        beside: other files that are written with it, or not at all.
        overwrite: whether those may be replaced.

    Returns:
        The names of what was left out, since it tells of the old probabilities.

    Raises:
        UsageError: if the target holds something, or lies in the model's folder.
        ModelError: if the model's files are damaged.
        OutputError: if the disk is full or refuses.
    """
    check_target(model, target)
    config = json.loads((model / CONFIG).read_text("utf-8"))
    config["calibration"] = {**config.get("calibration", {}), **found.new}
    mark = without_forced(str(config.get("training_mark") or ""))
    config["training_mark"] = "; ".join(text for text in (mark, FORCED if found.forced else "") if text)
    fault = find_fault(config)
    if fault is not None:
        raise ModelError(
            f"{model / CONFIG} states {fault[0]}, which must be {fault[1]}; fetch the model again"
        )
    files = {path.name: path for path in sorted(model.iterdir()) if path.is_file()}
    kept = {name for pattern in KEPT for name in fnmatch.filter(files, pattern)}
    contents: dict[Path, bytes | str] = {target / name: files[name].read_bytes() for name in sorted(kept)}
    contents[target / CONFIG] = json.dumps(config, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    contents[target / WEIGHTS] = _stamped(model / WEIGHTS, found.new)
    contents[target / NOTE] = _note(found, license)
    write_outputs(contents | dict(beside or {}), overwrite=overwrite)
    return sorted({path.name for path in model.iterdir()} - (kept | {CONFIG, WEIGHTS}))


def _stamped(weights: Path, temperatures: Mapping[str, float]) -> bytes:
    """Return a safetensors file whose header names the temperatures; its tensors are the same bytes."""
    data = weights.read_bytes()
    try:
        (size,) = struct.unpack_from("<Q", data)
        header: dict[str, Any] = json.loads(data[8 : 8 + size])
        stated = {**header.get("__metadata__", {}), STAMP: json.dumps(dict(temperatures), sort_keys=True)}
    except (struct.error, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"{weights} is damaged: {error}; fetch or train the model again") from error
    text = json.dumps({**header, "__metadata__": stated}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of 8 bytes
    return struct.pack("<Q", len(text)) + text + data[8 + size :]


def _note(found: Recalibration, license: str) -> str:
    """Return the card of the new folder."""
    rows = [
        f"| {name} | {' | '.join(shown(one, 3) for one in row)} |" for name, row in scores_of(found).items()
    ]
    changed = [f"- {name}: {found.old[name]:g} → {new:g}" for name, new in found.new.items()]
    stated = license.lower() if re.fullmatch(r"[\w.-]+", license) else json.dumps(license)
    front = f"---\nlicense: {stated}\nlibrary_name: transformers\n---\n\n" if license else ""
    return front + _CARD.format(
        found=found,
        changed="\n".join(changed),
        rows="\n".join(rows),
        abstained=shown(found.difference.abstained),
        verdict=verdict(found),
        worse=f" Worse though: {'; '.join(found.worse)}." if found.worse else "",
        notes="".join(f"Note: {note}.\n\n" for note in found.notes),
    )
