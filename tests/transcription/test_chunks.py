"""Chunks: all speech once, no longer than a window, cut at pauses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmser.transcription.chunks import MAX_GAP, PAD, WINDOW, cut_chunks


def spans(*pairs: tuple[float, float]) -> list[tuple[float, float]]:
    return [(chunk.start, chunk.end) for chunk in cut_chunks({0: list(pairs)}, 100.0)]


def test_speech_is_put_together_over_short_silence():
    assert spans((1.0, 3.0), (4.0, 6.0)) == [(1.0 - PAD, 6.0 + PAD)]


def test_long_silence_is_not_heard():
    assert spans((1.0, 3.0), (3.1 + MAX_GAP, 9.0)) == [(0.8, 3.2), (pytest.approx(2.9 + MAX_GAP), 9.2)]


def test_a_chunk_is_cut_at_a_pause():
    found = spans((0.0, 12.0), (12.5, 25.0), (25.5, 37.0))
    assert [end for _, end in found] == [25.0 + PAD, 37.0 + PAD]


def test_speech_without_pause_is_cut_where_the_window_is_full():
    found = cut_chunks({1: [(10.0, 80.0)]}, 100.0)
    assert len(found) == 3 and {chunk.channel for chunk in found} == {1}
    assert all(chunk.end - chunk.start <= WINDOW for chunk in found)
    assert found[0].speech[0][1] == found[1].speech[0][0]


def test_nothing_is_read_outside_the_recording():
    assert spans((0.0, 1.0), (99.0, 100.0)) == [(0.0, 1.2), (98.8, 100.0)]
    (chunk,) = cut_chunks({0: [(5.0, 6.0)]}, 6.1, start=5.0)
    assert (chunk.start, chunk.end) == (5.0, 6.1)


def test_without_speech_there_are_no_chunks():
    assert cut_chunks({0: [], 1: []}, 60.0) == []


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
    for chunk in chunks:
        assert 0 <= chunk.start < chunk.end <= time and chunk.end - chunk.start <= window + 1e-6
        assert chunk.start <= chunk.speech[0][0] and chunk.speech[-1][1] <= chunk.end + 1e-9
