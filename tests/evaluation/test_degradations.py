"""Damage to rows: each kind touches what it is named for, as much as it says, whatever else is damaged."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from mmser.audio.files import Waveform
from mmser.data import Example
from mmser.errors import MmserError
from mmser.evaluation.damage.degradations import (
    DEGRADATIONS,
    Degradation,
    Surroundings,
    Voice,
    altered,
    read_surroundings,
    row_rng,
    surround,
)
from mmser.evaluation.damage.word_errors import count_errors, make_vocabulary
from mmser.evaluation.judging import Given
from mmser.evaluation.sounds import Sounds
from mmser.types import Word
from tests.data.audit_fixtures import made, voice

RATE = 16_000
BY_NAME = {degradation.name: degradation for degradation in DEGRADATIONS}
SOUND = [name for name, one in BY_NAME.items() if one.kind == "sound"]
WORDS = [name for name, one in BY_NAME.items() if one.kind == "words"]
TEXT = "I never said that you were late, and you know it."
NOTHING = Surroundings()


def tone(hertz: float, seconds: float = 1.0, level: float = 0.3) -> Waveform:
    times = np.arange(round(RATE * seconds)) / RATE
    return (level * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


def noise(seconds: float, seed: int = 0) -> Waveform:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(RATE * seconds))).astype(np.float32)


RECORDED = Surroundings(
    noises=(noise(3.0, 1), tone(50, 0.3)),
    rooms=(np.array([1, 0, 0, 0.5, 0.2], np.float32),),
    voices=tuple(Voice(waveform=voice(seed), speaker=f"made/{seed}") for seed in range(4)),
    vocabulary=make_vocabulary([TEXT, "He sat on the mat; we ate at eight. Was that your hat?"]),
)


def degrade(
    degradation: Degradation,
    wave: Waveform | None,
    text: str | None,
    rng: np.random.Generator,
    around: Surroundings,
) -> tuple[Waveform | None, str | None]:
    damaged = degradation.change(Given(waveform=wave, text=text), rng, around)
    return damaged.waveform, damaged.text


def hear(name: str, wave: Waveform | None, text: str | None = None, **changes: Any) -> Waveform:
    damaged, _ = degrade(
        BY_NAME[name], wave, text, changes.get("rng", row_rng(0, "row")), changes.get("around", NOTHING)
    )
    assert damaged is not None
    return damaged


def decibels(wave: Waveform, error: Waveform) -> float:
    return float(10 * np.log10(np.mean(wave.astype(float) ** 2) / np.mean(error.astype(float) ** 2)))


# --- all of them -----------------------------------------------------------------------------------------


def test_every_kind_has_a_name_of_its_own_and_the_report_keeps_their_order():
    names = [degradation.name for degradation in DEGRADATIONS]
    assert len(set(names)) == len(names) == 26
    kinds = [degradation.kind for degradation in DEGRADATIONS]
    assert kinds == sorted(kinds, key=["sound", "words", "missing"].index)
    assert [f"word errors {rate} %" for rate in (5, 10, 20, 30)] == WORDS
    assert len(set(DEGRADATIONS)) == len(names)  # results are kept by degradation


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("around", [NOTHING, RECORDED], ids=["made", "recorded"])
@pytest.mark.parametrize(
    "wave",
    [
        voice(9),
        noise(0.1),
        np.full(5, 0.1, np.float32),
        np.zeros(4_000, np.float32),
        np.sign(tone(100, 0.5)),
    ],
    ids=["speech", "a tenth of a second", "five samples", "silence", "full scale"],
)
def test_sound_stays_sound_of_its_length_and_the_input_stays_as_it_is(wave: Waveform, around: Surroundings):
    before = wave.copy()
    wave.setflags(write=False)  # writing into its input would raise
    for name in SOUND:
        once, text = degrade(BY_NAME[name], wave, TEXT, row_rng(0, "row"), around)
        again, _ = degrade(BY_NAME[name], wave, TEXT, row_rng(0, "row"), around)
        assert once is not None and again is not None and text == TEXT
        length = len(wave) / {"speed +10 %": 1.1, "speed -10 %": 0.9}.get(name, 1.0)
        assert len(once) == pytest.approx(length, abs=1) and len(once), name
        assert once.dtype == np.float32 and np.isfinite(once).all(), name
        assert np.array_equal(once, again), name
    assert np.array_equal(wave, before)


@pytest.mark.parametrize("degradation", DEGRADATIONS, ids=lambda one: one.name)
def test_what_is_not_there_cannot_be_damaged(degradation: Degradation):
    assert degrade(degradation, None, None, row_rng(0, "row"), RECORDED) == (None, None)
    if degradation.kind == "sound":
        assert degrade(degradation, None, TEXT, row_rng(0, "row"), RECORDED) == (None, TEXT)
    if degradation.kind == "words":
        wave, text = degrade(degradation, tone(200), None, row_rng(0, "row"), RECORDED)
        assert text is None and np.array_equal(wave, tone(200))
        assert degrade(degradation, None, "", row_rng(0, "row"), RECORDED) == (None, "")


def test_taking_words_or_sound_away_leaves_the_other():
    wave, text = degrade(BY_NAME["no words"], tone(200), TEXT, row_rng(0, "row"), NOTHING)
    assert text is None and np.array_equal(wave, tone(200))
    assert degrade(BY_NAME["no sound"], tone(200), TEXT, row_rng(0, "row"), NOTHING) == (None, TEXT)


def test_a_row_is_damaged_the_same_whatever_is_damaged_before_it():
    examples = [made(id=f"clip {i}", speaker=f"made/{i % 4}", text=TEXT) for i in range(6)]
    given = [Given(waveform=voice(20 + i, 0.4), text=TEXT) for i in range(6)]

    def damaged(order: list[int], kinds: list[Degradation]) -> dict[tuple[str, int], Given]:
        found = {}
        for degradation in kinds:
            alter = altered(degradation, RECORDED, seed=3)
            found |= {(degradation.name, i): alter(examples[i], given[i]) for i in order}
        return found

    whole = damaged([0, 1, 2, 3, 4, 5], list(DEGRADATIONS))
    some = damaged([4, 1], list(DEGRADATIONS[::-2]))
    assert len(some) == 26
    for key, one in some.items():
        assert whole[key].text == one.text
        assert (one.waveform is None and whole[key].waveform is None) or np.array_equal(
            whole[key].waveform, one.waveform
        )
    noisy = [whole["noise 0 dB", i].waveform - given[i].waveform for i in range(2)]
    assert np.corrcoef(*noisy)[0, 1] < 0.5  # rows do not share their noise


def test_what_is_drawn_depends_on_seed_and_name_alone():
    first = row_rng(0, "made/a").integers(2**60, size=4)
    assert np.array_equal(first, row_rng(0, "made/a").integers(2**60, size=4))
    for other in (row_rng(1, "made/a"), row_rng(0, "made/b"), row_rng(0, "")):
        assert not np.array_equal(first, other.integers(2**60, size=4))


# --- sound -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["8 kHz", "mu-law 8 kHz", "A-law 8 kHz", "GSM 06.10"])
def test_a_telephone_leaves_nothing_above_4_khz(name: str):
    power = np.abs(np.fft.rfft(hear(name, noise(1.0)))) ** 2  # bins of 1 Hz
    assert power[4_100:].sum() < 1e-4 * power[:4_000].sum()


@pytest.mark.parametrize("around", [NOTHING, RECORDED], ids=["made", "recorded"])
@pytest.mark.parametrize("kind", ["noise 20 dB", "noise 10 dB", "noise 5 dB", "noise 0 dB", "babble 10 dB"])
def test_noise_and_babble_are_as_loud_as_their_names_say(kind: str, around: Surroundings):
    wave = voice(7)
    for seed in range(5):
        added = hear(kind, wave, rng=row_rng(seed, "row"), around=around) - wave
        assert decibels(wave, added) == pytest.approx(float(kind.split()[1]), abs=0.01)


def test_the_noise_at_every_ratio_is_the_same_noise():
    wave = voice(7)
    for around in (NOTHING, RECORDED):
        soft, loud = (hear(f"noise {snr} dB", wave, around=around) - wave for snr in (20, 0))
        assert np.allclose(10 * soft, loud, atol=1e-4)


def test_noise_rooms_and_voices_are_the_recorded_ones_where_there_are_some():
    around = Surroundings(
        noises=(tone(440, 0.5),),
        rooms=(np.array([1, 0, 0, 0.5], np.float32),),
        voices=(Voice(waveform=tone(880, 0.5)),),
    )
    silent_below = tone(2_000)
    for name, hertz in (("noise 0 dB", 440), ("babble 10 dB", 880)):
        added = hear(name, silent_below, around=around) - silent_below
        assert np.argmax(np.abs(np.fft.rfft(added))) == pytest.approx(hertz, abs=2)
    click = np.zeros(100, np.float32)
    click[10] = 0.5
    heard = hear("room", click, around=around)
    assert np.flatnonzero(np.abs(heard) > 1e-4).tolist() == [10, 13]
    assert heard[13] == pytest.approx(0.5 * heard[10], rel=1e-4)


def test_nobody_babbles_over_themselves():
    around = Surroundings(
        voices=(
            Voice(waveform=tone(300), speaker="a"),
            Voice(waveform=tone(900), speaker="b"),
            Voice(waveform=tone(1_500)),  # nobody in the data
        )
    )

    def heard(speaker: str | None) -> set[int]:
        wave = tone(3_000)
        added = hear("babble 10 dB", wave, around=around.without(speaker)) - wave
        power = np.abs(np.fft.rfft(added)) ** 2
        return {hertz for hertz in (300, 900, 1_500) if power[hertz] > 0.05 * power.max()}

    assert heard("a") == {900, 1_500}
    assert heard("b") == {300, 1_500}
    assert heard("c") == {300, 900, 1_500}
    assert heard(None) == {1_500}  # whoever speaks may be any of the others


def test_babble_is_of_different_speakers_as_long_as_there_are_others():
    one = tuple(Voice(waveform=tone(300), speaker="a") for _ in range(50))
    others = tuple(Voice(waveform=tone(600 + 300 * i), speaker=f"b{i}") for i in range(5))
    wave = tone(5_000)
    added = hear("babble 10 dB", wave, around=Surroundings(voices=one + others)) - wave
    power = np.abs(np.fft.rfft(added)) ** 2
    places = [300 * i for i in range(1, 7)]
    assert power[places].min() > 0.8 * power[places].max()  # six voices, each once


def test_levels_and_clipping_are_as_their_names_say():
    wave = tone(200, level=0.5)
    louder = hear("gain +12 dB", wave)
    assert np.abs(louder).max() == 1.0 and np.mean(np.abs(louder) == 1.0) > 0.5  # 0.5 · 4 is far over
    assert hear("gain -20 dB", wave) == pytest.approx(wave / 10, abs=1e-6)
    clipped = hear("clipping 10 dB", wave)
    assert np.abs(clipped).max() == pytest.approx(0.5 / 10**0.5, rel=1e-3)  # 10 dB under 0.5
    assert np.array_equal(clipped[np.abs(wave) < 0.15], wave[np.abs(wave) < 0.15])


@pytest.mark.parametrize(
    ("name", "hertz"),
    [
        ("pitch +3 semitones", 237.8),  # 200 · 2^(3/12)
        ("pitch -3 semitones", 168.2),
        ("speed +10 %", 220.0),
        ("speed -10 %", 180.0),
    ],
)
def test_pitch_and_speed_move_by_what_their_names_say(name: str, hertz: float):
    heard = hear(name, tone(200, 2.0))
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard)), 10 * RATE))
    assert np.argmax(spectrum) / 10 == pytest.approx(hertz, abs=1.0)


# --- words -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WORDS)
def test_words_go_wrong_as_often_as_the_name_says_and_confidences_go_with_them(name: str):
    alter = altered(BY_NAME[name], RECORDED)
    words = (Word(text="late", confidence=0.9),)
    errors = 0
    for i in range(200):
        given = alter(made(id=str(i)), Given(waveform=tone(200, 0.1), text=TEXT, words=words))
        assert given.words == () and np.array_equal(given.waveform, tone(200, 0.1))
        errors += count_errors(TEXT, given.text or "")
    # Each row has 11 words and 11 · rate errors, rounded up or down: ± 4 · 0.5 / √200 of an error.
    assert errors / 200 == pytest.approx(11 * float(name.split()[2]) / 100, abs=0.15)


def test_without_words_there_are_no_words_with_confidences_either():
    given = Given(waveform=tone(200, 0.1), text=TEXT, words=(Word(text="late", confidence=0.9),))
    assert altered(BY_NAME["no words"], NOTHING)(made(), given).words == ()


# --- which rows ------------------------------------------------------------------------------------------


def test_only_rows_that_have_what_is_damaged_are_concerned():
    both = made(audio=Path("a.wav"), text=TEXT)
    rows = [both, replace(both, text=None), replace(both, text=" … "), replace(both, audio=None)]
    concerned = {kind: [one.concerns(row) for row in rows] for kind, one in BY_NAME.items()}
    assert concerned["GSM 06.10"] == [True, True, True, False]
    assert concerned["word errors 5 %"] == [True, False, False, True]
    assert concerned["no words"] == concerned["no sound"] == [True, False, False, False]


# --- surroundings ----------------------------------------------------------------------------------------


def folder(path: Path, **files: Waveform) -> Path:
    path.mkdir()
    for name, wave in files.items():
        soundfile.write(path / f"{name}.wav", wave, RATE, "FLOAT")
    return path


def test_surroundings_are_read_and_late_rooms_begin_with_the_direct_sound(tmp_path: Path):
    response = np.concatenate([np.full(2_000, 0.001), [0.5, 0.1, 0.05]]).astype(np.float32)
    hole = np.concatenate([noise(0.2), np.zeros(RATE), noise(0.2)]).astype(np.float32)
    around = read_surroundings(
        noises=folder(tmp_path / "n", hole=hole),
        rooms=folder(tmp_path / "r", late=response),
        voices=folder(tmp_path / "v", a=voice(1), b=voice(2)),
    )
    assert around.rooms[0] == pytest.approx([0.5, 0.1, 0.05])
    assert np.array_equal(around.noises[0], np.concatenate([noise(0.2), noise(0.2)]))
    assert [v.speaker for v in around.voices] == [None, None]
    assert read_surroundings().noises == ()


@pytest.mark.parametrize("which", ["noises", "rooms", "voices"])
def test_folders_that_cannot_be_used_are_named_in_a_sentence(which: str, tmp_path: Path):
    (tmp_path / "notes.txt").write_text("none")
    wrong = {
        tmp_path / "nowhere": "is not there; give a folder of recordings, WAV or FLAC",
        tmp_path / "notes.txt": "is a file; give a folder of recordings",
        tmp_path: "holds no WAV or FLAC files; give another folder",
    }
    for path, message in wrong.items():
        with pytest.raises(MmserError, match=message):
            read_surroundings(**{which: path})
    (tmp_path / "x.flac").write_bytes(b"fLaC nothing")
    with pytest.raises(MmserError, match=r"x\.flac cannot be read .*; take it out of the folder"):
        read_surroundings(**{which: tmp_path})
    soundfile.write(tmp_path / "x.flac", np.zeros(100), RATE)
    with pytest.raises(MmserError, match=r"x\.flac is empty, silent"):
        read_surroundings(**{which: tmp_path})


def test_examples_lend_their_named_voices_and_their_words(tmp_path: Path):
    clips = folder(
        tmp_path / "clips", a1=tone(300), a2=tone(310), b=tone(900), unnamed=tone(1_500), c=0 * tone(1)
    )
    speakers = {"a1": "a", "a2": "a", "b": "b", "unnamed": None, "c": "c"}
    examples: list[Example] = [
        made(id=name, speaker=speaker, audio=clips / f"{name}.wav", text=f"word{name}")
        for name, speaker in speakers.items()
    ]
    with Sounds() as sounds:
        around = surround(examples, sounds)
        assert sorted(v.speaker or "" for v in around.voices) == ["a", "a", "b"]  # no silent ones
        assert sorted(around.vocabulary.words) == sorted(f"word{name}" for name in speakers)
        shuffled = surround(examples[::-1], sounds)
        assert all(
            np.array_equal(x.waveform, y.waveform)
            for x, y in zip(around.voices, shuffled.voices, strict=True)
        )
        recorded = Surroundings(voices=(Voice(waveform=tone(50)),), noises=(noise(0.1),))
        around = surround(examples, sounds, recorded)
    assert around.voices == recorded.voices and around.noises == recorded.noises


@pytest.mark.data
def test_real_speech_under_every_kind_is_changed_and_stays_speech(data_dir: Path):
    actors = [data_dir / f"corpora/ravdess/Actor_{i:02d}" for i in (1, 2, 3)]
    examples = [
        made(id=path.stem, speaker=folder.name, audio=path, text="Kids are talking by the door")
        for folder in actors
        for path in sorted(folder.glob("03-01-0[35]-*"))[:2]
    ]
    with Sounds() as sounds:
        around = surround(examples, sounds)
        wave = sounds.read(examples[0])
    assert wave is not None and len(around.voices) == 6
    for name in SOUND:
        heard = altered(BY_NAME[name], around)(examples[0], Given(waveform=wave, text=None)).waveform
        slow = [np.sqrt(np.convolve(one.astype(float) ** 2, np.ones(1600), "same")) for one in (wave, heard)]
        level = [np.interp(np.linspace(0, 1, 100), np.linspace(0, 1, len(one)), one) for one in slow]
        assert np.corrcoef(*level)[0, 1] > 0.8, name  # loud and soft are where they were
        assert len(heard) != len(wave) or not np.allclose(heard, wave, atol=1e-3), name
