"""Trainings that are killed, run out of room, or are shared by processes."""

import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import Warm
from tests.training.training_fixtures import NO_DROPOUT, SILENT, TINY, joint_config, run, write_config

LONG: dict[str, Any] = {"steps": 16, "batch_size": 2, "validate_every": 4, "dialogue_turns": 2}
LONG |= {"average": 0.9, "keep_best": True, "learned_weights": True}


@pytest.fixture(scope="module")
def whole(warm: Warm, made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that nothing disturbed, with every kind of chance in it."""
    folder = tmp_path_factory.mktemp("whole")
    write_config(folder / "joint.yaml", **joint_config(made, joint=LONG))
    assert warm.run(folder / "log", *_command(folder)) == 0, (folder / "log").read_text()
    return folder


def _command(folder: Path, config: Path | None = None) -> list[object]:
    return ["train", config or folder / "joint.yaml", "--work", folder / "work", "--quiet"]


def _results(folder: Path) -> tuple[bytes, str]:
    weights = (folder / "work" / "model" / "model.safetensors").read_bytes()
    return weights, (folder / "work" / "joint.jsonl").read_text()


def _steps(folder: Path) -> int:
    path = folder / "work" / "joint.jsonl"
    return path.read_text().count("\n") if path.exists() else 0


def _kill(warm: Warm, folder: Path, whole: Path, lines: int) -> None:
    """Start a training and kill it once so many lines are in its log."""
    process = warm.start(folder / "log", *_command(folder, whole / "joint.yaml"))
    deadline = time.monotonic() + 60
    while _steps(folder) < lines and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(process, signal.SIGKILL)
    assert warm.wait(process) == -signal.SIGKILL


def test_a_killed_training_ends_in_the_same_bits(warm: Warm, whole: Path, tmp_path: Path):
    for lines in (3, 5):  # twice, each in the middle of the steps after a validation
        _kill(warm, tmp_path, whole, lines)
    assert not (tmp_path / "work" / "model" / "model.safetensors").exists()
    assert warm.run(tmp_path / "log", *_command(tmp_path, whole / "joint.yaml")) == 0
    assert _results(tmp_path) == _results(whole)


def test_a_full_disk_keeps_the_last_checkpoint(warm: Warm, whole: Path, tmp_path: Path):
    _kill(warm, tmp_path, whole, 3)
    kept = (tmp_path / "work" / "joint.checkpoint.pt").read_bytes()
    command = _command(tmp_path, whole / "joint.yaml")
    assert warm.run(tmp_path / "log", *command, largest_file=100_000) == 1
    (line,) = [text for text in (tmp_path / "log").read_text().splitlines() if text]
    assert line.startswith("mmser: error: the checkpoint ") and "the checkpoint before it is kept" in line
    assert (tmp_path / "work" / "joint.checkpoint.pt").read_bytes() == kept
    assert not list((tmp_path / "work").glob(".*.tmp"))
    assert warm.run(tmp_path / "log", *command) == 0
    assert _results(tmp_path) == _results(whole)


def test_a_disk_that_fills_while_the_model_is_written_keeps_the_stages(
    warm: Warm, whole: Path, tmp_path: Path
):
    command = [*_command(whole), "--output", tmp_path / "model"]
    assert warm.run(tmp_path / "log", *command, largest_file=100_000) == 1
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert "the model could not be written to" in line and "make room and run the same command" in line
    assert not list((tmp_path / "model").iterdir())
    assert not list(tmp_path.glob(".model*"))


@pytest.mark.parametrize("damage", ["cut", "words", "empty"])
def test_a_damaged_checkpoint_is_refused_in_a_sentence(damage: str, warm: Warm, whole: Path, tmp_path: Path):
    work = tmp_path / "work"
    work.mkdir()
    checkpoint = (whole / "work" / "joint.checkpoint.pt").read_bytes()
    content = {"cut": checkpoint[: len(checkpoint) // 2], "words": b"no checkpoint", "empty": b""}[damage]
    (work / "joint.checkpoint.pt").write_bytes(content)
    assert warm.run(tmp_path / "log", *_command(tmp_path, whole / "joint.yaml")) == 1
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert (
        "joint.checkpoint.pt is not a whole checkpoint (" in line and "remove it to start its stage" in line
    )


def test_a_changed_configuration_is_named_and_refused(warm: Warm, whole: Path, made: Path, tmp_path: Path):
    command = [*_command(whole), "joint.learning_rate=0.5", "seed=4"]
    assert warm.run(tmp_path / "log", *command) == 1
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert "seed was 0 and is now 4" in line and "joint.learning_rate was 0.001 and is now 0.5" in line
    assert "--restart" in line


def _equal_config(made: Path, batch_size: int) -> dict[str, Any]:
    """Return a training in which no answer depends on the rest of the batch, and nothing is left out.

    The CNN normalises over its batch: of two processes each sees its half. wav2vec2 with layer norm does not.
    """
    joint = {"steps": 6, "batch_size": batch_size, "validate_every": 3, "dialogue_turns": 3}
    config = joint_config(made, joint=joint | {"augment": SILENT})
    config["model"]["audio_encoder"] = str(made / "wav2vec2")
    config["model"]["options"] = TINY | NO_DROPOUT
    return config


def _curve(work: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (work / "joint.jsonl").read_text().splitlines()]


def _assert_same_curve(one: Path, other: Path) -> None:
    """Sums in another order differ in the last bits, which Adam's first steps enlarge: 0.002 of about 7."""
    for left, right in zip(_curve(one), _curve(other), strict=True):
        for name in left:
            if not name.startswith("validation"):
                assert left[name] == pytest.approx(right[name], abs=2e-3), (left, right)


@pytest.mark.parametrize("batch_size", [4, pytest.param(5, marks=pytest.mark.slow)])
def test_two_processes_share_a_batch_as_one_computes_it(
    batch_size: int, warm: Warm, made: Path, tmp_path: Path
):
    """Five dialogues are three and two; each of their turns weighs the same."""
    config = write_config(tmp_path / "joint.yaml", **_equal_config(made, batch_size))
    assert warm.run(tmp_path / "log", "train", config, "--work", tmp_path / "one") == 0
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
    command: list[Any] = ["train", config, "--work", tmp_path / "two"]
    logs = [tmp_path / f"log{rank}" for rank in (0, 1)]
    started = [
        warm.start(logs[rank], *command, **address, RANK=str(rank), LOCAL_RANK=str(rank)) for rank in (0, 1)
    ]
    assert [warm.wait(process) for process in started] == [0, 0], [log.read_text() for log in logs]
    _assert_same_curve(tmp_path / "one", tmp_path / "two")
    # The first process alone says anything.
    assert "model:" in logs[0].read_text() and "mmser" not in logs[1].read_text()


@pytest.mark.slow
def test_torchrun_trains_in_two_processes(made: Path, warm: Warm, tmp_path: Path):
    config = write_config(tmp_path / "joint.yaml", **_equal_config(made, 4))
    done = run("train", config, "--work", tmp_path / "two", processes=2)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("model:") == 1
    assert done.stderr.count("training by") == 1
    assert warm.run(tmp_path / "log", "train", config, "--work", tmp_path / "one") == 0
    _assert_same_curve(tmp_path / "one", tmp_path / "two")
