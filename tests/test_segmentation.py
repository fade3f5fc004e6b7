"""Turns from speech, and places for words without times."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmser.audio import open_recording
from mmser.segmentation import place_turns, turns_from_speech
from mmser.speech import find_all_speech, merge_speech
from mmser.types import Transcript, Turn

SAMPLE = Path(__file__).parents[1] / "mmser" / "assets" / "sample" / "call.wav"


def transcript(*turns: Turn) -> Transcript:
    return Transcript(turns=turns, format="text", times="none")


def untimed(number: int, text: str | None, channel: int | None = None) -> Turn:
    return Turn(id=f"t{number}", start=None, end=None, text=text, channel=channel)


# --- turns from speech ---------------------------------------------------------------------------


def spans(turns: tuple[Turn, ...], channel: int) -> list[tuple[float | None, float | None]]:
    return [(turn.start, turn.end) for turn in turns if turn.channel == channel]


def test_short_pauses_are_joined_and_long_ones_split() -> None:
    speech = {0: [(0.0, 1.0), (1.8, 3.0), (4.2, 5.0)], 1: []}
    turns = turns_from_speech(speech, {0: "agent"})
    assert spans(turns, 0) == [(0.0, 3.0), (4.2, 5.0)]


def test_a_turn_ends_where_another_takes_the_floor_but_not_at_a_murmur() -> None:
    murmur = turns_from_speech({0: [(0.0, 2.0), (2.8, 4.0)], 1: [(2.1, 2.5)]}, {})
    assert spans(murmur, 0) == [(0.0, 4.0)]
    floor = turns_from_speech({0: [(0.0, 2.0), (2.8, 4.0)], 1: [(1.9, 4.9)]}, {})
    assert spans(floor, 0) == [(0.0, 2.0), (2.8, 4.0)]


def test_turns_carry_channel_role_and_overlap_in_order_of_start() -> None:
    speech = {1: [(3.0, 5.0), (9.0, 10.0)], 0: [(0.0, 4.0)]}
    turns = turns_from_speech(speech, {0: "agent", 1: "customer"})
    assert [(t.id, t.channel, t.speaker, t.role, t.flags) for t in turns] == [
        ("t1", 0, "ch_0", "agent", ("overlap",)),
        ("t2", 1, "ch_1", "customer", ("overlap",)),
        ("t3", 1, "ch_1", "customer", ()),
    ]
    assert all(turn.text is None and turn.words == () for turn in turns)


def test_a_channel_without_a_role_is_unknown() -> None:
    assert turns_from_speech({0: [(0.0, 1.0)]}, {})[0].role == "unknown"


# --- placing -------------------------------------------------------------------------------------


def test_turns_are_placed_over_speech_by_characters() -> None:
    placed = place_turns(
        transcript(untimed(1, "x" * 10), untimed(2, "x" * 30)), [(1.0, 2.0), (5.0, 8.0)], duration=10.0
    )
    assert [(t.start, t.end) for t in placed.turns] == [pytest.approx((1.0, 2.0)), pytest.approx((5.0, 8.0))]
    assert placed.times == "estimated"
    assert all(turn.flags == ("times_estimated",) for turn in placed.turns)


def test_each_turn_is_placed_over_its_own_channel() -> None:
    speech = {0: [(0.0, 2.0), (6.0, 8.0)], 1: [(3.0, 5.0), (8.5, 9.5)]}
    placed = place_turns(
        transcript(untimed(1, "xx", 0), untimed(2, "xx", 1), untimed(3, "xx", 0), untimed(4, "x", 1)),
        speech,
        duration=10.0,
    )
    expected = [(0.0, 2.0), (3.0, 5.0), (6.0, 8.0), (8.5, 9.5)]
    assert [(t.start, t.end) for t in placed.turns] == [pytest.approx(span) for span in expected]


def test_times_that_are_given_stay_and_bound_the_rest() -> None:
    timed = Turn(id="t2", start=4.0, end=5.0, text="x")
    placed = place_turns(transcript(untimed(1, "x"), timed, untimed(3, "x")), [(0.0, 10.0)], duration=10.0)
    assert placed.turns[1] == timed
    assert (placed.turns[0].start, placed.turns[0].end) == pytest.approx((0.0, 4.0))
    assert (placed.turns[2].start, placed.turns[2].end) == pytest.approx((5.0, 10.0))


def test_a_transcript_with_all_times_is_left_alone() -> None:
    given_times = replace(transcript(Turn(id="t1", start=0.0, end=1.0, text="x")), times="given")
    assert place_turns(given_times, [(0.0, 10.0)], duration=10.0) is given_times


def test_without_speech_turns_are_spread_over_the_clock() -> None:
    placed = place_turns(transcript(untimed(1, "x"), untimed(2, None)), {0: [], 1: []}, duration=8.0)
    assert [(t.start, t.end) for t in placed.turns] == [pytest.approx((0, 4)), pytest.approx((4, 8))]


stretches = st.lists(st.tuples(st.floats(0, 60), st.floats(0.05, 5)), max_size=12).map(
    lambda found: merge_speech((s, s + length) for s, length in found)
)
turn_lists = st.lists(
    st.tuples(st.integers(0, 300), st.sampled_from([None, 0, 1])), min_size=1, max_size=40
).map(lambda rows: [untimed(i, "x" * n or None, channel) for i, (n, channel) in enumerate(rows, 1)])


@given(turns=turn_lists, left=stretches, right=stretches)
@settings(max_examples=200, deadline=None)
def test_placed_turns_keep_their_order_stay_within_speech_and_have_length(
    turns: list[Turn], left: list[tuple[float, float]], right: list[tuple[float, float]]
) -> None:
    placed = place_turns(transcript(*turns), {0: left, 1: right}, duration=70.0).turns
    starts = [turn.start for turn in placed]
    everyone = merge_speech([*left, *right]) or [(0.0, 70.0)]
    assert starts == sorted(starts)
    for channel in (None, 0, 1):
        for now, after in itertools.pairwise(turn for turn in placed if turn.channel == channel):
            assert now.end is not None and after.start is not None and now.start is not None
            assert now.end <= after.start or now.start == after.start
    for turn in placed:
        assert turn.start is not None and turn.end is not None and turn.end > turn.start
        assert turn.start >= 0.0 and turn.end <= 70.0 + 1e-6
        if left or right:
            assert everyone[0][0] - 1e-6 <= turn.start and turn.end <= everyone[-1][1] + 1e-6
            assert any(s - 1e-6 <= turn.start <= e + 1e-6 for s, e in everyone)


def test_many_turns_in_little_time_are_placed_quickly_and_in_order() -> None:
    turns = [untimed(i, "word", i % 2) for i in range(20_000)]
    placed = place_turns(transcript(*turns), {0: [(0.0, 1.0)], 1: [(0.5, 2.0)]}, duration=2.0).turns
    starts = [turn.start for turn in placed]
    assert starts == sorted(starts)
    assert all(t.end > t.start for t in placed if t.start is not None and t.end is not None)


def test_estimated_times_are_near_the_true_ones_on_the_sample_call() -> None:
    import webvtt

    cues = list(webvtt.read(SAMPLE.with_suffix(".vtt")))
    channel_of = {"Agent": 0, "Customer": 1}
    turns = [untimed(i, cue.text, channel_of[cue.voice]) for i, cue in enumerate(cues, 1)]
    with open_recording(SAMPLE) as source:
        placed = place_turns(transcript(*turns), find_all_speech(source).stretches, source.duration).turns
    errors = [
        abs(turn.start - cue.start_in_seconds)
        for turn, cue in zip(placed, cues, strict=True)
        if turn.start is not None
    ]
    assert len(errors) == len(cues) and np.median(errors) < 1.5 and max(errors) < 5
