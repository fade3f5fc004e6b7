#!/usr/bin/env python
"""Time each command of evaluation, as a user starts it, on RAVDESS's held-out actors.

    python scripts/benchmark_evaluation.py --data FOLDER [--work FOLDER]

FOLDER holds corpora/ravdess. Prints a table: seconds of each command in one run, start-up included, and the
main number that it prints. The corrections are made: what the model said of the test clips, each with its
true label, ten clips a call.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mmser.evaluation.comparing.answers import read_answers
from mmser.evaluation.judged import Judged

CORPUS = """data:
  - { corpus: ravdess, path: corpora/ravdess, partial: true,
      splits: { test: ["06", "13", "17", "22"], validation: ["01", "11", "20", "21"] } }
"""
CALL = 10  # clips


def run(*arguments: str) -> tuple[float, str]:
    """Return the seconds of a command, and what it prints."""
    command = [sys.executable, "-m", "mmser", *arguments, "--quiet"]
    begun = time.monotonic()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ)
    return time.monotonic() - begun, done.stdout


def corrections(judged: Judged, revision: str) -> str:
    """Return what a reviewer would save who hears each clip as its label says, as `feedback.jsonl`."""
    lines = []
    for number, (example, row) in enumerate(zip(judged.examples, judged.emotion, strict=True)):
        probabilities = dict(zip(judged.labels, row.tolist(), strict=True))
        top = max(probabilities, key=lambda label: probabilities[label])
        lines.append(
            {
                "schema": "mmser.feedback/1",
                "call_id": f"call {number // CALL}",
                "recording_sha256": None,
                "model_id": "mmser-default",
                "model_revision": revision,
                "turn_id": f"t{number % CALL + 1}",
                "start": 4.0 * (number % CALL),
                "end": 4.0 * (number % CALL) + 3.5,
                "modalities": ["audio"],
                "predicted_label": None if judged.abstained[number] else top,
                "predicted_top": top,
                "probabilities": {label: round(value, 4) for label, value in probabilities.items()},
                "predicted_intensity": None,
                "corrected_label": example.emotions[0],
                "corrected_intensity": None,
                "comment": None,
            }
        )
    return "".join(json.dumps(line) + "\n" for line in lines)


def first_line(text: str, word: str) -> str:
    """Return the first line that holds a word."""
    return next((" ".join(line.split()) for line in text.splitlines() if word in line), "")


def measure(data: str, work: Path) -> list[tuple[str, float, str]]:
    """Return command, seconds and main number of each."""
    config = work / "ravdess.yaml"
    config.write_text(CORPUS)
    on = (str(config), "--data", data)
    rows = []

    def add(shown: str, word: str, *arguments: str) -> None:
        seconds, text = run(*arguments)
        rows.append((shown, seconds, first_line(text, word)))
        print(f"{seconds:6.0f} s  {shown}", file=sys.stderr, flush=True)

    plain, all_of_it, simple = (str(work / name) for name in ("plain", "all", "baselines"))
    bare = ("--baselines", "none", "--no-views", "--no-fairness", "--spliced-calls", "0")
    add("evaluate, scores alone", "UAR", "evaluate", "default", *on, *bare, "-o", plain)
    add("evaluate, as it comes", "UAR", "evaluate", "default", *on, "-o", all_of_it)
    damaged = ("--robustness", "--robustness-rows", "240", "-o", str(work / "robust"))
    add(
        "evaluate --robustness, 240 clips, the 20 ways to damage sound",
        "loss",
        "evaluate",
        "default",
        *on,
        *bare,
        *damaged,
    )
    for name in ("majority", "svm", "naive-bayes", "decision-tree", "logistic-regression", "cnn", "bilstm"):
        add(f"baseline {name}", "UAR", "baseline", name, *on, "-o", simple)
    add("compare", "UAR", "compare", plain, str(work / "baselines" / "svm"))
    revision = json.loads((work / "plain" / "evaluation.json").read_text("utf-8"))["model"]["revision"]
    feedback = work / "feedback.jsonl"
    feedback.write_text(corrections(read_answers(work / "plain" / "answers.csv"), revision), "utf-8")
    add("evaluate --from-feedback, 240 turns", "UAR", "evaluate", "--from-feedback", str(feedback))
    add("calibrate, 240 turns", "NLL", "calibrate", "default", str(feedback))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", type=Path, help="keeps the results; a temporary folder if left out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = options.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        rows = measure(options.data, work)
    print("| command | s | its first number |\n|---|---|---|")
    for shown, seconds, text in rows:
        print(f"| {shown} | {seconds:.0f} | {text} |")


if __name__ == "__main__":
    main()
