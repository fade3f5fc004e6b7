"""Lines of `feedback.jsonl` as the call report writes them."""

import json
from pathlib import Path
from typing import Any

from mmser.evaluation.feedback.correction_line import Correction
from mmser.evaluation.feedback.corrections import read_feedback

LABELS = ("anger", "neutral", "sadness")
REVISION = "f" * 64


def line(call: int = 1, turn: int = 1, corrected: str = "anger", **fields: Any) -> dict[str, Any]:
    """One correction: 0.7 anger was said, with sound and words."""
    return {
        "schema": "mmser.feedback/1",
        "call_id": f"call{call}.wav",
        "recording_sha256": f"{call:064x}",
        "model_id": "made",
        "model_revision": REVISION,
        "turn_id": f"t{turn}",
        "start": 2.0 * turn,
        "end": 2.0 * turn + 1.5,
        "predicted_label": "anger",
        "predicted_top": "anger",
        "probabilities": {"anger": 0.7, "neutral": 0.2, "sadness": 0.1},
        "modalities": ["audio", "text"],
        "predicted_intensity": "high",
        "corrected_label": corrected,
        "corrected_intensity": None,
        "comment": None,
    } | fields


def said(*probabilities: float, abstains: bool = False) -> dict[str, Any]:
    """The fields that state what the model said of `LABELS`."""
    top = LABELS[max(range(len(LABELS)), key=lambda i: probabilities[i])]
    return {
        "probabilities": dict(zip(LABELS, probabilities, strict=True)),
        "predicted_top": top,
        "predicted_label": None if abstains else top,
    }


def write_lines(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in lines), "utf-8")
    return path


def corrections_of(path: Path, *lines: dict[str, Any]) -> tuple[Correction, ...]:
    return read_feedback([write_lines(path, *lines)])
