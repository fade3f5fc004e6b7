"""What the stages on cached encodings are trained on."""

import pytest

from mmser.data import Example
from mmser.errors import MmserError
from mmser.training.config import TrainingConfig
from mmser.training.loop import LoopConfig
from mmser.training.staged import gather

TEXT = TrainingConfig(text=LoopConfig(steps=1))


def text(name: str, language: str | None, **options: object) -> Example:
    values = {"corpus": "made", "split": "train", "emotions": ("anger",), "text": "so late"} | options
    return Example(id=name, language=language, **values)  # type: ignore[arg-type]


def test_texts_in_languages_that_the_encoder_does_not_read_are_left_out_and_told(
    capsys: pytest.CaptureFixture[str],
):
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
