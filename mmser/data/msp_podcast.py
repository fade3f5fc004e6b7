"""MSP-Podcast: spontaneous speech from podcasts, rated by listeners."""

from collections.abc import Mapping
from pathlib import Path

from datasets import Dataset

from mmser.data.schema import Example, Split, to_dataset
from mmser.data.tables import clips_in, nearest, read_rows, require_folder, require_whole, scaled
from mmser.errors import DataError

# None = no class among the seven: the row stays, without a label.
MSP_EMOTIONS: Mapping[str, str | None] = {
    "A": "anger",
    "S": "sadness",
    "H": "happiness",
    "U": "surprise",
    "F": "fear",
    "D": "disgust",
    "N": "neutral",
    "C": None,  # contempt
    "O": None,  # other
    "X": None,  # the listeners did not agree
}
TEST_SETS = ("Test1", "Test2")


def read_msp_podcast(folder: Path, *, test_set: str = "Test1", partial: bool = False) -> Dataset:
    """Read MSP-Podcast (Lotfian & Busso 2019, licence by signature), English, some 1,500 or more speakers.

    Official split: Train, Development and one of the test sets (Test2 has other podcasts, chosen at random;
    Test3's labels are not published). Contempt, "other" and clips without agreement have no label but stay.
    The ratings of 1 to 7 become valence in [-1, 1] (4 = 0) and, from activation, intensity in [0, 1] (1 = 0).
    Clips whose speaker is unknown have none.

    Args:
        folder: holds Labels/labels_consensus.csv, Audios/ (or Audio/) and, for the words, Transcripts/.
        test_set: which test set to read as test.
        partial: True = accept a folder that lacks clips of the table.

    Returns:
        Rows of `FEATURES`, in the order of the table.

    Raises:
        DataError: if a file is missing, a row cannot be read, or the test set is unknown.
    """
    return to_dataset(msp_podcast_examples(folder, test_set=test_set, partial=partial))


def msp_podcast_examples(folder: Path, *, test_set: str = "Test1", partial: bool = False) -> list[Example]:
    """Return what `read_msp_podcast` reads, as examples."""
    if test_set not in TEST_SETS:
        raise DataError(f"msp_podcast has no test set {test_set!r}; {nearest(test_set, TEST_SETS)}")
    parts: dict[str, Split] = {"Train": "train", "Development": "validation", test_set: "test"}
    columns = ("FileName", "EmoClass", "EmoAct", "EmoVal", "SpkrID", "Gender", "Split_Set")
    table = require_folder(folder) / "Labels" / "labels_consensus.csv"
    everything = list(read_rows(table, columns))
    known = {part: part for part in ("Train", "Development", *TEST_SETS, "Test3")}
    rows = [row for row in everything if row.choice("Split_Set", known) in parts]
    clips = clips_in(folder / "Audios" if (folder / "Audios").is_dir() else folder / "Audio", "**/*.*")
    missing = [row.need("FileName") for row in rows if Path(row.need("FileName")).stem not in clips]
    require_whole(missing, len(rows) - len(missing), len(rows), "clips", folder, partial=partial)
    examples = []
    for row in rows:
        stem = Path(row.need("FileName")).stem
        label = MSP_EMOTIONS[row.choice("EmoClass", {name: name for name in MSP_EMOTIONS})]
        activation, valence = row.number("EmoAct", 1, 7), row.number("EmoVal", 1, 7)
        speaker = row.need("SpkrID")
        if stem not in clips:
            continue
        examples.append(
            Example(
                id=stem,
                corpus="msp_podcast",
                split=parts[row.need("Split_Set")],
                audio=clips[stem],
                text=_words(folder / "Transcripts" / f"{stem}.txt"),
                emotions=() if label is None else (label,),
                intensity=None if activation is None else scaled(activation, 1, 7),
                valence=None if valence is None else 2 * scaled(valence, 1, 7) - 1,
                speaker=None if speaker.casefold() == "unknown" else f"msp_podcast/{speaker}",
                gender=_gender(row.text("Gender")),
                language="en",
                session=f"msp_podcast/{stem.rsplit('_', 1)[0]}",
            )
        )
    return examples


def _words(path: Path) -> str | None:
    return path.read_text(encoding="utf-8", errors="replace").strip() or None if path.exists() else None


def _gender(word: str | None) -> str | None:
    return None if word is None or word.casefold() == "unknown" else word.lower()
