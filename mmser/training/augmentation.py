"""What recordings do to a voice: speed, room, noise, level, a telephone line.

All functions take and return mono float32 waveforms at 16 kHz and draw from the generator they are given.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from mmser.errors import MmserError

RATE = 16_000  # Hz
MAX_BAND = 0.15  # of the band up to 8 kHz that is blanked at once
MAX_STRETCH = 0.12  # of a clip that is blanked at once
FLOOR = 10 ** (-50 / 20)  # of a clip's level: what a blanked stretch holds, since no line is ever silent
MU = 255.0
Waveform = NDArray[np.float32]


_BOUNDS = {"speed_range": (0.5, 2.0), "snr_range": (-60.0, 100.0), "gain_range": (-60.0, 60.0)}


class AugmentConfig(BaseModel):
    """How often, and how strongly, training recordings are changed; 0 = never."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    speed: float = Field(default=0.5, ge=0, le=1)  # chance of another speed, as of another speaker
    speed_range: tuple[float, float] = (0.85, 1.18)
    room: float = Field(default=0.1, ge=0, le=1)
    room_folder: Path | None = None  # impulse responses; without it decaying noise stands for a room
    noise: float = Field(default=0.2, ge=0, le=1)
    noise_folder: Path | None = None  # recordings of noise; without it white noise
    snr_range: tuple[float, float] = (8.0, 35.0)  # dB
    telephone: float = Field(default=0.3, ge=0, le=1)
    gsm: float = Field(default=0.3, ge=0, le=1)  # of telephone lines: GSM 06.10 instead of µ-law
    gain_range: tuple[float, float] = (-12.0, 6.0)  # dB
    spec_augment: float = Field(default=0.5, ge=0, le=1)  # chance of blanked bands and stretches (Park 2019)
    mixup: float = Field(default=0.2, ge=0)  # alpha of Zhang 2018, for clips without words

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name, (least, most) in _BOUNDS.items():
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} is {low:g} to {high:g}; give the lower number first")
            if low < least or high > most:
                raise ValueError(f"{name} is {low:g} to {high:g}; give numbers from {least:g} to {most:g}")
        return self


@dataclass(frozen=True)
class Scene:
    """What is the same throughout a call: the voice, the room, the line and the level."""

    speed: float
    room: Waveform | None  # impulse response
    noise: Waveform | None  # None = white
    snr: float | None  # dB; None = no noise
    line: str | None  # "mu-law", "gsm"; None = no telephone
    line_seed: int  # of the level and noise of the telephone line
    gain: float  # dB


class Augmenter:
    """Applies a configuration; recordings of rooms and noise are read once."""

    def __init__(self, config: AugmentConfig) -> None:
        self.config = config
        self.rooms = _read_folder(config.room_folder)
        self.noises = _read_folder(config.noise_folder)

    def scene(self, rng: np.random.Generator) -> Scene:
        """Draw what a call sounds like."""
        config = self.config
        speed = float(rng.uniform(*config.speed_range)) if rng.random() < config.speed else 1.0
        room = None
        if rng.random() < config.room:
            room = self.rooms[rng.integers(len(self.rooms))] if self.rooms else made_room(rng)
        noise = self.noises[rng.integers(len(self.noises))] if self.noises else None
        snr = float(rng.uniform(*config.snr_range)) if rng.random() < config.noise else None
        line = None
        if rng.random() < config.telephone:
            line = "gsm" if rng.random() < config.gsm else "mu-law"
        gain = float(rng.uniform(*config.gain_range))
        return Scene(speed, room, noise, snr, line, int(rng.integers(2**62)), gain)

    def __call__(self, waveform: Waveform, scene: Scene, rng: np.random.Generator) -> Waveform:
        """Return one utterance as the scene sounds: speed, room, noise, line, blanks, level, in this order.

        Args:
            waveform: mono, 16 kHz.
            scene: of its call.
            rng: of what is the utterance's own: which noise, and what is blanked.
        """
        waveform = change_speed(waveform, scene.speed)
        if scene.room is not None:
            waveform = reverberate(waveform, scene.room)
        if scene.snr is not None:
            waveform = add_noise(waveform, scene.snr, rng, scene.noise)
        if scene.line is not None:
            line = np.random.default_rng(scene.line_seed)
            waveform = telephone(waveform, line, gsm=scene.line == "gsm")
        if rng.random() < self.config.spec_augment:
            waveform = blank(waveform, rng)
        return change_level(waveform, scene.gain)


def _read_folder(folder: Path | None) -> list[Waveform]:
    if folder is None:
        return []
    found = [_read(path) for path in sorted(folder.glob("*.wav"))] if folder.is_dir() else []
    if not found:
        raise MmserError(
            f"{folder} holds no WAV files of noise or rooms; give another folder, or leave it out"
        )
    return found


def _read(path: Path) -> Waveform:
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise MmserError(f"{path} cannot be read ({error}); take it out of the folder") from error
    mono = samples.mean(1)
    if not len(mono) or not np.isfinite(mono).all() or not mono.any():
        raise MmserError(f"{path} is empty, silent, or holds samples that are no numbers; take it out")
    return np.asarray(mono if rate == RATE else soxr.resample(mono, rate, RATE), np.float32)


def change_speed(waveform: Waveform, factor: float) -> Waveform:
    """Play faster (> 1) or slower (< 1): tempo and pitch move together, as on a tape."""
    if factor == 1.0:
        return waveform
    return np.asarray(soxr.resample(waveform, RATE * factor, RATE), np.float32)


def change_level(waveform: Waveform, gain: float) -> Waveform:
    """Make louder by `gain` dB, no further than full scale."""
    peak = float(np.abs(waveform).max(initial=0.0))
    factor = min(10 ** (gain / 20), 1 / peak if peak else np.inf)
    return np.asarray(waveform * factor, np.float32)


def reverberate(waveform: Waveform, response: Waveform) -> Waveform:
    """Convolve with a room's impulse response; same length and level out as in."""
    size = len(waveform) + len(response) - 1
    wet = np.fft.irfft(np.fft.rfft(waveform, size) * np.fft.rfft(response, size), size)[: len(waveform)]
    power = float(np.mean(wet**2))
    return np.asarray(wet * np.sqrt(float(np.mean(waveform**2)) / power) if power else wet, np.float32)


def made_room(rng: np.random.Generator) -> Waveform:
    """Return an impulse response of decaying noise after the direct sound, of 0.1 to 0.5 s."""
    decay = rng.uniform(0.1, 0.5)
    time = np.arange(int(decay * RATE)) / RATE
    tail = rng.standard_normal(len(time)) * np.exp(-6.9 * time / decay) * rng.uniform(0.01, 0.08)
    tail[0] = 1.0
    return np.asarray(tail, np.float32)


def telephone(waveform: Waveform, rng: np.random.Generator, *, gsm: bool = False) -> Waveform:
    """Pass through an 8 kHz telephone line (300–3400 Hz), µ-law or GSM 06.10, at times a noisy one.

    Same length out as in; the level before the codec varies, since quiet lines are coarser.
    """
    narrow = np.asarray(soxr.resample(waveform, RATE, RATE / 2), np.float32)
    narrow = _band_pass(narrow, 300.0, 3400.0, RATE / 2)
    peak = float(np.abs(narrow).max(initial=0.0)) or 1.0
    level = 10 ** rng.uniform(-1.2, -0.1) / peak
    narrow = narrow * level
    if rng.random() < 0.5:
        narrow = add_noise(narrow, rng.uniform(12, 35), rng)
    coded = gsm_codec(narrow) if gsm else mu_law(narrow)
    wide = np.asarray(soxr.resample(coded / level, RATE / 2, RATE), np.float32)
    fitted = np.zeros_like(waveform)
    count = min(len(wide), len(waveform))
    fitted[:count] = wide[:count]
    return fitted


def mu_law(waveform: Waveform) -> Waveform:
    """Quantise to 8 bits by µ-law companding and back."""
    clipped = np.clip(waveform, -1, 1)
    compressed = np.sign(clipped) * np.log1p(MU * np.abs(clipped)) / np.log1p(MU)
    coarse = np.round(compressed * 127.5) / 127.5
    return np.asarray(np.sign(coarse) * np.expm1(np.abs(coarse) * np.log1p(MU)) / MU, np.float32)


def gsm_codec(waveform: Waveform) -> Waveform:
    """Code and decode with GSM 06.10 at 8 kHz, by the codec in soundfile's library."""
    file = io.BytesIO()
    soundfile.write(file, waveform, RATE // 2, format="WAV", subtype="GSM610")
    file.seek(0)
    return np.asarray(soundfile.read(file, dtype="float32")[0], np.float32)


def add_noise(
    waveform: Waveform, snr: float, rng: np.random.Generator, noise: Waveform | None = None
) -> Waveform:
    """Add noise, white where none is given, at a signal-to-noise ratio in dB."""
    if noise is None:
        noise = rng.standard_normal(len(waveform)).astype(np.float32)
    else:
        start = int(rng.integers(len(noise)))
        noise = np.take(noise, np.arange(start, start + len(waveform)), mode="wrap")
    power = float(np.mean(waveform**2)) or 1e-10
    own = float(np.mean(noise**2)) or 1e-10
    return np.asarray(waveform + noise * np.sqrt(power / own / 10 ** (snr / 10)), np.float32)


def mix_waveforms(waveforms: Sequence[Waveform], share: float) -> Waveform:
    """Add two waveforms as mixup does, the second at the level of the first, to the length of the first."""
    first, second = waveforms
    if not len(second):
        return first
    second = np.take(second, np.arange(len(first)), mode="wrap")
    levels = [float(np.sqrt(np.mean(w**2))) or 1e-6 for w in (first, second)]
    return np.asarray(share * first + (1 - share) * second * (levels[0] / levels[1]), np.float32)


def blank(waveform: Waveform, rng: np.random.Generator) -> Waveform:
    """Take out up to two bands and up to two stretches: SpecAugment (Park 2019) on a waveform.

    An encoder of any kind hears it so; for one that takes log-mel frames it is much the same as on these.
    """
    spectrum = np.fft.rfft(waveform)
    for _ in range(2):
        width = int(rng.uniform(0, MAX_BAND) * len(spectrum))
        low = int(rng.uniform(0, len(spectrum) - width + 1))
        spectrum[low : low + width] *= 0.01
    blanked = np.asarray(np.fft.irfft(spectrum, len(waveform)), np.float32)
    level = float(np.sqrt(np.mean(waveform**2))) * FLOOR
    for _ in range(2):
        width = int(rng.uniform(0, MAX_STRETCH) * len(waveform))
        low = int(rng.uniform(0, len(waveform) - width + 1))
        blanked[low : low + width] = level * rng.standard_normal(width)
    return blanked


def _band_pass(waveform: Waveform, low: float, high: float, rate: float) -> Waveform:
    """Filter with gentle edges in the frequency domain; clips are short."""
    spectrum = np.fft.rfft(waveform)
    frequency = np.fft.rfftfreq(len(waveform), 1 / rate)
    gain = 1 / (1 + (low / np.maximum(frequency, 1e-3)) ** 8) / (1 + (frequency / high) ** 24)
    return np.asarray(np.fft.irfft(spectrum * gain, len(waveform)), np.float32)
