"""Words from tokens: where they part, when they begin."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmser.transcription.spoken import Aligned, Phrase, first_frames, spoken_words


def words_of(
    pieces: Sequence[str],
    times: Sequence[float] | None = None,
    unspaced: bool = False,
    probabilities: Sequence[float] | None = None,
    length: float = 30.0,
):
    """Return the words of a phrase whose tokens read as these pieces."""
    tokens = tuple(range(len(pieces)))
    phrase = Phrase(start=0.0, end=length, tokens=tokens)
    likely = tuple(probabilities or [0.5] * len(pieces))
    aligned = Aligned(probabilities=likely, times=None if times is None else tuple(times))
    ((_, _, words),) = spoken_words(
        [phrase], aligned, lambda some: "".join(pieces[i] for i in some), unspaced=unspaced, length=length
    )
    return words


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ([" My", " par", "cel", ","], ["My", "parcel,"]),
        ([" don", "'", "t", " e", "-", "mail", " 50", "%", "."], ["don't", "e-mail", "50%."]),
        ([" $", "25", "."], ["$25."]),
        ([" (", "so", ")", ' "', "he", "y", '"', "!"], ["(so)", '"hey"!']),
        ([" -", " Yes", "."], ["- Yes."]),
        ([" well", " ...", " no"], ["well ...", "no"]),
        ([" A", " &", " B"], ["A", "&", "B"]),
        (["...", " and"], ["...", "and"]),
        ([" "], []),
        ([], []),
    ],
)
def test_blanks_part_words_and_punctuation_belongs_to_one(pieces: list[str], words: list[str]):
    assert [word.text for word in words_of(pieces)] == words


def test_without_blanks_each_character_is_a_word():
    pieces = ["荷", "物", "です", "。", "「", "は", "い", "」", "。"]
    assert [w.text for w in words_of(pieces, unspaced=True)] == ["荷", "物", "です。", "「は", "い」。"]


def test_characters_of_several_tokens_are_not_torn():
    data = " Где 荷 €".encode()

    def read(tokens: Sequence[int]) -> str:
        return bytes(tokens).decode("utf-8", "replace")

    phrase = Phrase(start=0.0, end=1.0, tokens=tuple(data))
    aligned = Aligned(probabilities=(0.5,) * len(data), times=None)
    ((_, _, words),) = spoken_words([phrase], aligned, read, unspaced=False, length=1.0)
    assert [word.text for word in words] == ["Где", "荷", "€"]


@given(st.binary(max_size=30), st.booleans())
@settings(max_examples=80, deadline=None)
def test_no_token_is_lost_whatever_it_is(data: bytes, unspaced: bool):
    phrase = Phrase(start=0.0, end=1.0, tokens=tuple(data))
    aligned = Aligned(
        probabilities=(0.5,) * len(data), times=tuple(np.linspace(0.0, 1.0, len(data) + 1).tolist())
    )
    ((start, end, words),) = spoken_words(
        [phrase],
        aligned,
        lambda some: bytes(some).decode("utf-8", "replace"),
        unspaced=unspaced,
        length=1.0,
    )
    assert 0 <= start <= end <= 1
    kept = "".join(word.text for word in words).split()
    if "\ufffd" not in data.decode("utf-8", "replace"):
        assert "".join(kept) == "".join(data.decode("utf-8").split())
    for word in words:
        assert word.start is not None and word.end is not None and 0 <= word.start <= word.end <= 1


def test_punctuation_lends_a_word_neither_its_time_nor_its_surety():
    (first, second) = words_of([" yes", ",", " no"], [0.0, 0.5, 2.0, 2.5], probabilities=[0.9, 0.1, 0.8])
    assert (first.start, first.end, first.confidence) == (0.0, 0.5, pytest.approx(0.9))
    assert (second.start, second.end, second.confidence) == (2.0, 2.5, pytest.approx(0.8))


def test_silence_before_a_sentence_is_not_its_first_words():
    words = words_of([" Hm", ".", " I", " do", " so"], [0.0, 0.3, 0.4, 4.0, 4.3, 4.6])
    assert [(word.start, word.end) for word in words] == [(0.0, 0.3), (3.4, 4.0), (4.0, 4.3), (4.3, 4.6)]


def test_tokens_of_several_phrases_are_counted_on():
    phrases = [Phrase(start=0.0, end=1.0, tokens=(0, 1)), Phrase(start=2.0, end=3.0, tokens=(2,))]
    pieces = [" a", " b", " c"]
    aligned = Aligned(probabilities=(0.1, 0.2, 0.3), times=(0.2, 0.5, 0.8, 2.4))
    found = spoken_words(
        phrases, aligned, lambda some: "".join(pieces[i] for i in some), unspaced=False, length=5.0
    )
    assert [[word.text for word in words] for _, _, words in found] == [["a", "b"], ["c"]]
    assert found[1][2][0].confidence == pytest.approx(0.3)
    assert found[0][:2] == (pytest.approx(0.2), pytest.approx(0.8))


def plainly(cost: np.ndarray) -> list[int]:
    """Dynamic time warping as openai-whisper writes it, cell by cell."""
    tokens, frames = cost.shape
    total = np.full((tokens + 1, frames + 1), np.inf)
    total[0, 0] = 0
    for i in range(1, tokens + 1):
        for j in range(1, frames + 1):
            total[i, j] = cost[i - 1, j - 1] + min(total[i - 1, j - 1], total[i - 1, j], total[i, j - 1])
    begins, i, j = [0] * tokens, tokens, frames
    while i > 0 and j > 0:
        begins[i - 1] = j - 1
        steps = {(i - 1, j - 1): 0, (i - 1, j): 1, (i, j - 1): 2}
        i, j = min(steps, key=lambda place: total[place])
    return begins


@given(st.integers(1, 6), st.integers(1, 9), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_tokens_begin_where_warping_puts_them(tokens: int, frames: int, seed: int):
    cost = np.random.default_rng(seed).standard_normal((tokens, frames))
    found = first_frames(cost)
    assert found.tolist() == plainly(cost)
    assert found[0] == 0 and (np.diff(found) >= 0).all()


def test_a_flat_cost_puts_tokens_somewhere():
    for shape in ((3, 5), (5, 3), (1, 1), (4, 1), (1, 4)):
        found = first_frames(np.zeros(shape))
        assert found.shape == shape[:1] and (found >= 0).all() and (found < shape[1]).all()
