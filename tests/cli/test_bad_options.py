"""Options that do not fit, folders in the way, a full disk, an interrupt: one line, nothing half-written."""

from pathlib import Path

import pytest

from mmser.report.document import from_json


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "nothing to analyse"),
        (("x.wav", "--asr", "smal"), 2, "whisper:small"),
        (("x.wav", "--bogus"), 2, "--bogus"),
        (("x.wav", "--roles", "agent,boss"), 2, "'boss' is not a role"),
        (("x.wav", "--role", "agent"), 2, "write --role SPEAKER=ROLE"),
        (("x.wav", "--role", "a=agent", "--role", "a=customer"), 2, "twice"),
        (("x.wav", "--start", "soon"), 2, "'soon' is not a time"),
        (("x.wav", "--agent", "y.wav"), 2, "are both given"),
        (("--agent", "y.wav", "--roles", "agent"), 2, "--roles is not needed"),
        (("x.wav", "--export", "aws"), 2, "with -o"),
        (("x.wav", "--export", "docx"), 2, "docx"),
        (("x.wav", "--agent-reason", "curiosity"), 2, "curiosity"),
        (("x.wav", "--threads", "0"), 2, "threads"),
    ],
)
def test_wrong_options_are_one_line_and_exit_two(mmser, arguments, code: int, message: str):
    ran = mmser("analyze", *arguments)
    assert ran.code == code and message in ran.error
    assert ran.out == ""


def test_unknown_commands_exit_two(mmser):
    ran = mmser("transmogrify")
    assert ran.code == 2 and "transmogrify" in ran.error


def test_a_file_where_the_folder_should_be(mmser, call, model: str, tmp_path: Path):
    (tmp_path / "out").write_text("here first", "utf-8")
    ran = mmser("analyze", "--transcript", call[1], "--model", model, "-o", tmp_path / "out" / "deep")
    assert ran.code == 1 and "is a file, and a folder is needed" in ran.error
    assert (tmp_path / "out").read_text("utf-8") == "here first"


def test_a_folder_that_holds_a_report_needs_overwrite(mmser, call, model: str, tmp_path: Path):
    arguments = ("analyze", "--transcript", call[1], "--model", model, "--quiet", "-o", tmp_path)
    (tmp_path / "report.json").write_text("an older one", "utf-8")
    ran = mmser(*arguments)
    assert ran.code == 1 and "already holds report.json" in ran.error and "--overwrite" in ran.error
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    assert (tmp_path / "report.json").read_text("utf-8") == "an older one"
    assert mmser(*arguments, "--overwrite").code == 0
    assert from_json((tmp_path / "report.json").read_text("utf-8")).turns


def test_a_disk_that_fills_up_leaves_nothing(mmser, call, model: str, tmp_path: Path, monkeypatch):
    import errno
    import os

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("mmser.report.writing.os.fsync", full)
    ran = mmser("analyze", "--transcript", call[1], "--model", model, "-o", tmp_path / "out")
    assert ran.code == 1 and "disk is full" in ran.error
    assert list(tmp_path.iterdir()) == []


def test_a_broken_rules_file_exits_two(mmser, call, model: str, tmp_path: Path):
    (tmp_path / "rules.yaml").write_text("rules: [what is this]", "utf-8")
    arguments = ("--model", model, "--rules", tmp_path / "rules.yaml", "-o", tmp_path / "out")
    ran = mmser("analyze", "--transcript", call[1], *arguments)
    assert ran.code == 2 and "rules.yaml" in ran.error and not (tmp_path / "out").exists()


def test_a_bug_is_one_line_and_debug_shows_the_trace(mmser, call, model: str, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr("mmser.pipeline.prepare_call", broken)
    ran = mmser("analyze", "--transcript", call[1], "--model", model)
    assert ran.code == 1 and "a mistake of ours" in ran.error and "Traceback" not in ran.err
    ran = mmser("analyze", "--transcript", call[1], "--model", model, "--debug")
    assert "Traceback" in ran.err and ran.error


def test_an_interrupt_exits_130(mmser, call, model: str, tmp_path: Path, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mmser.pipeline.prepare_call", interrupted)
    ran = mmser("analyze", "--transcript", call[1], "--model", model, "-o", tmp_path / "out")
    assert ran.code == 130 and "interrupted" in ran.error and "Traceback" not in ran.err
    assert not (tmp_path / "out").exists()


def test_a_language_that_is_none_exits_two(mmser, call):
    ran = mmser("analyze", "--transcript", call[1], "--language", "gibberish language")
    assert ran.code == 2 and "--language: the language 'gibberish language' is not known" in ran.error


@pytest.mark.parametrize("language", ["en-US", "EN", "English"])
def test_a_language_may_be_written_in_other_ways(mmser, call, model: str, language: str):
    ran = mmser("analyze", "--transcript", call[1], "--model", model, "--json", "--language", language)
    report = from_json(ran.out)
    assert report.transcript is not None and report.transcript.language == "en"
    assert not report.warnings


def test_one_file_cannot_be_both_sides(mmser, call):
    ran = mmser("analyze", "--agent", call[0], "--customer", call[0], "--no-asr")
    assert ran.code == 2 and "both as --agent and as --customer" in ran.error


def test_no_agent_channel_is_judged_as_a_customer(mmser, call, model: str, tmp_path: Path):
    arguments = ("analyze", call[0], "--transcript", call[1], "--model", model)
    ran = mmser(*arguments, "--roles", "agent,agent", "-o", tmp_path / "out")
    assert ran.code == 2 and "leaves no channel for one" in ran.error
    assert not (tmp_path / "out").exists()
    ran = mmser(*arguments, "--roles", "agent,unknown", "--json")
    assert {turn.channel for turn in from_json(ran.out).turns if turn.role == "customer"} == {1}


def test_a_path_that_is_too_long_or_leads_nowhere(mmser, call, model: str, tmp_path: Path):
    ran = mmser("analyze", "--transcript", call[1], "--model", model, "-o", tmp_path / ("x" * 300))
    assert ran.code == 1 and "cannot be a folder: File name too long" in ran.error
    (tmp_path / "loop").symlink_to("loop")
    ran = mmser("analyze", "--transcript", call[1], "--model", model, "-o", tmp_path / "loop")
    assert ran.code == 1 and "leads nowhere" in ran.error
    ran = mmser("analyze", "--transcript", "x" * 300, "--model", model)
    assert ran.code == 1 and "File name too long" in ran.error and "a bug" not in ran.error


@pytest.mark.slow
def test_asked_to_end_it_ends_with_143_and_leaves_nothing(call, model: str, tmp_path: Path):
    import os
    import signal
    import subprocess
    import sys

    (tmp_path / "tmp").mkdir()
    code = (
        "import os, signal, sys, mmser.pipeline, mmser.cli\n"
        "real = mmser.pipeline.prepare_call\n"
        "def late(*a, **k):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return real(*a, **k)\n"
        "mmser.pipeline.prepare_call = late\n"
        "mmser.cli.main(sys.argv[1:])\n"
    )
    arguments = ["analyze", call[0], "--transcript", call[1], "--model", model, "-o", str(tmp_path / "out")]
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 128 + signal.SIGTERM
    assert "mmser: error: terminated" in ran.stderr and "Traceback" not in ran.stderr
    assert not (tmp_path / "out").exists()


def test_a_full_folder_for_temporary_files_is_told(mmser, call, model: str, monkeypatch):
    import errno
    import os

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))

    monkeypatch.setattr("mmser.calls.detect_language", full)
    ran = mmser("analyze", "--transcript", call[1], "--model", model)
    assert ran.code == 1 and "temporary files" in ran.error and "TMPDIR" in ran.error


@pytest.mark.slow
def test_closed_streams_are_no_bug(call, model: str, tmp_path: Path):
    import subprocess
    import sys

    base = f"{sys.executable} -m mmser analyze --transcript {call[1]} --model {model}"
    ran = subprocess.run(
        ["sh", "-c", f"{base} --json 2>&- && {base} -o {tmp_path / 'out'} >&-"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    assert from_json(ran.stdout).turns and (tmp_path / "out" / "report.html").is_file()
