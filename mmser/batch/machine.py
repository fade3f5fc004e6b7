"""How many processes suit this machine."""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

PROCESS_BYTES: Final = 900 << 20  # that a worker process may come to, the bundled model at work
SHARE: Final = 0.7  # of free memory that all of them may take
MAX_WORKERS: Final = 16  # readers feed a model, and more than this no model eats
CPU_BATCH_SECONDS: Final = 60.0
GPU_BATCH_SECONDS: Final = 600.0


@dataclass(frozen=True, kw_only=True)
class Crew:
    """The processes of a batch."""

    workers: int  # that read calls
    models: int  # that hold the model
    batch_seconds: float  # of sound in one model call


def suit_machine(
    device: str,
    num_calls: int,
    *,
    workers: int | None = None,
    models: int | None = None,
    batch_seconds: float | None = None,
    recognising: bool = False,
) -> Crew:
    """Return the processes to start; what is given stays as it is.

    On the processor each model process computes on one core, so there is one for each; on GPUs, one for
    each. Half as many read calls, or on GPUs as many as there are cores.

    Args:
        device: "cpu" or "cuda".
        num_calls: that are to be done.
        workers: as asked for.
        models: as asked for.
        batch_seconds: as asked for.
        recognising: whether readers recognise words, which takes far longer than all the rest, and as much
            memory again.
    """
    cores, gpus = count_cores(), count_gpus() if device == "cuda" else 0
    seconds = batch_seconds or (GPU_BATCH_SECONDS if gpus else CPU_BATCH_SECONDS)
    readers, holders = (cores - gpus, gpus) if gpus else (math.ceil(cores / 2), cores)
    if recognising and not gpus:
        readers, holders = cores, math.ceil(cores / 8)
    readers, holders = min(max(readers, 1), MAX_WORKERS, num_calls or 1), min(max(holders, 1), num_calls or 1)
    room = max(2, int(free_memory() * SHARE / PROCESS_BYTES / (2 if recognising else 1)))
    while readers + holders > room and readers + holders > 2:
        readers, holders = (readers, holders - 1) if holders >= readers else (readers - 1, holders)
    return Crew(workers=workers or readers, models=models or holders, batch_seconds=seconds)


def count_cores() -> int:
    """Return how many cores this process may use: its affinity, and the quota of its container."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        cores = os.cpu_count() or 1
    quota = _read("/sys/fs/cgroup/cpu.max").split()
    if len(quota) == 2 and quota[0] != "max":
        cores = min(cores, math.ceil(int(quota[0]) / int(quota[1])))
    return max(1, cores)


def free_memory() -> int:
    """Return the bytes of memory that may still be taken: of the machine, and of the container."""
    free = int(psutil.virtual_memory().available)
    limit = _read("/sys/fs/cgroup/memory.max")
    used = _read("/sys/fs/cgroup/memory.current")
    if limit.isdigit() and used.isdigit():
        free = min(free, int(limit) - int(used))
    return max(0, free)


def count_gpus() -> int:
    """Return the number of GPUs that torch sees."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
