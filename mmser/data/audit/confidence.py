"""Labels that a model which never saw them contradicts.

Confident learning, after Northcutt, Jiang & Chuang (2021).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mmser.data.audit.columns import Columns
from mmser.data.audit.records import Finding, LabelCheck, SuspiciousLabel

NUM_FOLDS: Final = 5
MAX_LISTED: Final = 50  # of a corpus's suspicious labels
MIN_CLASS: Final = 10  # examples of a class, before anything can be learnt of it
MIN_GROUP: Final = 5  # clips of a speaker, before they have a mean of their own
MIN_TRUST: Final = 1.5  # the judge's recall over chance, below which it says nothing
SPREAD_FLOOR: Final = 1e-3

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Contradictions:
    """What the confident joint says of n labels."""

    joint: Floats  # (classes, classes): share of examples given one class that are of another, sums to 1
    off_diagonal: npt.NDArray[np.bool_]  # (n,): counted under another class than given
    suggested: Ints  # (n,): the best class but the given one
    margin: Floats  # (n,): P(given) - P(suggested)


def contradict(probabilities: Floats, given: Ints) -> Contradictions:
    """Count the confident joint of given and supposed classes, and rank by normalised margin.

    An example counts under the most probable of those classes whose probability reaches that class's
    threshold, the mean self-confidence of its own examples; under none if it reaches no threshold.

    Args:
        probabilities: out of fold, (n, classes).
        given: labels, (n,); every class has an example.
    """
    count, classes = probabilities.shape
    own = np.arange(count)
    threshold = np.array([probabilities[given == k, k].mean() for k in range(classes)])
    reached = probabilities >= threshold
    confident = reached.any(1)
    supposed = np.where(reached, probabilities, -1.0).argmax(1)
    joint = np.zeros((classes, classes))
    np.add.at(joint, (given[confident], supposed[confident]), 1)
    # Each row is brought to the number of examples that were given its class, as the paper's eq. 3.
    joint *= (np.bincount(given, minlength=classes) / np.maximum(1, joint.sum(1)))[:, None]
    others = probabilities.copy()
    others[own, given] = -1.0
    suggested = others.argmax(1)
    return Contradictions(
        joint=joint / max(1.0, joint.sum()),
        off_diagonal=confident & (supposed != given),
        suggested=suggested,
        margin=probabilities[own, given] - others[own, suggested],
    )


def check_audio_labels(
    columns: Columns, rows: Sequence[int], functionals: Mapping[int, npt.NDArray[np.float32]]
) -> LabelCheck | Finding | None:
    """Judge one corpus's labels by the sound of its clips; None where there is too little to learn from.

    Where no judge can be trained on some of the corpus for the rest of it, a note says why.

    Args:
        columns: of the dataset.
        rows: the corpus's.
        functionals: of those rows that were listened to.
    """
    chosen = _learnable(columns, [row for row in rows if row in functionals])
    if not chosen:
        return None
    values = np.stack([functionals[row] for row in chosen]).astype(np.float64)
    features = _relative(values, [columns.speaker[row] for row in chosen])
    # So strong a penalty because functionals are many and clips few; on corpora with flipped labels it
    # found more of them than weaker ones, discriminant analysis or a kernel machine.
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.003, max_iter=500))
    return _check(columns, chosen, _available(columns, rows), features, model, "audio")


def check_text_labels(columns: Columns, rows: Sequence[int], most: int) -> LabelCheck | Finding | None:
    """Judge one corpus's labels by its words; None where there is too little to learn from.

    Where no judge can be trained on some of the corpus for the rest of it, a note says why.

    Args:
        columns: of the dataset.
        rows: the corpus's.
        most: of how many examples, chosen by a fixed seed.
    """
    told = [row for row in rows if columns.text[row]]
    chosen = _learnable(columns, draw(columns, told, most))
    if not chosen:
        return None
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"[\w']+|[?!]+")
    model = make_pipeline(words, LogisticRegression(C=1.0, max_iter=500))
    texts = np.array([columns.text[row] for row in chosen], dtype=object)
    return _check(columns, chosen, _available(columns, told), texts, model, "text")


def draw(columns: Columns, rows: Sequence[int], most: int) -> list[int]:
    """Return at most `most` of the rows that have one label, in order, chosen by a fixed seed."""
    labelled = [row for row in rows if columns.label(row) is not None]
    if len(labelled) <= most:
        return labelled
    return sorted(int(row) for row in np.random.default_rng(0).choice(labelled, most, replace=False))


def find_suspicious(check: LabelCheck) -> Finding:
    """Return what a label check comes down to."""
    sample = "" if check.num_examples == check.num_available else f" (a sample of {check.num_available})"
    trusted = check.recall >= MIN_TRUST * check.chance
    look = "listen to" if check.modality == "audio" else "read"
    worth = f"{look} the first ones, of which many are hard rather than wrong" if trusted else "leave them be"
    return Finding(
        severity="note",
        check="suspicious labels",
        corpus=check.corpus,
        message=f"judged by {check.modality}, out of fold by {check.grouped_by}{sample}; the judge's own "
        f"unweighted average recall is {check.recall:.0%} (chance {check.chance:.0%}): {worth}",
        count=check.num_suspicious,
        total=check.num_examples,
        examples=tuple(f"{s.name} ({s.given}, or {s.suggested}?)" for s in check.suspicious[:3] if trusted),
    )


def _available(columns: Columns, rows: Sequence[int]) -> int:
    return sum(columns.label(row) is not None for row in rows)


def _learnable(columns: Columns, rows: Sequence[int]) -> list[int]:
    """Return the rows whose class is frequent enough, or none where fewer than two classes are."""
    labels = [columns.label(row) for row in rows]
    frequent = {label for label in set(labels) - {None} if labels.count(label) >= MIN_CLASS}
    return (
        [row for row, label in zip(rows, labels, strict=True) if label in frequent]
        if len(frequent) > 1
        else []
    )


def _relative(values: Floats, speakers: Sequence[str | None]) -> Floats:
    """Return features against mean and spread of the same speaker's clips; no label takes part in them."""
    groups = np.array([speaker or "" for speaker in speakers])
    relative = np.empty_like(values)
    for speaker in np.unique(groups):
        own = groups == speaker
        base = values[own] if own.sum() >= MIN_GROUP and speaker else values
        relative[own] = (values[own] - base.mean(0)) / (base.std(0) + SPREAD_FLOOR)
    return relative


def _check(
    columns: Columns,
    rows: Sequence[int],
    num_available: int,
    features: Any,
    model: Any,
    modality: Literal["audio", "text"],
) -> LabelCheck | Finding:
    names, given = np.unique(np.array([columns.label(row) for row in rows]), return_inverse=True)
    groups, grouped_by = _groups(columns, rows)
    folds = StratifiedKFold if groups is None else StratifiedGroupKFold
    splitter = folds(NUM_FOLDS, shuffle=True, random_state=0)
    parts = list(splitter.split(given, given, groups))
    why = _why_not(parts, given, features, model, grouped_by)
    if why is not None:
        return _unchecked(columns.corpus[rows[0]], modality, why, len(rows))
    probabilities = cross_val_predict(model, features, given, cv=parts, method="predict_proba")
    found = contradict(probabilities, given)
    right = probabilities.argmax(1) == given
    suspicious = np.flatnonzero(found.off_diagonal)
    worst = suspicious[np.argsort(found.margin[suspicious], kind="stable")]
    return LabelCheck(
        corpus=columns.corpus[rows[0]],
        modality=modality,
        num_examples=len(rows),
        num_available=num_available,
        grouped_by=grouped_by,
        recall=float(np.mean([right[given == k].mean() for k in range(len(names))])),
        chance=1 / len(names),
        estimated_noise=float(1 - np.trace(found.joint)),
        num_suspicious=len(suspicious),
        suspicious=tuple(
            SuspiciousLabel(
                name=columns.name[rows[i]],
                given=str(names[given[i]]),
                suggested=str(names[found.suggested[i]]),
                margin=round(float(found.margin[i]), 4),
                text=(columns.text[rows[i]] or "")[:80] or None,
            )
            for i in worst[:MAX_LISTED]
        ),
    )


def _why_not(
    parts: Sequence[tuple[Ints, Ints]], given: Ints, features: Any, model: Any, grouped_by: str
) -> str | None:
    """Return why a judge cannot be trained on each fold's other examples; None where it can."""
    words = clone(model[0]) if isinstance(model[0], TfidfVectorizer) else None
    for others, held_out in parts:
        if not len(held_out) or len(np.unique(given[others])) < 2:
            return f"kept apart by {grouped_by}, some examples leave no two classes to learn from"
        try:
            if words is not None:
                words.fit(features[others])
        except ValueError:  # what it says of texts of which it keeps no word
            return "hardly a word stands in two of the texts"
    return None


def _unchecked(corpus: str, modality: str, why: str, count: int) -> Finding:
    return Finding(
        severity="note",
        check="labels not checked",
        corpus=corpus,
        message=f"they cannot be judged by {modality}: {why}",
        count=count,
        total=count,
    )


def _groups(columns: Columns, rows: Sequence[int]) -> tuple[Ints | None, str]:
    """Return what no two folds may share: speakers, else dialogues, where they are known and enough."""
    for name, values in (("speaker", columns.speaker), ("dialogue", columns.dialogue_id)):
        own = [values[row] for row in rows]
        if None not in own and len(set(own)) >= NUM_FOLDS:
            return np.unique(np.array(own), return_inverse=True)[1], name
    return None, "nothing"
