"""Words and speech become turns."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmser.speech import Speech
from mmser.talks import MAX_TURN
from mmser.transcription.turns import Dropped, Party, build_turns, deal_to_speakers
from mmser.types import Turn, Word
from tests.transcription.scripted import phrase, words_at

PARTIES = (Party(channel=0, speaker="ch_0", role="agent"), Party(channel=1, speaker="ch_1", role="customer"))


def build(
    speech: dict[int, Speech],
    words: dict[int, list[Word]],
    dropped: dict[int, list[Dropped]] | None = None,
    language: str | None = "en",
) -> tuple[Turn, ...]:
    return build_turns(PARTIES, speech, words, dropped or {}, language)


def said(turns: tuple[Turn, ...]) -> list[tuple[str, float | None, float | None, str | None]]:
    return [(turn.role, turn.start, turn.end, turn.text) for turn in turns]


def spread(text: str, start: float, end: float) -> list[Word]:
    texts = text.split()
    step = (end - start) / len(texts)
    return words_at(*((start + i * step, word) for i, word in enumerate(texts)))


def test_sentences_are_joined_over_a_short_pause_and_parted_by_a_long_one_or_the_other_party():
    turns = build(
        {0: [(0.0, 2.0), (2.6, 4.0), (9.0, 10.0)], 1: [(4.5, 6.0)]},
        {
            0: [*spread("Good morning.", 0, 2), *spread("How are you?", 2.6, 4), *spread("I see.", 9, 10)],
            1: spread("My parcel is late.", 4.5, 6),
        },
    )
    assert said(turns) == [
        ("agent", 0.0, 4.0, "Good morning. How are you?"),
        ("customer", 4.5, 6.0, "My parcel is late."),
        ("agent", 9.0, 10.0, "I see."),
    ]
    assert [turn.id for turn in turns] == ["t1", "t2", "t3"]


def test_times_are_those_of_the_speech_not_of_the_words():
    (turn,) = build({0: [(1.0, 3.0)]}, {0: words_at((0.8, "late"), (2.9, "words"))})
    assert (turn.start, turn.end, turn.text) == (1.0, 3.0, "late words")
    assert [(word.start, word.end) for word in turn.words] == [(1.0, 1.1), (2.9, 3.0)]


def test_a_backchannel_is_a_turn_of_its_own_and_is_marked():
    turns = build(
        {0: [(0.0, 10.0)], 1: [(4.0, 4.5)]},
        {0: spread("a b c d e f", 0, 10), 1: words_at((4.1, "mhm"))},
    )
    assert said(turns) == [("agent", 0.0, 10.0, "a b c d e f"), ("customer", 4.0, 4.5, "mhm")]
    assert turns[1].flags == ("overlap", "backchannel")
    assert turns[0].flags == ("overlap",)


def test_many_words_in_a_moment_are_no_backchannel():
    turns = build({0: [(0.0, 10.0)], 1: [(4.0, 5.0)]}, {1: spread("no i never said so", 4, 5)})
    assert turns[1].flags == ("overlap",)


def test_speech_without_words_is_a_turn_without_words():
    (turn,) = build({1: [(1.0, 2.0)]}, {1: []})
    assert (turn.text, turn.words, turn.flags) == (None, (), ("nothing_recognised",))


def test_a_turn_says_why_its_words_were_dropped():
    dropped = {
        1: [Dropped(start=1.1, end=1.9, reason="stock phrase"), Dropped(start=5, end=6, reason="loop")]
    }
    turns = build({1: [(1.0, 2.0), (8.0, 9.0)]}, {}, dropped)
    assert [turn.flags for turn in turns] == [("words_dropped_stock_phrase",), ("nothing_recognised",)]


def test_a_long_talk_is_cut_where_a_sentence_ends():
    first = phrase(0, "so I called again and again.", 14)
    words = [*first.words, *phrase(14.2, "Nobody was there and so on", 40).words]
    turns = build({1: [(0.0, 40.0)]}, {1: words})
    assert turns[0].text == "so I called again and again."
    assert turns[1].text == "Nobody was there and so on"
    assert turns[0].start == 0.0 and turns[1].end == 40.0
    assert turns[0].end is not None and turns[1].start is not None and turns[0].end <= turns[1].start


def test_speech_between_the_words_of_a_long_talk_is_a_turn_without_words():
    speech = [(0.0, 28.0), (28.1, 56.0), (56.1, 84.0)]
    words = [*words_at((1.0, "hello"), (1.5, "you")), *words_at((80.0, "nobody"), (80.5, "calls."))]
    turns = build({1: speech}, {1: words}, {1: [Dropped(start=30.0, end=50.0, reason="loop")]})
    assert [turn.text for turn in turns if turn.text] == ["hello you", "nobody calls."]
    silent = [turn for turn in turns if turn.text is None]
    assert sum(t.end - t.start for t in turns) == pytest.approx(84.0, abs=1.0)  # type: ignore[operator]
    assert any("words_dropped_loop" in turn.flags for turn in silent)
    assert all(a.end <= b.start for a, b in itertools.pairwise(turns))  # type: ignore[operator]


def test_languages_without_spaces_are_joined_without_any():
    said_ = words_at((0, "もし"), (0.5, "もし"), (1, "iPhone"), (1.5, "Pro"), (1.9, "です"))
    (turn,) = build({1: [(0.0, 2.5)]}, {1: said_}, language="ja")
    assert turn.text == "もしもしiPhone Proです"


def test_words_that_are_heard_where_nobody_was_are_not_lost():
    (turn,) = build({1: []}, {1: words_at((1.0, "hello"), (1.5, "there"))})
    assert (turn.text, turn.start, turn.end) == ("hello there", 1.0, 1.8)


spans = st.lists(st.tuples(st.floats(0.05, 3.0), st.floats(0.1, 50.0)), min_size=1, max_size=12).map(
    lambda steps: [
        (at - steps[i][1], at)
        for i, at in enumerate(itertools.accumulate(pause + length for pause, length in steps))
    ]
)
times = st.lists(st.floats(0.0, 300.0), max_size=40).map(sorted)


@settings(deadline=None, max_examples=80)
@given(spans, spans, times, times)
def test_every_word_is_in_one_turn_in_order_and_every_second_of_speech_too(
    agent: Speech, customer: Speech, first: list[float], second: list[float]
):
    words = {
        0: words_at(*((time, f"a{i}.") for i, time in enumerate(first))),
        1: words_at(*((time, f"c{i}") for i, time in enumerate(second))),
    }
    speech = {0: agent, 1: customer}
    turns = build(speech, words)
    for channel, own in speech.items():
        mine = [turn for turn in turns if turn.channel == channel]
        assert [word.text for turn in mine for word in turn.words] == [w.text for w in words[channel]]
        assert all(turn.start <= turn.end for turn in mine)  # type: ignore[operator]
        assert all(a.end <= b.start for a, b in itertools.pairwise(mine))  # type: ignore[operator]
        assert (mine[0].start, mine[-1].end) == (own[0][0], own[-1][1])
        heard = sum(e - s for s, e in own)
        assert sum(t.end - t.start for t in mine) >= 0.9 * heard - 2.0 * len(mine)  # type: ignore[operator]
        long = [t for t in mine if t.end - t.start > MAX_TURN + 1e-6]  # type: ignore[operator]
        assert all(len(turn.words) <= 1 for turn in long)


def test_words_of_one_channel_are_dealt_by_who_speaks():
    spoken = {0: [(0.0, 5.0), (10.0, 12.0)], 1: [(5.2, 9.0)]}
    assert deal_to_speakers([(1, 2), (5.3, 5.6), (8.9, 9.5), (11, 11.2), (13, 14)], spoken) == [0, 1, 1, 0, 0]


def test_a_long_turn_keeps_its_words_however_often_the_other_says_mhm():
    spoken = {0: [(0.0, 300.0)], 1: [(9.0 * i, 9.0 * i + 0.5) for i in range(1, 31)]}
    assert deal_to_speakers([(250.0, 250.4), (289.0, 289.4)], spoken) == [0, 0]


@pytest.mark.parametrize(("before", "whose"), [((1.0, 1.2), 0), ((6.0, 6.2), 1)])
def test_where_two_speak_at_once_a_word_belongs_with_the_one_before(before: tuple[float, float], whose: int):
    spoken = (
        {0: [(0.0, 9.0)], 1: [(5.5, 9.0)]} if whose == 0 else {0: [(0.0, 5.0), (7.0, 9.0)], 1: [(5.5, 9.0)]}
    )
    assert deal_to_speakers([before, (7.5, 7.7)], spoken)[1] == whose
