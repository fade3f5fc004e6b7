"""Log-mel frames and functionals of every clip in several renderings, computed once."""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
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

SPEEDS = (0.85, 0.92, 1.0, 1.08, 1.16)  # as good as other speakers: pitch, formants and tempo move
MAX_SECONDS = 20.0

Stored = tuple[dict[str, list[Tensor]], ...]  # clean and by telephone: name → a tensor for each speed


@dataclass
class Rendering:
    """One clip as one line played it."""

    log_mel: Tensor  # (frames, 64), float16
    functionals: Tensor  # (functionals,)


@dataclass
class Clip:
    """One example with its renderings."""

    example: Example
    clean: list[Rendering]  # one per speed of `SPEEDS`; just the natural speed outside training
    phone: list[Rendering]

    def rendering(self, *, phone: bool = False, speed: float = 1.0) -> Rendering:
        """Return one of the renderings."""
        lines = self.phone if phone else self.clean
        return lines[SPEEDS.index(speed)] if len(lines) == len(SPEEDS) else lines[0]


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


def cache_acoustics(examples: Sequence[Example], path: Path, seed: int = 0, processes: int = 2) -> list[Clip]:
    """Return all clips with their renderings, from `path` where they were computed before."""
    if path.exists():
        stored = torch.load(path, weights_only=True)
    else:
        stored = _compute(examples, seed, processes)
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


def _compute(examples: Sequence[Example], seed: int, processes: int) -> dict[str, Stored]:
    jobs = [(example, (seed, number)) for number, example in enumerate(examples)]
    context = multiprocessing.get_context("spawn")  # a fork of a process in which torch has run can hang
    with ProcessPoolExecutor(
        processes, mp_context=context, initializer=torch.set_num_threads, initargs=(1,)
    ) as pool:
        done = pool.map(_renderings, jobs, chunksize=20)
        return {
            str(example.audio): tuple(
                {name: [torch.from_numpy(a) for a in arrays] for name, arrays in line.items()}
                for line in both
            )
            for example, both in zip(examples, done, strict=True)
        }


def _renderings(job: tuple[Example, tuple[int, int]]) -> list[dict[str, list[np.ndarray]]]:
    """Return log-mel frames and functionals, clean and by telephone, as arrays that a process can send."""
    example, seed = job
    assert example.audio is not None
    rng, acoustics = np.random.default_rng(seed), Acoustics()
    waveform = read_clip(example.audio)
    speeds = SPEEDS if example.split == "train" else (1.0,)
    clean = [change_speed(waveform, speed) for speed in speeds]
    both = []
    for waves in (clean, [telephone(wave, rng) for wave in clean]):
        done = [render(wave, acoustics) for wave in waves]
        both.append(
            {
                "log_mel": [d.log_mel.numpy() for d in done],
                "functionals": [d.functionals.numpy() for d in done],
            }
        )
    return both


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
