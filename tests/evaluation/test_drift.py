"""Drift by hand, no drift where there is none, and calls that count as whole."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmser.data import Example
from mmser.errors import DataError
from mmser.evaluation.comparing.answers import write_answers
from mmser.evaluation.feedback.drift import FEW_CALLS, drift
from mmser.evaluation.feedback.profile import ReferenceProfile, profile_of, read_reference, write_profile
from mmser.evaluation.feedback.scoring import score_feedback
from mmser.evaluation.feedback.scoring_text import render_feedback_text
from mmser.evaluation.judged import Floats, Judged, emotion_only, where
from tests.evaluation.feedback_lines import LABELS, REVISION, corrections_of, line, said
from tests.evaluation.two_results import evaluation, write_result


def rows(probabilities: Floats, calls: list[int], name: str = "call") -> Judged:
    examples = [
        Example(
            corpus="made", id=f"{name}{place}", split="validation", emotions=(), dialogue_id=f"{name}{call}"
        )
        for place, call in enumerate(calls)
    ]
    return emotion_only(examples, LABELS, probabilities)


def sure_of(labels: list[int], confidence: list[float]) -> Floats:
    """Rows whose most probable label has that confidence, the rest shared out."""
    values = np.tile((1 - np.array(confidence))[:, None] / 2, (1, 3))
    values[np.arange(len(labels)), labels] = confidence
    return values


def drawn(rng: np.random.Generator, calls: int, *, alike: float, low: float = 0.4) -> Judged:
    """Calls of 2 to 14 rows whose labels cluster; the smaller `alike`, the more."""
    labels: list[int] = []
    numbers: list[int] = []
    for call in range(calls):
        size = int(rng.integers(2, 15))
        mix = rng.dirichlet(alike * np.array([0.5, 0.3, 0.2]))
        labels += rng.choice(3, size=size, p=mix).tolist()
        numbers += [call] * size
    return rows(sure_of(labels, rng.uniform(low, 1, len(labels)).tolist()), numbers)


def test_distances_by_hand():
    # Then 15, 9, 6 of thirty; now 6, 9, 15. Total variation (0.3 + 0 + 0.3) / 2.
    then = rows(sure_of([0] * 15 + [1] * 9 + [2] * 6, [0.5] * 30), list(range(30)))
    now = rows(sure_of([0] * 6 + [1] * 9 + [2] * 15, [0.5] * 30), list(range(30)))
    (part,) = drift(now, then).parts
    assert part.now == pytest.approx({"anger": 20, "neutral": 30, "sadness": 50})
    assert part.then == pytest.approx({"anger": 50, "neutral": 30, "sadness": 20})
    assert part.total_variation == pytest.approx(0.3)
    # Middle 0.35, 0.3, 0.35; half of each Kullback–Leibler divergence from it, both alike.
    bits = 0.5 * np.log2(0.5 / 0.35) + 0.2 * np.log2(0.2 / 0.35)
    assert part.jensen_shannon == pytest.approx(bits)
    assert part.psi == pytest.approx(0) and part.psi_reading == "small"


def test_psi_by_hand():
    # Then one row of each decile; now all rows are as sure as the upper half: shares 0.2 in five bins.
    confidence = np.linspace(0.4, 0.94, 10)
    then = rows(sure_of([0] * 10, confidence.tolist()), list(range(10)))
    now = rows(sure_of([0] * 30, confidence[5:].tolist() * 6), list(range(30)))
    (part,) = drift(now, then).parts
    # Five bins went from 0.1 to 0.2, five to 0, which counts as half a row of thirty; divided by their sum.
    new = np.array([1 / 60] * 5 + [0.2] * 5) / (13 / 12)
    assert part.psi == pytest.approx(((new - 0.1) * np.log(new / 0.1)).sum())
    assert part.psi_reading == "large"


def test_a_handful_of_rows_is_not_read_as_drift():
    then = rows(sure_of([0] * 10, np.linspace(0.4, 0.94, 10).tolist()), list(range(10)))
    found = drift(rows(sure_of([1] * 3, [0.9] * 3), [0, 1, 2]), then)
    assert not found.parts and "3 rows" in found.left_out["all"] and "fewer than 30" in found.left_out["all"]


@pytest.mark.parametrize(("moved", "reading"), [(1, "small"), (3, "small"), (4, "moderate"), (5, "large")])
def test_the_habit_of_reading_psi(moved: int, reading: str):
    # Then 10 rows of each decile; now `moved` rows of each of the lower five are in the upper five, evenly.
    deciles = np.linspace(0.45, 0.9, 10)
    counts = [10 - moved] * 5 + [10 + moved] * 5
    then, now = (
        rows(sure_of([0] * 100, np.repeat(deciles, sizes).tolist()), list(range(100)))
        for sizes in (10, counts)
    )
    (part,) = drift(now, then).parts
    # Ten bins, each moved / 100 · |ln((10 ± moved) / 10)|; of both signs together:
    assert part.psi == pytest.approx(5 * moved / 100 * np.log((10 + moved) / (10 - moved)))
    assert part.psi_reading == reading


def test_the_same_rows_do_not_drift():
    rng = np.random.default_rng(0)
    judged = drawn(rng, 40, alike=3)
    (part,) = drift(judged, judged).parts
    assert part.total_variation == part.jensen_shannon == part.psi == 0
    assert part.p_labels == part.p_confidence == 1


def test_calls_count_as_whole():
    """Without drift, p is small about as often as it says; turns taken for independent would find drift."""
    rng = np.random.default_rng(1)
    by_call, by_turn = [], []
    for seed in range(120):
        then, now = drawn(rng, 60, alike=3), drawn(rng, 25, alike=3)
        alone = replace(now, examples=tuple(replace(e, dialogue_id=None) for e in now.examples))
        profile = profile_of(then)
        by_call.append(drift(now, profile, draws=200, seed=seed).parts[0].p_labels)
        by_turn.append(drift(alone, profile, draws=200, seed=seed).parts[0].p_labels)
    rejected = np.mean(np.array(by_call, float) <= 0.05)
    assert rejected <= 0.12  # 0.05 but for chance: 0.05 + 3 · sqrt(0.05 · 0.95 / 120) = 0.11
    assert np.mean(np.array(by_turn, float) <= 0.05) > 2 * max(rejected, 0.05)


def test_a_real_drift_is_found():
    rng = np.random.default_rng(2)
    then, now = drawn(rng, 60, alike=5), drawn(rng, 40, alike=5, low=0.7)
    turned = replace(now, emotion=now.emotion[:, [2, 1, 0]])
    (part,) = drift(turned, then).parts
    assert part.p_labels is not None and part.p_labels < 0.01
    assert part.p_confidence is not None and part.p_confidence < 0.01
    assert part.psi_by_chance is not None and part.psi > part.psi_by_chance


def test_few_calls_get_no_test():
    rng = np.random.default_rng(3)
    then = drawn(rng, 60, alike=5)
    (part,) = drift(drawn(rng, FEW_CALLS - 1, alike=5), then).parts
    assert part.p_labels is part.p_confidence is part.psi_by_chance is None
    assert part.test == f"{FEW_CALLS - 1} of the {FEW_CALLS} calls that a test needs"
    assert drift(drawn(rng, FEW_CALLS, alike=5), then).parts[0].p_labels is not None


def test_the_order_of_rows_and_columns_changes_nothing():
    rng = np.random.default_rng(4)
    then, now = drawn(rng, 30, alike=5), drawn(rng, 20, alike=5)
    turned = replace(now, labels=now.labels[::-1], emotion=now.emotion[:, ::-1])
    shuffled = where(turned, rng.permutation(len(now)))
    first, second = drift(now, then).parts[0], drift(shuffled, then).parts[0]
    assert second.total_variation == pytest.approx(first.total_variation)
    assert (second.p_labels, second.p_confidence) == (first.p_labels, first.p_confidence)


def test_sound_is_compared_with_sound():
    rng = np.random.default_rng(5)
    sound, words = drawn(rng, 40, alike=8, low=0.8), drawn(rng, 40, alike=8)
    parts = [
        [
            replace(e, id=f"{kind}{e.id}", dialogue_id=f"{kind}{e.dialogue_id}", **held)
            for e in judged.examples
        ]
        for kind, judged, held in (("a", sound, {"audio": Path("x.wav")}), ("t", words, {"text": "x"}))
    ]
    both = emotion_only(parts[0] + parts[1], LABELS, np.concatenate([sound.emotion, words.emotion]))
    profile = profile_of(both)
    assert set(profile.parts) == {"all", "audio", "text"}
    assert profile.parts["audio"].n == len(sound) and profile.parts["all"].n == len(both)
    found = drift(sound, profile, patterns=["audio"] * len(sound))
    assert [part.data for part in found.parts] == ["audio"] and found.parts[0].psi == pytest.approx(0)
    assert drift(sound, profile, patterns=[None] * len(sound)).parts[0].data == "all"
    few = ["text"] * 3 + ["audio"] * (len(sound) - 3)
    assert drift(sound, profile, patterns=few).left_out == {
        "text": "3 rows with words alone are fewer than 30; correct more such turns"
    }
    unnamed = replace(profile, parts={"all": profile.parts["all"]})
    assert drift(sound, unnamed, patterns=few) == drift(sound, profile, patterns=[None] * len(sound))


def test_a_kind_that_the_reference_lacks_is_compared_with_nothing():
    """The pool of a reference that knows its kinds is no reference for another kind, nor for too few rows."""
    now = drawn(np.random.default_rng(11), 40, alike=8)
    held = {"audio": Path("x.wav")}
    then = replace(now, examples=tuple(replace(e, **held) for e in now.examples))  # type: ignore[arg-type]
    profile = profile_of(then)
    found = drift(now, profile, patterns=["fused"] * len(now))
    assert found.parts == () and "knows of no rows with sound and words; evaluate" in found.left_out["fused"]
    some = drift(where(now, np.arange(12)), profile, patterns=["audio"] * 12)
    assert some.parts == () and "12 rows with sound alone are fewer than 30" in some.left_out["audio"]
    # Rows that do not say it are compared with all, the others beside them with their own kind or nothing.
    kinds = [(None, "audio", "fused")[place % 3] for place in range(len(now))]
    mixed = drift(now, profile, patterns=kinds)
    assert [(part.data, part.n) for part in mixed.parts] == [
        (name, kinds.count(kind)) for name, kind in (("all", None), ("audio", "audio"))
    ]
    assert set(mixed.left_out) == {"fused"}


def test_of_a_kind_that_is_not_compared_what_is_said_is_told():
    # Of 40 fused rows 10, 20 and 10 say each label; half of them are sure by 0.6, half by 0.8.
    now = rows(sure_of([0] * 10 + [1] * 20 + [2] * 10, [0.6, 0.8] * 20), [place // 10 for place in range(40)])
    then = profile_of(now, patterns=["audio"] * 40, lacks={"fused": "no clip has both"})
    assert profile_of(now, patterns=["fused"] * 40, lacks={"fused": "no"}).lacks == {}
    found = drift(now, then, patterns=["fused"] * 40)
    assert found.parts == () and "(no clip has both)" in found.left_out["fused"]
    (one,) = found.alone
    assert (one.data, one.n, one.calls) == ("fused", 40, 4)
    assert one.now == {"anger": 25, "neutral": 50, "sadness": 25} and one.confidence == pytest.approx(0.7)


def test_lengths_are_compared_whatever_the_words():
    # Then 1 to 10 s; now the upper half of these, twice over: shares of 0.1 become 0 and 0.2.
    judged = rows(sure_of([0] * 200, [0.5] * 200), [place // 4 for place in range(200)])
    seconds = [float(1 + place % 10) for place in range(200)]
    then = profile_of(judged, patterns=["audio"] * 200, lengths=seconds)
    assert then.lengths is not None and then.lengths.median == 5.5 and then.lengths.n == 200
    upper = [float(6 + place % 5) for place in range(200)]
    found = drift(judged, then, patterns=["fused"] * 200, lengths=upper).lengths
    assert found is not None and (found.n, found.calls, found.median, found.psi_reading) == (
        200,
        50,
        8,
        "large",
    )
    assert found.p_value is not None and found.p_value < 0.01
    same = drift(judged, then, patterns=["fused"] * 200, lengths=seconds).lengths
    assert same is not None and same.psi == 0 and same.p_value == 1
    few = drift(judged, then, patterns=["text"] * 200, lengths=[2.0] * 29 + [None] * 171)
    assert few.lengths is None and "29 turns with sound and times are fewer" in few.left_out["lengths"]
    assert "lengths" not in drift(judged, then, patterns=["text"] * 200).left_out  # not asked for
    assert ReferenceProfile.from_dict(json.loads(write_profile(then))) == then


def test_nothing_compared_prints_no_p_but_what_to_do(tmp_path: Path):
    lines = [line(call, turn, "neutral") for call in range(12) for turn in range(4)]
    judged = drawn(np.random.default_rng(12), 40, alike=8)
    then = replace(judged, examples=tuple(replace(e, text="x") for e in judged.examples))
    text = render_feedback_text(
        score_feedback(corrections_of(tmp_path / "f.jsonl", *lines), reference=profile_of(then))
    )
    assert (
        "  sound and words (48 of 12 calls): not compared, as the reference knows of no rows with sound and "
        "words; evaluate the model on labelled calls of yours with --split validation -o FOLDER, and give "
        "--against FOLDER\n    said        anger 100 %; median confidence 0.70\n"
    ) in text
    assert "total variation" not in text and "PSI" not in text


@pytest.mark.parametrize("split", ["test", "train"])
def test_answers_of_another_split_than_validation_are_no_reference(split: str, tmp_path: Path):
    then = drawn(np.random.default_rng(13), 30, alike=5)
    folder = write_result(tmp_path / "m", then, evaluation("m", {"made": "sha"}, split=split))
    for path in (folder, folder / "answers.csv"):
        with pytest.raises(DataError, match=f"is of the split '{split}'.*--split validation") as refused:
            read_reference(path)
        assert "\n" not in str(refused.value)
    (folder / "evaluation.json").unlink()  # answers alone are taken as they are given
    assert read_reference(folder).parts["all"].n == len(then)
    (folder / "validation_profile.json").write_text(write_profile(profile_of(then, revision="abc")), "utf-8")
    write_result(folder, then, evaluation("m", {"made": "sha"}, split=split))
    assert read_reference(folder).revision == "abc"  # and so is a profile


def test_a_profile_is_what_it_was_made_from(tmp_path: Path):
    rng = np.random.default_rng(6)
    then, now = drawn(rng, 30, alike=5), drawn(rng, 20, alike=5)
    profile = profile_of(then, revision="abc")
    (tmp_path / "validation_profile.json").write_text(write_profile(profile), "utf-8")
    for path in (tmp_path, tmp_path / "validation_profile.json"):
        assert read_reference(path) == profile
    assert drift(now, read_reference(tmp_path)) == drift(now, then)
    (tmp_path / "result").mkdir()
    (tmp_path / "result" / "answers.csv").write_text(write_answers(then), "utf-8")
    for path in (tmp_path / "result", tmp_path / "result" / "answers.csv"):
        assert read_reference(path).parts["all"].shares == profile.parts["all"].shares
    assert ReferenceProfile.from_dict(json.loads(write_profile(profile))) == profile


def test_the_reference_is_of_the_model_that_spoke(tmp_path: Path):
    then = drawn(np.random.default_rng(10), 30, alike=5)
    found = corrections_of(tmp_path / "f.jsonl", line(modalities=None))
    mine = replace(
        evaluation("m", {"made": "sha"}, split="validation"),
        model=replace(evaluation("m", {}).model, revision=REVISION),
    )
    own = read_reference(write_result(tmp_path / "own", then, mine))
    assert own.revision == REVISION and score_feedback(found, reference=own).drift is not None
    about = evaluation("other", {"made": "sha"}, split="validation")
    other = read_reference(write_result(tmp_path / "other", then, about))
    with pytest.raises(DataError, match="is of the model otherotherot, but"):
        score_feedback(found, reference=other)


def test_a_missing_or_damaged_profile_is_one_sentence(tmp_path: Path):
    with pytest.raises(DataError, match=r"no profile.*mmser evaluate .* --split validation"):
        read_reference(tmp_path)
    path = tmp_path / "validation_profile.json"
    good = profile_of(drawn(np.random.default_rng(7), 12, alike=5)).to_dict()
    part = good["parts"]["all"]
    turned = (-np.eye(3) * 1e-4).tolist()
    uneven = [[0, 0.1, 0], [0, 0, 0], [0, 0, 0]]
    huge = (np.eye(3) * 1e300).tolist()
    none = [[0.0, 0.0], [0.0, 0.0]]
    length = {"n": 9, "groups": 3, "median": 2.0, "edges": [2.0], "bins": [0.5, 0.5], "bins_spread": none}
    for edit, message in (
        ("{", "cannot be read as JSON"),
        (
            json.dumps(good | {"schema": "mmser.profile/2"}),
            "mmser.profile/2, but this mmser reads version 1",
        ),
        (json.dumps([]), "no document of the schema mmser.profile/1: it is an empty list"),
        (json.dumps(good | {"parts": {}}), "its parts are none"),
        (json.dumps(good | {"labels": ["anger"]}), "does not have 1 labels"),
        (json.dumps(good | {"parts": {"all": part | {"shares": [0.9, 0.9, 0.9]}}}), "do not add up to 1"),
        (json.dumps(good | {"parts": {"all": part | {"shares": "x"}}}), "is damaged"),
        (json.dumps(good | {"parts": {"all": 3}}), "is damaged"),
        (json.dumps(good | {"parts": {"all": part | {"edges": part["edges"][::-1]}}}), "do not rise"),
        (json.dumps(good | {"more": 1}), "no field 'more'"),
        (json.dumps(good | {"parts": {"all": part | {"n": 10**400}}}), "too many rows"),
        (json.dumps(good | {"parts": {"all": part | {"n": 2}}}), "part all has 2 rows of 12 groups"),
        (json.dumps(good | {"parts": {"all": part | {"shares_spread": turned}}}), "eigenvalues is negative"),
        (json.dumps(good | {"parts": {"all": part | {"shares_spread": uneven}}}), "not symmetric"),
        (json.dumps(good | {"parts": {"all": part | {"shares_spread": huge}}}), "or beyond 1"),
        (
            json.dumps(good | {"lengths": length | {"bins": [0.5, 0.6]}}),
            "shares of the lengths do not add up",
        ),
        (json.dumps(good | {"lengths": length | {"edges": [1.0, 2.0]}}), "the lengths do not have 3 bins"),
    ):
        path.write_text(edit, "utf-8")
        with pytest.raises(DataError, match=message) as refused:
            read_reference(path)
        assert "\n" not in str(refused.value)


def test_other_labels_are_refused():
    judged = drawn(np.random.default_rng(8), 12, alike=5)
    with pytest.raises(DataError, match="the same model"):
        drift(judged, replace(judged, labels=("anger", "neutral", "fear")))
    with pytest.raises(DataError, match="0 rows"):
        drift(where(judged, np.array([], int)), judged)


def test_corrections_are_held_against_a_profile(tmp_path: Path):
    then = drawn(np.random.default_rng(9), 30, alike=5)
    lines = [
        line(call, turn, "neutral", modalities=["audio"], **said(0.1, 0.15, 0.75))
        for call in range(12)
        for turn in range(4)
    ]
    result = score_feedback(corrections_of(tmp_path / "f.jsonl", *lines), reference=then)
    assert result.drift is not None
    (part,) = result.drift.parts
    assert (part.n, part.calls, part.now["sadness"]) == (48, 12, 100)
    text = render_feedback_text(result)
    assert "all turns (48 of 12 calls" in text and "length of the sound: not compared" in text
    assert "is a habit" in text and "judged from something else than on validation" in text
