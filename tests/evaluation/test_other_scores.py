"""Scores of intensity, change and several labels: by hand, beside libraries, and where little is there."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from mmser.data import Example
from mmser.errors import DataError
from mmser.evaluation.judged import Judged, emotion_only, join, targets_of, where
from mmser.evaluation.result import ChangeScores, IntensityScores, MultiLabelScores
from mmser.evaluation.scores import metrics
from mmser.evaluation.scores.change_scores import average_precision, change_scores, previous_rows
from mmser.evaluation.scores.intensity_scores import _rank_correlation, intensity_scores, levels_of
from mmser.evaluation.scores.multi_label import multi_label_scores
from mmser.evaluation.scores.resampling import ties_of
from mmser.labels import EMOTIONS
from tests.evaluation.test_emotion_scores import assert_same

THRESHOLDS = (0.5, 0.75)
NAN = float("nan")


# --- intensity -------------------------------------------------------------------------------------------


def intense(truth: list[float | None], guess: list[float], *, corpora: list[str] | None = None) -> Judged:
    """Return rows with an intensity and what is said of it, each of its own speaker."""
    names = corpora or ["made"] * len(truth)
    examples = [
        Example(corpus=c, split="test", emotions=(), id=f"{i:04}", intensity=t, speaker=f"{c}/{i}")
        for i, (c, t) in enumerate(zip(names, truth, strict=True))
    ]
    rows = emotion_only(examples, EMOTIONS, np.full((len(truth), 7), 1 / 7))
    return replace(rows, intensity=np.array(guess, np.float64))


def scored(rows: Judged, draws: int = 50) -> IntensityScores:
    scores = intensity_scores(rows, THRESHOLDS, draws=draws)
    assert scores is not None
    return scores


def test_intensity_by_hand():
    # Means 0.5 and 0.6, variances 0.05 and 0.05, covariance 0.04 (of 4 rows):
    # CCC = 2 · 0.04 / (0.05 + 0.05 + 0.1²) = 8/11. Ranks 1 2 3 4 and 2 1 3 4: Spearman 1 - 6 · 2 / 60 = 0.8.
    scores = scored(intense([0.2, 0.4, 0.6, 0.8], [0.5, 0.3, 0.7, 0.9]))
    assert scores.ccc.value == pytest.approx(8 / 11)
    assert scores.mae.value == pytest.approx((0.3 + 0.1 + 0.1 + 0.1) / 4)
    assert scores.spearman.value == pytest.approx(0.8)
    # Labels: low low medium high; guesses: medium low medium high.
    assert scores.labels == ("low", "medium", "high")
    assert scores.confusion == ((1, 1, 0), (0, 1, 0), (0, 0, 1))
    assert scores.levels_uar is not None and scores.kappa is not None
    assert scores.levels_uar.value == pytest.approx(100 * (1 / 2 + 1 + 1) / 3)
    # Disagreement 1 of 4 rows; by chance (2 · (2 · 1 + 1 · 4) + 1 · (1 + 1) + 1 · (4 + 2)) / 4 = 5: 1 - 1/5.
    assert scores.kappa.value == pytest.approx(0.8)
    assert (scores.n, scores.ccc.interval) == (4, "t over 4 speakers")


@pytest.mark.parametrize("digits", [1, 8])
def test_intensity_agrees_with_libraries(digits: int):
    rng = np.random.default_rng(0)
    truth = np.round(rng.random(300), digits)
    guess = np.round(np.clip(0.6 * truth + 0.4 * rng.random(300), 0, 1), digits)
    scores = scored(intense(truth.tolist(), guess.tolist()))
    assert scores.ccc.value == pytest.approx(metrics.concordance(truth.tolist(), guess.tolist()))
    assert scores.mae.value == pytest.approx(sk.mean_absolute_error(truth, guess))
    assert scores.spearman.value == pytest.approx(stats.spearmanr(truth, guess).statistic)
    levels = [np.digitize(values, THRESHOLDS) for values in (truth, guess)]
    assert scores.kappa is not None and scores.levels_uar is not None
    assert scores.kappa.value == pytest.approx(sk.cohen_kappa_score(*levels, weights="quadratic"))
    assert scores.levels_uar.value == pytest.approx(100 * sk.balanced_accuracy_score(*levels))
    for score in (scores.ccc, scores.mae, scores.spearman, scores.kappa, scores.levels_uar):
        assert score.low is not None and score.high is not None and score.value is not None
        assert score.low < score.value < score.high


def test_rank_correlation_of_weights_is_that_of_repeated_rows():
    rng = np.random.default_rng(1)
    one, other = np.round(rng.random(40), 1), np.round(rng.random(40), 1)
    weights = rng.integers(0, 4, (5, 40))
    values = _rank_correlation(weights.astype(float), ties_of(one), ties_of(other))
    for own, value in zip(weights, values, strict=True):
        expected = stats.spearmanr(np.repeat(one, own), np.repeat(other, own)).statistic
        assert value == pytest.approx(expected)


def test_two_labels_are_medium_and_high_and_so_are_the_guesses():
    truth, guess = levels_of(intense([0.4, 1.0, 0.4, 1.0], [0.1, 0.74, 0.75, 0.9]), THRESHOLDS)
    assert truth.tolist() == [1, 2, 1, 2]
    assert guess.tolist() == [1, 1, 2, 2]
    scores = scored(intense([0.4, 1.0, 0.4, 1.0], [0.1, 0.74, 0.75, 0.9]))
    assert (scores.labels, scores.confusion) == (("medium", "high"), ((1, 1), (1, 1)))
    assert scores.kappa is not None and scores.levels_uar is not None
    assert (scores.kappa.value, scores.levels_uar.value) == (0, 50)


def test_three_labels_are_low_medium_and_high_wherever_they_lie():
    truth, guess = levels_of(intense([0.1, 0.2, 0.3], [0.49, 0.5, 0.75]), THRESHOLDS)
    assert truth.tolist() == guess.tolist() == [0, 1, 2]


def test_more_labels_are_ratings_cut_where_guesses_are():
    truth, guess = levels_of(intense([0.1, 0.49, 0.5, 0.75, 0.9], [0.5] * 5), THRESHOLDS)
    assert truth.tolist() == [0, 0, 1, 2, 2]
    assert guess.tolist() == [1] * 5


def test_each_corpus_has_its_own_levels():
    # Together four distinct labels, which are no ratings; the corpus "c" has one label and tells no level.
    rows = intense(
        [0.4, 1.0, 0.0, 0.4, 1.0, 0.7],
        [0.2, 0.9, 0.2, 0.6, 0.9, 0.9],
        corpora=["a", "a", "b", "b", "b", "c"],
    )
    truth, guess = levels_of(rows, THRESHOLDS)
    assert truth.tolist() == [1, 2, 0, 1, 2, -1]
    assert guess.tolist()[:5] == [1, 2, 0, 1, 2]
    scores = scored(rows)
    assert scores.kappa is not None
    assert (scores.n, scores.kappa.n, scores.kappa.value) == (6, 5, 1)


def test_labels_of_one_level_have_no_kappa():
    same = scored(intense([0.8, 0.8, 0.8], [0.7, 0.9, 0.8]))
    assert (same.kappa, same.levels_uar, same.labels, same.confusion) == (None, None, (), ())
    high = scored(intense([0.8, 0.85, 0.9, 0.95], [0.7, 0.9, 0.8, 0.1]))
    assert (high.kappa, high.levels_uar) == (None, None)
    assert (high.labels, high.confusion) == (("low", "medium", "high"), ((0, 0, 0), (0, 0, 0), (1, 1, 2)))


def test_ranks_of_a_constant_are_not_defined():
    scores = scored(intense([0.8, 0.8, 0.8], [0.7, 0.9, 0.8]))
    assert scores.spearman.value is None
    assert scores.ccc.value == pytest.approx(0)  # nothing of what varies is followed
    assert scored(intense([0.1, 0.9], [0.5, 0.5])).spearman.value is None
    assert scored(intense([0.5, 0.5], [0.5, 0.5])).ccc.value is None
    assert scored(intense([0.5, 0.5], [0.5, 0.5])).mae.value == 0


def test_rows_without_a_label_or_without_an_answer_do_not_count():
    assert scored(intense([0.2, None, 0.4], [0.2, 0.1, NAN])).n == 1
    assert intensity_scores(intense([None, 0.4], [0.2, NAN]), THRESHOLDS) is None
    assert intensity_scores(intense([], []), THRESHOLDS) is None


def test_thresholds_must_rise():
    with pytest.raises(ValueError, match="give two rising numbers"):
        intensity_scores(intense([0.2], [0.2]), (0.75, 0.5))


# --- change ----------------------------------------------------------------------------------------------


def moved(
    changes: list[str | None], said: list[float], directions: list[str | None] | None = None, **columns: list
) -> Judged:
    """Return turns of one speaker and dialogue each, unless columns say otherwise; 0.5 is a shift."""
    examples = [
        Example(
            corpus="made",
            split="test",
            emotions=(),
            id=f"{i:04}",
            change=change,
            speaker=columns["speaker"][i] if "speaker" in columns else f"made/{i}",
            dialogue_id=columns["dialogue"][i] if "dialogue" in columns else f"made/{i}",
            turn_index=columns["turn"][i] if "turn" in columns else i,
        )
        for i, change in enumerate(changes)
    ]
    rows = emotion_only(examples, EMOTIONS, np.full((len(said), 7), 1 / 7))
    change = np.array(said, np.float64)
    return replace(
        rows, change=change, shifted=change >= 0.5, direction=tuple(directions or [None] * len(said))
    )


def changed(rows: Judged, draws: int = 50) -> ChangeScores:
    scores = change_scores(rows, draws=draws)
    assert scores is not None
    return scores


def test_change_by_hand():
    # 3 shifts of 6, 2 of them claimed, 1 false claim: tp 2, fn 1, fp 1, tn 2.
    scores = changed(
        moved(
            ["worse", "better", "shift", "none", "none", "none"],
            [0.9, 0.7, 0.3, 0.8, 0.2, 0.1],
            ["worse", "worse", None, "better", None, None],
        )
    )
    assert scores.base_rate == 50
    assert scores.mcc.value == pytest.approx((2 * 2 - 1 * 1) / 9)
    assert scores.f1.value == pytest.approx(100 * 4 / 6)
    assert (scores.precision, scores.recall) == pytest.approx((200 / 3, 200 / 3))
    # Shifts lie first, third and fourth: (1 + 2/3 + 3/4) / 3.
    assert scores.average_precision.value == pytest.approx(100 * (1 + 2 / 3 + 3 / 4) / 3)
    # Known directions are worse and better, both called worse: F1 2/3 and 0.
    assert scores.direction_macro_f1 is not None
    assert scores.direction_macro_f1.value == pytest.approx(100 / 3)
    assert (scores.n, scores.direction_macro_f1.n) == (6, 2)
    assert scores.rules["always a shift"] == pytest.approx(
        {"mcc": 0, "f1": 100 * 2 / 3, "average_precision": 50, "n": 6}
    )
    assert scores.rules["never"] == {"mcc": 0, "f1": 0, "average_precision": 50, "n": 6}
    assert set(scores.rules) == {"always a shift", "never"}  # nobody has a previous turn here


def test_to_claim_no_shift_misses_its_direction():
    # worse: 1 of 2 told, the other not claimed: recall 1/2, precision 1, F1 2/3.
    scores = changed(moved(["worse", "worse", "none"], [0.9, 0.1, 0.1], ["worse", None, None]))
    assert scores.direction_macro_f1 is not None
    assert scores.direction_macro_f1.value == pytest.approx(100 * 2 / 3)


@pytest.mark.parametrize("digits", [1, 8])
def test_change_agrees_with_scikit_learn(digits: int):
    rng = np.random.default_rng(2)
    truth = rng.random(300) < 0.3
    said = np.round(np.clip(0.3 * truth + 0.7 * rng.random(300), 0, 1), digits)
    rows = moved(["lateral" if t else "none" for t in truth], said.tolist())
    scores, guess = changed(rows), said >= 0.5
    assert scores.mcc.value == pytest.approx(sk.matthews_corrcoef(truth, guess))
    assert scores.average_precision.value == pytest.approx(100 * sk.average_precision_score(truth, said))
    assert scores.f1.value == pytest.approx(100 * sk.f1_score(truth, guess))
    assert scores.precision == pytest.approx(100 * sk.precision_score(truth, guess))
    assert scores.recall == pytest.approx(100 * sk.recall_score(truth, guess))
    for score in (scores.mcc, scores.average_precision, scores.f1):
        assert score.low is not None and score.high is not None and score.value is not None
        assert score.low < score.value < score.high


def test_average_precision_of_weights_is_that_of_repeated_rows():
    rng = np.random.default_rng(3)
    truth, said = rng.random(40) < 0.4, np.round(rng.random(40), 1)
    weights = rng.integers(0, 4, (5, 40))
    values = average_precision(weights.astype(float), truth, ties_of(-said))
    for own, value in zip(weights, values, strict=True):
        expected = sk.average_precision_score(np.repeat(truth, own), np.repeat(said, own))
        assert value == pytest.approx(100 * expected)


def conversation() -> Judged:
    """Return two speakers in turn, rows out of order, one turn without a label, and another dialogue."""
    rows = moved(
        [None, None, "better", "none", None, "none", None],
        [NAN, NAN, 0.9, 0.2, 0.4, 0.6, NAN],
        speaker=["a", "b", "a", "b", "a", "a", "a"],
        dialogue=["d", "d", "d", "d", "d", "d", "e"],
        turn=[0, 1, 2, 3, 4, 6, 0],
    )
    sure = 0.9 * np.eye(7)[[0, 4, 3, 4, 3, 3, 0]] + 0.1 / 7
    order = np.array([3, 0, 6, 5, 2, 1, 4])
    return where(replace(rows, emotion=sure), order)


def test_the_previous_row_is_the_same_speakers_in_the_same_dialogue_by_turn():
    rows = conversation()
    ids = [e.id for e in rows.examples]
    before = [ids[place] if place >= 0 else None for place in previous_rows(rows)]
    assert dict(zip(ids, before, strict=True)) == {
        "0000": None,
        "0001": None,
        "0002": "0000",
        "0003": "0001",
        "0004": "0002",
        "0005": "0004",
        "0006": None,
    }


def test_rules_compare_with_the_previous_row():
    # Scored are turns 2 (a shift, anger to happiness), 3 and 5 (none, the same emotion twice).
    scores = changed(conversation())
    assert scores.n == 3
    assert scores.rules["argmax differs"] == pytest.approx(
        {"mcc": 1, "f1": 100, "average_precision": 100, "n": 3}
    )
    # Alike: 1 - (0.9 + 0.1/7)² - 6 (0.1/7)² = 0.163; unlike: 0.973.
    assert scores.rules["1 - p·p_prev"] == pytest.approx(
        {"mcc": 1, "f1": 100, "average_precision": 100, "n": 3}
    )
    assert "model" not in scores.rules
    assert scores.mcc.value == pytest.approx(0.5)


def test_a_previous_turn_that_is_not_judged_is_no_previous_row():
    # a's turns 0, 2, 4 and 6 of d; 2 ("0002") got no answer: 4 is not compared with 0, but 6 is with 4.
    rows = conversation()
    rows = where(rows, np.array([e.id != "0002" for e in rows.examples]))
    assert [e.id for e in rows.context] == ["0002"]
    ids = [e.id for e in rows.examples]
    before = {
        one: ids[place] if place >= 0 else None for one, place in zip(ids, previous_rows(rows), strict=True)
    }
    assert before == {"0000": None, "0001": None, "0003": "0001", "0004": None, "0005": "0004", "0006": None}
    assert list(previous_rows(replace(rows, context=())) >= 0).count(True) == 3  # as if it had not been said


def test_context_goes_with_its_dialogue_and_is_no_row():
    rows = conversation()
    ids = np.array([e.id for e in rows.examples])
    some = where(rows, (ids == "0000") | (ids == "0006"))
    assert {e.id for e in some.context} == {"0001", "0002", "0003", "0004", "0005"}  # of d; e is all there
    assert where(some, np.array([e.id == "0006" for e in some.examples])).context == ()
    # What one part hears and another judges is a row.
    rest = where(rows, (ids != "0000") & (ids != "0002"))
    joined = join([some, rest])
    assert {e.id for e in joined.context} == {"0002"} and len(joined) == 7


def test_rules_of_some_rows_stand_beside_the_model_on_those_rows():
    rows = conversation()
    first = np.array([e.id != "0001" for e in rows.examples])  # what b said before is not there
    scores = changed(where(rows, first))
    assert (scores.n, scores.rules["argmax differs"]["n"], scores.rules["model"]["n"]) == (3, 2, 2)
    assert scores.rules["always a shift"]["n"] == 3
    assert scores.rules["model"]["f1"] == pytest.approx(200 / 3)


def test_without_a_shift_only_the_base_rate_is_known():
    scores = changed(moved(["none", "none"], [0.9, 0.1]))
    assert (scores.base_rate, scores.mcc.value, scores.average_precision.value) == (0, None, None)
    assert (scores.f1.value, scores.precision, scores.recall) == (None, 0, None)
    assert scores.direction_macro_f1 is None
    assert scores.rules["never"] == {"n": 2}


def test_shifts_alone_leave_no_correlation():
    scores = changed(moved(["worse", "better"], [0.9, 0.1], ["worse", None]))
    assert (scores.mcc.value, scores.average_precision.value, scores.recall) == (None, 100, 50)


def test_to_claim_nothing_is_a_correlation_of_zero_and_no_precision():
    scores = changed(moved(["worse", "none"], [0.2, 0.1]))
    assert (scores.mcc.value, scores.f1.value, scores.precision, scores.recall) == (0, 0, None, 0)


def test_masked_turns_and_unjudged_turns_do_not_count():
    assert changed(moved(["worse", None, "none"], [0.9, 0.9, NAN])).n == 1
    assert change_scores(moved([None, "none"], [0.9, NAN])) is None
    assert change_scores(moved([], [])) is None


# --- several labels --------------------------------------------------------------------------------------


def labelled(labels: list[tuple[str, ...]], emotion: np.ndarray) -> Judged:
    examples = [
        Example(corpus="made", split="test", emotions=own, id=f"{i:04}") for i, own in enumerate(labels)
    ]
    return emotion_only(examples, EMOTIONS, emotion)


def several(test: Judged, validation: Judged) -> MultiLabelScores:
    scores = multi_label_scores(test, validation, draws=50)
    assert scores is not None
    return scores


def random_labels(count: int, seed: int) -> Judged:
    rng = np.random.default_rng(seed)
    targets = rng.random((count, 7)) < 0.25
    targets[np.arange(count), rng.integers(7, size=count)] = True
    emotion = rng.random((count, 7)) + targets
    labels = [tuple(EMOTIONS[i] for i in np.flatnonzero(row)) for row in targets]
    return labelled(labels, emotion / emotion.sum(1, keepdims=True))


def test_several_labels_by_hand():
    # On validation, anger and fear are told from 0.3 and from 0.4 on, nearly; nothing else occurs there.
    held = labelled(
        [("anger",), ("fear",), ("anger", "fear")],
        np.array([[0.3, 0, 0.29, 0.41, 0, 0, 0], [0.19, 0, 0.4, 0.41, 0, 0, 0], [0.4, 0, 0.6, 0, 0, 0, 0]]),
    )
    test = labelled(
        [("anger", "fear"), ("anger",), ("fear",), ("happiness",)],
        np.array(
            [
                [0.5, 0, 0.5, 0, 0, 0, 0],  # both found
                [0.1, 0, 0.45, 0.45, 0, 0, 0],  # anger missed, fear false
                [0.1, 0, 0.8, 0.1, 0, 0, 0],  # fear found
                [0.35, 0, 0.05, 0.6, 0, 0, 0],  # happiness found (0.5 unless chosen), anger false
            ]
        ),
    )
    scores = several(test, held)
    assert 0.19 < scores.thresholds["anger"] <= 0.3 and 0.29 < scores.thresholds["fear"] <= 0.4
    assert scores.thresholds["happiness"] == 0.5
    # anger: 1 found, 2 carried, 2 guessed; fear: 2, 2, 3; happiness: 1, 1, 1.
    f1 = {one.label: one.f1 for one in scores.classes}
    assert (f1["anger"], f1["fear"], f1["happiness"]) == pytest.approx((50, 80, 100))
    assert f1["sadness"] is None
    assert scores.macro_f1.value == pytest.approx((50 + 80 + 100) / 3)
    assert scores.micro_f1.value == pytest.approx(100 * 2 * 4 / (5 + 6))
    assert (scores.n, scores.n_validation, scores.macro_f1.interval) == (4, 3, "t over 4 rows")


@pytest.fixture(scope="module")
def of_many() -> MultiLabelScores:
    return several(random_labels(300, 0), random_labels(200, 1))


def test_several_labels_agree_with_scikit_learn(of_many: MultiLabelScores):
    test, thresholds = random_labels(300, 0), np.array(list(of_many.thresholds.values()))
    targets, guess = targets_of(test), test.emotion >= thresholds
    expected = metrics.multilabel_macro_f1(targets, test.emotion, thresholds)
    assert of_many.macro_f1.value == pytest.approx(expected)
    assert of_many.micro_f1.value == pytest.approx(100 * sk.f1_score(targets, guess, average="micro"))
    found = sk.precision_recall_fscore_support(targets, guess, zero_division=0)
    for own, precision, recall, f1, n in zip(of_many.classes, *found, strict=True):
        assert (own.precision, own.recall, own.f1, own.n) == pytest.approx(
            (100 * precision, 100 * recall, 100 * f1, n)
        )
    for score in (of_many.macro_f1, of_many.micro_f1):
        assert score.low is not None and score.high is not None and score.value is not None
        assert score.low < score.value < score.high


def test_thresholds_are_the_best_of_the_validation_rows(of_many: MultiLabelScores):
    held = random_labels(200, 1)
    truth, believed = targets_of(held)[:, 0], held.emotion[:, 0]
    chosen = sk.f1_score(truth, believed >= of_many.thresholds["anger"])
    assert chosen == max(sk.f1_score(truth, believed >= t) for t in np.linspace(0.05, 0.9, 86))


def test_rows_without_a_known_label_do_not_count(of_many: MultiLabelScores):
    def wider(rows: Judged) -> Judged:
        labels = [*(e.emotions for e in rows.examples), ("calm",), ()]
        return labelled(labels, np.vstack([rows.emotion, np.full((2, 7), 1 / 7)]))

    assert several(wider(random_labels(300, 0)), wider(random_labels(200, 1))) == of_many


def test_single_labels_have_no_such_scores():
    one = labelled([("anger",), ("fear",)], np.full((2, 7), 1 / 7))
    assert multi_label_scores(one, random_labels(20, 0)) is None
    assert multi_label_scores(where(one, np.zeros(2, np.bool_)), random_labels(20, 0)) is None


def test_without_validation_rows_thresholds_cannot_be_chosen():
    with pytest.raises(DataError, match="0 validation rows carry a label"):
        multi_label_scores(random_labels(20, 0), labelled([("calm",)], np.full((1, 7), 1 / 7)))


# --- all of them -----------------------------------------------------------------------------------------


def test_the_order_of_the_rows_changes_nothing():
    rng = np.random.default_rng(5)
    order = rng.permutation(120)
    intensity = intense(np.round(rng.random(120), 1).tolist(), np.round(rng.random(120), 1).tolist())
    assert_same(scored(intensity), scored(where(intensity, order)))
    change = moved(
        rng.choice(["none", "worse", "better", "shift"], 120).tolist(),
        np.round(rng.random(120), 1).tolist(),
        rng.choice(["worse", "better", "lateral"], 120).tolist(),
        speaker=[f"made/{i // 10}-{i % 2}" for i in range(120)],
        dialogue=[f"made/{i // 10}" for i in range(120)],
    )
    change = replace(change, emotion=rng.dirichlet(np.ones(7), 120))
    assert_same(changed(change), changed(where(change, order)))


def test_the_order_of_rows_with_several_labels_changes_nothing(of_many: MultiLabelScores):
    rng = np.random.default_rng(6)
    test, held = random_labels(300, 0), random_labels(200, 1)
    assert_same(several(where(test, rng.permutation(300)), where(held, rng.permutation(200))), of_many)


def test_scores_survive_json(of_many: MultiLabelScores):
    rng = np.random.default_rng(7)
    intensity = scored(intense(rng.random(30).tolist(), rng.random(30).tolist()))
    assert IntensityScores.from_dict(intensity.to_dict()) == intensity
    change = changed(conversation())
    assert ChangeScores.from_dict(change.to_dict()) == change
    assert MultiLabelScores.from_dict(of_many.to_dict()) == of_many
