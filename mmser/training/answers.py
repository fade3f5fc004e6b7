"""Calibrated answers of a model on cached encodings, beside the labels they answer to."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from mmser.evaluation.scores.metrics import expected_calibration_error
from mmser.model import MmserModel
from mmser.training.pairs import Dialogues

Floats = NDArray[np.float64]
ROWS = 400  # of one pass


@dataclass
class Answers:
    """One row per utterance, in the order of `rows`."""

    rows: Dialogues
    emotion: Floats  # (rows, classes)
    audio_only: Floats
    text_only: Floats
    change: Floats  # P(shift), (rows,)
    direction: Floats  # over `DIRECTIONS`, (rows, 3)
    intensity: Floats  # [0, 1], (rows,)
    abstained: Floats  # 1 where the model abstains, (rows,)
    truth: list[int] = field(default_factory=list)
    previous: list[int] = field(default_factory=list)  # row of the same speaker's last turn, or -1

    def guess(self) -> list[int]:
        """Return the most probable class of each row."""
        found: list[int] = self.emotion.argmax(1).tolist()
        return found


def answer(model: MmserModel, rows: Dialogues) -> Answers:
    """Run cached encodings through the model, calibrated as in use; dialogues stay whole."""
    names = ("emotion", "audio_only", "text_only", "change", "direction", "intensity", "abstained")
    said: dict[str, list[Floats]] = {name: [] for name in names}
    for part in _parts(rows):
        with torch.inference_mode():
            output = model.calibrated(part.run(model))
        for name in names:
            said[name].append(getattr(output, name).double().numpy())
    last: dict[tuple[int, int], int] = {}
    previous = []
    for i, (dialogue, speaker, _) in enumerate(rows.keys):
        previous.append(last.get((dialogue, speaker), -1))
        last[dialogue, speaker] = i
    return Answers(
        rows=rows,
        **{name: np.concatenate(parts) for name, parts in said.items()},
        truth=[int(np.argmax(t)) for t in rows.emotion],
        previous=previous,
    )


def _parts(rows: Dialogues) -> list[Dialogues]:
    """Cut rows between dialogues, which lie one after the other, into parts of at least `ROWS` rows."""
    starts = [i for i, key in enumerate(rows.keys) if i == 0 or key[0] != rows.keys[i - 1][0]]
    edges = [0]
    for start in [*starts[1:], len(rows.keys)]:
        if start - edges[-1] >= ROWS or start == len(rows.keys):
            edges.append(start)
    return [_slice(rows, a, b) for a, b in itertools.pairwise(edges)]


def _slice(rows: Dialogues, start: int, end: int) -> Dialogues:
    part = Dialogues()
    for name in vars(part):
        getattr(part, name).extend(getattr(rows, name)[start:end])
    return part


def speakers_of(answers: Answers) -> list[str]:
    """Return the speaker of each row that has sound."""
    return [str(s.example.speaker) for s in answers.rows.sounds if s]


def dialogues_of(answers: Answers) -> list[str]:
    """Return the dialogue of each row."""
    return [str(key[0]) for key in answers.rows.keys]


def calibration_scores(probabilities: Floats, truth: Sequence[int], prior: Floats) -> dict[str, float]:
    """Return ECE, and NLL beside that of always answering with `prior`, (classes,)."""
    chosen = probabilities[np.arange(len(truth)), np.asarray(truth)].clip(1e-9)
    return {
        "ece": expected_calibration_error(probabilities, truth),
        "nll": float(-np.log(chosen).mean()),
        "prior_nll": float(-np.log(prior[np.asarray(truth)].clip(1e-9)).mean()),
    }
