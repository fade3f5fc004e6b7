"""Corrections are read strictly, each turn once, and scored by calls; the page writes what is read."""

import json
import math
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmser.errors import DataError
from mmser.evaluation.feedback.corrections import judged_of, read_feedback
from mmser.evaluation.feedback.scoring import FeedbackResult, score_feedback
from mmser.evaluation.feedback.scoring_text import render_feedback_text
from mmser.evaluation.judged import groups_of
from tests.evaluation.feedback_lines import LABELS, REVISION, corrections_of, line, said, write_lines

Warned = list[str]


# --- reading -----------------------------------------------------------------------------------------------


def test_a_line_of_the_report_is_read(tmp_path: Path):
    (one,) = corrections_of(
        tmp_path / "f.jsonl", line(corrected="sadness", corrected_intensity="low", comment="tired")
    )
    assert (one.call, one.turn_id, one.predicted_label) == (f"{1:064x}", "t1", "anger")
    assert (one.corrected_label, one.corrected_intensity, one.comment) == ("sadness", "low", "tired")
    assert one.modalities == ("audio", "text") and one.pattern == "fused"


@pytest.mark.parametrize(
    ("modalities", "pattern"),
    [(["audio"], "audio"), (["text"], "text"), (["audio", "text"], "fused"), (None, None)],
)
def test_what_a_turn_was_judged_from_is_kept(modalities: Any, pattern: str | None, tmp_path: Path):
    assert corrections_of(tmp_path / "f.jsonl", line(modalities=modalities))[0].pattern == pattern


def test_pages_that_do_not_say_modalities_are_read(tmp_path: Path):
    old = line()
    del old["modalities"]
    assert corrections_of(tmp_path / "f.jsonl", old)[0].modalities is None


def test_without_a_recording_each_file_is_a_call(tmp_path: Path):
    unnamed = {"recording_sha256": None, "call_id": None}
    paths = [write_lines(tmp_path / name, line(turn=1, **unnamed)) for name in ("a.jsonl", "b.jsonl")]
    assert [one.call for one in read_feedback(paths)] == ["file 1", "file 2"]
    named = write_lines(tmp_path / "c.jsonl", line(recording_sha256=None))
    assert read_feedback([named])[0].call == "call1.wav"


def _damaged(**fields: Any) -> str:
    return json.dumps(line(**fields))


def _without(key: str) -> str:
    return json.dumps({k: v for k, v in line().items() if k != key})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "it is not JSON"),
        ("[1]", "it is not a JSON object"),
        ("[" * 100_000, "it is not JSON"),
        (_damaged(schema="mmser.feedback/2"), r"the schema is 'mmser.feedback/2'.*update mmser"),
        (_without("schema"), "the schema is missing"),
        (_without("turn_id"), "the key 'turn_id' is missing"),
        (_damaged(modalites=["audio"]), "'modalites' is not known; did you mean 'modalities'"),
        (
            _damaged(corrected_label="angry"),
            "'angry' .once, first in .*, line 3, did you mean 'anger'.. is none",
        ),
        (_damaged(corrected_label=None), "corrected_label is empty"),
        (_damaged(corrected_label=3), "corrected_label is 3, which is not a text"),
        (_damaged(predicted_label="joy"), "predicted_label is 'joy'.* labels, anger, neutral, sadness; "),
        (_damaged(predicted_label="neutral"), "predicted_label is 'neutral', but predicted_top 'anger'"),
        (_damaged(predicted_top="neutral", predicted_label=None), "'anger' is the most probable"),
        (_damaged(probabilities={"anger": 0.7, "neutral": 0.2}), "add up to 0.9000, not to 1"),
        (_damaged(probabilities={"anger": 1.2, "neutral": -0.2}), "not a number from 0 to 1"),
        (_damaged(probabilities={"anger": True, "neutral": 0}), "not a number from 0 to 1"),
        (_damaged(probabilities=[0.7, 0.3]), "not those of two labels"),
        (_damaged(start=math.nan), "holds NaN, which is no number"),
        (_damaged(end=math.inf), "holds Infinity, which is no number"),
        (_damaged(start=5.0, end=4.0), "ends at 4 s, before it starts at 5 s"),
        (_damaged(start="soon"), "start is 'soon', not a number"),
        (_damaged(modalities=[]), "modalities are an empty list"),
        (_damaged(modalities=["sound"]), "not some of audio, text"),
        (_damaged(predicted_intensity="strong"), "predicted_intensity is 'strong'"),
        (_damaged(model_revision=""), "model_revision is empty"),
    ],
)
def test_damage_is_one_sentence_with_file_and_line(text: str, message: str, tmp_path: Path):
    path = tmp_path / "f.jsonl"
    path.write_text(f"{json.dumps(line(turn=7))}\n\n{text}\n", "utf-8")
    with pytest.raises(DataError, match=message) as refused:
        read_feedback([path])
    assert f"{path}, line 3: " in str(refused.value) and "\n" not in str(refused.value)


def test_what_is_no_such_file_is_refused(tmp_path: Path):
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "sound.jsonl").write_bytes(b"RIFF\xff\xfe\x00")
    for name, message in (
        ("gone.jsonl", "is missing"),
        ("empty.jsonl", "holds no corrections"),
        ("sound.jsonl", "is not UTF-8"),
        (".", "is a folder"),
    ):
        with pytest.raises(DataError, match=message):
            read_feedback([tmp_path / name])
    with pytest.raises(DataError, match="no file"):
        read_feedback([])


def test_a_contradiction_is_refused_with_both_places(tmp_path: Path):
    one = write_lines(tmp_path / "a.jsonl", line(turn=4), line(turn=5))
    other = write_lines(tmp_path / "b.jsonl", line(turn=5, corrected="sadness"))
    with pytest.raises(DataError, match="another corrected_label") as refused:
        read_feedback([one, other])
    assert f"{other}, line 1" in str(refused.value) and f"{one}, line 2" in str(refused.value)
    assert "'sadness' here, 'anger' there" in str(refused.value)


def test_a_doubled_line_counts_once_with_a_warning(tmp_path: Path):
    old = line(turn=5, comment="first")
    del old["modalities"]
    path = write_lines(tmp_path / "a.jsonl", old, line(turn=5, comment="again"), line(turn=6))
    warned: Warned = []
    found = read_feedback([path, path], warn=warned.append)
    assert [one.turn_id for one in found] == ["t5", "t6"]
    assert found[0].pattern == "fused"  # which the newer page alone said
    assert warned == ["4 lines repeat a correction that counts once"]
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        read_feedback([path])
    assert "1 line repeats a correction" in str(seen[0].message)


def test_one_turn_of_two_calls_is_two_turns(tmp_path: Path):
    found = corrections_of(tmp_path / "f.jsonl", line(call=1), line(call=2, corrected="sadness"))
    assert [one.corrected_label for one in found] == ["anger", "sadness"]


def test_several_models_need_a_choice(tmp_path: Path):
    path = write_lines(tmp_path / "f.jsonl", line(), line(turn=2, model_revision="abc123"), line(turn=3))
    with pytest.raises(DataError, match=r"of 2 models: ffffffffffff \(2\), abc123 \(1\); choose one"):
        read_feedback([path])
    warned: Warned = []
    assert [one.turn_id for one in read_feedback([path], revision="abc", warn=warned.append)] == ["t2"]
    assert warned == ["2 corrections of other models than abc123 are left out"]
    for wrong in ("dead", ""):
        with pytest.raises(DataError, match=f"no correction is of the revision '{wrong}'"):
            read_feedback([path], revision=wrong)


def test_labels_of_one_model_are_the_same_everywhere(tmp_path: Path):
    other = {"anger": 0.7, "neutral": 0.2, "fear": 0.1}
    path = write_lines(tmp_path / "f.jsonl", line(), line(turn=2, probabilities=other))
    with pytest.raises(DataError, match="line 2: the labels are anger, neutral, fear"):
        read_feedback([path])
    turned = dict(reversed(line()["probabilities"].items()))
    found = corrections_of(tmp_path / "g.jsonl", line(), line(turn=2, probabilities=turned))
    assert judged_of(found).emotion[0].tolist() == judged_of(found).emotion[1].tolist()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.001, 1), min_size=3, max_size=3), st.integers(0, 2))
def test_rounded_probabilities_keep_what_was_said(weights: list[float], truth: int):
    exact = np.array(weights) / sum(weights)
    rounded = [round(float(p), 4) for p in exact]
    top = LABELS[int(exact.argmax())]  # which rounding may have made equal to another
    fields = {"probabilities": dict(zip(LABELS, rounded, strict=True)), "predicted_top": top}
    made = json.dumps(line(corrected=LABELS[truth], predicted_label=top, **fields))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "f.jsonl"
        path.write_text(made, "utf-8")
        judged = judged_of(read_feedback([path]))
    assert judged.labels[judged.guess()[0]] == top
    assert judged.emotion.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(judged.emotion[0], exact, atol=3e-4)


# --- scoring -----------------------------------------------------------------------------------------------


def test_scores_by_hand(tmp_path: Path):
    """Calls of 3 and 2 turns; neutral twice, once told; sadness once, not told; anger twice, both told."""
    found = corrections_of(
        tmp_path / "f.jsonl",
        line(1, 1, "anger", predicted_intensity="high", corrected_intensity="high"),
        line(1, 2, "neutral", predicted_intensity="low", corrected_intensity="low"),
        line(1, 3, "sadness", predicted_intensity="low", corrected_intensity="high"),
        line(2, 1, "anger", predicted_intensity=None, corrected_intensity="low"),
        line(2, 2, "neutral", predicted_intensity="low", **said(0.2, 0.5, 0.3, abstains=True)),
    )
    result = score_feedback(found)
    assert (result.n, result.confirmed, result.calls) == (5, 3, {f"{1:064x}": 3, f"{2:064x}": 2})
    assert result.emotion.accuracy.value == pytest.approx(60)
    assert result.emotion.uar.value == pytest.approx(100 * (1 + 1 / 2 + 0) / 3)
    assert result.emotion.groups == 2
    # -ln of 0.7, 0.2, 0.1, 0.7 and 0.5, their mean.
    nll = -np.log([0.7, 0.2, 0.1, 0.7, 0.5]).mean()
    assert result.emotion.calibration.nll.value == pytest.approx(nll, abs=1e-4)
    assert result.emotion.coverage.abstained == pytest.approx(20)
    assert result.emotion.coverage.accuracy_answered == pytest.approx(50)
    # Levels: high → high, low → low, high → low. Recalls 1/2 and 1.
    assert result.intensity is not None
    assert result.intensity.n == 3 and result.intensity.uar.value == pytest.approx(75)
    assert result.intensity.confusion == ((1, 0, 0), (0, 0, 0), (1, 0, 1))
    # Squared distance 4 once: 4 / 3. By chance: truth 1/3 low, 2/3 high; guess 2/3 low, 1/3 high:
    # (1/9 + 4/9) · 4 = 20/9. Kappa 1 - (4/3) / (20/9) = 0.4.
    assert result.intensity.kappa.value == pytest.approx(0.4)


def test_calls_are_the_groups(tmp_path: Path):
    found = corrections_of(tmp_path / "f.jsonl", *(line(call, turn) for call in (1, 2, 3) for turn in (1, 2)))
    assert len(set(groups_of(judged_of(found)))) == 3
    assert score_feedback(found).emotion.accuracy.groups == 3


def test_the_result_is_a_document_that_is_read_again(tmp_path: Path):
    found = corrections_of(
        tmp_path / "f.jsonl", line(comment="do not keep"), line(turn=2, corrected_intensity="low")
    )
    result = score_feedback(found)
    text = json.dumps(result.to_dict(), allow_nan=False)
    assert FeedbackResult.from_dict(json.loads(text)) == result
    assert result.schema == "mmser.feedback_evaluation/1" and "no random sample" in result.sample
    assert "do not keep" not in text and str(tmp_path) not in text


def test_mistakes_alone_are_told(tmp_path: Path):
    wrong = [line(call, turn, "sadness") for call in (1, 2) for turn in range(6)]
    assert any(
        "no turn was confirmed" in note
        for note in score_feedback(corrections_of(tmp_path / "a", *wrong)).notes
    )
    some = [*wrong, line(3, 1, "anger")]
    assert not score_feedback(corrections_of(tmp_path / "b", *some)).notes


def test_no_corrections_are_refused():
    with pytest.raises(DataError, match="0 corrections"):
        score_feedback([])


def test_the_text_holds_the_numbers_and_no_escapes(tmp_path: Path):
    evil = "\x1b[2J\u202eevil"
    found = corrections_of(
        tmp_path / "f.jsonl",
        line(1, 1, model_id=evil, recording_sha256=None, call_id=evil, corrected_intensity="high"),
        line(2, 1, "neutral", model_id=evil),
    )
    text = render_feedback_text(score_feedback(found))
    assert (
        "2 corrected turns of 2 calls · 1 of them confirmed as they were" in text
        and "no random sample" in text
    )
    assert "UAR 50.0" in text and REVISION[:12] in text and "dialogue" not in text
    assert not set(text) & set("\x1b\u202e")
