#!/usr/bin/env python
"""Take one thing at a time out of how the default model hears, and score validation speakers.

    python scripts/ablate.py --data FOLDER [--target MODEL] [--seeds 0,1] [--steps 500]

The stage "views" is trained anew for each row, on the frame encoder of the model in --target. Prints a table
of UAR, the mean over the seeds: a clip alone, with up to 15 earlier ones of its speaker, and by telephone.
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState

from mmser.data import examples_of, load_corpora
from mmser.model import MmserModel
from mmser.model.acoustics_mmser import NUM_FUNCTIONALS
from mmser.model.audio_mmser import AudioBranch
from mmser.training.acoustic_cache import cache_acoustics
from mmser.training.config import read_config
from mmser.training.loop import fit
from mmser.training.protocols import mute_frames
from mmser.training.view_stage import (
    PHONE_SHARE,
    Heard,
    ViewStage,
    eval_batches,
    validation_uar,
    view_stage,
    weigh_halves,
)

HOME = Path(__file__).resolve().parent.parent
KEPT = ("encoder.", "pool.", "voice.", "acoustics.", "functional_")  # of the trained branch, in every row
COLUMNS = ("uar", "uar_history", "uar_phone")


@dataclass(frozen=True)
class Variant:
    """What one row goes without."""

    name: str
    heard: Callable[[Heard], Heard] = lambda row: row
    frames: bool = True
    telephone: bool = True
    mixup: bool = True
    average: bool = True


def _without_voice(row: Heard) -> Heard:
    functionals = row.functionals.clone()
    functionals[..., NUM_FUNCTIONALS:] = 0
    return replace(row, functionals=functionals)


def _without_functionals(row: Heard) -> Heard:
    functionals = row.functionals.clone()
    functionals[..., :NUM_FUNCTIONALS] = 0
    return replace(row, functionals=functionals)


def _one_speed(row: Heard) -> Heard:
    middle = slice(row.pooled.shape[1] // 2, row.pooled.shape[1] // 2 + 1)
    return replace(row, pooled=row.pooled[:, middle], functionals=row.functionals[:, middle])


VARIANTS = (
    Variant("everything"),
    Variant("without the pretrained speaker encoder", heard=_without_voice),
    Variant("without spectral and prosodic functionals", heard=_without_functionals),
    Variant("without the frame encoder (CNN and Conformer)", frames=False),
    Variant("without telephone lines in training", telephone=False),
    Variant("without other speeds in training", heard=_one_speed),
    Variant("without mixup", mixup=False),
    Variant("without the moving average of weights", average=False),
)


def score(model: MmserModel, base: ViewStage, variant: Variant, steps: int, seed: int) -> list[float]:
    """Train one variant and return its columns."""
    torch.manual_seed(seed)
    branch = AudioBranch(model.config)
    kept = {n: t for n, t in model.audio.state_dict().items() if n.startswith(KEPT)}
    branch.load_state_dict(kept, strict=False)
    train, held_out = ([variant.heard(row) for row in part] for part in (base.heard, base.held_out))
    phone_share = PHONE_SHARE if variant.telephone else 0.0
    stage = ViewStage(branch, train, held_out, phone_share=phone_share, mixup=variant.mixup)
    plan = read_config(HOME / "configs" / "default.yaml").views
    assert plan is not None
    length = {"steps": steps, "validate_every": steps, "average": plan.average if variant.average else 0.0}
    with tempfile.TemporaryDirectory() as folder:
        fit(stage, plan.model_copy(update=length), Path(folder), seed=seed)
    if variant.frames:
        weigh_halves(branch, eval_batches(held_out, 1, seed))
    else:
        mute_frames(branch)
    found = validation_uar(branch, held_out, seed)
    return [found[name] for name in COLUMNS]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("MMSER_DATA"))
    parser.add_argument("--target", type=Path, default=HOME / "mmser" / "assets" / "model")
    parser.add_argument("--work", type=Path, default=HOME / "runs" / "measure")
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--steps", type=int, default=500)
    options = parser.parse_args()
    torch.set_num_threads(1)
    PartialState(cpu=True)  # cached acoustics lie in the CPU's memory
    model = MmserModel.from_pretrained(options.target).eval()
    corpora = load_corpora(read_config(HOME / "configs" / "default.yaml").data, options.data)
    speech = [e for e in examples_of(corpora) if e.audio is not None and e.emotions]
    base = view_stage(model.audio, cache_acoustics(speech, options.work / "acoustics.pt", model.audio, 0))
    print("| trained | UAR | with history | telephone |\n|---|---|---|---|")
    for variant in VARIANTS:
        rows = [score(model, base, variant, options.steps, int(s)) for s in options.seeds.split(",")]
        means = " | ".join(f"{value:.1f}" for value in np.mean(rows, 0))
        print(f"| {variant.name} | {means} |", flush=True)


if __name__ == "__main__":
    main()
