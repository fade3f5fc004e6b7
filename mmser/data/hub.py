"""Corpora from the Hugging Face Hub, their columns mapped to the schema, whole or streamed.

Every function takes a dataset's id, or a folder that holds the same files, and a revision: a commit, so that
what was trained on can be told later. Audio stays encoded; mmser decodes it when it is needed.
"""

from collections.abc import Sequence
from pathlib import Path

from datasets import concatenate_datasets

from mmser.data.crema_d import CREMA_D_SENTENCES, crema_d_name
from mmser.data.hub_loading import HubDataset, HubMapping, Raw, hub_split_names, read_hub
from mmser.data.schema import Example
from mmser.data.speech import (
    EMODB_SPEAKERS,
    RAVDESS_DUPLICATE,
    emodb_name,
    ravdess_example,
    ravdess_name,
    seven,
)
from mmser.data.splits import Splits, named_splits
from mmser.data.tables import SYNONYMS, nearest, scaled
from mmser.errors import DataError
from mmser.labels import EMOTIONS

HUB_IDS = {
    "crema_d": "AbstractTTS/CREMA-D",
    "iemocap": "AbstractTTS/IEMOCAP",
    "ravdess": "AbstractTTS/RAVDESS",
    "emodb": "renumics/emodb",
    "cameo": "amu-cai/CAMEO",
}
LANGUAGES = {
    "bengali": "bn",
    "english": "en",
    "french": "fr",
    "german": "de",
    "italian": "it",
    "polish": "pl",
    "russian": "ru",
    "spanish": "es",
}
_RATED = ("angry", "disgust", "fear", "happy", "neutral", "sad")
_CAMEO_CORPORA = {"crema-d": "crema_d", "nemo": "nemo", "ravdess": "ravdess"}


def hub_crema_d(
    dataset_id: str = HUB_IDS["crema_d"],
    *,
    revision: str | None,
    streaming: bool = False,
    splits: Splits | None = None,
) -> HubDataset:
    """Read CREMA-D from the Hub: the emotion is the highest of the six ratings, several where they tie.

    The ratings are shares of votes, so there is no intensity. The actor is told by the file's name.

    Args:
        dataset_id: id, or a folder with the same files.
        revision: commit; None only for a folder.
        streaming: True = rows come as they are asked for, and nothing is stored.
        splits: test and validation actors, {"test": ["1001"]}; all others train.

    Raises:
        DataError: if it cannot be loaded or lacks a column.
    """
    parts = named_splits(splits, "crema_d")

    def example(row: Raw) -> Example:
        actor, sentence = crema_d_name(Path(row["file"]).stem)
        rated = {name: row[name] or 0.0 for name in _RATED}
        top = max(rated.values())
        voted = [name for name in _RATED if top > 0 and rated[name] == top] or [row["major_emotion"]]
        return Example(
            id=Path(row["file"]).stem,
            corpus="crema_d",
            split=parts.get(actor, "train"),
            text=CREMA_D_SENTENCES[sentence],
            emotions=_labels(*voted),
            speaker=f"crema_d/{actor}",
            gender=_lower(row["gender"]),
            language="en",
            sentence=f"crema_d/{sentence}",
        )

    columns = ("file", "audio", "gender", "major_emotion", *_RATED)
    return read_hub(
        dataset_id, revision, streaming, HubMapping(corpus="crema_d", columns=columns, example=example)
    )


def hub_iemocap(
    dataset_id: str = HUB_IDS["iemocap"],
    *,
    revision: str | None,
    streaming: bool = False,
    splits: Splits | None = None,
) -> HubDataset:
    """Read IEMOCAP from the Hub; labels and ratings as in `read_iemocap`.

    The turns' times are not there, so neither is their order: no `dialogue_id`, `turn_index` and `change`.

    Args:
        dataset_id: id, or a folder with the same files.
        revision: commit; None only for a folder.
        streaming: True = rows come as they are asked for, and nothing is stored.
        splits: test and validation speakers, {"test": ["Ses05F", "Ses05M"]}; all others train.

    Raises:
        DataError: if it cannot be loaded or lacks a column.
    """
    parts = named_splits(splits, "iemocap")

    def example(row: Raw) -> Example:
        name = Path(row["file"]).stem
        speaker = f"{name[:5]}{name.rsplit('_', 1)[-1][0]}"
        return Example(
            id=name,
            corpus="iemocap",
            split=parts.get(speaker, "train"),
            text=row["transcription"] or None,
            emotions=_labels(row["major_emotion"]),
            intensity=scaled(row["EmoAct"], 1, 5),
            valence=2 * scaled(row["EmoVal"], 1, 5) - 1,
            speaker=f"iemocap/{speaker}",
            gender=_lower(row["gender"]),
            language="en",
            session=f"iemocap/{name[:5]}",
        )

    columns = ("file", "audio", "major_emotion", "EmoAct", "EmoVal", "transcription", "gender")
    return read_hub(
        dataset_id, revision, streaming, HubMapping(corpus="iemocap", columns=columns, example=example)
    )


def hub_ravdess(
    dataset_id: str = HUB_IDS["ravdess"],
    *,
    revision: str | None,
    streaming: bool = False,
    splits: Splits | None = None,
    classes: int = 7,
) -> HubDataset:
    """Read RAVDESS from the Hub, where its columns hold the publisher's file names; rows as `read_ravdess`.

    The name is taken from `file`, or from the path of the audio. narad/ravdess, which is a script that
    `datasets` no longer runs, is read where it was converted to Parquet.

    Args:
        dataset_id: id, or a folder with the same files.
        revision: commit; None only for a folder.
        streaming: True = rows come as they are asked for, and nothing is stored.
        splits: test and validation actors, {"test": ["06"]}; all others train.
        classes: 8 = keep the label "calm"; 7 = it is neutral.

    Raises:
        DataError: if it cannot be loaded, lacks a column, or does not hold the names.
    """
    parts = named_splits(splits, "ravdess")

    def example(row: Raw) -> Example:
        name = _name(row)
        if ravdess_name(name) is not None:
            return ravdess_example(name, None, parts.get(name[-2:], "train"), classes)
        if row.get("speaker_id") is None or row.get("labels") is None:
            raise DataError(
                f"{dataset_id}: {name!r} is not a name of RAVDESS such as 03-01-05-02-01-01-16, and "
                "there are no columns labels and speaker_id; read the publisher's folder instead"
            )
        actor = f"{int(row['speaker_id']):02d}"
        return Example(
            corpus="ravdess",
            split=parts.get(actor, "train"),
            text=row.get("text"),
            emotions=tuple(seven(x, classes) for x in _labels(row["labels"], keep_calm=True)),
            speaker=f"ravdess/{actor}",
            gender=_lower(row.get("speaker_gender")),
            language="en",
        )

    mapping = HubMapping(
        corpus="ravdess",
        columns=("audio",),
        example=example,
        keep=lambda row: _name(row) != RAVDESS_DUPLICATE,
    )
    return read_hub(dataset_id, revision, streaming, mapping)


def hub_emodb(
    dataset_id: str = HUB_IDS["emodb"],
    *,
    revision: str | None,
    streaming: bool = False,
    splits: Splits | None = None,
) -> HubDataset:
    """Read EmoDB from the Hub; boredom is left out, and each speaker is told by age and gender.

    Args:
        dataset_id: id, or a folder with the same files.
        revision: commit; None only for a folder.
        streaming: True = rows come as they are asked for, and nothing is stored.
        splits: test and validation speakers, {"test": ["15", "16"]}; all others train.

    Raises:
        DataError: if it cannot be loaded, lacks a column, or holds a person who is not of the ten.
    """
    parts = named_splits(splits, "emodb")
    # No two of the ten have both in common.
    people = {(gender, age): speaker for speaker, (_, gender, age) in EMODB_SPEAKERS.items()}

    def example(row: Raw) -> Example:
        person = (str(row["gender"]), int(row["age"]))
        if person not in people:
            raise DataError(f"{dataset_id}: nobody in EmoDB is {person[0]} and {person[1]} years old")
        speaker, name = people[person], emodb_name(_name(row))
        return Example(
            id=_name(row) if name else "",
            corpus="emodb",
            split=parts.get(speaker, "train"),
            emotions=_labels(row["emotion"]),
            speaker=f"emodb/{speaker}",
            gender=person[0],
            age=person[1],
            language="de",
            sentence=f"emodb/{name[1]}" if name else None,
        )

    mapping = HubMapping(
        corpus="emodb",
        columns=("audio", "age", "gender", "emotion"),
        example=example,
        keep=lambda row: row["emotion"] != "boredom",
    )
    return read_hub(dataset_id, revision, streaming, mapping)


def hub_cameo(
    dataset_id: str = HUB_IDS["cameo"],
    *,
    revision: str | None,
    streaming: bool = False,
    splits: Splits | None = None,
    corpora: Sequence[str] | None = None,
) -> HubDataset:
    """Read CAMEO (Christop & Czajka 2025), 13 acted corpora in eight languages, a licence each.

    Its splits are corpora. Corpora that mmser reads itself keep their names and speakers, so that the same
    voices are not taken for others: do not read both. Calm is neutral, excited happiness;
    what has no class among the seven has no label.

    Args:
        dataset_id: id, or a folder with the same files.
        revision: commit; None only for a folder.
        streaming: True = rows come as they are asked for, and nothing is stored.
        splits: test and validation speakers, {"test": ["nemo/IC0"]}; all others train.
        corpora: which to read, by the names of its splits; None = all.

    Raises:
        DataError: if it cannot be loaded, lacks a column, or a corpus is unknown.
    """
    parts = named_splits(splits, "cameo")

    def example(row: Raw) -> Example:
        corpus = _CAMEO_CORPORA.get(row["dataset"].lower(), f"cameo_{row['dataset'].lower()}")
        speaker = f"{corpus}/{row['speaker_id']}" if row["speaker_id"] else None
        age = str(row.get("age") or "")
        return Example(
            id=Path(row["file_id"]).stem,
            corpus=corpus,
            split=parts.get(speaker or "", "train"),
            text=row["transcription"] or None,
            emotions=_labels(row["emotion"]),
            speaker=speaker,
            gender=_lower(row["gender"]),
            age=float(age) if age.replace(".", "", 1).isdecimal() else None,
            language=LANGUAGES.get(row["language"].lower(), row["language"].lower()),
        )

    columns = ("file_id", "audio", "emotion", "transcription", "speaker_id", "gender", "dataset", "language")
    mapping = HubMapping(corpus="cameo", columns=columns, example=example)
    names = hub_split_names(dataset_id, revision)
    for name in corpora or ():
        if name not in names:
            raise DataError(f"{dataset_id} has no corpus {name!r}; {nearest(name, names)}")
    parts_read = [read_hub(dataset_id, revision, streaming, mapping, split=name) for name in corpora or names]
    return parts_read[0] if len(parts_read) == 1 else concatenate_datasets(parts_read)


# --- words -----------------------------------------------------------------------------------------------


def _labels(*words: str | None, keep_calm: bool = False) -> tuple[str, ...]:
    """Return what of the words is a class, in our names; other words have none."""
    found = []
    for word in words:
        plain = (word or "").strip().lower()
        name = plain if plain == "calm" and keep_calm else SYNONYMS.get(plain, plain)
        if name in (*EMOTIONS, "calm") and name not in found:
            found.append(name)
    return tuple(found)


def _name(row: Raw) -> str:
    """Return the file's name without suffix, from `file` or the audio."""
    return Path(row.get("file") or (row["audio"] or {}).get("path") or "").stem


def _lower(word: str | None) -> str | None:
    return word.lower() if word else None
