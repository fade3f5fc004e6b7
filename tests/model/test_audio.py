"""The audio branch: what its halves say, and its normalisation."""

import torch
from model_fixtures import tiny_model

from mmser.model.cnn_mmser import MaskedBatchNorm


def test_the_halves_answers_average_to_the_branchs():
    branch = tiny_model().audio
    view = torch.randn(5, 24)
    frames, functionals = (
        branch.emotion_head(part(view)) for part in (branch.frames_only, branch.functionals_only)
    )
    assert torch.allclose((frames + functionals) / 2, branch.emotion_head(view), atol=1e-5)
    assert not torch.allclose(frames, functionals)


def test_normalisation_without_a_mask_is_that_with_nothing_masked():
    values = torch.randn(3, 4, 10, 6)
    masked, fused = MaskedBatchNorm(4), MaskedBatchNorm(4)
    expected = masked(values, torch.ones(3, 1, 10, 1, dtype=torch.bool))
    assert torch.allclose(fused(values, None), expected, atol=1e-5)
    assert torch.allclose(masked.running_mean, fused.running_mean, atol=1e-6)
    assert torch.allclose(masked.running_var, fused.running_var, rtol=0.01)  # one is Bessel-corrected
    assert torch.allclose(masked.eval()(values, None), fused.eval()(values, None), atol=1e-2)


def test_padding_does_not_reach_the_statistics():
    values = torch.randn(2, 4, 10, 6)
    mask = (torch.arange(10) < 7).view(1, 1, 10, 1).expand(2, 1, 10, 1)
    norm, loud = MaskedBatchNorm(4), MaskedBatchNorm(4)
    padded = torch.where(mask, values, 100.0)
    assert torch.allclose(norm(values, mask)[:, :, :7], loud(padded, mask)[:, :, :7], atol=1e-4)
