"""Other ways to answer the same rows, each beside what is evaluated: views of the model, and baselines."""

from dataclasses import replace

import numpy as np

from mmser.data import Example
from mmser.evaluation.judged import Judged, name_of, where
from mmser.evaluation.judging import Given
from mmser.evaluation.result import Contender, Score
from mmser.evaluation.scores.change_scores import NO_CHANGE, mcc
from mmser.evaluation.scores.emotion_scores import METRICS, single_label, tables_of
from mmser.evaluation.scores.intensity_scores import concordance, moments
from mmser.evaluation.scores.resampling import COEFFICIENT, count_score, paired_count_difference, resampler_of

WEIGHTED = ("meld",)  # corpora whose field reports weighted F1
ALL = "all"
CCC, MCC = "CCC", "MCC"  # of intensity, and of shifts


def audio_only(example: Example, given: Given) -> Given:
    """Take the words away where there is sound; a row of words alone is left with nothing."""
    return replace(given, text=None, words=())


def text_only(example: Example, given: Given) -> Given:
    """Take the sound away."""
    return replace(given, waveform=None)


def leading_metric(corpus: str) -> str:
    """Return the metric that a corpus's field leads with."""
    return "weighted-F1" if corpus in WEIGHTED else "UAR"


def corpora_of(judged: Judged) -> list[str]:
    """Return what is scored: all rows together where there are several corpora, then each corpus."""
    names = sorted({example.corpus for example in judged.examples})
    return [ALL, *names] if len(names) > 1 else names


def rows_of(judged: Judged, corpus: str) -> Judged:
    """Return the rows of one corpus, or of all."""
    if corpus == ALL:
        return judged
    return where(judged, np.array([example.corpus == corpus for example in judged.examples], np.bool_))


def paired(first: Judged, second: Judged) -> tuple[Judged, Judged]:
    """Return the rows that both answered and that carry exactly one label of both, in one order."""
    return common(single_label(first), single_label(second))


def common(first: Judged, second: Judged) -> tuple[Judged, Judged]:
    """Return the rows that both answered, in one order, with the labels of the first."""
    parts = (first, second)
    places = [{name_of(e): i for i, e in enumerate(part.examples)} for part in parts]
    names = sorted(places[0].keys() & places[1].keys())
    one, other = (
        where(part, np.array([place[name] for name in names], np.int64))
        for part, place in zip(parts, places, strict=True)
    )
    return one, with_labels(other, one.labels)


def told_of_intensity(one: Judged, other: Judged) -> tuple[Judged, Judged]:
    """Return the rows whose intensity is labelled and said by both; the same rows are given of both."""
    labelled = np.array([e.intensity is not None for e in one.examples], np.bool_)
    kept = labelled & ~np.isnan(one.intensity) & ~np.isnan(other.intensity)
    return where(one, kept), where(other, kept)


def told_of_change(one: Judged, other: Judged) -> tuple[Judged, Judged]:
    """Return the rows of which it is known whether there is a shift, and that both judged."""
    labelled = np.array([e.change is not None for e in one.examples], np.bool_)
    kept = labelled & ~np.isnan(one.change) & ~np.isnan(other.change)
    return where(one, kept), where(other, kept)


def with_labels(judged: Judged, labels: tuple[str, ...]) -> Judged:
    """Return the rows with their columns in another order of labels; a label that is not known gets 0."""
    if judged.labels == labels:
        return judged
    columns = [
        judged.emotion[:, judged.labels.index(label)] if label in judged.labels else np.zeros(len(judged))
        for label in labels
    ]
    return replace(judged, labels=labels, emotion=np.stack(columns, 1))


def contend(
    judged: Judged, other: Judged, name: str, *, draws: int, seed: int, note: str = ""
) -> tuple[Contender, ...]:
    """Return how another answers the rows that both answered, corpus by corpus.

    Beside the emotion, by the metric that a corpus's field leads with, stand intensity (CCC) and shifts (MCC)
    where they are labelled and both say something of them.

    Args:
        judged: by what is evaluated.
        other: by the other.
        name: of the other.
        draws: of the bootstrap.
        seed: of the draws.
        note: what must be known of the other.
    """
    found = []
    for corpus in corpora_of(judged):
        rows = common(rows_of(judged, corpus), rows_of(other, corpus))
        for one in (
            _emotion(corpus, *rows, draws, seed),
            _intensity(*rows, draws, seed),
            _change(*rows, draws, seed),
        ):
            if one is not None:
                n, metric, value, difference = one
                found.append(
                    Contender(
                        name=name,
                        data=corpus,
                        n=n,
                        metric=metric,
                        value=value,
                        difference=difference,
                        note=note,
                    )
                )
    return tuple(found)


# Rows, metric, the other's value and the difference to it; None where the rows have nothing for it.
_Beside = tuple[int, str, Score, Score] | None


def _emotion(corpus: str, one: Judged, other: Judged, draws: int, seed: int) -> _Beside:
    rows = paired(one, other)
    if not len(rows[0]):
        return None
    metric, resampler = leading_metric(corpus), resampler_of(rows[0], draws=draws, seed=seed)
    own, theirs = (tables_of(part, resampler) for part in rows)
    value = count_score(theirs, METRICS[metric], resampler)
    difference = paired_count_difference(own, theirs, METRICS[metric], resampler)
    return len(rows[0]), metric, value, difference


def _intensity(one: Judged, other: Judged, draws: int, seed: int) -> _Beside:
    rows = told_of_intensity(one, other)
    if not len(rows[0]):
        return None
    resampler = resampler_of(rows[0], draws=draws, seed=seed)
    truth = np.array([e.intensity for e in rows[0].examples], np.float64)
    own, theirs = (resampler.sums(moments(truth, part.intensity)) for part in rows)
    value = count_score(theirs, concordance, resampler, span=COEFFICIENT)
    return (
        len(rows[0]),
        CCC,
        value,
        paired_count_difference(own, theirs, concordance, resampler, span=(-2.0, 2.0)),
    )


def _change(one: Judged, other: Judged, draws: int, seed: int) -> _Beside:
    rows = told_of_change(one, other)
    if not len(rows[0]):
        return None
    resampler = resampler_of(rows[0], draws=draws, seed=seed)
    truth = np.array([e.change != NO_CHANGE for e in rows[0].examples], np.int64)
    own, theirs = (resampler.tables(truth, part.shifted.astype(np.int64), 2) for part in rows)
    value = count_score(theirs, mcc, resampler, span=COEFFICIENT)
    return len(rows[0]), MCC, value, paired_count_difference(own, theirs, mcc, resampler, span=(-2.0, 2.0))
