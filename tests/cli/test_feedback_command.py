"""`mmser evaluate --from-feedback`: text, JSON and Markdown of past reports; drift where it can be told."""

import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from mmser.evaluation.feedback.profile import profile_of, write_profile
from mmser.evaluation.feedback.scoring import FeedbackResult
from mmser.evaluation.judged import emotion_only
from mmser.loading import describe_model
from mmser.types import ModelInfo
from tests.evaluation.feedback_lines import line, write_lines
from tests.evaluation.two_results import example


def _lines(path: Path, info: ModelInfo, *, calls: int = 12, **fields: object) -> Path:
    rest = {label: 0.0 for label in info.labels[1:]} | {info.labels[1]: 0.3}
    said = {
        "model_id": info.id,
        "model_revision": info.revision,
        "probabilities": {info.labels[0]: 0.7, **rest},
        "predicted_top": info.labels[0],
        "predicted_label": info.labels[0],
    }
    return write_lines(
        path,
        *(
            line(call, turn, info.labels[turn % 2], **(said | fields))
            for call in range(calls)
            for turn in range(4)
        ),
    )


def _profile(info: ModelInfo, revision: str) -> str:
    rng = np.random.default_rng(0)
    values = rng.dirichlet(np.ones(len(info.labels)), 80)
    examples = [example(place, info.labels[0], place % 8) for place in range(80)]
    judged = emotion_only(examples, info.labels, values)
    kinds, lengths = ["audio"] * 80, [1.0 + place % 5 for place in range(80)]
    return write_profile(
        profile_of(
            judged, patterns=kinds, lengths=lengths, lacks={"fused": "no such clips"}, revision=revision
        )
    )


@pytest.fixture
def folder(model: str, tmp_path: Path) -> Path:
    """A model folder of one's own."""
    return Path(shutil.copytree(model, tmp_path / "own"))


def test_tables_with_whole_names_and_a_markdown_beside_the_json(mmser, folder: Path, tmp_path: Path):
    info = describe_model(folder)
    (folder / "validation_profile.json").write_text(_profile(info, info.revision), "utf-8")
    path = _lines(tmp_path / "f.jsonl", info)
    ran = mmser("evaluate", folder, "--from-feedback", path, "-o", tmp_path / "out")
    assert ran.code == 0 and all(ran.out.count(label) >= 2 for label in info.labels)
    assert "sound and words (48 of 12 calls): not compared" in ran.out and "(no such clips)" in ran.out
    assert "length of the sound (48 of 12 calls, 80 of validation): bootstrap" in ran.out
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == [
        "feedback.md",
        "feedback_evaluation.json",
    ]
    found = FeedbackResult.from_dict(json.loads((tmp_path / "out" / "feedback_evaluation.json").read_text()))
    assert found.drift is not None and found.drift.lengths is not None
    page = (tmp_path / "out" / "feedback.md").read_text("utf-8")
    assert "48 corrected turns of 12 calls, 24 of them confirmed as they were. " in page
    assert f"Model own, revision {info.revision}; " in page
    assert "seed 0" in page and "| UAR, % (chance" in page and "no random sample" in page
    heads = ["Scores", "Heard as (rows) and said (columns)", "Turns by call", "Drift: what is said here"]
    assert all(f"### {head}" in page for head in heads)
    again = mmser("evaluate", folder, "--from-feedback", path, "-o", tmp_path / "out")
    assert again.code == 1 and "--overwrite" in again.error and again.out == ""


def test_a_profile_of_another_model_or_a_damaged_one_is_a_warning(mmser, folder: Path, tmp_path: Path):
    info = describe_model(folder)
    path = _lines(tmp_path / "f.jsonl", info)
    profile = folder / "validation_profile.json"
    for text, message in (
        (_profile(info, "a" * 64), "is of another model than the weights beside it (aaaaaaaaaaaa and "),
        (
            _profile(info, "").replace('"n": 80', '"n": 1e9', 1),
            "parts.all.n is 1000000000.0, and must be a whole",
        ),
    ):
        profile.write_text(text, "utf-8")
        ran = mmser("evaluate", folder, "--from-feedback", path)
        assert ran.code == 0 and "Drift" not in ran.out and "UAR" in ran.out
        assert ran.err.count("mmser: warning: drift is not told: ") == 1 and message in ran.err
    profile.write_text(_profile(info, "a" * 64), "utf-8")
    asked = mmser("evaluate", folder, "--from-feedback", path, "--against", profile)
    assert asked.code == 1 and "the reference is of the model aaaaaaaaaaaa" in asked.error


def test_corrections_come_through_a_pipe(mmser, folder: Path, tmp_path: Path):
    path = _lines(tmp_path / "f.jsonl", describe_model(folder))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(path.read_bytes(),))
    writer.start()
    ran = mmser("evaluate", folder, "--from-feedback", pipe, "--json", "--quiet")
    writer.join()
    assert FeedbackResult.from_dict(json.loads(ran.out)).n == 48
    writer = threading.Thread(target=pipe.write_bytes, args=(path.read_bytes(),))
    writer.start()
    twice = mmser("evaluate", folder, "--from-feedback", pipe, "--from-feedback", pipe)
    writer.join()
    assert twice.code == 1 and "is a pipe, which can be read once, and is given twice" in twice.error


def test_unknown_labels_come_all_at_once_with_counts_and_places(mmser, folder: Path, tmp_path: Path):
    info = describe_model(folder)
    files = [
        _lines(tmp_path / "a.jsonl", info, calls=2, corrected_label="happy"),
        _lines(tmp_path / "b.jsonl", info, calls=1, corrected_label="boredom", recording_sha256="f" * 64),
    ]
    ran = mmser("evaluate", folder, "--from-feedback", files[0], "--from-feedback", files[1])
    assert ran.code == 1 and ran.out == ""
    assert f"'happy' (8 times, first in {files[0]}, line 1" in ran.error
    assert f"'boredom' (4 times, first in {files[1]}, line 1)" in ran.error
    assert f"none of the report's labels, which are {', '.join(info.labels)}" in ran.error


def test_a_place_that_cannot_be_written_is_refused_before_the_work(mmser, folder: Path, tmp_path: Path):
    path = _lines(tmp_path / "f.jsonl", describe_model(folder))
    (tmp_path / "file").touch()
    for output, message in (
        (tmp_path / "file", "a file stands where the output folder should be"),
        ("/proc/new", "cannot be written"),
    ):
        ran = mmser("evaluate", folder, "--from-feedback", path, "-o", output)
        assert ran.code == 1 and message in ran.error and ran.out == ""
    page = path.rename(tmp_path / "feedback.md")
    ran = mmser("evaluate", folder, "--from-feedback", page, "-o", tmp_path, "--overwrite")
    assert ran.code == 2 and "would be written over the corrections" in ran.error
