"""The loop: what it draws, how rows weigh, averages, best weights, stopping, going on, what it refuses."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from mmser.errors import MmserError
from mmser.training.checkpoint import load_checkpoint
from mmser.training.loop import LoopConfig, cut, fit, step_rng, warm_cosine


class LineTask(nn.Module):
    """Two lines, each with a loss of its own over the rows that carry its label."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.lines = nn.Linear(3, 2)
        self.dropout = nn.Dropout(dropout)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        answer = self.lines(self.dropout(batch["x"]))
        losses = {}
        for i, name in enumerate(("left", "right")):
            known = ~batch["y"][:, i].isnan()
            if known.any():
                losses[name] = (answer[known, i] - batch["y"][known, i]).square().mean()
        return losses or {"left": answer.sum() * 0}


class LineStage:
    """Rows with labels for one line, the other, or both, unevenly."""

    name = "lines"

    def __init__(self, scores: tuple[float, ...] = (), dropout: float = 0.0, fail_at: int = -1) -> None:
        rng = np.random.default_rng(1)
        self.x = torch.tensor(rng.standard_normal((40, 3)), dtype=torch.float32)
        self.y = self.x[:, :2] * 2 + 1
        self.y[::3, 0] = math.nan
        self.y[5:, 1] = math.nan
        self.size, self.scores, self.fail_at = len(self.x), list(scores), fail_at
        torch.manual_seed(0)
        self.task = LineTask(dropout)

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        return [{"params": list(self.task.parameters()), "lr": learning_rate}]

    def draw(self, step: int, rng: np.random.Generator, size: int) -> list[int]:
        if step == self.fail_at:
            raise KeyboardInterrupt
        return rng.integers(self.size, size=size).tolist()

    def collate(self, rows: Any) -> dict[str, Tensor]:
        return {"x": self.x[rows], "y": self.y[rows]}

    def counts(self, batch: dict[str, Tensor]) -> dict[str, int]:
        known = (~batch["y"].isnan()).sum(0).tolist()
        return {"left": known[0], "right": known[1]}

    def describe(self, rows: Any) -> str:
        return f"rows {list(rows)}"

    def validate(self, task: nn.Module) -> dict[str, float]:
        return {"score": self.scores.pop(0)} if self.scores else {}


def config(**changes: Any) -> LoopConfig:
    return LoopConfig(**({"steps": 12, "batch_size": 7, "validate_every": 4, "clip_norm": 100.0} | changes))


def weights(stage: LineStage) -> Tensor:
    return torch.cat([p.detach().flatten() for p in stage.task.parameters()])


def trained(folder: Path, stage: LineStage | None = None, **changes: Any) -> Tensor:
    stage = stage or LineStage()
    fit(stage, config(**changes), folder, seed=3, cpu=True)
    return weights(stage)


@pytest.mark.parametrize("parts", [2, 3, 7, 50])
def test_each_row_weighs_the_same_in_however_many_parts_a_step_is_computed(parts: int, tmp_path: Path):
    """Labels are spread unevenly over the parts: a mean of means would differ."""
    whole = trained(tmp_path / "whole")
    assert torch.allclose(trained(tmp_path / "parts", accumulate=parts), whole, atol=1e-6)
    lines = [(tmp_path / n / "lines.jsonl").read_text().splitlines() for n in ("whole", "parts")]
    for one, other in zip(*lines, strict=True):
        assert json.loads(one) == pytest.approx(json.loads(other), abs=2e-5)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 9])
def test_parts_hold_every_row_once_and_none_is_empty(count: int):
    parts = cut(list(range(5)), count)
    assert [row for part in parts for row in part] == list(range(5))
    assert all(parts) and len(parts) == min(count, 5)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_row_without_a_label_moves_nothing_of_that_task(tmp_path: Path):
    stage = LineStage()
    stage.y[:, 1] = math.nan
    before = stage.task.lines.weight.detach().clone()
    trained(tmp_path, stage, weight_decay=0.0)
    assert torch.equal(stage.task.lines.weight[1], before[1])
    assert not torch.equal(stage.task.lines.weight[0], before[0])


def test_what_a_step_draws_comes_from_seed_and_step_alone():
    assert step_rng(1, 5).random() == step_rng(1, 5).random()
    assert len({step_rng(seed, step).random() for seed in range(3) for step in range(3)}) == 9


@pytest.mark.parametrize("steps", [1, 2, 10, 1000])
def test_the_rate_rises_to_one_and_falls_to_nothing(steps: int):
    factors = [warm_cosine(step, steps, 0.1) for step in range(steps)]
    assert 0 < min(factors) <= max(factors) <= 1
    top = int(np.argmax(factors))
    assert factors[: top + 1] == sorted(factors[: top + 1])
    assert factors[top:] == sorted(factors[top:], reverse=True)


def test_the_average_of_the_weights_is_what_is_kept(tmp_path: Path):
    last = trained(tmp_path / "plain")
    averaged = trained(tmp_path / "averaged", average=0.9)
    assert not torch.allclose(averaged, last)
    state = load_checkpoint(tmp_path / "averaged" / "lines.checkpoint.pt")
    assert torch.equal(torch.cat([t.flatten() for t in state["average"].values()]), averaged)
    assert torch.equal(torch.cat([t.flatten() for t in state["task"].values()]), last)


def test_the_best_weights_are_kept_not_the_last(tmp_path: Path):
    stage = LineStage(scores=(1.0, 5.0, 2.0))
    progress = fit(stage, config(keep_best=True), tmp_path, seed=3, cpu=True)
    # The rate's course is the same for all steps, so the second validation is of step 8.
    assert progress.best_step == 8
    best = load_checkpoint(tmp_path / "lines.best.pt")["task"]
    assert torch.equal(torch.cat([t.flatten() for t in best.values()]), weights(stage))
    assert not torch.equal(weights(stage), trained(tmp_path / "last"))


def test_it_stops_after_so_many_validations_without_a_better_one(tmp_path: Path):
    stage = LineStage(scores=(1.0, 3.0, 2.0, 3.0, 1.0, 9.0))
    progress = fit(stage, config(steps=40, patience=2), tmp_path, seed=3, cpu=True)
    assert (progress.step, progress.best_step) == (16, 8)
    again = LineStage(scores=(100.0,))
    assert fit(again, config(steps=40, patience=2), tmp_path, seed=3, cpu=True).step == 16
    assert torch.equal(weights(again), weights(stage))


def test_without_validation_data_it_goes_on_to_the_end(tmp_path: Path):
    assert fit(LineStage(), config(patience=1), tmp_path, seed=3, cpu=True).step == 12


def test_an_interrupted_training_ends_in_the_same_bits(tmp_path: Path):
    options: dict[str, Any] = {"average": 0.9, "accumulate": 2}
    whole = trained(tmp_path / "whole", LineStage(dropout=0.3), **options)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "cut", LineStage(dropout=0.3, fail_at=6), **options)
    with (tmp_path / "cut" / "lines.jsonl").open("a") as file:
        file.write('{"step": 6, "le')  # as a kill in the middle of a line leaves it
    # What other code drew in between does not matter.
    torch.rand(5), np.random.rand(5)
    assert torch.equal(trained(tmp_path / "cut", LineStage(dropout=0.3), **options), whole)
    logs = [(tmp_path / n / "lines.jsonl").read_text() for n in ("whole", "cut")]
    assert logs[0] == logs[1]


@pytest.mark.parametrize("stopped", [4, 12])
def test_a_training_that_stops_in_a_validation_loses_no_step(stopped: int, tmp_path: Path):
    def scored(last: Exception | None = None) -> LineStage:
        stage = LineStage(scores=(1.0, 3.0, 2.0)[: stopped // 4 - 1] if last else (1.0, 3.0, 2.0))
        plain = stage.validate

        def validate(task: nn.Module) -> dict[str, float]:
            found = plain(task)
            if last and not found:
                raise last
            return found

        stage.validate = validate  # type: ignore[method-assign]
        return stage

    whole = trained(tmp_path / "whole", scored(), keep_best=True)
    with pytest.raises(MmserError, match="stopped"):
        trained(tmp_path / "cut", scored(MmserError("stopped")), keep_best=True)
    rest = scored()
    rest.scores, rest.fail_at = rest.scores[stopped // 4 - 1 :], None if stopped == 4 else 0
    assert torch.equal(trained(tmp_path / "cut", rest, keep_best=True), whole)
    logs = [(tmp_path / n / "lines.jsonl").read_text() for n in ("whole", "cut")]
    assert logs[0] == logs[1]


def test_a_long_time_between_validations_is_cut_by_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mmser.training.loop.SAVE_EVERY", -1.0)
    options: dict[str, Any] = {"steps": 30, "validate_every": 30, "average": 0.9}
    whole = trained(tmp_path / "whole", LineStage(dropout=0.3), **options)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "cut", LineStage(dropout=0.3, fail_at=25), **options)
    assert load_checkpoint(tmp_path / "cut" / "lines.checkpoint.pt")["progress"]["step"] == 20
    assert torch.equal(trained(tmp_path / "cut", LineStage(dropout=0.3), **options), whole)
    logs = [(tmp_path / n / "lines.jsonl").read_text() for n in ("whole", "cut")]
    assert logs[0] == logs[1]


def test_a_finished_training_is_not_repeated(tmp_path: Path):
    first = trained(tmp_path)
    stage = LineStage(fail_at=0)
    assert torch.equal(trained(tmp_path, stage), first)


@pytest.mark.parametrize("change", [{"learning_rate": 0.1}, {"steps": 20}, {"batch_size": 3}])
def test_a_checkpoint_of_another_configuration_is_refused(change: dict[str, Any], tmp_path: Path):
    trained(tmp_path)
    with pytest.raises(
        MmserError, match=r"lines\.checkpoint\.pt belongs to another configuration.*--restart"
    ):
        trained(tmp_path, **change)


@pytest.mark.parametrize("where", ["weight", "row", "rate"])
def test_a_loss_that_is_no_number_stops_and_names_its_batch(where: str, tmp_path: Path):
    stage = LineStage()
    changes: dict[str, Any] = {}
    if where == "weight":
        stage.task.lines.weight.data[0, 0] = math.nan
    elif where == "row":
        stage.x[:] = math.inf
    else:
        changes = {"learning_rate": 1e30, "warm_up": 0.0}
    with pytest.raises(
        MmserError, match=r"is (nan|inf|-inf) at step \d+ of stage 'lines'; its batch: rows \["
    ):
        trained(tmp_path, stage, **changes)


def test_a_loss_that_is_no_number_leaves_the_last_checkpoint(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, LineStage(fail_at=6))
    kept = (tmp_path / "lines.checkpoint.pt").read_bytes()
    broken = LineStage()
    broken.x[:] = math.nan
    with pytest.raises(MmserError, match=r"at step 5 .*the checkpoint .*lines\.checkpoint\.pt is kept"):
        trained(tmp_path, broken)
    assert (tmp_path / "lines.checkpoint.pt").read_bytes() == kept


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"steps": 1, "epochs": 1},
        {"steps": 0},
        {"steps": 1, "learning_rate": math.inf},
        {"steps": 1, "average": 1.0},
        {"steps": 1, "warm_up": 2},
        {"steps": 1, "speed": 3},
    ],
)
def test_a_loop_that_cannot_be_meant_is_refused(wrong: dict[str, Any]):
    with pytest.raises(ValidationError):
        LoopConfig(**wrong)


def test_epochs_are_passes_over_the_rows():
    assert LoopConfig(epochs=2, batch_size=8).total_steps(100) == 25
    assert LoopConfig(epochs=0.001, batch_size=8).total_steps(100) == 1
    assert LoopConfig(steps=7).total_steps(100) == 7
