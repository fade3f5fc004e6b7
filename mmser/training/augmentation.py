"""What recordings do to a voice: speed, telephone band, noise."""

import numpy as np
import soxr

RATE = 16_000  # Hz
MU = 255.0


def change_speed(waveform: np.ndarray, factor: float) -> np.ndarray:
    """Play faster (> 1) or slower (< 1): tempo and pitch move together, as on a tape."""
    if factor == 1.0:
        return waveform
    return np.asarray(soxr.resample(waveform, RATE * factor, RATE), np.float32)


def telephone(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Pass through an 8 kHz G.711 µ-law telephone line (300–3400 Hz), at times a noisy one.

    Same length out as in; the level before the codec varies, since quiet lines are coarser.
    """
    narrow = np.asarray(soxr.resample(waveform, RATE, RATE / 2), np.float32)
    narrow = _band_pass(narrow, 300.0, 3400.0, RATE / 2)
    peak = float(np.abs(narrow).max()) or 1.0
    level = 10 ** rng.uniform(-1.2, -0.1) / peak
    narrow = narrow * level
    if rng.random() < 0.5:
        narrow = add_noise(narrow, rng.uniform(12, 35), rng)
    wide = np.asarray(soxr.resample(mu_law(narrow) / level, RATE / 2, RATE), np.float32)
    fitted = np.zeros_like(waveform)
    count = min(len(wide), len(waveform))
    fitted[:count] = wide[:count]
    return fitted


def mu_law(waveform: np.ndarray) -> np.ndarray:
    """Quantise to 8 bits by µ-law companding and back."""
    clipped = np.clip(waveform, -1, 1)
    compressed = np.sign(clipped) * np.log1p(MU * np.abs(clipped)) / np.log1p(MU)
    coarse = np.round(compressed * 127.5) / 127.5
    return np.asarray(np.sign(coarse) * np.expm1(np.abs(coarse) * np.log1p(MU)) / MU, np.float32)


def add_noise(waveform: np.ndarray, snr: float, rng: np.random.Generator) -> np.ndarray:
    """Add white noise at a signal-to-noise ratio in dB."""
    noise = rng.standard_normal(len(waveform)).astype(np.float32)
    power = float(np.mean(waveform**2)) or 1e-10
    return np.asarray(waveform + noise * np.sqrt(power / 10 ** (snr / 10)), np.float32)


def _band_pass(waveform: np.ndarray, low: float, high: float, rate: float) -> np.ndarray:
    """Filter with gentle edges in the frequency domain; clips are short."""
    spectrum = np.fft.rfft(waveform)
    frequency = np.fft.rfftfreq(len(waveform), 1 / rate)
    gain = 1 / (1 + (low / np.maximum(frequency, 1e-3)) ** 8) / (1 + (frequency / high) ** 24)
    return np.asarray(np.fft.irfft(spectrum * gain, len(waveform)), np.float32)
