"""Spliced calls: only the voice tells where the emotion changes."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from mmser.data import Example
from mmser.data.speech import ravdess_examples
from mmser.errors import DataError
from mmser.evaluation.splices import (
    FADE,
    LEVEL,
    join,
    match_level,
    run_lengths,
    speech_frames,
    splice_calls,
    trim_silence,
)
from tests.evaluation.hummed_clips import RATE, hum, hummed_clips, silence


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    return hummed_clips(tmp_path_factory.mktemp("clips"))


def test_the_same_seed_gives_the_same_calls_whoever_else_is_there(clips):
    first = list(splice_calls(clips, calls_per_speaker=3, seed=4))
    alone = list(splice_calls([c for c in clips if c.speaker == "b"], calls_per_speaker=3, seed=4))
    assert len(first) == 6
    for one, other in zip(first[3:], alone, strict=True):
        assert one.clips == other.clips and np.array_equal(one.waveform, other.waveform)
    assert first[0].clips != next(splice_calls(clips, calls_per_speaker=1, seed=5)).clips


def test_calls_are_of_one_speaker_and_no_clip_comes_twice(clips):
    for call in splice_calls(clips, calls_per_speaker=5):
        assert len(set(call.clips)) == len(call.clips) == len(call.emotions) == len(call.edges) - 1
        assert 5 <= len(call.clips) <= 9
        assert all(Path(clip).stem.startswith(f"{call.speaker}-") for clip in call.clips)
        assert [Path(clip).stem.split("-")[1] for clip in call.clips] == list(call.emotions)


def test_at_least_half_of_the_splices_keep_the_emotion(clips):
    for call in splice_calls(clips, calls_per_speaker=10):
        assert 1 <= len(call.changes) <= len(call.splices) / 2
        before_and_after = zip(call.splices, itertools.pairwise(call.emotions), strict=True)
        assert call.changes == tuple(time for time, (a, b) in before_and_after if a != b)


@given(segments=st.integers(3, 20), seed=st.integers(0, 1000), kept=st.sampled_from([0.5, 0.6, 0.9]))
def test_runs_fill_a_call_and_keep_their_share(segments, seed, kept):
    lengths = run_lengths(segments, np.random.default_rng(seed), kept)
    assert sum(lengths) == segments and min(lengths) >= 1
    assert segments - len(lengths) >= kept * (segments - 1)


def test_neither_pauses_nor_levels_betray_a_splice(clips):
    for call in splice_calls(clips, calls_per_speaker=3):
        frames = speech_frames(call.waveform)
        assert frames.mean() > 0.97  # the made voices know no pause
        for start, end in itertools.pairwise(call.edges):
            inside = call.waveform[int((start + FADE) * RATE) : int((end - FADE) * RATE)]
            assert np.sqrt(np.mean(np.square(inside))) == pytest.approx(LEVEL, rel=0.02)


def test_the_level_is_taken_over_speech_and_not_over_pauses():
    paused = np.concatenate([hum(0.5), silence(3.0), hum(0.5)])
    levelled = match_level(paused)
    assert np.sqrt(np.mean(np.square(levelled[:4000]))) == pytest.approx(LEVEL, rel=0.03)
    assert len(trim_silence(np.concatenate([silence(1.0), paused, silence(1.0)]))) == pytest.approx(
        len(paused), abs=0.03 * RATE
    )


def test_silence_has_no_speech_and_is_not_raised():
    assert len(trim_silence(np.zeros(RATE, np.float32))) == 0
    assert not match_level(np.zeros(RATE, np.float32)).any()
    assert not speech_frames(np.zeros(10, np.float32)).any()


@given(lengths=st.lists(st.integers(1000, 5000), min_size=1, max_size=6))
def test_joining_overlaps_each_clip_with_the_next_by_one_fade(lengths):
    pieces = [hum(n / RATE) for n in lengths]
    joined, edges = join(pieces)
    overlap = round(FADE * RATE)
    assert len(joined) == sum(lengths) - overlap * (len(lengths) - 1)
    assert len(edges) == len(lengths) + 1 and list(edges) == sorted(edges)
    assert edges[0] == 0.0 and edges[-1] == len(joined) / RATE
    assert np.abs(joined).max() <= 1.0


def test_a_fade_is_of_equal_power_and_loud_clips_do_not_clip():
    noise = np.random.default_rng(1).standard_normal((2, RATE)).astype(np.float32) * 0.1
    joined, (_, middle, _) = join(list(noise), fade=0.05)
    around = joined[int((middle - 0.02) * RATE) : int((middle + 0.02) * RATE)]
    assert np.std(around) == pytest.approx(0.1, rel=0.1)
    assert np.abs(join([hum(1.0, level=3.0)])[0]).max() == pytest.approx(1.0)
    with pytest.raises(ValueError, match="shorter than"):
        join([hum(0.01), hum(1.0)])


def test_parts_of_one_recording_are_clips_like_files_of_their_own(clips, tmp_path):
    own = [c for c in clips if c.speaker == "a"]
    sounds = [soundfile.read(c.audio, dtype="float32")[0] for c in own]
    soundfile.write(tmp_path / "whole.wav", np.concatenate(sounds), RATE)
    ends = np.cumsum([len(sound) for sound in sounds]) / RATE
    parts = [
        replace(clip, audio=tmp_path / "whole.wav", start=end - len(sound) / RATE, end=end)
        for clip, sound, end in zip(own, sounds, ends.tolist(), strict=True)
    ]
    call, same = (next(splice_calls(rows, calls_per_speaker=1)) for rows in (own, parts))
    assert call.emotions == same.emotions and call.edges == same.edges
    assert np.allclose(call.waveform, same.waveform, atol=1e-4)


def test_a_speaker_without_enough_clips_is_named(clips):
    few = [c for c in clips if c.speaker == "a" and c.emotions == ("anger",)]
    with pytest.raises(DataError, match="speaker a, who has 6 anger; give more clips"):
        list(splice_calls(few, calls_per_speaker=1))


@pytest.mark.data
def test_calls_of_a_real_actor_sound_on_through_their_splices(data_dir: Path):
    actors = ravdess_examples(data_dir / "corpora" / "ravdess", {"validation": ["01"]}, partial=True)
    own = [example for example in actors if example.split == "validation"]
    for call in splice_calls(own, calls_per_speaker=2):
        assert call.waveform.dtype == np.float32 and np.abs(call.waveform).max() <= 1.0
        assert call.duration == pytest.approx(len(call.waveform) / RATE)
        level = 20 * np.log10(np.sqrt(np.mean(np.square(call.waveform))))
        for time in call.splices:
            near = call.waveform[int((time - 0.15) * RATE) : int((time + 0.15) * RATE)]
            assert 20 * np.log10(np.sqrt(np.mean(np.square(near)))) > level - 40  # no gap at the splice
