"""Silence, tones, music and noise: no turns, and nothing that a recogniser could make words of."""

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from mmser.audio import open_recording
from mmser.transcription.call import AsrRequest, transcribe_call
from tests.transcription.scripted import RATE, Reader, phrase
from tests.transcription.test_channels_heard import wav

Waveform = npt.NDArray[np.float32]
SECONDS = 10


def clock(seconds: float = SECONDS) -> npt.NDArray[np.float64]:
    return np.arange(round(seconds * RATE)) / RATE


def silence() -> Waveform:
    return np.zeros(60 * RATE, np.float32)


def white_noise() -> Waveform:
    return np.random.default_rng(0).normal(0, 0.1, SECONDS * RATE).astype(np.float32)


def dtmf() -> Waveform:
    """Keys pressed, 0.2 s each."""
    rows, columns = (697, 770, 852, 941), (1209, 1336, 1477)
    t, tone = clock(), np.zeros(SECONDS * RATE)
    for number in range(SECONDS * 2):
        row, column = rows[number % 4], columns[number % 3]
        on = (t >= number / 2) & (t < number / 2 + 0.2)
        tone += on * (np.sin(2 * np.pi * row * t) + np.sin(2 * np.pi * column * t))
    return (0.2 * tone).astype(np.float32)


def ringing() -> Waveform:
    t = clock()
    return (0.2 * (np.sin(2 * np.pi * 440 * t) + np.sin(2 * np.pi * 480 * t)) * (t % 6 < 2)).astype(
        np.float32
    )


@cache
def hold_music() -> Waveform:
    """Chords of decaying partials over a bass and a beat."""
    t, rng, sound = clock(), np.random.default_rng(3), np.zeros(SECONDS * RATE)
    for beat in range(SECONDS * 2):
        since = t - beat / 2
        fade = np.where(since >= 0, np.exp(-3 * np.clip(since, 0, None)), 0.0)
        root = 110 * 2 ** ([0, 5, 7, 3][beat // 4 % 4] / 12)
        for interval in (0, 4, 7, 12):
            pitch = root * 2 ** (interval / 12)
            sound += fade * sum(np.sin(2 * np.pi * pitch * k * since) / k**2 for k in (1, 2, 3, 4))
        sound += 0.3 * np.exp(-40 * np.clip(since, 0, None)) * (since >= 0) * rng.normal(0, 1, len(t))
    return (0.1 * sound / np.abs(sound).max() * 5).astype(np.float32)


def words_in(*channels: Waveform) -> tuple[int, int]:
    """Return how many turns there are, and how many chunks a recogniser was given."""
    reader = Reader(*[[phrase(0, "Thanks for watching!", 1.0)]] * 50)
    with open_recording(wav(*channels)) as source:
        found = transcribe_call(source, AsrRequest(recogniser=reader), alone=True)
    return len(found.turns), len(reader.heard)


@pytest.mark.parametrize("make", [silence, white_noise, dtmf, ringing, hold_music])
def test_no_turns_and_no_words(make):
    assert words_in(make()) == (0, 0)


def test_a_channel_on_hold_does_not_hinder_the_other():
    music, still = hold_music(), np.zeros(SECONDS * RATE, np.float32)
    assert words_in(music, still) == (0, 0)


@pytest.mark.data
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_real_noise_and_babble_give_no_turns_and_no_words(number: int, data_dir: Path):
    with open_recording(data_dir / "noise" / f"noise{number}.wav") as source:
        noise = source.read(0.0, source.end, 0)
    assert words_in(noise) == (0, 0)
