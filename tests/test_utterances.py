"""Cutting turns into utterances: nothing lost, nothing over the limits."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmser.types import Turn, Word
from mmser.utterances import Utterance, cut_turn


def _cut(turn: Turn, *, sound: bool = True, words: bool = True, max_tokens: int = 12) -> list[Utterance]:
    # One token a started group of four letters, plus the two special tokens.
    def count(text: str) -> int:
        return 2 + sum(-(-len(word) // 4) for word in text.split())

    return cut_turn(
        turn, count_tokens=count, max_seconds=20.0, max_tokens=max_tokens, sound=sound, words=words
    )


def _timed(count: int, *, step: float = 0.5, gap_after: int = -1) -> tuple[Word, ...]:
    """Words of 0.4 s every `step` seconds; the word `gap_after` ends 0.3 s early."""
    return tuple(
        Word(text=f"w{i}", start=i * step, end=i * step + (0.1 if i == gap_after else 0.4))
        for i in range(count)
    )


def test_short_turn_stays_whole_with_its_text_as_written():
    turn = Turn(id="t1", start=1.0, end=3.0, text="Hello,  there.")
    (one,) = _cut(turn)
    assert (one.start, one.end, one.text) == (1.0, 3.0, "Hello,  there.")
    assert one.weight == pytest.approx(2.0)
    assert one.confidence == ()


def test_long_turn_is_cut_in_the_widest_pause_in_reach():
    words = _timed(50, gap_after=23)  # 25 s: two windows, ideal cut at 12.5 s, pause from 11.6 to 12.0 s
    turn = Turn(id="t1", start=0.0, end=25.0, text=" ".join(w.text for w in words), words=words)
    first, second = _cut(turn, max_tokens=200)
    assert first.end == second.start == pytest.approx(11.8)
    assert first.text is not None and first.text.split()[-1] == "w23"
    assert second.text is not None and second.text.split()[0] == "w24"


def test_without_word_times_the_words_are_spread_over_the_windows_by_length():
    turn = Turn(id="t1", start=0.0, end=36.5, text=" ".join(["abcd"] * 30))
    pieces = _cut(turn, max_tokens=200)
    assert len(pieces) == 3
    assert [len((p.text or "").split()) for p in pieces] == [10, 10, 10]


def test_sound_alone_gives_windows_without_text():
    turn = Turn(id="t1", start=5.0, end=2405.0, text=None)
    pieces = _cut(turn)
    assert all(p.text is None for p in pieces)
    assert max(p.end - p.start for p in pieces) <= 20.0  # type: ignore[operator]
    assert pieces[0].start == 5.0 and pieces[-1].end == 2405.0


def test_words_alone_are_not_cut_by_seconds():
    turn = Turn(id="t1", start=0.0, end=300.0, text="yes it is")
    assert len(_cut(turn, sound=False)) == 1


def test_a_turn_without_times_is_cut_by_words_and_weighs_by_characters():
    turn = Turn(id="t1", start=None, end=None, text=" ".join(["abcd"] * 30))
    pieces = _cut(turn)
    assert len(pieces) > 1
    assert all(p.start is None and p.end is None for p in pieces)
    assert sum(len((p.text or "").split()) for p in pieces) == 30
    assert pieces[0].weight == len(pieces[0].text or "")


def test_one_endless_word_is_cut_into_parts_that_fit():
    pieces = _cut(Turn(id="t1", start=0.0, end=2.0, text="x" * 1000))
    assert "".join(p.text or "" for p in pieces) == "x" * 1000
    assert all(len(p.text or "") <= 40 for p in pieces)


def test_doubtful_words_keep_their_confidence_and_silent_ones_count_as_certain():
    words = (Word(text="so", confidence=0.25), Word(text="angry"))
    (one,) = _cut(Turn(id="t1", start=0.0, end=2.0, text="so angry", words=words))
    assert one.words == ("so", "angry")
    assert one.confidence == (0.25, 1.0)


def test_unwanted_words_are_left_out():
    (one,) = _cut(Turn(id="t1", start=0.0, end=2.0, text="bonjour"), words=False)
    assert one.text is None and one.words == ()


@settings(max_examples=60, deadline=None)
@given(
    duration=st.floats(0.01, 400.0),
    lengths=st.lists(st.integers(1, 30), max_size=120),
    timed=st.booleans(),
    shift=st.floats(-3.0, 3.0),
)
def test_every_word_and_every_second_survives(
    duration: float, lengths: list[int], timed: bool, shift: float
) -> None:
    texts = [chr(97 + i % 26) * length for i, length in enumerate(lengths)]
    share = duration / max(len(texts), 1)
    words = tuple(
        Word(text=text, start=i * share + shift, end=(i + 1) * share + shift) for i, text in enumerate(texts)
    )
    text = " ".join(texts) or None
    turn = Turn(id="t1", start=0.0, end=duration, text=text, words=words if timed else ())
    pieces = _cut(turn)
    assert "".join("".join((p.text or "").split()) for p in pieces) == "".join(texts)
    assert pieces[0].start == 0.0 and pieces[-1].end == duration
    for before, after in itertools.pairwise(pieces):
        assert before.end == after.start
    for piece in pieces:
        assert piece.start is not None and piece.end is not None
        assert 0.0 <= piece.end - piece.start <= 20.0 + 1e-9
