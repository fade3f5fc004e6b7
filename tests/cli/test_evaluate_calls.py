"""`mmser evaluate` on calls: whose turns are scored, with recognised words, several labels under folds."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mmser.cli.evaluation import FILES
from mmser.evaluation.comparing.answers import read_answers
from mmser.evaluation.result import Evaluation
from tests.cli.conftest import Ran
from tests.transcription.whisper_fixtures import write_hugging_face

Run = Callable[..., Ran]
SAMPLE = Path(__file__).parents[2] / "mmser" / "assets" / "sample"
HEADER = "recording,turn,role,emotion,speaker,split\n"


def read(folder: Path) -> Evaluation:
    return Evaluation.from_dict(json.loads((folder / FILES["json"]).read_text("utf-8")))


def call(folder: Path, labels: str) -> Path:
    """Put the bundled call and its transcript into a folder, with labels of some turns."""
    folder.mkdir()
    for path in SAMPLE.glob("call.*"):
        if path.suffix in (".wav", ".vtt"):
            shutil.copy(path, folder)
    (folder / "labels.csv").write_text(HEADER + labels, "utf-8")
    return folder


def turns_of(role: str) -> list[str]:
    from mmser.transcripts import read_transcript

    turns = read_transcript(SAMPLE / "call.vtt").turns
    return [turn.id for turn in turns if role in f"{turn.speaker} {turn.role}".lower()]


def test_agents_are_context_and_never_scored(mmser: Run, model: str, tmp_path: Path):
    labels = "".join(f"call,{turn},,anger,ann,test\n" for turn in turns_of("customer")[:3])
    folder = call(tmp_path / "calls", labels)
    options = ("--draws", 100, "--baselines", "none", "--quiet", "-o", tmp_path / "out")
    ran = mmser("evaluate", model, folder, *options)
    assert ran.code == 0, ran.err
    answers = read_answers(tmp_path / "out" / FILES["csv"])
    assert len(answers) == 3 and {e.speaker for e in answers.examples} == {"calls/ann"}
    labels = "".join(f"call,{turn},,anger,bob,test\n" for turn in turns_of("agent")[:3])
    ran = mmser("evaluate", model, call(tmp_path / "agents", labels), "--quiet")
    assert ran.code == 1 and "agent" in ran.error


def test_recognised_words_stand_beside_given_ones(mmser: Run, model: str, tmp_path: Path):
    said = ((0.0, "My parcel is late", 2.0),)
    weights = f"hf:{write_hugging_face(tmp_path / 'says', *said)}"
    labels = "".join(f"call,{turn},,anger,ann,test\n" for turn in turns_of("customer"))
    folder = call(tmp_path / "calls", labels)
    options = ("--asr", weights, "--draws", 100, "--baselines", "none", "--quiet", "-o", tmp_path / "out")
    ran = mmser("evaluate", model, folder, *options)
    assert ran.code == 0, ran.err
    result = read(tmp_path / "out")
    (view,) = [one for one in result.views if one.name == "recognised words" and one.metric == "UAR"]
    assert view.n == len(turns_of("customer")) and "word error rate" in view.note
    assert "recognised words" in (tmp_path / "out" / FILES["html"]).read_text("utf-8")


def test_thresholds_of_several_labels_are_each_folds_own(mmser: Run, tmp_path: Path):
    # Words tell both labels; each writer has rows of one label and of two.
    rng = np.random.default_rng(0)
    words = {"anger": ["late", "awful", "worst"], "sadness": ["lost", "sorry", "gone"]}
    rows = []
    for writer in range(9):
        for number, kinds in enumerate((("anger",), ("sadness",), ("anger", "sadness"), ("neutral",)) * 3):
            text = " ".join(rng.choice(words[kind]) for kind in kinds if kind in words) or "hello there"
            rows.append(f"{writer}-{number},{text},{'|'.join(kinds)},w{writer}\n")
    table = tmp_path / "written.csv"
    table.write_text("id,text,emotion,speaker\n" + "".join(rows), "utf-8")
    options = ("--protocol", "speaker-folds", "--folds", 3, "--draws", 100, "--quiet", "-o", tmp_path / "out")
    ran = mmser("baseline", "tfidf", table, *options)
    assert ran.code == 0, ran.err
    result = read(tmp_path / "out" / "tfidf")
    (part,) = result.parts
    assert part.n == 108 and part.multi_label is not None and part.emotion is not None
    assert part.multi_label.n == 108 and part.emotion.n == 81  # those with exactly one
    assert (part.multi_label.macro_f1.value or 0) > 80
    assert len(result.protocol.folds) == 3 and all(fold.validation for fold in result.protocol.folds)
