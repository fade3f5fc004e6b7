"""`mmser batch`, `status` and `forget` at the command line."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet
import pytest

from mmser import cli
from mmser.batch.holding import holding
from mmser.batch.place import Place
from mmser.batch.store import read_manifest
from tests.batch.small_batches import write_calls
from tests.call_fixtures import VTT, agent_voice, customer_voice, wav_bytes


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five good calls, some bad ones, and a manifest of all."""
    folder = tmp_path_factory.mktemp("archive")
    rows = write_calls(folder, 4, longest=3.0)
    odd = folder / "a name with ünicode, a comma\nand a line break.wav"
    odd.write_bytes(wav_bytes(agent_voice(), customer_voice()))
    (folder / "odd.vtt").write_text(VTT, "utf-8")
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.wav").write_text("no sound at all")
    (folder / "broken.json").write_text("{")
    lines = [
        {"id": row.id, "audio": Path(row.audio[0]).name, "transcript": f"{row.id}.vtt", "queue": "sales"}
        for row in rows
    ]
    lines.insert(1, {"id": "missing", "audio": "nowhere.wav", "transcript": "odd.vtt"})
    lines.insert(2, {"id": "empty", "audio": "empty.wav", "transcript": "odd.vtt"})
    lines += [
        {"id": "text", "audio": "text.wav", "transcript": "odd.vtt"},
        {"id": "broken", "audio": "call000.wav", "transcript": "broken.json"},
        {"id": "roles", "audio": "call000.wav", "transcript": "call000.vtt", "roles": "boss,customer"},
        {"id": "nothing", "queue": "sales"},
        {"id": "odd\nid", "audio": odd.name, "transcript": "odd.vtt", "queue": "=HYPERLINK(1)"},
        {"id": "again", "audio": "call001.wav", "transcript": "call001.vtt"},
    ]
    (folder / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return folder


GOOD = {"call000", "call001", "call002", "call003", "odd\nid", "again"}
REASONS = {
    "missing": "nowhere.wav does not exist",
    "empty": "is empty (0 bytes)",
    "text": "is not audio that can be read",
    "broken": "broken.json",
    "roles": "'boss'",
    "nothing": "neither audio nor transcript",
}


@pytest.fixture(scope="module")
def done(calls: Path, model: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str, str]:
    """The folder of a run over the manifest, its exit code and what it printed."""
    out = tmp_path_factory.mktemp("batch") / "out"
    printed, told = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(told):
        code = cli.run(arguments(calls / "manifest.jsonl", out, model))
    return out, code, printed.getvalue(), told.getvalue()


def arguments(given: Path, out: Path, model: str) -> list[str]:
    crew = ["--workers", "1", "--models", "1", "--device", "cpu"]
    return ["batch", str(given), "-o", str(out), "--roles", "agent,customer", "--model", model, *crew]


def test_every_good_call_is_done_and_every_bad_one_says_why(done: tuple[Path, int, str, str]):
    out, code, printed, told = done
    lines = {line.id: line for line in read_manifest(Place(out))}
    assert code == 1 and lines.keys() == GOOD | REASONS.keys()
    assert {key for key, line in lines.items() if line.status == "done"} == GOOD
    for key, reason in REASONS.items():
        assert reason in str(lines[key].error), key
    assert "12 calls: 6 done, 6 failed" in printed and "one recording under 2 ids: call001, again" in printed
    assert "12 of 12 calls (100 %), 6 failed" in told and "Traceback" not in told


def test_ids_cannot_draw_on_the_terminal(mmser, model: str, tmp_path: Path):
    line = {"id": "\x1b[31mred\nline", "audio": "\x1b]0;x\x07.wav"}
    (tmp_path / "m.jsonl").write_text(json.dumps(line) + "\n")
    ran = mmser(*arguments(tmp_path / "m.jsonl", tmp_path / "out", model), "--quiet", "--no-asr")
    assert ran.code == 1 and "red line" in ran.out and "\x1b" not in ran.out
    assert "\x1b" not in mmser("batch", "status", tmp_path / "out").out


def test_the_tables_hold_every_call_once_with_the_users_columns(done: tuple[Path, int, str, str]):
    out = done[0]
    calls = pyarrow.parquet.read_table(out / "calls").to_pylist()
    assert {row["id"] for row in calls} == GOOD and len(calls) == len(GOOD)
    assert {row["id"]: row["queue"] for row in calls}["odd\nid"] == "=HYPERLINK(1)"
    turns = pyarrow.parquet.read_table(out / "turns").to_pylist()
    assert {row["call"] for row in turns} == GOOD
    assert all(
        row["emotion"] is None and row["top_emotion"] is None for row in turns if row["role"] == "agent"
    )
    assert any(row["top_emotion"] for row in turns if row["role"] == "customer")


def test_run_again_only_what_failed_is_tried(
    mmser, done: tuple[Path, int, str, str], calls: Path, model: str
):
    ran = mmser(*arguments(calls / "manifest.jsonl", done[0], model), "--json", "--quiet")
    told = json.loads(ran.out)
    assert ran.code == 1 and (told["done_before"], told["done"], len(told["failed"])) == (6, 6, 6)
    assert ran.err == ""


def test_status_tells_how_far_it_is_and_what_failed(mmser, done: tuple[Path, int, str, str]):
    ran = mmser("batch", "status", done[0])
    assert ran.code == 0 and "12 calls: 6 done, 6 failed, 0 left" in ran.out and "nowhere.wav" in ran.out
    told = json.loads(mmser("batch", "status", done[0], "--json").out)
    assert told["num_done"] == 6 and {line["id"] for line in told["failed"]} == REASONS.keys()


def test_another_model_or_roles_are_refused(mmser, done: tuple[Path, int, str, str], calls: Path, model: str):
    ran = mmser(*arguments(calls / "manifest.jsonl", done[0], model), "--quantize", "int8")
    assert ran.code == 1 and "was begun with another --quantize (none; now 'int8')" in ran.error


def test_a_folder_that_another_run_holds_is_refused(mmser, calls: Path, model: str, tmp_path: Path):
    with holding(Place(tmp_path)):
        ran = mmser(*arguments(calls / "manifest.jsonl", tmp_path, model))
    assert ran.code == 1 and f"held by another run (process {os.getpid()}" in ran.error


def test_forgetting_takes_a_call_out_and_the_next_run_finds_it_new(
    mmser, calls: Path, model: str, tmp_path: Path
):
    (tmp_path / "in").mkdir()
    for name in ("call002.wav", "call002.vtt", "call003.wav", "call003.vtt"):
        (tmp_path / "in" / name).write_bytes((calls / name).read_bytes())
    out = tmp_path / "out"
    assert mmser(*arguments(tmp_path / "in", out, model), "--reports", "--quiet").code == 0
    assert (out / "reports" / "call002" / "report.html").is_file()
    ran = mmser("batch", "forget", out, "--id", "call002")
    assert ran.code == 0 and "1 calls with" in ran.out and "1 reports" in ran.out
    left = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    assert b"call002" not in left and b"call003" in left
    told = json.loads(mmser(*arguments(tmp_path / "in", out, model), "--reports", "--quiet", "--json").out)
    assert (told["done_before"], told["done"]) == (1, 2)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--ray-address", "auto"], "--ray-address is of --engine ray"),
        (["--no-audio"], "--no-audio is of the pages of --reports"),
        (["--role", "spk_0=boss"], "'boss' is not a role"),
        (["--device", "tpu"], "--device 'tpu' is none"),
        (["--rules", "nowhere.yaml"], "nowhere.yaml: the rules file cannot be read"),
        (["--redact-pattern", "x"], "x"),
        (["--split", "train"], "split"),
        (["--batch-seconds", "0"], "batch-seconds"),
        (["--workers", "0"], "workers"),
    ],
)
def test_options_that_cannot_be_meant_are_told_before_any_work(
    mmser, calls: Path, model: str, tmp_path: Path, options: list[str], told: str
):
    ran = mmser(*arguments(calls / "manifest.jsonl", tmp_path / "out", model), *options)
    assert ran.code in (1, 2) and told in ran.error and not (tmp_path / "out").exists()


def test_weights_that_cannot_be_had_stop_a_batch_without_any_transcript(
    mmser, calls: Path, model: str, tmp_path: Path
):
    ran = mmser(*arguments(calls / "call000.wav", tmp_path / "out", model), "--asr", "whisper:small")
    assert ran.code in (0, 1)
    (tmp_path / "alone.wav").write_bytes((calls / "call000.wav").read_bytes())
    ran = mmser(*arguments(tmp_path / "alone.wav", tmp_path / "out2", model))
    assert ran.code == 1 and "--no-asr" in ran.error and not (tmp_path / "out2").exists()


@pytest.mark.slow
def test_after_ctrl_c_the_same_command_goes_on(calls: Path, model: str, tmp_path: Path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "mmser", *arguments(calls / "manifest.jsonl", out, model)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    manifest = out / "manifest.jsonl"
    while process.poll() is None and not (manifest.exists() and manifest.stat().st_size):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    printed, told = process.communicate()
    if process.returncode == 130:  # else it was done before
        assert "the same command goes on" in told and "Traceback" not in told and printed == ""
    again = subprocess.run([*command, "--json", "--quiet"], capture_output=True, text=True, check=False)
    assert json.loads(again.stdout)["done"] == 6
    assert not list(out.glob(".open-*")) and not (out / ".running.json").exists()
