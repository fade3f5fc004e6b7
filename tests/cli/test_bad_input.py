"""Bad recordings and transcripts: one clear sentence, the right exit code, nothing half-written."""

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


# --- files and their names ------------------------------------------------------------------------------


def test_pipes_and_devices_are_refused_not_read_for_ever(mmser, call, tmp_path: Path):
    import os

    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        ran = mmser("analyze", path, "--no-asr")
        assert ran.code == 1 and "is a pipe or a device" in ran.error
        ran = mmser("analyze", call[0], "--transcript", path)
        assert ran.code == 1 and "is a pipe or a device" in ran.error


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


def test_a_reference_without_a_voice_is_refused(mmser, call, model: str, tmp_path: Path):
    (tmp_path / "silent.wav").write_bytes(wav_bytes(np.zeros(RATE, np.float32)))
    (tmp_path / "short.wav").write_bytes(wav_bytes(customer_voice()[RATE * 3 : RATE * 3 + 160]))
    for name in ("silent.wav", "short.wav"):
        arguments = ("--transcript", call[1], "--model", model, "--roles", "agent,customer")
        ran = mmser("analyze", call[0], *arguments, "--reference", f"customer={tmp_path / name}")
        assert ran.code == 1 and name in ran.error and "reference" in ran.error
