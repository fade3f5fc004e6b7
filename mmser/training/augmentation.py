"""Other sounds of the same words: how often, and how strongly, training recordings are changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from mmser.audio.effects import (
    add_noise,
    change_level,
    change_speed,
    made_room,
    read_sounds,
    reverberate,
    telephone,
)
from mmser.audio.files import Waveform

MAX_BAND = 0.15  # of the band up to 8 kHz that is blanked at once
MAX_STRETCH = 0.12  # of a clip that is blanked at once
FLOOR = 10 ** (-50 / 20)  # of a clip's level: what a blanked stretch holds, since no line is ever silent
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
        self.rooms = [] if config.room_folder is None else read_sounds(config.room_folder)
        self.noises = [] if config.noise_folder is None else read_sounds(config.noise_folder)

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
