"""Effects: what each does to a waveform, measured, and that none does anything else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import butter, sawtooth, sosfilt

from mmser.audio.effects import (
    PACKET,
    a_law,
    add_noise,
    amplify,
    at_phone_rate,
    babble,
    change_level,
    change_speed,
    change_tempo,
    clip_peaks,
    gsm_codec,
    lose_packets,
    made_babble,
    made_room,
    mp3,
    mu_law,
    opus,
    pink_noise,
    read_sounds,
    reverberate,
    shift_pitch,
    telephone,
)
from mmser.audio.files import Waveform
from tests.data.audit_fixtures import voice

RATE = 16_000

KEEP_LENGTH: dict[str, Callable[[Waveform, np.random.Generator], Waveform]] = {
    "8 kHz": lambda wave, rng: at_phone_rate(wave),
    "mu-law": lambda wave, rng: at_phone_rate(wave, mu_law),
    "A-law": lambda wave, rng: at_phone_rate(wave, a_law),
    "GSM": lambda wave, rng: at_phone_rate(wave, gsm_codec),
    "Opus": lambda wave, rng: opus(wave, 6_000),
    "MP3": lambda wave, rng: mp3(wave, 0.95),
    "telephone": telephone,
    "pitch up": lambda wave, rng: shift_pitch(wave, 3),
    "pitch down": lambda wave, rng: shift_pitch(wave, -3),
    "louder": lambda wave, rng: amplify(wave, 12),
    "clipping": lambda wave, rng: clip_peaks(wave, 10),
    "room": lambda wave, rng: reverberate(wave, made_room(rng)),
    "lost packets": lambda wave, rng: lose_packets(wave, 0.1, rng),
    "noise": lambda wave, rng: add_noise(wave, 5, rng, pink_noise(len(wave), rng)),
    "babble": lambda wave, rng: add_noise(wave, 5, rng, babble([voice(5), voice(6)], len(wave), rng)),
    "made babble": lambda wave, rng: add_noise(wave, 5, rng, made_babble(wave, rng)),
}
INPUTS: dict[str, Waveform] = {
    "speech": voice(1),
    "a tenth of a second": voice(2, 0.1),
    "five samples": np.full(5, 0.3, np.float32),
    "silence": np.zeros(5_000, np.float32),
    "full scale": np.sign(np.sin(np.arange(8_000) / 20)).astype(np.float32),
}


def tone(hertz: float = 200.0, seconds: float = 1.0, level: float = 0.3) -> Waveform:
    times = np.arange(round(RATE * seconds)) / RATE
    return (level * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


def saw(hertz: float, seconds: float = 1.5) -> Waveform:
    """Return a voice-like sound that is sampled without aliasing: harmonics up to 5 kHz."""
    times = np.arange(round(RATE * seconds * 8)) / (8 * RATE)
    low = sosfilt(butter(8, 5_000, fs=8 * RATE, output="sos"), 0.3 * sawtooth(2 * np.pi * hertz * times))
    return low[::8].astype(np.float32)


def fundamental(wave: Waveform) -> float:
    """Return the pitch of a steady sawtooth in Hz: of its harmonics the lowest is the strongest."""
    middle = wave[len(wave) // 4 : -len(wave) // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 20 * RATE))  # bins of 0.05 Hz
    return float(np.argmax(spectrum) / 20)


def rms(waveform: Waveform) -> float:
    return float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))


def decibels(wave: Waveform, error: Waveform) -> float:
    return float(20 * np.log10(rms(wave) / rms(error)))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def lag_of(late: Waveform, wave: Waveform) -> int:
    product = np.fft.irfft(np.fft.rfft(late, 2 * len(wave)) * np.conj(np.fft.rfft(wave, 2 * len(wave))))
    at = int(np.argmax(product))
    return at if at < len(wave) else at - 2 * len(wave)


# --- all of them -----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("effect", KEEP_LENGTH)
def test_what_comes_out_is_as_long_as_what_went_in_and_repeats(effect: str, kind: str):
    wave = INPUTS[kind].copy()
    wave.setflags(write=False)  # writing into its input would raise
    once, again = (KEEP_LENGTH[effect](wave, rng()) for _ in range(2))
    assert once.dtype == np.float32 and once.shape == wave.shape and np.isfinite(once).all()
    assert np.array_equal(once, again)
    assert np.array_equal(wave, INPUTS[kind])


@pytest.mark.parametrize("effect", KEEP_LENGTH)
def test_speech_is_changed_and_still_there(effect: str):
    wave = voice(3, 3.0) + 0.005 * rng(3).standard_normal(3 * RATE).astype(np.float32)
    changed = KEEP_LENGTH[effect](wave, rng())
    assert decibels(wave, changed - wave) < 40
    slow = [np.convolve(np.abs(one), np.ones(1600) / 1600, "same")[::400] for one in (wave, changed)]
    assert np.corrcoef(*slow)[0, 1] > 0.7  # loud and soft are where they were


# --- lines and codecs ------------------------------------------------------------------------------------


def test_a_telephone_line_keeps_the_length_and_drops_what_is_above_its_band():
    wave = rng().standard_normal(16_000).astype(np.float32) * 0.1
    for gsm in (False, True):
        line = telephone(wave, rng(), gsm=gsm)
        spectrum = np.abs(np.fft.rfft(line)) ** 2
        assert len(line) == len(wave)
        assert spectrum[4200:].sum() < 0.01 * spectrum[500:3000].sum()


@pytest.mark.parametrize("codec", [None, mu_law, a_law, gsm_codec])
def test_nothing_is_left_above_4_khz_and_all_of_it_below_without_a_codec(codec: Callable[..., Waveform]):
    wave = rng().standard_normal(RATE).astype(np.float32) * 0.1
    power = np.abs(np.fft.rfft(at_phone_rate(wave, codec))) ** 2  # bins of 1 Hz
    own = np.abs(np.fft.rfft(wave)) ** 2
    assert power[4_100:].sum() < 1e-4 * power[:4_000].sum()
    assert codec or power[:3_500].sum() == pytest.approx(own[:3_500].sum(), rel=0.01)


@pytest.mark.parametrize("law", [mu_law, a_law])
@pytest.mark.parametrize("level", [0.7, 0.1, 0.02])
def test_companded_8_bits_are_as_fine_for_soft_sounds_as_for_loud_ones(
    law: Callable[[Waveform], Waveform], level: float
):
    # G.711's ratio is near 38 dB over 30 dB of levels; 8 plain bits would leave 16 dB of a tone at 0.02.
    wave = tone(310.0, level=level)
    assert 33 < decibels(wave, law(wave) - wave) < 43


def test_mu_law_error_is_small_against_the_signal():
    wave = np.sin(np.linspace(0, 100, 8000)).astype(np.float32) * 0.5
    assert np.abs(mu_law(wave) - wave).max() < 0.03


def test_gsm_sounds_like_what_went_in():
    wave = tone()[::2]
    coded = gsm_codec(wave)[: len(wave)]
    assert np.corrcoef(coded[200:], wave[200:])[0, 1] > 0.9


@pytest.mark.parametrize("effect", ["8 kHz", "mu-law", "A-law", "GSM", "Opus", "MP3"])
def test_a_codec_delays_nothing(effect: str):
    wave = voice(4)
    assert abs(lag_of(KEEP_LENGTH[effect](wave, rng()), wave)) <= 16  # 1 ms


def test_fewer_bits_leave_less():
    wave = voice(4)
    coded = [decibels(wave, opus(wave, rate) - wave) for rate in (6_000, 12_000, 48_000)]
    assert coded == sorted(coded) and coded[0] < coded[-1] - 3
    coded = [decibels(wave, mp3(wave, level) - wave) for level in (0.98, 0.95, 0.9, 0.8, 0.6)]
    assert coded == sorted(coded) and coded[0] < coded[-1] - 3


@pytest.mark.parametrize("effect", ["mu-law", "A-law", "GSM", "Opus", "MP3"])
def test_what_is_beyond_full_scale_is_cut_off_and_does_not_come_back_upside_down(effect: str):
    wave = tone(level=2.0)
    assert np.corrcoef(KEEP_LENGTH[effect](wave, rng()), wave)[0, 1] > 0.9


# --- lost packets ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_as_many_packets_are_lost_as_asked_for_and_the_last_one_is_heard_again(share: float):
    wave = rng(1).standard_normal(100 * PACKET).astype(np.float32)
    sent = wave.reshape(100, PACKET)
    heard = lose_packets(wave, share, rng(2)).reshape(100, PACKET)
    lost = np.flatnonzero((heard != sent).any(1))
    assert len(lost) == round(100 * share)
    for place in lost:
        assert np.array_equal(heard[place], heard[place - 1] if place else np.zeros(PACKET))


def test_the_share_holds_for_clips_too_short_to_lose_a_tenth():
    wave = np.ones(5 * PACKET, np.float32) * np.arange(5).repeat(PACKET)
    lost = [(lose_packets(wave, 0.1, rng(seed)) != wave).any() for seed in range(1000)]
    # Half of the clips lose one of 5 packets; packet 0 is silent anyway: 0.5 · 4/5 = 0.4, ± 4 · 0.0155.
    assert np.mean(lost) == pytest.approx(0.4, abs=0.062)


def test_before_the_first_packet_there_is_silence():
    assert not lose_packets(np.ones(3 * PACKET + 7, np.float32), 1.0, rng()).any()


# --- speed, tempo, pitch ---------------------------------------------------------------------------------


def test_speed_changes_length_and_pitch():
    fast = change_speed(tone(200), 1.1)
    peak = np.argmax(np.abs(np.fft.rfft(fast))) * 16_000 / len(fast)
    assert len(fast) == pytest.approx(16_000 / 1.1, abs=2)
    assert peak == pytest.approx(220, abs=3)
    assert change_speed(tone(), 1.0) is not None


@pytest.mark.parametrize("hertz", [100.0, 150.0, 240.0])
@pytest.mark.parametrize("semitones", [-3, 3, 7])
def test_pitch_moves_by_semitones_and_nothing_else_does(hertz: float, semitones: int):
    wave = saw(hertz)
    shifted = shift_pitch(wave, semitones)
    assert fundamental(wave) == pytest.approx(hertz, rel=0.005)
    assert fundamental(shifted) == pytest.approx(hertz * 2 ** (semitones / 12), rel=0.01)
    assert len(shifted) == len(wave) and rms(shifted) == pytest.approx(rms(wave), rel=1e-3)


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_tempo_moves_what_happens_when_and_no_pitch(factor: float):
    wave = saw(150.0, 2.0)
    wave[: RATE // 2] = wave[3 * RATE // 2 :] = 0.0  # sounds from 0.5 to 1.5 s
    moved = change_tempo(wave, factor)
    assert len(moved) == pytest.approx(len(wave) / factor, abs=1)
    heard = np.flatnonzero(np.abs(moved) > 0.05) / RATE
    assert heard[[0, -1]] == pytest.approx([0.5 / factor, 1.5 / factor], abs=0.03)
    assert fundamental(moved) == pytest.approx(150.0, rel=0.01)


def test_tempo_as_it_is_leaves_the_sound_as_it_is():
    assert np.allclose(change_tempo(voice(1), 1.0), voice(1), atol=1e-6)


# --- level -----------------------------------------------------------------------------------------------


def test_level_stops_at_full_scale():
    assert rms(change_level(tone(), -6.0)) == pytest.approx(rms(tone()) / 2, rel=0.01)
    assert np.abs(change_level(tone(), 40.0)).max() == pytest.approx(1.0)
    silence = np.zeros(100, np.float32)
    assert np.array_equal(change_level(silence, 6.0), silence)


def test_what_is_amplified_beyond_full_scale_is_cut_off():
    wave = np.array([0.05, -0.5, 0.1], np.float32)  # 20 dB are a factor of 10
    assert amplify(wave, 20) == pytest.approx([0.5, -1.0, 1.0])
    assert amplify(wave, -20) == pytest.approx([0.005, -0.05, 0.01])


def test_peaks_are_cut_off_so_far_below_the_highest():
    wave = np.array([0.1, -0.4, 0.8, -0.6], np.float32)
    assert clip_peaks(wave, 20 * np.log10(2)) == pytest.approx([0.1, -0.4, 0.4, -0.4])
    assert np.array_equal(clip_peaks(wave, 0), wave)


# --- rooms and noise -------------------------------------------------------------------------------------


def test_a_room_keeps_length_and_level():
    wave = tone()
    wet = reverberate(wave, made_room(rng()))
    assert len(wet) == len(wave) and rms(wet) == pytest.approx(rms(wave), rel=1e-3)
    assert not np.allclose(wet, wave, atol=0.01)


@pytest.mark.parametrize("snr", [0.0, 10.0, 30.0])
def test_noise_comes_at_the_ratio_that_is_asked_for(snr: float):
    wave = tone()
    for noise in (None, rng().standard_normal(5000).astype(np.float32)):
        added = add_noise(wave, snr, rng(), noise) - wave
        assert 20 * np.log10(rms(wave) / rms(added)) == pytest.approx(snr, abs=0.3)


def test_pink_noise_has_the_same_power_in_every_octave():
    noise = pink_noise(20 * RATE, rng())
    power = np.abs(np.fft.rfft(noise)) ** 2  # bins of 0.05 Hz
    octaves = [power[20 * low : 40 * low].sum() for low in (62, 125, 250, 500, 1000, 2000, 4000)]
    assert 10 * np.log10(max(octaves) / min(octaves)) < 1.0
    assert rms(noise) == pytest.approx(1.0) and len(pink_noise(7, rng())) == 7


def test_babble_is_of_all_voices_equally_loud_and_as_long_as_needed():
    mixed = babble([tone(300, 0.5, 0.5), tone(1000, 0.7, 0.001)], 2 * RATE, rng())
    power = np.abs(np.fft.rfft(mixed)) ** 2  # bins of 0.5 Hz
    first, second = (power[2 * hertz - 20 : 2 * hertz + 20].sum() for hertz in (300, 1000))
    assert len(mixed) == 2 * RATE
    assert first == pytest.approx(second, rel=0.1)
    assert first + second > 0.9 * power.sum()


def test_made_babble_has_the_spectrum_of_the_voice_but_not_its_words():
    low = sosfilt(butter(6, 1_000, fs=RATE, output="sos"), rng().standard_normal(3 * RATE))
    wave = (0.1 * low).astype(np.float32)
    mixed = made_babble(wave, rng(1))
    power = np.abs(np.fft.rfft(mixed)) ** 2  # bins of 1/3 Hz
    assert power[3 * 1_500 :].sum() < 0.02 * power.sum()
    assert abs(np.corrcoef(mixed, wave)[0, 1]) < 0.1
    level = [
        rms(part) for part in np.array_split(mixed, 24)
    ]  # of 125 ms: it swells, as steady noise does not
    assert np.std(level) > 0.15 * np.mean(level)


# --- recordings ------------------------------------------------------------------------------------------


def test_wav_and_flac_files_are_read_by_name_as_mono_at_16_khz(tmp_path: Path):
    soundfile.write(tmp_path / "b.flac", tone(300), RATE)
    soundfile.write(tmp_path / "a.WAV", np.stack([tone(50), tone(70)], 1)[::2], RATE // 2)
    (tmp_path / "c.txt").write_text("no sound")
    first, second = read_sounds(tmp_path)
    spectrum = np.abs(np.fft.rfft(first))
    assert len(first) == len(second) == RATE
    assert sorted(np.argsort(spectrum)[-2:]) == [50, 70]
    assert np.allclose(second, tone(300), atol=1e-3)
