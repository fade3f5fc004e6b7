"""`mmser evaluate` and `mmser baseline` on a small made corpus: what is written, printed and refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mmser.cli.evaluation import FILES
from mmser.cli.request import Request
from mmser.evaluation.comparing.answers import read_answers
from mmser.evaluation.division.training_data import TRAINING_DATA
from mmser.evaluation.judged import truth_of
from mmser.evaluation.result import Evaluation
from mmser.evaluation.scores.metrics import uar
from tests.cli.conftest import Ran
from tests.evaluation.made_clips_to_judge import write_corpus

Run = Callable[..., Ran]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory, corpus: Path, model: str) -> Path:
    """The folder of one evaluation with everything."""
    from mmser import cli

    folder = tmp_path_factory.mktemp("result") / "out"
    options = ["--robustness", "--robustness-rows", "4", "--baselines", "all", "--draws", "100"]
    assert cli.run(["evaluate", model, str(corpus), *options, "--quiet", "-o", str(folder)]) == 0
    return folder


def read(folder: Path) -> Evaluation:
    return Evaluation.from_dict(json.loads((folder / FILES["json"]).read_text("utf-8")))


def test_a_result_says_what_was_evaluated_on_what_and_how(result: Path, model: str):
    said = read(result)
    assert (said.model.id, said.model.kind, len(said.model.revision)) == (Path(model).name, "model", 64)
    assert (said.protocol.name, said.protocol.split, said.protocol.seed) == ("split", "test", 0)
    (fold,) = said.protocol.folds
    assert (fold.train, fold.validation, fold.test) == (12, 6, 12)
    (data,) = said.data
    assert data.rows == {"train": 12, "validation": 6, "test": 12} and data.files == 12
    assert data.sha256 and len(data.sha256) == 64
    assert said.mark and "not known what the model was trained on" in said.mark
    assert not any("/" in value for value in said.settings.values())  # no folder of this machine


def test_scores_are_those_of_the_answers_that_stand_beside_them(result: Path):
    said, answers = read(result), read_answers(result / FILES["csv"])
    emotion = said.parts[0].emotion
    assert emotion is not None and emotion.n == len(answers) == 12
    assert emotion.uar.value == pytest.approx(uar(truth_of(answers), answers.guess()), abs=1e-6)
    assert emotion.uar.interval == "t over 2 speakers"
    assert sum(map(sum, emotion.confusion)) == 12


def test_views_baselines_damage_and_gaps_stand_beside_the_scores(result: Path):
    said = read(result)
    assert [row.name for row in said.views] == ["audio only", "text only"]
    names = {"majority", "svm", "naive-bayes", "decision-tree", "logistic-regression", "cnn", "bilstm"}
    assert {row.name for row in said.baselines} == {*names, "tfidf"}
    assert {row.kind for row in said.robustness} == {"sound", "words", "missing"}
    assert all(row.n + row.unanswered == 4 for row in said.robustness)
    assert [gap.attribute for gap in said.gaps][:1] == ["gender"]
    assert {"judging", "views", "robustness", "baseline svm"} <= said.seconds.keys()


def test_pages_show_the_numbers_of_the_json(result: Path):
    emotion = read(result).parts[0].emotion
    assert emotion is not None and emotion.uar.value is not None
    shown = f"{emotion.uar.value:.1f}"
    for kind in ("html", "md"):
        text = (result / FILES[kind]).read_text("utf-8")
        assert shown in text and "t over 2 speakers" in text


def test_the_same_command_gives_the_same_numbers(mmser: Run, corpus: Path, model: str, tmp_path: Path):
    texts = []
    for name in ("one", "two"):
        ran = mmser("evaluate", model, corpus, "--quiet", "--draws", 100, "-o", tmp_path / name)
        assert ran.code == 0, ran.err
        values = json.loads((tmp_path / name / FILES["json"]).read_text("utf-8"))
        values.pop("seconds")
        texts.append((values, (tmp_path / name / FILES["csv"]).read_text("utf-8")))
    assert texts[0] == texts[1]


def test_the_summary_names_the_report(mmser: Run, corpus: Path, model: str, tmp_path: Path):
    ran = mmser("evaluate", model, corpus, "--baselines", "none", "--no-views", "-o", tmp_path / "out")
    assert ran.code == 0 and "UAR" in ran.out and str(tmp_path / "out" / FILES["html"]) in ran.out
    assert "chance 33.3" in ran.out


def test_json_is_printed_alone(mmser: Run, corpus: Path, model: str):
    ran = mmser("evaluate", model, corpus, "--baselines", "none", "--no-views", "--json", "--quiet")
    assert json.loads(ran.out)["schema"] == "mmser.evaluation/1" and ran.err == ""


def test_a_model_is_not_scored_on_whom_it_was_trained_on(
    mmser: Run, corpus: Path, tmp_path: Path, model: str
):
    from mmser.data.manifest import manifest_examples
    from mmser.evaluation.division.training_data import training_data, write_training_data
    from tests.model_fixtures import save_tiny

    trained = save_tiny(tmp_path / "trained")
    write_training_data(training_data(manifest_examples(corpus, corpus="made")), trained)
    assert (trained / TRAINING_DATA).exists()
    fine = mmser("evaluate", trained, corpus, "--baselines", "none", "--no-views", "--json", "--quiet")
    assert fine.code == 0 and json.loads(fine.out)["mark"] is None
    ran = mmser("evaluate", trained, corpus, "--split", "all", "--quiet")
    assert ran.code == 1 and "trained" in ran.error and ran.out == ""
    allowed = mmser(
        *("evaluate", trained, corpus, "--split", "all", "--allow-overlap", "--baselines", "none"),
        *("--no-views", "--json", "--quiet"),
    )
    assert allowed.code == 0 and "overlap allowed" in json.loads(allowed.out)["mark"]


def test_a_planted_leak_is_refused(mmser: Run, corpus: Path, model: str, tmp_path: Path):
    """A training clip under another speaker's name among the test clips."""
    folder = tmp_path / "leak"
    folder.mkdir()
    for path in corpus.parent.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "3-anger-0.wav").write_bytes((folder / "0-anger-0.wav").read_bytes())
    ran = mmser("baseline", "majority", folder / "made.csv", "--quiet", "-o", tmp_path / "out")
    assert ran.code == 1 and "hold the same sound" in ran.error and "3-anger-0" in ran.error
    assert not (tmp_path / "out").exists()


def test_baselines_are_trained_in_the_protocol_that_is_asked_for(mmser: Run, corpus: Path, tmp_path: Path):
    ran = mmser(
        *("baseline", "majority,naive-bayes", corpus, "--protocol", "leave-one-speaker-out"),
        *("--draws", 100, "--quiet", "-o", tmp_path / "out"),
    )
    assert ran.code == 0, ran.err
    simple, bayes = (read(tmp_path / "out" / name) for name in ("majority", "naive-bayes"))
    assert len(bayes.protocol.folds) == 5 and bayes.parts[0].n == simple.parts[0].n == 30
    assert all(len(fold.held_out) == 1 for fold in bayes.protocol.folds)
    assert bayes.parts[0].emotion and simple.parts[0].emotion
    assert simple.parts[0].emotion.uar.value == pytest.approx(100 / 3, abs=0.1)
    assert bayes.parts[0].emotion.uar.value > 60  # the pitch tells
    assert any(name.startswith("chosen in made/s") for name in bayes.settings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("{model}",), "is to be evaluated on"),
        (("{model}", "nowhere.csv"), "nowhere.csv is not there"),
        (("{model}", "{corpus}", "--protocol", "kfold"), "--protocol 'kfold' is not known"),
        (("{model}", "{corpus}", "--protocol", "speaker-folds"), "is trained already"),
        (("{model}", "{corpus}", "--split", "dev"), "--split 'dev' is not known"),
        (("{model}", "{corpus}", "--baselines", "svn"), "there is no baseline 'svn'"),
        (("{model}", "{corpus}", "--noise", "nowhere", "--robustness"), "nowhere"),
        (("{model}", "{corpus}", "--noise", "nowhere"), "--noise does nothing without --robustness"),
        (("{model}", "{corpus}", "--against", "nowhere"), "go with --from-feedback"),
        (("{model}", "{corpus}", "--seed", "4294967296"), "4294967295"),
        (("nowhere/at/all", "{corpus}"), "there is no model folder"),
        (("{model}", "{corpus}", "--from-feedback", "f.jsonl"), "leave one of the two out"),
        (("--from-feedback", "nowhere.jsonl"), "nowhere.jsonl is missing"),
        (("nowhere.yaml", "{corpus}"), "nowhere.yaml"),
    ],
)
def test_mistakes_get_one_sentence(
    mmser: Run, corpus: Path, model: str, arguments: tuple[str, ...], message: str
):
    ran = mmser("evaluate", *(a.format(model=model, corpus=corpus) for a in arguments), "--quiet")
    assert ran.code in (1, 2) and message in ran.error and ran.out == ""


def test_data_without_splits_name_the_option(mmser: Run, model: str, tmp_path: Path):
    manifest = write_corpus(tmp_path / "own", speakers=2, each=1, splits=False)
    ran = mmser("evaluate", model, manifest, "--quiet")
    assert ran.code == 1 and "--split all" in ran.error
    whole = mmser("evaluate", model, manifest, "--split", "all", "--json", "--quiet")
    assert whole.code == 0 and json.loads(whole.out)["parts"][0]["n"] == 6
    assert "no training rows" in " ".join(json.loads(whole.out)["warnings"])


def test_an_earlier_result_is_not_replaced_unasked(mmser: Run, corpus: Path, model: str, result: Path):
    before = (result / FILES["json"]).read_bytes()
    ran = mmser("evaluate", model, corpus, "--quiet", "-o", result)
    assert ran.code == 1 and "--overwrite" in ran.error
    assert (result / FILES["json"]).read_bytes() == before


def test_a_full_disk_leaves_nothing_behind(mmser: Run, corpus: Path, model: str, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    ran = mmser("evaluate", model, corpus, "--quiet", "-o", tmp_path / "file" / "out")
    assert ran.code == 1 and "a file stands where the output folder should be" in ran.error


def test_results_of_a_model_and_a_baseline_can_be_compared(
    mmser: Run, corpus: Path, result: Path, tmp_path: Path
):
    assert mmser("baseline", "svm", corpus, "--quiet", "-o", tmp_path).code == 0
    ran = mmser("compare", result, tmp_path / "svm", "--draws", 100)
    assert ran.code == 0, ran.err
    assert "UAR" in ran.out and "svm" in ran.out


def test_the_command_in_the_result_is_the_one_that_was_typed(
    mmser: Run, corpus: Path, model: str, tmp_path: Path
):
    options = ["--no-views", "--baselines", "none", "--spliced-calls", "0", "--draws", "200"]
    ran = mmser("evaluate", model, corpus, *options, "--json", "--quiet")
    assert json.loads(ran.out)["settings"]["command"] == (
        f"mmser evaluate {Path(model).name} made.csv --draws 200 --baselines none --no-views "
        "--spliced-calls 0"
    )
    assert mmser("baseline", "majority", corpus, "--quiet", "-o", tmp_path).code == 0
    command = read(tmp_path / "majority").settings["command"]
    assert command == "mmser baseline majority made.csv"


def test_a_seed_that_was_given_is_typed_again_though_it_is_the_default():
    # Without it a training takes the seed of its configuration.
    given = Request(
        model="joint.yaml",
        corpora=Path("mine.csv"),
        data=None,
        protocol="speaker-folds",
        training_seed=0,
        given=frozenset({"seed", "protocol"}),
    )
    assert given.shown()["command"] == "mmser evaluate joint.yaml mine.csv --protocol speaker-folds --seed 0"


def test_settings_of_a_training_name_no_place_on_this_machine():
    given = Request(
        model="joint.yaml",
        corpora=Path("mine.csv"),
        data=None,
        overrides=(
            "model.text_encoder=/home/me/minilm",
            "model={text_encoder: ~/enc, options: {a/b: 1}}",
            "seed=1",
        ),
    )
    shown = given.shown()
    assert shown["set"] == "model.text_encoder=minilm model={text_encoder: enc, options: {a/b: 1}} seed=1"
    assert "--set model.text_encoder=minilm" in shown["command"] and "/home" not in str(shown)
    assert "set" not in Request(model="m", corpora=Path("mine.csv"), data=None).shown()


def test_words_of_a_script_are_not_read(mmser: Run, model: str, tmp_path: Path):
    manifest = write_corpus(tmp_path / "scripted")
    text = manifest.read_text("utf-8").splitlines()
    scripted = [f"{text[0]},sentence", *(f"{line},said by all" for line in text[1:])]
    manifest.write_text("\n".join(scripted) + "\n", "utf-8")
    ran = mmser("evaluate", model, manifest, "--baselines", "auto", "--json", "--quiet")
    said = json.loads(ran.out)
    assert said["views"] == [] and {row["name"] for row in said["baselines"]} == {"majority", "svm"}
    assert any("heard, not read" in warning for warning in said["warnings"])


def broken(corpus: Path, folder: Path, *names: str) -> Path:
    """Copy a corpus; some of its clips hold no sound there."""
    folder.mkdir()
    for path in corpus.parent.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    for name in names:
        (folder / f"{name}.wav").write_bytes(f"no sound {name}".encode())
    return folder / corpus.name


def test_a_clip_that_a_baseline_cannot_hear_is_left_out_and_told(
    mmser: Run, corpus: Path, model: str, tmp_path: Path
):
    manifest = broken(corpus, tmp_path / "broken", "0-anger-0", "3-anger-0")
    ran = mmser("evaluate", model, manifest, "--baselines", "svm,majority", "--json", "--quiet")
    said = json.loads(ran.out)
    assert ran.code == 0, ran.err
    assert said["parts"][0]["n"] == 11 and list(said["left_out"]) == ["made/3-anger-0"]
    # Each is compared on the rows that both answered, though the majority answers all.
    assert [(row["name"], row["n"]) for row in said["baselines"]] == [("svm", 11), ("majority", 11)]
    (told,) = [text for text in said["warnings"] if "baseline svm" in text]
    assert "without 1 clip" in told and "0-anger-0" in told


def test_a_baseline_is_scored_without_the_clips_that_it_cannot_hear(mmser: Run, corpus: Path, tmp_path: Path):
    manifest = broken(corpus, tmp_path / "broken", "0-anger-0", "2-anger-0", "3-anger-0", "3-anger-1")
    ran = mmser("baseline", "svm,cnn", manifest, "--draws", 100, "--quiet", "-o", tmp_path / "out")
    assert ran.code == 0, ran.err
    for name in ("svm", "cnn"):
        said = read(tmp_path / "out" / name)
        assert said.parts[0].n == 10 and sorted(said.left_out) == ["made/3-anger-0", "made/3-anger-1"]
        assert any("without 2 clips" in warning for warning in said.warnings)


def test_clips_that_are_all_unreadable_are_an_error(mmser: Run, corpus: Path, tmp_path: Path):
    names = {split: [p.stem for p in corpus.parent.glob(f"{split}*.wav")] for split in ("[01]-", "[34]-")}
    for split, message in (("[01]-", "training clips"), ("[34]-", "rows that test got an answer")):
        manifest = broken(corpus, tmp_path / split[1], *names[split])
        ran = mmser("baseline", "svm", manifest, "--quiet")
        assert ran.code == 1 and message in ran.error and ".wav" in ran.error, ran.error


def test_what_is_read_is_never_written_over(mmser: Run, model: str, tmp_path: Path, result: Path):
    manifest = write_corpus(tmp_path / "out", speakers=5, each=1)
    data = manifest.rename(tmp_path / "out" / FILES["csv"])
    before = data.read_bytes()
    ran = mmser("evaluate", model, data, "--overwrite", "--quiet", "-o", tmp_path / "out")
    assert ran.code == 2 and "over the data" in ran.error and data.read_bytes() == before
    kept = (result / FILES["json"]).read_bytes()
    ran = mmser("compare", result, result, "--json", result / FILES["json"], "--overwrite")
    assert ran.code == 2 and "over what is read" in ran.error
    assert (result / FILES["json"]).read_bytes() == kept


def test_a_corpus_may_not_be_called_as_all_of_them_are(mmser: Run, model: str, tmp_path: Path):
    manifest = write_corpus(tmp_path)
    lines = manifest.read_text("utf-8").splitlines()
    named = [f"{lines[0]},corpus", *(f"{line},all" for line in lines[1:])]
    manifest.write_text("\n".join(named) + "\n", "utf-8")
    ran = mmser("evaluate", model, manifest, "--quiet")
    assert ran.code == 1 and "is called 'all'" in ran.error


def test_rows_that_are_not_scored_are_counted(mmser: Run, model: str, tmp_path: Path):
    manifest = write_corpus(tmp_path)
    lines = manifest.read_text("utf-8").splitlines()
    named = [f"{lines[0]},change", *(f"{line},none" for line in lines[1:])]
    named[-1] = named[-1].replace(",sadness,", ",,").removesuffix("none")
    manifest.write_text("\n".join(named) + "\n", "utf-8")
    said = json.loads(mmser("evaluate", model, manifest, "--baselines", "none", "--json", "--quiet").out)
    assert said["parts"][0]["n"] == 11
    assert any("1 rows carry no label" in warning for warning in said["warnings"])
    assert any("11 rows carry a change" in warning for warning in said["warnings"])
