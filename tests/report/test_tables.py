import csv
import io
import json

import pyarrow.parquet
import pytest
from examples import LINES, example_report, example_turns

from mmser.labels import EMOTIONS
from mmser.report.parquet import to_parquet
from mmser.report.tables import inert, to_csv, to_jsonl, turn_rows
from mmser.types import Turn


def rows_of(report):
    return list(csv.DictReader(io.StringIO(to_csv(report), newline="")))


def test_a_withheld_turn_has_empty_fields_and_a_reason():
    for row, turn in zip(rows_of(example_report()), example_turns(), strict=True):
        said = ["emotion", "top_emotion", "confidence", "intensity", "change", *(f"p_{e}" for e in EMOTIONS)]
        if turn.role == "agent":
            assert {row[name] for name in (*said, "abstained", "shifted", "direction", "modalities")} == {""}
            assert row["reason"].startswith("withheld")
        else:
            assert row["p_anger"] and row["intensity"] and not row["reason"]


def test_numbers_stay_numbers_and_negative_ones_too():
    row = rows_of(example_report())[3]
    assert (row["start"], row["end"], row["loudness_dbfs"]) == ("11.6", "16.4", "-23.0")
    assert float(row["p_surprise"]) == 0.52
    assert (row["shifted"], row["abstained"]) == ("true", "false")
    assert sum(float(row[f"p_{e}"]) for e in EMOTIONS) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "＝", "\0="])
def test_no_cell_begins_with_what_a_spreadsheet_would_run(start):
    text = f"{start}cmd|' /C calc'!A0"
    turn = Turn(id="t1", start=0.0, end=1.0, role="agent", speaker=text, text=text)
    row = rows_of(example_report(turns=[turn], predictions=[], loudness={}))[0]
    assert row["text"].startswith("'") and row["speaker"].startswith("'")
    assert inert(text) == "'" + text.replace("\0", "")


def test_plain_words_are_left_alone():
    assert [row["text"] for row in rows_of(example_report())] == [line[3] for line in LINES]


def test_jsonl_holds_the_same_rows_as_json_values():
    report = example_report()
    assert [json.loads(line) for line in to_jsonl(report).splitlines()] == list(turn_rows(report))
    first = json.loads(to_jsonl(report).splitlines()[0])
    assert first["emotion"] is None and first["recording"] == "call"


def test_parquet_holds_the_same_rows_with_real_types():
    report = example_report(agent_reason="safety")
    table = pyarrow.parquet.read_table(io.BytesIO(to_parquet(report)))
    assert table.to_pylist() == list(turn_rows(report))
    kinds = {"start": "double", "channel": "int64", "shifted": "bool", "text": "string", "p_anger": "double"}
    assert {name: str(table.schema.field(name).type) for name in kinds} == kinds
    assert b"not tell what anybody feels" in table.schema.metadata[b"notice"]
    assert table.schema.metadata[b"agent_reason"] == b"safety"
    assert to_parquet(report) == to_parquet(report)


def test_parquet_takes_any_text_and_no_turns_at_all():
    turn = Turn(id="t1", start=None, end=None, role="unknown", text="a\ud800\0b")
    (row,) = pyarrow.parquet.read_table(
        io.BytesIO(to_parquet(example_report(turns=[turn], predictions=[], loudness={})))
    ).to_pylist()
    assert row["text"] == "a?\0b" and row["p_anger"] is None
    empty = pyarrow.parquet.read_table(io.BytesIO(to_parquet(example_report(turns=[], predictions=[]))))
    assert empty.num_rows == 0 and "p_anger" in empty.column_names


def test_a_call_without_turns_still_has_its_header():
    table = to_csv(example_report(turns=[], predictions=[]))
    assert table.startswith("recording,id,start,end,") and table.count("\n") == 1
    assert to_jsonl(example_report(turns=[], predictions=[])) == ""
