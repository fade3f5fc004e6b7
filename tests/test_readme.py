"""The README says what is so: its commands run, its files exist, its house is complete."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmser import cli
from mmser.pipeline import EmotionPipeline
from mmser.training.config import read_config
from mmser.transcripts import read_transcript, write_json
from tests.model_fixtures import save_tiny
from tests.transcription.whisper_fixtures import write_hugging_face

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
SAMPLE = ROOT / "mmser" / "assets" / "sample"
LINES = [
    line.strip().split("  #")[0].split(" | ")[0].strip()
    for line in README.replace("\\\n", "").splitlines()
    if line.startswith("    mmser ")
]
COMMANDS = [line for line in LINES if line.split()[1] in ("analyze", "predict", "transcribe")]
ARCHIVES = ("batch", "summarize")
EVALUATING = ("evaluate", "baseline", "compare", "calibrate")
PUBLISHING = ("push", "push-dataset", "space", "info")  # run against a Hub of their own where they are tested
TRAINING = [line for line in LINES if line.split()[1] in ("audit", "train") and ".yaml" in line]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """In the place of `whisper:small`: the real ones cannot be fetched here."""
    said = (0.0, "Where is my parcel?", 2.0)
    return f"hf:{write_hugging_face(tmp_path_factory.mktemp('weights') / 'says', said)}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the README's examples name, all made from the bundled call."""
    place = tmp_path_factory.mktemp("readme")
    sound, rate = soundfile.read(SAMPLE / "call.wav", dtype="float32")
    soundfile.write(place / "call.wav", sound, rate, subtype="PCM_16")
    transcript = read_transcript(SAMPLE / "call.vtt")
    (place / "call.vtt").write_bytes((SAMPLE / "call.vtt").read_bytes())
    speakers = {name: f"spk_{i}" for i, name in enumerate(dict.fromkeys(t.speaker for t in transcript.turns))}
    data = json.loads(write_json(transcript))
    for turn in data["turns"]:
        turn |= {"speaker": speakers[turn["speaker"]], "role": "unknown"}
    (place / "call.json").write_text(json.dumps(data), "utf-8")
    part = sound[: 20 * rate]
    for name, side in (("a.wav", 0), ("c.wav", 1), ("clip1.wav", 0), ("clip2.flac", 1)):
        soundfile.write(place / name, np.ascontiguousarray(part[:, side]), rate)
    return place


def code_after(beginning: str) -> str:
    """Return the indented block of the README that begins with a line."""
    lines = README[README.index(beginning) - 4 :].splitlines()
    block = []
    for line in lines:
        if line.strip() and not line.startswith("    "):
            break
        block.append(line[4:])
    return "\n".join(block)


def test_the_readme_shows_commands():
    named = {command.split()[1] for command in LINES}
    assert named == {
        "analyze",
        "transcribe",
        "predict",
        "audit",
        "train",
        *EVALUATING,
        *ARCHIVES,
        *PUBLISHING,
    }
    assert len(COMMANDS) >= 5
    assert len(TRAINING) >= 3


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_runs(
    command: str,
    folder: Path,
    model: Path,
    weights: str,
    tmp_path: Path,
    monkeypatch,
    capsys: pytest.CaptureFixture[str],
):
    for file in folder.iterdir():
        (tmp_path / file.name).symlink_to(file)
    monkeypatch.chdir(tmp_path)
    name, *arguments = shlex.split(command)[1:]
    if name != "transcribe":
        arguments += ["--model", str(model)]
    if name == "transcribe" or not {"--transcript", "--no-asr", "predict"} & {name, *arguments}:
        arguments += ["--asr", weights]
    assert cli.run([name, *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.out.strip() or "transcribe" in command
    assert "error" not in captured.err
    for output in re.findall(r"-o (words\.\w+)", command):
        assert (tmp_path / output).stat().st_size > 0
    if "-o out/" in command:
        assert (tmp_path / "out" / "report.html").is_file()
    if "--json" in command:
        assert json.loads(captured.out)["turns"]


def test_the_commands_for_archives_run_one_after_another(
    folder: Path, model: Path, tmp_path: Path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "calls").mkdir()
    for name in ("call.wav", "call.vtt"):
        (tmp_path / "calls" / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "manifest.csv").write_text(
        "id,audio,transcript,roles,queue\n"
        'call-17,calls/call.wav,calls/call.vtt,"agent,customer",billing\n'
        "call-18,,calls/call.vtt,Customer=customer,sales\n"
    )
    ran = [line for line in LINES if line.split()[1] in ARCHIVES and "s3://" not in line]
    assert len(ran) == 5
    for line in ran:
        _, *arguments = shlex.split(line)
        crew = ["--model", str(model), "--workers", "1", "--models", "1", "--device", "cpu", "--quiet"]
        beginning = arguments[0] == "batch" and arguments[1] not in ("status", "forget")
        assert cli.run([*arguments, *(crew if beginning else [])]) == 0, line
        assert capsys.readouterr().out.strip()
    assert (tmp_path / "out" / "turns" / "part-00000.parquet").is_file()
    left = b"".join(path.read_bytes() for path in (tmp_path / "june").rglob("*") if path.is_file())
    assert b"call-18" in left and b"call-17" not in left


@pytest.mark.parametrize("command", TRAINING)
def test_every_configuration_for_training_is_understood(command: str):
    """What training does with them is tested where training is."""
    config, *rest = shlex.split(command)[2:]
    overrides = [word for word in rest if re.match(r"[a-z_.]+=", word)]
    assert read_config(ROOT / config, overrides).data or "calls" in (ROOT / config).read_text("utf-8")


def test_every_option_that_is_named_exists(capsys: pytest.CaptureFixture[str], monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    helped = ""
    names = (
        "analyze",
        "transcribe",
        "predict",
        "info",
        "audit",
        "train",
        "push",
        "push-dataset",
        *EVALUATING,
    )
    archives = (
        ["space", "create"],
        ["batch", "run"],
        ["batch", "status"],
        ["batch", "forget"],
        ["summarize"],
    )
    for command in ([], *([name] for name in names), *archives):
        cli.run([*command, "--help"])
        helped += capsys.readouterr().out
    # Other programs have options of their own.
    foreign = r"^.*(?:pip download|scripts/|ray start).*$|torchrun --nproc_per_node"
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", re.sub(foreign, "", README, flags=re.MULTILINE)))
    assert len(named) > 10
    assert {option for option in named if option not in helped} == set()


def test_the_example_in_python_runs(folder: Path, model: Path, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    load = EmotionPipeline.from_pretrained
    monkeypatch.setattr(EmotionPipeline, "from_pretrained", lambda: load(model))
    exec(compile(code_after("from mmser import EmotionPipeline"), "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(read_transcript("call.vtt").turns)
    assert any(" agent None withheld" in line for line in lines)


def test_the_example_of_words_alone_runs(folder: Path, weights: str, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    code = code_after("from mmser.audio import open_recording").replace("whisper:small", weights)
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("WEBVTT\nLanguage: en")


def test_the_example_of_the_model_alone_runs(model: Path):
    code = code_after("from transformers import AutoModel").replace("mmser/assets/model", str(model))
    *lines, last = code.strip().splitlines()
    names = {"waveform": np.sin(np.arange(16000) / 20).astype(np.float32)}
    exec(compile("\n".join([*lines, f"answer = {last}"]), "README.md", "exec"), names)
    assert names["answer"].shape == (1, 7)


def test_no_placeholder_is_left():
    assert re.findall(r"@@\w*", README) == []


def test_every_link_to_a_file_leads_somewhere():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert len(links) >= 4
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_house_names_every_module_and_every_name_exists():
    house = README.split("## The house")[1].split("```")[1].strip()
    rooms = {name: text for name, text in re.findall(r"^(\w+)/(.*(?:\n[ ]+.*)*)", house, re.MULTILINE)}
    assert set(rooms) == {"mmser", "configs", "scripts", "data_cards", "tests"}
    named = {
        word
        for line in rooms["mmser"].splitlines()
        if re.match(r"  \S", line)
        for word in line.strip().split("  ")[0].split()
    }
    package = ROOT / "mmser"
    there = {p.name for p in package.glob("*.py") if not p.name.startswith("__")}
    there |= {f"{p.name}/" for p in package.iterdir() if p.is_dir() and not p.name.startswith("__")}
    folders = {part for word in named for part in ([word] if word.endswith("/") else [])}
    assert (named - folders) | folders == there
    for room in ("configs", "scripts"):
        files = set(re.findall(r"\w+(?:\.\w+)*\.(?:sh|py|yaml|csv)", rooms[room]))
        assert files == {p.name for p in (ROOT / room).iterdir() if p.is_file()}
