"""`answers.csv`: what is written is read again, no text and no path leaves, damage is named by its line."""

import csv
import io
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmser.data import Example
from mmser.data.schema import CHANGES, SPLITS
from mmser.errors import DataError
from mmser.evaluation.comparing.answers import check_answerable, read_answers, write_answers
from mmser.evaluation.judged import Judged, groups_of, truth_of
from mmser.labels import DIRECTIONS, EMOTIONS
from mmser.transcripts.cells import inert

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
UNIT = st.floats(0, 1)
MAYBE = st.one_of(st.none(), UNIT)


@st.composite
def judged_rows(draw: st.DrawFn) -> Judged:
    """Any rows: names that a spreadsheet would run, ties, unknown fields, labels of another model."""
    labels = tuple(draw(st.permutations(EMOTIONS)))[: draw(st.integers(2, 7))]
    ids = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    corpus = draw(NAMES.filter(lambda name: name.strip()))
    examples = tuple(
        Example(
            corpus=corpus,
            id=one,
            split=draw(st.sampled_from([None, *SPLITS])),
            emotions=tuple(draw(st.lists(st.sampled_from(EMOTIONS), max_size=3, unique=True))),
            intensity=draw(MAYBE),
            change=draw(st.sampled_from([None, *CHANGES])),
            speaker=draw(st.none() | NAMES),
            dialogue_id=draw(st.none() | NAMES),
            turn_index=draw(st.none() | st.integers(0, 2**31 - 1)),
        )
        for one in ids
    )
    weights = [draw(st.lists(st.floats(1e-9, 1), min_size=len(labels), max_size=len(labels))) for _ in ids]
    shifted = [draw(st.booleans()) for _ in ids]
    numbers = [(draw(UNIT | st.just(math.nan)), draw(UNIT | st.just(math.nan))) for _ in ids]
    return Judged(
        examples=examples,
        labels=labels,
        emotion=np.array([np.array(row) / sum(row) for row in weights]),
        abstained=np.array([draw(st.booleans()) for _ in ids]),
        intensity=np.array([a for a, _ in numbers]),
        change=np.array([b for _, b in numbers]),
        shifted=np.array(shifted),
        direction=tuple(draw(st.sampled_from([None, *DIRECTIONS])) if moved else None for moved in shifted),
        fold=tuple(draw(st.just("") | NAMES) for _ in ids),
    )


def _saved(judged: Judged, path: Path) -> Judged:
    path.write_bytes(write_answers(judged).encode("utf-8"))
    return read_answers(path)


def _rounded(example: Example) -> Example:
    return replace(example, intensity=None if example.intensity is None else round(example.intensity, 6))


@settings(max_examples=150, deadline=None)
@given(judged=judged_rows())
def test_what_is_written_is_read_again(judged: Judged, tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.getbasetemp() / "answers.csv"
    read = _saved(judged, path)
    assert read.labels == judged.labels
    assert read.examples == tuple(_rounded(example) for example in judged.examples)
    np.testing.assert_allclose(read.emotion, judged.emotion, atol=1.6e-6)
    np.testing.assert_allclose(read.intensity, judged.intensity, atol=0.6e-6)
    np.testing.assert_allclose(read.change, judged.change, atol=0.6e-6)
    assert read.guess().tolist() == judged.guess().tolist()
    assert read.abstained.tolist() == judged.abstained.tolist()
    assert read.shifted.tolist() == judged.shifted.tolist()
    assert (read.direction, read.fold) == (judged.direction, judged.fold)
    assert groups_of(read) == groups_of(judged) and truth_of(read).tolist() == truth_of(judged).tolist()
    assert write_answers(read) == path.read_bytes().decode("utf-8")  # once rounded, always the same bytes


@settings(max_examples=60, deadline=None)
@given(judged=judged_rows())
def test_no_cell_is_run_by_a_spreadsheet(judged: Judged):
    for row in csv.reader(io.StringIO(write_answers(judged), newline="")):
        assert all(inert(cell) == cell.replace("\0", "") for cell in row)


def example(name: str, **fields: object) -> Example:
    fields = {"corpus": "calls", "split": "test", "emotions": ("anger",), "id": name} | fields
    return Example(**fields)  # type: ignore[arg-type]


def two_rows() -> Judged:
    """Two rows of a model of two labels: sure of anger; a tie after rounding, neutral by a hair."""
    return Judged(
        examples=(
            example("a", text="my card is 4111", audio=Path("/home/someone/a.wav"), speaker="calls/1"),
            example("b", emotions=("neutral", "anger"), intensity=0.25, change="worse", turn_index=3),
        ),
        labels=("anger", "neutral"),
        emotion=np.array([[0.9, 0.1], [0.4999999, 0.5000001]]),
        abstained=np.array([False, True]),
        intensity=np.array([math.nan, 1 / 3]),
        change=np.array([math.nan, 0.75]),
        shifted=np.array([False, True]),
        direction=(None, "worse"),
        fold=("0", "1"),
    )


def test_the_file_is_as_documented_without_texts_and_paths():
    assert write_answers(two_rows()).splitlines() == [
        "corpus,id,split,fold,speaker,dialogue_id,turn_index,emotion,intensity,change,guess,abstained,"
        "p_anger,p_neutral,said_intensity,p_change,shifted,direction",
        "calls,a,test,0,calls/1,,,anger,,,anger,false,0.900000,0.100000,,,false,",
        # 0.4999999 and 0.5000001 are both 0.500000: the guess gets one step more.
        "calls,b,test,1,,,3,neutral|anger,0.250000,worse,neutral,true,"
        "0.500000,0.500001,0.333333,0.750000,true,worse",
    ]


def test_what_cannot_be_written_is_refused():
    judged = two_rows()
    twice = replace(judged, examples=(judged.examples[0], judged.examples[0]))
    with pytest.raises(DataError, match="2 rows are called calls/a"):
        write_answers(twice)
    divided = replace(judged, examples=(example("a", emotions=("so|so",)), judged.examples[1]))
    with pytest.raises(DataError, match=r"'so\|so'"):
        write_answers(divided)
    with pytest.raises(DataError, match='"change"'):
        write_answers(replace(judged, labels=("anger", "change")))
    nothing = np.zeros(0)
    empty = Judged(
        examples=(), emotion=np.zeros((0, 7)), abstained=nothing.astype(bool), intensity=nothing,
        change=nothing, shifted=nothing.astype(bool), direction=(), fold=(),
    )  # fmt: skip
    with pytest.raises(DataError, match="no row was judged"):
        write_answers(empty)


def test_what_cannot_be_written_is_refused_before_anything_is_judged():
    a, b = two_rows().examples
    other = replace(b, corpus="others")  # of the same id
    check_answerable([a, b, other], ("anger", "neutral"))
    check_answerable([])
    with pytest.raises(DataError, match="3 rows are called calls/b; give each row"):
        check_answerable([b, a, b, b])
    for rows, labels in (([a], ("anger", "change")), ([a, example("c", emotions=("change",))], ())):
        with pytest.raises(DataError, match=r'called "change".*rename'):
            check_answerable(rows, labels)
    with pytest.raises(DataError, match=r"'so\|so' holds"):
        check_answerable([example("c", emotions=("so|so",))])


def _cell(line: int, column: str, value: str) -> Callable[[str], str]:
    """Return an edit of one cell, lines from 1 as an editor counts them."""

    def edit(text: str) -> str:
        rows = list(csv.reader(io.StringIO(text, newline="")))
        rows[line - 1][rows[0].index(column)] = value
        out = io.StringIO()
        csv.writer(out).writerows(rows)
        return out.getvalue()

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: "", "its header is empty"),
        (lambda text: text.splitlines()[0], "holds no judged rows"),
        (lambda text: text.replace("abstained", "unsure", 1), "no column 'abstained'"),
        (lambda text: text.replace("p_neutral", "neutral", 1), "a column 'neutral', which is not known"),
        (lambda text: text.replace("true,worse", "true", 1), "line 3: it does not have 18 cells"),
        (lambda text: text + text.splitlines()[1], "line 4: calls/a stands on line 2 already"),
        (lambda text: text.replace('calls,a', 'calls,"a', 1), "line"),
        (_cell(2, "p_anger", "0.8"), r"line 2: the probabilities add up to 0\.9000, not to 1"),
        (_cell(2, "p_anger", "lots"), "line 2: p_anger is 'lots', which is not a number"),
        (_cell(2, "p_anger", "nan"), "line 2: p_anger is nan"),
        (_cell(2, "p_anger", ""), "line 2: the column 'p_anger' is empty"),
        (_cell(2, "guess", "neutral"), "line 2: the guess is 'neutral', but 'anger' is the most probable"),
        (_cell(2, "corpus", ""), "line 2: the column 'corpus' is empty"),
        (_cell(3, "said_intensity", "1.5"), "line 3: said_intensity is 1.5; give a number from 0 to 1"),
        (_cell(3, "emotion", "angry"), "line 3: the emotion 'angry' is unknown; did you mean 'anger'"),
        (_cell(3, "emotion", "anger|anger"), "line 3: .*names one twice"),
        (_cell(3, "change", "up"), "line 3: change is 'up'"),
        (_cell(3, "split", "dev"), "line 3: split is 'dev'"),
        (_cell(3, "turn_index", "2.5"), "line 3: turn_index is 2.5, which is not a whole number"),
        (_cell(3, "abstained", "maybe"), "line 3: abstained is 'maybe'"),
        (_cell(3, "shifted", "false"), "line 3: the direction is 'worse', but no shift is claimed"),
    ],
)  # fmt: skip
def test_damage_is_one_sentence_with_the_line(edit: Callable[[str], str], message: str, tmp_path: Path):
    path = tmp_path / "answers.csv"
    path.write_bytes(edit(write_answers(two_rows())).encode())
    with pytest.raises(DataError, match=message) as refused:
        read_answers(path)
    assert str(path) in str(refused.value) and "\n" not in str(refused.value)


def test_what_is_no_such_file_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="is missing"):
        read_answers(tmp_path / "answers.csv")
    with pytest.raises(DataError, match="is a folder"):
        read_answers(tmp_path)
    (tmp_path / "latin.csv").write_bytes("corpus;prénom".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        read_answers(tmp_path / "latin.csv")
    (tmp_path / "noise.csv").write_bytes(os.urandom(2000))
    with pytest.raises(DataError):
        read_answers(tmp_path / "noise.csv")


def test_a_file_that_excel_saved_again_is_read(tmp_path: Path):
    path = tmp_path / "answers.csv"
    path.write_bytes(b"\xef\xbb\xbf" + write_answers(two_rows()).encode())
    assert len(read_answers(path)) == 2
