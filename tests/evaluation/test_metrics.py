"""Metrics against cases worked by hand."""

import numpy as np
import pytest

from mmser.evaluation.scores import metrics


def test_uar_is_the_mean_of_recalls_whatever_the_class_sizes():
    truth = [0, 0, 0, 0, 1, 1]
    guess = [0, 0, 0, 1, 1, 0]
    assert metrics.uar(truth, guess) == pytest.approx(100 * (3 / 4 + 1 / 2) / 2)


def test_uar_leaves_out_classes_that_do_not_occur():
    assert metrics.uar([2, 2], [2, 5]) == pytest.approx(50)


def test_weighted_f1_by_hand():
    # class 0: precision 1, recall 1/2, F1 2/3, weight 2; class 1: precision 1/2, recall 1, F1 2/3.
    assert metrics.weighted_f1([0, 0, 1], [0, 1, 1]) == pytest.approx(100 * 2 / 3)


def test_calibration_error_of_a_sure_and_half_right_model_is_a_half():
    probabilities = np.tile([1.0, 0.0], (30, 1))
    assert metrics.expected_calibration_error(probabilities, [0, 1] * 15) == pytest.approx(0.5, abs=0.2)
    assert metrics.expected_calibration_error(probabilities, [0] * 30) == 0


def test_shift_scores_of_a_perfect_a_constant_and_an_inverted_rule():
    truth = [True, False, True, False]
    assert metrics.shift_scores(truth, [0.9, 0.1, 0.8, 0.2], 0.5)["mcc"] == 1
    assert metrics.shift_scores(truth, [0.9] * 4, 0.5)["mcc"] == 0
    assert metrics.shift_scores(truth, [0.1, 0.9, 0.2, 0.8], 0.5)["mcc"] == -1
    assert metrics.shift_scores(truth, [0.9] * 4, 0.5)["ap"] == pytest.approx(0.5)


def test_thresholds_separate_each_class_on_its_own():
    targets = np.array([[1, 0], [1, 0], [0, 1], [0, 0]], bool)
    probabilities = np.array([[0.3, 0.1], [0.25, 0.2], [0.1, 0.8], [0.2, 0.7]])
    thresholds = metrics.multilabel_thresholds(targets, probabilities)
    assert metrics.multilabel_macro_f1(targets, probabilities, thresholds) == 100


def test_group_interval_uses_groups_not_rows():
    truth, guess = [0, 1] * 10, [0, 1] * 5 + [1, 0] * 5
    low, high = metrics.group_interval(metrics.uar, truth, guess, ["a"] * 10 + ["b"] * 10)
    assert (low + high) / 2 == pytest.approx(50)
    assert high - low > 500  # two groups at 100 and 0 say hardly anything


def test_bootstrap_of_chance_covers_chance():
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(40):
        truth, guess = rng.integers(0, 2, 200), rng.integers(0, 2, 200)

        def accuracy(rows: np.ndarray, truth=truth, guess=guess) -> float:
            return float((truth[rows] == guess[rows]).mean())

        low, high = metrics.bootstrap_interval(accuracy, [str(i) for i in range(200)], draws=200, seed=seed)
        covered += low <= 0.5 <= high
    assert covered >= 33


def test_paired_difference_cancels_what_groups_share():
    truth = [0, 1] * 4
    good, bad = truth, [0, 0] * 4
    low, high = metrics.paired_group_interval(metrics.uar, truth, good, bad, ["a"] * 4 + ["b"] * 4)
    assert (low, high) == (50, 50)


def test_class_f1_names_the_emotions():
    assert metrics.class_f1([0, 0, 4], [0, 4, 4]) == pytest.approx({"anger": 200 / 3, "neutral": 200 / 3})
