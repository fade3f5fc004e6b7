"""Words as a recogniser might hear them: as many errors as asked for, like real ones, the same every time."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmser.evaluation.damage.word_errors import (
    Vocabulary,
    count_errors,
    make_vocabulary,
    mishear,
    word_error_rate,
    words_of,
)

NO_WORDS = make_vocabulary([])
SOME = make_vocabulary(["The late train was late.", "Why is the lake cold?", "What a shy cat the cat is!"])


@pytest.fixture(scope="module")
def meld(data_dir: Path) -> list[str]:
    """The first 300 test turns of MELD."""
    with (data_dir / "text/meld/test_sent_emo.csv").open(encoding="utf-8") as file:
        return [row["Utterance"] for row in csv.DictReader(file)][:300]


@pytest.fixture(scope="module")
def heard(meld: list[str]) -> dict[float, list[str]]:
    """The same turns at several word error rates."""
    spoken = make_vocabulary(meld)
    return {rate: misheard(meld, rate, spoken) for rate in (0.05, 0.1, 0.2, 0.3)}


def misheard(texts: list[str], rate: float, vocabulary: Vocabulary) -> list[str]:
    return [mishear(text, rate, np.random.default_rng(i), vocabulary) for i, text in enumerate(texts)]


# --- the rate --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "said", "errors"),
    [
        ("the cat sat on the mat", "the cat sit on mat", 2),  # sat → sit, the second "the" lost
        ("a b", "a x b", 1),
        ("a b c", "c", 2),
        ("", "um", 1),
        ("Don’t go, Ross!", "don't go ross", 0),  # punctuation, case and apostrophes are no words
        ("Ich heiße Ärger.", "ich HEISSE ärger", 0),
        ("well-known", "well known", 2),  # one word became two others
        ("怒っている", "怒ってる", 1),  # characters count where words are not spaced
    ],
)
def test_errors_are_counted_word_by_word(reference: str, said: str, errors: int):
    assert count_errors(reference, said) == errors
    assert count_errors(said, reference) == errors


def test_the_rate_is_over_all_words_not_over_rows():
    # (2 + 1) errors in (6 + 2) words
    rate = word_error_rate(["the cat sat on the mat", "go on"], ["the cat sit on mat", "go"])
    assert rate == pytest.approx(3 / 8)
    assert word_error_rate([""], [""]) == 0 and word_error_rate([], []) == 0
    assert word_error_rate(["…"], ["um"]) == float("inf")


@pytest.mark.data
def test_over_a_corpus_the_rate_is_the_one_that_is_asked_for(meld: list[str], heard: dict[float, list[str]]):
    for rate, said in heard.items():
        assert word_error_rate(meld, said) == pytest.approx(rate, abs=0.01)
        # No error is undone by another: each row has what it should, rounded down or up.
        for text, other in zip(meld, said, strict=True):
            assert abs(count_errors(text, other) - rate * len(words_of(text))) < 1


@pytest.mark.data
def test_more_is_lost_than_added_as_by_recognisers(meld: list[str], heard: dict[float, list[str]]):
    errors = sum(count_errors(a, b) for a, b in zip(meld, heard[0.3], strict=True))
    longer = sum(len(words_of(b)) - len(words_of(a)) for a, b in zip(meld, heard[0.3], strict=True))
    assert longer / errors == pytest.approx(0.15 - 0.25, abs=0.04)


@pytest.mark.data
def test_what_is_wrong_at_a_low_rate_is_wrong_at_a_high_one(meld: list[str], heard: dict[float, list[str]]):
    rows = list(zip(meld, heard[0.05], heard[0.3], strict=True))
    assert any(text != few for text, few, _ in rows)
    assert all(text != many for text, few, many in rows if text != few)
    # The errors of the low rate are among those of the high one, so the two texts lie closer to each other.
    assert sum(count_errors(few, many) for _, few, many in rows) < sum(
        count_errors(text, many) for text, _, many in rows
    )


@settings(max_examples=60, deadline=None)
@given(
    st.text(st.sampled_from("ab é’-.,!? \n世カЖ"), max_size=60),
    st.sampled_from([0.0, 0.1, 0.3, 1.0]),
    st.integers(0, 5),
)
def test_any_text_keeps_a_word_and_has_about_the_errors_asked_for(text: str, rate: float, seed: int):
    said = mishear(text, rate, np.random.default_rng(seed), SOME)
    wanted = rate * len(words_of(text))
    assert count_errors(text, said) <= np.ceil(wanted)
    assert rate > 0.3 or count_errors(text, said) >= np.floor(wanted)
    assert bool(words_of(said)) == bool(words_of(text))
    assert said == mishear(text, rate, np.random.default_rng(seed), SOME)


# --- the errors ------------------------------------------------------------------------------------------


def test_words_that_look_alike_are_heard_for_each_other():
    drawn = {SOME.alike("late", np.random.default_rng(seed)) for seed in range(40)}
    assert "lake" in drawn and "late" not in drawn
    near = make_vocabulary(["lake rate late fate hate telephone elephant"])
    assert {near.alike("LATE", np.random.default_rng(i)) for i in range(40)} == {
        "lake",
        "rate",
        "fate",
        "hate",
    }
    # By shared letters "lateness" is nearer to "late" than "lake" is; by edit distance it is not.
    long = make_vocabulary(["late lake later plate lately latest lateness"])
    drawn = {long.alike("late", np.random.default_rng(i)) for i in range(40)}
    assert drawn == {"lake", "later", "plate", "lately"}
    assert NO_WORDS.alike("late", np.random.default_rng(0)) is None


def test_function_words_are_lost_more_often_than_others():
    words = make_vocabulary(
        ["the the the the the the cat dog cow hen fox owl bee ant"]
    )  # 6 of 14 running words
    assert words.is_common("The") and not words.is_common("cat") and not words.is_common("unheard")
    said = [mishear("the cat", 0.5, np.random.default_rng(seed), words) for seed in range(1000)]  # one error
    # Each is chosen in half of the rows: 0.5 · 0.40 and 0.5 · 0.15, each ± 4 · 0.013.
    assert said.count("cat") / 1000 == pytest.approx(0.2, abs=0.052)
    assert said.count("the") / 1000 == pytest.approx(0.075, abs=0.04)


@pytest.mark.parametrize("text", ["", "  \n", "…", "?!", "—"])
def test_without_words_nothing_is_heard_wrong(text: str):
    assert mishear(text, 1.0, np.random.default_rng(0), SOME) == text


def test_a_single_word_is_never_lost_and_heard_twice_where_no_other_is_known():
    for seed in range(50):
        assert words_of(mishear("Late!", 1.0, np.random.default_rng(seed), SOME)) not in ([], ["late"])
        assert mishear("Late!", 1.0, np.random.default_rng(seed), NO_WORDS) == "Late Late!"


def test_case_and_punctuation_stay_where_they_were():
    near = make_vocabulary(["lake late"])
    said = {
        text: {mishear(text, 1.0, np.random.default_rng(seed), near) for seed in range(30)}
        for text in ("LATE?!", "‘Late’,", "late.")
    }
    assert "LAKE?!" in said["LATE?!"] and "‘Lake’," in said["‘Late’,"] and "lake." in said["late."]


def test_lost_words_take_no_full_stop_with_them_and_leave_no_second_one():
    seen = {
        mishear("Oh. No, you go. Wait!", 0.2, np.random.default_rng(seed), NO_WORDS) for seed in range(200)
    }
    lost = {text for text in seen if len(words_of(text)) == 4}
    assert lost == {
        "No, you go. Wait!",
        "Oh. you go. Wait!",
        "Oh. No, go. Wait!",
        "Oh. No, you. Wait!",
        "Oh. No, you go!",
    }


def test_the_last_word_leaves_the_full_stop_before_it():
    seen = {mishear("Oh. No", 0.5, np.random.default_rng(seed), NO_WORDS) for seed in range(40)}
    assert {text for text in seen if len(words_of(text)) == 1} == {"Oh.", "No"}


def test_no_spaces_come_between_characters_that_are_written_without():
    said = [mishear("怒っている。", 0.5, np.random.default_rng(seed), NO_WORDS) for seed in range(30)]
    assert not any(" " in text for text in said) and any(len(text) > 6 for text in said)
