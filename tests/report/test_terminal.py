import dataclasses
import io
import re

import pytest
from examples import LINES, example_predictions, example_report, prediction
from rich.console import Console

from mmser.report.rules import parse_rule
from mmser.report.shown import strongest
from mmser.report.terminal import plain, render_terminal
from mmser.types import Turn


def shown(report, width=100, **options):
    console = Console(file=io.StringIO(), width=width, **options)
    render_terminal(report, console)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width):
    report = example_report(warnings=["word " * 80])
    assert max(map(len, shown(report, width).splitlines())) <= width


def test_the_summary_names_what_matters():
    rules = [parse_rule("customer anger >= 0.6")]
    report = example_report(rules=rules, warnings=["the clock is odd"])
    text = shown(report, 160)
    for wanted in (
        f"({report.model.license})",
        "call.wav  1:04",
        "agent (Agent); customer (Customer) · 15 turns",
        LINES[7][3],
        "surprise → anger",
        "1 interruption",
        "longest silence 7.5 s",
        "Rule: customer anger >= 0.6",
        "7 agent turns withheld",
        "not tell what anybody feels",
        "Warning: the clock is odd",
    ):
        assert wanted in text, wanted


def test_the_course_speaks_in_letters_without_color(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    text = shown(example_report(), force_terminal=True)
    bare = re.sub("\x1b\\[[0-9;]*m", "", text)
    course = next(line for line in bare.splitlines() if re.match("customer +N", line))
    assert re.sub(r"(.)\1*", r"\1", course.removeprefix("customer")).replace(" ", "") == "NUAA?UHH"
    assert not re.search("\x1b\\[[0-9;]*(3[0-8]|4[0-8])", text)  # no color codes


def test_agents_have_no_course_and_the_reason_stands_there():
    lines = shown(example_report(), 140).splitlines()
    agent = next(line for line in lines if line.startswith("agent  "))
    assert "withheld: agents' emotions are not inferred" in agent


def without_sound():
    silent = [
        dataclasses.replace(one, intensity=None, modalities=("text",), audio_only=None)
        for one in example_predictions()
    ]
    return example_report(recording=None, loudness={}, duration=None, predictions=silent)


def test_words_alone_have_moments_by_confidence_and_no_invented_intensity():
    text = shown(without_sound(), 140)
    moments = text.split("Strongest moments")[1].split("Change points")[0]
    assert LINES[7][3] in moments and "86%" in moments
    assert not re.search("(low|medium|high) 0", moments)


def test_turns_with_an_intensity_come_before_those_without():
    loud, quiet = (prediction("t2", "anger", 0.5, 0.1), prediction("t4", "anger", 0.9))
    predictions = [loud, dataclasses.replace(quiet, intensity=None), *example_predictions()[2:]]
    turns = example_report(predictions=predictions).turns
    assert strongest(turns, 99)[:2] == [1, 3]
    assert 3 not in strongest(turns, 5)


def test_text_cannot_draw_on_the_terminal():
    text = "\x1b[2J\x1b]0;owned\x07[bold red]hello[/] [/nope] \u202egnol\x9b31m\x00"
    lines = [Turn(id="t1", start=0.0, end=2.0, role="customer", speaker=text, text=text)]
    report = example_report(turns=lines, predictions=[prediction("t1", "anger", 0.9, 0.9)], warnings=[text])
    out = shown(report, 120)
    assert not set(out) & {"\x1b", "\x07", "\x9b", "\x00", "\u202e"}
    assert "[bold red]hello[/] [/nope]" in out
    assert plain("a\nb\tc") == "a b c"


def test_unknown_roles_show_the_flag():
    turn = Turn(id="t1", start=0.0, end=1.0, role="unknown", speaker="spk_0", text="x")
    out = shown(example_report(turns=[turn], predictions=[], loudness={}), 140)
    assert "--role spk_0=customer" in out
    assert "1 unknown turn withheld" in out


@pytest.mark.parametrize("overrides", [{"turns": [], "predictions": []}, {"part": (10.0, 30.0)}])
def test_thin_reports_still_print(overrides):
    assert "Policy:" in shown(example_report(**overrides))
