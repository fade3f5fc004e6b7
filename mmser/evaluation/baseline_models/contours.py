"""What a clip sounds like frame by frame: spectrum, cepstrum, loudness and pitch, every 10 ms."""

import functools
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import butter, savgol_filter, sosfilt
from torch import Tensor

from mmser.model.acoustics_mmser import (
    HOP,
    MIN_PITCH,
    N_FFT,
    N_MFCC,
    PITCH_WINDOW,
    SAMPLING_RATE,
    WINDOW,
    Acoustics,
)

Floats = NDArray[np.float64]
Waveform = NDArray[np.float32]

STEP = HOP / SAMPLING_RATE  # s between frames
LEAST_DB = -100.0  # dBFS, what digital silence counts as
TINY = 1e-10  # power
ROLLOFF = 0.85  # of the power of a frame
SPECTRAL = (
    "energy_db",
    "zero_crossings_per_s",
    "centroid_hz",
    "bandwidth_hz",
    "skewness",
    "kurtosis",
    "rolloff_hz",
    "flatness_db",
    "flux",
)
CEPSTRAL = tuple(f"mfcc_{n}" for n in range(1, N_MFCC))


@dataclass(frozen=True, kw_only=True)
class Contours:
    """One clip; every array has one row a frame."""

    spectral: Floats  # columns as `SPECTRAL`, (frames, 9)
    cepstrum: Floats  # MFCC 1 to 13, (frames, 13)
    log_mel: NDArray[np.float32]  # (frames, 64)
    f0: Floats  # Hz, 0 where no voice is heard, (frames,)
    harmonics_db: Floats  # harmonic against other power (Boersma 1993), (frames,)
    amplitude: Floats  # largest magnitude of a sample, [0, 1], (frames,)


@functools.cache
def acoustics() -> Acoustics:
    """Return the constants of the model's own front end."""
    return Acoustics().eval()


def contours(waveform: Waveform) -> Contours:
    """Measure a clip.

    Args:
        waveform: mono, 16 kHz, at least one sample; shorter than a frame of 25 ms it is padded with zeros.
    """
    front, values = acoustics(), torch.from_numpy(np.ascontiguousarray(waveform, np.float32))[None]
    lengths = torch.tensor([len(waveform)])
    with torch.inference_mode():
        power = front.power(values, lengths)
        log_mel = front.log_mel_of(power, lengths)
        cepstrum = (log_mel @ front.dct)[0, :, 1:]
        log_f0, strength = (found[0].double().numpy() for found in front.pitch(values, lengths))
        lower, _ = front.pitch(_low_passed(waveform), lengths)
    # A window of pitch that reaches past the end would hear the step down to the padding.
    whole = np.arange(len(log_f0)) * HOP + PITCH_WINDOW <= len(waveform)
    log_f0, strength = lower[0].double().numpy() * (log_f0 > 0) * whole, strength * whole
    sure = strength.clip(1e-3, 1 - 1e-3)
    samples = _frames(waveform, WINDOW, len(log_f0))
    return Contours(
        spectral=_spectral(samples, power[0].double().numpy()),
        cepstrum=cepstrum.double().numpy(),
        log_mel=log_mel[0].numpy(),
        f0=_refined(waveform, log_f0),
        harmonics_db=10 * np.log10(sure / (1 - sure)),
        amplitude=np.abs(samples).max(1),
    )


def delta(values: Floats) -> Floats:
    """Return the slope over five frames, per frame, the edges held; (frames, columns)."""
    slopes: Floats = savgol_filter(values, 5, 1, deriv=1, axis=0, mode="nearest")
    return slopes


def _frames(waveform: Waveform, size: int, count: int) -> Floats:
    """Cut into `count` frames of `size` samples, zeros past the end, (count, size)."""
    needed = (count - 1) * HOP + size
    padded = np.pad(waveform[:needed].astype(np.float64), (0, max(0, needed - len(waveform))))
    return np.lib.stride_tricks.sliding_window_view(padded, size)[::HOP]


def _spectral(samples: Floats, power: Floats) -> Floats:
    """Return the columns of `SPECTRAL`, from frames (frames, samples) and power spectra (frames, bins)."""
    hertz = np.linspace(0, SAMPLING_RATE / 2, N_FFT // 2 + 1)
    share = power / np.maximum(power.sum(1, keepdims=True), TINY)
    centroid = share @ hertz
    away = hertz - centroid[:, None]
    bandwidth = np.sqrt((share * away**2).sum(1))
    unit = np.maximum(bandwidth, SAMPLING_RATE / N_FFT)[:, None]  # no tone is narrower than a bin
    energy = np.maximum(10 * np.log10((samples**2).mean(1) + TINY), LEAST_DB)
    crossings = (np.diff(samples >= 0, axis=1)).mean(1) * SAMPLING_RATE
    # The first bin that is enough; where there is no power at all, the lowest.
    rolloff = hertz[np.argmax(share.cumsum(1) >= ROLLOFF * share.sum(1, keepdims=True), axis=1)]
    flatness = 10 * (np.log10(power + TINY).mean(1) - np.log10((power + TINY).mean(1)))
    step = np.sqrt((np.diff(share, axis=0, prepend=share[:1]) ** 2).sum(1))
    skewness, kurtosis = ((share * (away / unit) ** n).sum(1) for n in (3, 4))
    columns = [energy, crossings, centroid, bandwidth, skewness, kurtosis, rolloff, flatness, step]
    return np.stack(columns, 1)


def _low_passed(waveform: Waveform) -> Tensor:
    """Return a clip without what lies above 1200 Hz, (1, samples).

    With its upper harmonics a high voice whose period is no whole number of samples, 337 Hz say, looks more
    like itself two periods later than one.
    """
    kept = sosfilt(butter(4, 1200, fs=SAMPLING_RATE, output="sos"), waveform)
    return torch.from_numpy(kept.astype(np.float32))[None]


def _refined(waveform: Waveform, log_f0: Floats) -> Floats:
    """Return F0 in Hz between whole lags, 0 where `log_f0` (log2 of Hz) is 0, (frames,).

    A whole lag is a step of more than 1 % at 200 Hz, as much as the jitter that is looked for: a parabola
    goes through the normalised correlation at the lag and its two neighbours.
    """
    f0, voiced = np.zeros(len(log_f0)), np.flatnonzero(log_f0 > 0)
    if not len(voiced):
        return f0
    frames = _frames(waveform, PITCH_WINDOW, len(log_f0))[voiced]
    frames = frames - frames.mean(1, keepdims=True)
    lags = np.rint(SAMPLING_RATE / 2 ** log_f0[voiced]).astype(np.int64)
    size = PITCH_WINDOW - int(SAMPLING_RATE / MIN_PITCH) - 1
    place = np.arange(size)
    head = frames[:, :size]
    near = []
    for lag in (lags - 1, lags, lags + 1):
        later = np.take_along_axis(frames, place + lag[:, None], 1)
        norm = np.sqrt((head**2).sum(1) * (later**2).sum(1))
        near.append((head * later).sum(1) / np.maximum(norm, TINY))
    before, at, after = near
    bend = before - 2 * at + after
    peaked = bend < -TINY
    moved = np.where(peaked, 0.5 * (before - after) / np.where(peaked, bend, 1.0), 0.0).clip(-1, 1)
    f0[voiced] = SAMPLING_RATE / (lags + moved)
    return f0
