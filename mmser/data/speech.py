"""Acted speech corpora: RAVDESS, nEMO and EmoDB. They repeat a few sentences in every emotion."""

import csv
from collections.abc import Mapping
from pathlib import Path

from mmser.data.examples import Example, Split
from mmser.data.text import require

_RAVDESS_EMOTIONS = {
    "01": "neutral",
    "02": "neutral",  # calm is its own class only in the 8-class task
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
_NEMO_EMOTIONS = {"angry": "anger", "surprised": "surprise", "happy": "happiness"}
# Boredom (L) has no class among the seven: its clips are left out.
_EMODB_EMOTIONS = {
    "W": "anger",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
_RAVDESS_INTENSITY = {"01": 0.4, "02": 1.0}
# The publisher's own duplicate: the same recording under two names.
_RAVDESS_DUPLICATE = "03-01-03-01-02-02-07"


def read_ravdess(folder: Path, splits: Mapping[str, Split]) -> list[Example]:
    """Read RAVDESS speech (Livingstone & Russo 2018, CC BY-NC-SA 4.0), English, two sentences.

    Args:
        folder: holds Actor_01 … Actor_24 (some may be absent).
        splits: actor ("01") → split.
    """
    examples = []
    for path in sorted(require(folder).glob("Actor_*/*.*")):
        _, _, emotion, level, sentence, _, actor = path.stem.split("-")
        if path.stem == _RAVDESS_DUPLICATE:
            continue
        neutral = emotion in ("01", "02")
        examples.append(
            Example(
                corpus="ravdess",
                split=splits[actor],
                audio=path,
                emotions=(_RAVDESS_EMOTIONS[emotion],),
                intensity=None if neutral else _RAVDESS_INTENSITY[level],
                speaker=f"ravdess/{actor}",
                gender="female" if int(actor) % 2 == 0 else "male",
                language="en",
                sentence=f"ravdess/{sentence}",
            )
        )
    return examples


def read_nemo(folder: Path, splits: Mapping[str, Split]) -> list[Example]:
    """Read nEMO (Christop 2024, CC BY-NC-SA 4.0), Polish, 9 speakers, 90 sentences.

    Args:
        folder: holds data.tsv and samples/.
        splits: speaker ("WR0") → split.
    """
    examples = []
    clips = {path.stem: path for path in (folder / "samples").glob("*.*")}
    with require(folder / "data.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            speaker = row["speaker_id"].strip()
            stem = Path(row["file_id"].strip()).stem
            path = clips.get(stem) or require(folder / "samples" / row["file_id"].strip())
            examples.append(
                Example(
                    corpus="nemo",
                    split=splits[speaker],
                    audio=path,
                    text=row["raw_text"].strip(),
                    emotions=(_NEMO_EMOTIONS.get(row["emotion"], row["emotion"]),),
                    speaker=f"nemo/{speaker}",
                    gender=row["gender"],
                    language="pl",
                    sentence=f"nemo/{stem.rsplit('_', 1)[1]}",
                )
            )
    return examples


def read_emodb(folder: Path, splits: Mapping[str, Split]) -> list[Example]:
    """Read EmoDB (Burkhardt et al. 2005, CC BY 4.0 as far as known), German, 10 speakers.

    Boredom is left out. The clips at hand are cut or padded to 2.00 s: durations mean nothing.

    Args:
        folder: holds the clips, named like 03a01Wa.
        splits: speaker ("03") → split.
    """
    examples = []
    for path in sorted(require(folder).glob("*.*")):
        if path.suffix not in (".flac", ".wav") or path.stem[5] == "L":
            continue
        examples.append(
            Example(
                corpus="emodb",
                split=splits[path.stem[:2]],
                audio=path,
                emotions=(_EMODB_EMOTIONS[path.stem[5]],),
                speaker=f"emodb/{path.stem[:2]}",
                language="de",
                sentence=f"emodb/{path.stem[2:5]}",
            )
        )
    return examples
