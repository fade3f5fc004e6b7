"""Change points in courses of posteriors: exact on clean courses, optimal on any."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmser.changes import BLOCK, distances, find_shifts, partition, place_cuts, shifts_at

CLASSES = 4


def course(lengths, classes, sure=0.85):
    """One row a window; each stretch is sure of its class."""
    rows = np.full((sum(lengths), CLASSES), (1 - sure) / (CLASSES - 1))
    rows[np.arange(len(rows)), np.repeat(classes, lengths)] = sure
    return rows


def mixed(change, duration, window, hop):
    """Windows over a change from class 0 to class 1 at a time, each a mixture by its share of both sides."""
    starts = np.arange(int((duration - window) / hop + 1e-6) + 1) * hop
    share = np.clip((change - starts) / window, 0, 1)[:, None]
    left, right = course([1], [0])[0], course([1], [1])[0]
    return share * left + (1 - share) * right


@st.composite
def made_courses(draw):
    lengths = draw(st.lists(st.integers(4, 12), min_size=1, max_size=6))
    steps = draw(st.lists(st.integers(1, CLASSES - 1), min_size=len(lengths), max_size=len(lengths)))
    return lengths, list(np.cumsum(steps) % CLASSES)


@given(made=made_courses())
def test_clean_steps_are_found_exactly_and_named(made):
    lengths, classes = made
    shifts = find_shifts(course(lengths, classes), window=1.0, hop=0.5)
    starts = np.cumsum(lengths)[:-1]
    assert [shift.time for shift in shifts] == pytest.approx([(s - 0.5) * 0.5 + 0.5 for s in starts])
    assert [(shift.before, shift.after) for shift in shifts] == list(itertools.pairwise(classes))
    assert all(0.5 < shift.strength <= 1.0 for shift in shifts)  # of certain classes


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), penalty=st.floats(0.01, 1.0), shortest=st.integers(1, 3))
def test_no_other_partition_costs_less(seed, penalty, shortest):
    rows = np.random.default_rng(seed).random((8, 2))

    def cost(cuts):
        parts = np.split(rows, cuts)
        return sum(np.square(part - part.mean(0)).sum() for part in parts) + penalty * len(cuts)

    allowed = [
        list(cuts)
        for count in range(8)
        for cuts in itertools.combinations(range(1, 8), count)
        if min(np.diff([0, *cuts, 8])) >= shortest
    ]
    found = partition(rows, penalty, shortest)
    assert found in allowed
    assert cost(found) == pytest.approx(min(map(cost, allowed)))


@given(seed=st.integers(0, 10_000))
def test_a_higher_penalty_never_gives_more_cuts(seed):
    rows = np.random.default_rng(seed).dirichlet(np.ones(CLASSES), 40)
    counts = [len(partition(np.sqrt(rows), penalty, 2)) for penalty in (0.05, 0.2, 0.8, 3.0)]
    assert counts == sorted(counts, reverse=True)


@given(change=st.integers(60, 140).map(lambda n: n / 20))
def test_a_cut_is_placed_between_windows(change):
    """Windows of 2 s every 0.5 s place a change to better than a tenth of a second."""
    (shift,) = find_shifts(mixed(change, 10.0, 2.0, 0.5), window=2.0, hop=0.5)
    assert shift.time == pytest.approx(change, abs=0.1)


@given(seed=st.integers(0, 10_000))
def test_times_lie_in_order_inside_the_course_whatever_it_is(seed):
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet(np.full(CLASSES, 0.3), int(rng.integers(1, 60)))
    shifts = find_shifts(rows, window=2.0, hop=0.5, penalty=0.05)
    times = [shift.time for shift in shifts]
    assert times == sorted(times)
    assert all(0 < time < len(rows) * 0.5 + 1.5 for time in times)
    assert all(0 <= shift.strength <= 1 for shift in shifts)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_course_too_short_for_two_stretches_has_no_change(count):
    rows = course([1] * count, [0, 1][:count]) if count else np.zeros((0, CLASSES))
    assert find_shifts(rows, window=1.0, hop=0.5) == []
    assert place_cuts(rows, [], 1.0, 0.5) == []


def test_an_even_course_has_no_change():
    assert find_shifts(course([50], [2]), window=1.0, hop=0.5) == []


def test_a_very_long_course_is_cut_in_blocks():
    lengths = [BLOCK - 40, 30, 50, 100]
    assert partition(np.sqrt(course(lengths, [0, 1, 2, 3])), 0.4, 3) == list(np.cumsum(lengths)[:-1])


@given(seed=st.integers(0, 10_000), threshold=st.floats(0.0, 1.0))
def test_known_boundaries_count_from_a_distance_on(seed, threshold):
    rows = np.random.default_rng(seed).dirichlet(np.ones(CLASSES), 6)
    times = [1.0, 2.5, 3.0, 7.0, 8.0]
    far = distances(rows)
    assert ((far >= 0) & (far <= 1)).all()
    found = [shift.time for shift in shifts_at(rows, times, threshold)]
    assert found == [time for time, value in zip(times, far, strict=True) if value >= threshold]
    assert shifts_at(np.tile(rows[:1], (6, 1)), times, 1e-6) == []


def test_opposite_certainties_are_as_far_apart_as_can_be():
    assert distances(np.eye(CLASSES)[:2]) == pytest.approx([1.0])
