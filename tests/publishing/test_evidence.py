"""A model is published with numbers of these very weights, on what they have not seen."""

import json
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest

from mmser.errors import DataError
from mmser.evaluation.division.training_data import hidden_name
from mmser.evaluation.page.markdown import render_markdown
from mmser.evaluation.result import Evaluation
from mmser.loading import describe_model
from mmser.publishing.evidence import EvidenceError, published, read_evidence, without_names

FOLDER = Path(str(resources.files("mmser") / "assets" / "model"))
EVALUATION = Evaluation.from_dict(json.loads((FOLDER / "evaluation.json").read_text("utf-8")))
MODEL = describe_model(None)


def written(folder: Path, evaluation: Evaluation = EVALUATION) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "evaluation.json").write_text(json.dumps(evaluation.to_dict()), "utf-8")
    return folder


def test_the_default_model_comes_with_an_evaluation_of_its_own_weights():
    evidence = read_evidence((), FOLDER, MODEL, force=False)
    assert [one.protocol.split for one in evidence.evaluations] == ["test"]
    assert evidence.faults == ()


def test_a_folder_without_an_evaluation_is_refused_unless_forced(tmp_path: Path):
    with pytest.raises(EvidenceError, match="no evaluation results for these weights; run mmser evaluate"):
        read_evidence((), tmp_path, MODEL, force=False)
    forced = read_evidence((), tmp_path, MODEL, force=True)
    assert forced.faults == ("there are no evaluation results for these weights",)


@pytest.mark.parametrize("where", ["model", "evaluation", "nobody knows"])
def test_a_split_that_leaks_is_refused_unless_forced(tmp_path: Path, where: str):
    mark = (
        "it is not known what the model was trained on" if where == "nobody knows" else "overlap allowed: x"
    )
    model = replace(MODEL, training_mark=mark) if where == "model" else MODEL
    evaluation = EVALUATION if where == "model" else replace(EVALUATION, mark=mark)
    folder = written(tmp_path / "out", evaluation)
    with pytest.raises(EvidenceError, match="publish all the same with --force, which the card states"):
        read_evidence((folder,), FOLDER, model, force=False)
    faults = read_evidence((folder,), FOLDER, model, force=True).faults
    assert faults == ((mark,) if where == "nobody knows" else ("a split leaks (overlap allowed: x)",))


def test_validation_rows_alone_are_no_evaluation(tmp_path: Path):
    protocol = replace(EVALUATION.protocol, split="validation")
    folder = written(tmp_path / "out", replace(EVALUATION, protocol=protocol))
    with pytest.raises(EvidenceError, match="on validation rows alone, which chose it"):
        read_evidence((folder,), FOLDER, MODEL, force=False)
    both = read_evidence((folder, FOLDER), FOLDER, MODEL, force=False)
    assert len(both.evaluations) == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"revision": "0" * 64}, "is of other weights"),
        ({"kind": "training"}, "is of a training"),
        ({"labels": ("a", "b")}, "is of other labels"),
    ],
)
def test_an_evaluation_of_something_else_is_refused_with_force_or_without(tmp_path: Path, changes, said):
    model = replace(EVALUATION.model, **changes)
    folder = written(tmp_path / "out", replace(EVALUATION, model=model))
    for force in (False, True):
        with pytest.raises(DataError, match=said):
            read_evidence((folder,), FOLDER, MODEL, force=force)


@pytest.mark.parametrize("content", [None, "", "{", '{"schema": "mmser.evaluation/9"}', "[]"])
def test_an_evaluation_that_is_missing_or_damaged_is_refused(tmp_path: Path, content: str | None):
    if content is not None:
        (tmp_path / "evaluation.json").write_text(content, "utf-8")
    with pytest.raises(DataError, match=r"evaluation\.json"):
        read_evidence((tmp_path,), FOLDER, MODEL, force=True)


def test_people_rows_and_places_of_the_publishers_own_data_are_not_published():
    fold = replace(EVALUATION.protocol.folds[0], held_out=("mine/Anna", "ravdess/06"))
    data = (replace(EVALUATION.data[0], corpus="mine"), *EVALUATION.data[1:])
    evaluation = replace(
        EVALUATION,
        data=data,
        protocol=replace(EVALUATION.protocol, folds=(fold,)),
        left_out={"mine/call-of-anna": "/home/x/a.wav is broken", "mine/b": "/home/x/a.wav is broken"},
        settings={
            "noise": "/home/x/noise",
            "command": "mmser evaluate m --data=/home/x/mine.csv 'C:\\home\\x'",
        },
    )
    shown = published(evaluation, "me/model")
    assert shown.protocol.folds[0].held_out == (hidden_name("mine/Anna"), "ravdess/06")
    text = json.dumps(shown.to_dict())
    assert "Anna" not in text and "anna" not in text and "home" not in text and "mine.csv" not in text
    assert len(shown.left_out) == 2 and "1 row without" not in render_markdown(shown)
    assert shown.model.id == "me/model"
    assert published(shown, "me/model") == shown or shown.protocol.folds[0].held_out[1] == "ravdess/06"


@pytest.mark.parametrize(
    ("mark", "told"),
    [
        (
            "m: overlap allowed: 2 speakers in several splits (mine/A (B), mine/C); 3 of 4 clips trained it",
            "m: overlap allowed: 2 speakers in several splits; 3 of 4 clips trained it",
        ),
        (
            "overlap allowed: 1 clip copied across splits (own/Jane1 (train) and own/Jane2 (test))",
            "overlap allowed: 1 clip copied across splits",
        ),
        (
            "1 of 2 clips (encoded anew) trained or validated it (Jane, Joe)",
            "1 of 2 clips encoded anew trained or validated it",
        ),
        (
            "overlap allowed: 1 speaker in several splits (A); Jane) of B",
            "overlap allowed: 1 speaker in several splits",
        ),
        (
            "overlap allowed: 1 speaker in several splits (A\nB)",
            "overlap allowed: 1 speaker in several splits",
        ),
        *((mark, mark) for mark in (EVALUATION.mark, "speaker-overlapping, dialogue-disjoint", "")),
        ("it is not known what the model was trained on", "it is not known what the model was trained on"),
    ],
)
def test_a_mark_counts_what_leaks_and_names_nobody(mark: str, told: str):
    assert without_names(mark) == told


def test_of_published_corpora_reasons_stay_and_places_go():
    evaluation = replace(
        EVALUATION,
        left_out={"ravdess/1": "the clip /home/x/a.wav is cut"},
        warnings=("see https://huggingface.co/me/x, 5/10 rows, file ~/x/y.csv",),
    )
    shown = published(evaluation, "me/model")
    assert shown.left_out == {"ravdess/1": "the clip a.wav is cut"}
    assert shown.warnings == ("see https://huggingface.co/me/x, 5/10 rows, file y.csv",)
    assert shown.settings == EVALUATION.settings
