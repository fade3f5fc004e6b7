"""Two results: by hand, turned round, without difference, and what is not of the same rows."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, matthews_corrcoef

from mmser.errors import DataError, UsageError
from mmser.evaluation.comparing.answers import answers_digest, read_answers, write_answers
from mmser.evaluation.comparing.comparison import (
    NAMES,
    NLL,
    ComparedPart,
    Comparison,
    Difference,
    compare,
    holm,
    verdict_of,
)
from mmser.evaluation.comparing.comparison_text import render_comparison_text
from mmser.evaluation.comparing.pairing import compare_folders
from mmser.evaluation.judged import Judged, where
from mmser.evaluation.result import FoldInfo, Score
from mmser.evaluation.scores.metrics import concordance, macro_f1, uar, weighted_f1
from tests.evaluation.two_results import LABELS, evaluation, example, guesses, pair, write_result


def found(part: ComparedPart) -> dict[str, Difference]:
    return {one.metric: one for one in part.differences}


# --- the same rows -----------------------------------------------------------------------------------------


def test_scores_and_agreement_by_hand():
    """Four speakers, two rows each: the first is always right, the second in one row of each speaker."""
    rows = [(speaker, label) for speaker in range(4) for label in ("anger", "sadness")]
    examples = [example(place, label, speaker) for place, (speaker, label) in enumerate(rows)]
    right = guesses(examples, [label for _, label in rows], confidence=0.8)
    half = guesses(examples, ["anger"] * 8, confidence=0.5)
    (part,) = compare(right, half)
    assert (part.data, part.n) == ("made", 8)
    assert part.emotion is not None
    told = part.emotion
    assert (told.both, told.only_a, told.only_b, told.neither) == (4, 4, 0, 0)
    one = found(part)["UAR"]
    assert (one.a, one.b, one.difference.value) == (100, 50, 50)
    assert one.difference.groups == 4 and one.difference.n == 8
    # Every speaker gives the same difference: of 2^4 ways to swap, none and all give 50.
    assert one.p_value == one.p_holm == pytest.approx(2 / 16)
    assert one.verdict == "not decidable"  # of four speakers p is 0.125 at least
    nll = found(part)["NLL"]
    # 0.8 eight times; 0.5 four times, and 0.25 four times where the other label was guessed.
    assert nll.a == pytest.approx(-np.log(0.8))
    assert nll.b == pytest.approx(-(np.log(0.5) + np.log(0.25)) / 2)


def test_every_metric_is_that_of_the_others_alone():
    first, second = pair(rows=240)
    parts = found(compare(first, second)[0])
    assert tuple(parts) == NAMES
    truth = np.array([LABELS.index(one.emotions[0]) for one in first.examples])
    level = [one.intensity or 0.0 for one in first.examples]
    moved = [one.change != "none" for one in first.examples]
    for side, judged in (("a", first), ("b", second)):
        guess = judged.guess()
        expected = {
            "UAR": uar(truth, guess),
            "WA": 100 * float((truth == guess).mean()),
            "macro-F1": macro_f1(truth, guess),
            "weighted-F1": weighted_f1(truth, guess),
            "NLL": float(-np.log(judged.emotion[np.arange(len(truth)), truth]).mean()),
            "intensity CCC": concordance(level, judged.intensity.tolist()),
            "change MCC": float(matthews_corrcoef(moved, judged.shifted)),
            "change AP": 100 * float(average_precision_score(moved, judged.change)),
        }
        assert {name: getattr(one, side) for name, one in parts.items()} == pytest.approx(expected)
    for name, one in parts.items():
        assert one.difference.value == pytest.approx((one.a or 0.0) - (one.b or 0.0))
        assert one.verdict == "A better", name
    assert [name for name, one in parts.items() if one.p_value is None] == ["change AP"]


def test_turned_round_every_difference_turns():
    first, second = pair(rows=90, seed=1)
    one, other = found(compare(first, second)[0]), found(compare(second, first)[0])
    for name in NAMES:
        there, back = one[name].difference, other[name].difference
        assert there.value is not None and there.low is not None and there.high is not None
        assert (back.value, back.low, back.high) == pytest.approx((-there.value, -there.high, -there.low))
        assert one[name].p_value == pytest.approx(other[name].p_value)
        turned = {"A better": "B better", "B better": "A better"}
        assert other[name].verdict == turned.get(one[name].verdict, one[name].verdict)


def test_one_and_the_same_do_not_differ():
    first, _ = pair(seed=2)
    for one in compare(first, first)[0].differences:
        assert one.difference.value == 0 and one.verdict == "no difference shown"
        assert one.p_value in (1, None)


def test_two_of_one_kind_rarely_differ():
    """p is under 0.05 in about one of twenty comparisons of answers by the same rule."""
    small = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        examples = [example(place, LABELS[rng.integers(3)], place // 5) for place in range(75)]
        sides = [guesses(examples, [LABELS[i] for i in rng.integers(3, size=75)]) for _ in range(2)]
        (one,) = compare(*sides, metrics=["UAR"], draws=200)[0].differences
        assert one.p_value is not None
        small += one.p_value < 0.05
    assert small <= 9  # 3, but for chance: 3 + 3 · sqrt(60 · 0.05 · 0.95) = 8


def test_holm_by_hand():
    # 3 · 0.01; then 2 · 0.03; then 1 · 0.04, but no less than the one before.
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1, "b": 1}
    assert holm({}) == {}


def test_corpora_are_corrected_together_and_all_is_not():
    first, second = pair(rows=150, seed=3, corpora=("one", "two", "three"))
    parts = compare(first, second, metrics=["UAR", "NLL"])
    assert [part.data for part in parts] == ["all", "one", "three", "two"]
    for metric in ("UAR", "NLL"):
        by_corpus = {part.data: found(part)[metric] for part in parts}
        whole = by_corpus.pop("all")
        assert whole.p_holm == whole.p_value
        stated = {name: one.p_value or 0.0 for name, one in by_corpus.items()}
        assert {name: one.p_holm for name, one in by_corpus.items()} == holm(stated)


def test_rows_of_several_labels_are_in_no_recall():
    first, second = pair(rows=60, seed=4)
    several = tuple(replace(e, emotions=("anger", "sadness")) for e in first.examples)
    part = compare(replace(first, examples=several), replace(second, examples=several))[0]
    assert part.emotion is None
    assert [one.metric for one in part.differences] == ["intensity CCC", "change MCC", "change AP"]


# --- two folders -------------------------------------------------------------------------------------------


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    first, second = pair(rows=60, seed=5)
    return write_result(tmp_path / "a", first), write_result(tmp_path / "b", second)


def test_folders_are_compared_whatever_the_order_of_rows_and_labels(
    folders: tuple[Path, Path], tmp_path: Path
):
    _, second = pair(rows=60, seed=5)
    turned = where(second, np.random.default_rng(0).permutation(60))
    turned = replace(turned, labels=turned.labels[::-1], emotion=turned.emotion[:, ::-1])
    shuffled = write_result(tmp_path / "c" / "b", turned)
    one, other = compare_folders(*folders), compare_folders(folders[0], shuffled)
    assert one.parts == other.parts
    assert (one.n, one.a.alone, one.b.alone, one.differs) == (60, 0, 0, ())


def test_the_comparison_is_a_document_that_is_read_again(folders: tuple[Path, Path], tmp_path: Path):
    comparison = compare_folders(*folders, draws=200, seed=7)
    text = json.dumps(comparison.to_dict(), allow_nan=False)
    assert Comparison.from_dict(json.loads(text)) == comparison
    assert comparison.schema == "mmser.comparison/1" and str(tmp_path) not in text
    assert compare_folders(*folders, draws=200, seed=7) == comparison


def test_rows_that_one_left_out_are_counted(folders: tuple[Path, Path], tmp_path: Path):
    _, second = pair(rows=60, seed=5)
    fewer = write_result(
        tmp_path / "fewer", where(second, np.arange(3, 60)), evaluation("b", {"made": "sha of made"})
    )
    comparison = compare_folders(folders[0], fewer)
    assert (comparison.n, comparison.a.rows, comparison.a.alone, comparison.b.alone) == (57, 60, 3, 0)


def _about(**fields: object) -> Callable[[Path, Judged], Path]:
    """Write a second result whose evaluation.json says something else."""

    def write(folder: Path, judged: Judged) -> Path:
        return write_result(folder, judged, evaluation("b", {"made": "sha of made"}, **fields))  # type: ignore[arg-type]

    return write


def _data(**rows_sha256: str) -> Callable[[Path, Judged], Path]:
    return lambda folder, judged: write_result(folder, judged, evaluation("b", rows_sha256))


def _held(folder: Path, judged: Judged) -> Path:
    about = evaluation("b", {"made": "sha of made"})
    other = (FoldInfo(name="0", held_out=("made/2",), train=9, validation=1, test=3),)
    return write_result(folder, judged, replace(about, protocol=replace(about.protocol, folds=other)))


def _more_labels(folder: Path, judged: Judged) -> Path:
    known = (*judged.labels, "fear")
    values = np.concatenate([0.9 * judged.emotion, np.full((len(judged), 1), 0.1)], 1)
    return write_result(
        folder, replace(judged, labels=known, emotion=values), evaluation("b", {"made": "sha of made"})
    )


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (_held, "the folds hold out others"),
        (_data(made="other"), r"the rows of made are others \(rows_sha256\)"),
        (_data(made="sha of made", meld="x"), "B alone has meld"),
        (_more_labels, "and B anger, neutral, sadness, fear"),
    ],
)
def test_what_differs_is_refused_or_told(
    write: Callable[[Path, Judged], Path], message: str, folders: tuple[Path, Path], tmp_path: Path
):
    _, second = pair(rows=60, seed=5)
    other = write(tmp_path / "other", second)
    with pytest.raises(DataError, match=f"{message}.*--allow-different"):
        compare_folders(folders[0], other)
    comparison = compare_folders(folders[0], other, allow_different=True)
    assert len(comparison.differs) == 1 and comparison.n == 60
    assert found(comparison.parts[0])["UAR"].b == found(compare_folders(*folders).parts[0])["UAR"].b


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (
            _about(protocol="leave-one-speaker-out"),
            "the protocol is split in A and leave-one-speaker-out in B",
        ),
        (_about(split="all"), "the split is test in A and all in B"),
    ],
)
def test_other_protocols_are_paired_by_row_and_told(
    write: Callable[[Path, Judged], Path], message: str, folders: tuple[Path, Path], tmp_path: Path
):
    _, second = pair(rows=60, seed=5)
    other = compare_folders(folders[0], write(tmp_path / "other", second))
    assert other.differs == (message,) and other.parts == compare_folders(*folders).parts


def test_a_baseline_of_all_speakers_beside_a_model_of_some_counts_the_rest(
    folders: tuple[Path, Path], tmp_path: Path
):
    first, second = pair(rows=60, seed=5)
    some = write_result(tmp_path / "some", where(first, np.arange(40)), evaluation("a", {"made": "of 40"}))
    trained = evaluation("b", {"made": "of 60"}, protocol="leave-one-speaker-out")
    comparison = compare_folders(some, write_result(tmp_path / "all", second, trained))
    assert (comparison.n, comparison.a.alone, comparison.b.alone) == (40, 0, 20)
    said = render_comparison_text(comparison)
    assert "Compared are the 40 rows that both answered; 20 of B are left out." in said
    assert "rows_sha256" not in said  # of other rows the digest is another
    renewed = evaluation("b", {"made": "of other texts"}, protocol="leave-one-speaker-out")
    changed = write_result(tmp_path / "new", where(second, np.arange(40)), renewed)
    with pytest.raises(DataError, match=r"the rows of made are others \(rows_sha256\)"):
        compare_folders(some, changed)


# --- what a difference shows -------------------------------------------------------------------------------


def _made(low: float | None, high: float | None, groups: int, metric: str = "UAR") -> Difference:
    value = None if low is None or high is None else (low + high) / 2
    gap = Score(value=value or 1.0, low=low, high=high, n=9, groups=groups)
    return Difference(
        metric=metric, a=1.0, b=0.0, difference=gap, p_value=None, p_holm=None, verdict="not decidable"
    )


@pytest.mark.parametrize(
    ("low", "high", "groups", "p_holm", "shown"),
    [
        (1.0, 3.0, 30, 0.01, "A better"),
        (-3.0, -1.0, 30, 0.01, "B better"),
        (-1.0, 3.0, 30, 0.3, "no difference shown"),
        (1.0, 3.0, 30, 0.3, "borderline"),
        (-1.0, 3.0, 30, 0.04, "borderline"),
        (1.0, 3.0, 6, 2 / 64, "A better"),
        (1.0, 3.0, 5, 2 / 32, "not decidable"),  # whatever the interval says
        (None, None, 30, 0.01, "not decidable"),
        (1.0, 3.0, 30, None, "A better"),  # average precision has no p
        (-1.0, 3.0, 30, None, "no difference shown"),
    ],
)
def test_interval_and_p_decide_together(
    low: float | None, high: float | None, groups: int, p_holm: float | None, shown: str
):
    assert verdict_of(_made(low, high, groups), p_holm) == shown
    turned = {"A better": "B better", "B better": "A better"}
    assert verdict_of(_made(low, high, groups, NLL), p_holm) == turned.get(shown, shown)


# --- a result and its answers ------------------------------------------------------------------------------


def test_answers_of_another_run_are_refused(tmp_path: Path):
    first, second = pair(rows=60, seed=5)
    folders = []
    for name, judged in (("a", first), ("b", second)):
        about = evaluation(
            name, {"made": "sha of made"}, answers_sha256=answers_digest(write_answers(judged))
        )
        folders.append(write_result(tmp_path / name, judged, about))
    assert compare_folders(*folders).n == 60
    answers = folders[1] / "answers.csv"
    answers.write_bytes((folders[0] / "answers.csv").read_bytes())
    with pytest.raises(
        DataError, match=r"b/answers\.csv is not the file that the result beside it was written"
    ):
        compare_folders(*folders)
    assert read_answers(answers).labels == LABELS  # alone it is a table like any other


def test_a_field_that_is_not_known_is_named(folders: tuple[Path, Path]):
    path = folders[1] / "evaluation.json"
    data = json.loads(path.read_text("utf-8"))
    data["protocol"]["folds"][0]["more"] = 3
    path.write_text(json.dumps(data), "utf-8")
    with pytest.raises(DataError, match=r"protocol\.folds\.0 has no field 'more'"):
        compare_folders(*folders)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "parts is missing, and must be a list"),
        ({}, "parts is an empty object, and must be a list"),
        ([[]], "parts.0 is an empty list, and must be an object"),
        (True, "parts is true, and must be a list"),
    ],
)
def test_values_are_called_by_plain_words(value: object, message: str, folders: tuple[Path, Path]):
    path = folders[1] / "evaluation.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"parts": value}), "utf-8")
    with pytest.raises(DataError, match=message):
        compare_folders(*folders)


def test_no_common_row_and_other_labels_are_always_refused(folders: tuple[Path, Path], tmp_path: Path):
    first, _ = pair(rows=60, seed=5)
    renamed = replace(first, examples=tuple(replace(e, id=f"x{e.id}") for e in first.examples))
    elsewhere = write_result(tmp_path / "x", renamed, evaluation("x", {"made": "sha of made"}))
    with pytest.raises(DataError, match="no row is common: A has made/0000 and others, B made/x0000"):
        compare_folders(folders[0], elsewhere, allow_different=True)
    for fields, said in (
        ({"emotions": ("anger", "sadness")}, r"than in B \(anger\|sadness, intensity"),
        ({"intensity": 0.123}, "intensity 0.123"),
        ({"change": "better"}, "change better"),
    ):
        changed = (replace(first.examples[0], **fields), *first.examples[1:])  # type: ignore[arg-type]
        folder = write_result(
            tmp_path / "changed", replace(first, examples=changed), evaluation("x", {"made": "sha of made"})
        )
        with pytest.raises(DataError, match=f"made/0000 has other labels in A .*{said}"):
            compare_folders(folders[0], folder, allow_different=True)


def test_one_folder_twice_is_wrong_usage(folders: tuple[Path, Path], tmp_path: Path):
    (tmp_path / "link").symlink_to(folders[0])
    for other in (folders[0], tmp_path / "link", folders[0] / ".." / "a"):
        with pytest.raises(UsageError, match="are one folder"):
            compare_folders(folders[0], other)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "holds no evaluation.json; give a folder that mmser evaluate or baseline wrote"),
        ("{", "cannot be read as JSON: "),
        ("[]", "is no document of the schema mmser.evaluation/1: it is an empty list"),
        ('{"schema": "mmser.evaluation/2"}', "schema mmser.evaluation/2, but this mmser reads version 1"),
        ('{"audio": {}}', "its schema is missing; .*that mmser evaluate or baseline wrote"),
        ('{"schema": "mmser.evaluation/1"}', "is damaged: "),
        ('{"schema": "mmser.evaluation/1", "parts": 3}', "is damaged: "),
    ],
)
def test_a_missing_or_damaged_result_is_one_sentence(
    text: str | None, message: str, folders: tuple[Path, Path]
):
    path = folders[1] / "evaluation.json"
    path.unlink()
    if text is not None:
        path.write_text(text, "utf-8")
    with pytest.raises(DataError, match=message) as refused:
        compare_folders(*folders)
    assert str(folders[1]) in str(refused.value) and "\n" not in str(refused.value)


def test_a_value_of_the_wrong_type_is_named(folders: tuple[Path, Path]):
    path = folders[1] / "evaluation.json"
    data = json.loads(path.read_text("utf-8"))
    for key, value in (("split", 3), ("name", None), ("folds", [{"name": "x"}])):
        path.write_text(json.dumps(data | {"protocol": data["protocol"] | {key: value}}), "utf-8")
        with pytest.raises(DataError, match=rf"is damaged.*{key if key != 'folds' else 'held_out'}"):
            compare_folders(*folders)


def test_answers_that_are_missing_are_named(folders: tuple[Path, Path]):
    (folders[1] / "answers.csv").unlink()
    with pytest.raises(DataError, match=r"b/answers\.csv is missing"):
        compare_folders(*folders)


def test_marks_and_rows_of_several_labels_are_told(folders: tuple[Path, Path], tmp_path: Path):
    first, second = pair(rows=60, seed=5)
    several = (replace(first.examples[0], emotions=("anger", "sadness")), *first.examples[1:])
    about = evaluation("x", {"made": "sha of made"}, mark="speakers overlap")
    sides = [
        write_result(tmp_path / name, replace(judged, examples=several), about)
        for name, judged in (("x", first), ("y", second))
    ]
    comparison = compare_folders(*sides, metrics=["UAR", "change MCC"])
    assert comparison.marks == ("speakers overlap",)
    assert comparison.notes == ("1 rows do not have exactly one label, and are in none of UAR",)
    assert compare_folders(*sides, metrics=["change MCC"]).notes == ()


def test_a_family_of_tests_is_decidable_where_holm_spares_the_larger_p():
    # Two corpora: the other's p is the smaller one, so that 2 / 2^6 = 0.031 of six groups is not doubled.
    gap = Score(value=9.0, low=2.0, high=16.0, n=60, groups=6, interval="t over 6 speakers")
    one = Difference(
        metric="UAR", a=60.0, b=51.0, difference=gap, p_value=0.031, p_holm=None, verdict="borderline"
    )
    assert verdict_of(one, 0.031, 2) == "A better"
    assert verdict_of(one, 0.062, 2) == "not decidable"  # doubled, it could not be smaller
    assert verdict_of(one, 0.062, 1) == "borderline"
