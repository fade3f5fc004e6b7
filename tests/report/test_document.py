import json
from importlib import resources

import jsonschema
import pytest
from examples import example_report, example_turns
from hypothesis import given
from hypothesis import strategies as st

from mmser.errors import MmserError
from mmser.report.document import from_json, json_schema, to_json
from mmser.report.rules import parse_rule
from mmser.types import Turn

COMMITTED = json.loads(resources.files("mmser.report").joinpath("call.schema.json").read_text())


def test_a_report_comes_back_equal():
    report = example_report(rules=[parse_rule("customer anger >= 0.6")], part=(0.0, 60.0))
    assert report.rules
    assert from_json(to_json(report)) == report
    assert json.loads(to_json(report)) == report.to_dict()


def test_the_committed_schema_is_the_generated_one():
    assert json_schema() == COMMITTED
    assert COMMITTED["$id"] == "mmser.call/1"
    jsonschema.Draft202012Validator.check_schema(COMMITTED)


def test_reports_are_valid_against_the_schema():
    turns = [Turn(id="t1", start=None, end=None, role="unknown", text="x")]
    for report in (
        example_report(rules=[parse_rule("silence >= 2")]),
        example_report(agent_reason="safety"),
        example_report(turns=turns, predictions=[], recording=None, loudness={}, channels={}, duration=None),
        example_report(turns=[], predictions=[], transcript=None, part=(1.0, 2.0)),
    ):
        jsonschema.Draft202012Validator(COMMITTED).validate(json.loads(to_json(report)))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.update(extra=1),
        lambda d: d["turns"][1]["emotion"].update(mood="x"),
        lambda d: d.pop("policy"),
        lambda d: d["turns"][0].update(role="boss"),
        lambda d: d["turns"][0].update(start="soon"),
        lambda d: d.update(schema="mmser.call/2"),
    ],
)
def test_a_damaged_document_fits_neither_schema_nor_reader(spoil):
    data = json.loads(to_json(example_report()))
    spoil(data)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(COMMITTED).validate(data)
    with pytest.raises(MmserError):
        from_json(json.dumps(data))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not valid JSON"),
        ("[1, 2]", "its schema is None"),
        ('{"schema": "mmser.call/2"}', "newer than 'mmser.call/1'; update mmser"),
        ('{"schema": "mmser.call/1", "turns": NaN}', "NaN is not a JSON number"),
        ('{"schema": "other/1"}', "its schema is 'other/1'"),
        ('{"schema": "mmser.call/1", "turns": 3}', "damaged"),
    ],
)
def test_a_bad_document_is_one_sentence(text, said):
    with pytest.raises(MmserError, match=said) as caught:
        from_json(text)
    assert "\n" not in str(caught.value)


@given(st.text(st.characters(), min_size=1))
def test_any_text_survives_and_is_utf8(text):
    turn = Turn(id="t1", start=0.0, end=1.0, role="agent", text=text)
    document = to_json(example_report(turns=[turn], predictions=[], loudness={}))
    document.encode("utf-8")
    wanted = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
    assert from_json(document).turns[0].text == wanted


def test_each_turn_has_its_own_line():
    lines = [line for line in to_json(example_report()).splitlines() if '"id": "t' in line]
    assert len(lines) == len(example_turns())
