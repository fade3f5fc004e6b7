"""`mmser calibrate`: numbers of before and after, a new folder where it is better, and none otherwise."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mmser.evaluation.feedback.recalibration import Recalibration
from mmser.loading import describe_model
from mmser.types import ModelInfo
from tests.evaluation.feedback_lines import line, write_lines


def _corrections(path: Path, model: ModelInfo, too_sure: float, seed: int = 0, **fields: object) -> Path:
    """Corrections of reports by a model, which was too sure of turns with sound and words by a factor."""
    rng = np.random.default_rng(seed)
    lines = []
    for call in range(24):
        for turn in range(8):
            logits = rng.normal(0, 1.5, len(model.labels))
            truth = rng.choice(len(logits), p=np.exp(logits) / np.exp(logits).sum())
            stated = np.exp(too_sure * logits)
            stated = np.round(stated / stated.sum(), 4)
            top = model.labels[int(stated.argmax())]
            values = {
                "model_id": model.id,
                "model_revision": model.revision,
                "probabilities": dict(zip(model.labels, stated.tolist(), strict=True)),
                "predicted_top": top,
                "predicted_label": top,
            }
            lines.append(line(call, turn, model.labels[truth], **(values | fields)))
    return write_lines(path, *lines)


@pytest.fixture(scope="module")
def info(model: str) -> ModelInfo:
    return describe_model(model)


@pytest.fixture(scope="module")
def sure(info: ModelInfo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _corrections(tmp_path_factory.mktemp("sure") / "feedback.jsonl", info, 3.0)


@pytest.fixture(scope="module")
def unlucky(info: ModelInfo, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """Corrections of a calibrated model, and a seed whose fit is no better on the other calls."""
    from mmser.evaluation.feedback.corrections import read_feedback
    from mmser.evaluation.feedback.recalibration import recalibrate

    path = _corrections(tmp_path_factory.mktemp("right") / "feedback.jsonl", info, 1.0)
    corrections = read_feedback([path])
    seeds = (seed for seed in range(50) if not recalibrate(corrections, info, seed=seed).better)
    return path, next(seeds)


def test_a_better_model_is_written_and_speaks(mmser, model: str, info: ModelInfo, sure: Path, tmp_path: Path):
    ran = mmser("calibrate", model, sure, "-o", tmp_path / "new")
    assert ran.code == 0
    assert ran.err.splitlines()[0].endswith(f"calibrating {model} on 1 file of corrections")
    assert "scored on 96 turns of 12 others" in ran.out and "the new temperatures are better" in ran.out
    assert "Criterion: better = the NLL is lower on the calls that were not fitted to" in ran.out
    assert all(name in ran.out for name in ("ECE", "Brier", "abstains"))
    assert "emotion.text   1 stays: 0 turns with words alone" in ran.out
    assert f"written: {tmp_path / 'new'}" in ran.err
    old, new = info.calibration, describe_model(tmp_path / "new").calibration
    assert new["emotion.fused"] > 2 and new == old | {"emotion.fused": new["emotion.fused"]}
    said = mmser("predict", "--text", "thank you", "--model", tmp_path / "new", "--format", "json")
    assert said.code == 0 and json.loads(said.out)["model"]["revision"] != info.revision


def test_without_an_output_nothing_is_written(mmser, model: str, sure: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = mmser("calibrate", model, sure, "--json", "-", "--quiet")
    found = Recalibration.from_dict(json.loads(ran.out))
    assert ran.code == 0 and found.better and list(tmp_path.iterdir()) == []
    assert "mmser: warning: worse on the calls that were not fitted to: abstention 0.0 → " in ran.err
    assert mmser("calibrate", model, sure, "--json", "c.json", "--seed", 4).code == 0
    assert Recalibration.from_dict(json.loads((tmp_path / "c.json").read_text("utf-8"))).seed == 4
    assert mmser("calibrate", model, sure, "--json", "c.json").code == 2


def test_no_better_writes_nothing_unless_forced(mmser, model: str, unlucky: tuple[Path, int], tmp_path: Path):
    path, seed = unlucky
    arguments = (
        "calibrate",
        model,
        path,
        "--seed",
        seed,
        "-o",
        tmp_path / "new",
        "--json",
        tmp_path / "c.json",
    )
    ran = mmser(*arguments)
    assert ran.code == 1 and "was not written, nor any other file" in ran.error and "--force" in ran.error
    assert "which holds 0: the new temperatures are not shown to be better" in ran.error
    assert "Criterion: better" in ran.out and "NLL" in ran.out
    assert list(tmp_path.iterdir()) == []
    forced = mmser(*arguments, "--force")
    assert forced.code == 0 and (tmp_path / "new" / "config.json").is_file()
    assert "Note: written with --force although" in forced.out
    found = Recalibration.from_dict(json.loads((tmp_path / "c.json").read_text("utf-8")))
    assert found.forced and not found.better and "with --force" in found.notes[0]


def test_a_model_that_does_not_load_is_not_calibrated(mmser, model: str, sure: Path, tmp_path: Path):
    broken = tmp_path / "broken"
    shutil.copytree(model, broken)
    tensors = load_file(broken / "model.safetensors")
    name = next(iter(tensors))
    save_file({key: value for key, value in tensors.items() if key != name}, broken / "model.safetensors")
    other = tmp_path / "f.jsonl"
    now = describe_model(broken).revision
    other.write_text(sure.read_text("utf-8").replace(describe_model(model).revision, now), "utf-8")
    ran = mmser("calibrate", broken, other, "-o", tmp_path / "new", "--json", tmp_path / "c.json")
    assert ran.code == 1 and "lacks 1 of the weights" in ran.error and ran.out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken", "f.jsonl"]


def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    mmser, model: str, sure: Path, tmp_path: Path
):
    (tmp_path / "file").touch()
    for options, code, message in (
        (("-o", tmp_path / "file"), 2, "is a file; give a new folder"),
        (("-o", tmp_path / "file" / "new"), 1, "a file stands where the output folder should be"),
        (("-o", "/proc/new"), 1, "cannot be written"),
        (("--json", tmp_path / "file" / "c.json"), 1, "a file stands where the output folder should be"),
        (("--json", "/dev/full"), 1, "is not a file that can be replaced"),
        (("-o", tmp_path / "new", "--json", tmp_path / "new"), 2, "stands where -o"),
    ):
        ran = mmser("calibrate", model, sure, *options)
        assert (ran.code, ran.out) == (code, "") and message in ran.error and "calibrating" not in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_cannot_be_done_is_one_line(mmser, model: str, info: ModelInfo, sure: Path, tmp_path: Path):
    other = _corrections(tmp_path / "other.jsonl", info, 1.0, model_revision="0" * 64)
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "x").touch()
    for arguments, code, message in (
        ((model, other), 1, "no correction is of the revision"),
        ((model, sure, "-o", model), 2, "own folder"),
        ((model, sure, "-o", f"{model}/new"), 2, "own folder"),
        ((model, sure, "-o", tmp_path / "used"), 2, "is not empty"),
        ((model, "/dev/null"), 1, "/dev/null is neither a file nor a pipe"),
        ((model, tmp_path / "gone.jsonl"), 1, "gone.jsonl is missing"),
        ((tmp_path / "used", sure), 1, "has no config.json"),
        ((model,), 2, "Missing argument"),
        ((model, sure, "--share", "1"), 2, "--share"),
    ):
        ran = mmser("calibrate", *arguments)
        assert ran.code == code and message in ran.error and ran.out == ""
        assert "Traceback" not in ran.err and "a bug" not in ran.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.jsonl", "used"]


def test_corrections_of_other_models_are_left_out_and_told(
    mmser, model: str, info, sure: Path, tmp_path: Path
):
    other = _corrections(tmp_path / "other.jsonl", info, 1.0, model_revision="0" * 64)
    ran = mmser("calibrate", model, sure, other, "--json", "-")
    found = Recalibration.from_dict(json.loads(ran.out))
    assert found.fitted.turns + found.scored.turns == 192
    assert "mmser: warning: 192 corrections of other models than" in ran.err
