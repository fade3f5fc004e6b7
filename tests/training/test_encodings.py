"""What the frozen encoders make of clips and texts, and the losses' temperatures."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from mmser.audio import open_recording
from mmser.data.waveforms import read_clip, read_part, read_span
from mmser.errors import MmserError
from mmser.model import MmserProcessor
from mmser.model.acoustics_mmser import NUM_FUNCTIONALS, Acoustics
from mmser.training.acoustic_cache import SPEEDS, cache_acoustics, gain_response
from mmser.training.calibration import fit_temperature
from mmser.training.encodings import corrupt, encode_texts
from tests.model_fixtures import tiny_model, tiny_tokenizer
from tests.training.made_clips import example


def test_corrupted_words_are_the_doubtful_ones():
    rng = np.random.default_rng(3)
    pairs = [corrupt(["word"] * 50, ["other"], rng) for _ in range(20)]
    heard, sure = [h for p in pairs for h in p[0]], [c for p in pairs for c in p[1]]
    wrong = [c for h, c in zip(heard, sure, strict=True) if h == "other"]
    right = [c for h, c in zip(heard, sure, strict=True) if h == "word"]
    assert wrong and right
    assert np.mean(wrong) < 0.4 < 0.7 < np.mean(right)


@pytest.mark.parametrize("text", ["!" * 200, "很" * 180, "https://a.b/" + "abc?" * 80, "?" * 126 + " so"])
def test_texts_of_one_long_word_are_encoded_even_among_corrupted_ones(text: str):
    """A long word may also be swapped into a text that was short."""
    model, processor = tiny_model(), MmserProcessor(tiny_tokenizer())
    rows = [example("anger", text=said) for said in (text, "i am so late " * 9)]
    for corrupted in (0.0, 1.0):
        found = encode_texts(model, processor, rows, corrupted=corrupted, seed=1)
        assert all(0 < len(words.tokens) <= processor.max_text_tokens for words in found)


def test_gain_moves_levels_and_nothing_else():
    acoustics = Acoustics()
    response = gain_response(tiny_model().audio)
    wave = torch.randn(1, 16_000, generator=torch.Generator().manual_seed(5)) * 0.03
    length = torch.tensor([16_000])
    quiet = acoustics.functionals(wave, length, acoustics.log_mel(wave, length))
    loud = acoustics.functionals(wave * math.e, length, acoustics.log_mel(wave * math.e, length))
    assert 0 < (response != 0).sum() < NUM_FUNCTIONALS / 2
    assert torch.allclose(loud - quiet, 2 * response[None], atol=0.05)


def test_temperature_restores_a_scaled_distribution():
    torch.manual_seed(0)
    logits = torch.randn(4000, 7)
    truth = torch.eye(7)[torch.multinomial(logits.softmax(-1), 1).squeeze(1)]
    assert fit_temperature(logits * 3, truth) == pytest.approx(3, rel=0.1)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two channels at 8 kHz: noise left, silence and then noise right."""
    sound = np.random.default_rng(0).standard_normal((8000, 2)) * 0.1
    sound[:4000, 1] = 0.0
    soundfile.write(tmp_path / "call.wav", sound, 8000)
    return tmp_path / "call.wav"


def test_a_part_of_a_recording_is_what_is_read(recording: Path):
    assert np.array_equal(read_part(example("anger", audio=recording)), read_clip(recording))
    part = read_part(example("anger", audio=recording, start=0.5, end=0.75, channel=1))
    assert len(part) == 4000 and np.abs(part).max() > 0.1
    quiet = read_part(example("anger", audio=recording, end=0.25, channel=1))
    assert len(quiet) == 4000 and np.abs(quiet).max() < 1e-3
    with pytest.raises(MmserError, match="from 2 s on lasts no time"):
        read_part(example("anger", audio=recording, start=2.0))


def test_a_span_ends_where_it_is_told_or_the_recording_or_the_limit_does(recording: Path):
    with open_recording(recording) as source:  # 1 s
        left, right = (read_span(source, None, None, channel, None) for channel in (0, 1))
        assert np.array_equal(read_span(source, None, None, None, None), np.mean([left, right], 0))
        assert np.array_equal(read_span(source, 0.25, 9.0, 0, None), source.read(0.25, 1.0, 0))
        assert np.array_equal(read_span(source, 0.25, None, 0, 0.5), source.read(0.25, 0.75, 0))
        assert np.array_equal(read_span(source, 0.25, 0.5, 0, 0.5), source.read(0.25, 0.5, 0))
        assert [len(read_span(source, *part, None, None)) for part in ((2.0, None), (0.5, 0.0))] == [0, 0]
        with pytest.raises(MmserError, match="channel 2 does not exist"):
            read_span(source, None, None, 2, None)


def test_acoustics_are_computed_once_and_anew_for_other_parts(recording: Path, tmp_path: Path):
    branch = tiny_model().audio
    rows = [
        example("anger", audio=recording, start=0.5),
        example("fear", split="validation", audio=recording),
    ]
    clips = cache_acoustics(rows, tmp_path / "cache.pt", branch)
    assert [len(clip.clean) for clip in clips] == [len(SPEEDS), 1]
    assert len(clips[0].rendering(speed=SPEEDS[0]).log_mel) > len(clips[0].rendering().log_mel)
    assert not torch.equal(clips[0].rendering(phone=True).log_mel, clips[0].rendering().log_mel)
    stamp = (tmp_path / "cache.pt").stat().st_mtime_ns
    again = cache_acoustics(rows, tmp_path / "cache.pt", branch)
    assert (tmp_path / "cache.pt").stat().st_mtime_ns == stamp
    assert torch.equal(again[0].clean[2].log_mel, clips[0].clean[2].log_mel)
    other = replace(rows[0], start=None, end=0.5)
    assert len(cache_acoustics([other, rows[1]], tmp_path / "cache.pt", branch)[0].rendering().log_mel) > 0
    assert (tmp_path / "cache.pt").stat().st_mtime_ns != stamp  # as many numbers, another part
    rows[0] = example("anger", audio=recording, start=0.25)
    assert len(cache_acoustics(rows, tmp_path / "cache.pt", branch)[0].rendering().log_mel) > len(
        clips[0].rendering().log_mel
    )
