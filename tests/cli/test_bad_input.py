"""Bad input: one clear sentence, the right exit code, nothing half-written."""

import struct
from pathlib import Path

import numpy as np
import pytest

from mmser.report.document import from_json
from tests.call_fixtures import RATE, VTT, customer_voice, voice, wav_bytes


@pytest.fixture
def attempt(mmser, model: str, tmp_path: Path):
    """Analyse a mono recording of the customer with a transcript; both given as content."""

    def run(sound: bytes | None, transcript: str | bytes | None = VTT, *more: object):
        arguments: list[object] = ["analyze"]
        if sound is not None:
            (tmp_path / "call.wav").write_bytes(sound)
            arguments.append(tmp_path / "call.wav")
        if transcript is not None:
            data = transcript.encode() if isinstance(transcript, str) else transcript
            (tmp_path / "call.vtt").write_bytes(data)
            arguments += ["--transcript", tmp_path / "call.vtt"]
        ran = mmser(*arguments, "--model", model, "--json", "-o", tmp_path / "out", *more)
        if ran.code:
            assert not (tmp_path / "out").exists(), "something was written in spite of an error"
            assert ran.out == ""
        else:
            assert (tmp_path / "out" / "report.html").is_file()
        return ran

    return run


def _vtt(*cues: tuple[str, str, str]) -> str:
    body = "".join(f"{start} --> {end}\n<v Customer>{text}</v>\n\n" for start, end, text in cues)
    return f"WEBVTT\n\n{body}"


# --- recordings -----------------------------------------------------------------------------------------


def test_a_missing_file(mmser, tmp_path: Path):
    ran = mmser("analyze", tmp_path / "nothing.wav", "--no-asr")
    assert ran.code == 1 and "nothing.wav does not exist" in ran.error


def test_a_folder_and_an_empty_file(mmser, tmp_path: Path):
    ran = mmser("analyze", tmp_path, "--no-asr")
    assert ran.code == 1 and "is a folder" in ran.error
    (tmp_path / "empty.wav").touch()
    ran = mmser("analyze", tmp_path / "empty.wav", "--no-asr")
    assert ran.code == 1 and "is empty" in ran.error


def test_a_file_that_is_no_audio(attempt):
    ran = attempt(b"this is text, not sound\n" * 20)
    assert ran.code == 1 and "not audio" in ran.error


def test_a_cut_recording_is_used_as_far_as_it_goes(attempt):
    whole = wav_bytes(customer_voice())
    ran = attempt(whole[: len(whole) * 3 // 4])
    assert ran.code == 0 and "mmser: warning:" in ran.err
    report = from_json(ran.out)
    assert report.recording is not None and report.recording.duration == pytest.approx(6.0, abs=0.1)
    assert report.warnings


def test_a_header_that_lies_about_length(attempt):
    sound = bytearray(wav_bytes(customer_voice()))
    place = sound.index(b"data") + 4
    sound[place : place + 4] = struct.pack("<I", 0x7FFFFFF0)
    ran = attempt(bytes(sound))
    assert ran.code == 0
    report = from_json(ran.out)
    assert report.recording is not None and report.recording.duration == pytest.approx(8.0, abs=0.1)


def test_no_samples(attempt):
    ran = attempt(wav_bytes(np.zeros(0, np.float32)))
    assert ran.code == 1 and "mmser: error:" in ran.error


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_some_samples_that_are_not_finite(attempt, bad: float):
    sound = customer_voice()
    sound[20_000:20_010] = bad
    ran = attempt(wav_bytes(sound, subtype="FLOAT"))
    assert ran.code == 0 and "10 NaN, infinite" in ran.err
    assert from_json(ran.out).turns


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_no_sample_that_is_finite(attempt, bad: float):
    ran = attempt(wav_bytes(np.full(RATE, bad, np.float32), subtype="FLOAT"))
    assert ran.code == 1 and "finite" in ran.error


def test_digital_silence_leaves_the_words_and_says_so(attempt):
    ran = attempt(wav_bytes(np.zeros(8 * RATE, np.float32)))
    assert ran.code == 0 and "digital silence" in ran.err
    scored = [turn for turn in from_json(ran.out).turns if turn.emotion]
    assert scored and all(turn.modalities == ("text",) for turn in scored)
    assert all("digital silence" in turn.reasons["audio_only"] for turn in scored)


def test_digital_silence_without_words_has_no_turns_and_says_so(attempt):
    ran = attempt(wav_bytes(np.zeros(RATE, np.float32)), None, "--no-asr", "--roles", "customer")
    assert ran.code == 0 and "no speech was found" in ran.err
    assert from_json(ran.out).turns == ()


def test_a_clip_of_ten_milliseconds(attempt):
    sound = wav_bytes(voice(0.01, ((0.0, 0.01),), pitch=110, seed=1))
    ran = attempt(sound, _vtt(("00:00.000", "00:00.010", "no")))
    assert ran.code == 0
    (turn,) = from_json(ran.out).turns
    assert turn.modalities == ("text",) and "shorter than 0.1 s" in turn.reasons["audio_only"]


def test_a_rate_of_192_khz(attempt):
    time = np.arange(192_000) / 192_000
    sound = wav_bytes((0.1 * np.sin(2 * np.pi * 220 * time)).astype(np.float32), rate=192_000)
    ran = attempt(sound, _vtt(("00:00.000", "00:01.000", "so angry")))
    assert ran.code == 0
    (turn,) = from_json(ran.out).turns
    assert turn.modalities == ("audio", "text")
    assert turn.loudness_dbfs == pytest.approx(-23.0, abs=0.2)


def test_seven_channels(attempt):
    sound = wav_bytes(*[customer_voice() * (0.01 if i != 4 else 1.0) for i in range(7)])
    ran = attempt(sound, VTT)
    assert ran.code == 0
    assert {turn.channel for turn in from_json(ran.out).turns if turn.role == "customer"} == {4}
    assert "put on channel 4" in ran.err


def test_three_roles_for_two_channels(attempt):
    ran = attempt(wav_bytes(customer_voice(), customer_voice()), VTT, "--roles", "agent,customer,system")
    assert ran.code == 2 and "names 3 channels" in ran.error and "has 2 channels" in ran.error


# --- transcripts ----------------------------------------------------------------------------------------


def test_a_transcript_that_ends_after_the_recording(attempt):
    ran = attempt(wav_bytes(customer_voice(6.0)))
    assert ran.code == 0 and "may belong to another call" in ran.err
    last = from_json(ran.out).turns[-1]
    assert "end of the recording" in last.reasons["audio_only"]


def test_a_transcript_that_begins_after_the_recording(attempt):
    ran = attempt(wav_bytes(customer_voice()), _vtt(("00:20.000", "00:22.000", "no")))
    assert ran.code == 1 and "begins at 20.00 s, after the recording ends at 8.00 s" in ran.error


def test_turns_out_of_order_and_overlapping(attempt):
    cues = [("00:05.200", "00:07.000", "late"), ("00:02.000", "00:06.000", "angry")]
    ran = attempt(wav_bytes(customer_voice()), _vtt(*cues))
    assert ran.code == 0
    report = from_json(ran.out)
    assert [turn.start for turn in report.turns] == [2.0, 5.2]
    assert report.warnings


@pytest.mark.parametrize("start", ["-1", "NaN", "inf"])
def test_times_that_cannot_be(attempt, start: str):
    ran = attempt(wav_bytes(customer_voice()), f"start,end,speaker,text\n{start},3,Customer,no\n")
    assert ran.code == 1 and "call.vtt" in ran.error


def test_empty_turns_are_not_made_up(attempt):
    ran = attempt(
        wav_bytes(customer_voice()), _vtt(("00:02.000", "00:03.000", " "), ("00:05.200", "00:06.000", "no"))
    )
    assert ran.code == 0
    assert [turn.text for turn in from_json(ran.out).turns if turn.modalities == ("audio", "text")] == ["no"]


@pytest.mark.parametrize("content", [b"", b"WEBVTT\n", b'{"segments": [', b"\x00\x01\x02\xff\xfe" * 50])
def test_a_broken_transcript_yields_no_report(attempt, content: bytes):
    ran = attempt(wav_bytes(customer_voice()), content)
    assert ran.code == 1 and "call.vtt" in ran.error


def test_one_very_long_turn(attempt):
    sound = wav_bytes(np.tile(customer_voice(), 8))
    words = "so very angry late parcel thank you " * 20
    ran = attempt(sound, _vtt(("00:00.000", "01:04.000", words)))
    (turn,) = from_json(ran.out).turns
    assert len(turn.windows) >= 4
    assert turn.windows[0].start == 0.0 and turn.windows[-1].end == 64.0


@pytest.mark.slow
def test_two_hundred_thousand_turns(attempt):
    rows = "".join(f"{i},{i + 1},{'Customer' if i % 2 else 'Agent'},no thank you\n" for i in range(200_000))
    ran = attempt(None, "start,end,speaker,text\n" + rows, "--quiet")
    assert ran.code == 0
    assert sum(1 for turn in from_json(ran.out).turns if turn.emotion) == 100_000


# --- options, models, folders ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "nothing to analyse"),
        (("x.wav",), 2, "--no-asr"),
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


def test_a_model_folder_without_weights(mmser, call, tmp_path: Path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"model_type": "mmser"}', "utf-8")
    ran = mmser("analyze", "--transcript", call[1], "--model", tmp_path / "model")
    assert ran.code == 1 and "has no model.safetensors" in ran.error


def test_a_model_from_a_newer_version(mmser, call, model: str, tmp_path: Path):
    import shutil

    shutil.copytree(model, tmp_path / "model")
    config = tmp_path / "model" / "config.json"
    config.write_text(
        config.read_text("utf-8").replace('"schema_version": 1', '"schema_version": 9'), "utf-8"
    )
    ran = mmser("analyze", "--transcript", call[1], "--model", tmp_path / "model")
    assert ran.code == 1 and "schema version 9" in ran.error and "update mmser" in ran.error


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


# --- found by attack ------------------------------------------------------------------------------------


def test_a_language_that_is_none_exits_two(mmser, call):
    ran = mmser("analyze", "--transcript", call[1], "--language", "gibberish language")
    assert ran.code == 2 and "--language 'gibberish language'" in ran.error


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


def test_pipes_and_devices_are_refused_not_read_for_ever(mmser, call, tmp_path: Path):
    import os

    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        ran = mmser("analyze", path, "--no-asr")
        assert ran.code == 1 and "is a pipe or a device" in ran.error
        ran = mmser("analyze", call[0], "--transcript", path)
        assert ran.code == 1 and "is a pipe or a device" in ran.error


def test_a_path_that_is_too_long_or_leads_nowhere(mmser, call, model: str, tmp_path: Path):
    ran = mmser("analyze", "--transcript", call[1], "--model", model, "-o", tmp_path / ("x" * 300))
    assert ran.code == 1 and "cannot be a folder: File name too long" in ran.error
    (tmp_path / "loop").symlink_to("loop")
    ran = mmser("analyze", "--transcript", call[1], "--model", model, "-o", tmp_path / "loop")
    assert ran.code == 1 and "leads nowhere" in ran.error
    ran = mmser("analyze", "--transcript", "x" * 300, "--model", model)
    assert ran.code == 1 and "File name too long" in ran.error and "a bug" not in ran.error


def test_a_name_that_is_not_utf8_is_read(mmser, call, model: str, tmp_path: Path):
    import os
    import shutil

    strange = tmp_path / os.fsdecode(b"bad\xff.wav")
    shutil.copy(call[0], strange)
    ran = mmser("analyze", strange, "--transcript", call[1], "--model", model, "-o", tmp_path / "out")
    assert ran.code == 0
    assert from_json((tmp_path / "out" / "report.json").read_text("utf-8")).turns


def test_names_cannot_draw_on_the_terminal(mmser):
    ran = mmser("analyze", "\x1b[31mred\u202e\n.wav", "--no-asr")
    assert ran.code == 1 and "does not exist" in ran.error
    assert "\x1b" not in ran.err and "\u202e" not in ran.err


@pytest.mark.parametrize(
    ("key", "value"),
    [("max_seconds", -1), ("abstain_below", "x"), ("abstain_below", 7), ("max_text_tokens", 0)],
)
def test_a_model_with_impossible_values_is_refused(mmser, call, model: str, tmp_path: Path, key: str, value):
    import json
    import shutil

    shutil.copytree(model, tmp_path / "model")
    config = tmp_path / "model" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text("utf-8")), key: value}), "utf-8")
    ran = mmser("analyze", "--transcript", call[1], "--model", tmp_path / "model")
    assert ran.code == 1 and f"states {key} {value!r}" in ran.error


def test_a_model_of_nan_is_refused(mmser, call, model: str, tmp_path: Path):
    import shutil

    from safetensors.torch import load_file, save_file

    shutil.copytree(model, tmp_path / "model")
    path = str(tmp_path / "model" / "model.safetensors")
    weights = {
        key: tensor * float("nan") if tensor.is_floating_point() else tensor
        for key, tensor in load_file(path).items()
    }
    save_file(weights, path, metadata={"format": "pt"})
    ran = mmser("analyze", "--transcript", call[1], "--model", tmp_path / "model")
    assert ran.code == 1 and "not finite" in ran.error and "a bug" not in ran.error


def test_a_reference_without_a_voice_is_refused(mmser, call, model: str, tmp_path: Path):
    (tmp_path / "silent.wav").write_bytes(wav_bytes(np.zeros(RATE, np.float32)))
    (tmp_path / "short.wav").write_bytes(wav_bytes(customer_voice()[RATE * 3 : RATE * 3 + 160]))
    for name in ("silent.wav", "short.wav"):
        arguments = ("--transcript", call[1], "--model", model, "--roles", "agent,customer")
        ran = mmser("analyze", call[0], *arguments, "--reference", f"customer={tmp_path / name}")
        assert ran.code == 1 and name in ran.error and "reference" in ran.error


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
