"""Log-mel frames and functionals of every clip in several renderings, computed once."""

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmser.audio.effects import change_speed, telephone
from mmser.data import Example
from mmser.data.waveforms import read_part
from mmser.model import MmserConfig
from mmser.model.acoustics_mmser import SAMPLING_RATE, frame_lengths
from mmser.model.audio_mmser import AudioBranch
from mmser.training.checkpoint import digest, load_checkpoint, save_atomically, tensor_digest
from mmser.training.log import track

SPEEDS = (0.85, 0.92, 1.0, 1.08, 1.16)  # as good as other speakers: pitch, formants and tempo move
MOST_PROCESSES = 16  # each loads torch; a container may show many more CPUs than it may use
FEW = 150  # clips that are measured sooner than processes start


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


def render(waveforms: Sequence[np.ndarray], branch: AudioBranch) -> list[Rendering]:
    """Compute the acoustics of some waveforms of about one length."""
    values = nn.utils.rnn.pad_sequence([torch.from_numpy(w) for w in waveforms], batch_first=True)
    lengths = torch.tensor([len(w) for w in waveforms])
    with torch.inference_mode():
        log_mel, functionals = branch.measure(values, lengths)
    counts = frame_lengths(lengths).tolist()
    return [
        Rendering(mel[:count].half().clone(), numbers.clone())
        for mel, count, numbers in zip(log_mel, counts, functionals, strict=True)
    ]


def cache_acoustics(
    examples: Sequence[Example], path: Path, branch: AudioBranch, seed: int = 0, processes: int | None = None
) -> list[Clip]:
    """Return all clips with their renderings, from `path` where they were computed before.

    Args:
        examples: with audio and a split.
        path: of the cache.
        branch: what measures the clips; only its constants and its pretrained voice encoder are used.
        seed: of the telephone lines.
        processes: that compute side by side; None = one for each CPU, up to `MOST_PROCESSES`.
    """
    constants = {n: t for n, t in branch.state_dict().items() if n.startswith(("acoustics.", "voice."))}
    files = [[str(e.audio), e.split, *_part(e)] for e in examples]
    about = [files, SPEEDS, tensor_digest(constants), seed]
    key = digest(about)
    stored = load_checkpoint(path) if path.exists() else {}
    if stored.get("key") != key:
        measuring = AudioBranch(MmserConfig(voice_size=branch.voice_size))
        measuring.load_state_dict(constants, strict=False)
        found = _compute(examples, measuring, seed, processes or min(_num_cpus(), MOST_PROCESSES))
        stored = {"key": key, "clips": found}
        save_atomically(stored, path)
    clips = []
    for example, lines in zip(examples, stored["clips"], strict=True):
        renderings = [
            [Rendering(m, f) for m, f in zip(r["log_mel"], r["functionals"], strict=True)] for r in lines
        ]
        clips.append(Clip(example, renderings[0], renderings[1]))
    return clips


def _part(example: Example) -> list[float | None]:
    """Return which part of its file a clip is; nothing for the whole."""
    part = [example.start, example.end, example.channel]
    return [] if part == [None] * 3 else part


def _compute(examples: Sequence[Example], branch: AudioBranch, seed: int, processes: int) -> list[Any]:
    jobs = [(example, (seed, number)) for number, example in enumerate(examples)]
    if len(jobs) < FEW:
        _start_worker(branch)
        return [_tensors(_renderings(job)) for job in jobs]
    context = multiprocessing.get_context("spawn")  # a fork of a process in which torch has run can hang
    with (
        ProcessPoolExecutor(
            processes, mp_context=context, initializer=_start_alone, initargs=(branch,)
        ) as pool,
        track(len(jobs), "acoustics") as advance,
    ):
        found = []
        for both in pool.map(_renderings, jobs, chunksize=20):
            found.append(_tensors(both))
            advance()
    return found


def _num_cpus() -> int:
    """Return how many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _tensors(lines: list[dict[str, list[np.ndarray]]]) -> list[dict[str, list[Tensor]]]:
    return [{n: [torch.from_numpy(a) for a in arrays] for n, arrays in line.items()} for line in lines]


_worker: dict[str, AudioBranch] = {}


def _start_worker(branch: AudioBranch) -> None:
    _worker["branch"] = branch.eval()


def _start_alone(branch: AudioBranch) -> None:
    torch.set_num_threads(1)
    _start_worker(branch)


def _renderings(job: tuple[Example, tuple[int, int]]) -> list[dict[str, list[np.ndarray]]]:
    """Return log-mel frames and functionals, clean and by telephone, as arrays that a process can send."""
    example, seed = job
    rng = np.random.default_rng(seed)
    waveform = read_part(example)
    speeds = SPEEDS if example.split == "train" else (1.0,)
    clean = [change_speed(waveform, speed) for speed in speeds]
    waves = [*clean, *(telephone(wave, rng) for wave in clean)]
    done = render(waves, _worker["branch"])
    return [
        {
            "log_mel": [d.log_mel.numpy() for d in line],
            "functionals": [d.functionals.numpy() for d in line],
        }
        for line in (done[: len(speeds)], done[len(speeds) :])
    ]


def gain_response(branch: AudioBranch) -> Tensor:
    """Return how each functional moves when a clip gets louder by a factor of e in power, (functionals,)."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, SAMPLING_RATE, generator=generator) * 0.05
    length = torch.tensor([SAMPLING_RATE])
    with torch.inference_mode():
        quiet, loud = (branch.measure(noise * level, length)[1] for level in (1.0, float(np.exp(0.5))))
    response = (loud - quiet)[0]
    return torch.where(response.abs() > 1e-2, response, torch.zeros_like(response)).clone()
