"""Datasets of the Hub, by their columns, whole and streamed; here from folders with the same files."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Audio, ClassLabel, Dataset, Features, IterableDataset, Value

from mmser.data import (
    FEATURES,
    Example,
    check_audio,
    examples_of,
    hub_cameo,
    hub_crema_d,
    hub_emodb,
    hub_iemocap,
    hub_ravdess,
)
from mmser.errors import DataError
from tests.data_fixtures import write_clip

TEXT, NUMBER = Value("string"), Value("float32")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what `datasets` stores out of the user's cache."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def sound(tmp_path: Path) -> bytes:
    return write_clip(tmp_path / "sound.wav").read_bytes()


def make_hub(folder: Path, columns: dict[str, Any], rows: list[dict[str, Any]], split: str = "train") -> str:
    """Write rows as a Hub dataset's Parquet file and return its id."""
    features = Features({**columns, "audio": Audio()})
    (folder / "data").mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows, schema=features.arrow_schema)
    pq.write_table(table, folder / "data" / f"{split}-00000-of-00001.parquet")
    return str(folder)


def both(read: Any, dataset_id: str, **options: Any) -> list[Example]:
    """Read whole and streamed, which must agree."""
    whole = read(dataset_id, revision=None, **options)
    stream = read(dataset_id, revision=None, streaming=True, **options)
    assert isinstance(whole, Dataset) and isinstance(stream, IterableDataset)
    assert whole.features == stream.features == FEATURES
    assert list(whole) == list(stream)
    assert check_audio(stream) == []
    return list(examples_of(whole))


def test_crema_d_takes_the_highest_ratings(tmp_path: Path, sound: bytes):
    rated = dict.fromkeys(("angry", "sad", "disgust", "fear", "neutral", "happy"), 0.0)
    common = {"audio": {"bytes": sound, "path": "x.wav"}, "gender": "Female", "transcription": "it's eleven"}
    rows = [
        {
            **common,
            **rated,
            "angry": 0.6,
            "sad": 0.4,
            "file": "1001_IEO_FEA_HI.wav",
            "major_emotion": "angry",
        },
        {**common, **rated, "sad": 0.5, "happy": 0.5, "file": "1002_DFA_SAD_XX.wav", "major_emotion": "sad"},
        {**common, **rated, "file": "1003_DFA_SAD_XX.wav", "major_emotion": "sad"},
    ]
    names = ("file", "gender", "transcription", "major_emotion")
    columns = {**dict.fromkeys(names, TEXT), **dict.fromkeys(rated, NUMBER)}
    first, tied, unrated = both(hub_crema_d, make_hub(tmp_path, columns, rows), splits={"test": ["1002"]})
    assert (first.emotions, first.speaker, first.gender) == (("anger",), "crema_d/1001", "female")
    assert tied.emotions == ("happiness", "sadness") and unrated.emotions == ("sadness",)
    assert [row.split for row in (first, tied, unrated)] == ["train", "test", "train"]


def test_iemocap_keeps_turns_without_a_class(tmp_path: Path, sound: bytes):
    common = {
        "audio": {"bytes": sound, "path": None},
        "gender": "Male",
        "EmoAct": 3.0,
        "EmoVal": 1.0,
        "EmoDom": 2.0,
    }
    rows = [
        {**common, "file": "Ses05F_impro01_M003.wav", "major_emotion": "excited", "transcription": "Yes!"},
        {**common, "file": "Ses05F_impro01_F003.wav", "major_emotion": "frustrated", "transcription": "No."},
    ]
    columns = dict.fromkeys(("file", "gender", "major_emotion", "transcription"), TEXT)
    columns |= dict.fromkeys(("EmoAct", "EmoVal", "EmoDom"), NUMBER)
    excited, frustrated = both(hub_iemocap, make_hub(tmp_path, columns, rows), splits={"test": ["Ses05F"]})
    assert (excited.emotions, excited.valence, excited.intensity) == (("happiness",), -1.0, 0.5)
    assert frustrated.emotions == () and frustrated.split == "test" and excited.split == "train"
    assert (excited.speaker, excited.session) == ("iemocap/Ses05M", "iemocap/Ses05")


def test_ravdess_is_read_from_its_names(tmp_path: Path, sound: bytes):
    names = ["03-01-02-02-01-01-16", "03-01-03-01-02-01-07", "03-01-03-01-02-02-07"]
    rows = [{"file": f"{name}.wav", "audio": {"bytes": sound, "path": None}} for name in names]
    calm, happy = both(
        hub_ravdess, make_hub(tmp_path, {"file": TEXT}, rows), splits={"test": ["07"]}, classes=8
    )
    assert calm.emotions == ("calm",) and calm.speaker == "ravdess/16" and calm.gender == "female"
    assert (happy.intensity, happy.sentence, happy.split) == (0.4, "ravdess/02", "test")


def test_ravdess_is_read_from_columns_where_there_are_no_names(tmp_path: Path, sound: bytes):
    labels = ClassLabel(names=["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"])
    columns = {"text": TEXT, "labels": labels, "speaker_id": TEXT, "speaker_gender": TEXT}
    row = {"text": "Dogs", "labels": 1, "speaker_id": "7", "speaker_gender": "male"}
    rows = [{**row, "audio": {"bytes": sound, "path": None}}]
    (calm,) = both(hub_ravdess, make_hub(tmp_path, columns, rows))
    assert (calm.emotions, calm.speaker, calm.gender) == (("neutral",), "ravdess/07", "male")


def test_emodb_tells_speakers_by_age_and_gender_and_leaves_boredom_out(tmp_path: Path, sound: bytes):
    names = ["anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness"]
    columns = {
        "age": NUMBER,
        "gender": ClassLabel(names=["female", "male"]),
        "emotion": ClassLabel(names=names),
    }
    rows = [
        {"age": 31.0, "gender": gender, "emotion": emotion, "audio": {"bytes": sound, "path": path}}
        for gender, emotion, path in ((1, 4, "03a01Fa.wav"), (0, 5, None), (1, 1, "03a04Lc.wav"))
    ]
    happy, neutral = both(hub_emodb, make_hub(tmp_path, columns, rows), splits={"test": ["16"]})
    assert (happy.id, happy.emotions, happy.speaker, happy.sentence) == (
        "03a01Fa",
        ("happiness",),
        "emodb/03",
        "emodb/a01",
    )
    assert (neutral.speaker, neutral.sentence, neutral.split) == ("emodb/16", None, "test")


def test_cameos_splits_are_corpora(tmp_path: Path, sound: bytes):
    columns = dict.fromkeys(
        (
            "file_id",
            "emotion",
            "transcription",
            "speaker_id",
            "gender",
            "age",
            "dataset",
            "language",
            "license",
        ),
        TEXT,
    )
    row = {"audio": {"bytes": sound, "path": None}, "transcription": "x", "gender": "male", "license": "?"}
    polish = {**row, "file_id": "a.flac", "emotion": "surprise", "speaker_id": "WR0", "age": "23"}
    french = {**row, "file_id": "b.flac", "emotion": "pain", "speaker_id": "1", "age": None}
    make_hub(tmp_path, columns, [{**polish, "dataset": "nEMO", "language": "Polish"}], "nemo")
    hub = make_hub(tmp_path, columns, [{**french, "dataset": "CaFE", "language": "French"}], "cafe")
    rows = {e.corpus: e for e in both(hub_cameo, hub, splits={"test": ["nemo/WR0"]})}
    assert (rows["nemo"].speaker, rows["nemo"].split, rows["nemo"].age) == ("nemo/WR0", "test", 23)
    assert rows["cameo_cafe"].emotions == () and rows["cameo_cafe"].language == "fr"
    assert [e.corpus for e in both(hub_cameo, hub, corpora=["cafe"])] == ["cameo_cafe"]
    with pytest.raises(DataError, match="no corpus 'coffee'"):
        hub_cameo(hub, revision=None, corpora=["coffee"])


def test_a_dataset_without_the_columns_is_refused(tmp_path: Path, sound: bytes):
    hub = make_hub(tmp_path, {"file": TEXT}, [{"file": "x", "audio": {"bytes": sound, "path": None}}])
    with pytest.raises(DataError, match="has no column 'age' as emodb should; it has file, audio"):
        hub_emodb(hub, revision=None)
    with pytest.raises(DataError, match="'x' is not a name of RAVDESS"):
        hub_ravdess(hub, revision=None)


def test_a_hub_id_needs_a_revision_and_says_when_it_cannot_be_reached():
    with pytest.raises(DataError, match="needs a revision: give the commit"):
        hub_crema_d(revision=None)
    with pytest.raises(DataError, match="AbstractTTS/CREMA-D cannot be loaded"):
        hub_crema_d(revision="5a17278")
