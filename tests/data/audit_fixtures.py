"""Made clips that sound like voices to a print, and small datasets around them."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from datasets import Dataset

from mmser.data import Example, to_dataset

RATE = 16_000
Waveform = npt.NDArray[np.float32]


def voice(seed: int, seconds: float = 2.0, rate: int = RATE) -> Waveform:
    """Return a made voice: harmonics of a wandering pitch under wandering formants, in syllables."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    knots = np.linspace(0, seconds, max(4, round(6 * seconds)))

    def wander(low: float, high: float) -> npt.NDArray[np.float64]:
        return np.interp(time, knots, rng.uniform(low, high, len(knots)))

    pitch, first, second = wander(100, 240), wander(300, 900), wander(1000, 2600)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    sound = np.zeros_like(time)
    for harmonic in range(1, 16):
        hertz = harmonic * pitch
        weight = np.exp(-(((hertz - first) / 200) ** 2)) + 0.6 * np.exp(-(((hertz - second) / 300) ** 2))
        sound += (0.05 + weight) * np.sin(harmonic * phase + rng.uniform(0, 6))
    syllables = np.clip(wander(-0.3, 1.0), 0.02, 1)
    sound = sound * syllables + 1e-3 * rng.standard_normal(len(time))
    return (0.4 * sound / np.abs(sound).max()).astype(np.float32)


def coded(wave: Waveform, kind: str, subtype: str, rate: int = RATE, **options: Any) -> Waveform:
    """Return a 16 kHz clip after a file format at a sampling rate."""
    target = io.BytesIO()
    soundfile.write(target, soxr.resample(wave, RATE, rate), rate, subtype, format=kind, **options)
    target.seek(0)
    back, _ = soundfile.read(target, dtype="float32")
    return soxr.resample(back, rate, RATE).astype(np.float32)


def write(path: Path, wave: Waveform, rate: int = RATE, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, wave, rate, subtype)
    return path


def made(**changes: Any) -> Example:
    values: dict[str, Any] = dict(corpus="made", split="train", emotions=("anger",))
    return Example(**(values | changes))


def split_by_speaker(speakers: int = 6, each: int = 12, **changes: Any) -> Dataset:
    """Return a clean dataset: four speakers train, one validates, one tests."""
    parts = ["validation", "test"] + ["train"] * (speakers - 2)
    labels = ("anger", "neutral", "sadness")
    return to_dataset(
        made(
            **{"id": f"{s}-{i}", "split": parts[s], "speaker": f"made/{s}", "emotions": (labels[i % 3],)}
            | {name: value(s, i) for name, value in changes.items()}
        )
        for s in range(speakers)
        for i in range(each)
    )
