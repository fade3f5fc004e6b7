"""Small made data to train on: tones, texts and dialogues, and tiny encoders saved as the Hub's are."""

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml
from transformers import AutoConfig, AutoModel

from mmser.labels import EMOTIONS
from tests.model_fixtures import tiny_config, tiny_tokenizer, wav2vec2_options

ROOT = Path(__file__).parents[2]
RATE = 16_000  # Hz
SPEAKERS = {"a": "train", "b": "train", "c": "train", "v": "validation", "t": "test"}
COLUMNS = ("id", "split", "audio", "text", "emotion", "intensity", "change", "speaker", "dialogue_id")
COLUMNS += ("turn_index", "role", "corpus", "valence")
SAYINGS = {
    "anger": "i am so angry",
    "disgust": "it is my parcel",
    "fear": "where is it",
    "happiness": "thank you so very happy",
    "neutral": "yes it is the parcel",
    "sadness": "i am sad",
    "surprise": "no late refund",
}
# Quick, and nothing left to chance: no augmentation, no dropout.
TINY = {
    "audio_size": 24,
    "cnn_channels": [8, 8, 8, 16],
    "fusion_size": 24,
    "fusion_heads": 2,
    "embedding_size": 8,
    "context_size": 3,
}
SILENT = {"speed": 0, "room": 0, "noise": 0, "telephone": 0, "spec_augment": 0, "mixup": 0}
SILENT |= {"gain_range": [0, 0]}
NO_DROPOUT = {"dropout": 0, "head_dropout": 0, "modality_dropout": 0}


def write_voice(path: Path, emotion: str, seed: int, seconds: float = 0.5) -> Path:
    """Write a tone that warbles the faster, and the higher, the later its emotion stands in `EMOTIONS`."""
    rng = np.random.default_rng(seed)
    number = EMOTIONS.index(emotion)
    times = np.arange(round(seconds * RATE)) / RATE
    pitch = (150 + 60 * number) * (1 + 0.05 * np.sin(2 * np.pi * (2 + 2 * number) * times))
    tone = 0.3 * np.sin(2 * np.pi * np.cumsum(pitch) / RATE) + 0.01 * rng.standard_normal(len(times))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone, RATE)
    return path


def made_rows(folder: Path, clips_each: int = 1) -> list[dict[str, Any]]:
    """Return rows of three corpora, clips written: tones, single texts, and dialogues with both."""
    rows: list[dict[str, Any]] = []
    for s, (speaker, split) in enumerate(SPEAKERS.items()):
        for number in range(clips_each):
            for e, emotion in enumerate(EMOTIONS):
                name = f"{speaker}_{emotion}_{number}"
                write_voice(folder / f"{name}.wav", emotion, 100 * s + 10 * number + e)
                strength = 1.0 if e % 2 else 0.5
                rows.append(
                    {"id": name, "audio": f"{name}.wav", "emotion": emotion, "intensity": strength}
                    | {"speaker": speaker, "split": split, "corpus": "tones"}
                )
        for emotion in EMOTIONS:
            rows.append(
                {"id": f"{speaker}_{emotion}", "text": SAYINGS[emotion], "emotion": emotion}
                | {"speaker": speaker, "split": split, "corpus": "sayings"}
            )
        for turn, emotion in enumerate(("neutral", "anger", "anger", "happiness")):
            rows.append(
                {"id": f"call_{speaker}_{turn}", "text": SAYINGS[emotion], "emotion": emotion}
                | {"audio": f"{speaker}_{emotion}_0.wav", "split": split, "corpus": "talks"}
                | {"speaker": f"{speaker}{turn % 2}", "dialogue_id": f"d{speaker}", "turn_index": turn}
                | {"valence": {"anger": -1, "neutral": 0, "happiness": 1}[emotion]}
            )
    return rows


def write_manifest(folder: Path, rows: list[dict[str, Any]], name: str = "manifest.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return folder / name


def save_text_encoder(folder: Path, **options: Any) -> Path:
    config = tiny_config().text_config
    for name, value in options.items():
        setattr(config, name, value)
    AutoModel.from_config(config).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def save_audio_encoder(folder: Path, norm: str = "layer", kind: str = "wav2vec2", **options: Any) -> Path:
    values = wav2vec2_options(norm, kind)["audio_config"] | options
    AutoModel.from_config(AutoConfig.for_model(values.pop("model_type"), **values)).save_pretrained(folder)
    return folder


def made_data(folder: Path) -> Path:
    """Fill a folder with manifest.csv, its clips, and tiny encoders `bert`, `wav2vec2` and `hubert`."""
    write_manifest(folder, made_rows(folder))
    quiet = dict.fromkeys(("hidden_dropout", "attention_dropout", "activation_dropout"), 0.0)
    quiet |= {"feat_proj_dropout": 0.0, "layerdrop": 0.0}
    save_text_encoder(folder / "bert", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    save_audio_encoder(folder / "wav2vec2", **quiet)
    save_audio_encoder(folder / "hubert", kind="hubert")
    return folder


def write_config(path: Path, **values: Any) -> Path:
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def joint_config(made: Path, **changes: Any) -> dict[str, Any]:
    """Return a tiny joint training on the made data; `changes` by dotted name with "__" for dots."""
    config: dict[str, Any] = {
        "data": [{"corpus": "manifest", "path": str(made / "manifest.csv"), "name": "made"}],
        "model": {"text_encoder": str(made / "bert"), "options": dict(TINY)},
        "joint": {"steps": 4, "batch_size": 4, "validate_every": 2, "dialogue_turns": 3},
    }
    for name, value in changes.items():
        inner = config
        *path, last = name.split("__")
        for key in path:
            inner = inner.setdefault(key, {})
        inner[last] = value
    return config


def command(*arguments: object, processes: int = 1) -> list[str]:
    """Return `mmser` as a command of its own, or of several processes."""
    words = [str(argument) for argument in arguments]
    if processes == 1:
        return [sys.executable, "-m", "mmser", *words]
    many = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    return [sys.executable, *many, "-m", "mmser", *words]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def run(*arguments: object, processes: int = 1, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments, processes=processes),
        capture_output=True,
        text=True,
        env=environment(),
        timeout=900,  # on a machine that is busy with other work
        check=False,
        **options,
    )
