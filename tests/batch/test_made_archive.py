"""The archives that scripts make to try batches on, and how two batches are held against each other."""

import csv
import hashlib

import pytest
import soundfile

from mmser.transcripts import read_transcript
from scripts.compare_batches import compare_rows
from scripts.make_archive import BREAKS, make_archive


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    out = tmp_path_factory.mktemp("archive") / "made"
    return out, make_archive(out, 6, seconds=16.0, seed=3, bad=len(BREAKS))


def test_a_made_archive_has_each_kind_of_broken_row_once_among_the_good(archive):
    out, rows = archive
    kinds = [row.made for row in rows]
    assert kinds[0] == "call"
    assert kinds.count("call") == 6
    assert sorted(kind for kind in kinds if kind != "call") == sorted(BREAKS)
    with (out / "manifest.csv").open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert [row["id"] for row in written] == [row.id for row in rows]
    assert [row["audio"] for row in written if "\n" in row["audio"]] != []


def test_good_calls_can_be_read_fit_their_words_and_differ(archive):
    out, rows = archive
    hashes = set()
    for row in rows:
        if row.made == "call":
            facts = soundfile.info(out / row.audio)
            turns = read_transcript(out / row.transcript).turns
            assert facts.channels == 2
            assert len(turns) >= 4
            assert {turn.role for turn in turns} == {"agent", "customer"}
            assert turns[-1].end <= facts.duration
            hashes.add(hashlib.sha256((out / row.audio).read_bytes()).hexdigest())
    assert len(hashes) == 6


@pytest.mark.slow
def test_a_seed_gives_one_archive_but_for_the_numbers_of_ogg_streams(archive, tmp_path):
    out, rows = archive
    again = make_archive(tmp_path / "made", 6, seconds=16.0, seed=3, bad=len(BREAKS))
    assert again == rows
    for path in out.rglob("*"):
        if path.is_file() and path.suffix != ".ogg":
            assert path.read_bytes() == (tmp_path / "made" / path.relative_to(out)).read_bytes()


def turn(call, number, **cells):
    return {"call": call, "id": f"t{number}", "emotion": "anger", "p_anger": 0.5, "count": 2} | cells


def test_rows_of_two_batches_agree_in_any_order_and_to_the_last_rounded_digit():
    ours = [turn("a", 1), turn("b", 1), turn("b", 2)]
    found = compare_rows("turns", ours, [turn("b", 2), turn("b", 1, p_anger=0.5001), turn("a", 1)])
    assert found.agree
    assert (found.rows, found.same) == (3, 2)
    assert found.largest == pytest.approx(0.0001)


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        ([turn("a", 1, p_anger=0.5002)], "p_anger"),
        ([turn("a", 1, p_anger=None)], "None"),
        ([turn("a", 1, emotion="fear")], "fear"),
        ([turn("a", 1, count=3)], "count"),
        ([turn("a", 1), turn("a", 1)], "twice"),
        ([turn("a", 2)], "not in"),
        ([], "not in the second"),
    ],
)
def test_what_differs_between_two_batches_is_told(theirs, said):
    found = compare_rows("turns", [turn("a", 1)], theirs)
    assert not found.agree
    assert said in " ".join(found.problems)
