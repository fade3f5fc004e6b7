"""Log-mel frames and functionals of every clip in several renderings, computed once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from torch import Tensor

from mmser.data import Example
from mmser.model.acoustics_mmser import SAMPLING_RATE, Acoustics
from mmser.training.augmentation import change_speed, telephone

SPEEDS = (0.9, 1.0, 1.1)
MAX_SECONDS = 20.0


@dataclass
class Rendering:
    """One clip as one line played it."""

    log_mel: Tensor  # (frames, 64), float16
    functionals: Tensor  # (functionals,)


@dataclass
class Clip:
    """One example with its renderings."""

    example: Example
    clean: list[Rendering]  # one per speed; just the natural speed outside training
    phone: list[Rendering]


def read_clip(path: Path) -> np.ndarray:
    """Return a corpus clip as mono float32 at 16 kHz, at most 20 s."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(1)
    if rate != SAMPLING_RATE:
        mono = soxr.resample(mono, rate, SAMPLING_RATE)
    return np.asarray(mono[: int(MAX_SECONDS * SAMPLING_RATE)], np.float32)


def render(waveform: np.ndarray, acoustics: Acoustics) -> Rendering:
    """Compute the acoustics of one waveform."""
    values, length = torch.from_numpy(waveform).unsqueeze(0), torch.tensor([len(waveform)])
    with torch.inference_mode():
        log_mel = acoustics.log_mel(values, length)
        functionals = acoustics.functionals(values, length, log_mel)
    return Rendering(log_mel[0].half().clone(), functionals[0].clone())


def cache_acoustics(examples: Sequence[Example], path: Path, seed: int = 0) -> list[Clip]:
    """Return all clips with their renderings, from `path` where they were computed before."""
    if path.exists():
        stored = torch.load(path, weights_only=True)
    else:
        stored = _compute(examples, seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(stored, path)
    clips = []
    for example in examples:
        renderings = [
            [Rendering(m, f) for m, f in zip(r["log_mel"], r["functionals"], strict=True)]
            for r in stored[str(example.audio)]
        ]
        clips.append(Clip(example, renderings[0], renderings[1]))
    return clips


def _compute(examples: Sequence[Example], seed: int) -> dict[str, list[dict[str, list[Tensor]]]]:
    acoustics = Acoustics()
    rng = np.random.default_rng(seed)
    stored = {}
    for example in examples:
        assert example.audio is not None
        waveform = read_clip(example.audio)
        speeds = SPEEDS if example.split == "train" else (1.0,)
        versions = [change_speed(waveform, speed) for speed in speeds]
        both = []
        for wave in (versions, [telephone(v, rng) for v in versions]):
            done = [render(w, acoustics) for w in wave]
            both.append({"log_mel": [d.log_mel for d in done], "functionals": [d.functionals for d in done]})
        stored[str(example.audio)] = both
    return stored


def gain_response(acoustics: Acoustics) -> Tensor:
    """Return how each functional moves when a clip gets louder by a factor of e in power, (functionals,)."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, SAMPLING_RATE, generator=generator) * 0.05
    length = torch.tensor([SAMPLING_RATE])
    louder = noise * float(np.exp(0.5))
    quiet = acoustics.functionals(noise, length, acoustics.log_mel(noise, length))
    loud = acoustics.functionals(louder, length, acoustics.log_mel(louder, length))
    response = (loud - quiet)[0]
    return torch.where(response.abs() > 1e-2, response, torch.zeros_like(response))
