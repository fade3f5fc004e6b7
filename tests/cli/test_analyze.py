"""`mmser analyze`: what it writes, prints and withholds."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from mmser.cli.analyze import AgentReason, Export
from mmser.outputs import EXPORTS
from mmser.report.document import from_json, json_schema
from mmser.report.policy import AGENT_REASONS
from mmser.speech import ChannelSpeech
from mmser.transcripts import read_transcript
from tests.call_fixtures import VTT, agent_voice, customer_voice, wav_bytes


@pytest.fixture
def stereo(call, model) -> list[str]:
    return ["analyze", call[0], "--transcript", call[1], "--roles", "agent,customer", "--model", model]


def test_every_file_is_written_and_nothing_else(written: Path):
    assert sorted(path.name for path in written.iterdir()) == [
        "call_analytics.json",
        "report.html",
        "report.json",
        "transcript.json",
        "turns.csv",
        "turns.jsonl",
        "turns.parquet",
        "turns.srt",
        "turns.vtt",
    ]


def test_the_report_is_valid_against_the_schema(written: Path):
    text = (written / "report.json").read_text("utf-8")
    jsonschema.validate(json.loads(text), json_schema())
    assert from_json(text).channels == {"0": "agent", "1": "customer"}


def test_every_export_of_the_command_line_is_one_that_can_be_written():
    assert sorted(Export) == sorted(EXPORTS)


def test_the_reasons_of_the_command_line_are_those_of_the_policy_and_of_the_report():
    assert tuple(AgentReason) == AGENT_REASONS
    recorded = json_schema()["$defs"]["Policy"]["properties"]["agent_reason"]
    assert [reason.value for reason in AgentReason] == next(
        choice["enum"] for choice in recorded["anyOf"] if "enum" in choice
    )


def test_the_transcript_that_is_written_is_read_again(mmser, written: Path, call, model: str):
    again = read_transcript(written / "transcript.json")
    first = from_json((written / "report.json").read_text("utf-8"))
    assert [(t.id, t.start, t.end, t.channel, t.speaker, t.role, t.text, t.words) for t in again.turns] == [
        (t.id, t.start, t.end, t.channel, t.speaker, t.role, t.text, t.words) for t in first.turns
    ]
    ran = mmser("analyze", call[0], "--transcript", written / "transcript.json", "--json", "--model", model)
    assert [turn.emotion for turn in from_json(ran.out).turns] == [turn.emotion for turn in first.turns]


def test_agents_are_withheld_in_json_csv_jsonl_and_aws(written: Path):
    report = json.loads((written / "report.json").read_text("utf-8"))
    agents = [turn for turn in report["turns"] if turn["role"] == "agent"]
    assert len(agents) == 2
    for turn in agents:
        for name in ("emotion", "intensity", "change", "audio_only", "text_only", "loudness_dbfs"):
            assert turn[name] is None, name
        assert turn["windows"] == [] and "withheld" in turn["reasons"]["emotion"]
    with (written / "turns.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["role"] == "agent"]
    lines = [json.loads(line) for line in (written / "turns.jsonl").read_text("utf-8").splitlines()]
    assert len(rows) == 2
    for row in [*rows, *(line for line in lines if line["role"] == "agent")]:
        assert not row["emotion"] and not row["intensity"] and not row["p_anger"]
        assert "withheld" in row["reason"]
    aws = json.loads((written / "call_analytics.json").read_text("utf-8"))
    said = {item["ParticipantRole"]: "Sentiment" in item for item in aws["Transcript"]}
    assert said == {"AGENT": False, "CUSTOMER": True}


def test_agents_are_withheld_in_subtitles_and_page(written: Path):
    for name in ("turns.srt", "turns.vtt"):
        text = (written / name).read_text("utf-8")
        assert "[agent] " in text and "[agent:" not in text and "[customer:" in text
    page = (written / "report.html").read_text("utf-8")
    assert "withheld: agents" in page


def test_agents_are_withheld_on_the_terminal(mmser, stereo):
    ran = mmser(*stereo, "--quiet")
    assert ran.code == 0 and ran.err == ""
    assert "agent" in ran.out and "withheld: agents' emotions" in ran.out
    assert "2 agent turns withheld" in ran.out


def test_the_same_input_gives_the_same_bytes(mmser, stereo, written: Path, tmp_path: Path):
    assert mmser(*stereo, "--quiet", "-o", tmp_path / "again").code == 0
    for name in ("report.json", "report.html", "turns.csv", "turns.jsonl"):
        assert (tmp_path / "again" / name).read_bytes() == (written / name).read_bytes(), name


def test_json_goes_to_stdout_and_progress_to_stderr(mmser, stereo):
    ran = mmser(*stereo, "--json")
    assert from_json(ran.out).turns
    assert ran.err.startswith("mmser 0.") and "analysing turns" in ran.err


def test_two_files_and_sound_alone(mmser, tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch):
    spans = {0: [(0.2, 1.8), (3.7, 5.0)], 1: [(2.0, 3.5), (5.2, 7.0)]}
    speech = ChannelSpeech(stretches=spans)
    monkeypatch.setattr("mmser.calls.find_all_speech", lambda source, progress: speech)
    (tmp_path / "a.wav").write_bytes(wav_bytes(agent_voice()))
    (tmp_path / "c.wav").write_bytes(wav_bytes(customer_voice()))
    ran = mmser(
        *("analyze", "--agent", tmp_path / "a.wav", "--customer", tmp_path / "c.wav", "--no-asr"),
        *("--model", model, "--json", "-o", tmp_path / "out"),
    )
    report = from_json(ran.out)
    assert ran.code == 0 and report.channels == {"0": "agent", "1": "customer"}
    assert [turn.modalities for turn in report.turns] == [(), ("audio",), (), ("audio",)]
    assert (tmp_path / "out" / "report.html").is_file()


def test_words_alone(mmser, call, model: str, tmp_path: Path):
    ran = mmser("analyze", "--transcript", call[1], "--model", model, "--json", "-o", tmp_path / "out")
    assert from_json(ran.out).recording is None
    assert (tmp_path / "out" / "report.html").stat().st_size > 1000


def test_no_text_leaves_no_word_in_any_file(mmser, stereo, tmp_path: Path):
    out = tmp_path / "out"
    exports = ("--export", "aws", "--export", "vtt", "--export", "transcript")
    ran = mmser(*stereo, "--no-text", "--no-audio", "--quiet", "-o", out, *exports)
    assert ran.code == 0
    for path in out.iterdir():
        assert "parcel" not in path.read_text("utf-8"), path.name
    assert "parcel" not in ran.out
    assert "data:audio" not in (out / "report.html").read_text("utf-8")


def test_no_text_leaves_no_word_in_warnings_either(mmser, model: str, tmp_path: Path):
    (tmp_path / "call.txt").write_text("secret title\nAgent: hello you\nCustomer: secret parcel\n", "utf-8")
    out = tmp_path / "out"
    ran = mmser("analyze", "--transcript", tmp_path / "call.txt", "--model", model, "--no-text", "-o", out)
    assert ran.code == 0 and "before the first speaker" in ran.err
    for text in (ran.out, ran.err, *(path.read_text("utf-8") for path in out.iterdir())):
        assert "secret" not in text


def test_sound_is_inside_the_page_unless_left_out(written: Path):
    assert "data:audio/mpeg" in (written / "report.html").read_text("utf-8")


def test_script_in_a_transcript_is_inert_in_the_page(mmser, model: str, tmp_path: Path):
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)> so very angry"
    (tmp_path / "call.csv").write_text(
        f'start,end,speaker,text\n0,2,Customer,"{evil}"\n2,3,Customer,"=1+1"\n', "utf-8"
    )
    out = tmp_path / "out"
    ran = mmser("analyze", "--transcript", tmp_path / "call.csv", "--model", model, "-o", out, "--quiet")
    assert ran.code == 0
    page = (out / "report.html").read_text("utf-8")
    assert "<script>alert" not in page and "<img src=x" not in page
    with (out / "turns.csv").open(encoding="utf-8", newline="") as file:
        assert [row["text"] for row in csv.DictReader(file)][1] == "'=1+1"


def test_rules_are_matched(mmser, stereo, tmp_path: Path):
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "rules:\n- name: refund\n  when: {role: customer, text_contains: refund}\n", encoding="utf-8"
    )
    report = from_json(mmser(*stereo, "--json", "--rules", rules).out)
    assert [(rule.name, rule.turn_ids) for rule in report.rules] == [("refund", ("t4",))]


def test_a_reason_and_references_are_taken(mmser, stereo, tmp_path: Path):
    (tmp_path / "calm.wav").write_bytes(wav_bytes(0.3 * customer_voice()))
    ran = mmser(
        *stereo, "--json", "--agent-reason", "safety", "--reference", f"customer={tmp_path / 'calm.wav'}"
    )
    report = from_json(ran.out)
    assert report.policy.agent_reason == "safety"
    assert all(turn.emotion is not None for turn in report.turns)


def test_speakers_are_named_with_role(mmser, model: str, tmp_path: Path):
    (tmp_path / "call.vtt").write_text(VTT.replace("Agent", "spk_0").replace("Customer", "spk_1"), "utf-8")
    roles = ("--role", "spk_0=agent", "--role", "spk_1=customer")
    ran = mmser("analyze", "--transcript", tmp_path / "call.vtt", "--model", model, "--json", *roles)
    assert [turn.role for turn in from_json(ran.out).turns] == [
        "agent",
        "customer",
        "agent",
        "customer",
        "customer",
    ]


# --- real processes -------------------------------------------------------------------------------------


def _process(*arguments: str, **options) -> subprocess.Popen:
    code = "from mmser.cli import main; main()"
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stderr=subprocess.PIPE, **options)


def test_a_full_disk_behind_stdout_is_one_clear_error(stereo):
    with Path("/dev/full").open("wb") as full:
        process = _process(*stereo, "--quiet", "--json", stdout=full)
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    (line,) = errors.decode().splitlines()
    assert "standard output: No space left on device" in line


def test_a_reader_that_has_gone_is_no_noise():
    process = _process("analyze", "--help", stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait(timeout=120) in (0, 1)
    assert errors == b""
