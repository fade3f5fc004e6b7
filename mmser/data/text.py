"""Text corpora: GoEmotions, EmoBank and SemEval-2018 EI-reg. Written language, no sound."""

from collections.abc import Iterator
from pathlib import Path

from datasets import Dataset

from mmser.data.schema import Example, Split, to_dataset
from mmser.data.tables import nearest, read_lines, read_rows, require, require_folder, require_rows
from mmser.errors import DataError
from mmser.labels import EMOTIONS

_FILES: tuple[tuple[Split, str], ...] = (("train", "train"), ("validation", "dev"), ("test", "test"))
_NAMES = {"joy": "happiness"}
# How many rows the publishers' files have.
_GOEMOTIONS_ROWS = {"train": 43_410, "dev": 5_426, "test": 5_427}
_EMOBANK_ROWS = 10_062
_SEMEVAL_ROWS = {
    "train": {"anger": 1_701, "fear": 2_252, "joy": 1_616, "sadness": 1_533},
    "dev": {"anger": 388, "fear": 389, "joy": 290, "sadness": 397},
}
_EMOBANK_SPLITS = {"train": "train", "dev": "validation", "test": "test"}
SEMEVAL_EMOTIONS = {"anger": "anger", "fear": "fear", "joy": "happiness", "sadness": "sadness"}


def read_goemotions(folder: Path, *, partial: bool = False) -> Dataset:
    """Read GoEmotions with Ekman's six classes and neutral (Demszky et al. 2020, Apache-2.0).

    Official train, dev and test; multi-label; written English.

    Args:
        folder: holds labels.txt and {train,dev,test}.tsv of text, comma-separated label ids, comment id.
        partial: True = accept files that lack rows.

    Returns:
        Rows of `FEATURES`: 43,410 / 5,426 / 5,427, in the order of the files.

    Raises:
        DataError: if a file is missing or was cut, or a line cannot be read.
    """
    return to_dataset(goemotions_examples(folder, partial=partial))


def goemotions_examples(folder: Path, *, partial: bool = False) -> list[Example]:
    """Return what `read_goemotions` reads, as examples."""
    path = require(require_folder(folder) / "labels.txt")
    labels = [_NAMES.get(name, name) for name in path.read_text(encoding="utf-8").split()]
    unknown = [label for label in labels if label not in EMOTIONS]
    if unknown:
        raise DataError(
            f"{path} names {unknown[0]!r}; {nearest(unknown[0], EMOTIONS)} "
            "(take the Ekman files, not those with 28 emotions)"
        )
    examples = []
    for split, name in _FILES:
        path = folder / f"{name}.tsv"
        comments = list(_comments(path, len(labels)))
        require_rows(path, len(comments), _GOEMOTIONS_ROWS[name], partial=partial)
        for text, ids, comment in comments:
            emotions = tuple(labels[i] for i in ids)
            examples.append(
                Example(
                    id=comment, corpus="goemotions", split=split, text=text, emotions=emotions, language="en"
                )
            )
    return examples


def _comments(path: Path, num_labels: int) -> Iterator[tuple[str, list[int], str]]:
    for number, line in enumerate(read_lines(path), 1):
        cells = line.rsplit("\t", 2)
        ids = [int(i) for i in cells[1].split(",") if i.isdecimal()] if len(cells) == 3 else []
        if not ids or max(ids) >= num_labels:
            raise DataError(
                f"{path}, line {number}: {line[:60]!r} is not text, label ids below {num_labels} and an id"
            )
        yield cells[0], ids, cells[2]


def read_emobank(folder: Path, *, partial: bool = False) -> Dataset:
    """Read EmoBank (Buechel & Hahn 2017, CC BY-SA 4.0): valence of written English, no emotion.

    Official split. Valence of 1 to 5 is scaled to [-1, 1], 3 = 0; arousal and dominance have no column here.

    Args:
        folder: holds emobank.csv.
        partial: True = accept files that lack rows.

    Returns:
        Rows of `FEATURES`: 8,062 / 1,000 / 1,000, in the order of the file.

    Raises:
        DataError: if the file is missing or was cut, or a row cannot be read.
    """
    return to_dataset(emobank_examples(folder, partial=partial))


def emobank_examples(folder: Path, *, partial: bool = False) -> list[Example]:
    """Return what `read_emobank` reads, as examples."""
    examples = []
    path = require_folder(folder) / "emobank.csv"
    for row in read_rows(path, ("id", "split", "V", "A", "D", "text")):
        valence = row.number("V", 1, 5)
        examples.append(
            Example(
                id=row.need("id"),
                corpus="emobank",
                split=_split(row.choice("split", _EMOBANK_SPLITS)),
                text=row.text("text"),
                emotions=(),
                valence=None if valence is None else (valence - 3) / 2,
                language="en",
            )
        )
    require_rows(path, len(examples), _EMOBANK_ROWS, partial=partial)
    return examples


def _split(name: str) -> Split:
    return "train" if name == "train" else "test" if name == "test" else "validation"


def read_semeval_ei(folder: Path, *, partial: bool = False) -> Dataset:
    """Read SemEval-2018 EI-reg (Mohammad et al. 2018, research only): how strong an emotion a tweet holds.

    Official train and dev. Each file is of one emotion, which is the label; the intensity in [0, 1] says how
    much of it annotators saw, so that one near 0 hardly has the emotion. The test files are not read: most
    of their lines are the organisers' other sentences.

    Args:
        folder: holds EI-reg-En-{anger,fear,joy,sadness}-{train,dev}.txt.
        partial: True = accept files that lack rows.

    Returns:
        Rows of `FEATURES`: 7,102 / 1,464, in the order of the files.

    Raises:
        DataError: if a file is missing or was cut, or a row cannot be read.
    """
    return to_dataset(semeval_ei_examples(folder, partial=partial))


def semeval_ei_examples(folder: Path, *, partial: bool = False) -> list[Example]:
    """Return what `read_semeval_ei` reads, as examples."""
    columns = ("ID", "Tweet", "Affect Dimension", "Intensity Score")
    examples = []
    for split, part in _FILES[:2]:
        for name in SEMEVAL_EMOTIONS:
            path = require_folder(folder) / f"EI-reg-En-{name}-{part}.txt"
            rows = list(read_rows(path, columns, delimiter="\t", quoted=False))
            require_rows(path, len(rows), _SEMEVAL_ROWS[part][name], partial=partial)
            for row in rows:
                intensity = row.number("Intensity Score", 0, 1)
                examples.append(
                    Example(
                        id=f"{name}/{row.need('ID')}",
                        corpus="semeval_ei",
                        split=split,
                        text=row.need("Tweet").replace("\\n", "\n"),
                        emotions=(row.choice("Affect Dimension", SEMEVAL_EMOTIONS),),
                        intensity=intensity,
                        language="en",
                    )
                )
    return examples
