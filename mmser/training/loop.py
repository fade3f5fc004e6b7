"""The one training loop: every stage of every model runs through `fit`.

Everything a step draws (which rows, augmentation, dropout) comes from (seed, step), never from what ran
before, so that a run which was killed and resumed ends in the same bits as one that was not, and several
processes share one global batch. For this the rows of a stage must be map-style: any of them can be had at
any time by its number. Data that only stream past are written to a `datasets.Dataset` first.

A loss is the mean over the rows that carry its label. Whether a batch is computed at once, in parts or by
several processes, each of its rows weighs the same.
"""

import contextlib
import copy
import itertools
import math
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import DistributedDataParallelKwargs, broadcast_object_list, gather_object
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from mmser.errors import MmserError, UsageError
from mmser.training.checkpoint import digest, load_checkpoint, remove_unfinished, save_atomically
from mmser.training.log import MetricsLog

Rows = Sequence[Any]

SAVE_EVERY = 300.0  # seconds at most between two checkpoints of a single process


class LoopConfig(BaseModel):
    """How one stage is optimised."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    steps: int | None = Field(default=None, ge=1, le=10**9)
    # Instead of steps: passes over the training rows.
    epochs: float | None = Field(default=None, gt=0, le=10**6)
    batch_size: int = Field(default=32, ge=1)  # rows or dialogues of one step, over all processes
    learning_rate: float = Field(default=1e-3, gt=0, le=1e30)  # float32 holds no more
    weight_decay: float = Field(default=0.02, ge=0, le=10)
    warm_up: float = Field(default=0.05, ge=0, le=1)  # share of the steps
    clip_norm: float = Field(default=1.0, gt=0)
    average: float = Field(default=0.0, ge=0, lt=1)  # decay of the moving average of the weights; 0 = none
    accumulate: int = Field(default=1, ge=1)  # parts a step is computed in, for less memory
    validate_every: int = Field(default=400, ge=1)  # steps
    patience: int = Field(default=0, ge=0)  # validations without a better score before it stops; 0 = never
    keep_best: bool = False  # keep the weights of the best validation instead of the last

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give either steps or epochs")
        return self

    def total_steps(self, rows: int) -> int:
        """Return how many steps a stage of so many training rows takes."""
        return self.steps or max(1, round((self.epochs or 0) * rows / self.batch_size))


class Stage(Protocol):
    """What `fit` trains."""

    name: str
    size: int  # training rows, or dialogues where rows are dialogues

    @property
    def task(self) -> nn.Module:
        """What is trained: forward(batch) → the losses by name; their sum is minimised."""

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return parameter groups as an optimiser takes them, each with its `lr`."""

    def draw(self, step: int, rng: np.random.Generator, size: int) -> Rows:
        """Draw the rows of a step's global batch; a row holds all that is random about it."""

    def collate(self, rows: Rows) -> Any:
        """Return the batch of some of these rows, as `task` takes it."""

    def counts(self, batch: Any) -> dict[str, int]:
        """Return of how many rows each loss of a batch is the mean; all names that losses can have."""

    def describe(self, rows: Rows) -> str:
        """Name the rows, for errors."""

    def validate(self, task: nn.Module) -> dict[str, float]:
        """Return metrics on validation data; "score" decides, higher is better. Without data, nothing."""


@dataclass
class Progress:
    """Where a stage stands."""

    step: int = 0
    checked: int = 0  # the last step that was validated
    best_step: int = 0
    best_score: float = -math.inf
    worse: int = 0  # validations since the best

    def note(self, score: float) -> bool:
        """Count one validation; return whether it is the best so far."""
        if score > self.best_score:
            self.best_score, self.best_step, self.worse = score, self.step, 0
            return True
        self.worse += 1
        return False


@dataclass(frozen=True)
class Part:
    """What is computed at once of a step's batch."""

    rows: Rows
    batch: Any
    counts: Mapping[str, int]  # rows that each loss is the mean of


def step_rng(seed: int, step: int) -> np.random.Generator:
    """Return the generator of one step; it also seeds what torch draws in it (dropout)."""
    return np.random.default_rng((seed, step))


def seed_step(seed: int) -> None:
    """Seed all that a step may draw from beside its own generator (dropout, layers that are left out)."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def warm_cosine(step: int, steps: int, warm_up: float) -> float:
    """Return the factor of the learning rate: up along a line, then down along a cosine to 0."""
    warm = max(1, round(warm_up * steps))
    return min((step + 1) / warm, 0.5 + 0.5 * math.cos(math.pi * min(1.0, step / steps)))


def update_average(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Keep an exponential moving average of the weights and buffers; it follows closely at first."""
    decay = min(decay, (step + 1) / (step + 10))
    with torch.no_grad():
        for kept, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
            if kept.dtype.is_floating_point:
                kept.lerp_(new, 1 - decay)
            else:
                kept.copy_(new)


class Fit:
    """One stage being trained; use `fit`."""

    def __init__(
        self, stage: Stage, config: LoopConfig, folder: Path, seed: int, about: Any, cpu: bool
    ) -> None:
        self.stage, self.config, self.seed = stage, config, seed
        self.path = folder / f"{stage.name}.checkpoint.pt"
        self.best_path = folder / f"{stage.name}.best.pt"
        self.digest = digest([config.model_dump(), seed, about])
        ddp = [DistributedDataParallelKwargs(find_unused_parameters=True)]
        # For a GPU's tensors alone, and one for all stages of a process; bfloat16 is slower on a CPU.
        mixed = "bf16" if PartialState().device.type == "cuda" else "no"
        self.accelerator = Accelerator(device_placement=not cpu, mixed_precision=mixed, kwargs_handlers=ddp)
        self.world = self.accelerator.num_processes
        self.device = torch.device("cpu") if cpu else self.accelerator.device
        if config.batch_size < self.world:
            raise UsageError(
                f"{stage.name}.batch_size is {config.batch_size}, less than the {self.world} processes; give "
                "at least one row for each"
            )
        groups = stage.parameter_groups(config.learning_rate)
        self.rates = [group["lr"] for group in groups]
        self.steps = config.total_steps(stage.size)
        optimizer = torch.optim.AdamW(groups, weight_decay=config.weight_decay)
        # Copied before accelerate wraps `forward`, which would go on to call the original's.
        self.average = copy.deepcopy(stage.task) if config.average else None
        self.task, self.optimizer = self.accelerator.prepare(stage.task, optimizer)
        if self.average is not None:
            self.average.to(self.device)
        self.progress, self.saved_at = Progress(), time.monotonic()
        self.log = MetricsLog(folder, stage.name, self.steps, self.accelerator.is_main_process)

    @property
    def plain(self) -> nn.Module:
        """The task without what several processes wrap around it."""
        return self.accelerator.unwrap_model(self.task)

    def run(self) -> None:
        """Go on from the checkpoint, if there is one, to the end."""
        config, progress = self.config, self.resume()
        try:
            self._check()  # what a run that stopped in its validation left to do
            while progress.step < self.steps:
                if config.patience and progress.worse >= config.patience:
                    self.log.say(
                        f"stopped at step {progress.step}: no better for {progress.worse} validations"
                    )
                    break
                self.step()
                if self._is_due():
                    self.log.flush(progress.step)
                    # Validation may take long, and what came before it must not be lost meanwhile.
                    self.save()
                    self._check()
                elif self.world == 1 and self.log.is_flushed and self._seconds_since_save() > SAVE_EVERY:
                    self.save()
            self.finish()
        finally:
            self.log.close()

    def _is_due(self) -> bool:
        step = self.progress.step
        return self.progress.checked < step and (step % self.config.validate_every == 0 or step == self.steps)

    def _check(self) -> None:
        if self._is_due():
            self.validate()
            self.progress.checked = self.progress.step
            self.save()

    def _seconds_since_save(self) -> float:
        return time.monotonic() - self.saved_at

    def step(self) -> None:
        """Take one optimisation step."""
        config, step = self.config, self.progress.step
        rng = step_rng(self.seed, step)
        rows = self.stage.draw(step, rng, config.batch_size)
        seed_step(int(rng.integers(2**62)) + self.accelerator.process_index)
        factor = warm_cosine(step, self.steps, config.warm_up)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        self.task.train()
        self.optimizer.zero_grad()
        means = self._backward(self._parts(rows))
        norm = self.accelerator.clip_grad_norm_(self.task.parameters(), config.clip_norm)
        if norm is not None and not bool(torch.isfinite(norm)):
            raise self._not_finite("size of the gradient", float(norm), rows)
        self.optimizer.step()
        if self.average is not None:
            update_average(self.average, self.plain, config.average, step)
        self.progress.step += 1
        self.log.step(self.progress.step, means, self.optimizer.param_groups[0]["lr"])

    def _parts(self, rows: Rows) -> list[Part]:
        """Collate this process's rows, in as many parts as the configuration says."""
        mine = rows[self.accelerator.process_index :: self.world]
        parts = []
        # Every process must take part in every step: one without rows repeats a row that weighs nothing.
        for some in cut(mine or rows[:1], self.config.accumulate):
            batch = self.stage.collate(some)
            counts = self.stage.counts(batch) if mine else {}
            parts.append(Part(some, _to_device(batch, self.device), counts))
        return parts

    def _backward(self, parts: Sequence[Part]) -> dict[str, float]:
        """Add up the gradients of a step; return the losses over its whole global batch."""
        totals = self._sum_over_processes(sum((Counter(part.counts) for part in parts), Counter()))
        means: dict[str, float] = {}
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            with contextlib.nullcontext() if last else self.accelerator.no_sync(self.task):
                losses: dict[str, Tensor] = self.task(part.batch)
                self._require_finite(losses, part.rows)
                shares = {name: part.counts.get(name, 0) / max(1, totals.get(name, 0)) for name in losses}
                # Processes average their gradients, where these are shares of one sum.
                weighted = [self.world * shares[name] * loss for name, loss in losses.items()]
                self.accelerator.backward(torch.stack(weighted).sum())
            for name, loss in losses.items():
                means[name] = means.get(name, 0.0) + float(loss.detach()) * shares[name]
        found = self._sum_over_processes(means)
        return {name: value for name, value in found.items() if totals.get(name)}

    def _sum_over_processes(self, values: Mapping[str, Any]) -> dict[str, Any]:
        if self.world == 1:
            return dict(values)
        found: dict[str, Any] = {}
        for theirs in gather_object([dict(values)]):
            for name, value in theirs.items():
                found[name] = found.get(name, 0) + value
        return found

    def _require_finite(self, losses: Mapping[str, Tensor], rows: Rows) -> None:
        for name, value in losses.items():
            if not bool(torch.isfinite(value)):
                raise self._not_finite(f"loss {name!r}", float(value.detach()), rows)

    def _not_finite(self, what: str, value: float, rows: Rows) -> MmserError:
        kept = f"the checkpoint {self.path} is kept" if self.path.exists() else "nothing was saved yet"
        return MmserError(
            f"the {what} is {value} at step {self.progress.step + 1} of stage {self.stage.name!r}; its "
            f"batch: {self.stage.describe(rows)}; {kept}; look at these rows, or lower the learning rate"
        )

    def validate(self) -> None:
        """Score the moving average, or the weights where there is none; remember the best."""
        scored = self.average if self.average is not None else self.plain
        scored.eval()
        # All decide by the first one's numbers, so that none stops alone.
        (metrics,) = broadcast_object_list([self.stage.validate(scored)])
        if not metrics:
            return
        self.log.validated(self.progress.step, metrics)
        if self.progress.note(metrics["score"]) and self.config.keep_best:
            self._write({"task": scored.state_dict(), "step": self.progress.step}, self.best_path)

    def save(self) -> None:
        """Write everything that the rest of the run depends on."""
        state: dict[str, Any] = {
            "digest": self.digest,
            "task": self.plain.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "progress": vars(self.progress).copy(),
        }
        if self.average is not None:
            state["average"] = self.average.state_dict()
        self._write(state, self.path)
        self.saved_at = time.monotonic()

    def _write(self, state: dict[str, Any], path: Path) -> None:
        if self.accelerator.is_main_process:
            save_atomically(state, path)
        self.accelerator.wait_for_everyone()

    def resume(self) -> Progress:
        """Load the checkpoint of an earlier run of the same configuration; return where it stands."""
        if self.accelerator.is_main_process:
            remove_unfinished(self.path.parent, self.stage.name)
        if self.path.exists():
            state = load_checkpoint(self.path)
            if state.get("digest") != self.digest:
                raise MmserError(
                    f"{self.path} belongs to another configuration, data or seed; go on with that one, give "
                    "another --work folder, or --restart to train this stage anew"
                )
            self.plain.load_state_dict(state["task"])
            self.optimizer.load_state_dict(state["optimizer"])
            if self.average is not None:
                self.average.load_state_dict(state["average"])
            self.progress = Progress(**state["progress"])
        progress = self.progress
        self.log.start(progress.step, validated=not self._is_due())
        if 0 < progress.step < self.steps:
            self.log.say(f"goes on after step {progress.step} of {self.steps}")
        return progress

    def finish(self) -> None:
        """Leave the chosen weights in the stage's own task."""
        if self.config.keep_best and self.progress.best_step:
            self.plain.load_state_dict(load_checkpoint(self.best_path)["task"])
        elif self.average is not None:
            self.plain.load_state_dict(self.average.state_dict())
        self.stage.task.eval()


def fit(
    stage: Stage, config: LoopConfig, folder: Path, *, seed: int, about: Any = None, cpu: bool = False
) -> Progress:
    """Train a stage in place, from its checkpoint in `folder` where there is one.

    On a GPU it is trained in mixed precision (bfloat16), and its task is left there.

    Args:
        stage: what to train; its `task` holds the chosen weights afterwards.
        config: how.
        folder: for checkpoints and metrics.
        seed: of everything random.
        about: plain values that the run depends on beside `config` (data, model); a checkpoint of other
            values is refused.
        cpu: stay on the CPU, in float32, whatever the machine has.

    Returns:
        How far it went and which validation was best.

    Raises:
        MmserError: if the loss is not finite, a checkpoint cannot be written or belongs to something else.
    """
    run = Fit(stage, config, folder, seed, about, cpu)
    run.run()
    return run.progress


def cut(rows: Rows, count: int) -> list[Rows]:
    """Cut rows into so many near equal parts, or fewer where there are fewer rows."""
    edges = [round(i * len(rows) / count) for i in range(count + 1)]
    return [rows[a:b] for a, b in itertools.pairwise(edges) if b > a]


def _to_device(batch: Any, device: torch.device) -> Any:
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, dict):
        return {key: _to_device(value, device) for key, value in batch.items()}
    return batch
