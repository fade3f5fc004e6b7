"""Intervals and tests of a difference: by hand, against plain loops, and how often they hold the truth."""

import tracemalloc

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import recall_score

from mmser.data import Example
from mmser.evaluation.judged import emotion_only, where
from mmser.evaluation.result import Score
from mmser.evaluation.scores import resampling
from mmser.evaluation.scores.emotion_scores import accuracy, uar
from mmser.evaluation.scores.resampling import (
    count_score,
    mean_score,
    paired_count_difference,
    permutation_p,
    ratio,
    resample,
    resampler_of,
    row_score,
    ties_of,
)
from mmser.labels import EMOTIONS
from scripts.check_intervals import CALIBRATED, PLANS, of_calibration, of_chance

PERCENT = (0.0, 100.0)


def rows_of(count: int, **columns: list[str | None]):
    """Return rows with some columns, named by their number."""
    examples = [
        Example(
            corpus="made",
            split="test",
            emotions=("anger",),
            id=str(i),
            speaker=columns["speaker"][i] if "speaker" in columns else None,
            dialogue_id=columns["dialogue_id"][i] if "dialogue_id" in columns else None,
        )
        for i in range(count)
    ]
    return emotion_only(examples, EMOTIONS, np.full((count, len(EMOTIONS)), 1 / len(EMOTIONS)))


# --- how groups are resampled ----------------------------------------------------------------------------


def test_few_groups_are_left_out_one_at_a_time():
    found = resample(["b", "a", "b", "c"])
    assert found.group.tolist() == [1, 0, 1, 2]
    assert found.weights.tolist() == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]


def test_many_groups_are_drawn_with_replacement_as_many_as_there_are():
    found = resample([str(i // 2) for i in range(60)], draws=50)
    assert found.weights.shape == (50, 30)
    assert (found.weights.sum(1) == 30).all()
    # Poisson with mean 1, nearly: each variance is 1 - 1/30.
    assert found.weights.var() == pytest.approx(29 / 30, abs=0.1)
    assert (found.weights == resample([str(i // 2) for i in range(60)], draws=50).weights).all()
    assert (found.weights != resample([str(i // 2) for i in range(60)], draws=50, seed=1).weights).any()


def test_some_of_the_rows_are_resampled_by_the_groups_that_are_left():
    found = resample(["a", "b", "b", "c"], unit="speaker").where(np.array([False, True, True, True]))
    assert (found.groups, len(found), found.unit) == (2, 3, "speaker")
    assert found.weights.tolist() == [[0, 1], [1, 0]]


def test_tables_count_truth_by_guess_in_each_group():
    tables = resample(["a", "b", "b"]).tables(np.array([0, 1, 1]), np.array([0, 0, 1]), 2)
    assert tables.tolist() == [[[1, 0], [0, 0]], [[0, 0], [1, 1]]]


@pytest.mark.parametrize(
    ("columns", "unit", "groups"),
    [
        ({"speaker": ["x/1", "x/1", "x/2", "x/3"]}, "speaker", 3),
        ({"dialogue_id": ["d1", "d1", "d2", "d2"]}, "dialogue", 2),
        ({"speaker": ["x/1", "x/2", "x/3", "x/4"], "dialogue_id": ["d", "d", "e", "e"]}, "dialogue", 2),
        ({"speaker": ["x/1", "x/1", "x/2", "x/2"], "dialogue_id": ["d", "e", "f", "f"]}, "speaker", 2),
        ({"speaker": ["x/1", "x/2", None, None]}, "row", 4),
        ({"speaker": ["x/1", "x/1", None, None]}, "group", 3),
        ({}, "row", 4),
    ],
)
def test_a_group_is_called_what_it_is(columns: dict[str, list[str | None]], unit: str, groups: int):
    found = resampler_of(rows_of(4, **columns))
    assert (found.unit, found.groups) == (unit, groups)


def test_the_order_of_the_rows_changes_no_draw():
    rng = np.random.default_rng(0)
    rows = rows_of(90, speaker=[f"x/{i % 30}" for i in range(90)])
    order = rng.permutation(90)
    values = rng.random(90)
    plain = mean_score(values, resampler_of(rows), span=(0.0, 1.0))
    mixed = mean_score(values[order], resampler_of(where(rows, order)), span=(0.0, 1.0))
    assert (plain.low, plain.high) == pytest.approx((mixed.low, mixed.high), abs=1e-12)


# --- intervals by hand -----------------------------------------------------------------------------------


def test_two_groups_by_hand():
    # Means 2 without the first and 1 without the second group, 1.5 of all: the jackknife's standard error is
    # sqrt((2 - 1) / 2 · (0.5² + 0.5²)) = 0.5, and t of one degree of freedom at 97.5 % is 12.7062.
    score = mean_score([1, 1, 2, 2], resample(["a", "a", "b", "b"], unit="speaker"), span=(-9.0, 9.0))
    assert score.value == 1.5
    assert (score.low, score.high) == pytest.approx((1.5 - 6.3531, 1.5 + 6.3531), abs=1e-4)
    assert (score.n, score.groups, score.interval) == (4, 2, "t over 2 speakers")


def test_jackknife_of_a_mean_over_equal_groups_is_the_t_interval_over_their_means():
    rng = np.random.default_rng(1)
    values = rng.random((7, 5))
    score = mean_score(
        values.ravel(), resample([str(i) for i in range(7) for _ in range(5)]), span=(0.0, 1.0)
    )
    means = values.mean(1)
    expected = stats.t.interval(0.95, 6, means.mean(), stats.sem(means))
    assert (score.low, score.high) == pytest.approx(expected)


def test_groups_that_lack_classes_leave_the_interval_about_the_value_of_all_rows():
    # Group a: class 0 alone, 9 of 10 right. Group b: both, 0 of 2 and 8 of 10. UAR = (9/12 + 8/10) / 2 =
    # 77.5; the mean of the groups' own, (90 + 40) / 2 = 65, is another number.
    truth = np.array([0] * 10 + [0] * 2 + [1] * 10)
    guess = np.array([0] * 9 + [1] + [1] * 2 + [1] * 8 + [0] * 2)
    found = resample(["a"] * 10 + ["b"] * 12)
    tables = found.tables(truth, guess, 2)
    assert uar(tables).mean() == 65
    assert count_score(tables, uar, found, span=(-9e9, 9e9)).value == 77.5
    wide = count_score(tables, uar, found, span=(-9e9, 9e9))
    assert (wide.low + wide.high) / 2 == pytest.approx(77.5)
    assert (count_score(tables, uar, found).low, count_score(tables, uar, found).high) == PERCENT


def test_bootstrap_of_many_groups_is_as_wide_as_a_normal_interval_of_their_mean():
    rng = np.random.default_rng(2)
    values = rng.random(400)
    score = mean_score(values, resample([str(i) for i in range(400)], draws=4000), span=(0.0, 1.0))
    half = 1.96 * values.std() / 20
    assert (score.low, score.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.004)
    assert score.interval == "bootstrap over 400 groups, 4,000 draws"


def test_percentiles_move_outwards_where_groups_are_few():
    # Hesterberg's tail of 20 groups: Φ(-sqrt(20/19) · 2.0930) = 0.0159.
    found = resample(np.arange(20), draws=3000)
    values = np.arange(20.0)
    score = mean_score(values, found, span=(0.0, 19.0))
    draws = found.weights @ values / 20
    assert score.low == pytest.approx(np.quantile(draws, 0.0159), abs=0.02)
    assert score.high == pytest.approx(np.quantile(draws, 1 - 0.0159), abs=0.02)


def test_one_group_has_a_value_and_no_interval():
    score = mean_score([0.0, 1.0], resample(["a", "a"], unit="speaker"), span=(0.0, 1.0))
    assert (score.value, score.low, score.high) == (0.5, None, None)
    assert score.interval == "one speaker, and an interval needs two or more: no interval"


def test_one_group_of_linked_rows_says_what_links_them():
    score = mean_score([0.0, 1.0], resample(["a", "a"]), span=(0.0, 1.0))
    linked = (
        "one group, whose rows share speakers or dialogues, and an interval needs two or more: no interval"
    )
    assert score.interval == linked


def test_no_rows_have_neither():
    score = mean_score([], resample([]), span=(0.0, 1.0))
    assert (score.value, score.low, score.n, score.groups) == (None, None, 0, 0)
    assert score.interval == "not defined on these rows"


def test_a_metric_that_hangs_on_one_group_has_no_interval():
    tables = np.array([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    score = count_score(tables, lambda sums: ratio(sums[:, 0], sums[:, 1]), resample(["a", "b", "c"]))
    assert (score.value, score.low) == (1, None)
    assert score.interval == "not defined without one of 3 groups: no interval"


def test_draws_in_which_a_metric_is_not_defined_are_left_out_unless_they_are_most():
    found = resample([str(i) for i in range(30)])
    tables = np.zeros((30, 2))
    tables[:5] = [[0, 1], [1, 1], [0, 1], [1, 1], [1, 1]]
    some = count_score(tables, lambda sums: 100 * ratio(sums[:, 0], sums[:, 1]), found)
    assert some.value == pytest.approx(60)
    assert 0 <= some.low < 60 < some.high <= 100
    # About a sixth of the draws hold the five rows just five times, all told.
    none = count_score(tables, lambda sums: np.where(sums[:, 1] == 5, 1.0, np.nan), found)
    assert (none.value, none.low) == (1, None)
    assert none.interval == "not defined in most draws over 30 groups: no interval"


# --- against plain loops ---------------------------------------------------------------------------------


def test_resampled_tables_score_as_resampled_rows_do():
    rng = np.random.default_rng(3)
    group = rng.integers(25, size=200)
    truth, guess = rng.integers(4, size=200), rng.integers(4, size=200)
    found = resample(group, draws=20)
    values = uar(np.tensordot(found.weights, found.tables(truth, guess, 4), 1))
    for weights, value in zip(found.weights, values, strict=True):
        rows = np.repeat(np.arange(200), weights[found.group].astype(int))
        expected = recall_score(
            truth[rows], guess[rows], average="macro", labels=np.unique(truth[rows]), zero_division=0
        )
        assert value == pytest.approx(100 * expected)


@pytest.mark.parametrize("groups", [7, 40])
def test_row_metrics_of_means_agree_with_sums(groups: int):
    rng = np.random.default_rng(4)
    values, found = rng.random(300), resample(rng.integers(groups, size=300))
    by_rows = row_score(lambda weights: (weights * values).sum(1) / weights.sum(1), found, span=(0.0, 1.0))
    by_sums = mean_score(values, found, span=(0.0, 1.0))
    assert (by_rows.value, by_rows.low, by_rows.high) == pytest.approx(
        (by_sums.value, by_sums.low, by_sums.high)
    )
    assert by_rows.interval == by_sums.interval


def test_row_metrics_in_parts_score_as_all_draws_at_once(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(5)
    values, found = rng.random(300), resample(rng.integers(40, size=300))

    def metric(weights: np.ndarray) -> np.ndarray:
        return (weights * values).sum(1)

    whole = row_score(metric, found, span=(0.0, 900.0))
    monkeypatch.setattr("mmser.evaluation.scores.resampling._AT_ONCE", 2100)  # 7 draws at a time
    assert row_score(metric, found, span=(0.0, 900.0)) == whole


def test_ties_add_up_rows_of_one_value():
    ties = ties_of(np.array([0.3, 0.1, 0.3, 0.2]))
    assert ties.sums(np.array([[1.0, 2, 4, 8]])).tolist() == [[2, 8, 5]]
    assert ties.place.tolist() == [2, 0, 2, 1]


# --- differences of two models ---------------------------------------------------------------------------


def test_what_groups_share_cancels_in_a_paired_difference():
    # Group a is hard for both, b easy for both; the one model gets one row more in each.
    found = resample(["a"] * 4 + ["b"] * 4)
    one = found.tables(np.zeros(8, int), np.array([0, 0, 1, 1, 0, 0, 0, 0]), 2)
    other = found.tables(np.zeros(8, int), np.array([0, 1, 1, 1, 0, 0, 0, 1]), 2)
    difference = paired_count_difference(one, other, accuracy, found)
    assert (difference.value, difference.low, difference.high) == (25, 25, 25)
    assert count_score(one, accuracy, found).high == 100


def test_the_difference_of_a_model_to_itself_is_nothing():
    rng = np.random.default_rng(6)
    found = resample(rng.integers(30, size=200))
    tables = found.tables(rng.integers(4, size=200), rng.integers(4, size=200), 4)
    same = paired_count_difference(tables, tables, uar, found)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    assert permutation_p(tables, tables, uar) == 1


def test_a_difference_turns_its_sign_with_the_models():
    rng = np.random.default_rng(7)
    found = resample(rng.integers(30, size=200))
    truth = rng.integers(4, size=200)
    one = found.tables(truth, np.where(rng.random(200) < 0.5, truth, 0), 4)
    other = found.tables(truth, rng.integers(4, size=200), 4)
    plus, minus = (paired_count_difference(*pair, uar, found) for pair in ((one, other), (other, one)))
    assert (plus.value, plus.low, plus.high) == pytest.approx((-minus.value, -minus.high, -minus.low))
    assert plus.value > 10
    assert permutation_p(one, other, uar) == permutation_p(other, one, uar) == pytest.approx(1 / 1001)


def test_all_swaps_of_few_groups_by_hand():
    # One row a group, which one of the models gets right: the one in a and b, the other in c. Over the 8
    # swaps the difference is ±1 ±1 ±1 thirds: of size 3 twice, of size 1 six times. Seen is 1: p = 8/8.
    right = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])

    def share(sums: np.ndarray) -> np.ndarray:
        return sums[:, 0] / sums.sum(1)

    assert permutation_p(right, right[:, ::-1], share) == 1
    better = np.array([[1.0, 0.0]] * 3)
    assert permutation_p(better, better[:, ::-1], share) == 2 / 8
    assert permutation_p(np.array([[1.0, 0.0]] * 10), np.array([[0.0, 1.0]] * 10), share) == 2 / 1024


def test_random_swaps_estimate_what_all_of_them_say(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(8)
    found = resample(rng.integers(11, size=150))
    truth = rng.integers(3, size=150)
    one, other = (
        found.tables(truth, np.where(rng.random(150) < share, truth, 0), 3) for share in (0.5, 0.38)
    )
    exact = permutation_p(one, other, uar)
    assert 0.02 < exact < 0.7
    monkeypatch.setattr("mmser.evaluation.scores.resampling.EXACT", 0)
    assert permutation_p(one, other, uar, draws=4000) == pytest.approx(exact, abs=0.03)


def test_p_of_a_difference_that_is_not_defined_is_not_a_number():
    nothing = np.zeros((3, 2, 2))
    assert np.isnan(permutation_p(nothing, nothing, uar))


# --- how often they hold what is true --------------------------------------------------------------------


@pytest.mark.parametrize("plan", [PLANS[0], PLANS[1], PLANS[2], PLANS[4]], ids=str)
def test_intervals_of_guessing_hold_chance_and_no_difference_at_about_their_rate(plan):
    interval, _, difference, rejected = of_chance(plan, 250, seed=1).mean(0)
    # 95 % of 250 is 237.5 ± 3.4: 0.905 is more than three of these below, 0.985 two and a half above.
    assert 0.905 <= interval <= 0.985
    assert 0.905 <= difference <= 0.992
    assert rejected <= 0.095


def test_intervals_of_the_calibration_error_hold_what_many_rows_would_show():
    assert of_calibration(CALIBRATED[1], 0.0, 100, seed=1).mean() >= 0.9
    assert of_calibration(CALIBRATED[1], 0.15, 100, seed=1).mean() >= 0.88


def test_many_draws_are_made_some_at_a_time_and_are_the_same(monkeypatch: pytest.MonkeyPatch):
    """However few weights are held at a time, the intervals and p are those of all at once."""
    rng = np.random.default_rng(0)
    truth, guess = rng.integers(0, 3, 200), rng.integers(0, 3, 200)
    found = resample([str(i) for i in range(200)], draws=301, seed=5)
    tables, other = (found.tables(truth, said, 3) for said in (guess, truth))

    def numbers() -> tuple[Score, Score, float]:
        fresh = resample(found.group, draws=301, seed=5)
        ranked = row_score(lambda weights: weights @ np.arange(200.0), fresh, span=(0.0, 1e9))
        return count_score(tables, uar, fresh), ranked, permutation_p(tables, other, uar, draws=301, seed=5)

    whole = numbers()
    monkeypatch.setattr(resampling, "_AT_ONCE", 1001)  # no whole number of draws
    monkeypatch.setattr(resampling, "_KEPT", 0)
    assert numbers() == whole


def test_memory_does_not_grow_with_the_draws():
    def peak(draws: int) -> int:
        found = resample(np.arange(2000), draws=draws)
        tables = found.tables(np.zeros(2000, np.int64), np.zeros(2000, np.int64), 2)
        tracemalloc.start()
        count_score(tables, uar, found)
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    assert peak(40_000) < peak(12_000) + 20_000_000  # of weights alone, 28,000 draws would be 448 MB
