"""Chunks: all speech once, no longer than a window, cut at pauses, without the silence between."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmser.transcription.chunks import KEPT_PAUSE, PAD, WINDOW, Chunk, cut_chunks
from mmser.types import Word


def cut(*pairs: tuple[float, float], duration: float = 100.0) -> list[Chunk]:
    return cut_chunks({0: list(pairs)}, duration)


def test_a_short_pause_is_heard_as_it_is():
    (chunk,) = cut((1.0, 3.0), (3.5, 6.0))
    assert chunk.pieces == ((1.0 - PAD, 6.0 + PAD),)


def test_a_long_silence_is_left_out_and_the_window_is_filled():
    (chunk,) = cut((1.0, 3.0), (60.0, 62.0))
    assert chunk.pieces == ((0.8, 3.2), (59.8, 62.2))
    assert (chunk.start, chunk.end, chunk.length) == (0.8, 62.2, pytest.approx(4.8))


def test_a_chunk_is_cut_at_a_pause():
    found = cut((0.0, 12.0), (12.5, 25.0), (25.5, 37.0))
    assert [chunk.end for chunk in found] == [25.0 + PAD, 37.0 + PAD]


def test_speech_without_pause_is_cut_where_the_window_is_full_and_nothing_is_heard_twice():
    found = cut_chunks({1: [(10.0, 80.0)]}, 100.0)
    assert len(found) == 3 and {chunk.channel for chunk in found} == {1}
    assert all(chunk.length <= WINDOW for chunk in found)
    assert all(a.end == b.start for a, b in itertools.pairwise(found))


def test_nothing_is_read_outside_the_recording():
    (chunk,) = cut((0.0, 1.0), (99.0, 100.0))
    assert chunk.pieces == ((0.0, 1.2), (98.8, 100.0))
    (chunk,) = cut_chunks({0: [(5.0, 6.0)]}, 6.1, start=5.0)
    assert chunk.pieces == ((5.0, 6.1),)


def test_without_speech_there_are_no_chunks():
    assert cut_chunks({0: [], 1: []}, 60.0) == []


# --- clocks --------------------------------------------------------------------------------------


def test_what_is_heard_after_a_silence_that_was_left_out_gets_its_place_back():
    (chunk,) = cut((1.0, 3.0), (60.0, 62.0))  # heard: 0.8 to 3.2, then 59.8 to 62.2
    assert chunk.time(0.2) == pytest.approx(1.0)
    assert chunk.time(2.6) == pytest.approx(60.0)
    assert chunk.heard_speech() == [pytest.approx((0.2, 2.2)), pytest.approx((2.6, 4.6))]


def test_a_word_over_the_seam_lies_on_the_side_of_its_middle():
    (chunk,) = cut((1.0, 3.0), (60.0, 62.0))
    early = chunk.word(Word(text="parcel", start=2.0, end=2.5))
    assert (early.start, early.end) == (pytest.approx(2.8), pytest.approx(3.2))
    later = chunk.word(Word(text="is", start=2.3, end=3.0))
    assert (later.start, later.end) == (pytest.approx(59.8), pytest.approx(60.4))


def test_times_past_the_end_end_with_it():
    (chunk,) = cut((1.0, 3.0))
    assert chunk.span(2.0, 30.0) == (pytest.approx(2.8), pytest.approx(3.2))
    assert chunk.span(29.0, 30.0) == (pytest.approx(3.2), pytest.approx(3.2))


stretches = st.lists(
    st.tuples(st.floats(0.0, 20.0), st.floats(0.05, 70.0)), min_size=1, max_size=12
)  # silence before, length


@given(stretches, st.sampled_from([5.0, 30.0]))
def test_all_speech_is_in_exactly_one_chunk(lengths: list[tuple[float, float]], window: float):
    time, speech = 0.0, []
    for silence, length in lengths:
        time += silence + 0.35
        speech.append((time, time + length))
        time += length
    chunks = cut_chunks({0: speech}, time, window=window)
    inside = [part for chunk in chunks for part in chunk.speech]
    assert sum(end - start for start, end in inside) == pytest.approx(sum(e - s for s, e in speech))
    assert inside == sorted(inside)
    pieces = [piece for chunk in chunks for piece in chunk.pieces]
    assert all(a[1] <= b[0] + 1e-9 for a, b in itertools.pairwise(pieces))
    for chunk in chunks:
        assert 0 <= chunk.start < chunk.end <= time and chunk.length <= window + 1e-6
        heard = chunk.heard_speech()
        assert sum(e - s for s, e in heard) == pytest.approx(sum(e - s for s, e in chunk.speech))
        assert all(-1e-9 <= s < e <= chunk.length + 1e-6 for s, e in heard)
        for (start, end), (begin, stop) in zip(chunk.speech, heard, strict=True):
            assert chunk.time((begin + stop) / 2) == pytest.approx((start + end) / 2, abs=1e-6)
        gaps = [b[0] - a[1] for a, b in itertools.pairwise(chunk.pieces)]
        assert all(gap > KEPT_PAUSE for gap in gaps)
