"""`mmser compare`: tables or JSON of two result folders, and one line for what cannot be compared."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mmser.evaluation.comparing.comparison import Comparison
from tests.evaluation.two_results import evaluation, pair, write_result


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("results")
    first, second = pair(rows=240, corpora=("meld", "ravdess"))
    return write_result(folder / "mine", first), write_result(folder / "svm", second)


def test_a_table_for_each_corpus_and_all(mmser, results: tuple[Path, Path]):
    ran = mmser("compare", *results)
    assert ran.code == 0
    assert ran.err.splitlines()[0].endswith(f"comparing {results[0]} and {results[1]}")
    heads = [line for line in ran.out.splitlines() if line.endswith(" rows)")]
    assert heads == ["all (240 rows)", "meld (120 rows)", "ravdess (120 rows)"]
    assert "A  mine mineminemine (model): 240 rows" in ran.out
    assert ran.out.count("A better") >= 3 and "bootstrap over" in ran.out
    for metric in ("UAR", "WA", "macro-F1", "weighted-F1", "NLL", "intensity CCC", "change MCC", "change AP"):
        assert sum(line.strip().startswith(metric) for line in ran.out.splitlines()) == 3


def test_json_on_stdout_and_in_a_file(mmser, results: tuple[Path, Path], tmp_path: Path):
    printed = mmser("compare", *results, "--json", "-", "--quiet", "--draws", 200, "--seed", 3)
    found = Comparison.from_dict(json.loads(printed.out))
    assert (found.n, found.draws, found.seed) == (240, 200, 3) and printed.err == ""
    path = tmp_path / "comparison.json"
    ran = mmser("compare", *results, "--json", path, "--draws", 200, "--seed", 3)
    assert ran.code == 0 and "UAR" in ran.out
    assert Comparison.from_dict(json.loads(path.read_text("utf-8"))) == found
    again = mmser("compare", *results, "--json", path)
    assert again.code == 2 and "--overwrite" in again.error
    assert mmser("compare", *results, "--json", path, "--overwrite").code == 0


def test_some_metrics_in_any_case(mmser, results: tuple[Path, Path]):
    ran = mmser("compare", *results, "--metric", "uar", "--metric", "Ccc", "--json", "-")
    found = Comparison.from_dict(json.loads(ran.out))
    assert {one.metric for part in found.parts for one in part.differences} == {"UAR", "intensity CCC"}
    wrong = mmser("compare", *results, "--metric", "accuracy")
    assert wrong.code == 2 and "--metric 'accuracy' is not known; it is one of UAR, WA" in wrong.error


def test_different_rows_need_a_flag_that_is_told(mmser, results: tuple[Path, Path], tmp_path: Path):
    _, second = pair(rows=240, corpora=("meld", "ravdess"))
    other = write_result(tmp_path / "o", second, evaluation("o", {"meld": "sha of meld", "ravdess": "new"}))
    ran = mmser("compare", results[0], other)
    assert ran.code == 1 and "the rows of ravdess are others" in ran.error and ran.out == ""
    ran = mmser("compare", results[0], other, "--allow-different")
    assert ran.code == 0 and "mmser: warning: A and B differ: the rows of ravdess are others" in ran.err
    assert "Not alike: the rows of ravdess are others (rows_sha256). Compared are the 240 rows" in ran.out


def test_what_cannot_be_compared_is_one_line(mmser, results: tuple[Path, Path], tmp_path: Path):
    for arguments, code, message in (
        ((results[0], results[0]), 2, "are one folder"),
        ((results[0], tmp_path), 1, "holds no evaluation.json"),
        ((results[0], tmp_path / "gone"), 1, "holds no evaluation.json"),
        ((results[0],), 2, "Missing argument"),
        ((*results, "--draws", "3"), 2, "--draws"),
    ):
        ran = mmser("compare", *arguments)
        assert ran.code == code and message in ran.error and ran.out == ""
        assert "Traceback" not in ran.err and "a bug" not in ran.err


def test_too_few_groups_to_show_a_difference_are_told(mmser, tmp_path: Path):
    for speakers, said in (
        (
            4,
            "decidable with 4 groups\n  t over 4 speakers: p is 0.125 at least, so nothing can be decided",
        ),
        (6, "t over 6 speakers\n"),
    ):
        sides = pair(rows=60, speakers=speakers)
        folders = [
            write_result(tmp_path / f"{speakers}{n}", one, evaluation("x", {"made": "s"}))
            for n, one in zip("ab", sides, strict=True)
        ]
        ran = mmser("compare", *folders)
        assert ran.code == 0 and said in ran.out


def test_a_json_file_that_cannot_be_is_refused_before_the_work(
    mmser, results: tuple[Path, Path], tmp_path: Path
):
    (tmp_path / "file").touch()
    for target, message in (
        (tmp_path / "file" / "c.json", "a file stands where the output folder should be"),
        (tmp_path, "is not a file that can be replaced"),
        ("/dev/full", "is not a file that can be replaced"),
        ("/proc/c.json", "cannot be written"),
    ):
        ran = mmser("compare", *results, "--json", target)
        assert ran.code == 1 and message in ran.error and ran.out == "" and "comparing" not in ran.err


def test_names_from_a_file_move_no_cursor(mmser, results: tuple[Path, Path], tmp_path: Path):
    first, _ = pair(rows=240, corpora=("meld", "ravdess"))
    about = evaluation("\x1b[2Jx", {"meld": "sha of meld", "ravdess": "sha of ravdess"})
    evil = write_result(tmp_path / "evil", first, replace(about, mark="\u202emark"))
    ran = mmser("compare", evil, results[1], "--metric", "UAR")
    assert ran.code == 0 and "Mark: mark" in ran.out and not set(ran.out) & set("\x1b\u202e")
