"""The stage "frames": crops, mixtures, draws, and that it learns."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmser.training.frame_stage import CROP, FrameStage, corpus_weights, frame_uar, mix_share
from mmser.training.loop import LoopConfig, fit
from mmser.training.view_stage import fit_functionals, train_views, view_stage
from tests.model_fixtures import tiny_model
from tests.training.made_clips import clips, lively_clips


def test_crops_of_clips_of_any_length_are_full_and_centred():
    assert {len(c.clean[0].log_mel) >= CROP for c in clips()} == {False}
    stage = FrameStage(tiny_model().audio, clips())
    for step in (0, 1):  # plain, mixed
        rows = stage.draw(step, np.random.default_rng(step), 16)
        assert all((row.other is not None) == bool(step) for row in rows)
        batch = stage.collate(rows)
        assert batch["log_mel"].shape == (16, CROP, 64)
        assert batch["log_mel"].mean(1).abs().max() < 1e-4
        assert torch.allclose(batch["emotion"].sum(1), torch.ones(16))
        assert stage.counts(batch)["emotion"] == 16
        assert stage.counts(batch)["intensity"] == int((~batch["intensity"].isnan()).sum())


def test_a_row_sounds_the_same_alone_and_in_a_batch():
    stage = FrameStage(tiny_model().audio, clips())
    rows = stage.draw(1, np.random.default_rng(0), 8)
    whole = stage.collate(rows)
    for i, row in enumerate(rows):
        alone = stage.collate([row])
        assert torch.allclose(alone["log_mel"][0], whole["log_mel"][i])
        assert torch.allclose(alone["emotion"][0], whole["emotion"][i])


@pytest.mark.parametrize(("power", "expected"), [(1.0, 0.9), (0.5, 0.75), (0.0, 0.5)])
def test_corpora_are_drawn_by_a_power_of_their_size(power: float, expected: float):
    assert corpus_weights([90, 10], power)[0] == pytest.approx(expected)


def test_a_mixture_keeps_the_upper_hand():
    shares = [mix_share(np.random.default_rng(seed)) for seed in range(50)]
    assert 0.5 <= min(shares) < 0.9 < max(shares) <= 1.0


def test_training_leaves_the_encoder_better_on_what_it_saw(tmp_path: Path):
    made = lively_clips()
    branch = tiny_model().audio
    fit_functionals(branch, made)
    options = {"learning_rate": 3e-3, "batch_size": 8, "validate_every": 50}
    stage = FrameStage(branch, made)
    fit(stage, LoopConfig(steps=100, **options), tmp_path, seed=0)
    branch.cpu()  # where a machine has a GPU, the stage ran there
    held_out = [c for c in made if c.example.split == "validation"]
    assert frame_uar(branch, held_out) > 75
    views = LoopConfig(steps=60, batch_size=32, validate_every=60)
    before = branch.emotion_head.weight.detach().clone()
    train_views(branch, made, tmp_path, views, 0)
    assert not torch.equal(branch.emotion_head.weight, before)
    stage = view_stage(branch, made)
    assert stage.validate(stage.task)["uar"] > 75


def test_without_validation_clips_there_is_no_score():
    stage = FrameStage(tiny_model().audio, clips())
    assert stage.validate(stage.task) == {}
