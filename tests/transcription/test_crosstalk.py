"""What one party says and the other's channel holds too."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmser.transcription.crosstalk import decibels, find_leaks
from mmser.types import Word
from tests.transcription.scripted import words_at

SENTENCE = ((1.0, "my"), (1.3, "parcel"), (1.6, "is"), (1.9, "late"))


def levels(*by_channel: float) -> Callable[[float, float, int], float]:
    return lambda start, end, channel: by_channel[channel]


def late(by: float, pairs: tuple[tuple[float, str], ...] = SENTENCE) -> list[Word]:
    return words_at(*((time + by, text) for time, text in pairs))


def test_a_sentence_heard_on_both_channels_stays_on_the_louder_one():
    words = {0: late(0.0), 1: late(0.2)}
    assert find_leaks(words, levels(-20.0, -31.0)) == {0: set(), 1: {0, 1, 2, 3}}
    assert find_leaks(words, levels(-31.0, -20.0)) == {0: {0, 1, 2, 3}, 1: set()}


def test_case_and_punctuation_do_not_hide_a_leak():
    words = {0: late(0.0), 1: words_at((1.1, "My"), (1.4, "parcel,"), (1.7, "is"), (2.0, "late."))}
    assert find_leaks(words, levels(-20, -25))[1] == {0, 1, 2, 3}


def test_words_between_two_leaks_that_were_heard_otherwise_go_with_them():
    long = (*SENTENCE, (2.2, "again"), (2.5, "i"), (2.8, "want"), (3.1, "it"))
    heard = [*SENTENCE[:3], (1.9, "great"), *long[4:]]
    words = {0: words_at(*long), 1: words_at(*heard)}
    assert find_leaks(words, levels(-20, -30))[1] == set(range(8))


def test_what_the_party_says_after_a_leak_stays():
    words = {0: late(0.0), 1: [*late(0.1), *words_at((4.0, "yes"), (4.3, "it"), (4.6, "is"))]}
    assert find_leaks(words, levels(-20, -30))[1] == {0, 1, 2, 3}


def test_both_may_say_one_word_at_once():
    words = {0: words_at((1.0, "okay")), 1: words_at((1.1, "okay"))}
    assert find_leaks(words, levels(-20.0, -23.0)) == {0: set(), 1: set()}
    assert find_leaks(words, levels(-20.0, -30.0)) == {0: set(), 1: {0}}


def test_a_word_that_both_say_stays_in_a_sentence_of_the_partys_own():
    words = {0: words_at((1.0, "ten")), 1: words_at((1.2, "ten"), (1.6, "days"))}
    assert find_leaks(words, levels(-20.0, -40.0)) == {0: set(), 1: set()}


def test_two_people_who_say_the_same_at_one_level_both_stay():
    words = {0: late(0.0), 1: late(0.2)}
    assert find_leaks(words, levels(-20.0, -21.0)) == {0: set(), 1: set()}


def test_what_the_party_says_itself_between_two_leaks_stays():
    own = words_at((100.0, "absolutely"), (100.4, "not"))
    words = {0: [*late(0.0), *late(200.0)], 1: [*late(0.1), *own, *late(200.1)]}
    assert find_leaks(words, levels(-20, -30))[1] == {0, 1, 2, 3, 6, 7, 8, 9}


def test_a_loud_word_of_the_partys_own_amid_a_leak_stays():
    long = (*SENTENCE, (2.2, "again"), (2.5, "i"), (2.8, "want"), (3.1, "it"))
    words = {0: words_at(*long), 1: words_at(*long[:3], (1.9, "stop"), *long[4:])}

    def stops(start: float, end: float, channel: int) -> float:
        return -10.0 if channel == 1 and start == 1.9 else (-20.0, -30.0)[channel]

    assert find_leaks(words, stops)[1] == {0, 1, 2, 4, 5, 6, 7}


def test_a_word_said_over_and_over_by_both_is_not_lost_on_both_sides():
    both = [words_at(*((0.3 * i + shift, "no") for i in range(6))) for shift in (0.0, 0.1)]

    def crossing(start: float, end: float, channel: int) -> float:
        return -20.0 - (8.0 if (start < 1.0) == (channel == 0) else 0.0)

    leaks = find_leaks(dict(enumerate(both)), crossing)
    assert not leaks[0] or not leaks[1]


def test_ten_hours_of_talk_are_compared_in_a_moment():
    rng = random.Random(0)
    names = [f"w{i}" for i in range(50)]
    words = {
        channel: words_at(*((0.8 * i + 0.1 * channel, rng.choice(names)) for i in range(45_000)))
        for channel in (0, 1)
    }
    words[1][100:104] = words_at(*((0.8 * i + 0.1, words[0][i].text) for i in range(100, 104)))
    # It took a minute when every word was compared with every other.
    found = find_leaks(words, levels(-20.0, -30.0))
    assert found[0] == set() and {100, 101, 102, 103} <= found[1] and len(found[1]) < 50


def test_an_echo_a_second_later_is_an_answer():
    assert find_leaks({0: late(0.0), 1: late(1.0)}, levels(-20, -40)) == {0: set(), 1: set()}


def test_one_channel_has_nothing_to_leak_from():
    assert find_leaks({0: late(0.0)}, levels(-20.0)) == {0: set()}
    assert find_leaks({}, levels()) == {}


def test_each_channel_of_three_is_compared_with_each():
    words = {0: late(0.0), 1: late(5.0), 2: late(0.1)}
    assert find_leaks(words, levels(-20, -20, -30)) == {0: set(), 1: set(), 2: {0, 1, 2, 3}}


spoken = st.lists(
    st.tuples(st.floats(0.0, 20.0), st.sampled_from(["no", "yes", "my", "parcel", "…"])), max_size=20
).map(lambda pairs: words_at(*sorted(pairs)))


@settings(deadline=None, max_examples=80)
@given(spoken, spoken, st.floats(-60, 0), st.floats(-60, 0))
def test_the_louder_channel_loses_nothing(one: list[Word], other: list[Word], first: float, second: float):
    leaks = find_leaks({0: one, 1: other}, levels(first, second))
    assert leaks[0 if first >= second else 1] == set()
    assert not leaks[0] or not leaks[1]


def test_silence_has_a_level():
    assert decibels(0.0) == pytest.approx(-120.0)
    assert decibels(1.0) == 0.0
