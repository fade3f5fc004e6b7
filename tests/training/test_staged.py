"""What the stages on cached encodings are trained on."""

import math

import pytest

from mmser.data import Example
from mmser.errors import MmserError, UsageError
from mmser.labels import EMOTIONS
from mmser.training.config import TrainingConfig
from mmser.training.fusion_stage import FusionConfig
from mmser.training.log import CONSOLE
from mmser.training.staged import changes_only, emotion_only, gather, sound_dialogues
from mmser.training.text_stage import TextConfig
from tests.training.made_clips import sound

TEXT = TrainingConfig(text=TextConfig(steps=1))


def text(name: str, language: str | None, **options: object) -> Example:
    values = {"corpus": "made", "split": "train", "emotions": ("anger",), "text": "so late"} | options
    return Example(id=name, language=language, **values)  # type: ignore[arg-type]


def test_texts_in_languages_that_the_encoder_does_not_read_are_left_out_and_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(CONSOLE, "quiet", False)  # whatever ran before in this process
    rows = [text("a", "en"), text("b", "de"), text("c", None), text("d", "pl"), text("e", "de")]
    assert [e.id for e in gather(TEXT, rows, ["en"]).texts] == ["a", "c"]
    assert "left out 3 texts in de, pl: the text encoder reads en" in capsys.readouterr().err
    assert [e.id for e in gather(TEXT, rows, ["en", "de", "pl"]).texts] == list("abcde")
    assert capsys.readouterr().err == ""
    with pytest.raises(MmserError, match="the stage text needs training rows with text of their own"):
        gather(TEXT, rows[1:2], ["en"])


def test_nothing_is_known_of_a_change_from_a_turn_that_was_left_out():
    talk = {"dialogue_id": "d", "speaker": "a", "change": "worse"}
    rows = [
        text(str(i), language, **talk, turn_index=i) for i, language in enumerate(["en", "de", "en", "en"])
    ]
    found = gather(TEXT, rows[::-1], ["en"]).texts
    assert [(e.id, e.change) for e in found] == [("3", "worse"), ("2", None), ("0", "worse")]


def test_scripts_and_rows_without_a_split_are_no_material():
    rows = [text("a", "en"), text("b", "en", sentence="made/1"), text("c", "en", split=None)]
    assert [e.id for e in gather(TEXT, rows, ["en"]).texts] == ["a"]


def test_a_head_of_no_corpus_is_refused_before_anything_trains():
    config = TrainingConfig(text=TextConfig(steps=1, written="nowhere"))
    with pytest.raises(UsageError, match=r"text\.written: .*'nowhere'.* made, shared"):
        gather(config, [text("a", "en")], ["en"])


def test_only_validation_speakers_say_what_a_change_is():
    sounds = [sound(e) for e in EMOTIONS for _ in range(2)]
    rows = sound_dialogues(sounds, 3, 0)
    assert not all(map(math.isnan, rows.change)) and all(map(math.isnan, emotion_only(rows).change))
    assert sorted(map(id, emotion_only(rows).sounds)) == sorted(map(id, sounds))
    calls = changes_only(sounds, FusionConfig(steps=1, longest=3), 0)
    assert not any(map(sum, calls.emotion)) and not all(map(math.isnan, calls.change))
