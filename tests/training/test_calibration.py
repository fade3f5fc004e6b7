"""Thresholds and temperatures are set from validation values alone."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from mmser.model import MmserModel
from mmser.training.calibration import (
    FEW,
    Outputs,
    fit_shift,
    fit_temperature,
    set_calibration,
    set_intensity,
)
from mmser.training.log import CONSOLE


@pytest.fixture
def model(model_dir: Path) -> MmserModel:
    return MmserModel.from_pretrained(model_dir)


def test_intensity_thresholds_part_unmarked_normal_and_strong_voices(model: MmserModel):
    levels = np.array([0.1] * 4 + [0.4] * 4 + [1.0] * 4 + [np.nan])
    said = np.array([0.2] * 4 + [0.5] * 4 + [0.8] * 4 + [0.99])
    set_intensity(model, levels, said)
    low, high = model.config.intensity_thresholds
    assert 0.2 < low < 0.5 < high <= 0.8


@pytest.mark.parametrize("levels", [[], [0.4, 1.0], [0.1, 0.4], [np.nan]])
def test_intensity_thresholds_stay_where_a_kind_of_voice_is_missing(levels: list[float], model: MmserModel):
    before = list(model.config.intensity_thresholds)
    set_intensity(model, np.array(levels), np.full(len(levels), 0.5))
    assert model.config.intensity_thresholds == before


def outputs(rows: int, alone: int = 0) -> Outputs:
    """Logits that are right and hardly sure, and those of one modality alone that are sure."""
    truth = torch.eye(7).repeat(rows // 7 + 1, 1)
    found = Outputs(emotion={"fused": [(truth[:rows] * 2, truth[:rows])]})
    if alone:
        sure = torch.eye(7).repeat(alone // 7 + 1, 1)[:alone]
        found.alone = {"audio": [(sure * 30, sure)]}
    return found


def test_few_rows_leave_the_temperature_as_it_was(
    model: MmserModel, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(CONSOLE, "quiet", False)  # whatever ran before in this process
    before = dict(model.config.calibration)
    set_calibration(model, outputs(FEW - 1))
    assert f"{FEW - 1} validation rows with sound and words are fewer than {FEW}" in capsys.readouterr().err
    assert model.config.calibration == before
    set_calibration(model, outputs(FEW))
    assert model.config.calibration["emotion.fused"] < 1


def test_abstention_is_set_by_answers_as_they_are_given_in_use(model: MmserModel):
    set_calibration(model, outputs(70))
    without = model.config.abstain_below
    set_calibration(model, outputs(70, alone=700))
    assert model.config.abstain_below == without and "emotion.audio" in model.config.calibration


def test_where_nothing_opposes_anything_no_turn_is_flagged_for_it(model: MmserModel):
    set_calibration(model, dataclasses.replace(outputs(70), opposition=[torch.linspace(0, 0.02, 70)]))
    assert model.config.abstain_opposed == 0.5
    set_calibration(model, dataclasses.replace(outputs(70), opposition=[torch.linspace(0, 1, 70)]))
    assert model.config.abstain_opposed == pytest.approx(0.95, abs=0.01)


def test_change_has_a_threshold_for_each_pattern_of_modalities(model: MmserModel):
    """Sure of every shift by words, and only of the surest by sound."""
    torch.manual_seed(0)
    logits = torch.linspace(-4, 4, 400)
    found = Outputs(
        change={"text": [(logits, (logits > 0).float())], "audio": [(logits, (logits > 3).float())]}
    )
    set_calibration(model, found)
    thresholds, offsets = model.config.change_thresholds, model.config.change_offsets
    assert thresholds["fused"] == 0.5
    for pattern, bound in (("text", 0.0), ("audio", 3.0)):
        scale = model.config.calibration[f"change.{pattern}"]
        said = ((logits - offsets[pattern]) / scale).sigmoid() >= thresholds[pattern]
        assert (said == (logits > bound)).float().mean() > 0.95


def test_the_temperature_that_logits_were_scaled_by_is_found_again():
    torch.manual_seed(0)
    logits = torch.randn(4000, 7) * 2
    labels = torch.distributions.Categorical(logits=logits).sample()
    targets = torch.nn.functional.one_hot(labels, 7).float()
    assert fit_temperature(logits * 3, targets) == pytest.approx(3.0, rel=0.1)


def test_scale_and_offset_of_change_are_found_again():
    torch.manual_seed(0)
    logits = torch.randn(4000)
    changed = torch.bernoulli(logits.sigmoid())
    temperature, offset = fit_shift(logits * 2 + 1, changed)
    assert temperature == pytest.approx(2.0, rel=0.15)
    assert offset == pytest.approx(1.0, abs=0.15)
