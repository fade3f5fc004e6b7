"""Log-mel, pitch and functionals see a clip's own samples only."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmser.model.acoustics_mmser import NUM_FUNCTIONALS, Acoustics, frame_lengths, masked_quantiles

ACOUSTICS = Acoustics()


def tone(hertz: float, seconds: float = 1.0, level: float = 0.3) -> torch.Tensor:
    time = torch.arange(int(16_000 * seconds)) / 16_000
    harmonics = [torch.sin(2 * math.pi * hertz * k * time) / k for k in range(1, 6)]
    return level * torch.stack(harmonics).sum(0)


@pytest.mark.parametrize("hertz", [80.0, 120.0, 200.0, 330.0])
def test_pitch_of_a_tone_is_found(hertz):
    log_f0, strength = ACOUSTICS.pitch(tone(hertz)[None], torch.tensor([16_000]))
    inner = log_f0[0, 5:-5]
    assert (2**inner - hertz).abs().max() < 0.03 * hertz
    assert strength[0, 5:-5].min() > 0.8


def test_noise_and_silence_have_no_pitch():
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 16_000, generator=generator) * 0.1
    length = torch.tensor([16_000])
    assert (ACOUSTICS.pitch(noise, length)[0] > 0).float().mean() < 0.1
    assert (ACOUSTICS.pitch(torch.zeros(1, 16_000), length)[0] > 0).sum() == 0


@settings(max_examples=25, deadline=None)
@given(length=st.integers(1, 20_000), padding=st.integers(0, 9_000), seed=st.integers(0, 5))
def test_padding_never_reaches_a_number(length, padding, seed):
    wave = torch.randn(1, length, generator=torch.Generator().manual_seed(seed)) * 0.1
    lengths = torch.tensor([length])
    padded = torch.nn.functional.pad(wave, (0, padding))
    alone = ACOUSTICS.log_mel(wave, lengths)
    batched = ACOUSTICS.log_mel(padded, lengths)
    assert alone.shape[1] == int(frame_lengths(lengths)[0])
    assert torch.equal(alone, batched[:, : alone.shape[1]])
    one = ACOUSTICS.functionals(wave, lengths, alone)
    two = ACOUSTICS.functionals(padded, lengths, batched)
    assert one.shape == (1, NUM_FUNCTIONALS)
    assert torch.allclose(one, two, atol=1e-5)


@pytest.mark.parametrize("length", [0, 1, 100, 400, 16_000])
def test_silence_and_scraps_give_finite_numbers(length):
    wave, lengths = torch.zeros(1, max(length, 1)), torch.tensor([length])
    functionals = ACOUSTICS.functionals(wave, lengths, ACOUSTICS.log_mel(wave, lengths))
    assert functionals.isfinite().all()


def test_quantiles_match_torch():
    values = torch.randn(2, 50, 3)
    mask = torch.ones(2, 50, dtype=torch.bool)
    mask[1, 20:] = False
    found = masked_quantiles(values, mask, (0.1, 0.5))
    expected = torch.quantile(values[1, :20], torch.tensor([0.1, 0.5]), dim=0).T
    assert torch.allclose(found[1], expected, atol=1e-5)
