"""What a model says of batches of validation rows, one batch in memory at a time, and how right it is."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from mmser.evaluation.scores import metrics
from mmser.model import MmserModel
from mmser.model.output_mmser import MmserOutput


def outputs_of(
    model: MmserModel, batches: Iterable[Mapping[str, Any]]
) -> Iterator[tuple[MmserOutput, dict[str, Tensor]]]:
    """Yield what the model says of each batch, and the batch's targets.

    Args:
        model: in evaluation mode.
        batches: `inputs` as `forward` takes them, `targets`, and `continues`, whether it goes on with the
            dialogue of the batch before, whose state is carried on as in use.
    """
    device = model.audio_scale.device
    state = None
    for batch in batches:
        inputs = {name: values.to(device) for name, values in batch["inputs"].items()}
        with torch.inference_mode():
            output = model(**inputs, state=state if batch.get("continues") else None)
        state = output.state
        yield output, batch["targets"]


def score_rows(model: MmserModel, batches: Iterable[dict[str, Any]]) -> dict[str, float]:
    """Return UAR in percent, CCC of intensity and MCC of change (at 0.5), each where there are labels."""
    truth: list[int] = []
    guess: list[int] = []
    rows: dict[str, list[float]] = {n: [] for n in ("intensity", "strength", "change", "shift")}
    for output, targets in outputs_of(model, batches):
        assert output.logits is not None and output.intensity_logits is not None
        assert output.change_logits is not None and output.has_previous is not None
        known = (targets["emotion"] > 0).sum(1) == 1  # an answer to several labels is neither right nor wrong
        truth += targets["emotion"][known].argmax(1).tolist()
        guess += output.logits.cpu()[known].argmax(1).tolist()
        rated = ~targets["intensity"].isnan()
        rows["intensity"] += targets["intensity"][rated].tolist()
        rows["strength"] += output.intensity_logits.cpu()[rated].sigmoid().tolist()
        turned = ~targets["change"].isnan() & output.has_previous.cpu()
        rows["change"] += targets["change"][turned].tolist()
        rows["shift"] += output.change_logits.cpu()[turned].sigmoid().tolist()
    found: dict[str, float] = {}
    if truth:
        found["uar"] = round(metrics.uar(truth, guess), 3)
    if len(set(rows["intensity"])) > 1:
        found["intensity_ccc"] = metrics.concordance(rows["intensity"], rows["strength"])
    if len(set(rows["change"])) > 1:
        shifts = metrics.shift_scores([c > 0.5 for c in rows["change"]], rows["shift"], 0.5)
        found["change_mcc"] = shifts["mcc"]
    if not found:
        return {}
    parts = [found.get("uar", 0.0), 10 * found.get("intensity_ccc", 0.0), 10 * found.get("change_mcc", 0.0)]
    return found | {"score": sum(parts)}
