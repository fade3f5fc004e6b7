"""Made clips, and the same sound at another rate, softer and cut: what an excerpt of a print knows again."""

from pathlib import Path

import numpy as np
import soundfile
import soxr

from mmser.data import Example
from tests.data.audit_fixtures import made


def encoded_anew(
    folder: Path, corpus: str, *, quality: float = 1.0, seeds: range = range(4), split: str = "train"
) -> list[Example]:
    """Return rows of clips of changing pitch, at another rate and half as loud where quality is below 1."""
    rows = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        hertz = np.repeat(rng.uniform(120, 900, 20), 1_600) * (1 + 0.01 * rng.standard_normal(32_000))
        harmonics = [np.sin(k * 2 * np.pi * np.cumsum(hertz) / 16_000) / k for k in (1, 2, 3)]
        sound, rate = 0.2 * np.sum(harmonics, 0), 16_000
        if quality < 1:
            sound, rate = soxr.resample(quality * sound[800:], rate, 22_050), 22_050
        path = folder / f"{corpus}-{seed}.wav"
        soundfile.write(path, sound, rate)
        rows.append(made(corpus=corpus, id=path.stem, split=split, speaker=path.stem, audio=path))
    return rows
