"""Datasets of the Hub as the input of a batch; here from folders with the same files."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from datasets import Audio, ClassLabel, Dataset, DatasetDict, Features, Value, load_from_disk

from mmser.audio import open_recording
from mmser.batch.input.fetching import fetch
from mmser.batch.input.hub import loaded_commit
from mmser.batch.input.reading import read_input
from mmser.batch.records import BatchInput, DatasetSource
from mmser.errors import AudioError, DataError, UsageError
from tests.data_fixtures import write_clip

TEXT = Value("string")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what `datasets` stores out of the user's cache."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


def clip(tmp_path: Path, hertz: float = 200.0) -> bytes:
    return write_clip(tmp_path / "clip.wav", hertz=hertz).read_bytes()


def make(folder: Path, columns: dict[str, Any], rows: list[dict[str, Any]], split: str = "train") -> Path:
    """Write rows as the Parquet file of a dataset on the Hub."""
    features = Features(columns)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    table = pyarrow.Table.from_pylist(rows, schema=features.arrow_schema)
    pyarrow.parquet.write_table(table, folder / "data" / f"{split}-00000-of-00001.parquet")
    return folder


def read(folder: Path | str, **options: Any) -> BatchInput:
    return read_input([f"hf:{folder}"], **{"split": None, "revision": None, **options})


def test_rows_hold_their_sound_and_pass_their_columns_through(tmp_path: Path):
    first, second = clip(tmp_path), clip(tmp_path, 300.0)
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "one.vtt").write_text("WEBVTT\n")
    columns = {
        "audio": Audio(),
        "transcript": TEXT,
        "roles": TEXT,
        "language": TEXT,
        "team": ClassLabel(names=["north", "south"]),
        "score": Value("float32"),
        "raw": Value("binary"),
    }
    rows = [
        {"audio": {"bytes": first, "path": "x/one.wav"}, "transcript": "one.vtt", "roles": "agent,customer",
         "language": "en", "team": 1, "score": 0.5, "raw": b"\0"},
        {"audio": {"bytes": second, "path": None}, "transcript": "Good morning.", "roles": "agnt", "team": 0},
        {"audio": {"bytes": second, "path": "one.wav"}},
        {"audio": None},
    ]  # fmt: skip
    folder = make(tmp_path / "hub", columns, rows)
    found = read(folder)
    assert found.dataset == DatasetSource(
        name=str(folder), split="train", revision=None, audio_column="audio"
    )
    assert found.columns == {"team": "string", "score": "float"}
    one, two, three, four = found.rows
    assert (one.id, one.index, one.audio, one.language) == ("one", 0, (), "en")
    assert one.transcript == f"{folder}/one.vtt" and one.channel_roles == ("agent", "customer")
    assert one.columns == {"team": "south", "score": 0.5} and one.problem is None
    assert (two.id, two.index, two.transcript, two.columns["team"]) == ("train:1", 1, None, "north")
    assert two.problem is not None and "row 1 (counted from 0): the role 'agnt' is unknown" in two.problem
    assert (three.id, three.problem) == ("one:2", None)
    assert four.index is None and "neither audio nor transcript" in str(four.problem)
    assert any("1 cells of the column 'transcript' are no paths" in warning for warning in found.warnings)
    assert any("'raw'" in warning for warning in found.warnings)
    with ExitStack() as stack:
        fetched = fetch(three, found.dataset, stack)
        assert fetched.sources == (second,) and fetched.names == (f"{folder}, row 2 (counted from 0)",)
        assert fetch(one, found.dataset, stack).transcript == f"{folder}/one.vtt"
        with open_recording(*fetched.sources) as source:
            assert source.num_channels == 1


def test_a_column_of_sound_is_named_and_text_in_audio_is_then_the_users(tmp_path: Path):
    columns = {"sound": Audio(), "audio": TEXT, "id": Value("int64")}
    rows = [{"sound": {"bytes": clip(tmp_path), "path": None}, "audio": "said", "id": 7}]
    folder = make(tmp_path / "hub", columns, rows)
    with pytest.raises(DataError, match=r"which holds no sound .*; name 'sound' with --audio-column"):
        read(folder)
    found = read(folder, audio_column="sound")
    (row,) = found.rows
    assert (row.id, row.index, row.columns) == ("7", 0, {"audio": "said"})
    with ExitStack() as stack:
        assert fetch(row, found.dataset, stack).sources == (clip(tmp_path),)


def test_a_dataset_of_sound_alone_has_rows(tmp_path: Path):
    rows = [{"audio": {"bytes": clip(tmp_path), "path": None}}] * 3
    assert [row.id for row in read(make(tmp_path / "hub", {"audio": Audio()}, rows)).rows] == [
        "train:0", "train:1", "train:2"
    ]  # fmt: skip


def test_of_several_splits_one_is_named(tmp_path: Path):
    rows = [{"audio": {"bytes": clip(tmp_path), "path": None}}]
    for split, n in (("train", 2), ("test", 1)):
        folder = make(tmp_path / "hub", {"audio": Audio()}, rows * n, split)
    with pytest.raises(DataError, match="has the splits train, test; name one with --split"):
        read(folder)
    with pytest.raises(DataError, match="has no split 'dev'; it has train, test"):
        read(folder, split="dev")
    found = read(folder, split="test")
    assert [row.id for row in found.rows] == ["test:0"]
    with ExitStack() as stack, pytest.raises(DataError, match="has no row 5, as it holds 1 now"):
        fetch(found.rows[0].from_dict(found.rows[0].to_dict() | {"index": 5}), found.dataset, stack)


def test_rows_that_hold_a_path_are_read_from_the_datasets_folder(tmp_path: Path):
    rows = [{"audio": {"bytes": None, "path": name}} for name in ("a.wav", "/abs/b.wav", "memory://no/c.wav")]
    folder = make(tmp_path / "hub", {"audio": Audio()}, rows)
    found = read(folder)
    with ExitStack() as stack:
        fetched = [fetch(row, found.dataset, stack).sources for row in found.rows[:2]]
        assert fetched == [(f"{folder}/a.wav",), ("/abs/b.wav",)]
        with pytest.raises(AudioError, match=r"memory://no/c.wav does not exist"):
            fetch(found.rows[2], found.dataset, stack)


def test_datasets_that_were_saved_to_disk_are_read(tmp_path: Path):
    features = Features({"audio": {"bytes": Value("binary"), "path": TEXT}, "id": TEXT})
    rows = [{"audio": {"bytes": clip(tmp_path), "path": None}, "id": "a"}]
    made = Dataset.from_list(rows, features=features)
    made.save_to_disk(tmp_path / "one")
    DatasetDict({"train": made, "test": made}).save_to_disk(tmp_path / "two")
    for found in (read(tmp_path / "one"), read(tmp_path / "two", split="test")):
        assert [row.id for row in found.rows] == ["a"]
        with ExitStack() as stack:
            assert fetch(found.rows[0], found.dataset, stack).sources == (clip(tmp_path),)


def test_a_commit_is_read_from_where_the_library_stores_a_dataset(tmp_path: Path):
    commit = "0123456789abcdef" * 2 + "01234567"
    Dataset.from_dict({"id": ["a"]}).save_to_disk(tmp_path / commit)
    assert loaded_commit(load_from_disk(tmp_path / commit)) == commit
    assert loaded_commit(Dataset.from_dict({"id": ["a"]})) is None


def test_a_dataset_is_the_only_input_and_a_folder_has_no_revision(tmp_path: Path):
    folder = make(tmp_path / "hub", {"audio": Audio()}, [])
    with pytest.raises(UsageError, match="a dataset is the only input of a batch"):
        read_input([f"hf:{folder}", str(tmp_path)], split=None, revision=None)
    with pytest.raises(UsageError, match="is a folder, which has no revision 'v1'"):
        read(folder, revision="v1")


def test_a_dataset_that_cannot_be_loaded_is_an_error_of_one_sentence(tmp_path: Path):
    broken = tmp_path / "broken"
    (broken / "data").mkdir(parents=True)
    (broken / "data" / "train-0.parquet").write_bytes(b"junk")
    files = tmp_path / "files"
    write_clip(files / "a.wav")
    empty = tmp_path / "empty"
    Dataset.from_dict({"audio": []}).save_to_disk(empty)
    for name, message in (
        ("nobody/nothing", "nobody/nothing cannot be loaded: Couldn't reach"),
        ("./nowhere", "is no folder; give the folder of a dataset"),
        ("", "is no folder"),
        (str(broken), "cannot be loaded"),
        (str(files), "give the folder of these files itself, without hf:"),
        (str(empty), "empty cannot be loaded"),
    ):
        with pytest.raises(DataError) as caught:
            read(name)
        assert message in str(caught.value) and "\n" not in str(caught.value)
