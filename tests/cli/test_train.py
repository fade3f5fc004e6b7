"""`mmser train`: what one sees, and what is refused in a sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmser.training.config import STAGES, read_config
from tests.cli.conftest import Ran
from tests.training.training_fixtures import (
    ROOT,
    joint_config,
    made_data,
    made_rows,
    write_config,
    write_manifest,
)

Run = Callable[..., Ran]
CONFIGS = sorted(path.name for path in (ROOT / "configs").glob("*.yaml") if "rules" not in path.name)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_data(tmp_path_factory.mktemp("made"))


@pytest.fixture
def config(made: Path, tmp_path: Path) -> Path:
    return write_config(tmp_path / "joint.yaml", **joint_config(made))


def altered(made: Path, folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Path:
    """Write a configuration whose rows are those of the made data, changed."""
    write_manifest(made, [change(row) for row in made_rows(made)], f"{folder.name}.csv")
    values = joint_config(made)
    values["data"][0]["path"] = str(made / f"{folder.name}.csv")
    return write_config(folder / "joint.yaml", **values)


def test_help_shows_how_to_start_go_on_and_use_several_processes(mmser: Run):
    ran = mmser("train", "--help")
    assert ran.code == 0
    for said in (
        "mmser train configs/joint.yaml",
        "joint.steps=50",
        "torchrun --nproc_per_node 2",
        "goes on when",
    ):
        assert said in " ".join(ran.out.split()), said


def test_a_training_ends_with_a_table_and_where_everything_is(mmser: Run, config: Path, tmp_path: Path):
    ran = mmser("train", config, "joint.steps=3", "--work", tmp_path / "work", "-o", tmp_path / "model")
    assert ran.code == 0
    assert "joint │     3 │" in ran.out.replace("┃", "│") and "uar" in ran.out
    assert "rows: train 54, validation 18, test 18" in ran.out
    assert ran.out.rstrip().endswith(f"model: {tmp_path / 'model'}")
    assert "training by" in ran.err and "joint: step 3: validation" in ran.err
    assert (tmp_path / "work" / "joint.jsonl").exists() and (tmp_path / "model" / "config.json").exists()
    # Once more: nothing is left to do. Anew: another training is taken up.
    assert mmser("train", config, "joint.steps=3", "--work", tmp_path / "work").code == 0
    assert mmser("train", config, "joint.steps=2", "--work", tmp_path / "work").code == 1
    again = mmser("train", config, "joint.steps=2", "--work", tmp_path / "work", "--restart", "--quiet")
    assert (again.code, again.err) == (0, "")
    assert json.loads((tmp_path / "work" / "joint.jsonl").read_text().splitlines()[-1])["step"] == 2


def test_a_restart_forgets_nothing_where_training_cannot_begin(
    mmser: Run, config: Path, made: Path, tmp_path: Path
):
    work = tmp_path / "work"
    assert mmser("train", config, "joint.steps=2", "--work", work).code == 0
    own = write_config(work / "joint.yaml", **joint_config(made))
    for change in ("data=[{corpus: manifest, path: gone.csv}]", "model.text_encoder=gone"):
        assert mmser("train", config, "joint.steps=1", change, "--work", work, "--restart").code == 1
        assert (work / "joint.checkpoint.pt").exists() and (work / "joint.jsonl").exists()
    assert mmser("train", config, "joint.steps=1", "--work", work, "--restart").code == 0
    assert own.exists()


def test_steps_on_the_command_line_replace_the_epochs_of_the_configuration(
    mmser: Run, made: Path, tmp_path: Path
):
    """As the example in --help does with configs/joint.yaml."""
    path = write_config(tmp_path / "e.yaml", **joint_config(made, joint__steps=None, joint__epochs=20))
    ran = mmser("train", path, "joint.steps=1", "--work", tmp_path / "work")
    assert ran.code == 0 and "joint: step 1: validation" in ran.err


def test_speakers_in_two_splits_are_refused_or_marked(mmser: Run, made: Path, tmp_path: Path):
    leaking = altered(made, tmp_path, lambda row: row | {"speaker": "a"} if row["split"] == "test" else row)
    ran = mmser("train", leaking, "--work", tmp_path / "work")
    assert ran.code == 1 and "1 speaker in several splits" in ran.error and "--allow-overlap" in ran.error
    ran = mmser("train", leaking, "--work", tmp_path / "work", "--allow-overlap")
    assert ran.code == 0
    assert "MARK of every number above: " in ran.out and "overlap allowed: " in ran.out
    saved = json.loads((tmp_path / "work" / "model" / "config.json").read_text())
    assert "overlap allowed: " in saved["training_mark"]
    # Further training, on data that need no mark, does not take it from the model.
    values = joint_config(made, model={"start_from": str(tmp_path / "work" / "model")}, joint__steps=1)
    later = write_config(tmp_path / "later.yaml", **values)
    ran = mmser("train", later, "--work", tmp_path / "later")
    assert ran.code == 0 and "overlap allowed: " in ran.out
    again = json.loads((tmp_path / "later" / "model" / "config.json").read_text())
    assert again["training_mark"] == saved["training_mark"]


def test_a_corrupt_clip_is_named_and_left_out_on_demand(mmser: Run, tmp_path: Path):
    own = made_data(tmp_path / "own")
    (own / "b_fear_0.wav").write_bytes(b"RIFF no sound")
    path = write_config(tmp_path / "joint.yaml", **joint_config(own))
    ran = mmser("train", path, "--work", tmp_path / "work")
    assert ran.code == 1
    assert "1 of 55 clips cannot be used: tones/b_fear_0: " in ran.error and "--skip-bad" in ran.error
    ran = mmser("train", path, "--work", tmp_path / "work", "--skip-bad")
    assert ran.code == 0
    assert "left out 1 of 55 clips" in ran.err and "rows: train 53," in ran.out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda row: row | {"emotion": "angre"}, "'angre'"),
        (lambda row: row | {"split": "trian"}, "'trian'"),
        (lambda row: row | {"split": "test"}, "no row of the data is marked for training"),
        (
            lambda row: row | {"emotion": "anger"} if row["split"] == "train" else row,
            "of which training has no example",
        ),
        (lambda row: row | {"audio": "gone.wav"}, "gone.wav"),
    ],
)
def test_data_that_cannot_be_trained_on_are_refused(
    change: Callable[[dict[str, Any]], dict[str, Any]], said: str, mmser: Run, made: Path, tmp_path: Path
):
    ran = mmser("train", altered(made, tmp_path, change), "--work", tmp_path / "work")
    assert ran.code == 1 and said in ran.error
    if "angre" in said:
        assert "anger" in ran.error
    if "trian" in said:
        assert "train" in ran.error


@pytest.mark.parametrize(
    ("overrides", "code", "said"),
    [
        (["joint.stepz=1"], 2, "did you mean 'steps'?"),
        (
            ["joint=null"],
            2,
            "the configuration trains nothing; give one of text, dialogues, frames, views, fusion, joint",
        ),
        (["data=[]"], 1, "the config names no corpus"),
        (["data=[{corpus: ravdes, path: x}]"], 1, "there is no corpus 'ravdes'"),
        (["data=[{corpus: ravdess, path: nowhere}]"], 1, "nowhere"),
        (["commercial_only=true", "data=[{corpus: meld, path: x}]"], 2, "meld (GPL-3.0-only)"),
        (["data.0.share=1"], 2, "data"),
        (["joint.learning_rate=1e30"], 1, "its batch: "),
        (["model.lora={}", "text={steps: 1}"], 2, "model.lora belongs to the stage joint"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(
    overrides: list[str], code: int, said: str, mmser: Run, config: Path, tmp_path: Path
):
    ran = mmser("train", config, *overrides, "--work", tmp_path / "work", "--data", tmp_path)
    assert ran.code == code and said in ran.error


def test_validation_is_asked_for_where_it_decides(mmser: Run, made: Path, tmp_path: Path):
    path = altered(made, tmp_path, lambda row: row | {"split": "train"})
    ran = mmser("train", path, "joint.patience=2", "--work", tmp_path / "work")
    assert ran.code == 1 and "joint.patience needs validation rows, and the data have none" in ran.error
    ran = mmser("train", path, "joint.steps=1", "--work", tmp_path / "work")
    assert ran.code == 0 and "not calibrated" in ran.err
    bare = dict.fromkeys(("emotion", "intensity"), "")
    path = altered(made, tmp_path, lambda row: row | bare if row["split"] == "validation" else row)
    ran = mmser("train", path, "joint.keep_best=true", "--work", tmp_path / "work")
    assert ran.code == 1 and "joint.keep_best needs labelled validation rows, and none of the 18" in ran.error


@pytest.mark.parametrize("option", ["--work", "-o"])
def test_a_file_in_place_of_a_folder_is_refused(option: str, mmser: Run, config: Path, tmp_path: Path):
    (tmp_path / "file").write_text("")
    folders: dict[str, Path] = {"--work": tmp_path / "work"} | {option: tmp_path / "file"}
    ran = mmser("train", config, *[part for pair in folders.items() for part in pair])
    assert ran.code == 2 and "file is, or lies below, a file; give a folder" in ran.error
    ran = mmser("train", config, "--data", tmp_path / "file", "--work", tmp_path / "work")
    assert ran.code == 2 and "is not a folder" in ran.error


def test_a_missing_configuration_is_named(mmser: Run, tmp_path: Path):
    ran = mmser("train", tmp_path / "none.yaml")
    assert ran.code == 2 and "none.yaml: the configuration cannot be read" in ran.error


@pytest.mark.parametrize("name", CONFIGS)
def test_every_configuration_is_valid(name: str):
    found = read_config(ROOT / "configs" / name)
    assert found.data
    if name == "permissive.yaml":
        assert found.commercial_only and found.license is None


@pytest.mark.parametrize("name", CONFIGS)
def test_every_configuration_trains(name: str, mmser: Run, made: Path, tmp_path: Path):
    """A few steps on made data, with tiny encoders in place of those from the Hub."""
    plan = read_config(ROOT / "configs" / name)
    changes = [
        f"data=[{{corpus: manifest, path: {made / 'manifest.csv'}}}]",
        f"model.text_encoder={made / 'bert'}",
    ]
    if plan.model.audio_encoder != "cnn":
        changes.append(f"model.audio_encoder={made / 'wav2vec2'}")
    if plan.text is not None:
        changes += ["text.written=shared", "text.spoken=shared"]
    for stage in STAGES:
        if getattr(plan, stage) is not None:
            changes += [f"{stage}.{change}" for change in ("epochs=null", "steps=2", "validate_every=2")]
            changes.append(f"{stage}.batch_size=4")
    ran = mmser("train", ROOT / "configs" / name, *changes, "--work", tmp_path / "work", "--quiet")
    assert (ran.code, ran.err) == (0, "")
    assert mmser("info", tmp_path / "work" / "model").code == 0


@pytest.mark.slow
@pytest.mark.data
def test_real_clips_and_dialogues_train_together(mmser: Run, data_dir: Path, made: Path, tmp_path: Path):
    """EmoDB's two-second clips of three speakers, with MELD's dialogues, in configs/quick.yaml."""
    clips = tmp_path / "data" / "emodb"
    clips.mkdir(parents=True)
    for path in (data_dir / "corpora" / "emodb" / "crop_2s").iterdir():
        if path.suffix != ".flac" or path.name[:2] in ("03", "08", "09"):
            (clips / path.name).symlink_to(path)
    (tmp_path / "data" / "text").symlink_to(data_dir / "text")
    data = "{corpus: emodb, path: emodb, partial: true, splits: {validation: ['08'], test: ['09']}}"
    changes = [f"data=[{data}, {{corpus: meld, path: text/meld}}]", f"model.text_encoder={made / 'bert'}"]
    changes += ["joint.steps=2", "joint.validate_every=2", "joint.batch_size=2"]
    path = ROOT / "configs" / "quick.yaml"
    ran = mmser("train", path, *changes, "--data", tmp_path / "data", "--work", tmp_path / "work")
    assert ran.code == 0, ran.err
    assert "meld: speaker-overlapping, dialogue-disjoint" in ran.out
    assert "CC-BY-4.0 AND GPL-3.0-only" in ran.out


def test_variables_of_a_launcher_that_are_no_numbers_are_named(
    mmser: Run, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LOCAL_RANK", "-1")  # as some launchers say "alone"
    monkeypatch.setenv("RANK", "abc")
    ran = mmser("train", config, "--work", tmp_path / "work")
    assert ran.code == 2 and "the environment variable RANK is 'abc'" in ran.error


def test_a_path_that_the_system_refuses_is_named(mmser: Run, config: Path, tmp_path: Path):
    ran = mmser("train", config, f"data=[{{corpus: manifest, path: {'x' * 300}.csv}}]", "--work", tmp_path)
    assert ran.code == 1 and "File name too long; correct the path" in ran.error
