"""Calibration and coverage: by hand, beside scikit-learn and plain loops, ties in any order."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit
from sklearn import metrics as sk

from mmser.evaluation.judged import Judged, emotion_only, truth_of, where
from mmser.evaluation.result import Calibration, RiskCoverage
from mmser.evaluation.scores import metrics
from mmser.evaluation.scores.calibration_scores import (
    calibration_scores,
    coverage_scores,
    drawn_bins,
    ece_of_calibrated,
    ece_score,
    equal_mass_bins,
)
from mmser.evaluation.scores.resampling import resample, resampler_of
from mmser.labels import EMOTIONS
from tests.evaluation.test_emotion_scores import answered, assert_same, random_rows


def stated(confidence: list[float], right: list[bool]) -> Judged:
    """Return rows of anger that is believed so far, or disgust instead; each of its own speaker."""
    rows = answered([0] * len(right), [0] * len(right), speakers=len(right))
    believed = np.repeat((1 - np.array(confidence))[:, None] / 6, 7, 1)
    believed[np.arange(len(right)), np.where(right, 0, 1)] = confidence
    return emotion_only(rows.examples, EMOTIONS, believed)


def both(rows: Judged, draws: int = 50) -> tuple[Calibration, RiskCoverage]:
    resampler = resampler_of(rows, draws=draws)
    return calibration_scores(rows, resampler), coverage_scores(rows, resampler)


# --- calibration -----------------------------------------------------------------------------------------


def test_calibration_by_hand():
    # Two bins of 0.5 and 0.9: half right and all right; |0.5 - 0.5| and |0.9 - 1|, two rows each.
    found, _ = both(stated([0.5, 0.5, 0.9, 0.9], [True, False, True, True]))
    assert found.ece.value == pytest.approx((2 * 0 + 2 * 0.1) / 4)
    assert [(b.confidence, b.accuracy, b.n) for b in found.bins] == [pytest.approx((0.7, 0.75, 4))]
    # The wrong row states (1 - 0.5) / 6 of anger.
    assert found.nll.value == pytest.approx(-(np.log(0.5) + np.log(0.5 / 6) + 2 * np.log(0.9)) / 4)
    sure = 0.1**2 + 6 * (0.1 / 6) ** 2
    half = 0.5**2 + 6 * (0.5 / 6) ** 2
    miss = (1 - 0.5 / 6) ** 2 + 0.5**2 + 5 * (0.5 / 6) ** 2
    assert found.brier.value == pytest.approx((2 * sure + half + miss) / 4)


def test_a_probability_of_zero_costs_as_much_as_one_of_a_billionth():
    rows = emotion_only(answered([0, 0], [0, 0]).examples, EMOTIONS, np.eye(7)[[0, 1]])
    found, _ = both(rows)
    assert found.nll.value == pytest.approx(-np.log(1e-9) / 2)
    assert found.brier.value == pytest.approx(1)  # 0 of the one, 2 of the other


@pytest.mark.parametrize("seed", range(3))
def test_losses_are_scikit_learns(seed: int):
    rows = random_rows(400, seed)
    truth, (found, _) = truth_of(rows), both(rows)
    assert found.nll.value == pytest.approx(sk.log_loss(truth, rows.emotion, labels=range(7)))
    loss = sk.brier_score_loss(truth, rows.emotion, labels=range(7), scale_by_half=False)
    assert found.brier.value == pytest.approx(loss)


def test_without_ties_the_bins_are_those_of_equal_size():
    rows = random_rows(450)
    found, _ = both(rows)
    assert [b.n for b in found.bins] == [30] * 15
    expected = metrics.expected_calibration_error(rows.emotion, truth_of(rows).tolist())
    assert found.ece.value == pytest.approx(expected)


@given(st.lists(st.sampled_from([0.2, 0.3, 0.55, 0.9, 1.0]) | st.floats(0, 1), min_size=1, max_size=60))
def test_equal_confidences_share_a_bin_and_surer_rows_are_in_no_lower_one(confidence: list[float]):
    values = np.array(confidence)
    bins = equal_mass_bins(values)
    assert (bins >= 0).all() and (bins < 15).all()
    order = np.argsort(values, kind="stable")
    assert (np.diff(bins[order]) >= 0).all()
    assert all(len(set(bins[values == value])) == 1 for value in values)


@pytest.mark.parametrize(
    ("rows", "bins"),
    [(1, 1), (19, 1), (39, 1), (40, 2), (100, 5), (240, 12), (299, 14), (300, 15), (9000, 15)],
)
def test_a_diagram_has_as_many_bins_as_leave_twenty_rows_in_each_and_fifteen_at_most(rows: int, bins: int):
    assert drawn_bins(rows) == bins
    sizes = np.bincount(equal_mass_bins(np.linspace(0.2, 0.9, rows), bins))
    assert len(sizes) == bins and (sizes >= min(rows, 20)).all()


def test_the_error_keeps_its_fifteen_bins_where_the_diagram_has_fewer():
    # Of 40 rows, 20 are at 0.5 and 20 at 0.9, each a bin of the diagram: half of either are right.
    found, _ = both(stated([0.5] * 20 + [0.9] * 20, [True, False] * 20))
    assert [(b.confidence, b.accuracy, b.n) for b in found.bins] == [
        pytest.approx((0.5, 0.5, 20)),
        pytest.approx((0.9, 0.5, 20)),
    ]
    rows = random_rows(105)  # 15 bins of 7
    found, _ = both(rows)
    assert [b.n for b in found.bins] == [21] * 5
    expected = metrics.expected_calibration_error(rows.emotion, truth_of(rows).tolist())
    assert found.ece.value == pytest.approx(expected)


def test_one_confidence_is_one_bin_whoever_comes_first():
    found, _ = both(stated([0.8] * 30, [True, False] * 15))
    assert found.ece.value == pytest.approx(0.3)
    assert len(found.bins) == 1


def test_error_by_chance_is_that_of_answers_drawn_as_stated():
    # One bin of n rows at 0.5: the mean of |B/n - 1/2| is about sqrt(1 / (2 pi n)).
    assert ece_of_calibrated(np.full(400, 0.5)).mean() == pytest.approx(np.sqrt(1 / (800 * np.pi)), rel=0.1)
    assert (ece_of_calibrated(np.ones(30)) == 0).all()
    found, _ = both(random_rows(450))
    assert found.ece_of_calibrated == pytest.approx(0.07, abs=0.03)


def test_the_interval_of_a_calibrated_model_reaches_zero_and_that_of_another_does_not():
    rng = np.random.default_rng(3)
    confidence, resampler = rng.uniform(0.3, 1, 900), resample(np.arange(900), draws=200)
    calibrated = ece_score(confidence, rng.random(900) < confidence, resampler)
    off = ece_score(confidence, rng.random(900) < confidence - 0.2, resampler)
    assert calibrated.low == 0 < calibrated.value < calibrated.high < 0.1
    assert 0.12 < off.low < 0.2 < off.high < 0.28
    assert off.low < off.value < off.high


def test_values_of_error_and_intervals_survive_few_speakers():
    for speakers in (1, 2, 3, 19, 20):
        found, curve = both(random_rows(60, speakers=speakers))
        for score in (found.ece, found.nll, found.brier, curve.aurc):
            assert score.value is not None and score.groups == speakers
            assert (score.low is None) == (speakers == 1)
            assert score.low is None or score.low <= score.value <= score.high


# --- coverage --------------------------------------------------------------------------------------------


def test_risk_and_coverage_by_hand():
    # From the surest: right, wrong, right, wrong: risks 0, 1/2, 1/3, 1/2.
    rows = stated([0.9, 0.8, 0.7, 0.6], [True, False, True, False])
    _, curve = both(replace(rows, abstained=np.array([False, False, False, True])))
    assert [(p.coverage, p.risk, p.confidence) for p in curve.points] == [
        pytest.approx(point)
        for point in ((0.25, 0, 0.9), (0.5, 1 / 2, 0.8), (0.75, 1 / 3, 0.7), (1, 1 / 2, 0.6))
    ]
    assert curve.aurc.value == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert curve.abstained == 25
    assert curve.accuracy_answered == pytest.approx(200 / 3)
    assert curve.uar_answered == pytest.approx(200 / 3)  # of one class


def test_equals_count_as_the_mean_of_all_orders():
    # Two equals, one wrong: risks 0, 1/2 or 1, 1/2; after them a right one: 1/3.
    rows = stated([0.8, 0.8, 0.5], [True, False, True])
    _, curve = both(rows)
    assert curve.aurc.value == pytest.approx((1 / 2 + 1 / 2 + 1 / 3) / 3)
    assert [p.coverage for p in curve.points] == pytest.approx([2 / 3, 1])


def test_area_of_repeated_rows_is_that_of_their_weights():
    rng = np.random.default_rng(4)
    confidence, right = rng.choice([0.3, 0.5, 0.51, 0.7, 0.9], 30), rng.random(30) < 0.6
    twice = np.repeat(np.arange(30), rng.integers(0, 4, 30))
    rows = stated([float(c) for c in confidence[twice]], right[twice].tolist())
    expected = []
    for _ in range(3000):  # all orders of equals, nearly
        order = np.argsort(-confidence[twice] + 1e-9 * rng.random(len(twice)))
        wrong = ~right[twice][order]
        expected.append((wrong.cumsum() / np.arange(1, len(twice) + 1)).mean())
    assert both(rows)[1].aurc.value == pytest.approx(np.mean(expected), abs=0.002)


def test_a_curve_keeps_a_hundred_points_and_ends_with_all_rows():
    rows = random_rows(1234)
    _, curve = both(rows)
    coverage = [p.coverage for p in curve.points]
    assert len(coverage) == 100
    assert coverage == sorted(set(coverage)) and coverage[-1] == 1
    assert curve.points[-1].risk == pytest.approx(np.mean(rows.guess() != truth_of(rows)))
    confidence = rows.emotion.max(1)
    for point in curve.points[::7]:
        kept = confidence >= point.confidence
        assert kept.mean() == pytest.approx(point.coverage)
        assert (rows.guess() != truth_of(rows))[kept].mean() == pytest.approx(point.risk)


def test_who_abstains_throughout_answers_nothing():
    rows = random_rows(40)
    _, curve = both(replace(rows, abstained=np.ones(40, np.bool_)))
    assert (curve.abstained, curve.accuracy_answered, curve.uar_answered) == (100, None, None)
    assert curve.aurc.value is not None


@settings(deadline=None, max_examples=20)
@given(st.permutations(range(40)), st.integers(0, 3))
def test_equal_confidences_may_come_in_any_order(order: list[int], digits: int):
    rows = random_rows(40, speakers=25)
    # Rounded, so that many are equal.
    rough = np.round(np.exp(logit(np.clip(rows.emotion, 0.01, 0.99))), digits) + 1e-3
    rows = emotion_only(rows.examples, EMOTIONS, rough / rough.sum(1, keepdims=True))
    for one, other in zip(both(rows), both(where(rows, np.array(order))), strict=True):
        assert_same(one, other)
