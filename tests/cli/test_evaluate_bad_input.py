"""What `mmser evaluate` and `mmser baseline` refuse, in a sentence and before the work; how they stop."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmser.cli.evaluation import FILES
from tests.cli.conftest import Ran
from tests.evaluation.made_clips_to_judge import write_corpus
from tests.training.training_fixtures import ROOT, joint_config, made_data, made_rows, write_config
from tests.training.training_fixtures import write_manifest as write_rows

Run = Callable[..., Ran]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration whose training takes a moment, on clips of five speakers."""
    folder = made_data(tmp_path_factory.mktemp("training"))
    tones = [row for row in made_rows(folder) if row["corpus"] == "tones"]
    data = {"corpus": "manifest", "path": str(write_rows(folder, tones, "tones.csv"))}
    return write_config(folder / "joint.yaml", **joint_config(folder, data=[data], joint__steps=2))


# --- options -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--robustness-rows", "5"), "--robustness-rows does nothing without --robustness"),
        (("--rooms", "."), "--rooms does nothing without --robustness"),
        (("--folds", "5"), "--folds does nothing with --protocol split; give speaker-folds or text-indep"),
        (("--work", "w"), "--work is of trainings"),
        (("--restart",), "--restart is of trainings"),
        (("--output", ""), "--output' / '-o': the path is empty"),
        (("--data", " "), "--data': the path is empty"),
        (("--spliced-calls", "1000000"), "100"),
        (("--draws", "10000000"), "100000"),
        (("--model-dir", "w"), "--model-dir does nothing without --asr"),
        (("--set", "seed=1"), "--set is of trainings"),
        (("--asr", "smal"), "whisper:small"),
        (("--work", "w", "--from-feedback", "f.jsonl"), "leave one of the two out"),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    mmser: Run, corpus: Path, model: str, options: tuple[str, ...], message: str
):
    ran = mmser("evaluate", model, corpus, *options, "--quiet")
    assert ran.code == 2 and message in ran.error and ran.out == ""


def test_what_scores_a_corpus_does_not_go_with_corrections(mmser: Run, model: str):
    ran = mmser("evaluate", model, "--robustness", "--from-feedback", "f.jsonl", "--quiet")
    assert ran.code == 2 and "--robustness says how a corpus is scored" in ran.error


def test_empty_arguments_are_refused(mmser: Run, corpus: Path, model: str):
    for arguments in (("", corpus), (model, ""), ("", "")):
        ran = mmser("evaluate", *arguments, "--quiet")
        assert ran.code == 2 and "is empty" in ran.error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none", "{corpus}"), "none names no baseline"),
        (("svm,all", "{corpus}"), "all stands for baselines of its own"),
        (("svn", "nowhere.csv"), "there is no baseline 'svn'"),  # before anything is read
        (("majority", "{corpus}", "--split", "all"), "none is left to train on; give --protocol"),
        (("majority", "{corpus}", "--folds", "4"), "--folds does nothing"),
        (("majority", ""), "the path is empty"),
    ],
)
def test_mistakes_with_baselines_get_one_sentence(
    mmser: Run, corpus: Path, arguments: tuple[str, ...], message: str
):
    ran = mmser("baseline", *(a.format(corpus=corpus) for a in arguments), "--quiet")
    assert ran.code == 2 and message in ran.error and ran.out == ""


def test_all_rows_cannot_be_tested_by_what_is_trained_on_them(mmser: Run, training: Path, tmp_path: Path):
    ran = mmser("evaluate", training, "--split", "all", "--quiet", "-o", tmp_path / "out")
    assert ran.code == 2 and "none is left to train on; give --protocol" in ran.error
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_is_not_waited_for(mmser: Run, tmp_path: Path):
    os.mkfifo(tmp_path / "rows.csv")
    ran = mmser("baseline", "majority", tmp_path / "rows.csv", "--quiet")
    assert ran.code == 2 and "neither a file nor a folder" in ran.error


def test_spliced_calls_that_are_asked_for_and_cannot_be_made_are_told(mmser: Run, model: str, tmp_path: Path):
    (tmp_path / "own.csv").write_text(
        "id,text,emotion,split\n1,hello,anger,test\n2,bye,sadness,test\n", "utf-8"
    )
    options = (tmp_path / "own.csv", "--baselines", "none", "--quiet")
    assert "no calls are spliced" not in mmser("evaluate", model, *options).out
    assert "no calls are spliced" in mmser("evaluate", model, *options, "--spliced-calls", "2").out


# --- places ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["-o", "--work"])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    mmser: Run, training: Path, tmp_path: Path, option: str
):
    ran = mmser("evaluate", training, "--protocol", "leave-one-speaker-out", option, "/proc/mmser/out")
    assert ran.code == 1 and "/proc/mmser/out: cannot be written" in ran.error
    assert "judging" not in ran.err and "step" not in ran.err


def test_a_folder_of_baselines_that_cannot_be_written_is_refused_before_the_work(mmser: Run, corpus: Path):
    ran = mmser("baseline", "majority", corpus, "-o", "/proc/mmser/out")
    assert ran.code == 1 and "cannot be written" in ran.error and "training" not in ran.err


@pytest.mark.parametrize(
    "command",
    [
        ("analyze", "{clip}", "--no-asr", "-o", "/proc/mmser/out"),
        ("compare", "nowhere", "nowhere else", "--json", "/proc/mmser/c.json"),
        ("audit", "{config}", "--data", "{folder}", "--json", "/proc/mmser/a.json"),
    ],
)
def test_other_commands_too_look_first_whether_they_can_write(
    mmser: Run, corpus: Path, training: Path, command: tuple[str, ...]
):
    names = {"clip": corpus.parent / "0-anger-0.wav", "config": training, "folder": corpus.parent}
    ran = mmser(*(part.format(**names) for part in command))
    assert ran.code == 1 and "/proc/mmser: cannot be written" in ran.error.replace("/out", "")
    assert "…" not in ran.err  # nothing is under way


def test_data_that_a_configuration_names_are_not_written_over(mmser: Run, model: str, tmp_path: Path):
    rows = write_corpus(tmp_path / "out").rename(tmp_path / "out" / FILES["csv"])
    data = [{"corpus": "manifest", "path": f"out/{rows.name}"}]
    config = write_config(tmp_path / "data.yaml", data=data)
    before = rows.read_bytes()
    options = ("--data", tmp_path, "--overwrite", "--quiet", "-o", tmp_path / "out")
    ran = mmser("evaluate", model, config, *options)
    assert ran.code == 2 and "over the data" in ran.error and rows.read_bytes() == before


# --- what is told ------------------------------------------------------------------------------------------


def test_labels_of_agents_alone_are_told_as_what_they_are(mmser: Run, model: str, tmp_path: Path):
    manifest = tmp_path / "own.csv"
    head = "id,text,emotion,role,split,speaker\n"
    manifest.write_text(f"{head}1,hello,anger,agent,test,a\n2,thank you,,customer,test,b\n", "utf-8")
    ran = mmser("evaluate", model, manifest, "--quiet")
    assert ran.code == 1 and "all 1 labelled rows of" in ran.error and "are turns of agents" in ran.error
    manifest.write_text(f"{head}1,hello,anger,agent,test,a\n2,thanks,anger,customer,train,b\n", "utf-8")
    for command in (("evaluate", model), ("baseline", "tfidf")):
        ran = mmser(*command, manifest, "--quiet")
        assert ran.code == 1 and "rows that test" in ran.error and "turns of agents" in ran.error


def test_the_last_line_says_which_baselines_failed(mmser: Run, tmp_path: Path):
    manifest = write_corpus(tmp_path / "made")
    lines = manifest.read_text("utf-8").splitlines()
    bare = [lines[0], *(line.replace("where is my parcel", "") for line in lines[1:])]
    bare = [line.replace("i am so anger", "").replace("i am so sadness", "") for line in bare]
    manifest.write_text("\n".join(bare) + "\n", "utf-8")
    ran = mmser("baseline", "tfidf,majority", manifest, "--draws", 100, "--quiet")
    assert ran.code == 1 and "majority" in ran.out
    assert "1 of 2 baselines could not be trained and scored: tfidf" in ran.error
    assert ran.err.splitlines()[-1] == ran.error


def test_chosen_settings_are_told_in_words(mmser: Run, corpus: Path, tmp_path: Path):
    ran = mmser("baseline", "tfidf,decision-tree", corpus, "--draws", 100, "--quiet", "-o", tmp_path)
    assert ran.code == 0, ran.err
    for name, shown in (("tfidf", "classes"), ("decision-tree", "depth")):
        said = json.loads((tmp_path / name / FILES["json"]).read_text("utf-8"))
        chosen = said["settings"]["chosen in split"]
        assert shown in chosen and "None" not in chosen and "_" not in chosen


def test_a_note_is_told_once_however_many_folds_there_are(mmser: Run, training: Path, tmp_path: Path):
    ran = mmser(
        *("evaluate", training, "--protocol", "speaker-folds", "--folds", "3", "--draws", "100"),
        *("--baselines", "none", "--quiet", "--json", "--work", tmp_path / "work"),
    )
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)["warnings"]
    assert len(told) == len(set(told)) == 2
    # No fold's validation rows are enough for a temperature.
    assert any("temperature of sound alone was not fitted in fold 1, fold 2, fold 3" in one for one in told)


def test_folds_are_trained_without_clips_that_cannot_be_used(mmser: Run, training: Path, tmp_path: Path):
    folder = tmp_path / "broken"
    shutil.copytree(training.parent, folder)
    (folder / "a_anger_0.wav").write_bytes(b"no sound")
    config = folder / training.name
    config.write_text(training.read_text("utf-8").replace(str(training.parent), str(folder)), "utf-8")
    ran = mmser(
        *("evaluate", config, "--protocol", "speaker-folds", "--folds", "3", "--draws", "100"),
        *("--baselines", "none", "--quiet", "--json", "--work", tmp_path / "work"),
    )
    assert ran.code == 0, ran.err
    said = json.loads(ran.out)
    assert list(said["left_out"]) == ["tones/a_anger_0"] and said["parts"][0]["n"] == 34
    (told,) = [one for one in said["warnings"] if "trained and calibrated without 1 clip" in one]
    assert "tones/a_anger_0" in told


def test_a_row_of_ten_hours_is_left_out_and_told(mmser: Run, model: str, tmp_path: Path):
    manifest = write_corpus(tmp_path / "made")
    minute = np.sin(np.arange(60 * 1000) / 3).astype(np.float32)
    with soundfile.SoundFile(tmp_path / "made" / "3-anger-0.wav", "w", 1000, 1) as file:
        for _ in range(600):
            file.write(minute)
    options = ("--baselines", "svm", "--no-views", "--spliced-calls", "0", "--draws", "100")
    ran = mmser("evaluate", model, manifest, *options, "--json", "--quiet")
    assert ran.code == 0, ran.err
    said = json.loads(ran.out)
    assert list(said["left_out"]) == ["made/3-anger-0"] and said["parts"][0]["n"] == 11
    assert "it lasts 10.0 h, and a row may last 2 h at most" in said["left_out"]["made/3-anger-0"]


def test_data_without_training_rows_fail_once(mmser: Run, tmp_path: Path):
    manifest = write_corpus(tmp_path / "made")
    lines = manifest.read_text("utf-8").splitlines()
    manifest.write_text("\n".join([lines[0], *lines[-3:]]) + "\n", "utf-8")
    ran = mmser("baseline", "all", manifest, "--quiet")
    assert ran.code == 1 and ran.err.count("\n") == 1
    assert "no training rows" in ran.error


def test_a_corpus_that_is_named_twice_is_told(mmser: Run, corpus: Path, model: str, tmp_path: Path):
    data = [{"corpus": "manifest", "path": str(corpus), "name": name} for name in ("one", "two")]
    config = write_config(tmp_path / "data.yaml", data=data)
    ran = mmser("evaluate", model, config, "--baselines", "none", "--no-views", "--quiet")
    assert ran.code == 0 and "12 rows are of a clip that another row is of" in ran.out


def test_rows_of_one_class_are_told(mmser: Run, corpus: Path, model: str, tmp_path: Path):
    lines = corpus.read_text("utf-8").splitlines()
    manifest = corpus.parent / "anger.csv"
    manifest.write_text("\n".join([lines[0], *(line for line in lines if ",anger," in line)]) + "\n", "utf-8")
    ran = mmser("evaluate", model, manifest, "--baselines", "none", "--no-views", "--quiet")
    assert ran.code == 0 and "all rows are labelled anger" in ran.out


def test_warnings_stand_beside_a_json_unless_quiet(mmser: Run, corpus: Path, model: str, tmp_path: Path):
    folder = tmp_path / "broken"
    folder.mkdir()
    for path in corpus.parent.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "3-anger-0.wav").write_bytes(b"no sound")
    options = ("--baselines", "none", "--no-views", "--spliced-calls", "0", "--json")
    ran = mmser("evaluate", model, folder / corpus.name, *options)
    assert ran.code == 0 and "warning: 1 row got no answer; the first, made/3-anger-0" in ran.err
    quiet = mmser("evaluate", model, folder / corpus.name, *options, "--quiet")
    assert quiet.err == "" and list(json.loads(quiet.out)["left_out"]) == ["made/3-anger-0"]


# --- Ctrl-C ------------------------------------------------------------------------------------------------


def started(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    paths = os.pathsep.join([environment.pop("first", ""), str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-m", "mmser", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment | {"PYTHONPATH": paths.strip(os.pathsep)},
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        "raise ImportError('initialization failed') from KeyboardInterrupt()",  # as extensions say it
        "exec('raise KeyboardInterrupt')",  # in code made from text, of which Python takes a note of its own
    ],
)
def test_ctrl_c_while_a_library_loads_is_no_bug(corpus: Path, tmp_path: Path, code: str):
    made = tmp_path / "sklearn"
    made.mkdir()
    (made / "__init__.py").write_text(f"{code}\n")
    running = started("baseline", "majority", corpus, first=str(tmp_path))
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130 and said.splitlines()[-1] == "mmser: error: interrupted"


@pytest.mark.slow
def test_ctrl_c_between_folds_says_what_is_kept_and_the_same_command_goes_on(
    mmser: Run, training: Path, tmp_path: Path
):
    work = tmp_path / "work"
    command = ("evaluate", training, "--protocol", "leave-one-speaker-out", "--draws", "100", "--quiet")
    command += ("--baselines", "none", "--work", work)
    running = started(*command)
    while running.poll() is None and not list(work.glob("*/model/model.safetensors")):
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130 and len(said.splitlines()) == 1
    assert f"interrupted; trained folds and checkpoints are kept in {work}" in said
    first = min(work.glob("*/joint.checkpoint.pt"), key=lambda path: path.stat().st_mtime_ns)
    before = first.stat().st_mtime_ns
    assert mmser(*command).code == 0
    assert first.stat().st_mtime_ns == before  # this fold was not trained again


@pytest.mark.slow
def test_ctrl_c_between_baselines_says_which_are_kept(corpus: Path, tmp_path: Path):
    running = started("baseline", "majority,cnn,bilstm", corpus, "--quiet", "-o", tmp_path)
    while running.poll() is None and not (tmp_path / "majority" / FILES["json"]).exists():
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130 and said == f"mmser: error: interrupted; kept in {tmp_path}: majority\n"
    assert [path.name for path in tmp_path.iterdir()] == ["majority"]
