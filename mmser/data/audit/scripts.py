"""What repeated sentences tell: a script that gives the emotion away, or one that carries nothing."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np

from mmser.data.audit.columns import UNASSIGNED, Columns
from mmser.data.audit.records import MAX_EXAMPLES, Finding, ScriptSummary
from mmser.data.audit.splits import plain_text

MIN_REPEATS: Final = 3  # examples of a sentence, before its emotion can be called constant
MIN_REPEATED: Final = 0.5  # share of a corpus's examples in repeated sentences, before it has a script
TELLS: Final = 0.1  # of the label's entropy; more and a script gives the emotion away
SILENT: Final = 0.02  # less and the words carry nothing
NUM_SHUFFLES: Final = 20  # for the information that a script of these sizes gives by chance


def summarise_script(columns: Columns, rows: Sequence[int]) -> tuple[ScriptSummary | None, tuple[str, ...]]:
    """Return what one corpus's sentences tell of its emotions, and the constant ones, most repeated first.

    Sentences are the schema's, or else texts that are repeated. Examples with several emotions or none
    are not looked at.
    """
    keyed = [(row, _key(columns, row), columns.label(row)) for row in rows]
    pairs = [(row, key, label) for row, key, label in keyed if key is not None and label is not None]
    count = Counter(key for _, key, _ in pairs)
    pairs = [pair for pair in pairs if count[pair[1]] >= MIN_REPEATS]
    if not pairs or len(pairs) < MIN_REPEATED * len(rows):
        return None, ()
    emotions: dict[str, set[str]] = defaultdict(set)
    splits: dict[str, set[str]] = defaultdict(set)
    for row, key, label in pairs:
        emotions[key].add(label)
        splits[key] |= {columns.split[row]} - {UNASSIGNED}
    constant = sorted((key for key, own in emotions.items() if len(own) == 1), key=lambda k: (-count[k], k))
    summary = ScriptSummary(
        num_sentences=len(emotions),
        num_constant=len(constant),
        constant_share=sum(count[key] for key in constant) / len(pairs),
        shared_share=sum(len(own) > 1 for own in splits.values()) / len(splits),
        information=_information([key for _, key, _ in pairs], [label for _, _, label in pairs]),
    )
    return summary, tuple(constant)


def find_scripts(corpus: str, script: ScriptSummary, constant: Sequence[str]) -> list[Finding]:
    """Return what follows from a script for those who train on it."""
    found = []
    tells = script.information > TELLS
    across = f"; {script.shared_share:.0%} of the sentences stand in several splits"
    if tells or script.num_constant:
        found.append(
            Finding(
                severity="warning" if tells or script.constant_share > 0.05 else "note",
                check="sentences with one emotion",
                corpus=corpus,
                message=f"{script.constant_share:.0%} of the examples speak a sentence whose emotion never "
                f"changes; the words alone explain {script.information:.0%} of the label's entropy{across}",
                count=script.num_constant,
                total=script.num_sentences,
                examples=tuple(constant[:MAX_EXAMPLES]),
            )
        )
    if script.information < SILENT:
        found.append(
            Finding(
                severity="note",
                check="words carry no emotion",
                corpus=corpus,
                message="the same sentences are spoken in every emotion: a text branch trained on them "
                f"learns the script{across}",
                count=script.num_sentences,
                total=script.num_sentences,
            )
        )
    return found


def _key(columns: Columns, row: int) -> str | None:
    return columns.sentence[row] or plain_text(columns.text[row])


def _information(keys: Sequence[str], labels: Sequence[str]) -> float:
    """Return the mutual information over the label's entropy, both less what shuffled labels would share."""
    key = np.unique(np.array(keys), return_inverse=True)[1]
    label = np.unique(np.array(labels), return_inverse=True)[1]
    entropy = _entropy(np.bincount(label))
    rng = np.random.default_rng(0)
    by_chance = float(np.mean([_mutual(key, rng.permutation(label)) for _ in range(NUM_SHUFFLES)]))
    if entropy - by_chance < 1e-9:
        return 0.0
    return (_mutual(key, label) - by_chance) / (entropy - by_chance)


def _mutual(key: np.ndarray, label: np.ndarray) -> float:
    joint = np.bincount(key * (label.max() + 1) + label)
    return _entropy(np.bincount(key)) + _entropy(np.bincount(label)) - _entropy(joint)


def _entropy(counts: np.ndarray) -> float:
    shares = counts[counts > 0] / counts.sum()
    return -float(sum(share * math.log(share) for share in shares))
