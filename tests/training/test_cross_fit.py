"""Voices as strangers are heard: folds of speakers, and branches that have not met them."""

import copy
import dataclasses
from pathlib import Path

import numpy as np
import torch

from mmser.model.audio_mmser import AudioBranch
from mmser.training.cross_fit import Part, cross_fit, speaker_folds
from mmser.training.encodings import encode_sounds
from mmser.training.loop import LoopConfig
from mmser.training.pairs import PairMix, PairSampler, heard_by
from mmser.training.view_stage import ViewStage, fit_functionals, hear
from tests.model_fixtures import tiny_model
from tests.training.made_clips import clips

CONFIG = LoopConfig(steps=2, batch_size=8, validate_every=2)


def stage() -> tuple[AudioBranch, ViewStage]:
    branch, made = tiny_model().audio, clips(28)
    fit_functionals(branch, made)
    return copy.deepcopy(branch), ViewStage(branch, hear(branch, made), [])


def parts(folder: Path, folds: int) -> list[Part]:
    untrained, views = stage()
    return cross_fit(untrained, views, folder, CONFIG, folds, 0)


def test_folds_part_speakers_of_every_corpus():
    _, views = stage()
    folds = speaker_folds(views.heard, 2)
    speakers = [{row.clip.example.speaker for row in fold} for fold in folds]
    assert speakers == [{"a"}, {"b"}]
    assert sum(map(len, folds)) == 28
    assert len(speaker_folds(views.heard, 5)) == 2


def test_each_speaker_is_heard_by_a_branch_trained_without_them(tmp_path: Path):
    first, second = parts(tmp_path, 2)
    assert {clip.example.speaker for clip in first[1]} == {"a"}
    assert not torch.equal(first[0].emotion_head.weight, second[0].emotion_head.weight)
    names = sorted(path.name for path in tmp_path.glob("*.checkpoint.pt"))
    assert names == ["views_without_0.checkpoint.pt", "views_without_1.checkpoint.pt"]


def test_without_folds_the_trained_branch_hears_all(tmp_path: Path):
    untrained, views = stage()
    for folds in (0, 1):
        ((branch, heard),) = cross_fit(untrained, views, tmp_path, CONFIG, folds, 0)
        assert branch is views.task.branch
        assert len(heard) == 28


def test_rows_run_through_the_branch_that_hears_them_and_the_model_keeps_its_own():
    model = tiny_model()
    other = tiny_model(seed=1).audio
    sounds = [dataclasses.replace(s, branch=other) for s in encode_sounds(other, clips(14), phone=False)]
    rows = PairSampler(sounds, [], PairMix(0, 0, 0, 1, 0)).dialogues(np.random.default_rng(0), 2, 3)
    own = model.audio
    logits = rows.run(model).audio_logits
    assert model.audio is own
    with heard_by(model, other):
        plain = dataclasses.replace(
            rows, sounds=[dataclasses.replace(s, branch=None) if s else None for s in rows.sounds]
        )
        assert torch.equal(plain.run(model).audio_logits, logits)
    assert not torch.allclose(plain.run(model).audio_logits, logits)
