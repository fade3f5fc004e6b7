"""The stages as one Ray Data pipeline, driven by a process of the cluster.

Ray Data does not work through the `ray://` of a client, and writes to the terminal of whoever drives it: so
an actor drives it, and hands on what comes out.
"""

import json
import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow
import ray
import ray.data
from ray.data import ActorPoolStrategy

from mmser.batch.ray_book import Book
from mmser.batch.ray_stages import CALL, Carried, JudgeStage, ReadStage, Work, WriteStage
from mmser.batch.records import CallRow, DatasetSource
from mmser.batch.settings import Settings
from mmser.types import ModelInfo

BLOCK_CALLS: Final = {"cpu": 4, "cuda": 8}  # that go through a stage together
BLOCKS_EACH: Final = 4  # blocks that each process is to have, lest some end long before others
MODEL_GPU: Final = 0.6  # more than half: where readers recognise words on GPUs, still one model on each
GPU_STEP: Final = 1e4  # Ray counts GPUs in ten-thousandths


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be run, and by how many processes."""

    settings: Settings
    info: ModelInfo
    dataset: DatasetSource | None
    workers: int
    models: int

    @property
    def model_cpus(self) -> int:
        """Processor cores of each model process."""
        return max(1, self.settings.threads)

    @property
    def cpus(self) -> int:
        """Processor cores of all processes."""
        return self.workers + self.models * self.model_cpus

    @property
    def model_gpus(self) -> float:
        """Share of a GPU that each model process takes."""
        if not is_cuda(self.settings.device):
            return 0.0
        return MODEL_GPU if self.reader_gpus else 1.0

    @property
    def reader_gpus(self) -> float:
        """Share of a GPU that each reader takes: of what the models leave, or one whole."""
        if not self.settings.transcribe or not is_cuda(self.settings.asr_device):
            return 0.0
        if not is_cuda(self.settings.device):
            return 1.0
        share = (1.0 - MODEL_GPU) / math.ceil(self.workers / self.models)
        return math.floor(share * GPU_STEP) / GPU_STEP

    @property
    def gpus(self) -> int:
        """GPUs that all processes need."""
        if is_cuda(self.settings.device):
            return self.models
        return math.ceil(self.workers * self.reader_gpus)


def is_cuda(device: str) -> bool:
    """Tell whether a device, as torch names it, is a GPU."""
    return device.startswith("cuda")


def count_resources() -> tuple[int, int]:
    """Return the cores and the GPUs of the cluster."""
    there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return int(there.get("CPU", 0)), int(there.get("GPU", 0))


def flow(
    rows: Sequence[CallRow], folders: Sequence[str], plan: Plan, *, judging: type[JudgeStage] = JudgeStage
) -> Iterator[list[Carried]]:
    """Drive the stages from this process, which belongs to the cluster; see `stream`."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.target_max_block_size = 1 << 40  # never cut: see BLOCK_SECONDS
    context.enable_fallback_to_arrow_object_ext_type = True
    # Ray keeps it for as long as somebody holds it; one that died begins with empty pages.
    book: Any = ray.remote(Book).options(num_cpus=0, max_restarts=-1, max_task_retries=-1).remote()
    work = Work(settings=_for_actors(plan.settings), info=plan.info, dataset=plan.dataset, book=book)
    tables = _tables(rows, folders, plan)
    data = ray.data.from_arrow(tables)
    data = _through(data, ReadStage, work, plan.workers, num_cpus=1, num_gpus=plan.reader_gpus)
    data = _through(data, judging, work, plan.models, num_cpus=plan.model_cpus, num_gpus=plan.model_gpus)
    if any(folders):
        data = _through(data, WriteStage, work, max(1, plan.workers // 2), num_cpus=0, num_gpus=0)
    for batch in data.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0):
        yield list(batch[CALL])


def _through(data: Any, stage: type[Any], work: Work, size: int, *, num_cpus: float, num_gpus: float) -> Any:
    """Return the data after a stage, whose processes are replaced whenever they die."""
    return data.map_batches(
        stage,
        fn_constructor_args=(work,),
        batch_size=None,
        batch_format="numpy",
        compute=ActorPoolStrategy(size=size),
        num_cpus=num_cpus,
        num_gpus=num_gpus,
    )


def _tables(rows: Sequence[CallRow], folders: Sequence[str], plan: Plan) -> list[pyarrow.Table]:
    """Return the rows as tables of a few each, which become blocks."""
    most = BLOCK_CALLS["cuda" if is_cuda(plan.settings.device) else "cpu"]
    size = max(1, min(most, math.ceil(len(rows) / (BLOCKS_EACH * max(plan.workers, plan.models)))))
    texts = [json.dumps(row.to_dict()) for row in rows]
    return [
        pyarrow.table({"row": texts[first : first + size], "folder": folders[first : first + size]})
        for first in range(0, len(rows), size)
    ]


def _for_actors(settings: Settings) -> Settings:
    """Return settings that name GPUs as an actor sees them: Ray shows each its own alone, as the first."""
    return replace(
        settings,
        device="cuda" if is_cuda(settings.device) else settings.device,
        asr_device="cuda" if is_cuda(settings.asr_device) else settings.asr_device,
    )


class Driver:
    """Drives a pipeline inside the cluster."""

    def __init__(self, rows: Sequence[CallRow], folders: Sequence[str], plan: Plan) -> None:
        self._blocks = flow(rows, folders, plan)

    def next_block(self) -> list[Carried] | None:
        """Return the next block that is done; None after the last."""
        return next(self._blocks, None)


def stream(rows: Sequence[CallRow], folders: Sequence[str], plan: Plan) -> Generator[list[Carried]]:
    """Yield blocks of calls as they are done, in any order.

    Args:
        rows: of calls without a `problem`.
        folders: of their reports, "" where none is wanted.
        plan: what is to be done with them.
    """
    driver: Any = ray.remote(Driver).options(num_cpus=0).remote(rows, folders, plan)
    try:
        coming = driver.next_block.remote()
        while (block := ray.get(coming)) is not None:
            coming = driver.next_block.remote()
            yield block
    finally:
        ray.kill(driver)  # and with it all that it began
