"""CREMA-D: what listeners heard in the voice, not what the actors were asked for."""

import re
from collections.abc import Mapping
from pathlib import Path

from datasets import Dataset

from mmser.data.schema import Example, to_dataset
from mmser.data.splits import Splits, assign_splits
from mmser.data.tables import Row, clips_in, nearest, read_rows, require, require_folder, require_whole
from mmser.errors import DataError

CREMA_D_EMOTIONS = {
    "A": "anger",
    "D": "disgust",
    "F": "fear",
    "H": "happiness",
    "N": "neutral",
    "S": "sadness",
}
CREMA_D_SENTENCES = {
    "IEO": "It's eleven o'clock.",
    "TIE": "That is exactly what happened.",
    "IOM": "I'm on my way to the meeting.",
    "IWW": "I wonder what this is about.",
    "TAI": "The airplane is almost full.",
    "MTI": "Maybe tomorrow it will be cold.",
    "IWL": "I would like a new alarm clock.",
    "ITH": "I think I have a doctor's appointment.",
    "DFA": "Don't forget a jacket.",
    "ITS": "I think I've seen this before.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
_NAME = re.compile(r"(1\d{3})_([A-Z]{3})_([A-Z]{3})_(LO|MD|HI|XX?)")
MAX_LEVEL = 100.0  # of the listeners' slider


def read_crema_d(folder: Path, splits: Splits | None = None, *, partial: bool = False) -> Dataset:
    """Read CREMA-D (Cao et al. 2014, ODbL 1.0), English, 91 actors, 12 sentences, 7,442 clips.

    The emotion is the majority of the listeners who only heard the voice (`VoiceVote`), several where the
    vote is tied; the intensity is their mean `VoiceLevel` on a slider of 0 to 100, scaled to [0, 1], the mean
    over the labels of a tie. The codes in the file names say what the actor was asked for, which is not used.
    The publisher has no split.

    Args:
        folder: holds AudioWAV/, processedResults/summaryTable.csv and, for gender and age,
            VideoDemographics.csv.
        splits: test and validation actors, {"test": ["1001"]}; all others train.
        partial: True = accept a folder that lacks clips of the table.

    Returns:
        Rows of `FEATURES`, in the order of the table.

    Raises:
        DataError: if a file is missing, a row cannot be read, or the splits name an unknown actor.
    """
    return to_dataset(crema_d_examples(folder, splits, partial=partial))


def crema_d_examples(folder: Path, splits: Splits | None = None, *, partial: bool = False) -> list[Example]:
    """Return what `read_crema_d` reads, as examples."""
    rows = list(read_rows(_summary(folder), ("FileName", "VoiceVote", "VoiceLevel")))
    clips = clips_in(folder / "AudioWAV")
    missing = [row.need("FileName") for row in rows if row.need("FileName") not in clips]
    require_whole(missing, len(rows) - len(missing), len(rows), "clips", folder, partial=partial)
    kept = [row for row in rows if row.need("FileName") in clips]
    names = [crema_d_name(row.need("FileName")) for row in kept]
    parts = assign_splits(splits, {actor for actor, _ in names}, "crema_d")
    people = _demographics(folder)
    examples = []
    for row, (actor, sentence) in zip(kept, names, strict=True):
        emotions, intensity = _votes(row)
        gender, age = people.get(actor, (None, None))
        examples.append(
            Example(
                id=row.need("FileName"),
                corpus="crema_d",
                split=parts[actor],
                audio=clips[row.need("FileName")],
                text=CREMA_D_SENTENCES[sentence],
                emotions=emotions,
                intensity=intensity,
                speaker=f"crema_d/{actor}",
                gender=gender,
                age=age,
                language="en",
                sentence=f"crema_d/{sentence}",
            )
        )
    return examples


def crema_d_name(stem: str) -> tuple[str, str]:
    """Return actor and sentence of a clip's name, "1001_IEO_ANG_HI" → ("1001", "IEO").

    Raises:
        DataError: if it is not such a name.
    """
    match = _NAME.fullmatch(stem)
    if match is None or match[2] not in CREMA_D_SENTENCES:
        raise DataError(f"{stem!r} is not a name of CREMA-D such as 1001_IEO_ANG_HI")
    return match[1], match[2]


def _summary(folder: Path) -> Path:
    """Find the table of votes; the publisher has moved it once."""
    places = [require_folder(folder) / p / "processedResults" for p in (".", "data/InfoAndStats")]
    found = [place / "summaryTable.csv" for place in places if (place / "summaryTable.csv").exists()]
    return found[0] if found else require(places[0] / "summaryTable.csv")


def _votes(row: Row) -> tuple[tuple[str, ...], float]:
    """Return the emotions that most listeners heard and their level in [0, 1]."""
    letters, levels = row.need("VoiceVote").split(":"), row.need("VoiceLevel").split(":")
    unknown = [letter for letter in letters if letter not in CREMA_D_EMOTIONS]
    if unknown:
        raise row.error(f"VoiceVote is {row.text('VoiceVote')!r}; {nearest(unknown[0], CREMA_D_EMOTIONS)}")
    if len(levels) != len(letters):
        raise row.error(f"VoiceLevel {row.text('VoiceLevel')} does not fit VoiceVote {row.text('VoiceVote')}")
    cells = {f"VoiceLevel {i}": level for i, level in enumerate(levels)}
    numbers = [Row(row.path, row.line, cells).number(name, 0, MAX_LEVEL) or 0.0 for name in cells]
    return tuple(CREMA_D_EMOTIONS[x] for x in letters), sum(numbers) / len(numbers) / MAX_LEVEL


def _demographics(folder: Path) -> Mapping[str, tuple[str | None, float | None]]:
    path = folder / "VideoDemographics.csv"
    if not path.exists():
        return {}
    rows = read_rows(path, ("ActorID", "Age", "Sex"))
    return {row.need("ActorID"): (row.need("Sex").lower(), row.number("Age", 0, 120)) for row in rows}
