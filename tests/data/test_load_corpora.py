"""The corpora of a config in one dataset."""

from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from mmser.data import CORPORA, FEATURES, LICENCES, CorpusEntry, load_corpora
from mmser.data.licences import licence_of
from mmser.errors import DataError, UsageError
from mmser.training.config import TrainingConfig
from mmser.training.rows import load_rows
from tests.data_fixtures import make_crema_d, make_meld, write, write_clip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_crema_d(tmp_path / "crema")
    make_meld(tmp_path / "meld")
    write_clip(tmp_path / "mine" / "1.wav")
    write(tmp_path / "mine" / "m.csv", "audio,emotion,speaker\n1.wav,anger,anna\n1.wav,fear,ben\n")
    return tmp_path


def entries() -> list[CorpusEntry]:
    return [
        CorpusEntry(corpus="crema_d", path="crema", splits={"test": ["1002"]}, share=2),
        CorpusEntry(corpus="meld", path="meld", partial=True),
        CorpusEntry(corpus="manifest", path="mine/m.csv", name="mine", splits={"validation": ["ben"]}),
    ]


def test_corpora_come_one_after_the_other(root: Path):
    dataset = load_corpora(entries(), root)
    assert dataset.features == FEATURES
    assert Counter(dataset["corpus"]) == {"crema_d": 3, "meld": 21, "mine": 2}
    assert [row["split"] for row in dataset if row["corpus"] == "mine"] == ["train", "validation"]
    assert [row["split"] for row in dataset if row["corpus"] == "crema_d"] == ["train", "train", "test"]


def test_streamed_corpora_have_the_same_rows(root: Path):
    assert list(load_corpora(entries(), root, streaming=True)) == list(load_corpora(entries(), root))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"corpus": "cremad", "path": "x"}, "no corpus 'cremad'; did you mean 'crema_d'"),
        ({"corpus": "crema_d"}, "needs either path, its folder, or hub"),
        ({"corpus": "crema_d", "path": "x", "hub": "y"}, "needs either path, its folder, or hub"),
        ({"corpus": "meld", "hub": "y", "revision": "z"}, "is not read from the Hub"),
        ({"corpus": "crema_d", "hub": "AbstractTTS/CREMA-D"}, "needs a revision"),
        ({"corpus": "crema_d", "path": "x", "revision": "z"}, "has a revision but no hub"),
        ({"corpus": "cameo", "path": "x"}, "is read from the Hub only"),
        ({"corpus": "meld", "path": "x", "splits": {}}, "no option splits; its publisher's split is used"),
        ({"corpus": "nemo", "path": "x", "classes": 8}, "nemo has no option classes; it belongs to ravdess"),
        ({"corpus": "nemo", "path": "nowhere"}, "nowhere is missing"),
    ],
)
def test_entries_that_cannot_be_read_are_refused(tmp_path: Path, entry: dict[str, object], message: str):
    with pytest.raises(DataError, match=message):
        load_corpora([CorpusEntry(**entry)], tmp_path)  # type: ignore[arg-type]


def test_no_entries_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match="names no corpus"):
        load_corpora([], tmp_path)


@pytest.mark.parametrize("option", [{"shared": 1}, {"share": 0}, {"share": float("inf")}, {"classes": 9}])
def test_options_of_an_entry_are_strict(option: dict[str, object]):
    with pytest.raises(ValidationError):
        CorpusEntry(corpus="ravdess", path="x", **option)  # type: ignore[arg-type]


def test_own_rows_without_speakers_cannot_be_split_by_them(root: Path):
    write(root / "mine" / "m.csv", "audio,emotion\n1.wav,anger\n")
    entry = CorpusEntry(corpus="manifest", path="mine/m.csv", splits={"test": ["anna"]})
    with pytest.raises(DataError, match="the row m:2 has no speaker"):
        load_corpora([entry], root)


def test_splits_do_not_override_what_the_data_themselves_keep_for_testing(root: Path):
    rows = "1.wav,anger,anna,\n1.wav,fear,ben,test\n"
    write(root / "mine" / "m.csv", f"audio,emotion,speaker,split\n{rows}")
    entry = CorpusEntry(corpus="manifest", path="mine/m.csv", name="mine", splits={"test": ["anna"]})
    with pytest.raises(DataError, match="mine: the row m:3 is marked test in the data, and the config"):
        load_corpora([entry], root)
    write_clip(root / "parts" / "test" / "anger" / "1.wav")
    entry = CorpusEntry(corpus="audio_folder", path="parts", splits={})
    with pytest.raises(DataError, match="the row test/anger/1 is marked test in the data"):
        load_corpora([entry], root)


def test_a_call_goes_whole_to_the_split_of_who_is_named_in_it(root: Path):
    turns = "".join(
        f"words {i},anger,{speaker},{call}\n"
        for i, (speaker, call) in enumerate([("anna", 1), ("lee", 1), ("ben", 2), ("kim", 2), ("ben", 3)])
    )
    write(root / "mine" / "m.csv", f"text,emotion,speaker,dialogue_id\n{turns}")
    entry = CorpusEntry(
        corpus="manifest", path="mine/m.csv", splits={"test": ["anna"], "validation": ["ben"]}
    )
    assert load_corpora([entry], root)["split"] == ["test", "test", *["validation"] * 3]
    entry = CorpusEntry(
        corpus="manifest", path="mine/m.csv", splits={"test": ["anna"], "validation": ["lee"]}
    )
    with pytest.raises(
        DataError, match="manifest/1 holds anna, who is named for test, and lee, who is named for val"
    ):
        load_corpora([entry], root)


def test_every_public_corpus_has_a_licence():
    assert set(LICENCES) == set(CORPORA) - {"manifest", "audio_folder", "calls", "published"}
    assert licence_of("cameo_cafe") == LICENCES["cameo"] and licence_of("mine") is None


def test_rows_of_two_tables_may_not_have_one_name(tmp_path: Path):
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").write_text(f"id,text,emotion,split\n1,hello,anger,{name}\n", "utf-8")
    entries = [CorpusEntry(corpus="manifest", path=f"{name}.csv") for name in ("train", "test")]
    with pytest.raises(DataError, match="2 rows are called manifest/1; give each of your corpora a `name`"):
        load_corpora(entries, tmp_path)
    named = [entry.model_copy(update={"name": entry.path}) for entry in entries]
    assert len(load_corpora(named, tmp_path)) == 2


def test_commercial_use_looks_at_the_rows_of_what_may_hold_any_corpus(tmp_path: Path):
    (tmp_path / "t.csv").write_text("text,emotion,split,corpus\nHello,anger,train,ravdess\n", "utf-8")
    config = TrainingConfig(commercial_only=True, data=[CorpusEntry(corpus="manifest", path="t.csv")])
    with pytest.raises(UsageError, match="ravdess"):
        load_rows(config, tmp_path, tmp_path / "work", skip_bad=False)


def test_a_published_dataset_is_named_by_a_folder_that_is_there_or_by_a_commit(tmp_path: Path):
    with pytest.raises(DataError, match="nowhere"):
        load_corpora([CorpusEntry(corpus="published", path="nowhere")], tmp_path)
    with pytest.raises(DataError, match="needs a revision"):
        load_corpora([CorpusEntry(corpus="published", hub="me/mine")], tmp_path)
    with pytest.raises(DataError, match="published has no option splits"):
        load_corpora([CorpusEntry(corpus="published", hub="me/mine", splits={})], tmp_path)
