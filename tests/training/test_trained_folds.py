"""A configuration that is evaluated trains a model for each fold, and none of them sees its test rows."""

import json
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mmser.evaluation.comparing.answers import read_answers
from mmser.evaluation.division.known_speakers import require_unseen
from mmser.evaluation.division.training_data import read_training_data
from mmser.evaluation.result import Evaluation
from mmser.training.trained_folds import folder_name
from tests.evaluation.made_clips_to_judge import write_corpus
from tests.training.training_fixtures import TINY, write_config

Ran = Callable[..., tuple[int, str, str]]


@pytest.fixture
def config(made: Path, tmp_path: Path) -> Path:
    manifest = write_corpus(tmp_path / "corpus", speakers=6, each=1, splits=False)
    return write_config(
        tmp_path / "tiny.yaml",
        data=[{"corpus": "manifest", "path": str(manifest), "name": "made"}],
        model={"text_encoder": str(made / "bert"), "options": dict(TINY)},
        joint={"steps": 3, "batch_size": 4, "validate_every": 3, "dialogue_turns": 2},
    )


def test_each_fold_has_a_model_of_its_own_that_never_saw_what_it_answers(
    mmser: Ran, config: Path, tmp_path: Path
):
    arguments = ["evaluate", config, "--protocol", "speaker-folds", "--folds", 3, "--draws", 100]
    arguments += ["--baselines", "majority", "--work", tmp_path / "work", "--quiet", "--set", "joint.steps=4"]
    code, _, err = mmser(*arguments, "-o", tmp_path / "out")
    assert (code, err) == (0, "")
    said = Evaluation.from_dict(json.loads((tmp_path / "out" / "evaluation.json").read_text("utf-8")))
    assert (said.model.id, said.model.kind) == ("tiny", "training") and len(said.protocol.folds) == 3
    assert [row.name for row in said.views] == ["audio only", "text only"]
    assert said.settings["command"].endswith("--set joint.steps=4")
    assert 4 in [
        json.loads(row).get("step")
        for row in (tmp_path / "work" / folder_name("fold 1") / "joint.jsonl").open()
    ]
    answers = read_answers(tmp_path / "out" / "answers.csv")
    assert len(answers) == 18 and set(answers.fold) == {"fold 1", "fold 2", "fold 3"}
    for fold in said.protocol.folds:
        folder = tmp_path / "work" / folder_name(fold.name) / "model"
        known = read_training_data(folder)
        assert known is not None and known.corpora["made"].rows == {"train": 6, "validation": 6}
        own = [e for e, name in zip(answers.examples, answers.fold, strict=True) if name == fold.name]
        assert require_unseen(own, known, allow_overlap=False) is None
        assert {e.speaker for e in own} == set(fold.held_out)


def test_folds_that_are_trained_are_not_trained_again(mmser: Ran, config: Path, tmp_path: Path):
    arguments = ["evaluate", config, "--protocol", "speaker-folds", "--folds", 3, "--draws", 100]
    arguments += ["--baselines", "none", "--no-views", "--work", tmp_path / "work", "--quiet", "--json"]
    first = mmser(*arguments)
    logs = sorted((tmp_path / "work").glob("*/joint.jsonl"))
    steps = [path.read_text("utf-8") for path in logs]
    second = mmser(*arguments)
    assert first[0] == second[0] == 0 and len(logs) == 3
    assert steps == [path.read_text("utf-8") for path in logs]
    one, two = (json.loads(out) for _, out, _ in (first, second))
    assert one["parts"] == two["parts"]


def test_whom_the_model_that_a_training_starts_from_knows_is_not_scored(
    mmser: Ran, config: Path, tmp_path: Path, model_dir: Path
):
    import shutil

    from mmser.data.manifest import manifest_examples
    from mmser.evaluation.division.training_data import training_data, write_training_data

    begun = shutil.copytree(model_dir, tmp_path / "begun")
    rows = manifest_examples(tmp_path / "corpus" / "made.csv", corpus="made")
    write_training_data(training_data(replace(row, split="train") for row in rows), begun)
    values = {
        "data": [{"corpus": "manifest", "path": str(tmp_path / "corpus" / "made.csv"), "name": "made"}],
        "model": {"start_from": str(begun)},
        "joint": {"steps": 3, "batch_size": 4},
    }
    path = write_config(tmp_path / "on.yaml", **values)
    arguments = ["evaluate", path, "--protocol", "speaker-folds", "--folds", 3, "--work", tmp_path / "w"]
    code, _, err = mmser(*arguments, "--quiet")
    assert code == 1 and "6 of 6 speakers" in err and not list((tmp_path / "w").glob("*/model"))


def test_folds_whose_names_look_alike_to_a_disk_share_no_folder():
    names = ["a b", "a_b", "A_b", "a/b", "..", ".", "", "/", "_", "é", unicodedata.normalize("NFD", "é")]
    names += ["x" * 300, "x" * 301, "語" * 300, "a\nb", "CON", "fold 1"]
    folders = [folder_name(name) for name in names]
    # As a disk sees them that knows neither case nor forms of one character.
    assert len({unicodedata.normalize("NFC", name).casefold() for name in folders}) == len(names)


@pytest.mark.parametrize("name", ["..", "/", "", "a/../b", "-x", "x" * 300, "語" * 300, "\0", "\udcff"])
def test_a_folder_of_any_fold_is_one_plain_short_name(name: str):
    folder = folder_name(name)
    assert folder.isascii() and 0 < len(folder) < 80
    assert folder.replace("-", "").replace("_", "").isalnum() and folder[0].isalnum()


def test_a_folder_tells_its_fold_and_is_the_same_every_time():
    assert folder_name("fold 1").startswith("fold_1-") and folder_name("fold 1") == folder_name("fold 1")
