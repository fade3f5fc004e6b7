import dataclasses
from pathlib import Path

import pytest
from examples import (
    MODEL,
    RECORDING,
    emotion,
    example_predictions,
    example_report,
    example_turns,
    intensity,
    prediction,
)

from mmser.errors import RuleError
from mmser.labels import EMOTIONS
from mmser.report import rules as rules_module
from mmser.report.rule_text import SCOPES, parse_rule_line
from mmser.report.rules import Scope, load_rules, match_rules, parse_rule
from mmser.types import Change, Turn, Window

EXAMPLE = Path(__file__).parents[2] / "configs" / "rules.example.yaml"


def matches(*lines, **overrides):
    """Rule → the turns it matched on the example call; rules that did not match are absent."""
    report = example_report(rules=[parse_rule(line) for line in lines], **overrides)
    return {match.name: match.turn_ids for match in report.rules}


@pytest.mark.parametrize(
    ("line", "turns"),
    [
        ("customer anger >= 0.6", ("t6", "t8")),
        ("customer anger ≥ 60%", ("t6", "t8")),
        ("anger at least 0.8", ("t8",)),
        ("customer anger >= 0.6 in the last quarter", None),
        ("customer anger >= 0.6 in the third quarter", ("t8",)),
        ("customer anger", ("t6", "t8")),
        ("customer anger >= 0.6 for 2 turns", ("t6", "t8")),
        ("customer anger >= 0.6 for 2 consecutive turns", ("t6", "t8")),
        ("customer surprise >= 0.4 for 2 consecutive turns", None),
        ("customer anger >= 0.6 for 3 turns", None),
        ("customer happiness mean >= 0.4 in last quarter", ()),
        ("customer happiness mean >= 0.5 in last quarter", None),
        ("customer anger share >= 35%", ()),
        ("customer anger share >= 36%", None),
        ("intensity >= 0.9", ("t8",)),
        ("customer change better", ("t10",)),
        ("customer change worse", None),
        ("customer change in first half", ("t4", "t6")),
        ('agent says "pay you  BACK"', ("t9",)),
        ('customer says "pay you back"', None),
        (r"customer matches '\bbill\b|bye'", ("t2", "t15")),
        ("agent interruptions >= 1", ("t7",)),
        ("customer interruptions >= 1", None),
        ("silence >= 7 s", ()),
        ("silence >= 8", None),
        ("neutral >= 0.3 in first third", ("t2",)),  # t10 abstains
        ("customer neutral", ("t2",)),
    ],
)
def test_one_line_rules_find_their_turns(line, turns):
    assert matches(line) == ({} if turns is None else {line: turns})


def test_withheld_turns_never_match_on_emotion_intensity_or_change():
    lines = [f"agent {label} >= 0" for label in EMOTIONS]
    lines += [f"agent {label} {kind} >= 0" for label in EMOTIONS for kind in ("mean", "share")]
    assert matches(*lines, "agent intensity >= 0", "agent change any", "agent neutral") == {}
    assert matches("agent neutral >= 0.5", agent_reason="medical")


def test_the_value_is_what_the_rule_asked_for():
    values = {
        line: example_report(rules=[parse_rule(line)]).rules[0].value
        for line in ("customer anger >= 0.6", "silence >= 1", "agent interruptions >= 1", 'agent says "one"')
    }
    assert list(values.values()) == [0.86, 7.5, 1.0, 1.0]


def test_rules_can_be_matched_again_on_a_finished_report():
    rule = parse_rule("customer anger >= 0.6")
    assert match_rules(example_report(), [rule]) == example_report(rules=[rule]).rules


def test_without_times_parts_of_the_call_follow_the_order_of_turns():
    turns = [Turn(id=f"t{i}", start=None, end=None, role="customer", text="x") for i in range(4)]
    tops = ("anger", "neutral", "neutral", "anger")
    predictions = [prediction(f"t{i}", top, 0.8) for i, top in enumerate(tops)]
    line = "customer anger in the last quarter"
    found = matches(line, turns=turns, predictions=predictions, recording=None, duration=None, loudness={})
    assert found == {line: ("t3",)}


def test_the_example_file_loads_and_matches_what_it_says():
    report = example_report(rules=load_rules(EXAMPLE))
    assert [match.name for match in report.rules] == ["ends well"]
    assert len(load_rules(EXAMPLE)) > 5


def test_every_scope_of_the_short_form_is_one_of_the_long_form():
    assert set(SCOPES) == set(Scope.__args__)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "rules:\n - name: a\n   when: {role: customer, emotoin: anger}\n",
            "'emotoin', did you mean 'emotion'?",
        ),
        ("rules:\n - nmae: a\n   when: anger\n", "unknown key 'nmae', did you mean 'name'?"),
        ("ruls:\n - anger\n", "a list under the key 'rules'"),
        ("rules: [anger]\nextra: 1\n", "unknown key 'extra'"),
        ("rules:\n - name: a\n   when: {emotion: angr}\n", "unknown emotion 'angr', did you mean 'anger'?"),
        ("rules:\n - customer angr >= 0.5\n", "speaks of 'angr', did you mean 'anger'?"),
        ("rules:\n - customer anger >> 0.5\n", "is not understood; the forms are"),
        ("rules:\n - customer anger >= 0.5 s\n", "does not fit 'anger'"),
        (
            "rules:\n - name: a\n   when: {emotion: anger, at_least: 1.5}\n",
            "must be at most 1 (found 1.5)",
        ),
        ("rules:\n - name: a\n   when: {at_least: 0.5}\n", "'at_least' needs 'emotion'"),
        ("rules:\n - name: a\n   when: {role: customer}\n", "states no condition"),
        ("rules:\n - name: a\n   when: {role: boss, emotion: anger}\n", "'when.role'"),
        ("rules:\n - name: a\n", "the key 'when' is missing"),
        ("rules:\n - name: a\n   when: {text_matches: '('}\n", "not a regular expression"),
        (f"rules:\n - name: a\n   when: {{text_matches: '{'x' * 201}'}}\n", "at most 200 characters"),
        ("rules:\n - 7\n", "a rule is one line or a mapping"),
        ("rules:\n - anger\n - anger\n", "two rules are named 'anger'"),
        ("rules: [", "line 1: not valid YAML"),
        ("rules: [2024-99-99]", "cannot be read"),
        ("rules: [!!bool x]", "cannot be read"),
        ("rules: [!!timestamp x]", "cannot be read"),
        ("rules: !!python/object/apply:os.system ['true']\n", "not valid YAML"),
        ("", "a list under the key 'rules'"),
    ],
)
def test_a_rules_file_with_a_mistake_is_one_sentence_that_names_it(tmp_path, content, said):
    path = tmp_path / "rules.yaml"
    path.write_text(content)
    with pytest.raises(RuleError) as caught:
        load_rules(path)
    message = str(caught.value)
    assert said in message
    assert str(path) in message
    assert "\n" not in message


def test_the_number_and_name_of_the_rule_are_in_the_message(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text("rules:\n - anger\n - name: second\n   when: {emotoin: anger}\n")
    with pytest.raises(RuleError, match=r"rules\.yaml, rule 2 \('second'\)"):
        load_rules(path)


def test_missing_and_binary_files_are_named(tmp_path):
    with pytest.raises(RuleError, match="cannot be read"):
        load_rules(tmp_path / "none.yaml")
    (tmp_path / "b").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RuleError, match="not UTF-8"):
        load_rules(tmp_path / "b")


def test_a_pattern_that_never_ends_is_stopped(monkeypatch):
    monkeypatch.setattr(rules_module, "REGEX_SECONDS", 0.05)
    turn = Turn(id="t1", start=0.0, end=1.0, role="agent", text="a" * 5000 + "!")
    report = example_report(turns=[turn], predictions=[], loudness={})
    rule = parse_rule(r"matches '(a|aa)+(a|aa)+(a|aa)+$'")
    with pytest.raises(RuleError, match=r"takes more than 0\.05 s on turn t1"):
        match_rules(report, [rule])


def test_the_model_decides_which_emotions_there_are():
    assert parse_rule_line("boredom >= 0.5", ("boredom", "joy")) == {"emotion": "boredom", "at_least": 0.5}
    with pytest.raises(RuleError):
        parse_rule("boredom >= 0.5", MODEL.labels)
    assert len(example_turns()) > len(example_predictions())


def test_a_turn_on_which_the_model_abstains_counts_in_a_mean_but_has_no_label():
    unsure = [prediction("t2", "anger", 0.39)]
    turns = [turn for turn in example_turns() if turn.id == "t2"]
    given = {"turns": turns, "predictions": unsure}
    assert matches("customer anger", "customer anger >= 0.1", "customer anger share >= 0.01", **given) == {}
    assert list(matches("customer anger mean >= 0.3", **given)) == ["customer anger mean >= 0.3"]


def test_words_alone_never_match_on_intensity():
    silent = [dataclasses.replace(one, intensity=None) for one in example_predictions()]
    assert matches("intensity >= 0", predictions=silent) == {}


def long_turn(windows, *, times=True):
    """One customer turn of 20 s a window, each (top emotion, its probability, intensity), as a call."""
    length = 20.0 * len(windows)
    shift = Change(probability=0.7, shifted=True, direction=None)
    cut = tuple(
        Window(
            start=20.0 * i if times else None,
            end=20.0 * (i + 1) if times else None,
            emotion=emotion(top, confidence),
            intensity=intensity(strength),
            change=shift if i else None,
        )
        for i, (top, confidence, strength) in enumerate(windows)
    )
    start, end = (0.0, length) if times else (None, None)
    turns = [Turn(id="t1", start=start, end=end, speaker="Customer", role="customer", text="so late")]
    mean = {label: sum(w.emotion.probabilities[label] for w in cut) / len(cut) for label in MODEL.labels}
    top = max(mean, key=mean.get)
    said = prediction("t1", top, mean[top], sum(w[2] for w in windows) / len(windows), windows=cut)
    whole = dataclasses.replace(said.emotion, probabilities=mean)
    return {
        "turns": turns,
        "predictions": [dataclasses.replace(said, emotion=whole)],
        "recording": dataclasses.replace(RECORDING, duration=length),
        "duration": length,
        "loudness": {},
    }


SAD_THEN_ANGRY = [("sadness", 0.8, 0.3), ("sadness", 0.8, 0.3), ("anger", 0.98, 0.9), ("anger", 0.98, 0.9)]


def test_shares_and_means_of_a_rule_are_the_report_s_own():
    given = long_turn([("sadness", 0.8, 0.3)] * 2 + [("anger", 0.7, 0.9), ("anger", 0.39, 0.9)])
    report = example_report(**given)
    (summary,) = report.roles
    assert summary.shares["uncertain"] == 0.25  # the last window abstains
    for label in MODEL.labels:
        share = f"customer {label} share >= {summary.shares[label]}"
        means = {
            f"customer {label} mean >= {quarter.probabilities[label]} in {scope}": quarter.probabilities[
                label
            ]
            for quarter, scope in zip(
                summary.quarters,
                ("first quarter", "second quarter", "third quarter", "last quarter"),
                strict=True,
            )
        }
        found = match_rules(report, [parse_rule(line) for line in (share, *means)])
        assert {match.name: match.value for match in found} == {share: summary.shares[label], **means}


@pytest.mark.parametrize(
    ("line", "holds"),
    [
        ("customer sadness share >= 50%", True),
        ("customer anger share >= 51%", False),
        ("customer sadness mean >= 0.8 in the first quarter", True),
        ("customer sadness >= 0.8 in the first quarter", True),
        ("customer anger >= 0.9 in the last quarter", True),
        ("customer anger >= 0.9 in the first half", False),
        ("customer sadness", True),
        ("intensity >= 0.8 in the last half", True),
        ("intensity >= 0.8 in the first half", False),
        ("customer change lateral in the third quarter", True),  # where the report has a change point
        ("customer change in the last quarter", False),
        ("customer anger >= 0.9 for 2 turns", False),  # windows of one turn are one turn
    ],
)
def test_a_long_turn_counts_by_its_windows(line, holds):
    report = example_report(**long_turn(SAD_THEN_ANGRY))
    assert [(point.time, point.direction) for point in report.change_points] == [(40.0, "lateral")]
    assert bool(match_rules(report, [parse_rule(line)])) is holds


def test_conditions_on_a_long_turn_hold_for_one_of_its_windows_not_for_several_together(tmp_path):
    rules = tmp_path / "rules.yaml"
    when = "when: {emotion: sadness, at_least: 0.7, intensity_at_least: 0.8}"
    rules.write_text(f"rules:\n - name: sad and strong\n   {when}\n")
    (rule,) = load_rules(rules)
    assert match_rules(example_report(**long_turn(SAD_THEN_ANGRY)), [rule]) == ()
    strong = [("sadness", 0.8, 0.9), *SAD_THEN_ANGRY[1:]]
    assert [m.value for m in match_rules(example_report(**long_turn(strong)), [rule])] == [0.8]


def test_a_change_with_which_a_long_turn_begins_lies_there_and_not_in_its_middle():
    report = example_report(**long_turn(SAD_THEN_ANGRY))
    (turn,) = report.turns
    moved = Change(probability=0.9, shifted=True, direction="worse")
    windows = (dataclasses.replace(turn.windows[0], change=moved), *turn.windows[1:])
    report = dataclasses.replace(report, turns=(dataclasses.replace(turn, change=moved, windows=windows),))
    lines = ["customer change worse in the first quarter", "customer change worse in the third quarter"]
    assert [m.name for m in match_rules(report, [parse_rule(line) for line in lines])] == lines[:1]


def test_a_label_that_only_the_whole_turn_bears_matches_as_the_report_shows_it():
    report = example_report(**long_turn([("anger", 0.39, 0.1), ("anger", 0.39, 0.1)]))
    whole = dataclasses.replace(report.turns[0].emotion, label="anger", abstained=False)
    report = dataclasses.replace(report, turns=(dataclasses.replace(report.turns[0], emotion=whole),))
    assert match_rules(report, [parse_rule("customer anger")])


def test_without_times_every_turn_weighs_the_same_in_rules_as_in_the_report():
    turns = [
        Turn(id="t1", start=0.0, end=30.0, role="customer", text="x"),
        Turn(id="t2", start=None, end=None, role="customer", text="x"),
        Turn(id="t3", start=31.0, end=32.0, role="customer", text="x"),
    ]
    predictions = [prediction(f"t{i}", top, 0.8) for i, top in enumerate(("anger", "fear", "fear"), 1)]
    given = {"turns": turns, "predictions": predictions, "recording": None, "duration": None, "loudness": {}}
    report = example_report(**given)
    assert report.roles[0].shares["fear"] == 0.6667
    assert matches("customer fear share >= 0.6667", "customer anger share >= 0.34", **given) == {
        "customer fear share >= 0.6667": ()
    }


def test_an_interruption_lies_where_it_begins():
    # t7 interrupts at 30.6 s of 64 s, and its middle lies in the second half.
    line = "agent interruptions >= 1 in the "
    assert matches(line + "first half", line + "last half") == {line + "first half": ("t7",)}
