"""What a training took, written beside its weights for the model's card: the document `mmser.training_run/1`.

It names no folder, host or person. Energy is what counters of whole CPU packages and GPUs say, other
programs' share with it; without counters it is null, and never estimated.
"""

import hashlib
import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
import transformers
from accelerate import PartialState

from mmser import __version__
from mmser.errors import DataError, ModelError
from mmser.evaluation.documents import read_document
from mmser.evaluation.feedback.recalibrated_folder import TRAINING_RUN
from mmser.record import Record
from mmser.report.writing import write_outputs
from mmser.training.config import TrainingConfig
from mmser.training.energy import Counter, cpu_counters, gpu_counters
from mmser.training.ledger import Ledger, Spent

SCHEMA: Final = "mmser.training_run/1"
JOULES_PER_KWH: Final = 3.6e6


@dataclass(frozen=True, kw_only=True)
class Energy(Record):
    """What the counters of one kind of part say."""

    # Of the whole packages or GPUs over all runs, other programs' share with it; None = not measured.
    kwh: float | None
    reason: str = ""  # why it is None


@dataclass(frozen=True, kw_only=True)
class TrainingRun(Record):
    """The document `mmser.training_run/1`; of a model that was trained further, of its last training."""

    schema: str = SCHEMA
    seconds: float  # of wall time, all runs together, also those that were stopped or killed
    stages: dict[str, float]  # "data", "sounds", a stage, "save" → seconds of it
    runs: int  # that it took
    uncounted: str  # what is missing from the sums; "" = nothing
    device: str  # "cpu", or the GPU's name; this and what follows are of the last run
    processes: int
    cpu: str  # model
    cores: int  # logical ones that a process may use
    threads: int  # of each process
    versions: dict[str, str]  # mmser, torch, transformers
    seed: int
    configuration_sha256: str  # of all settings; absolute paths count by their last name alone
    cpu_energy: Energy
    gpu_energy: Energy | None  # None where it trained on the CPU


def start_ledger(state: PartialState) -> Ledger:
    """Return the ledger of this run, with the counters of the machine."""
    counters: dict[str, Sequence[Counter] | str] = {"cpu": _or_reason(cpu_counters)}
    if state.device.type == "cuda":
        counters["gpu"] = _or_reason(lambda: gpu_counters(_uuids(state)))
    here = int(os.environ.get("LOCAL_WORLD_SIZE") or state.num_processes)
    if state.num_processes > here:
        counters = dict.fromkeys(counters, "it ran on several machines, of which one alone can be read here")
    return Ledger(counters)


def _uuids(state: PartialState) -> list[str]:
    """Return the GPUs of the processes on this machine."""
    places = range(state.num_processes) if state.num_processes > 1 else [state.device.index or 0]
    return [f"GPU-{torch.cuda.get_device_properties(place).uuid}" for place in places]


def _or_reason(counters: Callable[[], Sequence[Counter]]) -> Sequence[Counter] | str:
    try:
        return counters()
    except OSError as error:
        return str(error)


def training_run(config: TrainingConfig, spent: Spent, state: PartialState) -> TrainingRun:
    """Return the record of a training that is done.

    Args:
        config: of it.
        spent: by all its runs.
        state: of this run's processes.
    """
    cuda = state.device.type == "cuda"
    may_use = getattr(os, "sched_getaffinity", None)  # not on every system
    return TrainingRun(
        seconds=round(sum(spent.seconds.values()), 3),
        stages={name: round(seconds, 3) for name, seconds in spent.seconds.items()},
        runs=spent.runs,
        uncounted=spent.uncounted,
        device=torch.cuda.get_device_name(state.device) if cuda else "cpu",
        processes=state.num_processes,
        cpu=_cpu_model(),
        cores=len(may_use(0)) if may_use else os.cpu_count() or 1,
        threads=torch.get_num_threads(),
        versions={
            "mmser": __version__,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
        seed=config.seed,
        configuration_sha256=configuration_sha256(config),
        cpu_energy=_energy(spent, "cpu"),
        gpu_energy=_energy(spent, "gpu") if cuda else None,
    )


def _energy(spent: Spent, part: str) -> Energy:
    whole = part not in spent.unread and part in spent.joules and not spent.uncounted
    if whole:
        return Energy(kwh=spent.joules[part] / JOULES_PER_KWH)
    reason = spent.unread.get(part) or f"not all was counted: {spent.uncounted or 'no run measured it'}"
    return Energy(kwh=None, reason=f"{reason}, in one of {spent.runs} runs" if spent.runs > 1 else reason)


def _cpu_model(info: Path = Path("/proc/cpuinfo")) -> str:
    try:
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # another system than Linux
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def configuration_sha256(config: TrainingConfig) -> str:
    """Return the digest of all settings, the same wherever the data and encoders lie on a machine."""

    def placeless(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: placeless(item) for key, item in value.items()}
        if isinstance(value, list):
            return [placeless(item) for item in value]
        return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value

    values = placeless(config.model_dump(mode="json"))
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def write_training_run(run: TrainingRun, folder: Path) -> Path:
    """Write the document into a model's folder, in place of an earlier one, and return its path.

    Raises:
        OutputError: if it cannot be written.
    """
    path = folder / TRAINING_RUN
    text = json.dumps(run.to_dict(), ensure_ascii=False, indent=1) + "\n"
    write_outputs({path: text}, overwrite=True)
    return path


def read_training_run(folder: Path) -> TrainingRun | None:
    """Return what the training of the model in a folder took; None where the folder does not say.

    Raises:
        ModelError: if the file is damaged or from a newer version.
    """
    path = folder / TRAINING_RUN
    if not path.exists():
        return None
    if path.is_fifo():  # would be waited for
        raise ModelError(f"{path} is a pipe, no file; take it away")
    try:
        return read_document(path, TrainingRun, SCHEMA, "fetch or train the model again")
    except DataError as error:
        raise ModelError(str(error)) from error
