"""MELD: dialogues of a television series, as text, or with the clips."""

from pathlib import Path

from datasets import Dataset

from mmser.data.changes import with_change
from mmser.data.schema import Example, Split, to_dataset
from mmser.data.tables import Row, clips_in, read_rows, require_folder, require_rows, require_whole

MELD_EMOTIONS = {
    "anger": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "joy": "happiness",
    "neutral": "neutral",
    "sadness": "sadness",
    "surprise": "surprise",
}
MELD_SENTIMENT = {"negative": "-1", "neutral": "0", "positive": "1"}
# How many rows the publisher's tables have.
_ROWS = {"train": 9_989, "dev": 1_109, "test": 2_610}
_TABLES: tuple[tuple[Split, str], ...] = (("train", "train"), ("validation", "dev"), ("test", "test"))
# The publisher's folders of clips, and the plain names that people give them.
_CLIPS = {
    "train": ("train_splits", "train"),
    "validation": ("dev_splits_complete", "dev", "validation"),
    "test": ("output_repeated_splits_test", "test"),
}
# The publisher's archive lacks one clip and holds one that no decoder reads.
MELD_LOST_CLIPS = {"validation/dia110_utt7", "train/dia125_utt3"}


def read_meld(folder: Path, *, clips: Path | None = None, partial: bool = False) -> Dataset:
    """Read MELD (Poria et al. 2019, GPL-3.0 repository, television dialogue: research only), English.

    The official split shares speakers between train and test and keeps dialogues apart: every number from it
    is "speaker-overlapping, dialogue-disjoint". Valence is the rated sentiment, -1, 0 or 1; `change` compares
    a turn with the same speaker's previous one in the dialogue, its direction by the sentiment.

    Args:
        folder: holds train_sent_emo.csv, dev_sent_emo.csv and test_sent_emo.csv.
        clips: holds train_splits, dev_splits_complete and output_repeated_splits_test (or train, dev, test)
            with dia0_utt0.mp4 or the same as .wav; None = text only.
        partial: True = tables may lack rows, and turns whose clip is missing stay, as text.

    Returns:
        Rows of `FEATURES`: 9,989 / 1,109 / 2,610, in the order of the tables.

    Raises:
        DataError: if a file, rows or a clip are missing (but for the two that are known to be lost), or a row
            cannot be read.
    """
    return to_dataset(meld_examples(folder, clips=clips, partial=partial))


def meld_examples(folder: Path, *, clips: Path | None = None, partial: bool = False) -> list[Example]:
    """Return what `read_meld` reads, as examples."""
    columns = ("Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID")
    examples: list[Example] = []
    missing: list[str] = []
    for split, name in _TABLES:
        found = {} if clips is None else _clips_of(clips, split)
        path = require_folder(folder) / f"{name}_sent_emo.csv"
        rows = list(read_rows(path, columns))
        require_rows(path, len(rows), _ROWS[name], partial=partial)
        for row in rows:
            clip = f"dia{row.whole('Dialogue_ID')}_utt{row.whole('Utterance_ID')}"
            key = f"{split}/{clip}"
            audio = None if key in MELD_LOST_CLIPS else found.get(clip)
            if clips is not None and audio is None and key not in MELD_LOST_CLIPS:
                missing.append(key)
            examples.append(_example(row, split, key, audio))
    if clips is not None:
        there = sum(example.audio is not None for example in examples)
        require_whole(missing, there, there + len(missing), "clips", clips, partial=partial)
    return with_change(examples, by_valence=True)


def _clips_of(folder: Path, split: Split) -> dict[str, Path]:
    places = [require_folder(folder) / name for name in _CLIPS[split] if (folder / name).is_dir()]
    return clips_in(places[0]) if places else {}


def _example(row: Row, split: Split, key: str, audio: Path | None) -> Example:
    return Example(
        id=key,
        corpus="meld",
        split=split,
        audio=audio,
        # The tables hold apostrophes of another code page.
        text=row.cells["Utterance"].replace("\x92", "'"),
        emotions=(row.choice("Emotion", MELD_EMOTIONS),),
        valence=float(row.choice("Sentiment", MELD_SENTIMENT)),
        speaker=f"meld/{row.need('Speaker')}",
        language="en",
        dialogue_id=f"meld/{split}/{row.need('Dialogue_ID')}",
        turn_index=row.whole("Utterance_ID"),
    )
