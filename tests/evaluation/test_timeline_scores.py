"""Change points are paired and timed one to one, and courses compared second by second."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from mmser.data import Example, with_change
from mmser.evaluation.judged import Judged, emotion_only, where
from mmser.evaluation.result import TimelineScores
from mmser.evaluation.scores.change_points import (
    DiarizationError,
    diarization_error,
    match_points,
    pair_points,
)
from mmser.evaluation.scores.timeline_scores import (
    TimedCall,
    calls_of,
    dialogue_timeline,
    median_delay,
    timeline_scores,
)
from mmser.labels import EMOTIONS

times = st.lists(st.integers(0, 80).map(lambda n: n / 8), max_size=9)


def call(
    true=(), guessed=(), *, group="a", name="1", duration=20.0, courses=((), ()), **options
) -> TimedCall:
    return TimedCall(
        name=name,
        group=group,
        duration=duration,
        true_points=tuple(true),
        guessed_points=tuple(guessed),
        true_course=tuple(courses[0]),
        guessed_course=tuple(courses[1]),
        **options,
    )


# --- pairs of points ---------------------------------------------------------------------------------------


@given(true=times, guessed=times, tolerance=st.sampled_from([0.5, 1.0, 2.0, 5.0]))
def test_pairs_are_as_many_as_match_and_no_other_pairing_is_nearer(true, guessed, tolerance):
    pairs = pair_points(true, guessed, tolerance)
    far = np.abs(np.subtract.outer(np.array(true, float), np.array(guessed, float)))
    costs = np.where(far <= tolerance, far, 1000.0)  # more than all pairs together can be apart
    rows, columns = linear_sum_assignment(costs)
    best = [cost for cost in costs[rows, columns] if cost < 1000.0]
    assert len(pairs) == len(best) == match_points(true, guessed, tolerance).found
    assert sum(abs(a - b) for a, b in pairs) == pytest.approx(sum(best))
    assert pairs == sorted(pairs) and [b for _, b in pairs] == sorted(b for _, b in pairs)  # none cross
    for own, side in ((true, 0), (guessed, 1)):
        left = list(own)
        for pair in pairs:
            left.remove(pair[side])  # each point at most once


@pytest.mark.parametrize(
    ("true", "guessed", "tolerance", "pairs"),
    [
        # Whoever pairs the earliest that fit takes 1 with 2, though 2 is there.
        ([1.0, 2.0], [2.0], 5.0, [(2.0, 2.0)]),
        # Two pairs a second apart are better than one at the same time.
        ([1.0, 2.0], [2.0, 3.0], 1.0, [(1.0, 2.0), (2.0, 3.0)]),
        # Equally near: the earlier, however the distances are rounded.
        ([1.0], [0.5, 1.5], 5.0, [(1.0, 0.5)]),
        ([1.0], [1.1, 0.9], 5.0, [(1.0, 0.9)]),
        ([0.9, 1.1], [1.0], 5.0, [(0.9, 1.0)]),
        # 1 with 4 and 2 with 3 would be as near; pairs do not cross.
        ([1.0, 2.0], [3.0, 4.0], 5.0, [(1.0, 3.0), (2.0, 4.0)]),
        ([1.0, 9.0], [], 5.0, []),
        ([], [1.0], 5.0, []),
        ([1.0], [6.0], 5.0, [(1.0, 6.0)]),
        ([1.0], [6.1], 5.0, []),
    ],
)
def test_ties_and_edges_are_settled(true, guessed, tolerance, pairs):
    assert pair_points(true, guessed, tolerance) == pairs
    assert pair_points(true[::-1], guessed[::-1], tolerance) == pairs


def test_the_delay_is_the_median_over_the_pairs_of_all_calls():
    calls = [
        call([2.0, 10.0], [2.5, 9.0, 19.0]),  # 0.5 late, 1 early; the third has no partner
        call([4.0], [7.0]),  # 3 late
        call([], [1.0]),
    ]
    assert median_delay(calls) == pytest.approx(0.5)
    assert median_delay(calls[:1]) == pytest.approx(-0.25)
    assert median_delay(calls[2:]) is None


# --- courses -----------------------------------------------------------------------------------------------


def test_no_emotion_on_either_side_is_no_error():
    nothing = DiarizationError(duration=10.0)
    assert diarization_error([], [(0.0, 10.0, "neutral")], 10.0) == nothing
    assert diarization_error([(0.0, 4.0, "neutral")], [], 10.0) == nothing


def test_one_emotion_is_late_and_ends_late():
    # Missed from 2 to 3, false alarm from 6 to 8.
    error = diarization_error([(2.0, 6.0, "anger")], [(3.0, 8.0, "anger")], 10.0)
    assert (error.missed, error.false_alarm, error.confusion) == (1.0, 2.0, 0.0)
    assert error.rate == pytest.approx(30)


def test_three_emotions_of_one_first_letter_are_told_apart():
    true = [(0.0, 2.0, "sadness"), (2.0, 5.0, "surprise"), (7.0, 9.0, "shame")]
    guessed = [(0.0, 3.0, "surprise"), (3.0, 6.0, "sadness"), (6.0, 9.0, "shame")]
    # Confused from 0 to 2 and from 3 to 5; false alarm from 5 to 7.
    error = diarization_error(true, guessed, 10.0)
    assert (error.missed, error.false_alarm, error.confusion) == (0.0, 2.0, 4.0)
    assert diarization_error(true, true, 10.0).rate == 0.0


def test_only_what_is_compared_counts():
    true, guessed = [(0.0, 10.0, "anger")], [(0.0, 4.0, "anger"), (4.0, 10.0, "fear")]
    error = diarization_error(true, guessed, 10.0, compared=[(2.0, 5.0), (9.0, 12.0)])
    # From 4 to 5 and from 9 to 10 of 3 + 1 seconds.
    assert (error.confusion, error.duration, error.rate) == (2.0, 4.0, 50.0)
    assert diarization_error(true, guessed, 10.0, compared=[]) == DiarizationError()
    assert diarization_error(true, guessed, 0.0).duration == diarization_error([], [], -1.0).duration == 0.0
    with pytest.raises(ValueError, match="overlap"):
        diarization_error(true, guessed, 10.0, compared=[(0.0, 5.0), (4.0, 6.0)])


# --- scores ------------------------------------------------------------------------------------------------


def test_scores_of_calls_are_those_of_their_sums():
    anger, calm = ((0.0, 10.0, "anger"),), ()
    calls = [
        call([2.0, 10.0], [2.4, 11.5], group="a", courses=(anger, anger)),  # ±0.5: 1 of 2; ±2: both
        call([5.0], [], group="b", courses=(anger, calm)),  # 10 s missed of 20
        call([], [3.0, 4.0], group="c", duration=10.0, courses=(calm, anger)),  # 10 s false alarm of 10
    ]
    scores = timeline_scores(
        calls, of="calls", baselines={"silent": [replace(c, guessed_points=()) for c in calls]}
    )
    half, one, two, five = scores.points
    # Three true and four guessed points: F1 is 2 found / 7.
    assert [p.f1.value for p in (half, one, two, five)] == pytest.approx([200 / 7, 200 / 7, 400 / 7, 400 / 7])
    assert (half.tolerance, half.precision, half.recall) == (0.5, pytest.approx(25), pytest.approx(100 / 3))
    assert (scores.n, scores.true_points, scores.guessed_points) == (3, 3, 4)
    assert (scores.missed, scores.false_alarm, scores.confusion, scores.duration) == (10, 10, 0, 50)
    assert scores.eder.value == pytest.approx(40)
    assert (scores.eder.n, scores.eder.groups, scores.eder.interval) == (3, 3, "t over 3 speakers")
    # Without a: 20 of 30 s; without b: 10 of 30; without c: 10 of 40. Jackknife: error² = 2 var.
    error = np.sqrt(2 * np.var([200 / 3, 100 / 3, 25]))
    assert scores.eder.low == pytest.approx(max(0, 40 - 4.302653 * error))
    assert scores.eder.high == pytest.approx(min(100, 40 + 4.302653 * error))
    assert scores.median_delay == pytest.approx((0.4 + 1.5) / 2)
    assert scores.baselines == {"silent": {"f1_at_0.5": 0.0, "f1_at_2": 0.0, "eder": pytest.approx(40)}}
    assert TimelineScores.from_dict(scores.to_dict()) == scores


def test_what_cannot_be_had_is_none():
    scores = timeline_scores(
        [call(duration=0.0), call(group="b", duration=0.0)], of="calls", baselines={"same": []}
    )
    assert all((p.precision, p.recall, p.f1.value) == (None, None, None) for p in scores.points)
    assert scores.eder.value is scores.median_delay is None
    assert scores.baselines == {"same": {}}
    claimed = timeline_scores([call([], [1.0])], of="calls")
    assert (claimed.points[0].precision, claimed.points[0].recall, claimed.points[0].f1.value) == (0, None, 0)
    assert claimed.points[0].f1.interval == "one speaker, and an interval needs two or more: no interval"
    assert timeline_scores([], of="calls").n == 0


# --- labelled dialogues ------------------------------------------------------------------------------------

RECORDING = Path("call.wav")


def turn(index: int, start: float, end: float, speaker: str, emotion: str | None, **options) -> Example:
    return Example(
        **(
            {
                "corpus": "made",
                "split": "test",
                "id": str(index),
                "audio": RECORDING,
                "emotions": () if emotion is None else (emotion,),
                "speaker": speaker,
                "dialogue_id": "d",
                "turn_index": index,
                "start": start,
                "end": end,
            }
            | options
        )
    )


DIALOGUE = (
    turn(0, 1.0, 2.0, "ann", "anger"),
    turn(1, 2.0, 4.0, "ben", "neutral"),
    turn(2, 4.0, 6.0, "ann", "anger"),
    turn(3, 6.0, 7.0, "ben", "sadness"),
    turn(4, 7.0, 8.0, "ann", "neutral"),
    turn(5, 8.0, 9.0, "ann", None),
    turn(6, 10.0, 12.0, "ann", "anger"),
)


def judged(examples, guess, shifted) -> Judged:
    said = emotion_only(examples, EMOTIONS, np.eye(7)[[EMOTIONS.index(label) for label in guess]])
    return replace(said, shifted=np.array(shifted, bool), change=np.where(shifted, 0.9, 0.1))


def said_of_dialogue(examples=DIALOGUE) -> Judged:
    guess = ("anger", "neutral", "fear", "neutral", "neutral", "fear", "neutral")
    return judged(with_change(examples), guess, [False, False, True, False, True, True, True])


def test_a_call_is_one_speaker_of_a_dialogue():
    ann, ben = calls_of(said_of_dialogue())
    assert (ann.name, ben.name, ann.group) == ("d, ann", "d, ben", ben.group)  # of one dialogue: one group
    # Ann's turn 4 shifts, 2 does not; of 5 and 6, beside a turn without a label, the labels say nothing.
    assert (ann.true_points, ann.guessed_points) == ((7.0,), (4.0, 7.0))
    assert (ben.true_points, ben.guessed_points) == ((6.0,), ())
    assert ann.true_course[:3] == ((1.0, 4.0, "anger"), (4.0, 7.0, "anger"), (7.0, 8.0, "neutral"))
    assert ann.guessed_course[:2] == ((1.0, 4.0, "anger"), (4.0, 7.0, "fear"))
    assert ann.compared == ((1.0, 4.0), (4.0, 7.0), (7.0, 8.0), (10.0, 12.0))
    assert (ann.duration, ben.duration, ben.compared) == (12.0, 7.0, ((2.0, 6.0), (6.0, 7.0)))


def test_dialogues_are_scored_beside_simple_rules():
    scores = dialogue_timeline(said_of_dialogue())
    assert set(scores.given) == {"model", *scores.baselines}
    assert scores is not None
    # One of two true points is found by two guesses; confused from 4 to 7, missed from 6 to 7 by Ben and from
    # 10 to 12 by Ann, of 3 + 3 + 1 + 2 + 4 + 1 seconds.
    assert scores.points[0].f1.value == pytest.approx(100 * 2 * 1 / 4)
    assert (scores.confusion, scores.missed, scores.false_alarm, scores.duration) == (3, 3, 0, 14)
    assert scores.median_delay == 0.0
    assert scores.eder.interval == "one dialogue, and an interval needs two or more: no interval"
    # At every turn with a known change (4, 7; 6): two of three. Neutral throughout misses 3 + 3 + 2 + 1 s.
    assert scores.baselines["a shift at every turn"]["f1_at_0.5"] == pytest.approx(100 * 2 * 2 / 5)
    assert scores.baselines["a shift at every turn"]["eder"] == scores.eder.value
    assert scores.baselines["neutral throughout"] == {
        "f1_at_0.5": 0.0,
        "f1_at_2": 0.0,
        "eder": pytest.approx(100 * 9 / 14),
    }


def test_the_order_of_the_rows_does_not_matter():
    turned = said_of_dialogue()
    order = np.random.default_rng(0).permutation(len(turned))
    mixed = judged(
        [turned.examples[i] for i in order],
        [EMOTIONS[turned.guess()[i]] for i in order],
        turned.shifted[order],
    )
    assert sorted(map(repr, calls_of(mixed))) == sorted(map(repr, calls_of(turned)))


def test_a_stretch_ends_where_the_speaker_goes_on_unjudged():
    # Ann's turns 2 (4 to 7 s) and 6 (10 to 12 s) got no answer; 5 (8 to 10 s) is judged and has no label.
    ann, ben = calls_of(where(said_of_dialogue(), np.array([0, 1, 3, 4, 5])))
    assert ann.true_course[:2] == ((1.0, 4.0, "anger"), (7.0, 8.0, "neutral"))
    assert ann.guessed_course == ((1.0, 4.0, "anger"), (7.0, 8.0, "neutral"), (8.0, 10.0, "fear"))
    assert ann.compared == ((1.0, 4.0), (7.0, 8.0))
    assert (ann.true_points, ann.guessed_points) == ((7.0,), (7.0,))
    # Without turn 2, Ben's words from 2 to 6 s are compared as before: they are not Ann's.
    assert ben.compared == ((2.0, 6.0), (6.0, 7.0))
    # 3 + 1 s of Ann's, all right, and 4 + 1 s of Ben's, of which he is missed from 6 to 7.
    scores = timeline_scores([ann, ben], of="calls")
    assert (scores.duration, scores.missed, scores.confusion) == (9, 1, 0)


def test_who_is_never_judged_makes_no_call():
    (ben,) = calls_of(where(said_of_dialogue(), np.array([1, 3])))
    assert (ben.name, ben.compared) == ("d, ben", ((2.0, 6.0), (6.0, 7.0)))


def test_who_judges_no_change_has_no_points_and_still_an_error_rate():
    said = said_of_dialogue()
    silent = replace(said, change=np.full(7, np.nan), shifted=np.zeros(7, bool))
    scores, spoken = dialogue_timeline(silent), dialogue_timeline(said)
    assert scores is not None and spoken is not None
    assert all((p.precision, p.recall, p.f1.value) == (None, None, None) for p in scores.points)
    assert (scores.true_points, scores.guessed_points, scores.median_delay) == (0, 0, None)
    assert scores.eder == spoken.eder and scores.eder.value is not None
    assert all(set(short) == {"eder"} for short in scores.baselines.values())
    # A turn whose change alone is not said counts on neither side: Ben's shift at 6 s.
    ann, ben = calls_of(replace(said, change=np.where(np.arange(7) == 3, np.nan, said.change)))
    assert (ann.true_points, ann.guessed_points) == ((7.0,), (4.0, 7.0))
    assert (ben.true_points, ben.guessed_points) == ((), ())


@pytest.mark.parametrize(
    "changed",
    [
        {"start": None, "end": None},  # every turn is a file of its own
        {"dialogue_id": None},
        {"speaker": None},
    ],
)
def test_turns_without_a_clock_make_no_call(changed):
    examples = [replace(example, **changed) for example in DIALOGUE]
    assert calls_of(said_of_dialogue(examples)) == []
    assert dialogue_timeline(said_of_dialogue(examples)) is None


def test_files_of_their_own_share_no_clock_even_with_times():
    examples = [replace(e, audio=Path(f"{e.speaker}{e.turn_index}.wav")) for e in DIALOGUE]
    assert calls_of(said_of_dialogue(examples)) == []
    words = [replace(e, audio=None) for e in DIALOGUE]  # times without sound are times of the call
    assert calls_of(said_of_dialogue(words)) == calls_of(said_of_dialogue())


def test_a_last_turn_of_unknown_end_ends_where_it_starts():
    examples = [*DIALOGUE[:-1], replace(DIALOGUE[-1], end=None)]
    ann, _ = calls_of(said_of_dialogue(examples))
    assert ann.duration == 10.0
    assert timeline_scores([ann], of="calls").duration == 7.0
