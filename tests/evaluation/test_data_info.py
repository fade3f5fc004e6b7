"""The hashes of a result name its data wherever it lies, and change with everything that counts."""

import dataclasses
import hashlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mmser.data import Example
from mmser.errors import DataError
from mmser.evaluation.division.data_info import content_sha256, data_info
from mmser.evaluation.result import DataInfo
from tests.data.audit_fixtures import made


def clips(folder: Path) -> list[Example]:
    """Return two rows of two files in folders of their own."""
    rows = []
    for name, data in (("x/a.wav", b"first"), ("y/b.wav", b"second")):
        path = folder / name
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        rows.append(made(id=path.stem, speaker=path.stem, split="test", audio=path, text="so"))
    return rows


def info(rows: list[Example]) -> DataInfo:
    (found,) = data_info(rows, rows)
    return found


def test_counts_are_of_all_splits_and_each_corpus_has_its_own():
    train = [made(corpus="ravdess", id=f"t{i}", speaker="ravdess/01") for i in range(3)]
    test = [made(corpus="ravdess", id="a", split="test", speaker="ravdess/02")]
    own = [made(corpus="mine", id="b", split=None, speaker=None)]
    unscored = [made(corpus="emodb", id="c")]
    first, second = data_info([*own, *test], [*train, *test, *own, *unscored])
    assert (first.corpus, first.rows, first.speakers) == ("mine", {"unassigned": 1}, {"unassigned": 0})
    assert first.license is None
    assert (second.corpus, second.rows, second.speakers) == (
        "ravdess",
        {"train": 3, "test": 1},
        {"train": 1, "test": 1},
    )
    assert second.license == "CC-BY-NC-SA-4.0"
    assert (first.files, first.sha256) == (0, None)


def test_the_hash_is_that_of_what_sha256sum_prints(tmp_path: Path):
    printed = "".join(
        f"{hashlib.sha256(data).hexdigest()}  {name}\n"
        for name, data in (("x/a.wav", b"first"), ("y/b.wav", b"second"))
    )
    found = info(clips(tmp_path))
    assert found.files == 2
    assert found.sha256 == hashlib.sha256(printed.encode()).hexdigest()


def test_another_folder_and_another_order_give_the_same_hashes(tmp_path: Path):
    here, there = clips(tmp_path / "here"), clips(tmp_path / "far" / "away")
    assert info(here) == info(there[::-1])


def test_a_path_written_in_another_way_is_the_same_file(tmp_path: Path):
    rows = clips(tmp_path)
    assert rows[0].audio is not None
    other = dataclasses.replace(rows[0], audio=tmp_path / "y" / ".." / "x" / "a.wav")
    assert info([other, rows[1]]) == info(rows)
    assert info([*rows, other]).files == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"emotions": ("fear",)},
        {"text": "So"},
        {"speaker": "c"},
        {"split": "validation"},
        {"id": "c"},
        {"start": 0.5},
        {"intensity": 0.5},
        {"language": "pl"},
    ],
)
def test_every_field_of_a_row_counts(changes: dict[str, Any], tmp_path: Path):
    first, second = clips(tmp_path)
    other = info([dataclasses.replace(first, **changes), second])
    assert other.rows_sha256 != info([first, second]).rows_sha256
    assert other.sha256 == info([first, second]).sha256


def test_a_row_more_or_twice_counts(tmp_path: Path):
    first, second = clips(tmp_path)
    hashes = {info(rows).rows_sha256 for rows in ([first], [first, second], [first, first, second])}
    assert len(hashes) == 3


def test_a_changed_file_and_a_changed_name_count(tmp_path: Path):
    before = info(clips(tmp_path / "a"))
    changed = clips(tmp_path / "b")
    assert changed[0].audio is not None
    changed[0].audio.write_bytes(b"First")  # as long as before
    renamed = clips(tmp_path / "c")
    path = Path(shutil.move(str(renamed[0].audio), tmp_path / "c" / "x" / "z.wav"))
    named = info([dataclasses.replace(renamed[0], audio=path), renamed[1]])
    assert len({before.sha256, info(changed).sha256, named.sha256}) == 3


def test_a_file_that_is_written_anew_is_read_anew(tmp_path: Path):
    path = tmp_path / "a"
    path.write_bytes(b"before")
    first = content_sha256(path)
    path.write_bytes(b"afterwards")
    assert content_sha256(path) == hashlib.sha256(b"afterwards").hexdigest() != first


def test_rows_without_a_file_are_hashed_too():
    found = info([made(id="a", text="so", split="test")])
    assert (found.files, found.sha256) == (0, None)
    assert found.rows_sha256 != info([made(id="a", text="no", split="test")]).rows_sha256


def test_what_trained_has_a_hash_of_its_own(tmp_path: Path):
    test = [made(id="a", split="test", corpus=corpus, speaker=f"{corpus}/a") for corpus in ("x", "y")]
    train = [replace(row, speaker=f"{row.speaker}t", split="train") for row in clips(tmp_path / "here")]
    train += [made(id="c", corpus="z", split="validation", text="so")]

    def hashed(trained: list[Example]) -> str | None:
        found = data_info(test, [*test, *train], trained)
        plain = data_info(test, [*test, *train])
        assert [replace(one, train_sha256=None) for one in found] == list(plain)  # the others are as before
        assert len({one.train_sha256 for one in found}) == 1
        return found[0].train_sha256

    assert hashed([]) is None
    first = hashed(train)
    # Folds train on the same rows again, in other orders.
    assert hashed([*train[::-1], *train]) == first
    moved = [
        replace(row, speaker=f"{row.speaker}t", split="train") for row in clips(tmp_path / "far" / "away")
    ]
    assert hashed([*moved, train[2]]) == first
    others = [hashed(train[:2]), hashed([*train[:2], replace(train[2], text="no")])]
    others.append(hashed([replace(train[0], split="validation"), *train[1:]]))
    assert len({first, *others}) == 4


@pytest.mark.parametrize("there", [False, True])
def test_a_clip_that_cannot_be_read_is_named(there: bool, tmp_path: Path):
    path = tmp_path / "gone.wav"
    if there:
        path.mkdir()  # a folder of that name is none
    with pytest.raises(DataError, match=r"gone\.wav cannot be read \(.+\); put it back"):
        info([made(id="a", audio=path)])
