"""What a training took: kept through kills, written beside the weights, naming no place."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from mmser.errors import ModelError
from mmser.training.config import TrainingConfig
from mmser.training.energy import cpu_counters
from mmser.training.ledger import SPENT, Ledger, Spent
from mmser.training.run_record import configuration_sha256, read_training_run
from tests.training.conftest import Warm
from tests.training.test_energy import zone
from tests.training.training_fixtures import joint_config, write_config


def spent(folder: Path) -> Spent:
    return Spent.from_dict(json.loads((folder / SPENT).read_text("utf-8")))


def test_runs_of_one_training_add_up_and_energy_with_them(tmp_path: Path):
    path = zone(tmp_path / "rapl", "0", "package-0", 1_000_000)
    (tmp_path / "joint.checkpoint.pt").touch()
    (tmp_path / SPENT).write_text(json.dumps(Spent(plan="old", seconds={"joint": 100.0}).to_dict()))
    with Ledger({"cpu": cpu_counters(tmp_path / "rapl")}) as ledger:
        ledger.open(tmp_path, "new")
        ledger.at("joint")
        path.write_text("4000000")
    found = spent(tmp_path)
    assert (found.runs, found.plan, found.uncounted) == (2, "new", "")
    assert found.seconds["joint"] >= 100 and set(found.seconds) == {"data", "joint"}
    assert found.joules == {"cpu": pytest.approx(3.0)} and found.unread == {}


def test_a_run_without_counters_leaves_the_sum_unmeasured(tmp_path: Path):
    zone(tmp_path / "rapl", "0", "package-0", 1_000_000)
    for counters in ("no counters", cpu_counters(tmp_path / "rapl")):
        with Ledger({"cpu": counters}) as ledger:
            ledger.open(tmp_path, "plan")
    assert spent(tmp_path).unread == {"cpu": "no counters"} and spent(tmp_path).runs == 2


def test_another_training_that_never_got_to_a_checkpoint_does_not_count(tmp_path: Path):
    for plan in ("one", "two"):
        with Ledger({}) as ledger:
            ledger.open(tmp_path, plan)
    assert spent(tmp_path).runs == 1


@pytest.mark.parametrize("content", [None, "{", "{}"])
def test_runs_that_kept_no_count_are_told(content: str | None, tmp_path: Path):
    (tmp_path / "joint.checkpoint.pt").touch()
    if content is not None:
        (tmp_path / SPENT).write_text(content)
    with Ledger({}) as ledger:
        ledger.open(tmp_path, "plan")
    assert spent(tmp_path).uncounted == "earlier runs, which kept no count"


def test_a_killed_training_counts_in_the_record_of_its_model(warm: Warm, made: Path, tmp_path: Path):
    path = write_config(tmp_path / "joint.yaml", **joint_config(made, joint__steps=12))
    work, model = tmp_path / "work", tmp_path / "model"
    command = ["train", path, "--work", work, "--output", model, "--quiet"]
    process = warm.start(tmp_path / "log", *command)
    deadline = time.monotonic() + 60
    while not (work / "joint.checkpoint.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(process, signal.SIGKILL)
    warm.wait(process)
    before = spent(work)
    assert before.runs == 1 and sum(before.seconds.values()) > 0
    model.mkdir(exist_ok=True)
    assert warm.run(tmp_path / "log", *command) == 0, (tmp_path / "log").read_text()
    run = read_training_run(model)
    assert run is not None and run.runs == 2 and run.uncounted == ""
    assert run.seconds == pytest.approx(sum(run.stages.values()), abs=0.01)
    assert run.seconds > sum(before.seconds.values()) and {"data", "joint", "save"} <= set(run.stages)
    assert run.device == "cpu" and run.gpu_energy is None and (run.processes, run.seed) == (1, 0)
    assert (run.cpu_energy.kwh is None) == bool(run.cpu_energy.reason)
    text = (model / "training_run.json").read_text("utf-8")
    assert str(tmp_path) not in text and str(made) not in text and os.uname().nodename not in text
    # Anew, into the same folder: an earlier record is replaced, and earlier runs are forgotten.
    assert warm.run(tmp_path / "log", *command, "--restart") == 0
    again = read_training_run(model)
    assert again is not None and again.runs == 1


def test_a_damaged_record_is_refused_in_a_sentence(tmp_path: Path):
    assert read_training_run(tmp_path) is None
    (tmp_path / "training_run.json").write_text('{"schema": "mmser.training_run/1", "seconds": "many"}')
    with pytest.raises(ModelError, match="seconds is 'many', and must be a number"):
        read_training_run(tmp_path)


def test_settings_have_one_digest_wherever_the_data_lie():
    def config(path: str, seed: int = 0) -> TrainingConfig:
        return TrainingConfig.model_validate({"seed": seed, "model": {"text_encoder": path}})

    assert configuration_sha256(config("/a/bert")) == configuration_sha256(config("/b/c/bert"))
    assert configuration_sha256(config("/a/bert")) != configuration_sha256(config("/a/bert", seed=1))
