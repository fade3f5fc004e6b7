"""Two folders that an evaluation wrote → the rows that both answered, compared."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from mmser.data import Example
from mmser.errors import DataError, UsageError
from mmser.evaluation.comparing.answers import ANSWERS, read_answers
from mmser.evaluation.comparing.comparison import NAMES, NLL, Comparison, Side, compare
from mmser.evaluation.comparing.contenders import with_labels
from mmser.evaluation.defaults import DRAWS
from mmser.evaluation.documents import read_document
from mmser.evaluation.judged import Judged, name_of, truth_of, where
from mmser.evaluation.result import SCHEMA, Evaluation
from mmser.evaluation.scores.emotion_scores import METRICS

EVALUATION: Final = "evaluation.json"


def compare_folders(
    a: Path,
    b: Path,
    *,
    metrics: Sequence[str] = NAMES,
    allow_different: bool = False,
    draws: int = DRAWS,
    seed: int = 0,
) -> Comparison:
    """Compare two folders that an evaluation wrote, by the rows that both answered.

    A finished model on one split and a baseline that is trained on folds may have answered the same rows:
    where protocols differ, the common rows are compared, and that they differ is told.

    Args:
        a: of the one; it holds evaluation.json and answers.csv.
        b: of the other.
        metrics: of `NAMES`.
        allow_different: whether rows that both answered are compared where folds, data or labels differ.
        draws: of the bootstrap and of the swaps.
        seed: of both.

    Raises:
        UsageError: if both are one folder.
        DataError: if a folder lacks a file, one is damaged or of a newer version, answers are not those of
            the result beside them, no row is common, a common row has other labels, or, unless allowed,
            folds or corpora differ under one protocol, or the same rows or the known labels do.
    """
    if a.exists() and b.exists() and a.samefile(b):
        raise UsageError(f"{a} and {b} are one folder; give two evaluations")
    about = read_evaluation(a), read_evaluation(b)
    judged = tuple(
        read_answers(folder / ANSWERS, one.answers_sha256) for folder, one in zip((a, b), about, strict=True)
    )
    told, differs = _protocols(*about), _differences(*about, *judged)
    if differs and not allow_different:
        raise DataError(
            f"{a} and {b} are not of the same rows: {'; '.join(differs)}; evaluate both alike, or give "
            "--allow-different to compare the rows that both answered"
        )
    common = _common(*judged)
    return Comparison(
        a=_side(about[0], judged[0], len(common[0])),
        b=_side(about[1], judged[1], len(common[0])),
        n=len(common[0]),
        parts=compare(*common, metrics=metrics, draws=draws, seed=seed),
        differs=(*told, *differs),
        notes=_notes(common[0], metrics),
        draws=draws,
        seed=seed,
        marks=tuple(dict.fromkeys(mark for one in about for mark in _marks(one))),
    )


def read_evaluation(folder: Path) -> Evaluation:
    """Return the result that stands in a folder.

    Raises:
        DataError: if it is missing, damaged, or of a newer version.
    """
    path = folder / EVALUATION
    if not path.is_file():
        raise DataError(
            f"{folder} holds no {EVALUATION}; give a folder that mmser evaluate or baseline wrote"
        )
    remedy = "evaluate again, or give a folder that mmser evaluate or baseline wrote"
    return read_document(path, Evaluation, SCHEMA, remedy)


def _protocols(a: Evaluation, b: Evaluation) -> list[str]:
    """Return a clause for each way in which two evaluations were divided by other protocols."""
    found = []
    for what in ("name", "split"):
        one, other = getattr(a.protocol, what), getattr(b.protocol, what)
        if one != other:
            found.append(f"the {'protocol' if what == 'name' else what} is {one} in A and {other} in B")
    corpora = [{info.corpus for info in one.data} for one in (a, b)]
    for name, alone in (("A", corpora[0] - corpora[1]), ("B", corpora[1] - corpora[0])):
        if found and alone:  # other protocols score other rows, perhaps none of a corpus
            found.append(f"{name} alone has {', '.join(sorted(alone))}")
    return found


def _differences(a: Evaluation, b: Evaluation, rows_a: Judged, rows_b: Judged) -> list[str]:
    """Return a clause for each other way in which two evaluations are not of the same rows."""
    found = []
    alike = not _protocols(a, b)
    held = [sorted(fold.held_out for fold in one.protocol.folds) for one in (a, b)]
    if alike and all(held) and held[0] != held[1]:
        found.append("the folds hold out others")
    digests = [{info.corpus: info.rows_sha256 for info in one.data} for one in (a, b)]
    own, others = digests
    for name, alone in (("A", own.keys() - others.keys()), ("B", others.keys() - own.keys())):
        if alike and alone:
            found.append(f"{name} alone has {', '.join(sorted(alone))}")
    changed = sorted(corpus for corpus in own.keys() & others.keys() if own[corpus] != others[corpus])
    if not alike:  # they score more or fewer rows: their number is told, and their digests cannot be alike
        changed = [corpus for corpus in changed if _named(rows_a, corpus) == _named(rows_b, corpus)]
    if changed:
        found.append(f"the rows of {', '.join(changed)} are others (rows_sha256)")
    if set(rows_a.labels) != set(rows_b.labels):
        found.append(f"A knows the labels {', '.join(rows_a.labels)} and B {', '.join(rows_b.labels)}")
    return found


def _named(judged: Judged, corpus: str) -> set[str]:
    return {example.id for example in judged.examples if example.corpus == corpus}


def _common(a: Judged, b: Judged) -> tuple[Judged, Judged]:
    """Return the rows that both answered, in one order and with one order of labels.

    Raises:
        DataError: if there is none, or one has other labels.
    """
    places = [{name_of(e): i for i, e in enumerate(part.examples)} for part in (a, b)]
    names = sorted(places[0].keys() & places[1].keys())
    if not names:
        raise DataError(
            f"no row is common: A has {name_of(a.examples[0])} and others, B {name_of(b.examples[0])} and "
            "others; give two evaluations of the same data"
        )
    one, other = (
        where(part, np.array([place[name] for name in names], np.int64))
        for part, place in zip((a, b), places, strict=True)
    )
    for name, mine, theirs in zip(names, one.examples, other.examples, strict=True):
        sides = [(set(e.emotions), e.intensity, e.change) for e in (mine, theirs)]
        if sides[0] != sides[1]:
            raise DataError(
                f"{name} has other labels in A ({_labelled(mine)}) than in B ({_labelled(theirs)}); evaluate "
                "both on the same data"
            )
    every = tuple(dict.fromkeys([*one.labels, *other.labels]))
    return with_labels(one, every), with_labels(other, every)


def _labelled(example: Example) -> str:
    parts = ["|".join(example.emotions) or "no emotion"]
    parts += [] if example.intensity is None else [f"intensity {example.intensity:g}"]
    parts += [] if example.change is None else [f"change {example.change}"]
    return ", ".join(parts)


def _side(about: Evaluation, judged: Judged, common: int) -> Side:
    model = about.model
    return Side(
        id=model.id, kind=model.kind, revision=model.revision, rows=len(judged), alone=len(judged) - common
    )


def _marks(about: Evaluation) -> list[str]:
    return [mark for mark in (about.mark, *(part.mark for part in about.parts)) if mark]


def _notes(common: Judged, metrics: Sequence[str]) -> tuple[str, ...]:
    several = int((truth_of(common) < 0).sum())
    named = [metric for metric in metrics if metric in (*METRICS, NLL)]
    if not several or not named:
        return ()
    return (f"{several:,} rows do not have exactly one label, and are in none of {', '.join(named)}",)
