"""Other ways to answer the same rows, each beside what is evaluated: views of the model, and baselines."""

from dataclasses import replace

import numpy as np

from mmser.data import Example
from mmser.evaluation.judged import Judged, name_of, where
from mmser.evaluation.judging import Given
from mmser.evaluation.result import Contender
from mmser.evaluation.scores.emotion_scores import METRICS, single_label, tables_of
from mmser.evaluation.scores.resampling import count_score, paired_count_difference, resampler_of

WEIGHTED = ("meld",)  # corpora whose field reports weighted F1
ALL = "all"


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
    parts = [single_label(first), single_label(second)]
    places = [{name_of(e): i for i, e in enumerate(part.examples)} for part in parts]
    common = sorted(places[0].keys() & places[1].keys())
    one, other = (
        where(part, np.array([place[name] for name in common], np.int64))
        for part, place in zip(parts, places, strict=True)
    )
    return one, with_labels(other, one.labels)


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
        own, theirs = paired(rows_of(judged, corpus), rows_of(other, corpus))
        if not len(own):
            continue
        metric = leading_metric(corpus)
        resampler = resampler_of(own, draws=draws, seed=seed)
        tables = [tables_of(part, resampler) for part in (own, theirs)]
        found.append(
            Contender(
                name=name,
                data=corpus,
                n=len(own),
                metric=metric,
                value=count_score(tables[1], METRICS[metric], resampler),
                difference=paired_count_difference(tables[0], tables[1], METRICS[metric], resampler),
                note=note,
            )
        )
    return tuple(found)
