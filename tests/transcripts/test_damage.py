"""Real files, damaged one value at a time: read or refused, never another exception."""

import contextlib
import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from mmser.errors import TranscriptError
from mmser.transcripts import read_transcript

NAMES = [
    "assemblyai_a.json", "aws_call_analytics.json", "aws_transcribe_channel_labels_a.json",
    "aws_transcribe_speaker_labels_a.json", "azure_batch_a.json", "azure_batch_transcription.json",
    "azure_fast_a.json", "contact_lens_a.json", "deepgram_a.json", "google_stt_a.json", "revai_a.json",
    "speechmatics_a.json", "vcon_a.json", "vcon_wtf_a.json", "whisper_a.json", "whisperx_a.json",
]  # fmt: skip
WRONG = [None, True, -1, 1e308, 10**400, float("nan"), "", "x", "-1", [], [None], [[]], {}, {"text": 1}, "PT"]


def places(data: Any, depth: int = 0) -> list[tuple[Any, Any]]:
    """Return (container, key) of every value, at most four of each list."""
    found: list[tuple[Any, Any]] = []
    keys = list(data) if isinstance(data, dict) else range(min(len(data), 4))
    for key in keys:
        found.append((data, key))
        if isinstance(data[key], dict | list):
            found += places(data[key], depth + 1)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_damaged_json_is_read_or_refused(data_dir: Path, name: str) -> None:
    whole = json.loads((data_dir / "calls/transcripts" / name).read_text())
    whole = shortened(whole)
    chance = random.Random(0)
    for _ in range(80):
        data = copy.deepcopy(whole)
        container, key = chance.choice(places(data))
        if isinstance(container, dict) and chance.random() < 0.3:
            del container[key]
        else:
            container[key] = chance.choice(WRONG)
        with contextlib.suppress(TranscriptError):
            assert read_transcript(json.dumps(data).encode()).turns


def shortened(data: Any) -> Any:
    """Return the data with at most 6 items a list, so that 80 damaged copies stay cheap."""
    if isinstance(data, dict):
        return {key: shortened(value) for key, value in data.items()}
    return [shortened(value) for value in data[:6]] if isinstance(data, list) else data
