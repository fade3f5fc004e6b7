"""Temperatures, thresholds and abstention, from validation speakers and dialogues.

In the stage "fusion" emotion also counts training speakers, as branches hear them that were trained without
them: the few validation speakers may be easy.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor
from torch.nn import functional as F

from mmser.evaluation.scores.metrics import best_mcc_threshold, uar
from mmser.model import MmserModel
from mmser.model.output_mmser import MmserOutput
from mmser.training.log import say
from mmser.training.pairs import Dialogues
from mmser.training.validation import outputs_of

# So many utterances get no label since no emotion is likely enough, and so many of those with sound and words
# since these oppose each other the most.
ABSTAIN_SHARE, OPPOSED_SHARE = 0.05, 0.05
PATTERNS = ("fused", "audio", "text")
_PATTERNS_SAID = {"fused": "sound and words", "audio": "sound alone", "text": "words alone"}
FEW = 30  # rows that a temperature is not fitted to
Pairs = list[tuple[Tensor, Tensor]]  # logits, targets


@dataclass
class Outputs:
    """Logits and labels of validation rows by which modalities they have."""

    emotion: dict[str, Pairs] = field(default_factory=dict)
    alone: dict[str, Pairs] = field(default_factory=dict)  # each modality, of rows that have both
    change: dict[str, Pairs] = field(default_factory=dict)
    opposition: list[Tensor] = field(default_factory=list)  # of labelled rows that have both

    def add(self, out: MmserOutput, emotion: Tensor, change: Tensor) -> None:
        """Take in a batch; `emotion` (batch, classes), 0 = unlabelled, `change` (batch,), NaN likewise."""
        assert out.has_audio is not None and out.has_text is not None and out.has_previous is not None
        assert out.logits is not None and out.change_logits is not None
        audio, text = out.has_audio.cpu(), out.has_text.cpu()
        rows = {"fused": audio & text, "audio": audio & ~text, "text": ~audio & text}
        labelled, known = emotion.sum(1) > 0, ~change.isnan() & out.has_previous.cpu()
        target = emotion / emotion.sum(1, keepdim=True).clamp(min=1e-6)
        assert out.opposition is not None
        self.opposition.append(out.opposition.cpu()[rows["fused"] & labelled])
        for pattern, chosen in rows.items():
            self._add("emotion", pattern, out.logits.cpu(), target, chosen & labelled)
            self._add("change", pattern, out.change_logits.cpu(), change, chosen & known)

    def add_alone(self, out: MmserOutput, emotion: Tensor) -> None:
        """Take in what each modality says alone of rows that have both."""
        assert out.has_audio is not None and out.has_text is not None
        assert out.audio_logits is not None and out.text_logits is not None
        both = (out.has_audio & out.has_text).cpu() & (emotion.sum(1) > 0)
        target = emotion / emotion.sum(1, keepdim=True).clamp(min=1e-6)
        self._add("alone", "audio", out.audio_logits.cpu(), target, both)
        self._add("alone", "text", out.text_logits.cpu(), target, both)

    def _add(self, task: str, pattern: str, logits: Tensor, targets: Tensor, rows: Tensor) -> None:
        if rows.any():
            found: dict[str, Pairs] = getattr(self, task)
            found.setdefault(pattern, []).append((logits[rows], targets[rows]))


def fit_temperature(logits: Tensor, targets: Tensor) -> float:
    """Return the temperature of lowest cross-entropy (Guo 2017), by a grid over [0.2, 8].

    Args:
        logits: (batch, classes).
        targets: class distribution, (batch, classes).
    """
    grid = torch.logspace(np.log10(0.2), np.log10(8), 120)
    losses = [float(-(targets * (logits / t).log_softmax(-1)).sum(-1).mean()) for t in grid]
    return round(float(grid[int(np.argmin(losses))]), 4)


def fit_shift(logits: Tensor, targets: Tensor) -> tuple[float, float]:
    """Return the temperature and offset of lowest binary cross-entropy (Platt 1999); both args (batch,)."""
    logits, targets = logits.double(), targets.double()

    def loss(values: np.ndarray) -> float:
        scaled = (logits - values[1]) * float(np.exp(-values[0]))
        return float(F.binary_cross_entropy_with_logits(scaled, targets))

    best = minimize(loss, np.zeros(2), method="Nelder-Mead")
    temperature = float(np.clip(np.exp(best.x[0]), 0.2, 8.0))
    # Where labels are few or on one side, the best offset lies far beyond what the model says.
    offset = float(np.clip(best.x[1], float(logits.min()), float(logits.max())))
    return round(temperature, 4), round(offset, 4)


def set_calibration(model: MmserModel, outputs: Outputs) -> None:
    """Set temperatures, offsets and the thresholds of abstention and change in the model's config.

    What fewer than `FEW` rows tell of stays as it is.
    """
    config, confidences = model.config, []
    for pattern in PATTERNS:
        used = outputs.emotion.get(pattern, [])
        parts = [*used, *outputs.alone.get(pattern, [])]
        rows = sum(len(logits) for logits, _ in parts)
        if rows < FEW:
            say(
                f"calibration: {rows} validation rows with {_PATTERNS_SAID[pattern]} are fewer than "
                f"{FEW}: the probabilities of such utterances stay uncalibrated"
            )
            continue
        logits, targets = (torch.cat(column) for column in zip(*parts, strict=True))
        temperature = fit_temperature(logits, targets)
        config.calibration[f"emotion.{pattern}"] = temperature
        # An utterance abstains by what is said of it in use: once, by all that it has.
        confidences += [(logits / temperature).softmax(-1).amax(1).numpy() for logits, _ in used]
    if confidences:
        lowest = float(np.quantile(np.concatenate(confidences), ABSTAIN_SHARE))
        config.abstain_below = round(lowest, 3)
    opposition = torch.cat([torch.zeros(0), *outputs.opposition])
    if len(opposition) >= FEW:
        # Where nothing opposes anything, the highest of its low probabilities must not count.
        config.abstain_opposed = round(max(0.5, float(opposition.quantile(1 - OPPOSED_SHARE))), 3)
    for pattern, parts in outputs.change.items():
        logits, truth = (torch.cat(column) for column in zip(*parts, strict=True))
        if len(truth) >= FEW and len(truth.unique()) == 2:
            temperature, offset = fit_shift(logits, truth)
            said = ((logits - offset) / temperature).sigmoid().tolist()
            config.calibration[f"change.{pattern}"] = temperature
            config.change_offsets[pattern] = offset
            config.change_thresholds[pattern] = round(best_mcc_threshold(truth.bool().tolist(), said), 3)


def calibrate(model: MmserModel, parts: Sequence[Dialogues], audio: Dialogues) -> None:
    """Calibrate on cached encodings.

    Args:
        model: changed in place.
        parts: made calls, real dialogues and single texts of speakers and splits that were not trained on.
        audio: every validation clip once, without words; they set intensity alone.
    """
    model.eval()
    outputs = Outputs()
    for rows in (*parts, audio):
        if not rows.keys:
            continue
        with torch.inference_mode():
            out = rows.run(model)
        emotion, _, change, _ = rows.targets()
        if rows is not audio:
            outputs.add(out, emotion, change)
        else:
            assert out.intensity_logits is not None
            set_intensity(model, np.asarray(rows.intensity), out.intensity_logits.sigmoid().numpy())
    set_calibration(model, outputs)


def calibrate_on(model: MmserModel, batches: Iterable[dict[str, Any]]) -> None:
    """Calibrate on batches of inputs.

    Args:
        model: changed in place.
        batches: as `outputs_of` takes them; `targets` with emotion, (batch, classes), intensity and change,
            (batch,).
    """
    model.eval()
    outputs = Outputs()
    levels, said = [np.zeros(0)], [np.zeros(0)]
    for out, targets in outputs_of(model, batches):
        outputs.add(out, targets["emotion"], targets["change"])
        outputs.add_alone(out, targets["emotion"])
        assert out.has_audio is not None and out.intensity_logits is not None
        heard = out.has_audio.cpu()
        levels.append(targets["intensity"][heard].numpy())
        said.append(out.intensity_logits.sigmoid().cpu()[heard].numpy())
    set_calibration(model, outputs)
    set_intensity(model, np.concatenate(levels), np.concatenate(said))


def set_intensity(model: MmserModel, levels: np.ndarray, said: np.ndarray) -> None:
    """Put "high" where strong and normal clips part best; "low" ends half-way to an unmarked voice.

    Without clips of all three kinds the thresholds stay as they are.

    Args:
        model: changed in place.
        levels: labelled intensity of validation clips, [0, 1] or NaN, (clips,).
        said: what the model says of them, [0, 1], (clips,).
    """
    marked = ~np.isnan(levels) & (levels > 0.2)
    strong = (levels[marked] > 0.7).astype(int)
    weak = ~np.isnan(levels) & ~marked
    if len(np.unique(strong)) < 2 or not weak.any():
        return
    grid = np.linspace(0.3, 0.95, 66)
    high = grid[int(np.argmax([uar(strong, (said[marked] >= g).astype(int)) for g in grid]))]
    low = (np.median(said[weak]) + np.median(said[marked][strong == 0])) / 2
    model.config.intensity_thresholds = [round(float(min(low, high - 0.05)), 3), round(float(high), 3)]
