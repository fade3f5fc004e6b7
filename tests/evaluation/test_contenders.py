"""What stands beside a model answers the same rows, whatever the order or the labels of the two."""

from dataclasses import replace

import numpy as np
import pytest

from mmser.data import Example
from mmser.evaluation.comparing.contenders import (
    contend,
    corpora_of,
    leading_metric,
    paired,
    rows_of,
    with_labels,
)
from mmser.evaluation.judged import Judged, emotion_only

LABELS = ("anger", "neutral")


def judged(guesses: dict[str, str], labels: tuple[str, ...] = LABELS, corpus: str = "made") -> Judged:
    """Rows by name; the first letter of a name tells its label: a or n; the rest its speaker."""
    truth = {"a": "anger", "n": "neutral"}
    rows = [
        Example(
            corpus=corpus, split="test", id=name, emotions=(truth[name[0]],), speaker=f"{corpus}/{name[1]}"
        )
        for name in guesses
    ]
    sure = [
        [0.9 if label == guess else 0.1 / (len(labels) - 1) for label in labels] for guess in guesses.values()
    ]
    return emotion_only(rows, labels, np.array(sure))


def test_rows_are_paired_by_name_and_not_by_place():
    one = judged({"a1": "anger", "n1": "neutral", "a2": "anger"})
    other = judged({"a2": "neutral", "a1": "anger", "n3": "anger"})
    first, second = paired(one, other)
    assert [e.id for e in first.examples] == [e.id for e in second.examples] == ["a1", "a2"]
    assert second.guess().tolist() == [0, 1]


def test_columns_follow_the_labels_of_the_other_side():
    other = judged({"a1": "anger"}, ("neutral", "sadness", "anger"))
    turned = with_labels(other, LABELS)
    assert turned.labels == LABELS and turned.emotion[0] == pytest.approx([0.9, 0.05])
    assert with_labels(other, ("joy",)).emotion.tolist() == [[0.0]]


def test_a_difference_is_that_of_the_rows_that_both_answered():
    # Common rows a1 a2 n1 n2. One: all right, UAR 100. Other: a2 alone is wrong: (50 + 100) / 2.
    one = judged({"a1": "anger", "a2": "anger", "n1": "neutral", "n2": "neutral", "n3": "anger"})
    other = judged({"n2": "neutral", "n1": "neutral", "a2": "neutral", "a1": "anger"})
    (row,) = contend(one, other, "other", draws=100, seed=0, note="told")
    assert (row.name, row.data, row.n, row.metric, row.note) == ("other", "made", 4, "UAR", "told")
    assert row.value.value == pytest.approx(75) and row.difference.value == pytest.approx(25)
    assert row.value.interval == "t over 2 speakers"


def test_several_corpora_are_compared_together_and_each_alone():
    parts = [judged({"a1": "anger", "n2": "neutral"}, corpus=name) for name in ("b", "a")]
    both = replace(
        parts[0],
        examples=parts[0].examples + parts[1].examples,
        **{
            name: np.concatenate([getattr(p, name) for p in parts])
            for name in ("emotion", "abstained", "intensity", "change", "shifted")
        },
        direction=(None,) * 4,
        fold=("",) * 4,
    )
    assert corpora_of(both) == ["all", "a", "b"] and corpora_of(parts[0]) == ["b"]
    assert len(rows_of(both, "all")) == 4 and {e.corpus for e in rows_of(both, "a").examples} == {"a"}
    assert [row.data for row in contend(both, parts[1], "other", draws=100, seed=0)] == ["all", "a"]
    assert (leading_metric("meld"), leading_metric("a")) == ("weighted-F1", "UAR")


def test_intensity_and_shifts_stand_beside_the_emotion_where_both_say_something_of_them():
    # Truths 0 and 1; own guesses are right (CCC 1), the other's alike (CCC 0). Shifts of a1, n1, a2, n2: yes,
    # yes, no, no; own claims all four right (MCC 1), the other none (MCC 0).
    names = {"a1": "anger", "n1": "neutral", "a2": "anger", "n2": "neutral"}
    plain = judged(names)
    rows = tuple(
        replace(e, intensity=float(i % 2), change="worse" if i < 2 else "none", dialogue_id=e.speaker)
        for i, e in enumerate(plain.examples)
    )
    shifted = np.array([True, True, False, False])
    own = replace(
        plain, examples=rows, intensity=np.array([0.0, 1, 0, 1]), change=shifted * 0.8, shifted=shifted
    )
    other = replace(own, intensity=np.full(4, 0.5), shifted=np.zeros(4, np.bool_))
    found = {row.metric: row for row in contend(own, other, "other", draws=100, seed=0)}
    assert list(found) == ["UAR", "CCC", "MCC"]
    assert (found["CCC"].value.value, found["CCC"].difference.value) == pytest.approx((0, 1))
    assert (found["MCC"].value.value, found["MCC"].difference.value) == pytest.approx((0, 1))
    silent = replace(other, intensity=np.full(4, np.nan), change=np.full(4, np.nan))  # as a baseline is
    assert [row.metric for row in contend(own, silent, "other", draws=100, seed=0)] == ["UAR"]
