"""Recordings made in memory."""

import io
from collections.abc import Callable

import numpy as np
import pytest
import soundfile

Encode = Callable[..., bytes]


def encode(samples: np.ndarray, rate: int = 8_000, container: str = "WAV", subtype: str = "PCM_16") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=container, subtype=subtype)
    return buffer.getvalue()


@pytest.fixture(name="encode", scope="session")
def encode_fixture() -> Encode:
    """A function from samples (samples, channels) to the bytes of an audio file."""
    return encode


@pytest.fixture(scope="session")
def two_channels() -> np.ndarray:
    """Five seconds at 8 kHz: a swept tone on the left, another and some noise on the right."""
    t = np.arange(40_000) / 8_000
    left = 0.3 * np.sin(2 * np.pi * (200 + 100 * t) * t)
    right = 0.2 * np.sin(2 * np.pi * 700 * t) + 0.02 * np.random.default_rng(0).standard_normal(40_000)
    return np.stack([left, right], axis=1)
