"""The work folder: a training goes on only as it began."""

from pathlib import Path
from typing import Any

import pytest

from mmser.errors import MmserError, UsageError
from mmser.training.work import begin, forget, make_folder, require_own

STAGES = ("text", "frames", "fusion")
PLAN: dict[str, Any] = {
    "seed": 0,
    "data": {"rows": "abc", "shares": {}},
    "text": {"steps": 1, "rate": 0.1},
    "frames": None,
    "fusion": {"steps": 5},
}


def started(folder: Path, *stages: str) -> None:
    begin(folder, PLAN, STAGES)
    for stage in stages:
        (folder / f"{stage}.checkpoint.pt").write_text("")


def test_the_same_plan_goes_on_and_one_that_has_not_begun_may_change(tmp_path: Path):
    started(tmp_path)
    begin(tmp_path, PLAN | {"seed": 1}, STAGES)
    started(tmp_path, "text")
    begin(tmp_path, PLAN, STAGES)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 3}, "seed was 0 and is now 3"),
        ({"data": {"rows": "abd", "shares": {}}}, 'data.rows was "abc" and is now "abd"'),
        ({"text": {"steps": 2, "rate": 0.1}}, "text.steps was 1 and is now 2"),
        ({"text": None}, "text.steps was 1 and is now not given"),
    ],
)
def test_what_changed_is_named(change: dict[str, Any], said: str, tmp_path: Path):
    started(tmp_path, "text")
    with pytest.raises(MmserError) as caught:
        begin(tmp_path, PLAN | change, STAGES)
    assert said in str(caught.value) and "--restart" in str(caught.value)
    forget(tmp_path, STAGES)
    begin(tmp_path, PLAN | change, STAGES)


def test_stages_that_come_later_may_be_planned_anew(tmp_path: Path):
    started(tmp_path, "text")
    begin(tmp_path, PLAN | {"fusion": {"steps": 9}, "frames": {"steps": 1}}, STAGES)
    started(tmp_path, "text", "fusion")
    with pytest.raises(MmserError, match=r"fusion\.steps was 5 and is now 9"):
        begin(tmp_path, PLAN | {"fusion": {"steps": 9}}, STAGES)


def test_a_damaged_note_is_refused(tmp_path: Path):
    started(tmp_path, "text")
    (tmp_path / "begun.json").write_text("{")
    with pytest.raises(MmserError, match=r"begun\.json cannot be read"):
        begin(tmp_path, PLAN, STAGES)


def test_forgetting_takes_a_stages_files_alone(tmp_path: Path):
    own = ["acoustics.pt", "fusion.jsonl", "text.csv", "text.yaml"]
    for name in ("text.jsonl", "text.best.pt", "text.checkpoint.pt", "text_without_3.checkpoint.pt", *own):
        (tmp_path / name).write_text("")
    forget(tmp_path, ("text",))
    assert sorted(path.name for path in tmp_path.iterdir()) == own


def test_a_file_where_a_folder_should_be_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "inner"):
        with pytest.raises(UsageError, match=r"is, or lies below, a file; give a folder \(--work\)"):
            make_folder(folder, "--work")
    make_folder(tmp_path / "a" / "b", "--work")
    make_folder(tmp_path / "a" / "b", "--work")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_folder_of_something_else_is_never_written_into(tmp_path: Path):
    require_own(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "mmser"}', encoding="utf-8")
    require_own(tmp_path)
    for other in ("{}", "[]", '{"model_type": "bert"}', "no json"):
        (tmp_path / "config.json").write_text(other, encoding="utf-8")
        with pytest.raises(UsageError, match=r"holds config\.json and is no mmser model; give a new"):
            require_own(tmp_path)
    (tmp_path / "config.json").rename(tmp_path / "notes.txt")
    with pytest.raises(UsageError, match=r"holds notes\.txt"):
        require_own(tmp_path)
