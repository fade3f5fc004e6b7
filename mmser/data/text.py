"""Text corpora: GoEmotions and MELD."""

import csv
from pathlib import Path

from mmser.data.examples import Example, Split
from mmser.errors import MmserError

_SPLIT_FILES: tuple[tuple[Split, str], ...] = (("train", "train"), ("validation", "dev"), ("test", "test"))
_NAMES = {"joy": "happiness"}
_SENTIMENT = {"negative": -1, "neutral": 0, "positive": 1}


def require(path: Path) -> Path:
    """Return `path`.

    Raises:
        MmserError: if a file of a corpus is missing.
    """
    if not path.exists():
        raise MmserError(f"the corpus file {path} is missing; point --data at the folder of corpora")
    return path


def read_goemotions(folder: Path) -> list[Example]:
    """Read GoEmotions with Ekman's six classes and neutral (Demszky et al. 2020, Apache-2.0).

    Official train/dev/test; multi-label; written English. `folder` holds labels.txt and
    {train,dev,test}.tsv of text, comma-separated label ids, comment id.
    """
    labels = [_NAMES.get(name, name) for name in require(folder / "labels.txt").read_text().split()]
    examples = []
    for split, name in _SPLIT_FILES:
        for line in require(folder / f"{name}.tsv").read_text(encoding="utf-8").splitlines():
            text, ids, _ = line.rsplit("\t", 2)
            examples.append(
                Example(
                    corpus="goemotions",
                    split=split,
                    text=text,
                    emotions=tuple(labels[int(i)] for i in ids.split(",")),
                    language="en",
                )
            )
    return examples


def read_meld(folder: Path) -> list[Example]:
    """Read MELD's text (Poria et al. 2019, GPL-3.0 repository, television dialogue: research only).

    The official split shares speakers between train and test and keeps dialogues apart: every
    number from it is "speaker-overlapping, dialogue-disjoint".
    """
    examples = []
    for split, name in _SPLIT_FILES:
        with require(folder / f"{name}_sent_emo.csv").open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                label = row["Emotion"]
                examples.append(
                    Example(
                        corpus="meld",
                        split=split,
                        text=row["Utterance"].replace("\x92", "'"),
                        emotions=(_NAMES.get(label, label),),
                        valence=_SENTIMENT[row["Sentiment"]],
                        speaker=f"meld/{row['Speaker']}",
                        language="en",
                        dialogue_id=f"meld/{split}/{row['Dialogue_ID']}",
                        turn_index=int(row["Utterance_ID"]),
                    )
                )
    return examples
