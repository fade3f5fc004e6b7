"""Clips of made voices: a hum of its own pitch for each emotion, between silences."""

import itertools
from pathlib import Path

import numpy as np
import soundfile

from mmser.data import Example

RATE = 16_000  # Hz
EMOTIONS_HUMMED = ("anger", "neutral", "sadness")


def hum(seconds: float, pitch: float = 150.0, level: float = 0.1) -> np.ndarray:
    """A steady voice without pauses."""
    time = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * pitch * time)).astype(np.float32)


def silence(seconds: float, level: float = 1e-5) -> np.ndarray:
    return (level * np.random.default_rng(0).standard_normal(round(seconds * RATE))).astype(np.float32)


def hummed_clips(folder: Path, speakers: str = "ab") -> list[Example]:
    """Six clips of each of three emotions for each speaker, between silences, at levels of their own."""
    examples = []
    for speaker, (i, emotion), take in itertools.product(speakers, enumerate(EMOTIONS_HUMMED), range(6)):
        path = folder / f"{speaker}-{emotion}-{take}.wav"
        voice = hum(1.0 + 0.1 * take, 120 + 40 * i, 0.02 * (1 + take))
        soundfile.write(path, np.concatenate([silence(0.4), voice, silence(0.7)]), RATE)
        examples.append(
            Example(corpus="made", split="validation", audio=path, emotions=(emotion,), speaker=speaker)
        )
    return examples
