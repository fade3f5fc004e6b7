"""Temperatures refitted to corrections: a planted one is found, calls stay apart, no old number travels."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from mmser.config_checks import MAX_TEMPERATURE
from mmser.errors import DataError, OutputError, UsageError
from mmser.evaluation.feedback.correction_line import Correction
from mmser.evaluation.feedback.corrections import read_feedback
from mmser.evaluation.feedback.recalibrated_folder import write_recalibrated
from mmser.evaluation.feedback.recalibration import (
    CalibrationNumbers,
    Recalibration,
    deal,
    fit_scale,
    forced,
    recalibrate,
    verdict,
    worse_ones,
)
from mmser.evaluation.result import Score
from mmser.loading import describe_model, load_model
from mmser.types import ModelInfo
from tests.evaluation.feedback_lines import LABELS, REVISION, corrections_of, line, said, write_lines

OLD = {"fused": 0.9, "audio": 1.5, "text": 0.6}


def about(**fields: Any) -> ModelInfo:
    known = ModelInfo(
        id="made",
        revision=REVISION,
        license="CC-BY-4.0",
        labels=LABELS,
        languages=("en",),
        calibration={f"emotion.{pattern}": value for pattern, value in OLD.items()} | {"change.fused": 1.0},
        abstain_below=0.5,
    )
    return replace(known, **fields)


def overconfident(
    path: Path, too_sure: dict[str, float], *, calls: int = 30, seed: int = 0, digits: int = 4
) -> tuple[Correction, ...]:
    """Turns whose labels follow probabilities that were stated too surely, by a factor for each pattern."""
    rng = np.random.default_rng(seed)
    held = {"fused": ["audio", "text"], "audio": ["audio"], "text": ["text"], "unknown": None}
    lines = []
    for call in range(calls):
        for turn in range(12):
            pattern = list(too_sure)[turn % len(too_sure)]
            logits = rng.normal(0, 1.5, 3)
            truth = rng.choice(3, p=np.exp(logits) / np.exp(logits).sum())
            stated = np.exp(logits * too_sure[pattern])
            stated = np.round(stated / stated.sum(), digits)
            lines.append(line(call, turn, LABELS[truth], **said(*stated.tolist()), modalities=held[pattern]))
    return corrections_of(path, *lines)


# --- fitting -----------------------------------------------------------------------------------------------


def test_a_planted_scale_is_found(tmp_path: Path):
    found = recalibrate(overconfident(tmp_path / "f", {"fused": 3.0}, calls=80), about())
    # 480 turns are fitted to; the fit scatters by about 10 %.
    assert found.scales == {"fused": pytest.approx(3.0, rel=0.25)}
    assert found.new["emotion.fused"] == pytest.approx(0.9 * found.scales["fused"], abs=6e-5)
    assert found.better and not found.joint
    for before, after, gap in (
        (found.before.nll, found.after.nll, found.difference.nll),
        (found.before.ece, found.after.ece, found.difference.ece),
        (found.before.brier, found.after.brier, found.difference.brier),
    ):
        assert before.value is not None and after.value is not None and gap.high is not None
        assert gap.value == pytest.approx(after.value - before.value)
        assert gap.high < 0
    assert (found.fitted.calls, found.scored.calls) == (40, 40)
    assert found.fitted.turns + found.scored.turns == 960


@settings(max_examples=40, deadline=None)
@given(st.floats(0.2, 5), st.integers(0, 10_000))
def test_the_scale_is_the_best_of_a_fine_grid(factor: float, seed: int):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (60, 4))
    truth = np.array([rng.choice(4, p=np.exp(row) / np.exp(row).sum()) for row in logits])
    stated = np.exp(factor * logits) / np.exp(factor * logits).sum(1, keepdims=True)

    def loss(scale: float) -> float:
        scaled = stated ** (1 / scale)
        return float(-np.log((scaled / scaled.sum(1, keepdims=True))[np.arange(60), truth]).mean())

    best = fit_scale(stated, truth, (0.05, 50.0))
    assert loss(best) <= min(loss(scale) for scale in np.geomspace(0.05, 50, 200)) + 1e-6


def test_a_scale_stays_in_what_a_config_may_state(tmp_path: Path):
    wrong = [line(call, turn, "sadness", **said(0.9, 0.05, 0.05)) for call in range(8) for turn in range(10)]
    found = recalibrate(corrections_of(tmp_path / "wrong", *wrong), about())
    assert found.new["emotion.fused"] == pytest.approx(MAX_TEMPERATURE, rel=1e-4)
    assert "at the end" in found.notes[0]


def test_right_turns_alone_tell_of_no_temperature(tmp_path: Path):
    """Surer and surer would be likelier and likelier: no such model is made."""
    right = [line(call, turn, "anger", **said(0.9, 0.05, 0.05)) for call in range(8) for turn in range(10)]
    with pytest.raises(DataError, match="the 40 turns that are left to fit to are all right"):
        recalibrate(corrections_of(tmp_path / "right", *right), about())
    mixed = [
        line(call, turn, LABELS[turn % 2], modalities=["text"], **said(0.6, 0.3, 0.1))
        for call in range(8)
        for turn in range(20, 30)
    ]
    found = recalibrate(corrections_of(tmp_path / "both", *right, *mixed), about())
    assert found.unchanged["fused"] == "all 40 turns to fit to are right, so none is the best"
    assert set(found.scales) == {"text"} and found.new["emotion.fused"] == OLD["fused"]


def test_each_pattern_has_its_own_scale_where_it_has_rows(tmp_path: Path):
    found = recalibrate(overconfident(tmp_path / "f", {"fused": 3.0, "audio": 0.7}, calls=60), about())
    assert found.scales == {"fused": pytest.approx(3, rel=0.3), "audio": pytest.approx(0.7, rel=0.3)}
    assert found.new["emotion.text"] == 0.6
    assert found.unchanged == {"text": "0 turns with words alone to fit to, and 30 are needed"}


def test_few_rows_of_each_pattern_share_one_scale(tmp_path: Path):
    # 8 calls of 12 turns: 4 calls are fitted on, 24 turns of each pattern, 48 in all.
    corrections = overconfident(tmp_path / "f", {"fused": 3.0, "audio": 3.0}, calls=8)
    found = recalibrate(corrections, about())
    assert found.joint and set(found.scales) == {"fused", "audio"} and len(set(found.scales.values())) == 1
    assert found.new["emotion.text"] == 0.6


def test_where_modalities_are_not_known_one_scale_is_for_all(tmp_path: Path):
    corrections = overconfident(tmp_path / "f", {"fused": 2.5, "unknown": 2.5}, calls=40)
    found = recalibrate(corrections, about())
    assert found.joint and set(found.scales) == {"fused", "audio", "text"}
    scale = found.scales["text"]
    assert scale == pytest.approx(2.5, rel=0.3)
    assert found.new == pytest.approx({f"emotion.{p}": old * scale for p, old in OLD.items()}, abs=6e-5)
    assert any("do not say what they were judged from" in note for note in found.notes)


def test_a_model_that_is_right_already_is_hardly_changed(tmp_path: Path):
    found = recalibrate(overconfident(tmp_path / "f", {"fused": 1.0}, calls=80), about())
    assert found.scales["fused"] == pytest.approx(1, rel=0.2)
    gap = found.difference.nll
    assert gap.low is not None and gap.high is not None and gap.low <= 0 <= gap.high
    assert not found.better and "which holds 0" in verdict(found)


def test_better_is_decided_by_the_interval_over_calls(tmp_path: Path):
    """A lower NLL on one other call, or one whose interval holds 0, is not shown to be better."""
    few = recalibrate(overconfident(tmp_path / "few", {"fused": 3.0}, calls=4), about(), share=0.75)
    assert few.scored.calls == 1 and few.difference.nll.low is None and not few.better
    assert "(one call, and an interval needs two or more: no interval): it cannot be told" in verdict(few)
    many = recalibrate(overconfident(tmp_path / "many", {"fused": 3.0}, calls=60), about())
    assert many.better and verdict(many).endswith("the new temperatures are better")
    assert many.difference.nll.interval.endswith("over 30 calls, 1,000 draws")


def test_what_got_worse_beside_the_criterion_is_named_with_its_numbers():
    def numbers(ece: float, brier: float, abstained: float) -> CalibrationNumbers:
        scores = [Score(value=value, n=9, groups=30) for value in (ece, 1.0, brier)]
        return CalibrationNumbers(ece=scores[0], nll=scores[1], brier=scores[2], abstained=abstained)

    before = numbers(0.05, 0.8, 3.0)
    assert worse_ones(before, numbers(0.08, 0.7, 9.04)) == ("ECE 0.050 → 0.080", "abstention 3.0 → 9.0 %")
    assert worse_ones(before, numbers(0.0504, 0.8, 2.0)) == ()  # less than what is shown


def test_abstention_by_hand(tmp_path: Path):
    """The threshold stays: what falls under it abstains, and where words and voice were opposed still."""
    fit = [
        line(call, turn, "anger" if turn % 2 else "sadness", **said(0.8, 0.1, 0.1))
        for call in range(6)
        for turn in range(6)
    ]
    opposed = line(9, 1, "anger", **said(0.9, 0.05, 0.05, abstains=True))
    unsure = line(9, 2, "anger", **said(0.4, 0.3, 0.3, abstains=True))
    sure = line(9, 3, "anger", **said(0.9, 0.05, 0.05))
    corrections = corrections_of(tmp_path / "f", *fit, opposed, unsure, sure)
    seed = next(
        s
        for s in range(100)
        if [c.call for c in deal(corrections, share=0.85, seed=s)[1]] == [f"{9:064x}"] * 3
    )
    found = recalibrate(corrections, about(), share=0.85, seed=seed)
    # Right in half of the turns at 0.8, with two others at 0.1: fitted to about 0.5; 0.9 stays above.
    assert found.before.abstained == pytest.approx(200 / 3) and found.after.abstained == pytest.approx(
        200 / 3
    )
    high = recalibrate(corrections, about(abstain_below=0.75), share=0.85, seed=seed)
    assert high.after.abstained == 100
    assert high.difference.abstained.value == pytest.approx(100 - high.before.abstained)
    assert f"abstention {high.before.abstained:.1f} → 100.0 %" in high.worse


@settings(max_examples=30, deadline=None)
@given(st.floats(0.05, 0.95), st.integers(0, 1000), st.integers(2, 12))
def test_no_call_is_on_both_sides(share: float, seed: int, calls: int):
    made = [_bare(call, turn) for call in range(calls) for turn in range(3)]
    fitting, scoring = deal(made, share=share, seed=seed)
    sides = [{one.call for one in part} for part in (fitting, scoring)]
    assert not sides[0] & sides[1] and all(sides)
    assert sorted(one.turn_id for one in (*fitting, *scoring)) == sorted(one.turn_id for one in made)
    assert abs(len(sides[0]) - share * calls) <= 1
    again = deal(made[::-1], share=share, seed=seed)
    assert {one.call for one in again[0]} == sides[0]


def _bare(call: int, turn: int) -> Correction:
    nothing: dict[str, Any] = dict.fromkeys(
        ("call_id", "recording_sha256", "start", "end", "predicted_label", "modalities", "comment")
    )
    nothing |= dict.fromkeys(("predicted_intensity", "corrected_intensity"))
    said = {"predicted_top": "anger", "corrected_label": "anger", "probabilities": {}}
    about = {"model_id": "", "model_revision": ""}
    return Correction(call=f"c{call}", turn_id=f"{call}.{turn}", **nothing, **said, **about)  # type: ignore[arg-type]


def test_what_cannot_be_fitted_is_refused(tmp_path: Path):
    few = overconfident(tmp_path / "few", {"fused": 2.0}, calls=4)  # 24 turns to fit to
    with pytest.raises(DataError, match="24 corrected turns are left to fit to, and 30 are needed"):
        recalibrate(few, about())
    assert recalibrate(few, about(), share=0.75).fitted.turns == 36
    one_call = corrections_of(tmp_path / "one", *(line(1, turn) for turn in range(50)))
    with pytest.raises(DataError, match="all corrections are of one call"):
        recalibrate(one_call, about())
    with pytest.raises(DataError, match="revision ffffffffffff, but made has the revision abc"):
        recalibrate(few, about(revision="abc"))
    with pytest.raises(DataError, match="but made has anger, fear"):
        recalibrate(few, about(labels=("anger", "fear")))
    with pytest.raises(DataError, match="0 corrections"):
        recalibrate([], about())


def test_the_result_is_a_document_that_is_read_again(tmp_path: Path):
    corrections = overconfident(tmp_path / "f", {"fused": 2.0})
    found = recalibrate(corrections, about(), seed=3)
    assert Recalibration.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found
    assert recalibrate(corrections[::-1], about(), seed=3).scales == pytest.approx(found.scales)


# --- the new folder ----------------------------------------------------------------------------------------


def _judge(folder: Path, words: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What the model in a folder says of single texts, (texts, classes)."""
    model, processor, _ = load_model(folder)
    batch = processor(
        audio=[None] * len(words),
        text=list(words),
        sampling_rate=16_000,
        dialogue_ids=list(range(len(words))),
        speaker_ids=[0] * len(words),
        roles=["customer"] * len(words),
        positions=[0] * len(words),
    )
    return model.predict(**batch).emotion.double().numpy()


@pytest.fixture
def folder(model_dir: Path, tmp_path: Path) -> Path:
    """A model with all that may stand beside one."""
    copy = tmp_path / "model"
    copy.mkdir()
    for path in model_dir.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    for name in ("evaluation.json", "README.md", "validation_profile.json", "confusion.png", "answers.csv"):
        (copy / name).write_text("old numbers", "utf-8")
    (copy / "LICENSE").write_text("terms", "utf-8")
    (copy / "training_data.json").write_text("{}", "utf-8")
    (copy / "training_run.json").write_text("{}", "utf-8")
    (copy / "checkpoints").mkdir()
    return copy


def _found(folder: Path, path: Path) -> Recalibration:
    """Scales of 2 for fused, 3 for text."""
    info = describe_model(folder)
    made = recalibrate(
        overconfident(path, {"fused": 2.0, "text": 3.0}, calls=60),
        about(calibration=info.calibration),
    )
    return replace(made, model_id=info.id, model_revision=info.revision)


def test_the_new_model_says_what_was_promised(folder: Path, tmp_path: Path):
    found = _found(folder, tmp_path / "f")
    left_out = write_recalibrated(folder, tmp_path / "new", found, "CC-BY-4.0")
    words = ["i am so very angry", "thank you", "where is my parcel"]
    before, after = _judge(folder, words), _judge(tmp_path / "new", words)
    scaled = before ** (found.old["emotion.text"] / found.new["emotion.text"])
    np.testing.assert_allclose(after, scaled / scaled.sum(1, keepdims=True), atol=1e-6)
    assert np.abs(after - before).max() > 0.01
    left = ["README.md", "answers.csv", "checkpoints", "confusion.png", "evaluation.json"]
    assert left_out == [*left, "validation_profile.json"]


def test_the_new_folder_holds_the_model_and_no_old_number(folder: Path, tmp_path: Path):
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    found, new = _found(folder, tmp_path / "f"), tmp_path / "new"
    write_recalibrated(folder, new, found, "CC-BY-4.0")
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    names = {path.name for path in new.iterdir()}
    assert {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "LICENSE",
        "training_data.json",
        "training_run.json",
    } <= names
    assert not names & {"evaluation.json", "validation_profile.json", "confusion.png", "answers.csv"}
    changed = {name for name in names if (new / name).read_bytes() != before.get(name)}
    assert changed == {"config.json", "model.safetensors", "README.md"}
    configs = [json.loads((one / "config.json").read_text("utf-8")) for one in (folder, new)]
    assert {key for key in configs[1] if configs[0].get(key) != configs[1][key]} == {"calibration"}
    assert configs[1]["calibration"] == configs[0]["calibration"] | found.new
    note = (new / "README.md").read_text("utf-8")
    assert note.startswith("---\nlicense: cc-by-4.0\n") and "no random sample" in note
    assert f"emotion.text: {found.old['emotion.text']:g} → {found.new['emotion.text']:g}" in note


def test_the_card_states_the_criterion_and_a_mark_where_it_is_not_met(folder: Path, tmp_path: Path):
    found = _found(folder, tmp_path / "f")
    write_recalibrated(folder, tmp_path / "new", found, "")
    card = (tmp_path / "new" / "README.md").read_text("utf-8")
    assert f"Criterion: {found.criterion}. {verdict(found)}." in card and "| abstains, % |" in card
    assert "--force" not in card
    write_recalibrated(folder, tmp_path / "forced", forced(found), "")
    assert "Note: written with --force although" in (tmp_path / "forced" / "README.md").read_text("utf-8")
    assert (
        "not shown to be better"
        in json.loads((tmp_path / "forced" / "config.json").read_text())["training_mark"]
    )


def test_what_is_written_beside_the_folder_is_there_with_it_or_not_at_all(folder: Path, tmp_path: Path):
    found = _found(folder, tmp_path / "f")
    (tmp_path / "there.json").write_text("old", "utf-8")
    with pytest.raises(OutputError, match="--overwrite"):
        write_recalibrated(folder, tmp_path / "new", found, "", beside={tmp_path / "there.json": "new"})
    assert not (tmp_path / "new").exists() and (tmp_path / "there.json").read_text("utf-8") == "old"


def test_weights_are_the_same_under_another_revision(folder: Path, tmp_path: Path):
    found, new = _found(folder, tmp_path / "f"), tmp_path / "new"
    write_recalibrated(folder, new, found, "")
    tensors = [load_file(one / "model.safetensors") for one in (folder, new)]
    assert tensors[0].keys() == tensors[1].keys()
    assert all(np.array_equal(tensors[0][name], tensors[1][name]) for name in tensors[0])
    old, now = describe_model(folder), describe_model(new)
    assert (
        now.revision == hashlib.sha256((new / "model.safetensors").read_bytes()).hexdigest() != old.revision
    )
    # Corrections of reports by the old one are not fitted to once more.
    corrections = overconfident(tmp_path / "g", {"fused": 2.0})
    again = [replace(one, model_revision=old.revision) for one in corrections]
    with pytest.raises(DataError, match="the model whose reports were corrected"):
        recalibrate(again, replace(now, labels=LABELS))


def test_a_folder_that_is_used_is_refused(folder: Path, tmp_path: Path):
    found = _found(folder, tmp_path / "f")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine.txt").touch()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(folder)
    for target, message in (
        (folder, "own folder"),
        (folder / "inside", "own folder"),
        (folder / ".." / "model", "own folder"),
        (tmp_path / "link" / "inside", "own folder"),
        (tmp_path / "used", "is not empty"),
        (tmp_path / "file", "is a file"),
    ):
        with pytest.raises(UsageError, match=message):
            write_recalibrated(folder, target, found, "")
    assert sorted(path.name for path in (tmp_path / "used").iterdir()) == ["mine.txt"]
    (tmp_path / "empty").mkdir()
    write_recalibrated(folder, tmp_path / "empty", found, "")
    assert (tmp_path / "empty" / "model.safetensors").is_file()


def test_a_disk_that_fills_up_leaves_nothing(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import errno
    import os

    found = _found(folder, tmp_path / "f")
    calls = iter(range(100))

    def full(descriptor: int) -> None:
        if next(calls) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("mmser.report.writing.os.fsync", full)
    with pytest.raises(OutputError, match="disk is full"):
        write_recalibrated(folder, tmp_path / "deep" / "new", found, "")
    assert not (tmp_path / "deep").exists()


def test_feedback_of_several_calls_is_read_and_fitted(tmp_path: Path):
    """From files to temperatures, as the command does it."""
    rng = np.random.default_rng(0)
    paths = []
    for call in range(20):
        lines = [line(call, turn, LABELS[int(rng.integers(3))], **said(0.9, 0.06, 0.04)) for turn in range(5)]
        paths.append(write_lines(tmp_path / f"{call}.jsonl", *lines))
    found = recalibrate(read_feedback(paths, revision=REVISION), about())
    # Labels have nothing to do with what was said: the flatter the better.
    assert found.better and found.scales["fused"] > 5
