#!/usr/bin/env python
"""Measure the shipped model and the protocols' models; write the results and the card made from them.

    python scripts/measure.py --data FOLDER --voice PRETRAINED.PT [--rows shipped,spliced,ravdess,emodb]
    python scripts/measure.py --data FOLDER --target MODEL --seed 1 --rows shipped,spliced
    python scripts/measure.py --data FOLDER --target MODEL --validation FILE --rows shipped,spliced
    python scripts/measure.py --card-only

Each part is written to mmser/assets/model/measurements.json as soon as it is done and is passed over where it
lies (the shipped model's where it is of the same weights), so that a run that was stopped goes on; --again
measures the named rows anew. --seed keeps the rows of a model trained from another seed beside the shipped
one's; --validation scores the validation split instead of the test split and writes to FILE: for choosing.

FOLDER holds corpora/ and text/; PRETRAINED.PT is the GE2E speaker encoder that
the protocols' models start from (see configs/default.yaml).
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
from accelerate import PartialState

from mmser.data import Example, examples_of, load_corpora
from mmser.data.speech import emodb_examples, ravdess_examples
from mmser.model import MmserConfig, MmserModel, MmserProcessor
from mmser.model.audio_mmser import AudioBranch
from mmser.model.voice_mmser import load_ge2e
from mmser.report.writing import write_outputs
from mmser.training.acoustic_cache import cache_acoustics
from mmser.training.card import write_card, write_readme
from mmser.training.card_pictures import draw_confusions, draw_curves
from mmser.training.config import STAGES, read_config
from mmser.training.loop import LoopConfig
from mmser.training.measurement import evaluate
from mmser.training.protocols import EMODB_LABELS, RAVDESS_FOLDS, RAVDESS_LABELS, of_corpus, run_fold

HOME = Path(__file__).resolve().parent.parent
SHIPPED = HOME / "mmser" / "assets" / "model"
ROWS = ("shipped", "spliced", "ravdess", "emodb")
SEED = 0
_VIEWS = LoopConfig(batch_size=256, steps=1, learning_rate=1e-3, weight_decay=0.05, average=0.99)
VIEWS = {corpus: _VIEWS.model_copy(update={"steps": n}) for corpus, n in (("ravdess", 800), ("emodb", 500))}
FRAMES = {
    "ravdess": LoopConfig(steps=1200, learning_rate=1.5e-3, clip_norm=2.0, average=0.99),
    "emodb": LoopConfig(steps=600, learning_rate=1.5e-3, clip_norm=2.0, average=0.99),
}


class Results(dict[str, Any]):
    """What was measured so far, kept in a file."""

    def __init__(self, path: Path) -> None:
        super().__init__(json.loads(path.read_text("utf-8")) if path.exists() else {})
        self.path = path

    def keep(self) -> None:
        """Write all of it."""
        text = json.dumps(self, indent=1)
        lists = re.sub(r"\[[^\[\]{}]*\]", lambda found: " ".join(found[0].split()), text)  # one line each
        write_outputs({self.path: lists + "\n"}, overwrite=True)


def measure_shipped(results: dict[str, Any], options: argparse.Namespace) -> None:
    """Score the model in --target as a user loads it."""
    model = MmserModel.from_pretrained(options.target).eval()
    processor = MmserProcessor.from_pretrained(options.target)
    config = read_config(HOME / "configs" / "default.yaml")
    rows = list(examples_of(load_corpora(config.data, options.data)))
    speech = [e for e in rows if e.audio is not None and e.emotions]
    clips = cache_acoustics(speech, options.work / "acoustics.pt", model.audio, SEED)
    texts = [e for e in rows if e.text and e.sentence is None]
    pairs = HOME / "configs" / "made_pairs.csv"
    if options.validation:
        clips = [replace(c, example=e) for c in clips for e in _validation_as_test(c.example)]
        texts = [e for t in texts for e in _validation_as_test(t)]
        pairs = options.validation.with_suffix(".pairs.csv")
    results["shipped"] = evaluate(model, processor, clips, texts, pairs, SEED)


def _validation_as_test(example: Example) -> list[Example]:
    """Return an example without the test split: a validation example twice, the second time as a test one."""
    both = [example, replace(example, split="test")]
    return {"test": [], "validation": both}.get(str(example.split), [example])


def measure_spliced(results: dict[str, Any], options: argparse.Namespace) -> None:
    """Score change points in seconds."""
    command = [sys.executable, HOME / "scripts" / "measure_changes.py", "--data", options.data]
    split = "validation" if options.validation else "test"
    command += ["--split", split, "--model", options.target]
    done = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True)
    results["spliced"] = json.loads(done.stdout)


def measure_protocol(results: Results, options: argparse.Namespace, corpus: str) -> None:
    """Train and score one model for each fold."""
    if corpus == "ravdess":
        read = ravdess_examples(options.data / "corpora" / "ravdess", classes=8, partial=True)
        folds, labels = {n: [f"ravdess/{a}" for a in f] for n, f in RAVDESS_FOLDS.items()}, RAVDESS_LABELS
    else:
        read = emodb_examples(options.data / "corpora" / "emodb" / "crop_2s", boredom=True)
        folds = {s: [s] for s in sorted({str(e.speaker) for e in read})}
        labels = EMODB_LABELS
    examples: list[Example] = of_corpus(read, corpus)
    branch = AudioBranch(MmserConfig(voice_size=256))
    assert branch.voice is not None
    stored = torch.load(options.voice, map_location="cpu", weights_only=True)
    load_ge2e(branch.voice, stored.get("model_state", stored))
    start = {n: t for n, t in branch.state_dict().items() if n.startswith(("acoustics.", "voice."))}
    clips = cache_acoustics(examples, options.work / f"{corpus}.pt", branch, SEED)
    done = results.setdefault("protocols", {}).setdefault(corpus, {})
    for name, test in folds.items():
        if name not in done or options.again:
            folder = options.work / corpus / name.replace("/", "_")
            frames = FRAMES[corpus] if options.frames else None
            fold = run_fold(clips, test, labels, start, folder, frames, VIEWS[corpus], SEED)
            done[name] = asdict(fold)
            results.keep()
            print(f"{corpus} fold {name} done", file=sys.stderr)


def draw(results: Results, run: Path, target: Path) -> None:
    """Draw the card's pictures; the curves only where the training's folder is at hand."""
    shipped = results["shipped"]
    tables = {
        "sound, all test speakers": shipped["audio"]["confusion"],
        "sound, RAVDESS": shipped["audio"]["confusion_ravdess"],
        "MELD, words in dialogue": shipped["text"]["meld"]["confusion"],
    }
    draw_confusions(tables, target / "confusion.png")
    stages = [s for s in STAGES if (run / f"{s}.jsonl").exists()]
    if stages:
        draw_curves(run, stages, target / "curves.png")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("MMSER_DATA"))
    parser.add_argument("--voice", type=Path, help="weights of the GE2E speaker encoder")
    parser.add_argument("--rows", default=",".join(ROWS), help=f"some of {','.join(ROWS)}")
    parser.add_argument("--target", type=Path, default=SHIPPED)
    parser.add_argument("--work", type=Path, default=HOME / "runs" / "measure")
    parser.add_argument("--run", type=Path, default=HOME / "runs" / "default", help="folder of the training")
    parser.add_argument("--seed", type=int, default=SEED, help="seed that the model in --target had")
    parser.add_argument("--validation", type=Path, metavar="FILE", help="score validation; results here")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--frames", action="store_true", help="protocols with the frame encoder too; slow")
    parser.add_argument("--again", action="store_true", help="measure the rows anew")
    parser.add_argument("--card-only", action="store_true")
    options = parser.parse_args()
    if options.target != SHIPPED and options.seed == SEED and not options.validation:
        parser.error("--target is not the shipped model; say what it is: give --seed or --validation")
    torch.set_num_threads(options.threads)
    PartialState(cpu=True)  # cached acoustics lie in the CPU's memory
    results = Results(options.validation or SHIPPED / "measurements.json")
    own: dict[str, Any] = results  # rows of the weights in --target
    if options.seed != SEED:
        own = results.setdefault("seeds", {}).setdefault(str(options.seed), {})
    if not options.card_only:
        forget_other_weights(own, options.target)
    for row in () if options.card_only else options.rows.split(","):
        if row in ("ravdess", "emodb"):
            measure_protocol(results, options, row)
        elif row not in own or options.again:
            {"shipped": measure_shipped, "spliced": measure_spliced}[row](own, options)
        results.keep()
    if options.validation:
        return
    write_readme(HOME / "README.md", results)
    if "shipped" in results:
        write_card(SHIPPED, results, read_config(HOME / "configs" / "default.yaml"))
        draw(results, options.run, SHIPPED)


def forget_other_weights(results: dict[str, Any], folder: Path) -> None:
    """Take out the rows of other weights than a folder's."""
    weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if results.get("weights_sha256") != weights:
        for row in ("shipped", "spliced"):
            results.pop(row, None)
        results["weights_sha256"] = weights


if __name__ == "__main__":
    main()
