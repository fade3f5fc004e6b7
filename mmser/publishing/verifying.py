"""A model, loaded as others will: in a clean process without mmser, and asked the same as here."""

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from mmser.audio import SAMPLING_RATE, open_recording
from mmser.errors import ModelError
from mmser.hub.committing import Content, sha256_of
from mmser.hub.explaining import without_secrets
from mmser.publishing.clean_run import KINDS

TOLERANCE = 1e-4  # of a logit: what batching may change, and machines differ by
TEXT = "I have been waiting for three weeks and nobody calls me back"
START, END, CUSTOMER = 31.0, 34.0, 1  # s and channel of the bundled call, where the customer speaks
LOADED = ("model.safetensors", "config.json", "processor_config.json", "tokenizer.json")
MOST_SECONDS = 1800  # for a download and an answer

Logits = Mapping[str, list[float]]


@dataclass(frozen=True, kw_only=True)
class Verified:
    """How far two answers are apart."""

    compared: int  # logits
    difference: float  # the largest between two


def own_logits(folder: Path, work: Path) -> Logits:
    """Return what mmser itself answers with the model in a folder, and keep the clip in `work`.

    Raises:
        ModelError: if it cannot be loaded.
    """
    import numpy as np
    import torch

    from mmser.loading import load_model

    model, processor, _ = load_model(folder)
    sample = resources.files("mmser") / "assets" / "sample" / "call.wav"
    with resources.as_file(sample) as path, open_recording(path) as recording:
        waveform = recording.read(START, END, CUSTOMER)
    np.save(work / "clip.npy", waveform, allow_pickle=False)
    with torch.inference_mode():
        out = model(**processor(audio=waveform, text=TEXT, sampling_rate=SAMPLING_RATE))
    return {kind: out[kind][0].reshape(-1).tolist() for kind in KINDS}


def clean_logits(
    source: str, revision: str | None, work: Path, files: Mapping[str, Content] | None = None
) -> Logits:
    """Return what a process without mmser answers with a model.

    Args:
        source: a folder, or a Hub id.
        revision: commit of the Hub's repository; None of a folder.
        work: that holds the clip; what is downloaded goes there, past the cache.
        files: that were published, with which what is downloaded is compared byte by byte: a changed weight
            need not show in the answer to one clip.

    Raises:
        ModelError: if it does not load or answer, with what it said, or a file came otherwise.
    """
    script = resources.files("mmser") / "publishing" / "clean_run.py"
    with resources.as_file(script) as path, tempfile.TemporaryDirectory(dir=work) as home:
        command = [sys.executable, "-I", str(path), source, revision or "-", str(work / "clip.npy"), TEXT]
        environment = {**os.environ, **_login(), "HF_HOME": home, "TOKENIZERS_PARALLELISM": "false"}
        for name in (
            "HF_HUB_CACHE",
            "HUGGINGFACE_HUB_CACHE",
            "HF_MODULES_CACHE",
            "TRANSFORMERS_CACHE",
            "HF_XET_CACHE",
        ):
            environment.pop(name, None)  # they would lead back to what is here already
        try:
            done = subprocess.run(
                command, env=environment, cwd=home, capture_output=True, text=True, timeout=MOST_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise ModelError(
                f"{source} did not answer within {MOST_SECONDS // 60} minutes; run again"
            ) from error
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            said = without_secrets(said)[:300].rstrip(".")
            raise ModelError(f"{source} does not load in a process without mmser: {said}")
        _compare_files(Path(home), files or {}, source)
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def _compare_files(home: Path, files: Mapping[str, Content], source: str) -> None:
    """Compare what a process downloaded into the cache of its home with what was published."""
    came = {path.name: path.resolve() for path in sorted(home.glob("hub/*/snapshots/*/*"))}
    for name, content in files.items():
        if name in came and sha256_of(content) != sha256_of(came[name]):
            raise ModelError(f"{name} of {source} did not come from there as it was published; push it again")
    lost = [name for name in files if name not in came and (name in LOADED or name.endswith("_mmser.py"))]
    if lost:
        raise ModelError(f"{lost[0]} of {source} was not downloaded, so it is not verified; push it again")


def _login() -> dict[str, str]:
    """Return the token by which the process may read what is private; it stands in no command line."""
    from huggingface_hub import get_token

    token = get_token()
    return {} if token is None else {"HF_TOKEN": token}


def compare(here: Logits, there: Logits, source: str) -> Verified:
    """Compare two answers to one clip.

    Raises:
        ModelError: if they differ.
    """
    if any(len(here[kind]) != len(there[kind]) for kind in KINDS):
        raise ModelError(f"{source} answers with other logits in a process without mmser; train it again")
    pairs = [(a, b) for kind in KINDS for a, b in zip(here[kind], there[kind], strict=True)]
    differences = [abs(a - b) for a, b in pairs]
    largest = max((d if math.isfinite(d) else math.inf for d in differences), default=math.inf)
    if largest > TOLERANCE:
        raise ModelError(
            f"{source} answers otherwise in a process without mmser: logits differ by up to {largest:.3g}, "
            f"where {TOLERANCE:g} is allowed"
        )
    return Verified(compared=len(pairs), difference=largest)
