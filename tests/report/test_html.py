import base64
import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources

import pytest
from examples import LINES as EXAMPLE_LINES
from examples import example_predictions, example_report, example_turns
from made_calls import (
    LINES,
    call,
    dialogue,
    emotion,
    envelope,
    long_turn_call,
    moving_call,
    tone,
    turn,
    withheld,
)

from mmser.labels import EMOTIONS
from mmser.report.html import STYLE_SHEETS, render_html
from mmser.report.html_data import visible
from mmser.report.html_style import contrast, ink_on
from mmser.report.html_summary import spoken_duration, summary_sentence
from mmser.report.palette import PALETTE
from mmser.report.shown import clock
from mmser.types import Policy

NASTY = (
    '</script><script>window.pwned=1</script><img src=x onerror="x()"> <!-- \u202eevil\x1b[31m \ud800 שלום'
)


class Page(HTMLParser):
    """Tags with their attributes, and the contents of style and script elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, str]] = []
        self.text: list[str] = []
        self._inside: str | None = None
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag if tag in ("style", "script") else None

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        if self._inside:
            self.raw.append((self._inside, data))
        else:
            self.text.append(data)

    def island(self):
        return json.loads(next(data for tag, data in self.raw if tag == "script"))


def with_text(text):
    report = dialogue(6)
    return replace(report, turns=(report.turns[0], replace(report.turns[1], text=text), *report.turns[2:]))


def test_the_same_report_gives_the_same_bytes():
    report = dialogue(10)
    shape = envelope(report.recording.duration, report.turns)
    first = render_html(report, envelope=shape, audio=b"sound")
    assert first == render_html(report, envelope=shape, audio=b"sound")


def test_the_policy_allows_exactly_our_own_style_and_script():
    page = Page(render_html(dialogue(4)))
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    style = next(data for tag, data in page.raw if tag == "style")
    script = [data for tag, data in page.raw if tag == "script"][-1]
    for text in (style, script):
        assert base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


def test_nothing_points_outside_the_file():
    html = render_html(dialogue(8), audio=tone(1.0))
    page = Page(html)
    for tag, attributes in page.tags:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:audio/")), (tag, name, value)
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
    assert "@import" not in html
    assert set(re.findall(r"https?://[^\s'\"]+", html)) <= {"http://www.w3.org/2000/svg"}


def test_transcript_text_cannot_leave_the_data_island():
    report = with_text(NASTY)
    html = render_html(report)
    html.encode("utf-8")  # no lone surrogate is left
    page = Page(html)
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert not [tag for tag, _ in page.tags if tag == "img"]
    row = page.island()["turns"][1]
    assert row[5].startswith("</script><script>window.pwned=1</script>")
    assert "[U+202E]evil[U+001B][31m [U+D800] שלום" in row[5]


def test_names_rules_and_warnings_are_escaped():
    bad = "<b onclick=x>\u202e"
    report = replace(dialogue(4), warnings=(bad,), errors=(bad,))
    report = replace(report, recording=replace(report.recording, id=bad))
    page = Page(render_html(report))
    assert not [a for tag, a in page.tags if "onclick" in a]
    assert page.text.count("<b onclick=x>[U+202E]") == 3  # heading, warning, error
    assert "\u202e" not in render_html(report)


def test_without_text_no_spoken_word_is_in_the_page():
    report = dialogue(20)
    html = render_html(report, include_text=False)
    for lines in LINES.values():
        for line in lines:
            assert line == "Yes." or line not in html
    assert {row[5] for row in Page(html).island()["turns"]} == {None}
    assert "The words were left out of this page on request." in html
    assert any(line in render_html(report) for line in LINES["customer"])


def test_a_withheld_turn_carries_its_reason_and_no_answer():
    island = Page(render_html(dialogue(6))).island()
    row = island["turns"][0]
    assert row[3] == "agent"
    assert [row[i] for i in (6, 7, 8, 9, 10)] == [None] * 5
    assert island["reasons"][row[15]]["emotion"].startswith("withheld: agent")


def test_rows_keep_the_numbers_of_the_report():
    report = dialogue(8)
    island = Page(render_html(report)).island()
    for row, item in zip(island["turns"], report.turns, strict=True):
        assert (row[0], row[1], row[2]) == (item.id, item.start, item.end)
        if item.emotion is not None:
            assert row[6][:2] == [EMOTIONS.index(item.emotion.top), int(item.emotion.abstained)]
            assert [p / 10_000 for p in row[6][2:]] == [item.emotion.probabilities[name] for name in EMOTIONS]
            assert row[7][0] == round(item.intensity.value * 10_000)
    assert island["sha256"] == report.recording.sha256


def test_a_label_that_only_a_turn_knows_is_still_shown():
    odd = emotion("anger", 0.5)
    odd = replace(odd, top="boredom", label="boredom", probabilities={**odd.probabilities, "boredom": 0.5})
    island = Page(render_html(call([turn(1, 0.0, 1.0, emotion=odd)], 1.0))).island()
    assert island["labels"][-1] == "boredom"
    assert island["turns"][0][6][0] == len(EMOTIONS)


def test_what_is_unknown_is_a_dash_with_its_reason_never_zero():
    text = " ".join(Page(render_html(dialogue(8, times=False))).text)
    assert re.search(r"Talk time\s+—\s*the transcript carries no times", text)
    assert re.search(r"Longest silence\s+—\s*the transcript carries no times", text)
    assert "0:00" not in re.sub(r"id=.now.*", "", text)


def test_without_times_turns_stand_in_order():
    island = Page(render_html(dialogue(8, times=False))).island()
    assert island["ordinal"] is True
    assert island["span"] == [0.0, 8.0]


def test_estimated_times_are_said_first():
    report = dialogue(4)
    html = render_html(replace(report, transcript=replace(report.transcript, times="estimated")))
    assert "they were estimated" in html
    assert Page(html).island()["estimated"] is True


def test_an_empty_report_still_renders():
    html = render_html(call([], None, transcript=None))
    assert "no turn carries an emotion" in html


@pytest.mark.parametrize("count", [1, 2, 5, len(EXAMPLE_LINES)])
def test_reports_as_they_are_built_render_at_any_length(count):
    lines = EXAMPLE_LINES[:count]
    report = example_report(turns=example_turns(lines), predictions=example_predictions(lines))
    page = Page(render_html(report))
    assert len(page.island()["turns"]) == count
    for role in report.roles:
        for reason in {role.reasons.get("deltas"), role.reasons.get("talk_time")} - {None}:
            assert role.num_scored == 0 or any(reason in text for text in page.text)


def test_only_deltas_whose_interval_leaves_zero_out_are_bold():
    html = render_html(dialogue(12))
    rows = re.findall(r"<tr( class=.clear.)?><th scope=.row.><span class=.chip e(\d)", html)
    assert [(EMOTIONS[int(index)], bool(bold)) for bold, index in rows] == [
        ("anger", True),
        ("happiness", True),
        ("neutral", False),
    ]


def test_windows_of_a_long_turn_travel_along():
    windows = Page(render_html(long_turn_call())).island()["turns"][0][16]
    assert [(start, end) for start, end, *_ in windows] == [(0, 20), (20, 40), (40, 60)]


def test_a_timeline_travels_along_and_the_legend_explains_it():
    page = Page(render_html(moving_call()))
    half, times, rows, changes = page.island()["turns"][0][17]
    assert (half, times[0], times[-1], len(times)) == (1.0, 1.0, 11.0, len(rows))
    assert all(len(row) == len(EMOTIONS) for row in rows)
    assert changes == [[6.0, EMOTIONS.index("neutral"), EMOTIONS.index("anger")]]
    assert page.island()["turns"][1][17] is None
    assert any("thin band" in text for text in page.text)
    assert not any("thin band" in text for text in Page(render_html(long_turn_call())).text)


def test_the_markup_does_not_grow_with_the_number_of_turns():
    def markup(count):
        return len(Page(render_html(dialogue(count))).tags)

    assert abs(markup(1000) - markup(200)) < 60


def test_embedded_sound_starts_where_the_part_starts_and_a_linked_file_at_zero():
    report = replace(dialogue(6), part=(5.0, 20.0))
    assert Page(render_html(report, audio=b"x")).island()["offset"] == 5.0
    assert Page(render_html(report, audio_href="call.wav")).island()["offset"] == 0.0


def test_a_linked_recording_is_quoted_and_may_carry_any_file_name():
    html = render_html(dialogue(2), audio_href='a b/50% "x"#1?.wav')
    assert 'src="a%20b/50%25%20%22x%22%231%3F.wav"' in html


@pytest.mark.parametrize(
    "href", ["https://x.org/a.mp3", "//x.org/a.mp3", "javascript:x", "/etc/a.wav", "file://x/a"]
)
def test_a_link_over_the_network_is_refused(href):
    with pytest.raises(ValueError, match="audio_href must be a path relative to the page"):
        render_html(dialogue(2), audio_href=href)


def test_embedding_and_linking_at_once_is_refused():
    with pytest.raises(ValueError, match="embed the sound or link it"):
        render_html(dialogue(2), audio=b"x", audio_href="a.wav")


def test_an_audio_type_that_is_none_is_refused():
    with pytest.raises(ValueError, match="audio_type must look like"):
        render_html(dialogue(2), audio=b"x", audio_type='audio/mpeg" onload="x')


def test_the_envelope_is_drawn_in_the_lane_of_its_channel():
    report = dialogue(6)
    island = Page(render_html(report, envelope=[[0.0, 0.5, 1.0, 2.0], [0.1] * 4])).island()
    assert [channel["role"] for channel in island["envelope"]] == ["agent", "customer"]
    assert list(base64.b64decode(island["envelope"][0]["bins"])) == [0, 128, 255, 255]


def test_one_channel_for_everybody_belongs_to_no_lane():
    report = replace(dialogue(6), channels={"0": "customer"})
    island = Page(render_html(report, envelope=[[0.5]])).island()
    assert island["envelope"][0]["role"] is None


def test_the_summary_says_who_how_and_what_was_withheld():
    sentence = summary_sentence(dialogue(36))
    assert sentence.startswith("A call of 4 min ")
    assert "between an agent and a customer: the customer came across as most" in sentence
    assert "ended with less anger than at first (mean probability −0.42)" in sentence
    assert sentence.endswith("18 agent turns were withheld by policy.")
    assert sentence.count(". ") == 0


def test_the_summary_of_a_wholly_withheld_call_claims_nothing():
    turns = [withheld(1, 0.0, 2.0, "Yes.", role="unknown")]
    assert summary_sentence(call(turns, 3.0)) == (
        "A call of 3 s with a speaker of unknown role: no turn carries an emotion; "
        "1 turn of unknown role was withheld by policy."
    )


def test_the_ground_for_analysing_agents_is_shown():
    policy = Policy(agent_reason="medical", withheld_turns={}, notice="Agents were analysed.")
    html = render_html(replace(dialogue(4), policy=policy))
    assert "on the stated ground: <b>medical</b>" in html


@pytest.mark.parametrize(
    ("seconds", "short", "long"),
    [
        (0.84, "0:00", "0.8 s"),
        (59.7, "0:59", "59 s"),
        (245, "4:05", "4 min 5 s"),
        (7800, "2:10:00", "2 h 10 min"),
    ],
)
def test_durations_read_as_people_say_them(seconds, short, long):
    assert clock(seconds) == short
    assert spoken_duration(seconds) == long


def test_ordinary_text_passes_through_unchanged():
    assert visible("Line one\nline two\tתודה رائع 😀") == "Line one\nline two\tתודה رائع 😀"


def variables(dark: bool) -> dict[str, str]:
    css = resources.files("mmser.report").joinpath("templates", STYLE_SHEETS[0]).read_text(encoding="utf-8")
    light, _, rest = css.partition("@media screen and (prefers-color-scheme: dark)")
    found = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", light))
    if dark:
        found |= dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", rest.partition("*, *::before")[0]))
    return found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_meets_wcag_aa_contrast(dark):
    colors = variables(dark)
    for ink in ("ink", "muted", "focus"):
        for ground in ("page", "surface", "raised"):
            assert contrast(colors[ink], colors[ground]) >= 4.5, (ink, ground)
    assert contrast(colors["on-strong"], colors["strong"]) >= 4.5
    assert contrast(colors["alert"], colors["alert-bg"]) >= 4.5
    for name, style in PALETTE.items():
        color = style.color_dark if dark else style.color_light
        assert contrast(ink_on(color), color) >= 4.5, name
        assert contrast(color, colors["page"]) >= 3.0, name


def test_the_report_imports_no_torch():
    code = "import sys, mmser.report.html; assert 'torch' not in sys.modules, 'torch'"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_words_alone_are_drawn_without_an_intensity():
    silent = [
        replace(one, intensity=None, modalities=("text",), audio_only=None) for one in example_predictions()
    ]
    html = render_html(example_report(recording=None, loudness={}, duration=None, predictions=silent))
    page = Page(html)
    assert all(row[7] is None for row in page.island()["turns"])
    assert "all bars have one height" in html and "stood out most" in html
    assert "high intensity" not in html and "None intensity" not in html
