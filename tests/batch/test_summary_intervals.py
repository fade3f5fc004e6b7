"""Ratios of sums over calls: hand-worked, beside the evaluation's own, and how often they hold the truth."""

import numpy as np
import pytest
from scipy import stats

from mmser.batch.summary.intervals import CHANGE, MANY, SHARE, mean, proportion, ratios
from mmser.evaluation.scores.resampling import count_score, ratio, resample


def calls(count, seed=0):
    rng = np.random.default_rng(seed)
    seconds = rng.lognormal(4, 0.6, count)
    return rng.beta(2, 5, count) * seconds, seconds


def test_the_value_is_a_ratio_of_sums_and_not_a_mean_of_ratios():
    (one,) = ratios(np.array([[10.0], [0.0]]), np.array([10.0, 90.0]))
    assert one.value == 0.1
    assert (one.low, one.high, one.calls) == (None, None, 2)


@pytest.mark.parametrize("count", [5, 12, 19, 20, 200, MANY])
def test_up_to_some_hundred_calls_intervals_are_those_of_the_evaluation(count):
    above, below = calls(count)
    (one,) = ratios(above[:, None], below, seed=3)
    known = count_score(
        np.stack([above, below], 1),
        lambda sums: ratio(sums[:, 0], sums[:, 1]),
        resample(np.arange(count), seed=3, unit="call"),
        span=SHARE,
    )
    assert (one.value, one.low, one.high) == pytest.approx((known.value, known.low, known.high), abs=6e-5)


def test_the_approximation_of_many_calls_goes_on_where_the_bootstrap_ends():
    above, below = calls(MANY + 1)
    (drawn,) = ratios(above[:MANY, None], below[:MANY])
    (straight,) = ratios(above[:, None], below)
    assert straight.high - straight.low == pytest.approx(drawn.high - drawn.low, rel=0.12)


def test_the_jackknife_of_equal_weights_is_students_t_by_hand():
    values = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.9])
    one = mean(values, span=CHANGE)
    half = stats.t.ppf(0.975, 5) * values.std(ddof=1) / np.sqrt(6)
    assert one.value == 0.4
    assert one.low == pytest.approx(0.4 - half, abs=1e-4)
    assert one.high == pytest.approx(0.4 + half, abs=1e-4)


@pytest.mark.parametrize(("count", "trials"), [(8, 400), (40, 300), (700, 200)])
def test_about_19_in_20_intervals_hold_the_truth(count, trials):
    held = 0
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        seconds = rng.lognormal(4, 0.6, count)
        (one,) = ratios((rng.beta(2, 5, count) * seconds)[:, None], seconds, seed=trial)
        held += one.low <= 2 / 7 <= one.high
    assert 0.89 <= held / trials <= 0.99


def test_under_five_calls_and_where_all_say_the_same_there_is_no_interval():
    four = np.array([0.1, 0.2, 0.3, 0.4])
    assert mean(four, span=SHARE).low is None
    assert mean(np.append(four, 0.5), span=SHARE).low is not None
    never = mean(np.zeros(30), span=SHARE)
    assert (never.value, never.low, never.high) == (0.0, None, None)


def test_calls_without_a_number_are_left_out_and_no_call_is_no_zero():
    one = mean(np.array([np.nan, 0.2, 0.4, np.nan]), span=SHARE)
    assert (one.value, one.calls) == (pytest.approx(0.3), 2)
    assert mean(np.full(3, np.nan), span=SHARE).value is None
    assert ratios(np.zeros((0, 2)), np.zeros(0))[1].value is None
    assert ratios(np.array([[1.0], [5.0]]), np.array([0.0, 10.0]))[0].value == 0.5


def test_wilsons_interval_by_hand():
    one = proportion(2, 10)  # a value of many textbooks
    assert (one.value, one.low, one.high) == (
        0.2,
        pytest.approx(0.0567, abs=1e-4),
        pytest.approx(0.5098, abs=1e-4),
    )
    none = proportion(0, 100)
    assert (none.low, none.high) == (0.0, pytest.approx(0.037, abs=1e-3))
    assert proportion(1, 4).low is None
    assert proportion(0, 0).value is None
