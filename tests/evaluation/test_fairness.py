"""A gap is what differs within corpora, and one that chance makes is told from one that the model has."""

import itertools
import math
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mmser.data import Example
from mmser.data.speech import emodb_examples, ravdess_examples
from mmser.errors import UsageError
from mmser.evaluation.judged import Judged, emotion_only, where
from mmser.evaluation.result import Gap
from mmser.evaluation.scores.dealing import STEADY, compare, shares_of
from mmser.evaluation.scores.emotion_scores import uar
from mmser.evaluation.scores.fairness import gaps
from mmser.labels import EMOTIONS


def voice(name, right, *, corpus="made", classes=("anger",), **about):
    """Rows of one voice: `right` says of each whether it is guessed; class by class in turn."""
    return [
        (
            Example(
                corpus=corpus,
                split="test",
                id=f"{name}-{i}",
                speaker=f"{corpus}/{name}",
                emotions=(classes[i % len(classes)],),
                **about,
            ),
            bool(hit),
        )
        for i, hit in enumerate(right)
    ]


def share(right: int, of: int) -> list[bool]:
    return [i < right for i in range(of)]


def said(*voices) -> Judged:
    """A model that is right or takes the next emotion."""
    rows = [row for one in voices for row in one]
    truth = [EMOTIONS.index(example.emotions[0]) for example, _ in rows]
    guess = [t if hit else (t + 1) % 7 for t, (_, hit) in zip(truth, rows, strict=True)]
    return emotion_only([example for example, _ in rows], EMOTIONS, np.eye(7)[guess])


def gap_of(judged: Judged, attribute: str, data: str = "all", **options) -> Gap:
    (found,) = [g for g in gaps(judged, **options) if (g.attribute, g.data) == (attribute, data)]
    return found


# --- by hand -----------------------------------------------------------------------------------------------


def test_four_voices_are_dealt_in_all_six_ways():
    women = voice("a", share(20, 20), gender="female"), voice("b", share(16, 20), gender="female")
    men = voice("c", share(12, 20), gender="male"), voice("d", share(8, 20), gender="male")
    found = gap_of(said(*women, *men), "gender")
    # Women (100 + 80) / 2 = 90, men (60 + 40) / 2 = 50. Of the six deals, {a, b} and {c, d} give 40, {a, c}
    # and {b, d} give 20, the others 0: two of the six are as large, and no gap could do better.
    assert (found.groups["female"].value, found.groups["male"].value) == pytest.approx((90, 50))
    assert found.gap == pytest.approx(40)
    assert (found.deals, found.p_value, found.smallest_p) == (6, pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert found.threshold == found.gap  # the largest of the six: not exceeded
    assert (found.smallest_n, found.smallest_voices) == (40, 2)
    assert found.groups["female"].interval == "t over 2 voices"


def test_the_threshold_is_at_the_standard_error_of_the_gap():
    women = voice("a", share(20, 20), gender="female"), voice("c", share(12, 20), gender="female")
    men = voice("b", share(16, 20), gender="male"), voice("d", share(8, 20), gender="male")
    found = gap_of(said(*women, *men), "gender")
    # 80 against 60. Without a, women have 60; without c, 100: a jackknife variance of (2 - 1) 400; so men.
    # The largest ratio is that of {a, b}: 40 in a standard error of sqrt(100 + 100).
    error = math.sqrt(400 + 400) + STEADY
    assert found.gap == pytest.approx(20)
    assert found.threshold == pytest.approx(40 / (math.sqrt(200) + STEADY) * error)
    assert found.p_value == pytest.approx(4 / 6)


def test_a_score_is_the_mean_over_corpora_that_hold_all_values():
    cells = [("x", "f"), ("x", "m"), ("y", "f"), ("y", "m")]
    assert shares_of(cells) == pytest.approx(np.array([[0.5, 0, 0.5, 0], [0, 0.5, 0, 0.5]]))


def test_values_that_meet_in_no_corpus_are_compared_by_way_of_one_that_meets_both():
    cells = [("x", "old"), ("x", "young"), ("y", "old"), ("y", "oldest")]
    old, oldest, young = shares_of(cells) @ [60, 80, 50, 40]
    # In x the young are 20 over the old; in y the oldest are 10 under them.
    assert (young - old, old - oldest) == pytest.approx((20, 10))
    assert old == pytest.approx((60 + 50) / 2)


@given(values=st.lists(st.integers(0, 2), min_size=2, max_size=6).filter(lambda v: {0, 1} <= set(v)))
def test_few_voices_are_dealt_in_every_distinct_way_once(values):
    _, values = np.unique(values, return_inverse=True)
    rows = np.arange(len(values))
    comparison = compare(
        truth=rows * 0,
        guess=rows % 2,
        classes=2,
        voice=rows,
        value=values.astype(str),
        block=np.full(len(rows), ""),
        metric=uar,
    )
    dealt = list(map(tuple, comparison.deals(1000, seed=0).tolist()))
    assert len(dealt) == len(set(dealt)) == comparison.number_of_deals()
    assert set(dealt) == set(itertools.permutations(values.tolist()))


def test_dealing_within_two_corpora_keeps_each_corpus_to_itself():
    block = np.array(["x", "y", "x", "y", "x", "y"])
    value = np.array(["f", "f", "m", "m", "m", "m"])
    rows = np.arange(6)
    options = {"truth": rows * 0, "guess": rows % 2, "classes": 2, "voice": rows, "metric": uar}
    comparison = compare(value=value, block=block, **options)
    for draws, count in ((1000, 9), (8, 9)):  # 3 ways in each corpus: all nine, or the data's own and eight
        dealt = comparison.deals(draws, seed=0)
        assert len(dealt) == count
        assert all(Counter(one[block == b].tolist()) == {0: 1, 1: 2} for one in dealt for b in "xy")
    assert comparison.deals(8, seed=0)[0].tolist() == [0, 0, 1, 1, 1, 1]


@given(seed=st.integers(0, 1000))
@settings(max_examples=20)
def test_the_standard_error_is_the_jackknife_of_leaving_out_each_voice(seed):
    rng = np.random.default_rng(seed)
    speaker = np.repeat(np.arange(7), rng.integers(3, 9, 7))
    truth, guess = rng.integers(0, 3, (2, len(speaker)))
    value = np.array(["f", "m", "m", "f", "m", "f", "m"])[speaker]
    comparison = compare(
        truth=truth,
        guess=guess,
        classes=3,
        voice=speaker,
        value=value,
        block=np.full(len(speaker), ""),
        metric=uar,
    )
    (gap,), (error,) = comparison.gaps_of(comparison.value[None])

    def score(kept: np.ndarray) -> float:
        return np.mean([100 * np.mean(guess[kept & (truth == c)] == c) for c in np.unique(truth[kept])])

    variance = 0.0
    for sex in "fm":
        without = [score((value == sex) & (speaker != s)) for s in np.unique(speaker[value == sex])]
        variance += (len(without) - 1) * np.var(without)
    assert gap == pytest.approx(abs(score(value == "f") - score(value == "m")))
    assert error == pytest.approx(math.sqrt(variance))


# --- what chance does --------------------------------------------------------------------------------------


def called(rng: np.random.Generator, sizes: dict[str, tuple[int, int]], spread: float, gap: float) -> bool:
    """Whether values with (voices, rows of each) are called apart; the first is `gap` worse."""
    value, speaker, chance = [], [], []
    for place, (name, (voices, rows)) in enumerate(sizes.items()):
        skill = np.clip(0.6 - gap * (place == 0) + spread * rng.standard_normal(voices), 0, 1)
        value += [name] * voices * rows
        speaker += np.repeat([f"{name}{v}" for v in range(voices)], rows).tolist()
        chance += np.repeat(skill, rows).tolist()
    truth = rng.integers(0, 4, len(value))
    guess = np.where(rng.random(len(value)) < chance, truth, (truth + 1) % 4)
    comparison = compare(
        truth=truth,
        guess=guess,
        classes=4,
        voice=np.unique(speaker, return_inverse=True)[1],
        value=np.array(value),
        block=np.full(len(value), ""),
        metric=uar,
    )
    found = comparison.chance(draws=199, seed=int(rng.integers(1 << 30)))
    assert (found.gap > found.threshold) == (found.p_value <= 0.05)
    return found.gap > found.threshold


@pytest.mark.parametrize(
    ("sizes", "spread"),
    [
        ({"f": (8, 40), "m": (12, 40)}, 0.1),
        ({"de": (10, 40), "en": (12, 60), "pl": (9, 400)}, 0.0),  # a voice has more rows in one language
        ({"f": (4, 40), "m": (5, 40)}, 0.1),  # all 126 deals
    ],
)
def test_a_model_without_a_gap_is_called_gapped_about_once_in_twenty(sizes, spread):
    rng = np.random.default_rng(0)
    rate = np.mean([called(rng, sizes, spread, gap=0.0) for _ in range(300)])
    # Of 300 models, at 5 %: 15 ± 4. By gaps not counted in standard errors, the second case has 20 %.
    assert 0.01 < rate < 0.10


def test_a_gap_of_twenty_points_is_found_with_twelve_voices_a_side():
    rng = np.random.default_rng(0)
    assert np.mean([called(rng, {"f": (12, 40), "m": (12, 40)}, 0.08, gap=0.2) for _ in range(50)]) > 0.9


def test_corpora_with_other_shares_of_women_make_no_gap_between_genders():
    # Both genders have 90 in the easy corpus and 50 in the hard one; all rows together, women would have
    # (9 * 90 + 3 * 50) / 12 = 80 and men 60.
    voices = [
        voice(f"{gender}{i}", share(right, 20), corpus=corpus, gender=gender)
        for corpus, right, women in (("easy", 18, 9), ("hard", 10, 3))
        for gender, count in (("female", women), ("male", 12 - women))
        for i in range(count)
    ]
    found = gap_of(said(*voices), "gender")
    assert found.gap == pytest.approx(0)
    assert found.p_value == 1.0
    assert {value: score.value for value, score in found.groups.items()} == pytest.approx(
        {"female": 70, "male": 70}
    )
    assert found.note == "compared within easy, hard, each counting alike"
    assert gap_of(said(*voices), "corpus").gap == pytest.approx(40)


def test_the_interval_of_a_gap_is_welchs_by_hand():
    women = voice("a", share(14, 20), gender="female"), voice("c", share(10, 20), gender="female")
    men = voice("b", share(8, 20), gender="male"), voice("d", share(4, 20), gender="male")
    found = gap_of(said(*women, *men), "gender")
    # 60 against 30. Without a, women have 50; without c, 70: a jackknife variance of 100 with one degree of
    # freedom; so men. Together 200 with 200² / (100² + 100²) = 2 degrees of freedom.
    half = stats.t.ppf(0.975, 2) * math.sqrt(200)
    assert (found.low, found.high) == pytest.approx((30 - half, 30 + half))


def test_voices_that_do_not_differ_give_no_interval_of_the_gap():
    voices = [voice(f"{g}{i}", share(10, 20), gender=g) for g in ("female", "male") for i in range(2)]
    found = gap_of(said(*voices), "gender")
    assert (found.gap, found.low, found.high) == (pytest.approx(0), None, None)


@pytest.mark.parametrize("true", [(60, 60), (70, 60), (60, 60, 60), (60, 60, 60, 60, 60)])
def test_the_interval_of_a_gap_holds_the_true_one_of_the_pair_that_was_found_to_be_furthest_apart(true):
    rng = np.random.default_rng(0)
    held = []
    for _ in range(200):
        skills = [np.clip(rng.normal(skill, 10, 6), 0, 100) / 100 for skill in true]
        right = [[rng.random(30) < skill for skill in own] for own in skills]
        value = np.repeat(np.arange(len(true)), 6 * 30)
        rows = np.arange(len(value))
        comparison = compare(
            truth=rows * 0,
            guess=1 - np.concatenate([np.concatenate(own) for own in right]).astype(np.int64),
            classes=2,
            voice=rows // 30,
            value=value.astype(str),
            block=np.full(len(rows), ""),
            metric=uar,
        )
        low, high = comparison.gap_interval()
        means = [np.mean(own) for own in right]
        held.append(low <= true[np.argmax(means)] - true[np.argmin(means)] <= high)
    assert np.mean(held) > 0.92  # of 200 at 95 %: 0.95 ± 0.015


# --- what is compared --------------------------------------------------------------------------------------


def test_every_corpus_with_two_values_gets_its_own_gap():
    voices = [
        voice(f"{corpus}{gender}{i}", share(10 + i, 20), corpus=corpus, gender=gender, language=language)
        for corpus, language, genders in (("x", "en", "fm"), ("y", "pl", "fm"), ("z", "en", "f"))
        for gender in genders
        for i in range(3)
    ]
    found = [(g.attribute, g.data) for g in gaps(said(*voices))]
    assert found == [
        *(("gender", data) for data in ("all", "x", "y")),
        ("age band", "all"),
        ("language", "all"),
        ("corpus", "all"),
    ]
    alone = gaps(said(*voices[:6]))  # one corpus: "all" says it
    assert [(g.attribute, g.data) for g in alone] == [("gender", "all"), ("age band", "all")]


def test_groups_too_small_are_left_out_with_the_reason():
    two = [voice(f"f{i}", share(10, 20), gender="female") for i in range(2)]
    other = [voice(f"m{i}", share(10, 20), gender="male") for i in range(2)]
    single = voice("n", share(20, 40), gender="nonbinary")
    few = [voice(f"o{i}", share(5, 10), gender="other") for i in range(2)]
    found = gap_of(said(*two, *other, single, *few), "gender")
    assert set(found.groups) == {"female", "male"}
    assert found.left_out == {
        "nonbinary": "40 rows of 1 voice; 30 rows of 2 voices are needed",
        "other": "20 rows of 2 voices; 30 rows of 2 voices are needed",
    }
    alone = gap_of(said(*two, single, *few), "gender")
    assert (alone.gap, alone.threshold, alone.p_value, alone.groups) == (None, None, None, {})
    assert alone.left_out["female"] == "40 rows; there is nothing to compare with"


def test_rows_that_do_not_say_are_counted():
    known = [voice(f"{g}{i}", share(10, 20), gender=g) for g in ("female", "male") for i in range(2)]
    found = gap_of(said(*known, voice("x", share(3, 7))), "gender")
    assert found.left_out == {"not given": "7 rows without gender"}
    ages = gap_of(said(*known), "age band")
    assert (ages.gap, ages.left_out) == (None, {"not given": "80 rows without age band"})
    assert gaps(where(said(*known), np.zeros(80, bool))) == ()


def test_ages_fall_into_bands():
    ages = {"under 30": (18, 29.9), "30–44": (30, 44), "45–59": (45, 59), "60 and over": (60, 99)}
    voices = [voice(f"v{age}", share(10, 20), age=age) for band in ages.values() for age in band]
    found = gap_of(said(*voices), "age band")
    assert {band: score.groups for band, score in found.groups.items()} == dict.fromkeys(ages, 2)


def test_bands_that_no_corpus_links_are_left_out():
    voices = [
        voice(f"{age}{i}", share(10, 20), corpus=corpus, age=age)
        for corpus, ages in (("x", (20, 35)), ("y", (35, 50)), ("z", (70, 20)), ("apart", (50, 70)))
        for age in ages
        for i in range(2)
    ]
    assert set(gap_of(said(*voices), "age band").groups) == {"under 30", "30–44", "45–59", "60 and over"}
    found = gap_of(said(*voices[:4], *voices[12:]), "age band")
    assert set(found.groups) == {"45–59", "60 and over"} or set(found.groups) == {"under 30", "30–44"}
    assert len(found.left_out) == 2
    assert all("no corpus holds it beside" in reason for reason in found.left_out.values())


def test_only_classes_that_all_have_are_compared():
    both = ("anger", "fear")
    # Women are right about anger, never about disgust, which no man was asked for.
    women = [
        voice(f"f{i}", [True, False] * 20, classes=("anger", "disgust"), gender="female") for i in range(2)
    ]
    men = [voice(f"m{i}", [True, False] * 20, classes=both, gender="male") for i in range(2)]
    found = gap_of(said(*women, *men), "gender")
    assert found.gap == pytest.approx(0)
    assert found.groups["female"].n == found.groups["male"].n == 40
    assert found.note == "80 rows of classes that not every value has are not compared; compared are anger"
    nothing = gap_of(
        said(*women, *[voice(f"m{i}", share(9, 20), gender="male", classes=("fear",)) for i in range(2)]),
        "gender",
    )
    assert nothing.gap is None and nothing.note.startswith("no class is common to the values")


people = st.lists(
    st.tuples(
        st.sampled_from(["x", "y"]),
        st.sampled_from(["female", "male", "other", None]),
        st.sampled_from([20.0, 40.0, None]),
        st.sampled_from([5, 20, 40]),
        st.sampled_from([("anger",), ("anger", "fear"), ("fear", "sadness")]),
    ),
    min_size=1,
    max_size=9,
)


@given(people=people)
@settings(max_examples=40, deadline=None)
def test_every_row_is_compared_or_counted_among_those_that_are_not(people):
    judged = said(
        *(
            voice(f"v{i}", share(n // 2, n), corpus=corpus, gender=gender, age=age, classes=classes)
            for i, (corpus, gender, age, n, classes) in enumerate(people)
        )
    )
    for found in gaps(judged, draws=20):
        rows = len(judged) if found.data == "all" else sum(e.corpus == found.data for e in judged.examples)
        compared = sum(score.n for score in found.groups.values())
        told = [int(re.match(r"\d+", reason).group()) for reason in found.left_out.values()]
        classes = sum(int(n) for n in re.findall(r"(\d+) rows (?:of classes|are not)", found.note))
        assert compared + sum(told) + classes == rows
        assert (found.gap is None) == (len(found.groups) < 2)
        if found.gap is not None:
            values = [score.value for score in found.groups.values()]
            assert found.gap == pytest.approx(max(values) - min(values))
            assert 0 < found.smallest_p <= found.p_value <= 1
        assert Gap.from_dict(found.to_dict()) == found


def test_the_order_of_the_rows_changes_nothing():
    rng = np.random.default_rng(0)
    voices = [voice(f"{g}{i}", rng.random(20) < 0.5, gender=g) for g in ("female", "male") for i in range(8)]
    judged = said(*voices)
    assert gaps(where(judged, rng.permutation(len(judged)))) == gaps(judged)


def test_rows_without_a_speaker_stand_for_themselves():
    rows = [
        (replace(example, speaker=None, corpus=corpus), hit)
        for corpus in ("x", "y")
        for example, hit in voice("v", share(30, 40))
    ]
    found = gap_of(said(rows), "corpus", draws=50)
    assert found.smallest_voices == 40 and found.gap == pytest.approx(0)
    assert found.note == "corpora differ in classes, scripts and recording, not in this alone"


def test_a_metric_that_does_not_exist_is_refused():
    with pytest.raises(UsageError, match="'ROC' is not known; give one of UAR, WA"):
        gaps(said(voice("a", share(1, 2))), metric="ROC")


@pytest.mark.data
def test_a_gap_planted_into_real_corpora_is_found_in_each(data_dir: Path):
    corpora = data_dir / "corpora"
    examples = ravdess_examples(corpora / "ravdess", partial=True)
    examples += emodb_examples(corpora / "emodb" / "crop_2s", partial=True)
    rng = np.random.default_rng(0)
    truth = [EMOTIONS.index(example.emotions[0]) for example in examples]
    right = rng.random(len(examples)) < [0.7 if e.gender == "female" else 0.5 for e in examples]
    guess = np.where(right, truth, rng.integers(0, 7, len(examples)))
    judged = emotion_only(examples, EMOTIONS, np.eye(7)[guess])
    for data in ("all", "ravdess", "emodb"):
        found = gap_of(judged, "gender", data)
        assert found.p_value <= 0.05
        assert found.gap == pytest.approx(0.2 * 6 / 7 * 100, abs=8)  # a guess is right once in seven
        assert max(found.groups, key=lambda value: found.groups[value].value) == "female"
