"""Functionals of a clip: what its spectrum, cepstrum and prosody are like over its whole length.

The families of the GeMAPS sets (Eyben 2016), computed here from the model's own front end. Jitter and shimmer
are taken from frame to frame, 10 ms apart, not from one glottal cycle to the next: they follow the same
irregularity, but their values are not those of Praat.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks

from mmser.evaluation.baseline_models.contours import (
    CEPSTRAL,
    LEAST_DB,
    SPECTRAL,
    STEP,
    Contours,
    Floats,
    Waveform,
    contours,
    delta,
)

Bools = NDArray[np.bool_]

STATISTICS = ("mean", "std", "q05", "q50", "q95", "range", "slope")
CONTOURS = (
    *SPECTRAL,
    *CEPSTRAL,
    *(f"delta_{name}" for name in CEPSTRAL),
    *(f"delta2_{name}" for name in CEPSTRAL),
)
VOICED_CONTOURS = ("f0_semitones", "harmonics_db")
PROSODY = (
    "voiced_share",
    "voiced_parts_per_s",
    "jitter",
    "shimmer",
    "speech_share",
    "pauses",
    "pause_s",
    "peaks_per_s",
)
LOWEST_NOTE = 27.5  # Hz, 0 semitones
SPEECH_DB = 30.0  # under the loudest frames a frame counts as silent
STILL_DB = -75.0  # dBFS; a clip that never gets louder holds no speech
MIN_PAUSE = 0.1  # s
MAX_JUMP = 1.3  # ratio of two periods above which one of them is an error, as in Praat
PEAK_DB = 3.0  # prominence of a syllable-like peak
PEAK_FRAMES = 8  # 80 ms, the least time between two


def feature_names() -> tuple[str, ...]:
    """Return the name of each column of `functionals`."""
    named = [f"{name}.{statistic}" for name in (*CONTOURS, *VOICED_CONTOURS) for statistic in STATISTICS]
    return (*named, *PROSODY)


def functionals(found: Contours) -> NDArray[np.float32]:
    """Return the statistics of a clip's contours, in the order of `feature_names`; all are finite.

    Spectrum and cepstrum are taken over the frames that hold speech, pitch over those with a voice; 0 stands
    where there is none.
    """
    speech = speech_frames(found.spectral[:, 0])
    slopes = delta(found.cepstrum)
    frames = np.concatenate([found.spectral, found.cepstrum, slopes, delta(slopes)], 1)
    used = speech if speech.any() else np.ones_like(speech)
    voiced = found.f0 > 0
    notes = 12 * np.log2(np.where(voiced, found.f0, LOWEST_NOTE) / LOWEST_NOTE)
    pitch = np.stack([notes, found.harmonics_db], 1)
    parts = [_statistics(frames, used), _statistics(pitch, voiced), _prosody(found, speech)]
    return np.concatenate(parts).astype(np.float32)


def measure(waveform: Waveform) -> NDArray[np.float32]:
    """Return the functionals of a mono waveform at 16 kHz, (features,)."""
    return functionals(contours(waveform))


def speech_frames(energy: Floats) -> Bools:
    """Return which frames hold speech, by their energy in dBFS, (frames,)."""
    loudest = float(np.quantile(energy, 0.95))
    heard: Bools = energy > max(loudest - SPEECH_DB, LEAST_DB)
    return heard if loudest > STILL_DB else np.zeros_like(heard)


def _statistics(values: Floats, used: Bools) -> Floats:
    """Return `STATISTICS` of each column over the frames used, zeros where there is none, (columns * 7,)."""
    if not used.any():
        return np.zeros(values.shape[1] * len(STATISTICS))
    kept, time = values[used], np.flatnonzero(used) * STEP
    mean, centred = kept.mean(0), time - time.mean()
    spread = float((centred**2).sum())
    slope = centred @ (kept - mean) / spread if spread > 0 else np.zeros_like(mean)
    low, middle, high = np.quantile(kept, (0.05, 0.5, 0.95), axis=0)
    columns = [mean, kept.std(0), low, middle, high, np.ptp(kept, axis=0), slope]
    return np.stack(columns, 1).ravel()


def _prosody(found: Contours, speech: Bools) -> Floats:
    """Return the columns of `PROSODY`."""
    voiced, seconds = found.f0 > 0, len(speech) * STEP
    starts = int(np.diff(voiced, prepend=False)[voiced].sum())
    pauses = _pauses(speech)
    smooth = uniform_filter1d(found.spectral[:, 0], 5, mode="nearest")
    peaks, _ = find_peaks(np.where(speech, smooth, LEAST_DB), prominence=PEAK_DB, distance=PEAK_FRAMES)
    spoken = max(STEP, float(speech.sum()) * STEP)
    numbers = [
        voiced.mean(),
        starts / seconds,
        _jitter(found.f0),
        _shimmer(found.amplitude, voiced),
        speech.mean(),
        len(pauses),
        sum(pauses) / len(pauses) if pauses else 0.0,
        len(peaks) / spoken,
    ]
    return np.array(numbers, np.float64)


def _pauses(speech: Bools) -> list[float]:
    """Return the length in seconds of each pause between two stretches of speech."""
    gaps = np.diff(np.flatnonzero(speech)) - 1
    lengths: list[float] = (gaps * STEP).tolist()
    return [length for length in lengths if length >= MIN_PAUSE]


def _jitter(f0: Floats) -> float:
    """Return the mean change of the period between neighbouring voiced frames, as a share of the period."""
    both = (f0[1:] > 0) & (f0[:-1] > 0)
    earlier, later = 1 / f0[:-1][both], 1 / f0[1:][both]
    ratio = np.maximum(earlier, later) / np.minimum(earlier, later)
    steady = ratio < MAX_JUMP
    if not steady.any():
        return 0.0
    change = np.abs(later - earlier)[steady].mean()
    return float(change / np.concatenate([earlier, later]).mean())


def _shimmer(amplitude: Floats, voiced: Bools) -> float:
    """Return the mean change of the amplitude between neighbouring voiced frames, as a share of it."""
    both = voiced[1:] & voiced[:-1]
    if not both.any():
        return 0.0
    level = np.concatenate([amplitude[1:][both], amplitude[:-1][both]]).mean()
    return float(np.abs(np.diff(amplitude))[both].mean() / level) if level > 0 else 0.0
