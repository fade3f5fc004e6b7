"""Stage 4: temperatures, thresholds and abstention, from validation speakers and dialogues only."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mmser.evaluation.metrics import best_mcc_threshold, uar
from mmser.model import MmserModel
from mmser.training.fusion_stage import Dialogues

ABSTAIN_SHARE = 0.2  # the least certain fifth of validation utterances gets no label


def fit_temperature(logits: Tensor, targets: Tensor) -> float:
    """Return the temperature of lowest cross-entropy (Guo 2017), by a grid over [0.2, 8].

    Args:
        logits: (batch, classes).
        targets: class distribution, (batch, classes).
    """
    grid = torch.logspace(np.log10(0.2), np.log10(8), 120)
    losses = [float(-(targets * (logits / t).log_softmax(-1)).sum(-1).mean()) for t in grid]
    return round(float(grid[int(np.argmin(losses))]), 4)


def fit_shift_temperature(logits: Tensor, targets: Tensor) -> float:
    """Return the temperature of lowest binary cross-entropy; both (batch,)."""
    grid = torch.logspace(np.log10(0.2), np.log10(8), 120)
    losses = [float(F.binary_cross_entropy_with_logits(logits / t, targets)) for t in grid]
    return round(float(grid[int(np.argmin(losses))]), 4)


def calibrate(model: MmserModel, made: Dialogues, meld: Dialogues, audio: Dialogues) -> None:
    """Set temperatures, `abstain_below` and the thresholds in the model's config.

    Args:
        model: changed in place.
        made: pairs of validation speakers and validation texts.
        meld: MELD's validation dialogues.
        audio: validation clips without words, in calls of one speaker.
    """
    model.eval()
    config, confidences = model.config, []
    shift_logits, shift_truth = [], []
    gathered: dict[str, tuple[list[Tensor], list[Tensor]]] = {
        name: ([], []) for name in ("fused", "audio", "text")
    }
    for rows in (made, meld, audio):
        with torch.inference_mode():
            out = rows.run(model)
        emotion, _, change, _ = rows.targets()
        assert out.logits is not None and out.has_audio is not None and out.has_text is not None
        for name, chosen in _patterns(out.has_audio, out.has_text).items():
            gathered[name][0].append(out.logits[chosen])
            gathered[name][1].append(emotion[chosen])
        known = ~change.isnan()
        assert out.change_logits is not None
        shift_logits.append(out.change_logits[known])
        shift_truth.append(change[known])
        if rows is audio:
            _set_intensity(model, rows, out.intensity_logits)
    for name, (logits, targets) in gathered.items():
        stacked = torch.cat(logits)
        temperature = fit_temperature(stacked, torch.cat(targets))
        config.calibration[f"emotion.{name}"] = temperature
        confidences.append((stacked / temperature).softmax(-1).amax(1).numpy())
    config.abstain_below = round(float(np.quantile(np.concatenate(confidences), ABSTAIN_SHARE)), 3)
    shifts, truth = torch.cat(shift_logits), torch.cat(shift_truth)
    config.calibration["change"] = fit_shift_temperature(shifts, truth)
    scores = (shifts / config.calibration["change"]).sigmoid()
    config.change_threshold = round(best_mcc_threshold(truth.bool().tolist(), scores.tolist()), 3)


def _patterns(has_audio: Tensor, has_text: Tensor) -> dict[str, Tensor]:
    return {
        "fused": has_audio & has_text,
        "audio": has_audio & ~has_text,
        "text": ~has_audio & has_text,
    }


def _set_intensity(model: MmserModel, rows: Dialogues, logits: Tensor | None) -> None:
    """Put "high" where strong and normal clips part best; "low" ends half-way to an unmarked voice."""
    assert logits is not None
    values = logits.sigmoid().numpy()
    levels = np.asarray(rows.intensity)
    marked = ~np.isnan(levels) & (levels > 0.2)
    strong = (levels[marked] > 0.7).astype(int)
    grid = np.linspace(0.3, 0.95, 66)
    high = grid[int(np.argmax([uar(strong, (values[marked] >= g).astype(int)) for g in grid]))]
    weak = ~np.isnan(levels) & ~marked
    low = (np.median(values[weak]) + np.median(values[marked][strong == 0])) / 2
    model.config.intensity_thresholds = [round(float(min(low, high - 0.05)), 3), round(float(high), 3)]
