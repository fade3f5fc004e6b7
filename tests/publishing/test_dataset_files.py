"""What a published dataset holds, by the folder that is committed: rows, sound, names, card."""

import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from huggingface_hub import DatasetCard

from mmser.data import Example, examples_of, load_corpora, withhold_agents
from mmser.data.corpora import CorpusEntry
from mmser.data.manifest import read_manifest
from mmser.data.published import read_published
from mmser.errors import AudioError, DataError, LeakingSplitError, OutputError, UsageError
from mmser.evaluation.division.training_data import dialogue_digest, hidden_name, training_data
from tests.data_fixtures import RATE, write, write_clip
from tests.publishing.dataset_fixtures import HEADER, NAMES, ROWS, make_own, written


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what `datasets` stores out of the user's cache."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


def plain(example: Example) -> tuple:
    """Return what of a row is the same before and after."""
    return (
        example.corpus,
        example.split,
        example.text,
        example.emotions,
        example.intensity,
        example.role,
        example.turn_index,
        None if example.speaker is None else hidden_name(example.speaker),
        dialogue_digest(example),
    )


@pytest.mark.parametrize("shard_bytes", [1, 500_000_000])
@pytest.mark.parametrize("streaming", [False, True])
def test_rows_come_back_as_they_were_but_for_names(tmp_path: Path, shard_bytes: int, streaming: bool):
    source = make_own(tmp_path / "in")
    written(source, tmp_path / "out", shard_bytes=shard_bytes)
    back = list(read_published(str(tmp_path / "out"), revision=None, streaming=streaming))
    kept, _ = withhold_agents(read_manifest(source, corpus="mine"), ())
    assert sorted(map(plain, examples_of(back)), key=str) == sorted(map(plain, examples_of(kept)), key=str)
    by_text = {row["text"]: row for row in back}
    first = by_text["Hello there"]["audio"]["bytes"]
    assert first == (tmp_path / "in" / "Zoë, first.wav").read_bytes()
    assert by_text["Words alone"]["audio"] is None
    assert {row["start"] for row in back} == {row["channel"] for row in back} == {None}


def test_a_part_of_a_call_is_published_alone_with_the_samples_of_its_own_channel(tmp_path: Path):
    written(make_own(tmp_path / "in"), tmp_path / "out")
    rows = {row["text"]: row for row in read_published(str(tmp_path / "out"), revision=None)}
    samples, rate = soundfile.read(io.BytesIO(rows["Good day"]["audio"]["bytes"]), dtype="int16")
    whole, _ = soundfile.read(tmp_path / "in" / "call.wav", dtype="int16")
    assert rate == RATE and np.array_equal(samples, whole[RATE // 4 : RATE, 1])
    last, _ = soundfile.read(io.BytesIO(rows["Never again"]["audio"]["bytes"]), dtype="int16")
    assert np.array_equal(last, whole[RATE * 3 // 2 :, 1])


def test_an_agent_keeps_words_alone_and_nobody_is_named(tmp_path: Path):
    source = make_own(tmp_path / "in")
    made = written(source, tmp_path / "out")
    rows = {row["text"]: row for row in read_published(str(tmp_path / "out"), revision=None)}
    agent = rows["How can I help"]
    assert agent["audio"] is None and agent["emotion"] is None and made.withheld == 1
    assert len({row["id"] for row in rows.values()}) == len(rows)
    everything = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*.*"))
    for name in (*NAMES, "Zoë", "booth", "second.ogg", "call.wav"):
        assert name.encode() not in everything


def test_who_trained_is_known_again_in_the_published_copy(tmp_path: Path):
    source = make_own(tmp_path / "in")
    written(source, tmp_path / "out")
    seen = training_data(examples_of(read_manifest(source, corpus="mine"))).corpora["mine"]
    copied = training_data(
        example for example in examples_of(read_published(str(tmp_path / "out"), revision=None))
    ).corpora["mine"]
    assert copied.speakers == seen.speakers and copied.dialogues == seen.dialogues


def test_writing_again_changes_no_byte_and_publishing_the_published_keeps_names(tmp_path: Path):
    source = make_own(tmp_path / "in")
    first, again = written(source, tmp_path / "a"), written(source, tmp_path / "b")
    assert first == again
    for name in first.files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    config = write(tmp_path / "again.yaml", f"data: [{{corpus: published, path: {tmp_path / 'a'}}}]\n")
    written(config, tmp_path / "c")
    ids = [
        sorted(row["id"] for row in read_published(str(tmp_path / name), revision=None))
        for name in ("a", "c")
    ]
    assert ids[0] == ids[1]


def test_the_card_is_what_the_hub_reads_and_says_what_people_must_know(tmp_path: Path):
    made = written(make_own(tmp_path / "in"), tmp_path / "out")
    card = DatasetCard.load(tmp_path / "out" / "README.md")
    assert card.data.license == "cc-by-4.0" and card.data.size_categories == ["n<1K"]
    assert card.data.task_categories == ["audio-classification", "text-classification"]
    files = card.data.configs[0]["data_files"]
    assert [part["split"] for part in files] == ["train", "validation", "test"]
    assert made.rows == {"train": 2, "test": 3, "validation": 1}
    for said in ("names the source", "nothing was redacted", "1 turns of agents", "No speaker", "AI Act"):
        assert said in card.text


def test_files_carry_the_feature_that_makes_the_hub_play_them(tmp_path: Path):
    made = written(make_own(tmp_path / "in"), tmp_path / "out")
    name = next(name for name in made.files if name.startswith("data/train"))
    assert b'"_type": "Audio"' in pq.read_schema(tmp_path / "out" / name).metadata[b"huggingface"]


@pytest.mark.parametrize(
    ("rows", "options", "error", "said"),
    [
        (ROWS, {"license": None}, UsageError, "only you can state"),
        (ROWS, {"license": "WTFPL"}, UsageError, "is not known; it is one of CC0-1.0"),
        (ROWS, {"license": "other"}, UsageError, "needs --license-name"),
        (ROWS, {"license_name": "Mine"}, UsageError, "goes with --license other"),
        (ROWS, {"corpus": "theirs"}, UsageError, "is not among the corpora that are named: mine"),
        ((*ROWS, "b1,,More,fear,,Anna,test,,,,,,,"), {}, LeakingSplitError, "speaker in several splits"),
        ((*ROWS, "b1,,More,fear,,Bea,,,,,,,,"), {}, DataError, "1 of 7 rows have no split"),
        (
            ("z,call.wav,,fear,,Bea,,1.5,9,0,,,,",),
            {},
            DataError,
            "1 of 1 rows have a clip that cannot be used",
        ),
        (
            ("z,call.wav,,fear,,Bea,,1.5,9,0,,,,",),
            {"skip_bad": True},
            DataError,
            "no row is left to publish",
        ),
    ],
)
def test_what_may_not_be_published_is_refused_in_a_sentence(
    tmp_path: Path, rows: tuple[str, ...], options: dict, error: type[Exception], said: str
):
    with pytest.raises(error, match=said):
        written(make_own(tmp_path / "in", rows), tmp_path / "out", **options)


def test_leaks_and_broken_clips_are_stated_where_they_are_allowed(tmp_path: Path):
    rows = (*ROWS, "b1,,More,fear,,Anna,test,,,,,,,", "b2,call.wav,Late,fear,,Bea,test,1.5,9,0,,,,")
    made = written(make_own(tmp_path / "in", rows), tmp_path / "out", allow_overlap=True, skip_bad=True)
    assert made.left_out == ("b2",) and made.mark is not None and "overlap allowed" in made.mark
    assert "Mark every number" in made.card and "1 rows whose clip could not be used" in made.card
    assert "Anna" not in made.card and "b2" not in made.card


def test_rows_without_splits_are_one_file_and_stay_without(tmp_path: Path):
    made = written(make_own(tmp_path / "in", ("z,second.ogg,,fear,,,,,,,,,,",)), tmp_path / "out")
    assert [name for name in made.files if "data" in name] == ["data/train-00000-of-00001.parquet"]
    assert made.rows == {"none": 1} and "None: all rows are in the file `train`" in made.card
    assert next(iter(read_published(str(tmp_path / "out"), revision=None)))["split"] is None


def test_terms_of_ones_own_have_a_name(tmp_path: Path):
    options = {"license": "other", "license_name": "Mine, for research"}
    made = written(make_own(tmp_path / "in"), tmp_path / "out", **options)
    assert (
        "license: other\n" in made.card
        and "license_name: mine-for-research\n" in made.card
        and made.license == "Mine, for research"
    )


@pytest.mark.parametrize("corpus", ["iemocap", "meld", "emodb", "msp_podcast", "cmu_mosei", "emovo", "cameo"])
def test_corpora_that_may_not_be_passed_on_are_refused_whatever_holds_them(tmp_path: Path, corpus: str):
    where = "hub: a/b, revision: c" if corpus == "cameo" else "path: nowhere"
    config = write(tmp_path / "c.yaml", f"data: [{{corpus: {corpus}, {where}}}]\n")
    table = write(tmp_path / "t.csv", f"text,emotion,corpus\nHello,anger,{corpus}\n")
    for source in (config, table):
        with pytest.raises(UsageError, match=f"{corpus} .* cannot be published: "):
            written(source, tmp_path / "out")


def test_a_corpus_keeps_its_licence_and_its_names(tmp_path: Path):
    folder = tmp_path / "ravdess" / "Actor_01"
    for name in ("03-01-05-01-01-01-01", "03-01-04-01-01-01-01"):
        write_clip(folder / f"{name}.wav")
    config = write(tmp_path / "c.yaml", "data: [{corpus: ravdess, path: ravdess, partial: true}]\n")
    with pytest.raises(
        UsageError, match=r"--license CC-BY-4\.0: ravdess is published under CC-BY-NC-SA-4\.0"
    ):
        written(config, tmp_path / "out")
    written(config, tmp_path / "out", license=None)
    rows = list(read_published(str(tmp_path / "out"), revision=None))
    assert [row["speaker"] for row in rows] == ["ravdess/01"] * 2 and rows[0]["corpus"] == "ravdess"
    assert sorted(row["audio"]["path"] for row in rows) == sorted(p.name for p in folder.iterdir())


def test_a_repository_holds_one_corpus(tmp_path: Path):
    table = write(tmp_path / "t.csv", "text,emotion,corpus\nHello,anger,one\nBye,anger,two\n")
    with pytest.raises(UsageError, match=r"2 corpora \(one, two\) cannot be published in one repository"):
        written(table, tmp_path / "out")
    config = write(tmp_path / "c.yaml", "data: [{corpus: meld, path: a}, {corpus: ravdess, path: b}]\n")
    with pytest.raises(UsageError, match=r"2 corpora \(meld, ravdess\), and a repository holds one"):
        written(config, tmp_path / "out")


def test_a_row_that_holds_an_hour_is_refused_and_a_turn_of_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mmser.publishing.dataset_sound.MOST_BYTES", 40_000)
    rows = ("z,call.wav,,fear,,Bea,,0.5,1.0,0,,,,", "y,call.wav,,fear,,Bea,,0.1,1.9,0,,,,")
    written(make_own(tmp_path / "in", rows[:1]), tmp_path / "out")
    for row in (rows[1], "x,call.wav,,fear,,Bea,,,,,,,,"):
        with pytest.raises(AudioError, match="one row holds at most"):
            written(make_own(tmp_path / "in", (row,)), tmp_path / "out")


def test_a_file_where_the_folder_should_be_is_one_sentence(tmp_path: Path):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "data").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        written(make_own(tmp_path / "in"), folder)


@pytest.mark.parametrize(
    ("header", "row", "said"),
    [
        (HEADER, "z,,Hello,anger,,Bea,,,,,,,,", "lacks the column 'corpus'"),
        (None, "joy", "has the emotion 'joy', which is none of"),
    ],
)
def test_a_dataset_that_is_not_mmsers_is_refused_on_reading(
    tmp_path: Path, header: str | None, row: str, said: str
):
    if header is not None:
        write(tmp_path / "out" / "train.csv", f"{header}\n{row}\n")
    else:
        written(make_own(tmp_path / "in"), tmp_path / "out")
        path = next((tmp_path / "out" / "data").glob("train*"))
        table = pq.read_table(path)
        column = table.schema.get_field_index("emotion")
        pq.write_table(table.set_column(column, table.schema.field(column), [[["joy"]] * len(table)]), path)
    with pytest.raises(DataError, match=said):
        list(read_published(str(tmp_path / "out"), revision=None))


@pytest.mark.data
def test_ravdess_comes_back_whole_through_a_folder(tmp_path: Path, data_dir: Path):
    for actor in ("Actor_01", "Actor_02", "Actor_03"):
        (tmp_path / "ravdess").mkdir(exist_ok=True)
        (tmp_path / "ravdess" / actor).symlink_to(data_dir / "corpora" / "ravdess" / actor)
    splits = 'splits: {test: ["01"], validation: ["02"]}'
    config = write(
        tmp_path / "c.yaml", f"data: [{{corpus: ravdess, path: ravdess, partial: true, {splits}}}]\n"
    )
    written(config, tmp_path / "out", license=None)
    entry = CorpusEntry(
        corpus="ravdess", path="ravdess", partial=True, splits={"test": ["01"], "validation": ["02"]}
    )
    before = {row["id"]: row for row in load_corpora([entry], tmp_path)}
    back = {row["id"]: row for row in load_corpora([CorpusEntry(corpus="published", path="out")], tmp_path)}
    assert before.keys() == back.keys() and len(back) == 180
    for name, row in before.items():
        assert back[name]["audio"]["bytes"] == Path(row["audio"]["path"]).read_bytes()
        assert row | {"audio": None} == back[name] | {"audio": None}
