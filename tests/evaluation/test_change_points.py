"""Change points pair up one to one, and every second of a call is right or wrong in one way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from mmser.evaluation.scores.change_points import (
    DiarizationError,
    Matches,
    diarization_error,
    match_points,
    stretches_between,
)

times = st.lists(st.integers(0, 80).map(lambda n: n / 4), max_size=12)
tolerances = st.sampled_from([0.5, 1.0, 2.0, 5.0])
labels = st.sampled_from(["anger", "neutral", "sadness"])


@st.composite
def courses(draw, duration=10.0):
    points = sorted(set(draw(st.lists(st.integers(1, 39).map(lambda n: n / 4), max_size=6))))
    return stretches_between(points, [draw(labels) for _ in range(len(points) + 1)], duration)


@given(true=times, guessed=times, tolerance=tolerances)
def test_the_pairing_is_a_maximum_matching(true, guessed, tolerance):
    near = np.abs(np.subtract.outer(np.array(true), np.array(guessed))) <= tolerance
    best = (maximum_bipartite_matching(csr_matrix(near)) >= 0).sum() if true and guessed else 0
    matches = match_points(true, guessed, tolerance)
    assert matches == Matches(found=int(best), guessed=len(guessed), true=len(true))


@given(true=times, guessed=times)
def test_more_tolerance_never_finds_less_and_the_sides_are_equal(true, guessed):
    found = [match_points(true, guessed, tolerance).found for tolerance in (0.5, 1.0, 2.0, 5.0)]
    assert found == sorted(found)
    assert match_points(guessed, true, 1.0).found == found[1]


def test_a_guess_counts_once_however_many_true_points_are_near():
    assert match_points([1.0, 1.2, 1.4], [1.2], 0.5) == Matches(found=1, guessed=1, true=3)
    assert match_points([1.0], [0.9, 1.0, 1.1], 0.5).precision == pytest.approx(100 / 3)
    # Who takes the nearest first pairs 1.0 with 0.9 and leaves 0.45 alone.
    assert match_points([0.45, 1.0], [0.9, 1.45], 0.5).found == 2


def test_scores_of_calls_add_up_and_nothing_at_all_is_right():
    assert Matches().f1 == Matches().precision == Matches().recall == 100.0
    total = match_points([1.0, 5.0], [1.0], 0.5) + match_points([], [3.0], 0.5)
    assert (total.precision, total.recall, total.f1) == (50.0, 50.0, 50.0)
    assert Matches(true=3).f1 == 0.0


@given(course=courses())
def test_a_course_against_itself_has_no_error(course):
    assert diarization_error(course, course, 10.0).rate == 0.0


@given(true=courses(), guessed=courses())
def test_every_second_is_wrong_in_at_most_one_way(true, guessed):
    error = diarization_error(true, guessed, 10.0)
    quarters = [k / 4 + 0.125 for k in range(40)]  # no edge lies inside one
    wrong = sum(_at(true, time) != _at(guessed, time) for time in quarters)
    assert error.rate == pytest.approx(100 * wrong / len(quarters))
    assert error.false_alarm + error.missed + error.confusion <= 10.0 + 1e-9
    mirrored = diarization_error(guessed, true, 10.0)
    assert (mirrored.false_alarm, mirrored.missed) == pytest.approx((error.missed, error.false_alarm))
    assert mirrored.confusion == pytest.approx(error.confusion)


def _at(course, time):
    return next(label for start, end, label in course if start <= time < end)


@given(course=courses(), cut=st.integers(1, 39).map(lambda n: n / 4))
def test_cutting_a_stretch_in_two_changes_nothing(course, cut):
    split = [
        piece
        for a, b, label in course
        for piece in ([(a, cut, label), (cut, b, label)] if a < cut < b else [(a, b, label)])
    ]
    reference = [(0.0, 4.0, "anger"), (6.0, 10.0, "sadness")]
    assert diarization_error(reference, split, 10.0).rate == pytest.approx(
        diarization_error(reference, course, 10.0).rate
    )


def test_each_kind_of_error_is_told_apart():
    true = [(0.0, 4.0, "anger"), (4.0, 6.0, "neutral"), (6.0, 10.0, "sadness")]
    guessed = [(0.0, 3.0, "anger"), (4.0, 7.0, "happiness"), (7.0, 8.0, "fear"), (8.0, 12.0, "sadness")]
    error = diarization_error(true, guessed, 10.0)
    assert error == DiarizationError(false_alarm=2.0, missed=1.0, confusion=2.0, duration=10.0)
    assert error.rate == 50.0
    assert (error + error).rate == 50.0 and DiarizationError().rate == 0.0


@pytest.mark.parametrize("stretches", [[(0.0, 2.0, "anger"), (1.5, 3.0, "fear")], [(2.0, 1.0, "anger")]])
def test_stretches_that_overlap_or_run_backwards_are_refused(stretches):
    with pytest.raises(ValueError, match=r"overlap|before it begins"):
        diarization_error(stretches, [], 4.0)
