"""What damage costs: clean and damaged rows side by side, only those that the damage concerns."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, recall_score

from mmser.data import Example
from mmser.evaluation.damage.degradations import DEGRADATIONS, Degradation
from mmser.evaluation.damage.robustness import compare_degraded
from mmser.evaluation.judged import Judged, emotion_only, where
from mmser.evaluation.result import Degraded

BY_NAME = {degradation.name: degradation for degradation in DEGRADATIONS}
GSM, ERRORS, NO_WORDS = BY_NAME["GSM 06.10"], BY_NAME["word errors 10 %"], BY_NAME["no words"]
LABELS = ("anger", "neutral", "sadness")


def example(number: int, label: str | None = "anger", speaker: str = "a", **changes: object) -> Example:
    values = dict(
        corpus="made",
        split="test",
        id=str(number),
        emotions=() if label is None else (label,),
        speaker=f"made/{speaker}",
        audio=Path("a.wav"),
        text="So he said.",
    )
    return Example(**(values | changes))  # type: ignore[arg-type]


def judged(examples: list[Example], guesses: str) -> Judged:
    """Return the answers of a model that is 80 % sure; guesses by first letter of the label."""
    places = ["ans".index(letter) for letter in guesses]
    return emotion_only(examples, LABELS, np.where(np.eye(3)[places] == 1, 0.8, 0.1))


def compared(clean: Judged, damaged: Judged, kind: Degradation = GSM, **options: str) -> Degraded:
    found = compare_degraded(clean, damaged, kind, data="made", **options)
    assert found is not None
    return found


# Two speakers with two rows of each of two classes.
ROWS = [
    example(number, label, speaker)
    for number, (label, speaker) in enumerate(
        (label, speaker) for speaker in "ab" for label in ("anger", "anger", "neutral", "neutral")
    )
]


def test_the_loss_is_the_clean_value_less_the_damaged_one_on_the_same_rows():
    clean, damaged = judged(ROWS, "aann" + "aann"), judged(ROWS, "annn" + "aass")
    found = compared(clean, damaged)
    # Damaged, 3 of 4 angry rows and 2 of 4 neutral ones are right: UAR (75 + 50) / 2.
    assert (found.metric, found.value.value, found.loss.value) == ("UAR", 62.5, 37.5)
    assert (found.n, found.unanswered, found.flip_rate, found.abstained) == (8, 0, 37.5, 0.0)
    assert (found.name, found.kind, found.data) == ("GSM 06.10", "sound", "made")
    assert found.clean is not None and found.clean == compared(clean, clean).value
    assert (found.clean.value, found.clean.n, found.clean.groups) == (100.0, 8, 2)
    # Without speaker b the loss is that of a, 25; without a it is 50: jackknife error 12.5, t at 1 = 12.706.
    assert found.loss.interval == "t over 2 speakers" and found.loss.groups == 2
    assert found.loss.low == pytest.approx(-100.0) and found.loss.high == pytest.approx(100.0)
    assert compared(clean, damaged, metric="WA").loss.value == 37.5


def test_an_interval_of_the_loss_is_paired():
    # Every speaker loses one of ten rows, whoever is told well and who is not: the loss has no spread.
    rows = [
        example(10 * s + i, "anger" if i < 5 else "neutral", f"s{s}") for s in range(4) for i in range(10)
    ]
    clean = judged(rows, "".join("a" * (5 - s) + "s" * s + "nnnnn" for s in range(4)))
    damaged = judged(rows, "".join("a" * (4 - s) + "s" * (1 + s) + "nnnnn" for s in range(4)))
    found = compared(clean, damaged, metric="WA")
    assert (found.loss.value, found.loss.low, found.loss.high) == pytest.approx((10.0, 10.0, 10.0))
    assert found.value.low is not None and found.value.low < found.value.value - 10  # type: ignore[operator]


def test_rows_that_got_no_answer_are_told_and_left_out_of_both_sides():
    clean, damaged = judged(ROWS, "aannaann"), judged(ROWS, "aannssss")
    # Of b's rows the last is not answered damaged, the one before not clean.
    found = compared(where(clean, np.array([0, 1, 2, 3, 4, 5, 7])), where(damaged, np.arange(7)))
    assert (found.n, found.unanswered) == (6, 1)
    # On the six: anger 2 of 4 right, neutral 2 of 2.
    assert (found.value.value, found.loss.value) == (75.0, 25.0)


def test_an_order_of_rows_changes_nothing():
    clean, damaged = judged(ROWS, "aannaann"), judged(ROWS, "annnaass")
    order = np.array([3, 7, 0, 1, 6, 2, 5, 4])
    assert compared(where(clean, order), where(damaged, order[::-1])) == compared(clean, damaged)


def test_abstaining_is_that_of_the_damaged_rows():
    clean, damaged = judged(ROWS, "aannaann"), judged(ROWS, "aannaann")
    damaged = replace(damaged, abstained=np.arange(8) < 2)
    assert compared(clean, damaged).abstained == 25.0
    assert compared(damaged, clean).abstained == 0.0
    assert (compared(damaged, clean).clean_abstained, compared(clean, damaged).clean_abstained) == (25.0, 0.0)


@pytest.mark.parametrize(
    ("kind", "rows"), [("GSM 06.10", 2), ("word errors 10 %", 2), ("no words", 1), ("no sound", 1)]
)
def test_only_rows_that_the_damage_concerns_are_compared(kind: str, rows: int):
    examples = [example(0), example(1, text=None), example(2, audio=None)]
    found = compared(judged(examples, "aaa"), judged(examples, "sss"), BY_NAME[kind])
    assert (found.n, found.loss.value, found.flip_rate) == (rows, 100.0, 100.0)


def test_a_row_that_is_left_with_nothing_does_not_count_as_unanswered():
    examples = [example(0), example(1, audio=None), example(2, text=None)]
    found = compared(judged(examples, "aaa"), judged(examples[:1], "a"), NO_WORDS)
    assert (found.n, found.unanswered) == (1, 0)


def test_rows_without_one_label_can_flip_but_are_not_scored():
    examples = [example(0), example(1, None), example(2, None, emotions=("anger", "sadness"))]
    found = compared(judged(examples, "aaa"), judged(examples, "ass"))
    assert (found.n, found.value.n, found.loss.value) == (3, 1, 0.0)
    assert found.flip_rate == pytest.approx(200 / 3)
    found = compared(judged(examples[1:], "aa"), judged(examples[1:], "as"))
    assert (found.value.value, found.loss.value, found.flip_rate) == (None, None, 50.0)


def test_where_nothing_is_left_to_compare_there_is_no_row():
    texts = [example(0, audio=None), example(1, audio=None)]
    answers = judged(texts, "aa")
    assert compare_degraded(answers, answers, GSM, data="made") is None
    assert compare_degraded(answers, answers, NO_WORDS, data="made") is None
    assert compare_degraded(answers, where(answers, np.arange(0)), ERRORS, data="made") is None
    assert compare_degraded(answers, answers, ERRORS, data="made") is not None


def test_the_metric_is_the_one_of_the_corpus():
    rows = [replace(one, corpus="meld", dialogue_id=one.id) for one in ROWS]
    both = judged(rows, "aannaann"), judged(rows, "aannaann")
    found = compare_degraded(*both, GSM, data="meld")
    assert found is not None and found.metric == "weighted-F1"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_values_agree_with_scikit_learn_and_no_damage_costs_nothing(data: st.DataObject):
    count = data.draw(st.integers(1, 40))
    letters = st.text("ans", min_size=count, max_size=count)
    truth, before, after = (data.draw(letters) for _ in range(3))
    names = {"a": "anger", "n": "neutral", "s": "sadness"}
    speakers = data.draw(st.lists(st.sampled_from("abcde"), min_size=count, max_size=count))
    rows = [example(i, names[t], s) for i, (t, s) in enumerate(zip(truth, speakers, strict=True))]
    clean, damaged = judged(rows, before), judged(rows, after)

    def uar(guess: str) -> float:
        return 100 * float(recall_score(list(truth), list(guess), average="macro", labels=sorted(set(truth))))

    found = compared(clean, damaged)
    assert found.value.value == pytest.approx(uar(after))
    assert found.loss.value == pytest.approx(uar(before) - uar(after))
    assert found.flip_rate == pytest.approx(100 * (1 - accuracy_score(list(before), list(after))))
    same = compared(clean, clean)
    assert same.loss.value == 0 and same.flip_rate == 0
    assert same.loss.low in (None, 0) and same.loss.high in (None, 0)
