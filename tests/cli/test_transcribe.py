"""`mmser transcribe`, with tiny Whisper weights that say a script."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmser import cli
from mmser.audio import open_recording
from mmser.cli.call_options import journal_of
from mmser.cli.transcribe import Format
from mmser.transcription.journal import Journal
from mmser.transcripts import read_transcript
from tests.transcription.whisper_fixtures import write_hugging_face

SAMPLE = Path(__file__).parents[2] / "mmser" / "assets" / "sample" / "call.wav"
SAID = ((0.0, "My card is 4111 1111 1111 1111, and", 2.0), (2.4, "nobody calls me.", 3.6))
MARKED = "My card is [card], and nobody calls me."


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return "hf:" + str(write_hugging_face(tmp_path_factory.mktemp("weights") / "says", *SAID))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, weights: str) -> Path:
    """A folder with the bundled call in every format."""
    folder = tmp_path_factory.mktemp("written")
    outputs = [part for shape in Format for part in ("-o", str(folder / f"call.{shape.value}"))]
    arguments = ["transcribe", str(SAMPLE), "--roles", "agent,customer", "--asr", weights, "-q"]
    assert cli.run([*arguments, *outputs]) == 0
    return folder


@pytest.mark.parametrize("shape", [shape.value for shape in Format])
def test_every_format_is_read_again_with_the_same_words_times_and_roles(written: Path, shape: str):
    read = read_transcript(written / f"call.{shape}")
    spoken = [turn for turn in read.turns if turn.text]
    assert len(spoken) == 4
    assert {turn.role for turn in spoken} == {"agent", "customer"}
    assert all(turn.text == " ".join(text for _, text, _ in SAID) for turn in spoken)
    assert spoken[0].start == pytest.approx(0.866, abs=0.002)


def test_the_json_says_how_the_words_were_recognised(written: Path):
    data = json.loads((written / "call.json").read_text("utf-8"))
    known = data["recognition"]
    assert known["version"].startswith("transformers ") and known["num_words"] == 44
    assert data["format"].endswith("says") and data["redaction"] is None
    assert data["language"] == known["language"] is not None
    assert not list(written.glob(".*")), "the journal is gone"


def test_without_an_output_it_is_printed(mmser, weights: str):
    ran = mmser("transcribe", SAMPLE, "--asr", weights, "--roles", "agent,customer", "--format", "vtt")
    assert ran.code == 0
    assert ran.out.startswith("WEBVTT\n") and ran.out.count("<v agent>") == 2


def test_redacted_words_are_in_no_output(mmser, weights: str, tmp_path: Path):
    outputs = [part for shape in Format for part in ("-o", tmp_path / f"call.{shape.value}")]
    pattern = "name=calls me"
    ran = mmser("transcribe", SAMPLE, "--asr", weights, "--redact-pattern", pattern, *outputs)
    assert ran.code == 0
    for shape in Format:
        text = (tmp_path / f"call.{shape.value}").read_text("utf-8")
        assert "4111" not in text and "calls me" not in text and "[card]" in text
    data = json.loads((tmp_path / "call.json").read_text("utf-8"))
    assert data["redaction"]["counts"] == {"card": 4, "name": 4}
    assert len(data["redaction"]["spans"]) >= 4
    spoken = [turn for turn in data["turns"] if turn["text"]]
    assert {turn["text"] for turn in spoken} == {MARKED.replace("calls me.", "[name].")}
    assert all("1111" not in word["text"] for turn in spoken for word in turn["words"])


def test_silence_gives_an_empty_transcript_and_says_so(mmser, weights: str, tmp_path: Path):
    soundfile.write(tmp_path / "still.wav", np.zeros((16_000 * 5, 2)), 16_000)
    outputs = [part for shape in Format for part in ("-o", tmp_path / f"call.{shape.value}")]
    ran = mmser("transcribe", tmp_path / "still.wav", "--asr", weights, *outputs)
    assert ran.code == 0 and "no speech was found" in ran.err
    assert (tmp_path / "call.vtt").read_text() == "WEBVTT\n"
    assert json.loads((tmp_path / "call.json").read_text())["turns"] == []


# --- crashes -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_and_gives_what_an_undisturbed_one_gives(
    mmser, weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    sound, rate = soundfile.read(SAMPLE)
    soundfile.write("long.wav", np.tile(sound, (3, 1)), rate)
    arguments = ["transcribe", "long.wav", "--roles", "agent,customer", "--asr", weights, "-o"]
    journal = journal_of(tmp_path / "killed.json")
    killed = subprocess.Popen(
        [sys.executable, "-m", "mmser", *arguments, "killed.json"],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.DEVNULL,
    )
    while killed.poll() is None and not (journal.exists() and b'"chunk"' in journal.read_bytes()):
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert b'"chunk"' in journal.read_bytes() and not Path("killed.json").exists()

    again, whole = mmser(*arguments, "killed.json"), mmser(*arguments, "whole.json")
    assert again.code == whole.code == 0
    assert "found what an earlier run recognised" in again.err
    assert "finding speech" in whole.err and "finding speech" not in again.err, "it did not begin anew"
    assert Path("killed.json").read_bytes() == Path("whole.json").read_bytes()
    assert not journal.exists()


def test_analyze_recognises_words_itself_and_leaves_no_journal(mmser, model, weights: str, tmp_path: Path):
    out = tmp_path / "out"
    arguments = ("analyze", SAMPLE, "--roles", "agent,customer", "--model", model, "--asr", weights)
    ran = mmser(*arguments, "--end", "30", "--redact", "--no-audio", "-o", out)
    assert ran.code == 0 and "recognising words" in ran.err
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert MARKED in {turn["text"] for turn in report["turns"]}
    assert report["recognition"]["num_words"] == 22 and report["redaction"]["counts"] == {"card": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_who_stops_it_hears_what_is_kept(mmser, weights: str, tmp_path: Path, monkeypatch):
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mmser.transcription.transcribe._believed", stopped)
    ran = mmser("transcribe", SAMPLE, "--asr", weights, "-o", tmp_path / "call.vtt")
    assert ran.code == 130
    assert "what was recognised is kept, unredacted and for you alone, in" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == [".call.vtt.transcribing.jsonl"]


def test_a_mistyped_option_does_not_throw_away_what_was_recognised(mmser, weights: str, tmp_path: Path):
    output, journal = tmp_path / "call.vtt", tmp_path / ".call.vtt.transcribing.jsonl"
    with open_recording(SAMPLE) as source, Journal(journal, {"recording": source.recording.sha256}) as kept:
        kept.keep_language("en", 0.5)
    before = journal.read_bytes()
    ran = mmser("transcribe", SAMPLE, "--asr", weights, "--language", "eo", "-o", output)
    assert ran.code == 2 and "does not know the language 'eo'" in ran.error
    assert journal.read_bytes() == before
    ran = mmser("transcribe", SAMPLE, "--asr", weights, "--end", "10", "-o", output)
    assert ran.code == 0 and "with other options had recognised was thrown away" in ran.err


def test_what_is_no_journal_is_neither_waited_for_nor_called_one(mmser, weights: str, tmp_path: Path):
    journal = journal_of(tmp_path / "call.vtt")
    arguments = ("transcribe", SAMPLE, "--asr", weights, "-o", tmp_path / "call.vtt")
    os.mkfifo(journal)
    ran = mmser(*arguments)
    assert ran.code == 1 and "is no journal of mmser" in ran.error
    journal.unlink()
    journal.write_text('{"chunk": "my own"}')
    ran = mmser(*arguments)
    assert ran.code == 1 and "is no journal of mmser" in ran.error and "remove the file" not in ran.err
    assert journal.read_text() == '{"chunk": "my own"}'


@pytest.mark.parametrize("output", [".", "..", "out/.."])
def test_the_journal_of_any_folder_has_a_name(output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "inner" / "out").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "inner")
    names = [f".{folder.name}.transcribing.jsonl" for folder in (tmp_path, tmp_path / "inner")]
    assert journal_of(Path(output)).name in names
    assert len(journal_of(Path("ä" * 120 + ".json")).name.encode()) <= 255


def test_a_role_of_nobody_is_refused_before_the_work(mmser, weights: str):
    ran = mmser("transcribe", SAMPLE, "--asr", weights, "--role", "Bob=customer")
    assert ran.code == 2 and "its speakers are: ch_0, ch_1" in ran.error
    assert "recognising" not in ran.err and "loading" not in ran.err


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "nothing to transcribe"),
        (("nowhere.wav",), 1, "nowhere.wav does not exist"),
        ((SAMPLE, "-o", "call.docx"), 2, ".docx is none; formats are .vtt, .srt, .json, .txt, .csv"),
        ((SAMPLE, "-o", "call"), 2, "nothing is none"),
        ((SAMPLE, "--roles", "agent"), 2, "--roles names 1 channels"),
        ((SAMPLE, "--asr", "whisper:smal"), 2, "did you mean small?"),
        ((SAMPLE, "--device", "tpu"), 2, "--device 'tpu'"),
        ((SAMPLE, "--language", "klingon"), 2, "--language"),
        ((SAMPLE, "--redact-pattern", "name"), 2, "NAME=REGEX"),
        ((SAMPLE, "--redact-pattern", "name=("), 2, "name"),
        ((SAMPLE, "--diarization", "nowhere.rttm"), 1, "nowhere.rttm does not exist"),
        ((SAMPLE, "--diarization", SAMPLE.with_suffix(".vtt")), 2, "which tell who speaks; drop it"),
    ],
)
def test_a_mistake_is_one_line(mmser, weights, tmp_path, monkeypatch, arguments, code: int, message: str):
    monkeypatch.chdir(tmp_path)
    ran = mmser("transcribe", *arguments, *(() if "--asr" in arguments else ("--asr", weights)))
    assert ran.code == code and message in ran.error
    assert list(tmp_path.iterdir()) == []


def test_no_weights_and_no_network_is_one_line_with_the_way_on(mmser, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    ran = mmser("transcribe", SAMPLE, "--asr", "whisper:tiny", "--model-dir", tmp_path / "weights")
    assert ran.code == 1
    for part in (
        "whisper:tiny",
        "HF_HUB_OFFLINE",
        str(tmp_path / "weights" / "tiny.pt"),
        "--asr whisper:FILE.pt",
    ):
        assert part in ran.error
    assert "--no-asr" not in ran.error, "this command knows no such option"


def test_files_that_are_there_stay_unless_they_may_be_replaced(mmser, weights: str, tmp_path: Path):
    (tmp_path / "call.vtt").write_text("mine")
    arguments = ("transcribe", SAMPLE, "--asr", weights, "-o", tmp_path / "call.vtt", "--end", "10")
    ran = mmser(*arguments)
    assert ran.code == 1 and "--overwrite" in ran.error
    assert (tmp_path / "call.vtt").read_text() == "mine"
    assert mmser(*arguments, "--overwrite").code == 0
    assert (tmp_path / "call.vtt").read_text().startswith("WEBVTT")


def test_an_input_is_never_overwritten(mmser, weights: str, tmp_path: Path):
    diarization = tmp_path / "who.csv"
    diarization.write_text("start,end,speaker,text\n0,9,Anna,x\n")
    arguments = ("transcribe", SAMPLE, "--asr", weights, "--diarization", diarization)
    ran = mmser(*arguments, "-o", diarization, "--overwrite")
    assert ran.code == 1 and "is an input of this transcription" in ran.error
    assert diarization.read_text().startswith("start,end")
