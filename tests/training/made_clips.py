"""Random acoustics and encodings of made clips and texts, as the cached stages take them."""

from typing import Any

import numpy as np
import torch

from mmser.data import Example
from mmser.labels import EMOTIONS
from mmser.model.acoustics_mmser import NUM_FUNCTIONALS
from mmser.training.acoustic_cache import SPEEDS, Clip, Rendering
from mmser.training.encodings import Sound, Words


def example(emotion: str, speaker: str = "a", **options: Any) -> Example:
    return Example(**({"corpus": "made", "split": "train"} | options), emotions=(emotion,), speaker=speaker)


def sound(emotion: str, speaker: str = "a") -> Sound:
    return Sound(
        example(emotion, speaker),
        torch.zeros(3, 24).half(),
        torch.zeros(NUM_FUNCTIONALS + 8),
        torch.zeros(48),
    )


def words(emotion: str, **options: Any) -> Words:
    return Words(example(emotion, **options), torch.ones(4, 32).half(), torch.ones(4))


def clips(count: int = 30) -> list[Clip]:
    rng = np.random.default_rng(0)
    made = []
    for i in range(count):
        mel = torch.from_numpy(rng.standard_normal((40 + i, 64)).astype(np.float32)).half()
        rendering = Rendering(mel, torch.from_numpy(rng.standard_normal(NUM_FUNCTIONALS).astype(np.float32)))
        made.append(Clip(example(EMOTIONS[i % 7], "ab"[i % 2]), [rendering], [rendering]))
    return made


def lively_clips() -> list[Clip]:
    """A separable toy: lively low bands against lively high ones; a few steps tell them apart."""
    torch.manual_seed(0)
    made = []
    for i, emotion in enumerate(("anger", "sadness") * 8):
        lively = (torch.arange(64) < 32) == (emotion == "anger")
        mel = (torch.randn(280, 64) * torch.where(lively, 5.0, 0.5)).half()
        rendering = Rendering(mel, torch.randn(NUM_FUNCTIONALS))
        split = "train" if i < 12 else "validation"
        lines = [rendering] * (len(SPEEDS) if split == "train" else 1)
        made.append(Clip(example(emotion, f"s{i // 4}", split=split), lines, lines))
    return made
