"""One pass over the audio: copies through any codec, and what is wrong with clips."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from mmser.data import Example, to_dataset
from mmser.data.audit import Audit, Duplicate, audit
from mmser.data.audit.fingerprint import (
    MAX_BIT_ERROR,
    MIN_CORRELATION,
    Print,
    bit_error,
    correlation,
    find_matches,
    take_print,
)
from mmser.data.speech import emodb_examples, ravdess_examples
from tests.data.audit_fixtures import Waveform, coded, made, voice, write

CHANGES: dict[str, Any] = {
    "gain": lambda wave: 0.05 * wave,
    "turned round": lambda wave: -wave,
    "44.1 kHz": lambda wave: coded(wave, "WAV", "PCM_16", 44_100),
    "telephone": lambda wave: coded(wave, "WAV", "ULAW", 8_000),
    "GSM": lambda wave: coded(wave, "WAV", "GSM610", 8_000),
    "MP3": lambda wave: coded(wave, "MP3", "MPEG_LAYER_III", compression_level=0.9),
    "Opus": lambda wave: coded(wave, "OGG", "OPUS", compression_level=0.9),
    "trimmed": lambda wave: wave[3_217:-1_900],
    "noise 20 dB below": lambda wave: (
        wave + (0.1 * wave.std() * np.random.default_rng(0).standard_normal(len(wave))).astype(np.float32)
    ),
    "trimmed, quiet, telephone": lambda wave: coded(0.2 * wave[3_217:], "WAV", "ULAW", 8_000),
}


@pytest.fixture(scope="module")
def voices() -> list[Waveform]:
    return [voice(seed, seconds=2.5) for seed in range(12)]


@pytest.fixture(scope="module")
def prints(voices: list[Waveform]) -> list[Print]:
    return [present(take_print(wave)) for wave in voices]


def present(one: Print | None) -> Print:
    assert one is not None
    return one


@pytest.mark.parametrize("change", CHANGES)
def test_a_print_outlives(change: str, voices: list[Waveform], prints: list[Print]):
    copies = [present(take_print(CHANGES[change](wave))) for wave in voices[:4]]
    found = {(m.first, m.second): m for m in find_matches([*prints, *copies])}
    assert set(found) == {(i, len(prints) + i) for i in range(4)}
    for (first, second), match in found.items():
        copy = CHANGES[change](voices[second - len(prints)])
        assert correlation(voices[first], copy, match.offset) > MIN_CORRELATION


def test_different_clips_do_not_match(prints: list[Print]):
    assert find_matches(prints) == []
    assert find_matches([]) == []


@settings(max_examples=25, deadline=None)
@given(cut=st.integers(0, 12_000), level=st.floats(1e-3, 1.0))
def test_the_offset_of_a_trimmed_copy_is_found(cut: int, level: float):
    wave = voice(3, seconds=2.5)
    (match,) = find_matches([present(take_print(wave)), present(take_print(level * wave[cut:]))])
    assert match.offset == pytest.approx(cut / 16_000, abs=0.011)
    assert match.bit_error < MAX_BIT_ERROR


def test_a_piece_of_a_long_clip_is_found(voices: list[Waveform]):
    long = np.concatenate(voices[:6])
    (match,) = find_matches([present(take_print(long)), present(take_print(voices[4]))])
    assert match.offset == pytest.approx(10.0, abs=0.02)


def test_too_short_an_overlap_is_no_match(prints: list[Print]):
    assert bit_error(prints[0], prints[0], 0) == 0
    assert bit_error(prints[0], prints[0], len(prints[0].words) - 20) == 1


@pytest.mark.parametrize("wave", [np.zeros(32_000, np.float32), voice(0, 0.2), np.zeros(0, np.float32)])
def test_silence_and_clicks_have_no_print(wave: Waveform):
    assert take_print(wave) is None


def test_a_hum_has_no_print():
    hum = np.sin(2 * np.pi * 440 * np.arange(48_000) / 16_000).astype(np.float32)
    assert take_print(hum) is None


# --- over a dataset --------------------------------------------------------------------------------------


def report_on(paths: list[Path], **changes: Any) -> Audit:
    rows = [
        made(**{"audio": path, "speaker": f"made/{i}"} | {name: value[i] for name, value in changes.items()})
        for i, path in enumerate(paths)
    ]
    return audit(to_dataset(rows))


def found(report: Audit, check: str) -> tuple[str, ...]:
    return next((f.examples for f in report.findings if f.check == check), ())


def test_copies_across_splits_leak_and_copies_within_one_warn(tmp_path: Path, voices: list[Waveform]):
    first = write(tmp_path / "a.wav", voices[0])
    paths = [
        first,
        write(tmp_path / "b.wav", voices[1]),
        write(tmp_path / "a-too.flac", soundfile.read(first, dtype="int16")[0]),
        write(tmp_path / "b-phone.wav", coded(voices[1], "WAV", "ULAW", 8_000)),
        write(tmp_path / "c.wav", voices[2]),
    ]
    report = report_on(
        paths,
        split=["train", "train", "test", "train", "test"],
        emotions=[("anger",), ("fear",), ("anger",), ("anger",), ("anger",)],
    )
    across, within = report.duplicates
    assert (across.first, across.second, across.kind) == ("made/a", "made/a-too", "exact")
    assert (within.first, within.second, within.kind) == ("made/b", "made/b-phone", "near")
    assert across.splits == ("test", "train") and not within.same_label
    assert report.leaks
    assert found(report, "one recording in several splits") and found(report, "one recording twice")
    assert found(report, "one recording, two labels") == ("made/b = made/b-phone (near)",)


def test_faults_of_the_sound_are_named(tmp_path: Path, voices: list[Waveform]):
    bad = voices[5].copy()
    bad[100:105] = np.nan
    (tmp_path / "torn.wav").write_bytes(b"RIFF but not really")
    paths = [
        write(tmp_path / "good.wav", voices[0]),
        write(tmp_path / "clipped.wav", 0.5 * np.clip(4 * voices[1], -0.9, 0.9)),
        write(tmp_path / "silent.wav", np.zeros(16_000, np.float32)),
        write(tmp_path / "quiet.wav", np.concatenate([voices[2][:8_000], np.zeros(64_000, np.float32)])),
        write(tmp_path / "short.wav", voices[3][4_000:7_000]),
        write(tmp_path / "long.wav", np.tile(voices[4], 9)),
        write(tmp_path / "nan.wav", bad, subtype="FLOAT"),
        write(tmp_path / "slow.wav", voices[6][::2], rate=8_000),
        tmp_path / "torn.wav",
        tmp_path / "gone.wav",
    ]
    report = report_on(paths)
    assert found(report, "clipping") == ("made/clipped",)
    assert found(report, "digital silence") == ("made/silent",)
    assert found(report, "mostly silent") == ("made/quiet",)
    assert found(report, "too short") == ("made/short",)
    assert found(report, "long clips") == ("made/long",)
    assert (
        "made/nan" in found(report, "damaged clips")[0] and "5 samples" in found(report, "damaged clips")[0]
    )
    assert [line.split(":")[0] for line in found(report, "unreadable clips")] == ["made/torn", "made/gone"]
    sound = report.corpora[0].sound
    assert sound is not None and (sound.num_clips, sound.num_unreadable) == (8, 2)
    assert sound.sampling_rates == {"8000": 1, "16000": 7}


def test_clips_cut_to_one_length_are_told(tmp_path: Path):
    paths = [write(tmp_path / f"{i}.wav", voice(i, 1.0)) for i in range(6)]
    assert any(f.check == "one length" for f in report_on(paths).findings)


def test_rows_are_parts_and_channels_of_one_recording(tmp_path: Path, voices: list[Waveform]):
    stereo = np.stack([np.concatenate(voices[:3]), np.concatenate(voices[3:6])], 1)
    path = write(tmp_path / "call.wav", stereo)
    rows: list[Example] = [
        made(id=f"t{i}", audio=path, speaker="x", start=2.5 * i, end=2.5 * (i + 1)) for i in range(3)
    ]
    beyond = made(id="beyond", audio=path, speaker="x", start=9.0, end=10.0)
    dataset = to_dataset([*rows, beyond])
    report = audit(dataset)
    sound = report.corpora[0].sound
    assert sound is not None and sound.duration_quantiles == (2.5,) * 5
    assert report.duplicates == () and found(report, "unreadable clips")[0].startswith("made/beyond: ")
    sides = to_dataset([dataclasses.replace(rows[0], id=f"side {c}", channel=c) for c in (0, 1)])
    assert audit(sides).duplicates == ()


def test_audio_inside_the_dataset_is_read_from_memory(tmp_path: Path, voices: list[Waveform]):
    content = write(tmp_path / "a.wav", voices[0]).read_bytes()
    dataset = to_dataset([made(id="a"), made(id="b")])
    filled = dataset.map(lambda row: row | {"audio": {"path": None, "bytes": content}})
    (pair,) = audit(filled).duplicates
    assert (pair.first, pair.second, pair.kind) == ("made/a", "made/b", "exact")


def test_fast_leaves_the_audio_alone(tmp_path: Path):
    report = audit(to_dataset([made(audio=tmp_path / "gone.wav")]), read_sound=False)
    assert not report.sound_read and report.corpora[0].sound is None


@pytest.mark.data
def test_ravdess_known_duplicate_is_the_only_copy_of_that_voice(data_dir: Path):
    folder = data_dir / "corpora" / "ravdess"
    everybody = ravdess_examples(folder, {}, partial=True, keep_duplicate=True)
    rows = [e for e in everybody if e.speaker in ("ravdess/07", "ravdess/23")]
    report = audit(to_dataset(rows), max_labels=0)
    assert report.duplicates == (
        Duplicate(
            first="ravdess/03-01-03-01-02-01-07",
            second="ravdess/03-01-03-01-02-02-07",
            kind="exact",
            bit_error=0.0,
            offset=0.0,
            splits=("train",),
            same_label=True,
        ),
    )


@pytest.mark.data
def test_emodb_holds_no_copies_and_one_length(data_dir: Path):
    rows = emodb_examples(data_dir / "corpora" / "emodb" / "crop_2s", {})[:150]
    report = audit(to_dataset(rows), max_labels=0)
    assert report.duplicates == () and any(f.check == "one length" for f in report.findings)
