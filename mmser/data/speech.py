"""Acted speech corpora: RAVDESS, nEMO, EmoDB and EMOVO. They repeat a few sentences in every emotion."""

import re
from collections import Counter
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Literal

from datasets import Dataset

from mmser.data.schema import Example, Split, to_dataset
from mmser.data.splits import Splits, assign_splits
from mmser.data.tables import clips_in, listing, nearest, read_rows, require_folder, require_whole
from mmser.errors import DataError

Classes = Literal[7, 8]

RAVDESS_EMOTIONS = {
    "01": "neutral",
    "02": "calm",  # its own class only in the 8-class task; neutral among the seven
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
RAVDESS_SENTENCES = {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}
RAVDESS_INTENSITY = {"01": 0.4, "02": 1.0}
# The publisher's own duplicate: the same recording as 03-01-03-01-02-01-07 under a second name.
RAVDESS_DUPLICATE = "03-01-03-01-02-02-07"
_RAVDESS_NAME = re.compile(r"03-01-(0[1-8])-(0[12])-(0[12])-(0[12])-(0[1-9]|1\d|2[0-4])")
_RAVDESS_ACTORS = [f"{actor:02d}" for actor in range(1, 25)]

NEMO_EMOTIONS = {
    "anger": "anger",
    "fear": "fear",
    "happiness": "happiness",
    "neutral": "neutral",
    "sadness": "sadness",
    "surprised": "surprise",
}
# Boredom (L) has no class among the seven: its clips are left out.
EMODB_EMOTIONS = {
    "W": "anger",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
EMODB_BOREDOM = "L"
# Speaker → clips, gender, age in years, as published.
EMODB_SPEAKERS: Mapping[str, tuple[int, str, int]] = {
    "03": (49, "male", 31),
    "08": (58, "female", 34),
    "09": (43, "female", 21),
    "10": (38, "male", 32),
    "11": (55, "male", 26),
    "12": (35, "male", 30),
    "13": (61, "female", 32),
    "14": (69, "female", 35),
    "15": (56, "male", 25),
    "16": (71, "female", 31),
}
_EMODB_NAME = re.compile(r"(\d\d)([ab]\d\d)([WLEAFTN])([a-z])")
EMOVO_EMOTIONS = {
    "dis": "disgust",
    "gio": "happiness",
    "neu": "neutral",
    "pau": "fear",
    "rab": "anger",
    "sor": "surprise",
    "tri": "sadness",
}
_EMOVO_NAME = re.compile(r"([a-z]{3})-([fm][1-3])-([a-z]\d)")
EMOVO_CLIPS = 98  # a speaker's: 14 sentences in 7 emotions


def seven(label: str, classes: int = 7) -> str:
    """Return a label of the 8-class task as one of the seven, unless `classes` is 8."""
    return "neutral" if label == "calm" and classes == 7 else label


def _parsed(stem: str, name: re.Pattern[str], path: Path, like: str) -> tuple[str, ...]:
    match = name.fullmatch(stem)
    if match is None:
        raise DataError(f"{path} does not have a name like {like}; take it out of the folder")
    return match.groups()


# --- RAVDESS ---------------------------------------------------------------------------------------------


def read_ravdess(
    folder: Path,
    splits: Splits | None = None,
    *,
    classes: Classes = 7,
    partial: bool = False,
    keep_duplicate: bool = False,
) -> Dataset:
    """Read RAVDESS speech (Livingstone & Russo 2018, CC BY-NC-SA 4.0), English, 24 actors, two sentences.

    The publisher has no split. Intensity is 0.4 where the actor was asked for a normal and 1.0 for a strong
    expression; neutral and calm have none.

    Args:
        folder: holds Actor_01 … Actor_24.
        splits: test and validation actors, {"test": ["06"]}; all others train.
        classes: 8 = keep the label "calm"; 7 = it is neutral.
        partial: True = accept a folder that lacks actors or clips.
        keep_duplicate: True = keep the recording that the publisher lists under two names twice.

    Returns:
        Rows of `FEATURES`, in order of file names.

    Raises:
        DataError: if the folder is missing or not whole, a file is not named as RAVDESS's are, or the splits
            name an actor who is not there.
    """
    return to_dataset(
        ravdess_examples(folder, splits, classes=classes, partial=partial, keep_duplicate=keep_duplicate)
    )


def ravdess_examples(
    folder: Path,
    splits: Splits | None = None,
    *,
    classes: Classes = 7,
    partial: bool = False,
    keep_duplicate: bool = False,
) -> list[Example]:
    """Return what `read_ravdess` reads, as examples."""
    clips = clips_in(require_folder(folder), "Actor_*/*.*")
    _require_whole_ravdess(folder, clips, partial)
    actors = {path.stem[-2:] for path in clips.values()}
    parts = assign_splits(splits, actors, "ravdess")
    examples = []
    for stem, path in clips.items():
        if ravdess_name(stem) is None:
            raise DataError(
                f"{path} does not have a name like 03-01-05-02-01-01-16; take it out of the folder"
            )
        if stem != RAVDESS_DUPLICATE or keep_duplicate:
            examples.append(ravdess_example(stem, path, parts[stem[-2:]], classes))
    return examples


def ravdess_name(stem: str) -> tuple[str, ...] | None:
    """Return emotion, intensity, sentence, take and actor of a clip's name; None if it is not one."""
    match = _RAVDESS_NAME.fullmatch(stem)
    return None if match is None else match.groups()


def ravdess_example(stem: str, path: Path | None, split: Split, classes: int) -> Example:
    """Return what the name of a clip tells."""
    emotion, level, sentence, _, actor = ravdess_name(stem) or ("",) * 5
    return Example(
        id=stem,
        corpus="ravdess",
        split=split,
        audio=path,
        text=RAVDESS_SENTENCES[sentence],
        emotions=(seven(RAVDESS_EMOTIONS[emotion], classes),),
        intensity=None if emotion in ("01", "02") else RAVDESS_INTENSITY[level],
        speaker=f"ravdess/{actor}",
        gender="female" if int(actor) % 2 == 0 else "male",
        language="en",
        sentence=f"ravdess/{sentence}",
    )


def _require_whole_ravdess(folder: Path, clips: Mapping[str, Path], partial: bool) -> None:
    missing = []
    for actor in _RAVDESS_ACTORS:
        stems = [
            f"03-01-{emotion}-{level}-{sentence}-{take}-{actor}"
            for emotion, level, sentence, take in product(RAVDESS_EMOTIONS, *[("01", "02")] * 3)
            if (emotion, level) != ("01", "02")  # neutral has no strong level
        ]
        absent = [stem for stem in stems if stem not in clips]
        missing += [f"Actor_{actor} (all {len(stems)})"] if len(absent) == len(stems) else absent
    require_whole(missing, len(clips), 60 * len(_RAVDESS_ACTORS), "clips", folder, partial=partial)


# --- nEMO ------------------------------------------------------------------------------------------------


def read_nemo(folder: Path, splits: Splits | None = None, *, partial: bool = False) -> Dataset:
    """Read nEMO (Christop 2024, CC BY-NC-SA 4.0), Polish, 9 speakers, 90 sentences.

    The publisher has no split. There is no disgust and no intensity.

    Args:
        folder: holds data.tsv and samples/.
        splits: test and validation speakers, {"test": ["IC0", "MP0"]}; all others train.
        partial: True = accept a folder that lacks clips.

    Returns:
        Rows of `FEATURES`, in the order of data.tsv.

    Raises:
        DataError: if a file is missing, a row cannot be read, or the splits name an unknown speaker.
    """
    return to_dataset(nemo_examples(folder, splits, partial=partial))


def nemo_examples(folder: Path, splits: Splits | None = None, *, partial: bool = False) -> list[Example]:
    """Return what `read_nemo` reads, as examples."""
    columns = ("file_id", "emotion", "raw_text", "speaker_id", "gender", "age")
    table = require_folder(folder) / "data.tsv"
    rows = list(read_rows(table, columns, delimiter="\t", quoted=False))
    clips = clips_in(folder / "samples")
    stems = [Path(row.need("file_id")).stem for row in rows]
    missing = [stem for stem in stems if stem not in clips]
    require_whole(missing, len(rows) - len(missing), len(rows), "clips", folder, partial=partial)
    # The publisher pads speaker_id with blanks, which `need` takes off.
    parts = assign_splits(splits, {row.need("speaker_id") for row in rows}, "nemo")
    return [
        Example(
            id=stem,
            corpus="nemo",
            split=parts[row.need("speaker_id")],
            audio=clips[stem],
            text=row.text("raw_text"),
            emotions=(row.choice("emotion", NEMO_EMOTIONS),),
            speaker=f"nemo/{row.need('speaker_id')}",
            gender=row.text("gender"),
            age=row.number("age", 0, 120),
            language="pl",
            sentence=f"nemo/{stem.rsplit('_', 1)[1]}",
        )
        for row, stem in zip(rows, stems, strict=True)
        if stem in clips
    ]


# --- EmoDB -----------------------------------------------------------------------------------------------


def read_emodb(folder: Path, splits: Splits | None = None, *, partial: bool = False) -> Dataset:
    """Read EmoDB (Burkhardt et al. 2005, CC BY 4.0 as far as known), German, 10 speakers, 10 sentences.

    The publisher has no split. Boredom is left out: it has no class among the seven. No intensity.

    Args:
        folder: holds the clips, named like 03a01Wa, or a folder wav with them.
        splits: test and validation speakers, {"test": ["15", "16"]}; all others train.
        partial: True = accept a folder that lacks clips.

    Returns:
        Rows of `FEATURES`, in order of file names.

    Raises:
        DataError: if the folder is missing or not whole, a file is not named as EmoDB's are, or the splits
            name an unknown speaker.
    """
    return to_dataset(emodb_examples(folder, splits, partial=partial))


def emodb_examples(
    folder: Path, splits: Splits | None = None, *, partial: bool = False, boredom: bool = False
) -> list[Example]:
    """Return what `read_emodb` reads, as examples; with `boredom`, its clips too (for the 7-class task)."""
    clips = clips_in(require_folder(folder)) or clips_in(folder / "wav")
    names = {stem: _parsed(stem, _EMODB_NAME, path, "03a01Wa") for stem, path in clips.items()}
    counts = Counter(speaker for speaker, *_ in names.values())
    _require_speakers(counts, {s: n for s, (n, _, _) in EMODB_SPEAKERS.items()}, folder, partial)
    parts = assign_splits(splits, counts, "emodb")
    examples = []
    for stem, (speaker, sentence, emotion, _) in names.items():
        if emotion == EMODB_BOREDOM and not boredom:
            continue
        _, gender, age = EMODB_SPEAKERS[speaker]
        examples.append(
            Example(
                id=stem,
                corpus="emodb",
                split=parts[speaker],
                audio=clips[stem],
                emotions=("boredom" if emotion == EMODB_BOREDOM else EMODB_EMOTIONS[emotion],),
                speaker=f"emodb/{speaker}",
                gender=gender,
                age=age,
                language="de",
                sentence=f"emodb/{sentence}",
            )
        )
    return examples


def emodb_name(stem: str) -> tuple[str, ...] | None:
    """Return speaker, sentence, emotion and version of a clip's name; None if it is not one."""
    match = _EMODB_NAME.fullmatch(stem)
    return None if match is None else match.groups()


# --- EMOVO -----------------------------------------------------------------------------------------------


def read_emovo(folder: Path, splits: Splits | None = None, *, partial: bool = False) -> Dataset:
    """Read EMOVO (Costantini et al. 2014, research only), Italian, 6 actors, 14 sentences, 588 clips.

    The publisher has no split. No intensity.

    Args:
        folder: holds f1, f2, f3, m1, m2 and m3 with clips named like dis-f1-b1.wav.
        splits: test and validation actors, {"test": ["f3", "m3"]}; all others train.
        partial: True = accept a folder that lacks actors or clips.

    Returns:
        Rows of `FEATURES`, in order of file names.

    Raises:
        DataError: if the folder is missing or not whole, a file is not named as EMOVO's are, or the splits
            name an unknown actor.
    """
    return to_dataset(emovo_examples(folder, splits, partial=partial))


def emovo_examples(folder: Path, splits: Splits | None = None, *, partial: bool = False) -> list[Example]:
    """Return what `read_emovo` reads, as examples."""
    clips = clips_in(require_folder(folder), "[fm][123]/*.*")
    names = {stem: _parsed(stem, _EMOVO_NAME, path, "dis-f1-b1") for stem, path in clips.items()}
    for stem, (emotion, *_) in names.items():
        if emotion not in EMOVO_EMOTIONS:
            raise DataError(f"{clips[stem]}: emotion {emotion!r}; {nearest(emotion, EMOVO_EMOTIONS)}")
    counts = Counter(actor for _, actor, _ in names.values())
    expected = {f"{sex}{number}": EMOVO_CLIPS for sex, number in product("fm", "123")}
    _require_speakers(counts, expected, folder, partial)
    parts = assign_splits(splits, counts, "emovo")
    return [
        Example(
            id=stem,
            corpus="emovo",
            split=parts[actor],
            audio=clips[stem],
            emotions=(EMOVO_EMOTIONS[emotion],),
            speaker=f"emovo/{actor}",
            gender="female" if actor[0] == "f" else "male",
            language="it",
            sentence=f"emovo/{sentence}",
        )
        for stem, (emotion, actor, sentence) in names.items()
    ]


def _require_speakers(
    counts: Mapping[str, int], expected: Mapping[str, int], folder: Path, partial: bool
) -> None:
    """Refuse a folder in which a speaker has fewer clips than published, or is not known at all."""
    unknown = sorted(set(counts) - set(expected))
    if unknown:
        raise DataError(
            f"{folder} has clips of an unknown speaker {unknown[0]!r}; known: {listing(expected, 30)}"
        )
    missing = [
        f"{n - counts.get(speaker, 0)} of {n} clips of speaker {speaker}"
        for speaker, n in expected.items()
        if counts.get(speaker, 0) < n
    ]
    require_whole(missing, sum(counts.values()), sum(expected.values()), "clips", folder, partial=partial)
