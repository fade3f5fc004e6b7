import dataclasses

import pytest
from examples import TRANSCRIPT, example_report

from mmser.errors import OutputError
from mmser.outputs import write_report


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_report_leaves_no_export_of_the_one_it_replaces(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    write_report(
        example_report(agent_reason="safety"), tmp_path, exports=["aws", "vtt", "parquet", "transcript"]
    )
    write_report(example_report(), tmp_path, exports=["srt"], overwrite=True)
    assert names(tmp_path) == [
        "notes.txt",
        "report.html",
        "report.json",
        "turns.csv",
        "turns.jsonl",
        "turns.srt",
    ]


def test_files_that_only_share_an_export_s_name_stay(tmp_path):
    for name in ("transcript.json", "call_analytics.json"):
        (tmp_path / name).write_text("mine")
    write_report(example_report(), tmp_path, overwrite=True)  # no report stood here
    assert {"transcript.json", "call_analytics.json"} <= set(names(tmp_path))


def test_an_input_is_neither_removed_nor_replaced(tmp_path):
    path = tmp_path / "transcript.json"
    path.write_text("mine")
    report = example_report(transcript=dataclasses.replace(TRANSCRIPT, path=str(path)))
    write_report(report, tmp_path)
    write_report(report, tmp_path, overwrite=True)
    with pytest.raises(OutputError, match="is an input of this analysis"):
        write_report(report, tmp_path, exports=["transcript"], overwrite=True)
    assert path.read_text() == "mine"
