"""What is told of work that is under way: each stage begins, ends at 100 %, and is not told for nothing."""

import csv
import io

from mmser.cli.console import Progress
from mmser.evaluation.evaluating import Steps
from tests.evaluation.made_clips_to_judge import write_corpus


def told(*steps: tuple[str, float, float], quiet: bool = False) -> list[str]:
    """The lines of a file that stands for stderr."""
    stream = io.StringIO()
    with Progress(quiet=quiet, stream=stream) as progress:
        for step in steps:
            progress(*step)
    return stream.getvalue().splitlines()


def test_a_stage_ends_at_100_percent_however_fast_it_was():
    steps = [("splicing", done, 12) for done in range(1, 13)]
    assert told(*steps) == ["  splicing … 8 %", "  splicing … 100 %"]
    assert told(("judging", 5, 5)) == ["  judging … 100 %"]


def test_what_is_ended_is_not_told_again_and_the_next_stage_is():
    steps = [("judging", 5, 5), ("judging", 2, 5), ("judging", 5, 5), ("scoring", 1, 1)]
    assert told(*steps) == ["  judging … 100 %", "  scoring … 100 %"]


def test_a_stage_of_unknown_length_has_no_share():
    assert told(("loading", 0, 0), ("loading", 3, 0)) == ["  loading what recognises words …"]


def test_quiet_work_tells_nothing():
    assert told(("judging", 0, 5), ("judging", 5, 5), quiet=True) == []


def test_a_step_that_said_nothing_of_itself_says_that_it_is_done():
    heard: list[tuple[str, float, float]] = []
    steps = Steps(lambda *step: heard.append(step))
    steps.fold = "fold 2 (2 of 3), "
    steps.begin("baseline majority")
    steps.end()
    steps.begin("baseline svm")
    steps("listening", 4, 4)
    steps.end()
    assert heard == [
        ("fold 2 (2 of 3), baseline majority", 1, 1),
        ("fold 2 (2 of 3), baseline svm, features", 4, 4),
    ]


def test_each_step_of_an_evaluation_ends_and_none_is_told_of_words_that_the_data_lack(mmser, model, tmp_path):
    manifest = write_corpus(tmp_path)
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with manifest.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(row | {"text": ""} for row in rows)
    options = ["--robustness", "--robustness-rows", 4, "--baselines", "majority,svm", "--draws", 100]
    ran = mmser("evaluate", model, manifest, *options)
    assert ran.code == 0, ran.err
    lines = [line.strip() for line in ran.err.splitlines() if " … " in line]
    last = {stage: share for stage, share in (line.split(" … ") for line in lines)}
    assert set(last.values()) == {"100 %"}
    assert {"judging", "baseline majority", "baseline svm, features", "robustness, clean"} <= last.keys()
    assert {"robustness, GSM 06.10", "scoring", "hashing files", "fairness"} <= last.keys()
    assert not [stage for stage in last if "word" in stage or stage == "robustness, no sound"]
