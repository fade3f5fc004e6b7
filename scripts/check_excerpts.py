#!/usr/bin/env python
"""Print how well copied clips are told from others by the excerpt of its training clips that a model carries.

    python scripts/check_excerpts.py --data FOLDER

FOLDER holds corpora/. Copies of training clips are encoded anew; other people's clips are held against the
same excerpts. The share of bits that differ should lie under `MAX_BIT_ERROR` for copies alone.
"""

import argparse
import io
import os
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from mmser.audio import SAMPLING_RATE
from mmser.data import Example, examples_of, load_corpora
from mmser.evaluation.division.excerpts import MAX_BIT_ERROR, MOST_SECONDS, Excerpts, take_excerpt
from mmser.evaluation.sounds import Sounds
from mmser.training.config import read_config

HOME = Path(__file__).resolve().parent.parent
ENCODINGS = {
    "Opus": ("OGG", "OPUS", 16_000),
    "MP3": ("MP3", "MPEG_LAYER_III", 16_000),
    "µ-law, 8 kHz": ("WAV", "ULAW", 8_000),
    "GSM, 8 kHz": ("WAV", "GSM610", 8_000),
}
CUT = 0.2  # seconds


def copies(waveform: NDArray[np.float32]) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield a waveform at 16 kHz as others may have it."""
    yield "as it is", waveform
    yield (
        "48 kHz, softer",
        soxr.resample(0.5 * soxr.resample(waveform, SAMPLING_RATE, 48_000), 48_000, SAMPLING_RATE),
    )
    yield f"{CUT} s cut off", waveform[round(CUT * SAMPLING_RATE) :]
    for name, (kind, subtype, rate) in ENCODINGS.items():
        file = io.BytesIO()
        soundfile.write(
            file, soxr.resample(waveform, SAMPLING_RATE, rate), rate, format=kind, subtype=subtype
        )
        file.seek(0)
        decoded, rate = soundfile.read(file, dtype="float32")
        yield name, soxr.resample(decoded, rate, SAMPLING_RATE)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("MMSER_DATA"))
    parser.add_argument(
        "--rows", type=int, default=300, help="of training clips, and of others of each corpus"
    )
    options = parser.parse_args()
    config = read_config(HOME / "configs" / "default.yaml")
    entries = [entry for entry in config.data if entry.corpus in ("ravdess", "emodb", "nemo")]
    rows = [e for e in examples_of(load_corpora(entries, options.data)) if e.audio is not None]
    drawn = random.Random(0)
    with Sounds() as sounds:
        trained = _some(rows, "train", None, options.rows, drawn)
        waves = [_heard(example, sounds) for example in trained]
        excerpts = Excerpts(found for wave in waves if (found := take_excerpt(wave)) is not None)
        print(f"{len(excerpts)} excerpts of {len(trained)} clips; found: at most {MAX_BIT_ERROR:.0%} differ")
        errors: dict[str, list[float]] = {}
        for wave in waves:
            for name, copy in copies(wave):
                errors.setdefault(f"copies, {name}", []).append(
                    excerpts.bit_error(np.asarray(copy, np.float32))
                )
        for corpus in sorted({example.corpus for example in rows}):
            others = _some(rows, "test", corpus, options.rows, drawn)
            errors[f"others, {corpus} test"] = [excerpts.bit_error(_heard(e, sounds)) for e in others]
    print(f"{'':<24}{'clips':>6}{'found':>8}{'least':>8}{'median':>8}{'most':>8}")
    for name, own in errors.items():
        found = np.mean([error <= MAX_BIT_ERROR for error in own])
        print(f"{name:<24}{len(own):>6}{found:>8.1%}{min(own):>8.3f}{np.median(own):>8.3f}{max(own):>8.3f}")


def _heard(example: Example, sounds: Sounds) -> NDArray[np.float32]:
    waveform = sounds.read(example, MOST_SECONDS)
    assert waveform is not None
    return waveform


def _some(
    rows: list[Example], split: str, corpus: str | None, most: int, drawn: random.Random
) -> list[Example]:
    own = [e for e in rows if e.split == split and corpus in (None, e.corpus)]
    return drawn.sample(own, min(most, len(own)))


if __name__ == "__main__":
    main()
