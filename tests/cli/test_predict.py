"""`mmser predict`, `mmser info` and what all commands share."""

import csv
import io
import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mmser import __version__
from mmser.cli import app
from tests.call_fixtures import voice, wav_bytes


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "one.wav", tmp_path / "two.wav"]
    for path, pitch in zip(paths, (110, 230), strict=True):
        path.write_bytes(wav_bytes(voice(1.5, ((0.0, 1.5),), pitch=pitch, seed=6)))
    return paths


def test_json_holds_every_clip_and_the_notice(mmser, clips, model: str):
    ran = mmser(
        "predict", *clips, "--text", "so angry", "--text", "thank you", "--format", "json", "--model", model
    )
    assert ran.code == 0
    document = json.loads(ran.out)
    assert document["schema"] == "mmser.clips/1" and "AI Act" in document["notice"]
    assert [Path(clip["clip"]).name for clip in document["clips"]] == ["one.wav", "two.wav"]
    for clip in document["clips"]:
        assert clip["modalities"] == ["audio", "text"]
        assert sum(clip["emotion"]["probabilities"].values()) == pytest.approx(1, abs=1e-3)
        assert "AI Act" in clip["notice"]


def test_csv_has_a_row_for_each_clip(mmser, clips, model: str):
    ran = mmser("predict", *clips, "--format", "csv", "--quiet", "--model", model)
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    assert len(rows) == 2 and ran.out.count("\r\n") == 3
    assert "AI Act" in ran.err and len(ran.err.splitlines()) == 1  # quiet, but never without the notice
    assert all(row["modalities"] == "audio" and 0 <= float(row["anger"]) <= 1 for row in rows)


def test_the_table_names_each_clip(mmser, clips, model: str):
    ran = mmser("predict", *clips, "--model", model)
    head, _, *rows = ran.out.splitlines()
    assert head.split()[:3] == ["clip", "emotion", "confidence"]
    first_lines = [row for row in rows if row.startswith("  ") and row[2:3].strip()]  # the others are folds
    assert [row.split()[0] for row in first_lines] == ["one.wav", "two.wav"]
    assert "AI Act" in rows[-1]


def test_a_failed_clip_fails_the_command_but_not_the_others(mmser, clips, model: str, tmp_path: Path):
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    ran = mmser("predict", tmp_path / "bad.wav", clips[0], "--format", "json", "--model", model)
    assert ran.code == 1 and "bad.wav" in ran.error
    bad, good = json.loads(ran.out)["clips"]
    assert bad["error"] and good["emotion"]


def test_texts_must_match_the_clips(mmser, clips, model: str):
    ran = mmser("predict", *clips, "--text", "one only", "--model", model)
    assert ran.code == 2 and "1 texts are given for 2 clips" in ran.error


def test_words_alone_are_judged_and_what_is_missing_says_why(mmser, model: str):
    texts = ("--text", "i am so angry", "--text", "thank you")
    ran = mmser("predict", *texts, "--format", "json", "--model", model)
    assert ran.code == 0
    one, two = json.loads(ran.out)["clips"]
    assert (one["clip"], two["clip"]) == ("text 1", "text 2")
    assert one["modalities"] == ["text"] and one["emotion"] and one["text_only"]
    for field in ("duration", "channel", "loudness_dbfs", "audio_only"):
        assert one[field] is None and one["reasons"][field] == "there is no recording"
    assert one["intensity"] is None
    assert one["reasons"]["intensity"] == "judged from sound, and none was used"
    assert one["emotion"] != two["emotion"]
    table = mmser("predict", *texts, "--model", model)
    assert table.code == 0 and "text 1" in table.out


def test_an_unread_language_alone_has_a_reason_instead_of_an_answer(mmser, model: str):
    ran = mmser("predict", "--text", "merci", "--language", "fr", "--format", "json", "--model", model)
    (only,) = json.loads(ran.out)["clips"]
    assert ran.code == 0 and only["emotion"] is None
    assert only["reasons"]["emotion"] == "the model does not read this language"


def test_predict_without_a_clip_or_words_exits_two(mmser):
    ran = mmser("predict")
    assert ran.code == 2 and "name audio clips, or give --text" in ran.error


def test_info_names_the_model(mmser, model: str):
    ran = mmser("info", model, "--json")
    about = json.loads(ran.out)
    assert about["mmser"] == __version__ and len(about["model"]["revision"]) == 64
    assert "abstains below" in mmser("info", model).out


def test_info_names_the_marks_of_a_model(mmser, model: str, tmp_path: Path):
    assert "marks" not in mmser("info", model).out
    folder = shutil.copytree(model, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    mark = "meld: speaker-overlapping, dialogue-disjoint"
    (folder / "config.json").write_text(json.dumps(config | {"training_mark": mark}))
    assert f"  marks: {mark}" in mmser("info", str(folder)).out


def test_the_version_is_printed(mmser):
    ran = mmser("--version")
    assert (ran.code, ran.out) == (0, f"mmser {__version__}\n")


@pytest.mark.parametrize("command", ["analyze", "predict", "info"])
def test_every_help_has_examples(command: str):
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert "Examples:" in result.output
    assert re.search(rf"mmser {command}", result.output.split("Examples:")[1])


@pytest.mark.parametrize(("stated", "read"), [("English", True), ("en-US", True), ("pl", False)])
def test_the_language_of_a_text_may_be_named_in_any_form(mmser, model: str, stated: str, read: bool):
    words = ("predict", "--text", "so angry", "--format", "json", "--model", model)
    clip = json.loads(mmser(*words, "--language", stated).out)["clips"][0]
    assert (clip["emotion"] is not None) == read


def test_a_language_that_is_none_is_refused(mmser, model: str):
    ran = mmser("predict", "--text", "so angry", "--language", "12", "--model", model)
    assert ran.code == 2 and "'12' is not known" in ran.error
