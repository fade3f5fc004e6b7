"""Whole trainings on made data: every way to start, what the saved model is, staged and joint."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from mmser.errors import MmserError
from mmser.loading import load_model
from mmser.model import MmserProcessor
from mmser.training.run import save_model
from tests.model_fixtures import tiny_model, tiny_tokenizer
from tests.training.training_fixtures import (
    SILENT,
    TINY,
    joint_config,
    made_rows,
    write_config,
    write_manifest,
)

Ran = Callable[..., tuple[int, str, str]]
EVERYTHING = {"mixup": 0.4} | dict.fromkeys(("speed", "room", "noise", "telephone", "spec_augment"), 1.0)


def train(mmser: Ran, folder: Path, config: dict[str, Any], *more: object) -> Path:
    """Train in `folder` and return the saved model's."""
    path = write_config(folder / "config.yaml", **config)
    code, _, err = mmser("train", path, "--work", folder / "work", "--quiet", *more)
    assert (code, err) == (0, "")
    return folder / "work" / "model"


@pytest.fixture(scope="module")
def joint_model(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of a tiny joint training with everything turned on."""
    from mmser import cli

    folder = tmp_path_factory.mktemp("joint")
    config = joint_config(
        made, joint__augment=EVERYTHING, joint__average=0.9, joint__learned_weights=True, joint__accumulate=2
    )
    path = write_config(folder / "config.yaml", **config)
    assert cli.run(["train", str(path), "--work", str(folder / "work"), "--quiet"]) == 0
    return folder / "work" / "model"


def test_the_saved_model_answers_in_the_other_commands(joint_model: Path, made: Path, mmser: Ran):
    code, out, _ = mmser("predict", made / "a_anger_0.wav", "--model", joint_model, "--format", "json")
    assert code == 0 and json.loads(out)
    code, out, _ = mmser("info", joint_model)
    assert code == 0 and "the terms of the data that it was trained on" in out


def test_a_saved_model_names_an_encoder_on_the_hub_and_no_folder_of_the_machine(tmp_path: Path):
    processor = MmserProcessor(tiny_tokenizer())
    for name, kept in ((str(tmp_path), ""), ("org/encoder", "org/encoder")):
        model = tiny_model()
        model.config.text_config.name_or_path = name
        save_model(model, processor, tmp_path / "saved")
        config = json.loads((tmp_path / "saved" / "config.json").read_text())
        assert config["text_config"].get("_name_or_path", "") == kept


def test_a_model_whose_place_is_taken_leaves_what_lies_there(tmp_path: Path):
    model, processor, target = tiny_model(), MmserProcessor(tiny_tokenizer()), tmp_path / "saved"
    save_model(model, processor, target)
    (target / "tokenizer.json").unlink()
    (target / "tokenizer.json").mkdir()
    before = {path.name: path.stat().st_mtime_ns for path in target.iterdir()}
    with pytest.raises(
        MmserError,
        match=r"could not be written to .*saved \(tokenizer\.json there is a folder: take it away\)",
    ):
        save_model(model, processor, target)
    assert {path.name: path.stat().st_mtime_ns for path in target.iterdir()} == before


def test_the_log_has_every_task_and_the_weights_of_the_encoder_are_small(joint_model: Path):
    lines = [json.loads(line) for line in (joint_model.parent / "joint.jsonl").read_text().splitlines()]
    assert {"emotion", "audio", "text", "intensity", "change", "loss", "learning_rate"} <= lines[0].keys()
    assert {"validation_uar", "validation_score"} <= lines[-1].keys()
    stored = load_file(joint_model / "model.safetensors")
    assert {t.dtype for n, t in stored.items() if n.startswith("text_encoder.")} == {torch.float16}
    # What is stored is what was calibrated: rounding came before.
    model, _, _ = load_model(joint_model)
    assert all(
        torch.equal(t, t.half().float())
        for n, t in model.state_dict().items()
        if n.startswith("text_encoder.")
    )


def test_functionals_are_standardised_on_training_clips(joint_model: Path):
    model, _, _ = load_model(joint_model)
    assert model.audio.functional_mean.abs().max() > 0.1
    assert (model.audio.functional_spread != 1).float().mean() > 0.9


def test_adapters_change_what_they_adapt_and_are_merged_into_it(made: Path, mmser: Ran, tmp_path: Path):
    pytest.importorskip("peft")
    source = load_file(made / "wav2vec2" / "model.safetensors")
    options: dict[str, Any] = {"model__audio_encoder": str(made / "wav2vec2")}
    options |= {"model__lora": {"rank": 2}, "joint__learning_rate": 0.05}
    model, _, _ = load_model(train(mmser, tmp_path, joint_config(made, **options)))
    state = model.audio.encoder.model.state_dict()
    assert not [name for name in model.state_dict() if "lora" in name or "base_layer" in name]
    moved = {n for n, t in source.items() if n in state and not torch.allclose(t, state[n], atol=1e-6)}
    assert moved and all("q_proj.weight" in name or "v_proj.weight" in name for name in moved)


@pytest.mark.parametrize("encoder", ["wav2vec2", "hubert"])
def test_what_is_frozen_stays_and_the_rest_moves(encoder: str, made: Path, mmser: Ran, tmp_path: Path):
    source = load_file(made / encoder / "model.safetensors")
    options: dict[str, Any] = {"model__audio_encoder": str(made / encoder)}
    options |= {"model__freeze": {"audio": 1, "text": "all"}, "joint__learning_rate": 0.05}
    model, _, _ = load_model(train(mmser, tmp_path, joint_config(made, **options)))
    state = model.audio.encoder.model.state_dict()
    moved = {n for n, t in source.items() if n in state and not torch.allclose(t, state[n], atol=1e-6)}
    assert moved and all("layers.1." in name for name in moved)
    text = load_file(made / "bert" / "model.safetensors")
    kept = model.text_encoder.state_dict()
    assert all(torch.allclose(text[n], t, atol=1e-3) for n, t in kept.items() if n in text)


def test_training_goes_on_from_a_model_and_keeps_its_terms(
    joint_model: Path, made: Path, mmser: Ran, tmp_path: Path
):
    source, _, _ = load_model(joint_model)
    config_path = joint_model / "config.json"
    config = json.loads(config_path.read_text()) | {"weights_license": "CC-BY-NC-SA-4.0"}
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in joint_model.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / "config.json").write_text(json.dumps(config))
    start = {"start_from": str(copy), "options": {"max_seconds": 5.0}}
    model, processor, info = load_model(train(mmser, tmp_path, joint_config(made, model=start)))
    assert processor.max_seconds == 5.0
    assert "CC-BY-NC-SA-4.0" in str(info.license)
    assert not torch.equal(model.fusion_head.weight, source.fusion_head.weight)
    assert torch.equal(model.audio.functional_mean, source.audio.functional_mean)
    path = write_config(tmp_path / "open.yaml", **joint_config(made, model=start), commercial_only=True)
    code, _, err = mmser("train", path, "--work", tmp_path / "open", "--quiet")
    assert code == 2 and "model.start_from is under CC-BY-NC-SA-4.0" in err


def test_learning_separates_voices_it_has_not_heard(made: Path, mmser: Ran, tmp_path: Path):
    """Tones of seven pitches: training must do far better than chance (14 %) on another speaker's."""
    rows = [row for row in made_rows(made) if row["corpus"] == "tones"]
    manifest = write_manifest(made, rows, "tones.csv")
    joint = {"steps": 60, "batch_size": 8, "validate_every": 60, "learning_rate": 3e-3, "dialogue_turns": 2}
    config = joint_config(made, joint=joint | {"augment": SILENT})
    config["data"] = [{"corpus": "manifest", "path": str(manifest), "name": "made"}]
    train(mmser, tmp_path, config)
    last = json.loads((tmp_path / "work" / "joint.jsonl").read_text().splitlines()[-1])
    assert last["validation_uar"] > 50


@pytest.mark.parametrize("dialogues", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_stages_run_one_after_the_other_and_leave_a_model_that_loads(
    dialogues: bool, made: Path, mmser: Ran, tmp_path: Path
):
    rows = [row for row in made_rows(made) if dialogues or row["corpus"] != "talks"]
    manifest = write_manifest(made, rows, f"staged_{dialogues}.csv")
    config = {
        "data": [{"corpus": "manifest", "path": str(manifest)}],
        "model": {"text_encoder": str(made / "bert"), "options": dict(TINY)},
        "text": {"epochs": 1, "batch_size": 8, "validate_every": 3},
        "frames": {"steps": 2, "batch_size": 8, "validate_every": 2, "average": 0.9},
        "views": {"steps": 3, "batch_size": 16, "validate_every": 3},
        "fusion": {"steps": 5, "validate_every": 5, "keep_best": True, "batch_size": 2},
    }
    if dialogues:
        config["dialogues"] = {"steps": 3, "validate_every": 3, "batch_size": 4, "dialogue_turns": 3}
    folder = train(mmser, tmp_path, config)
    model, _, _ = load_model(folder)
    assert model.config.calibration["emotion.fused"] != 1.0
    weights = (folder / "model.safetensors").read_bytes()
    # Every stage is passed over the second time, and nothing moves.
    for path in folder.iterdir():
        path.unlink()
    assert (train(mmser, tmp_path, config) / "model.safetensors").read_bytes() == weights
    # A later stage may be planned anew; an earlier one may not.
    config["text"] = {"epochs": 2, "batch_size": 8, "validate_every": 3}
    path = write_config(tmp_path / "config.yaml", **config)
    code, _, err = mmser("train", path, "--work", tmp_path / "work", "--quiet")
    assert code == 1 and "text.epochs was 1.0 and is now 2.0" in err
