import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmser.report.timing import find_interruptions, overlap_total, union
from mmser.types import Turn


def turn(number, start, end, role, **more):
    return Turn(id=f"t{number}", start=start, end=end, role=role, speaker=role, **more)


def found(*spans):
    turns = [turn(i, start, end, role) for i, (start, end, role) in enumerate(spans)]
    return [(one.turn_id, one.by, one.of, one.overlap) for one in find_interruptions(turns)]


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ((4.0, 6.0), 1.0),  # begins a second before the end and goes on
        ((4.7, 6.0), 0.3),  # the least overlap that counts
        ((4.8, 6.0), None),  # a near miss in taking turns
        ((1.0, 1.6), None),  # "mhm"
        ((1.0, 1.9), None),  # longer than a back-channel, but gives way within a second
        ((1.0, 2.0), 1.0),  # holds on for a second inside the other's turn
        ((4.5, 5.0), None),  # short and wholly inside
        ((5.0, 6.0), None),  # takes over exactly at the end
        ((0.0, 6.0), None),  # both begin at once
    ],
)
def test_what_counts_as_an_interruption(span, expected):
    wanted = [] if expected is None else [("t1", "customer", "agent", expected)]
    assert found((0.0, 5.0, "agent"), (*span, "customer")) == wanted


def test_a_speaker_who_goes_on_after_a_cut_in_does_not_interrupt_back():
    spans = ((0.0, 5.0, "agent"), (4.0, 8.0, "customer"), (5.1, 9.0, "agent"))
    assert found(*spans) == [("t1", "customer", "agent", 1.0)]


def test_system_voices_and_estimated_times_make_no_interruptions():
    assert found((0.0, 5.0, "system"), (4.0, 6.0, "customer")) == []
    turns = [turn(0, 0.0, 5.0, "agent"), turn(1, 4.0, 6.0, "customer", flags=("times_estimated",))]
    assert find_interruptions(turns) == ()


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 80), st.integers(0, 3)), min_size=1, max_size=30)
)
def test_talk_time_and_overlap_agree_with_counting_every_tick(spans):
    starts = np.array([s for s, _, _ in spans], np.int64)
    ends = starts + np.array([d for _, d, _ in spans], np.int64)
    speakers = np.array([k for _, _, k in spans], np.int64)
    active = np.zeros((4, 400), bool)
    for start, end, speaker in zip(starts, ends, speakers, strict=True):
        active[speaker, start:end] = True
    merged = union(starts, ends)
    assert merged.total() == active.any(0).sum()
    assert overlap_total(starts, ends, speakers) == (active.sum(0) >= 2).sum()
    silent = "".join("." if on else " " for on in active.any(0)[:400])
    assert merged.longest_gap(0, 400) == max(map(len, silent.split(".")))


@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.integers(1, 30), st.sampled_from(["agent", "customer", "unknown"])),
        max_size=12,
    )
)
def test_an_interruption_always_meets_its_rule(spans):
    turns = [turn(i, s / 10, (s + d) / 10, role) for i, (s, d, role) in enumerate(sorted(spans))]
    by_id = {one.id: one for one in turns}
    for one in find_interruptions(turns):
        mine = by_id[one.turn_id]
        others = [
            t for t in turns if t.role == one.of and t.start < mine.start and t.end - mine.start >= 0.299
        ]
        assert one.by != one.of
        assert others
        assert one.overlap >= 0.3
