"""The rows that a training uses: clips checked, agents withheld, classes compared."""

from pathlib import Path
from typing import Any

import pytest

from mmser.data import CorpusEntry, examples_of
from mmser.errors import MmserError, UsageError
from mmser.training import rows as rows_module
from mmser.training.config import TrainingConfig
from mmser.training.rows import count_labelled, count_splits, leave_out, load_rows, rows_digest
from tests.training.training_fixtures import made_rows, write_manifest, write_voice


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path


def config(folder: Path, rows: list[dict[str, Any]], **options: Any) -> TrainingConfig:
    write_manifest(folder, rows)
    entry = CorpusEntry(corpus="manifest", path="manifest.csv", name="made")
    return TrainingConfig(data=[entry], **options)


def load(folder: Path, rows: list[dict[str, Any]], *, skip_bad: bool = False, **options: Any) -> Any:
    return load_rows(config(folder, rows, **options), folder, folder / "work", skip_bad=skip_bad)


def test_sound_clips_are_checked_once(data: Path, monkeypatch: pytest.MonkeyPatch):
    rows = made_rows(data)
    first = load(data, rows)
    assert count_splits(first) == {"train": 54, "validation": 18, "test": 18}
    monkeypatch.setattr(rows_module, "check_rows", lambda dataset: pytest.fail("checked again"))
    assert rows_digest(load(data, rows), data) == rows_digest(first, data)
    write_voice(data / "a_anger_0.wav", "fear", 9, seconds=0.7)
    with pytest.raises(pytest.fail.Exception):
        load(data, rows)


def test_corrupt_clips_are_counted_named_and_left_out_on_demand(
    data: Path, capsys: pytest.CaptureFixture[str]
):
    rows = made_rows(data)
    for name in ("a_fear_0", "b_anger_0", "b_fear_0", "c_fear_0"):
        (data / f"{name}.wav").write_bytes((data / f"{name}.wav").read_bytes()[:300])
    with pytest.raises(MmserError) as caught:
        load(data, rows)
    message = str(caught.value)
    # b_anger_0 is also what a talk's two turns sound like.
    assert "6 of 55 clips cannot be used: " in message and "--skip-bad" in message
    assert "tones/a_fear_0" in message and "3 more, named in" in message
    kept = load(data, rows, skip_bad=True)
    assert len(kept) == 84
    assert "left out 6 of 55 clips" in capsys.readouterr().err
    assert not {"a_fear_0", "b_anger_0", "call_b_1"} & set(kept["id"])


def test_an_id_is_left_out_of_its_own_corpus_alone(data: Path):
    rows = made_rows(data)
    same = dict(rows[0], corpus="others", audio="", text="i am late")
    found = leave_out(load(data, [*rows, same]), {("tones", rows[0]["id"])})
    assert ("others", rows[0]["id"]) in set(zip(found["corpus"], found["id"], strict=True))
    assert len(found) == len(rows)


def test_nothing_is_known_of_a_change_from_a_turn_that_is_left_out(data: Path):
    rows = [row | {"change": "none"} if row["corpus"] == "talks" else row for row in made_rows(data)]
    found = {e.id: e.change for e in examples_of(leave_out(load(data, rows), {("talks", "call_a_0")}))}
    assert "call_a_0" not in found
    assert (found["call_a_2"], found["call_a_1"], found["call_b_2"]) == (None, "none", "none")


def test_agents_take_part_as_words_alone(data: Path, capsys: pytest.CaptureFixture[str]):
    rows = [
        row | {"role": "agent"} if row["id"] in ("call_a_0", "a_anger_0", "a_fear") else row
        for row in made_rows(data)
    ]
    found = {e.id: e for e in examples_of(load(data, rows))}
    assert "3 turns of agents take part as words alone" in capsys.readouterr().err
    assert "a_anger_0" not in found  # it has no words
    agent = found["call_a_0"]
    assert agent.audio is None and agent.emotions == () and agent.text
    assert found["a_fear"].emotions == ()  # of words alone


def test_a_class_that_is_tested_and_never_trained_is_an_error(data: Path):
    rows = [row for row in made_rows(data) if row["emotion"] != "fear" or row["split"] != "train"]
    with pytest.raises(MmserError, match="the validation rows hold fear, of which training has no example"):
        load(data, rows)


def test_a_class_that_nobody_has_is_told_and_no_error(data: Path, capsys: pytest.CaptureFixture[str]):
    load(data, [row for row in made_rows(data) if row["emotion"] not in ("fear", "disgust")])
    assert "no training row is labelled disgust, fear" in capsys.readouterr().err


def test_data_without_training_rows_are_refused(data: Path):
    rows = [row | {"split": "test"} for row in made_rows(data)]
    with pytest.raises(MmserError, match=r"no row .* marked for training \(rows by split: test 90\)"):
        load(data, rows)
    rows = [row | {"split": ""} for row in made_rows(data)]
    with pytest.raises(MmserError, match="rows by split: none 90"):
        load(data, rows)


def test_closed_corpora_are_refused_where_commercial_use_is_wanted(data: Path):
    load(data, made_rows(data), commercial_only=True)  # one's own
    entry = CorpusEntry(corpus="ravdess", path="ravdess")
    closed = TrainingConfig(data=[entry], commercial_only=True)
    with pytest.raises(UsageError, match=r"ravdess \(CC-BY-NC-SA-4.0\)"):
        load_rows(closed, data, data / "work", skip_bad=False)


def test_any_change_of_a_label_changes_the_digest(data: Path):
    rows = made_rows(data)
    before = rows_digest(load(data, rows), data)
    rows[0] = rows[0] | {"intensity": 0.7}
    assert rows_digest(load(data, rows), data) != before


def test_another_sound_under_the_same_name_changes_the_digest(data: Path):
    rows = made_rows(data)
    before = rows_digest(load(data, rows), data)
    write_voice(data / "a_anger_0.wav", "anger", 9)  # of the same length
    assert rows_digest(load(data, rows), data) != before


def test_the_digest_is_one_however_the_folder_is_given(data: Path, monkeypatch: pytest.MonkeyPatch):
    rows = made_rows(data)
    whole = rows_digest(load(data, rows), data)
    monkeypatch.chdir(data.parent)
    relative = Path(data.name)
    found = load_rows(config(data, rows), relative, data / "work", skip_bad=False)
    assert rows_digest(found, relative) == whole


@pytest.mark.parametrize("column", ["emotion", "intensity", "change"])
def test_data_whose_training_rows_carry_no_label_are_refused(column: str, data: Path):
    nothing = dict.fromkeys(("emotion", "intensity"), "")
    rows = [row | nothing if row["split"] != "test" else row for row in made_rows(data)]
    with pytest.raises(MmserError, match="none of the 54 training rows carries a label that is learned from"):
        load(data, rows)
    one = next(row for row in rows if row["split"] == "train" and row["corpus"] == "talks")
    one[column] = {"emotion": "anger", "intensity": 0.5, "change": "worse"}[column]
    loaded = load(data, [row | {"emotion": ""} if row["split"] == "test" else row for row in rows])
    assert count_labelled(loaded, "train") == 1
