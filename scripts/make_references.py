#!/usr/bin/env python
"""Write what the shipped model has seen, and what it says on validation, beside its weights.

    python scripts/make_references.py --data FOLDER

`training_data.json` keeps evaluations from scoring the model on its own speakers; drift is told against
`validation_profile.json` (`mmser evaluate --from-feedback`). The profile has rows of sound alone and of words
alone; it has none with both, since no validation row has words of its own beside its sound. FOLDER holds
corpora/ and text/.
"""

import argparse
import os
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch

from mmser.data import examples_of, load_corpora
from mmser.evaluation.division.training_data import training_data, write_training_data
from mmser.evaluation.feedback.profile import PROFILE, profile_of, write_profile
from mmser.evaluation.judged import join
from mmser.evaluation.judging import is_labelled, judge
from mmser.evaluation.sounds import Sounds, seconds_of
from mmser.loading import load_model
from mmser.report.writing import write_outputs
from mmser.training.config import read_config

HOME = Path(__file__).resolve().parent.parent
SHIPPED = HOME / "mmser" / "assets" / "model"
NOT_FUSED = "its validation clips speak a script's sentences, and its validation texts have no sound"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("MMSER_DATA"))
    parser.add_argument("--target", type=Path, default=SHIPPED)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = list(examples_of(load_corpora(read_config(HOME / "configs" / "default.yaml").data, options.data)))
    path = write_training_data(training_data(rows), options.target)
    print(f"{path}: {path.stat().st_size} bytes")
    model, processor, info = load_model(options.target)
    held = [row for row in rows if row.split == "validation" and is_labelled(row)]
    # Words of a script tell nothing: those clips are heard alone.
    heard = [replace(row, text=None) for row in held if row.audio is not None]
    read = [row for row in held if row.audio is None and row.emotions]
    with Sounds() as sounds:
        said = [judge(model, processor, part, sounds) for part in (heard, read)]
        lengths = [seconds_of(sounds.read(row)) for row in said[0].examples]
    profile = profile_of(
        join(said),
        patterns=["audio"] * len(said[0]) + ["text"] * len(said[1]),
        lengths=[*lengths, *[None] * len(said[1])],
        lacks={"fused": NOT_FUSED},
        revision=info.revision,
    )
    write_outputs({options.target / PROFILE: write_profile(profile)}, overwrite=True)
    print(f"{options.target / PROFILE}: {', '.join(f'{n} {p.n} rows' for n, p in profile.parts.items())}")


if __name__ == "__main__":
    main()
