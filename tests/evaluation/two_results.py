"""Folders as `mmser evaluate` writes them: evaluation.json beside answers.csv, both small and made."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mmser.data import Example
from mmser.evaluation.comparing.answers import write_answers
from mmser.evaluation.judged import Bools, Floats, Judged, emotion_only
from mmser.evaluation.result import DataInfo, Evaluated, Evaluation, FoldInfo, ProtocolInfo

LABELS = ("anger", "neutral", "sadness")


def example(place: int, label: str, speaker: int, corpus: str = "made", **fields: object) -> Example:
    values = {"corpus": corpus, "split": "test", "id": f"{place:04d}", "emotions": (label,)}
    return Example(**(values | {"speaker": f"{corpus}/{speaker}"} | fields))  # type: ignore[arg-type]


def guesses(
    examples: Sequence[Example],
    labels: Sequence[str],
    confidence: float = 0.8,
    known: tuple[str, ...] = LABELS,
) -> Judged:
    """What somebody says who is as sure of each guess."""
    values = np.full((len(labels), len(known)), (1 - confidence) / (len(known) - 1))
    values[np.arange(len(labels)), [known.index(label) for label in labels]] = confidence
    return emotion_only(examples, known, values)


def with_more(judged: Judged, intensity: Floats, change: Floats, shifted: Bools) -> Judged:
    direction = tuple("worse" if one else None for one in shifted)
    return replace(judged, intensity=intensity, change=change, shifted=shifted, direction=direction)


def pair(
    rows: int = 120, speakers: int = 24, seed: int = 0, corpora: Sequence[str] = ("made",)
) -> tuple[Judged, Judged]:
    """Two who answer the same rows: the first is right in 80 %, the second in 50 %; both say all there is."""
    rng = np.random.default_rng(seed)
    examples = [
        example(
            place,
            LABELS[rng.integers(3)],
            place % speakers,
            corpora[place % len(corpora)],
            intensity=float(rng.uniform()),
            change="none" if rng.uniform() < 0.6 else "worse",
        )
        for place in range(rows)
    ]
    truth = [one.emotions[0] for one in examples]
    level = np.array([one.intensity or 0.0 for one in examples])
    moved = np.array([one.change != "none" for one in examples])
    found = []
    for right, noise in ((0.8, 0.1), (0.5, 0.6)):
        said = [t if rng.uniform() < right else LABELS[rng.integers(3)] for t in truth]
        change = np.clip(moved * 0.6 + rng.uniform(0, noise + 0.3, rows), 0, 1)
        judged = guesses(examples, said)
        found.append(
            with_more(judged, np.clip(level + rng.normal(0, noise, rows), 0, 1), change, change > 0.5)
        )
    return found[0], found[1]


def evaluation(
    name: str,
    rows_sha256: Mapping[str, str],
    *,
    protocol: str = "split",
    split: str = "test",
    **fields: object,
) -> Evaluation:
    data = tuple(
        DataInfo(
            corpus=corpus,
            rows={"test": 3},
            speakers={"test": 2},
            license=None,
            files=0,
            sha256=None,
            rows_sha256=sha,
        )
        for corpus, sha in rows_sha256.items()
    )
    about = Evaluated(id=name, kind="model", revision=name * 8, license=None, labels=LABELS)
    folds = (FoldInfo(name="0", held_out=("made/1",), train=9, validation=1, test=3),)
    info = ProtocolInfo(name=protocol, description="", split=split, seed=0, folds=folds, draws=100)
    found = Evaluation(mmser_version="1", model=about, protocol=info, data=data, mark=None, parts=())
    return replace(found, **fields)  # type: ignore[arg-type]


def write_result(folder: Path, judged: Judged, about: Evaluation | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    corpora = sorted({one.corpus for one in judged.examples})
    about = about or evaluation(folder.name, {corpus: f"sha of {corpus}" for corpus in corpora})
    text = json.dumps(about.to_dict(), allow_nan=False)
    (folder / "evaluation.json").write_text(text, "utf-8")
    (folder / "answers.csv").write_bytes(write_answers(judged).encode())
    assert not math.isnan(judged.emotion.sum())
    return folder
