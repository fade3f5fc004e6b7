"""What each party says without a long pause."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmser.speech import Speech
from mmser.talks import MAX_TURN, Talk, best_cut, find_talks, shortened

AGENT, CUSTOMER = 0, 1


def talks(agent: Speech, customer: Speech) -> tuple[list[Talk], list[Talk]]:
    found = find_talks({AGENT: agent, CUSTOMER: customer})
    return [t for t in found if t.party == AGENT], [t for t in found if t.party == CUSTOMER]


def spans(found: list[Talk]) -> list[tuple[float, float, bool]]:
    return [(talk.start, talk.end, talk.backchannel) for talk in found]


def test_a_short_word_while_the_other_goes_on_is_a_backchannel():
    _, customer = talks([(0.0, 10.0)], [(4.0, 4.4)])
    assert spans(customer) == [(4.0, 4.4, True)]


@pytest.mark.parametrize(
    "word",
    [
        pytest.param((4.0, 5.5), id="too long"),
        pytest.param((9.9, 10.4), id="the other ends"),
        pytest.param((10.5, 10.9), id="an answer"),
        pytest.param((0.1, 0.5), id="the other has only begun"),
    ],
)
def test_what_is_long_or_is_said_where_the_other_ends_is_none(word: tuple[float, float]):
    _, customer = talks([(0.0, 10.0)], [word])
    assert spans(customer) == [(*word, False)]


def test_a_backchannel_is_kept_apart_from_what_follows_once_the_other_has_ended():
    _, customer = talks([(0.0, 10.0)], [(9.2, 9.6), (10.3, 14.0)])
    assert spans(customer) == [(9.2, 9.6, True), (10.3, 14.0, False)]


def test_a_backchannel_is_kept_apart_from_what_was_said_before_the_other_began():
    _, customer = talks([(4.1, 10.0)], [(0.0, 4.0), (4.5, 4.9)])
    assert spans(customer) == [(0.0, 4.0, False), (4.5, 4.9, True)]


def test_who_interrupts_at_length_gives_no_backchannel():
    _, customer = talks([(0.0, 10.0)], [(4.0, 6.0), (6.1, 8.0)])
    assert not any(talk.backchannel for talk in customer)


def test_the_others_pauses_for_breath_do_not_end_the_floor():
    _, customer = talks([(0.0, 4.0), (4.6, 9.0)], [(4.1, 4.5)])
    assert spans(customer) == [(4.1, 4.5, True)]


def test_overlap_marks_the_part_of_a_talk_that_has_it():
    agent, _ = talks([(0.0, 10.0), (10.5, 20.0)], [(12.0, 16.0)])
    assert len(agent) == 1
    assert agent[0].flags(0.0, 10.0) == ()
    assert agent[0].flags(10.5, 20.0) == ("overlap",)


def test_a_long_floor_is_seen_however_often_it_was_answered():
    murmurs = [(9.0 * i, 9.0 * i + 0.4) for i in range(1, 31)]
    _, customer = talks([(0.0, 300.0)], murmurs)
    assert all(talk.backchannel for talk in customer) and len(customer) == 30


# --- length --------------------------------------------------------------------------------------


def test_a_long_talk_is_cut_at_its_widest_pause_not_at_one_near_its_end():
    parts = [(0.0, 1.0), (1.9, 14.0), (14.6, 25.0), (25.3, 38.0)]
    assert shortened(parts) == [parts[:2], parts[2:]]


stretches = st.lists(st.tuples(st.floats(0.05, 1.0), st.floats(0.1, 40.0)), min_size=1, max_size=40).map(
    lambda steps: [
        (at - length, at)
        for at, (_, length) in zip(
            itertools.accumulate(pause + length for pause, length in steps), steps, strict=True
        )
    ]
)


@settings(deadline=None, max_examples=60)
@given(agent=stretches, customer=stretches)
def test_every_stretch_is_in_one_talk_and_one_piece(agent: Speech, customer: Speech):
    found = find_talks({AGENT: agent, CUSTOMER: customer})
    for line, given_stretches in ((AGENT, agent), (CUSTOMER, customer)):
        own = [talk for talk in found if talk.party == line]
        assert [part for talk in own for part in talk.parts] == given_stretches
        for talk in own:
            pieces = shortened(talk.parts)
            assert [part for piece in pieces for part in piece] == list(talk.parts)
            assert all(len(p) == 1 or p[-1][1] - p[0][0] <= MAX_TURN for p in pieces)


def test_the_end_of_a_sentence_outweighs_a_little_more_silence():
    places = [(14.0, 14.2, 0.5), (16.0, 16.4, 0.0)]
    assert best_cut(places, 0.0, 32.0) == 0
