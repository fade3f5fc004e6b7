#!/usr/bin/env python
"""Measure change points and emotion over time on spliced calls of speakers that never trained.

    python scripts/measure_changes.py --data FOLDER_WITH_corpora [--split test] [--model FOLDER] [--tune]

Prints JSON: change-point F1 at four tolerances, with precision and recall at 0.5 s, and the emotion
diarization error rate, beside three baselines. "Boundaries known" gives the method the times of all splices,
as the turns of a call would; "boundaries unknown" gives it the sound alone. Methods and settings are chosen
on validation, with --tune; the test speakers are for the last measurement.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

from mmser.changes import PENALTY, SHORTEST, distances
from mmser.data import examples_of, load_corpora
from mmser.evaluation.scores.change_points import (
    TOLERANCES,
    DiarizationError,
    Matches,
    diarization_error,
    match_points,
    stretches_between,
)
from mmser.evaluation.spliced import (
    CALLS_PER_SPEAKER,
    Answer,
    Heard,
    Method,
    by_boundaries,
    by_windows,
    every_splice,
    hear,
    no_change,
    turn_argmax,
)
from mmser.evaluation.splices import SplicedCall, splice_calls
from mmser.pipeline import EmotionPipeline
from mmser.timeline import DEFAULT, Windows
from mmser.training.config import read_config

CONFIG = Path(__file__).resolve().parent.parent / "configs" / "default.yaml"
PENALTIES = (0.05, 0.1, 0.15, 0.2, 0.3, 0.45, 0.7)
SHORTESTS = (1.0, 1.5, 2.0)
PEAKS = (0.3, 0.4, 0.45, 0.5, 0.6)
BOUNDARY_DISTANCES = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7)
# What finds most in spliced calls; a report's own timeline, DEFAULT, is calmer.
SPLICED = Windows(window=1.0, hop=0.25, penalty=PENALTY, shortest=SHORTEST)
OTHERS = (Windows(window=1.0, hop=0.5), Windows(window=1.5, hop=0.5))


# --- a method that is not used: it finds less ------------------------------------------------------------


def by_peaks(heard: Heard, plan: Windows, threshold: float, apart: float = SHORTEST) -> Answer:
    """Boundaries unknown: the highest peaks of the distance between the windows before and after a time."""
    rows, lag = heard.windows[plan], round(plan.window / plan.hop)
    roots = np.sqrt(rows)
    far = np.linalg.norm(roots[lag:] - roots[:-lag], axis=1) / np.sqrt(2)
    times = plan.window + plan.hop * np.arange(len(far))
    kept: list[float] = []
    for place in np.argsort(-far, kind="stable"):
        if far[place] >= threshold and all(abs(times[place] - other) >= apart for other in kept):
            kept.append(float(times[place]))
    kept.sort()
    places = np.searchsorted(kept, plan.window / 2 + plan.hop * np.arange(len(rows)))
    emotions = [heard.labels[int(rows[places == part].mean(0).argmax())] for part in range(len(kept) + 1)]
    return Answer(changes=kept, course=stretches_between(kept, emotions, heard.call.duration))


# --- scores ----------------------------------------------------------------------------------------------


def score(calls: Sequence[Heard], method: Method) -> dict[str, Any]:
    """Return the scores of a method, with a 95 % t-interval of F1 at 0.5 s over speakers."""
    answers = [(heard.call, method(heard)) for heard in calls]
    matches = {
        tolerance: sum(
            (match_points(call.changes, said.changes, tolerance) for call, said in answers), Matches()
        )
        for tolerance in TOLERANCES
    }
    error = sum(
        (diarization_error(call.stretches, said.course, call.duration) for call, said in answers),
        DiarizationError(),
    )
    first = matches[TOLERANCES[0]]
    return {
        **{f"f1_at_{tolerance:g}_s": round(found.f1, 1) for tolerance, found in matches.items()},
        "f1_at_0.5_s_interval": _interval(answers),
        "precision_at_0.5_s": round(first.precision, 1) if first.guessed else None,
        "recall_at_0.5_s": round(first.recall, 1),
        "eder": round(error.rate, 1),
        "false_alarm_missed_confusion_s": [
            round(error.false_alarm, 1),
            round(error.missed, 1),
            round(error.confusion, 1),
        ],
    }


def _interval(answers: Sequence[tuple[SplicedCall, Answer]]) -> list[float]:
    by_speaker: dict[str, Matches] = {}
    for call, said in answers:
        found = match_points(call.changes, said.changes, TOLERANCES[0])
        by_speaker[call.speaker] = by_speaker.get(call.speaker, Matches()) + found
    values = [found.f1 for found in by_speaker.values()]
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return [round(float(np.mean(values) - half), 1), round(float(np.mean(values) + half), 1)]


def tuned(calls: Sequence[Heard], plans: Sequence[Windows]) -> dict[str, Any]:
    """Return every setting of every method: F1 at 0.5 and 1 s and EDER."""

    def row(method: Method) -> list[float]:
        found = score(calls, method)
        return [found["f1_at_0.5_s"], found["f1_at_1_s"], found["eder"]]

    return {
        "columns": ["F1 at 0.5 s", "F1 at 1 s", "EDER"],
        "partition": {
            f"window {p.window:g} hop {p.hop:g} penalty {penalty:g} shortest {shortest:g}": row(
                by_windows(replace(p, penalty=penalty, shortest=shortest))
            )
            for p in plans
            for penalty in PENALTIES
            for shortest in SHORTESTS
        },
        "peaks": {
            f"window {p.window:g} hop {p.hop:g} distance {far:g}": row(
                lambda heard, p=p, far=far: by_peaks(heard, p, far)
            )
            for p in plans
            for far in PEAKS
        },
        "known boundaries": {f"distance {far:g}": row(by_boundaries(far)) for far in BOUNDARY_DISTANCES},
    }


def measure(calls: Sequence[Heard], split: str) -> dict[str, Any]:
    """Return the scores of the method as it is set, and of the baselines."""
    spliced = [heard.call for heard in calls]
    changes, splices = sum(len(c.changes) for c in spliced), sum(len(c.splices) for c in spliced)
    far = np.concatenate([distances(heard.segments) for heard in calls])
    return {
        "split": split,
        "speakers": sorted({call.speaker for call in spliced}),
        "calls": len(calls),
        "splices": splices,
        "changes": changes,
        "splices_that_keep_the_emotion": round(1 - changes / splices, 3),
        "seconds_a_clip": round(sum(call.duration for call in spliced) / (splices + len(calls)), 2),
        "segment_accuracy": round(
            float(
                np.mean(
                    [
                        heard.labels[int(row.argmax())] == emotion
                        for heard in calls
                        for row, emotion in zip(heard.segments, heard.call.emotions, strict=True)
                    ]
                )
            ),
            3,
        ),
        "median_boundary_distance": round(float(np.median(far)), 3),
        "boundaries unknown": score(calls, by_windows(SPLICED)),
        "boundaries unknown, as in a report's timeline": score(calls, by_windows(DEFAULT)),
        "boundaries known": score(calls, by_boundaries()),
        "a change at every splice": score(calls, every_splice),
        "no change": score(calls, no_change),
        "turn-level argmax": score(calls, turn_argmax),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder that holds corpora/")
    parser.add_argument("--model", help="a model folder; the bundled one if left out")
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--calls", type=int, default=CALLS_PER_SPEAKER, help="of each speaker")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tune", action="store_true", help="score every setting, on validation only")
    options = parser.parse_args()
    if options.tune and options.split != "validation":
        parser.error("settings are chosen on validation; drop --split test or --tune")
    torch.set_num_threads(options.threads)
    rows = examples_of(load_corpora(read_config(CONFIG).data, options.data))
    clips = [e for e in rows if e.split == options.split and e.audio is not None and e.emotions]
    pipeline = EmotionPipeline.from_pretrained(options.model)
    plans = (SPLICED, DEFAULT, *(OTHERS if options.tune else ()))
    made = list(splice_calls(clips, calls_per_speaker=options.calls, seed=options.seed))
    calls = []
    for number, call in enumerate(made, 1):
        print(f"\r{number} of {len(made)} calls", end="", file=sys.stderr, flush=True)
        calls.append(hear(call, pipeline.model, pipeline.processor, plans))
    print(file=sys.stderr)
    results = {"model": pipeline.info.revision, "seed": options.seed, **measure(calls, options.split)}
    # The same sound, whoever measures: names of clips and places of splices.
    drawn = json.dumps([[Path(c).name for c in call.clips] + list(call.edges) for call in made])
    results["calls_sha256"] = hashlib.sha256(drawn.encode()).hexdigest()
    if options.tune:
        results["settings"] = tuned(calls, plans)
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
