"""Groups against all other calls: how large the difference, and how seldom one is marked for nothing."""

import numpy as np
import pytest

from mmser.batch.summary.differences import differences


def calls(rng, count=600):
    """Most calls have no negative second, as short ones do: the hard case for t."""
    seconds = rng.lognormal(4, 0.6, count)
    return rng.beta(1, 2, count) * (rng.random(count) < 0.4) * seconds, seconds


def test_the_gap_is_of_ratios_of_sums():
    negative, seconds = calls(np.random.default_rng(0), 60)
    group = (np.arange(60) >= 25).astype(np.int64)
    first, second = differences(negative, seconds, group, 2)
    inside, outside = group == 0, group == 1
    gap = negative[inside].sum() / seconds[inside].sum() - negative[outside].sum() / seconds[outside].sum()
    assert first.gap == pytest.approx(gap)
    assert second.gap == pytest.approx(-gap)
    assert first.p == second.p  # the one against the other, both times


@pytest.mark.slow
def test_groups_that_do_not_differ_are_marked_in_about_one_archive_of_twenty():
    marked = 0
    for trial in range(60):
        rng = np.random.default_rng(trial)
        negative, seconds = calls(rng)
        found = differences(negative, seconds, np.repeat(np.arange(20), 30), 20, seed=trial)
        marked += min(one.p for one in found) < 0.05
    assert marked <= 8


def test_a_group_that_differs_is_found_among_many():
    rng = np.random.default_rng(1)
    negative, seconds = calls(rng)
    group = np.repeat(np.arange(6), 100)
    negative[group == 2] += 0.15 * seconds[group == 2]
    found = differences(negative, seconds, group, 6)
    assert found[2].gap > 0 and found[2].p < 0.01
    assert [one.p < 0.05 and one.gap > 0 for one in found] == [False, False, True, False, False, False]


def test_groups_under_twenty_calls_or_without_others_or_variation_are_not_tested():
    rng = np.random.default_rng(2)
    negative, seconds = calls(rng, 60)
    group = (np.arange(60) >= 19).astype(np.int64)
    assert differences(negative, seconds, group, 2) == [None, None]  # 19 against 41
    assert differences(negative, seconds, np.zeros(60, np.int64), 1) == [None]
    assert differences(0.3 * seconds, seconds, (np.arange(60) >= 30).astype(np.int64), 2) == [None, None]
    assert differences(np.full(60, np.nan), seconds, group, 2) == [None, None]


def test_what_is_not_compared_stands_among_the_others():
    rng = np.random.default_rng(3)
    negative, seconds = calls(rng, 90)
    group = np.repeat(np.arange(3), 30)
    (alone,) = differences(negative, seconds, group, 1)
    assert alone.gap == pytest.approx(differences(negative, seconds, group, 3)[0].gap)
