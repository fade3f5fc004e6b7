"""Scores of single emotions: by hand, beside scikit-learn, whatever the order, and where little is there."""

from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from mmser.data import Example
from mmser.evaluation.judged import Judged, emotion_only, truth_of, where
from mmser.evaluation.result import EmotionScores
from mmser.evaluation.scores.emotion_scores import (
    METRICS,
    class_score,
    emotion_scores,
    single_label,
    tables_of,
)
from mmser.evaluation.scores.resampling import resample, resampler_of
from mmser.labels import EMOTIONS


def answered(truth: list[int], guess: list[int], *, speakers: int = 2) -> Judged:
    """Return rows of classes and of guesses that are believed at 0.76, speakers in turn."""
    examples = [
        Example(
            corpus="made",
            split="test",
            emotions=(EMOTIONS[label],),
            id=f"{i:04}",
            speaker=f"made/{i % speakers}",
        )
        for i, label in enumerate(truth)
    ]
    return emotion_only(examples, EMOTIONS, np.full((len(truth), 7), 0.04) + 0.72 * np.eye(7)[guess])


def random_rows(count: int, seed: int = 0, speakers: int = 30) -> Judged:
    """Return rows of random truths, and probabilities that lean towards them."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(7, count, p=[0.3, 0.2, 0.2, 0.1, 0.1, 0.1, 0.0]).tolist()
    rows = answered(truth, truth, speakers=speakers)
    believed = rng.dirichlet(np.ones(7), count) + 0.3 * rows.emotion
    return emotion_only(rows.examples, EMOTIONS, believed / believed.sum(1, keepdims=True))


def numbers(record: Any) -> list[Any]:
    """Return all that a record holds, in order, to be compared nearly."""
    if isinstance(record, dict):
        return [leaf for value in record.values() for leaf in numbers(value)]
    if isinstance(record, list):
        return [leaf for value in record for leaf in numbers(value)]
    return [record]


def assert_same(one: Any, other: Any) -> None:
    """Compare two records but for rounding."""
    for left, right in zip(numbers(one.to_dict()), numbers(other.to_dict()), strict=True):
        assert left == (pytest.approx(right, abs=1e-9) if isinstance(right, float) else right)


# --- by hand ---------------------------------------------------------------------------------------------


def test_scores_of_six_rows_by_hand():
    # anger 3 of 4 right, one taken for disgust; disgust 1 of 2 right, one taken for fear.
    scores = emotion_scores(answered([0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 2]))
    assert scores is not None
    assert scores.accuracy.value == pytest.approx(100 * 4 / 6)
    assert scores.uar.value == pytest.approx(100 * (3 / 4 + 1 / 2) / 2)
    # F1: anger 2·3 / (4 + 3) = 6/7, disgust 2·1 / (2 + 2) = 1/2; fear does not occur.
    assert scores.macro_f1.value == pytest.approx(100 * (6 / 7 + 1 / 2) / 2)
    assert scores.weighted_f1.value == pytest.approx(100 * (4 * 6 / 7 + 2 * 1 / 2) / 6)
    assert scores.chance_uar == 50
    assert (scores.n, scores.groups, scores.accuracy.interval) == (6, 2, "t over 2 speakers")
    assert scores.labels == EMOTIONS
    assert [row[:3] for row in scores.confusion[:3]] == [(3, 1, 0), (0, 1, 1), (0, 0, 0)]
    assert sum(map(sum, scores.confusion)) == 6


def test_classes_by_hand_and_what_cannot_be_had():
    scores = emotion_scores(answered([0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 2]))
    assert scores is not None
    anger, disgust, fear, happiness = scores.classes[:4]
    assert (anger.precision, anger.recall, anger.f1, anger.n) == pytest.approx((100, 75, 600 / 7, 4))
    assert (disgust.precision, disgust.recall, disgust.f1, disgust.n) == pytest.approx((50, 50, 50, 2))
    assert (fear.precision, fear.recall, fear.f1, fear.n) == (0, None, None, 0)
    assert (happiness.precision, happiness.recall, happiness.f1) == (None, None, None)


def test_a_class_that_is_never_guessed_has_no_precision_and_an_f1_of_zero():
    score = class_score("fear", found=0, carried=3, guessed=0)
    assert (score.precision, score.recall, score.f1) == (None, 0, 0)


# --- beside scikit-learn ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_scikit_learns(seed: int):
    rows = random_rows(400, seed)
    scores, truth, guess = emotion_scores(rows, draws=50), truth_of(rows), rows.guess()
    assert scores is not None
    occur: dict[str, Any] = {"labels": np.unique(truth), "zero_division": 0}
    assert scores.accuracy.value == pytest.approx(100 * sk.accuracy_score(truth, guess))
    assert scores.uar.value == pytest.approx(100 * sk.recall_score(truth, guess, average="macro", **occur))
    assert scores.macro_f1.value == pytest.approx(100 * sk.f1_score(truth, guess, average="macro", **occur))
    weighted = sk.f1_score(truth, guess, average="weighted", zero_division=0)
    assert scores.weighted_f1.value == pytest.approx(100 * weighted)
    assert scores.confusion == tuple(map(tuple, sk.confusion_matrix(truth, guess, labels=range(7)).tolist()))
    found = sk.precision_recall_fscore_support(truth, guess, labels=range(6), zero_division=0)
    for place, (precision, recall, f1, n) in enumerate(zip(*found, strict=True)):
        own = scores.classes[place]
        assert (own.precision, own.recall, own.f1, own.n) == pytest.approx(
            (100 * precision, 100 * recall, 100 * f1, n)
        )


def test_metrics_take_many_tables_at_once():
    rng = np.random.default_rng(1)
    tables = rng.integers(0, 9, (5, 3, 3)).astype(float)
    tables[2, 1] = 0  # a class that does not occur in one of them
    for name, metric in METRICS.items():
        each = [float(metric(table[None])[0]) for table in tables]
        assert metric(tables).tolist() == pytest.approx(each), name
    assert all(np.isnan(metric(np.zeros((1, 3, 3)))[0]) for metric in METRICS.values())


# --- properties ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("speakers", [5, 30])
def test_the_order_of_the_rows_changes_nothing(speakers: int):
    rows = random_rows(300, speakers=speakers)
    order = np.random.default_rng(2).permutation(300)
    assert_same(emotion_scores(rows, draws=200), emotion_scores(where(rows, order), draws=200))


def test_intervals_hold_their_value_and_stay_within_percent():
    for speakers in (2, 5, 30, 300):
        scores = emotion_scores(random_rows(300, speakers=speakers), draws=200)
        assert scores is not None
        for score in (scores.accuracy, scores.uar, scores.macro_f1, scores.weighted_f1):
            assert score.low is not None and score.value is not None and score.high is not None
            assert 0 <= score.low <= score.value <= score.high <= 100
            assert score.groups == speakers


def test_scores_survive_json():
    scores = emotion_scores(random_rows(60), draws=50)
    assert scores is not None
    assert EmotionScores.from_dict(scores.to_dict()) == scores


# --- where little is there -------------------------------------------------------------------------------


def test_no_row_with_one_label_has_no_scores():
    several = Example(corpus="made", split="test", emotions=("anger", "fear"), id="0")
    foreign = Example(corpus="made", split="test", emotions=("calm",), id="1")
    none = emotion_only([several, foreign], EMOTIONS, np.full((2, 7), 1 / 7))
    assert emotion_scores(none) is None
    assert emotion_scores(emotion_only([], EMOTIONS, np.zeros((0, 7)))) is None


def test_one_row_has_values_without_intervals():
    scores = emotion_scores(answered([3], [3]))
    assert scores is not None
    assert (scores.uar.value, scores.uar.low, scores.uar.interval) == (
        100,
        None,
        "one speaker, and an interval needs two or more: no interval",
    )
    assert scores.chance_uar == 100
    assert scores.calibration.ece.value == pytest.approx(0.24)
    assert scores.calibration.ece.low is None
    assert [point.coverage for point in scores.coverage.points] == [1]


def test_one_class_scores_its_recall():
    scores = emotion_scores(answered([2] * 4, [2, 2, 2, 5]))
    assert scores is not None
    assert scores.uar.value == scores.accuracy.value == 75
    assert scores.macro_f1.value == pytest.approx(100 * 6 / 7)


def test_rows_with_several_labels_do_not_count():
    rows = answered([0, 0, 1], [0, 1, 1])
    several = Example(corpus="made", split="test", emotions=("anger", "fear"), id="x", speaker="made/9")
    wider = emotion_only([several, *rows.examples], EMOTIONS, np.vstack([np.eye(7)[:1], rows.emotion]))
    assert emotion_scores(wider) == emotion_scores(rows)
    assert len(single_label(wider)) == 3
    with pytest.raises(ValueError, match="1 rows do not have exactly one label"):
        tables_of(wider, resampler_of(wider))


def test_tables_need_a_resampler_of_their_rows():
    with pytest.raises(ValueError, match="is of 2 rows, not of these 3"):
        tables_of(answered([0, 0, 1], [0, 1, 1]), resample(["a", "b"]))


def test_labels_of_another_model_are_scored_in_its_own_order():
    labels = ("calm", "anger")
    examples = [Example(corpus="made", split="test", emotions=(e,), id=e) for e in ("anger", "calm", "fear")]
    scores = emotion_scores(emotion_only(examples, labels, np.array([[0.2, 0.8], [0.4, 0.6], [0.5, 0.5]])))
    assert scores is not None
    assert (scores.n, scores.confusion) == (2, ((0, 1), (0, 1)))
