"""A small made corpus of voices for whole evaluations: tones whose pitch tells the emotion."""

import csv
from pathlib import Path

import soundfile

from tests.call_fixtures import RATE, voice

EMOTIONS = ("anger", "neutral", "sadness")
PITCH = {"anger": 240, "neutral": 160, "sadness": 95}
SPLIT = {0: "train", 1: "train", 2: "validation", 3: "test", 4: "test"}  # by speaker


def write_corpus(folder: Path, *, speakers: int = 5, each: int = 2, splits: bool = True) -> Path:
    """Write clips and their manifest; each speaker says `each` of every emotion, in its own split."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for speaker in range(speakers):
        for emotion in EMOTIONS:
            for take in range(each):
                name = f"{speaker}-{emotion}-{take}"
                seed = 100 * speaker + 10 * take
                sound = voice(1.0, ((0.1, 0.9),), pitch=PITCH[emotion] + 4 * speaker + take, seed=seed)
                soundfile.write(folder / f"{name}.wav", sound, RATE)
                rows.append(
                    {
                        "id": name,
                        "audio": f"{name}.wav",
                        "text": "where is my parcel" if emotion == "neutral" else f"i am so {emotion}",
                        "emotion": emotion,
                        "speaker": f"s{speaker}",
                        "gender": "female" if speaker % 2 else "male",
                        "language": "en",
                        "split": SPLIT[speaker % 5] if splits else "",
                    }
                )
    manifest = folder / "made.csv"
    with manifest.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return manifest
