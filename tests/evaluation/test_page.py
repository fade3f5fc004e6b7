"""The pages of an evaluation as text: what they say, that nothing is lost, that no name breaks them."""

import base64
import hashlib
import html
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from mmser.evaluation.page.html import letters, render_html
from mmser.evaluation.page.markdown import inline, render_markdown
from mmser.evaluation.page.sections.context import context_of, matrix_rows
from mmser.evaluation.page.sections.numbers import beyond_zero, number, probability, said, some
from mmser.evaluation.page.sections.plots import reliability, scale_of
from mmser.evaluation.page.sections.trust import verdict
from mmser.evaluation.page.terminal import last_line, render_text
from mmser.evaluation.result import Evaluation, Gap, ReliabilityBin, Score
from mmser.labels import EMOTIONS
from tests.evaluation.made_results import MARK, full, gaps, minimal, score

HOSTILE = "<script>alert(1)</script>|`*_[x](https://e.vil) 日本\x1b[31m\u202e\n# h & &lt; \"'"
LONG = "ünïcødé " * 25
FULL = full()
ALONE = full(corpora=("ravdess",))
PAGE = render_html(FULL)
NOTES = render_markdown(FULL)


class Page(HTMLParser):
    """Elements, attributes and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.captions: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.captions += [""] if tag == "figcaption" else []
        self.open += [tag] if tag not in ("meta", "br", "line", "circle", "rect") else []

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)
        if "figcaption" in self.open:
            self.captions[-1] += data

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.texts))


PARSED = Page(PAGE)


def tables(notes: str) -> list[list[list[str]]]:
    """The cells of all tables as a Markdown reader sees them, as text."""
    found: list[list[list[str]]] = []
    tokens = MarkdownIt("commonmark").enable("table").parse(notes)
    for place, token in enumerate(tokens):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type in ("th_open", "td_open"):
            inner = tokens[place + 1].children or []
            found[-1][-1].append("".join(child.content for child in inner))
    return found


def hostile() -> Evaluation:
    return full(
        labels=(*EMOTIONS, HOSTILE, LONG),
        baselines=(HOSTILE, LONG, "svm"),
        name=HOSTILE,
        corpora=("ravdess", HOSTILE, LONG),
        mark=HOSTILE,
    )


# --- one record, one page ----------------------------------------------------------------------------------


def test_the_same_record_gives_the_same_bytes_also_after_a_journey_through_json():
    again = Evaluation.from_dict(json.loads(json.dumps(FULL.to_dict())))
    assert render_html(again) == PAGE
    assert render_markdown(again) == NOTES


def test_the_page_runs_nothing_and_asks_nobody():
    page = PARSED
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "style"]
    links = [value for name, value in page.attributes if name in ("href", "src")]
    assert links and all(str(link).startswith("#") for link in links)
    assert not re.search(r"url\((?!#)", PAGE) and "@import" not in PAGE


def test_the_policy_allows_the_style_sheet_and_nothing_else():
    css = re.search(r"<style>(.*)</style>", PAGE, re.S)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', PAGE)
    assert css and policy
    digest = base64.b64encode(hashlib.sha256(css.group(1).encode()).digest()).decode()
    rules = html.unescape(policy.group(1))
    assert rules == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_each_link_of_the_contents_leads_to_a_section():
    page = PARSED
    targets = {value for name, value in page.attributes if name == "id"}
    assert {str(value)[1:] for name, value in page.attributes if name == "href"} <= targets
    assert len([v for n, v in page.attributes if n == "id"]) == len(targets)  # none twice


# --- what it says ------------------------------------------------------------------------------------------


def test_both_pages_lead_with_the_same_sentence_on_the_model_its_best_baseline_and_chance():
    emotion, best = ALONE.parts[0].emotion, ALONE.baselines[0]
    assert emotion is not None
    sentence = (
        f"On 240 test rows of ravdess, mmser-default reaches a UAR of "
        f"{emotion.uar.value:.1f}% [{emotion.uar.low:.1f}, {emotion.uar.high:.1f}]; the strongest simple "
        f"baseline, svm on functionals, reaches {best.value.value:.1f}% and guessing 14.3%."
    )
    assert sentence in Page(render_html(ALONE)).text
    assert sentence in render_markdown(ALONE)


def test_of_several_corpora_at_most_three_lead_each_with_its_own_metric_and_never_all_together():
    nemo, emodb, meld = (part.emotion for part in FULL.parts[2:5])
    assert nemo and emodb and meld
    sentence = (
        "mmser-default was judged on 1,542 test rows of ravdess, nemo, emodb and meld. "
        f"It reaches a weighted-F1 of {said(meld.weighted_f1).replace(' ', '% ', 1)} on meld "
        f"(531 rows), a UAR of {said(emodb.uar).replace(' ', '% ', 1)} on emodb "
        f"(434 rows; guessing 14.3%) and a UAR of {said(nemo.uar).replace(' ', '% ', 1)} on nemo "
        "(337 rows; guessing 14.3%). "
        "The other corpus is in the table."
    )
    assert sentence in PARSED.text
    assert sentence in NOTES
    names = [row[0].split(" (")[0] for row in tables(NOTES)[0][1:]]
    assert names[:4] == ["meld: weighted-F1, %", "emodb: UAR, %", "nemo: UAR, %", "ravdess: UAR, %"]
    assert "all: UAR, %" not in names
    assert 'class="hero"' not in PAGE and 'class="hero"' in render_html(ALONE)


def test_a_mark_of_one_corpus_that_is_not_at_the_top_stands_beside_its_leading_number():
    record = replace(FULL, mark=None, parts=(replace(FULL.parts[0], mark=None), *FULL.parts[1:]))
    for text in (Page(render_html(record)).text, render_markdown(record)):
        assert f"on meld (531 rows; {MARK})" in text
        assert f"bootstrap over 12 speakers; {MARK}" in text


def test_meld_alone_leads_with_weighted_f1():
    text = Page(render_html(full(corpora=("meld",)))).text
    assert "On 240 test rows of meld, mmser-default reaches a weighted-F1 of" in text


def test_a_baseline_on_fewer_rows_stands_beside_the_model_on_those_rows_and_not_on_all():
    # Of 240 rows svm answered 24: 61.0; the model is 9.2 better on those, 70.2. On its own 30 rows,
    # another has a higher value, but is 19.0 behind the model.
    svm, other = (
        replace(one, name=name) for one, name in zip(ALONE.baselines, ("svm", "other"), strict=False)
    )
    svm = replace(svm, n=24, value=score(61.0, 3.0, 24), difference=score(9.2, 2.0, 24))
    other = replace(other, n=30, value=score(80.0, 3.0, 30), difference=score(19.0, 2.0, 30))
    record = replace(ALONE, baselines=(other, svm))
    for text in (Page(render_html(record)).text, render_markdown(record)):
        assert (
            "guessing reaches 14.3%; no simple baseline answered all of these rows: svm, on 24 of 240 rows, "
            "61.0%, and mmser-default on those 70.2%."
        ) in text
        assert "the strongest simple baseline" not in text and "strongest baseline" not in text
        assert "svm, on 24 of 240 rows 61.0; mmser-default on those 70.2" in text
    rows = {row[0]: row[1] for table in tables(render_markdown(record)) for row in table if "svm" in row[0]}
    assert rows["svm"] == "24 (of 240)"
    full_row = replace(other, n=240, value=score(20.0, 3.0, 240), difference=score(40.0, 2.0, 240))
    led = Page(render_html(replace(record, baselines=(full_row, svm)))).text
    assert "the strongest simple baseline, other, reaches 20.0%" in led


def test_a_baseline_on_fewer_rows_of_one_corpus_of_several_is_told_with_its_share():
    row = replace(FULL.baselines[0], data="emodb", name="svm", n=24, value=score(61.0, 3.0, 24))
    text = Page(render_html(replace(FULL, baselines=(replace(row, difference=score(9.2, 2.0, 24)),)))).text
    assert "(434 rows; svm, on 24 of 434 rows, 61.0%, and mmser-default on those 70.2%; guessing" in text


@pytest.mark.parametrize("notes", [False, True], ids=["html", "markdown"])
def test_every_score_of_the_record_stands_on_the_page_with_its_interval(notes: bool):
    said_there = NOTES.replace("\\", "") if notes else PARSED.text
    for part in FULL.parts:
        percents, plain = [], []
        if part.emotion is not None:
            one = part.emotion
            percents += [one.uar, one.accuracy, one.macro_f1, one.weighted_f1]
            plain += [one.calibration.ece, one.calibration.nll, one.calibration.brier, one.coverage.aurc]
        if part.multi_label is not None:
            percents += [part.multi_label.macro_f1, part.multi_label.micro_f1]
        if part.intensity is not None:
            plain += [part.intensity.ccc, part.intensity.mae, part.intensity.spearman, part.intensity.kappa]
            percents.append(part.intensity.levels_uar)
        if part.change is not None:
            plain.append(part.change.mcc)
            percents += [part.change.average_precision, part.change.f1, part.change.direction_macro_f1]
        if part.timeline is not None:
            percents += [part.timeline.eder, *(point.f1 for point in part.timeline.points)]
        assert percents
        for scores, digits in ((percents, 1), (plain, 3)):
            for value in scores:
                assert value is not None and said(value, digits) in said_there
    for other in (*FULL.views, *FULL.baselines):
        assert said(other.value) in said_there
        assert said(other.difference, signed=True) in said_there
    for damage in FULL.robustness:
        assert said(damage.loss, signed=True) in said_there
        assert damage.name in said_there
    for gap in FULL.gaps:
        assert all(said(value) in said_there for value in gap.groups.values())


def test_each_caption_names_data_split_seed_model_revision_and_n():
    captions = PARSED.captions
    assert len(captions) > 40
    for caption in captions:
        assert re.search(
            r"(all|ravdess|nemo|emodb|meld|goemotions)\b.* · test \(speaker-folds\) · seed 0 · "
            r"mmser-default@f991dcb3b0b0 · n = [\d,]+",
            caption,
        )


def test_tables_and_figures_are_numbered_in_order_and_tables_alike_in_both():
    captions = PARSED.captions
    for word in ("Table", "Figure"):
        numbers = [int(n) for text in captions for n in re.findall(rf"^{word} (\d+)\.", text)]
        assert numbers == list(range(1, len(numbers) + 1))
    assert [int(n) for n in re.findall(r"^\*\*Table (\d+)\.\*\*", NOTES, re.M)] == list(
        range(1, len(tables(NOTES)) + 1)
    )


def test_a_mark_stands_at_the_top_and_under_the_tables_of_what_it_belongs_to():
    captions = [caption for caption in PARSED.captions if " n = 1,542" in caption]
    assert captions and all(caption.endswith(MARK) for caption in captions)
    assert not any(MARK in caption for caption in PARSED.captions if "nemo · test" in caption)
    assert PAGE.index(f'<p class="stamp" dir="auto"><b>{MARK}</b>') < PAGE.index('class="facts"')
    assert f"> **{MARK}**" in NOTES


def test_a_long_mark_is_told_in_full_at_the_top_and_its_captions_point_there():
    long = "meld: speaker-overlapping, dialogue-disjoint; goemotions: rows of unknown writers"
    marked = full(corpora=("ravdess",), mark=long)
    page = Page(render_html(marked))
    captions = [one for one in page.captions if "all (ravdess) · test" in one]
    assert captions and all(caption.endswith("marked: see top") for caption in captions)
    assert page.text.count(long) == render_markdown(marked).count(long) == 1
    # A mark of one corpus alone is not at the top, so that nothing could be seen there.
    alone = replace(marked, mark="another")
    assert Page(render_html(alone)).text.count(long) > 5


def test_whatever_must_be_known_to_read_a_number_stands_on_both_pages_and_in_the_terminal():
    noted = replace(FULL, gaps=(replace(FULL.gaps[0], note="compared within nemo"), *FULL.gaps[1:]))
    for text in (Page(render_html(noted)).text, render_markdown(noted)):
        assert all(warning in text for warning in noted.warnings)
        assert "1 speaker of whom there is no call, all" in text and "meld/Ross: one clip alone" in text
        assert "compared within nemo" in text and "≥ 0.001" in text
        assert "3.7 [−3.6, 11.0]" in text
    lines = render_text(noted)
    assert "1 speaker is in no call; meld/Ross: one clip alone" in lines
    assert "gap 3.7 [-3.6, 11.0]" in lines


def test_many_speakers_without_a_call_are_folded_away_and_all_named():
    calls = FULL.parts[0].timeline
    assert calls is not None
    lost = {f"meld/{place:02}": "one clip alone" for place in range(13)}
    parts = (replace(FULL.parts[0], timeline=replace(calls, left_out=lost)), *FULL.parts[1:])
    page = render_html(replace(FULL, parts=parts))
    assert '<summary dir="auto">13 speakers of whom there is no call, all</summary>' in page
    assert all(speaker in page for speaker in lost)


def test_the_timeline_says_what_the_model_and_each_rule_are_told():
    calls = FULL.parts[0].timeline
    assert calls is not None
    given = {
        "model": "not told where the splices lie: it hears windows of 2 s",
        "no change": "told nothing",
        "every 3 s": "told the time alone",
    }
    parts = (replace(FULL.parts[0], timeline=replace(calls, given=given)), *FULL.parts[1:])
    record = replace(FULL, parts=parts)
    for text in (Page(render_html(record)).text, render_markdown(record)):
        assert "The model is not told where the splices lie: it hears windows of 2 s." in text
    rows = next(t for t in tables(render_markdown(record)) if t[0][2:3] == ["F1 at ±0.5 s, %"])
    assert [row[0] for row in rows[1:]] == [
        "mmser-default (not told where the splices lie)",
        "no change (told nothing)",
        "every 3 s (told the time alone)",
    ]
    assert "not told where the splices lie" in render_text(record)
    assert "Simple rules for the timeline, all." in render_markdown(record)
    assert (
        "n = 40 spliced calls"
        in render_markdown(record).split("Simple rules for the timeline, all.")[1][:300]
    )


def test_what_the_intervals_are_over_is_said_in_words():
    text = PARSED.text
    assert (
        "95% intervals: bootstrap over 61 speakers (all); bootstrap over 12 speakers (ravdess, nemo" in text
    )
    assert re.search(r"\[[\d., ]+\] bootstrap over 61 speakers", Page(render_html(ALONE)).text)


def test_rows_left_out_are_counted_by_reason():
    text = PARSED.text
    assert "4 rows got no answer" in text
    assert "3: the file holds no sound ravdess/03-01-00-01, ravdess/03-01-01-01" in text
    assert "- 3: the file holds no sound" in NOTES


def test_many_rows_left_out_for_one_reason_are_not_all_named():
    evaluation = replace(FULL, left_out={f"meld/row{place}": "no sound" for place in range(10_000)})
    page = render_html(evaluation)
    assert "and 9,988 more, in the JSON" in page
    assert page.count("meld/row") == 12


def test_the_command_is_the_stated_one_and_none_is_made_up():
    assert "mmser evaluate mmser-default --data corpora/ --protocol speaker-folds --seed 0" in PAGE
    page = render_html(replace(FULL, settings={"model": "m", "corpora": "c.yaml", "seed": "1"}))
    assert "To print it again" not in page and "mmser evaluate" not in page


def test_contenders_are_in_order_of_their_value_under_the_model():
    table = next(rows for rows in tables(NOTES) if rows[0][-1] == "model − this one")
    names = [row[0] for row in table[1:]]
    assert names[:3] == ["mmser-default", "views of the model", "audio only"]
    assert names[names.index("baselines") + 1 :] == list(sorted_baselines())


def sorted_baselines() -> list[str]:
    own = [one for one in FULL.baselines if one.data == "all"]
    return [one.name for one in sorted(own, key=lambda one: -(one.value.value or 0.0))]


def test_a_baseline_that_is_ahead_is_named_as_it_is():
    ahead = replace(ALONE.baselines[0], value=score(80.0, 3.0, 240), difference=score(-8.8, 2.0, 240))
    text = Page(render_html(replace(ALONE, baselines=(ahead,)))).text
    assert "the strongest simple baseline, svm on functionals, reaches 80.0%" in text
    assert "−8.8 [−10.8, −7.2]" in text


def test_a_difference_that_does_not_leave_zero_out_is_said_not_to():
    near = replace(ALONE.baselines[0], difference=score(1.0, 2.0, 240))
    assert "+1.0 [−1.0, +2.6], not beyond zero" in Page(render_html(replace(ALONE, baselines=(near,)))).text


# --- gaps --------------------------------------------------------------------------------------------------


def test_a_gap_within_what_dealing_gives_is_said_to_be_so():
    assert verdict(gaps()[0]) == (
        "Gender, all: the gap in UAR is 3.7 points [−3.6, 11.0], not beyond what dealing would give "
        "(without any gap, 95% of dealings stay up to 6.2 points, p = 0.281); the smallest group has 210 "
        "rows of 12 voices."
    )


def test_a_gap_beyond_dealing_is_said_to_be_larger():
    assert "13.4 points [6.1, 20.7], larger than dealing would give" in verdict(gaps()[1])
    assert "p < 0.001" in verdict(gaps()[1])


def test_a_gap_of_few_voices_says_that_p_could_not_be_small():
    few = replace(gaps()[0], smallest_p=0.333, note="compared within nemo")
    assert verdict(few).endswith(
        "with so few voices p cannot be under 0.333, however large the gap; compared within nemo."
    )


def untold(attribute: str, data: str, note: str = "") -> Gap:
    nothing = dict.fromkeys(("gap", "threshold", "p_value"))
    known = {"attribute": attribute, "data": data, "metric": "UAR", "note": note}
    left_out = {"60+": "1 voice"}
    return Gap(groups={}, smallest_n=0, smallest_voices=0, left_out=left_out, **known, **nothing)


def test_gaps_that_cannot_be_told_are_one_sentence_with_the_reason_and_no_rows_of_dashes():
    few = "fewer than two groups have 30 rows of 2 voices, which is the least that is compared."
    alone = (untold("gender", "emodb"), untold("gender", "nemo"), untold("age band", "emodb"))
    other = untold("language", "all", "no class is common to the values; 7 rows are not compared")
    record = replace(FULL, gaps=(*gaps(), *alone, other))
    for text in (Page(render_html(record)).text, render_markdown(record), render_text(record)):
        assert f"No gap can be told for gender in emodb and nemo, nor for age band in emodb: {few}" in text
        assert "No gap can be told for language in all: no class is common to the values." in text
    rows = next(t for t in tables(render_markdown(record)) if t[0][:2] == ["attribute", "data"])
    assert len(rows) == 1 + len(gaps())
    assert "age band, emodb: 60+ (1 voice)" in Page(render_html(record)).text
    silent = replace(untold("age band", "all"), left_out={"not given": "240 rows without age band"})
    assert "for age band in all: no row says it." in render_text(replace(FULL, gaps=(silent,)))
    only = replace(FULL, gaps=alone)
    assert few in render_text(only)
    assert "Gaps between the best and the worst group" not in render_html(only)


# --- damage ------------------------------------------------------------------------------------------------


def test_the_clean_rows_come_first_with_their_value_and_number():
    # Of 1,542 rows that are damaged one way, 1,539 are answered at 0 dB: two sets of rows.
    whole, fewer = score(65.0, 5.0, 1542), score(64.9, 5.0, 1539)
    damages = tuple(
        replace(one, clean=fewer if one.unanswered else whole, clean_abstained=6.5) for one in FULL.robustness
    )
    record = replace(FULL, robustness=damages)
    rows = next(t for t in tables(render_markdown(record)) if t[0][0] == "damage")
    assert rows[1][0] == "damaged sound"
    assert [row[:3] for row in rows[2:4]] == [
        ["clean, 1,542 rows", "1,542", f"65.0 {said(whole)[5:]}"],
        ["clean, 1,539 rows", "1,539", f"64.9 {said(fewer)[5:]}"],
    ]
    words = next(place for place, row in enumerate(rows) if row[0] == "damaged words")
    assert rows[words + 1][:2] == ["clean", "1,542"]
    page = Page(render_html(record)).text
    assert "clean, 1,542 rows" in page and said(whole) in page and said(fewer) in page
    lines = render_text(record).splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("Costs most"))
    assert lines[first + 1] == "  clean, rows with words: UAR 65.0 [60.0, 69.0] (1542 rows)"
    assert lines[first + 2] == "  clean, rows with sound: UAR 64.9 [59.9, 68.9] (1539 rows)"
    assert lines[first + 3].startswith("  babble 0 dB: UAR 47.1") and lines[first + 3].endswith("(1539 rows)")


def test_of_older_records_the_clean_value_is_that_of_the_damaged_rows_and_their_loss():
    assert FULL.robustness[0].clean is None
    rows = next(t for t in tables(NOTES) if t[0][0] == "damage")
    assert rows[2][:3] == ["clean, 1,542 rows", "1,542", "65.0"]


def test_most_rows_of_one_kind_of_interval_are_all_others():
    far = replace(FULL.robustness[-1].loss, interval="t over 4 speakers")
    record = replace(FULL, robustness=(*FULL.robustness[:-1], replace(FULL.robustness[-1], loss=far)))
    assert (
        "95% intervals: t over 4 speakers (no punctuation); bootstrap over 24 speakers (all others)"
        in render_markdown(record)
    )


# --- what need not be there --------------------------------------------------------------------------------


def test_what_is_not_there_is_a_dash_with_the_reason():
    page = render_html(minimal())
    assert '<td role="cell" class="number" data-label="precision, %" title="never guessed">' in page
    assert "No 95% intervals: fewer than two groups, such as speakers or dialogues." in Page(page).text
    assert "None" not in page and "nan" not in Page(page).text.split()


def test_a_minimal_record_has_only_the_sections_it_has_something_for():
    page = render_html(minimal())
    assert re.findall(r'<section id="(\w+)"', page) == [
        "results",
        "classes",
        "calibration",
        "meaning",
        "method",
    ]
    assert "majority" in render_markdown(minimal())


@pytest.mark.parametrize("kept", ["emotion", "multi_label", "intensity", "change", "timeline", None])
def test_a_record_of_one_kind_of_scores_renders(kept: str | None):
    kinds = ("emotion", "multi_label", "intensity", "change", "timeline")
    parts = tuple(
        replace(part, **{kind: None for kind in kinds if kind != kept})
        for part in FULL.parts
        if kept is None or getattr(part, kept) is not None
    )
    evaluation = replace(FULL, parts=parts, views=(), baselines=(), gaps=(), robustness=())
    assert Page(render_html(evaluation)).text.count("mmser-default")
    assert len(tables(render_markdown(evaluation))) >= (2 if kept is None else 3)


def test_a_record_without_any_part_renders():
    text = Page(render_html(replace(FULL, parts=(), views=(), baselines=()))).text
    assert "mmser-default was judged on 0 test rows" in text


def test_values_that_are_not_finite_are_dashes():
    emotion = FULL.parts[0].emotion
    assert emotion is not None
    lost = replace(emotion.uar, value=math.nan, low=math.nan, high=math.inf)
    part = replace(FULL.parts[0], emotion=replace(emotion, uar=lost))
    text = Page(render_html(replace(FULL, parts=(part,)))).text
    assert "a UAR of mmser-default cannot be had" in text
    assert not {"nan", "inf", "nan%"} & set(text.split())


# --- names that would break it -----------------------------------------------------------------------------


def test_names_are_shown_and_never_run():
    page = render_html(hostile())
    parsed = Page(page)
    assert "script" not in parsed.tags
    assert set(parsed.tags) == set(PARSED.tags)
    assert "<script>alert(1)</script>|`*_[x](https://e.vil)" in parsed.text
    assert "\x1b" not in page and "\u202e" not in page
    assert "[U+001B]" in page


def test_every_title_of_the_page_is_closed():
    parsed = Page(render_html(hostile()))
    assert parsed.open == []


def test_names_break_no_table_of_the_markdown():
    notes = render_markdown(hostile())
    found = tables(notes)
    assert len(found) > 20
    assert [len(rows[0]) for rows in found] == [len(row) for rows in found for row in rows[:1]]
    assert all(len(row) == len(rows[0]) for rows in found for row in rows)
    # A row too long would be cut by the reader, so the bare pipes are counted as well.
    for block in re.findall(r"(?:^\|.*\n?)+", notes, re.M):
        bars = [len(re.findall(r"(?<!\\)\|", line)) for line in block.strip().split("\n")]
        assert len(set(bars)) == 1


def test_names_bring_no_markup_into_the_markdown():
    tokens = MarkdownIt("commonmark").enable("table").parse(render_markdown(hostile()))
    blocks = [token for token in tokens if token.type == "html_block"]
    assert all(
        re.fullmatch(r"<details><summary>[^<>]*</summary>|</details>", b.content.strip()) for b in blocks
    )
    inner = [child for token in tokens for child in token.children or []]
    assert not [c for c in inner if c.type in ("html_inline", "link_open", "image", "code_inline")]
    headings = [tokens[i + 1].content for i, t in enumerate(tokens) if t.type == "heading_open"]
    assert headings[0] == "Evaluation" and len(headings) == len(re.findall(r"^##", NOTES, re.M))


@given(st.text(max_size=60))
def test_any_text_comes_back_from_markdown_as_it_went_in(text: str):
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(inline(text))
    shown = "".join(child.content for token in tokens for child in token.children or [])
    assert {token.type for token in tokens} <= {"paragraph_open", "inline", "paragraph_close"}
    plain = " ".join(re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", "?", text).split())
    assert len(re.findall(r"\w", shown)) >= len(re.findall(r"\w", plain))


def test_our_own_intervals_stay_readable_in_markdown():
    assert (
        inline("71.2 [65.0, 76.2] and −0.033 [−0.134, +0.069]")
        == "71.2 [65.0, 76.2] and −0.033 [−0.134, +0.069]"
    )
    assert inline("[1, 2](https://e.vil)") == "\\[1, 2\\](https://e.vil)"


def test_the_markdown_ends_with_the_provenance():
    tail = NOTES[NOTES.index("*Provenance*") :]
    assert f"revision {FULL.model.revision}" in tail
    assert tail.rstrip().endswith(f"files sha256 {'3' * 64}")


# --- numbers -----------------------------------------------------------------------------------------------


def test_a_confusion_matrix_shows_percent_of_the_row_and_counts():
    # Of 8 angry rows 6 are guessed angry: 75 %, shade 75 / 5 = 15; of no neutral row there is no share.
    _, rows = matrix_rows(context_of(minimal()), ("anger", "neutral"), ((6, 2), (0, 0)))
    first, second = ([(c.text, c.beside, c.shade) for c in row.cells[1:]] for row in rows)
    assert first == [("75.0", "6", 15), ("25.0", "2", 5), ("8", "", None)]
    assert [cell[0] for cell in second] == ["–", "–", "0"]


def test_shares_of_wrong_time_are_of_the_duration():
    # 101.4, 152.2 and 341.0 s of 1443.2 s are 7.0, 10.5 and 23.6 %; together 594.6 s are 41.2 %.
    table = next(rows for rows in tables(NOTES) if rows[0][0] == "error")
    assert [row[2] for row in table[1:]] == ["7.0", "10.5", "23.6", "41.2 [35.7, 45.6]"]
    assert table[-1][1] == "594.6 s"


def test_the_ring_lies_where_the_model_abstains():
    # It answers 1 - 0.084 = 0.916 of the rows; the field is 328 wide and begins at 62.
    ring = re.search(r'class="own" cx="([\d.]+)"', PAGE)
    assert ring and float(ring.group(1)) == pytest.approx(62 + 0.916 * 328, abs=0.01)


def test_a_reliability_diagram_says_by_which_rule_it_is_divided_and_that_the_error_is_over_fifteen_bins():
    # The made parts have ten bins of a tenth each: of 240 rows the rule gives twelve, of 200 to 219 ten.
    assert "Drawn: 10 bins of 24 to 26 rows, sizes at the foot." in Page(render_html(ALONE)).text
    emotion = ALONE.parts[0].emotion
    assert emotion is not None
    ruled = replace(ALONE, parts=tuple(replace(one, emotion=replace(emotion, n=219)) for one in ALONE.parts))
    assert (
        "Drawn: 10 bins of 24 to 26 rows (20 at least, and 15 bins at most), sizes at the foot. "
        "ECE 0.048 [0.034, 0.059], over 15 bins however many are drawn."
    ) in Page(render_html(ruled)).text


def test_behind_each_point_of_a_reliability_diagram_stands_the_span_that_chance_would_give_it():
    # Of 20 rows that are 0.5 sure, 6 to 14 are right in 95 % of draws: 0.3 to 0.7 of a field of 260 pixels.
    drawn = str(reliability([ReliabilityBin(confidence=0.5, accuracy=0.9, n=20)], "by hand"))
    found = re.search(r'<rect class="chance" x="[\d.]+" y="([\d.]+)" width="11" height="([\d.]+)"/>', drawn)
    assert found and (float(found[1]), float(found[2])) == pytest.approx((14 + 0.3 * 260, 0.4 * 260))


def test_a_curve_of_many_points_is_drawn_with_few():
    curve = re.search(r"Risk–coverage.*?<polyline class=\"curve\" points=\"([^\"]*)\"", PAGE, re.S)
    assert curve
    points = curve.group(1).split()
    assert 100 < len(points) <= 160
    assert points[-1].startswith("390.0,")  # all rows


@pytest.mark.parametrize(
    ("value", "digits", "signed", "shown"),
    [
        (72.449, 1, False, "72.4"),
        (-0.04, 1, False, "0.0"),
        (-0.04, 1, True, "0.0"),
        (-3.26, 1, True, "−3.3"),
        (0.25, 1, True, "+0.2"),
        (1234.5678, 3, False, "1,234.568"),
        (None, 1, False, "–"),
        (math.nan, 3, True, "–"),
    ],
)
def test_numbers_are_written_with_a_true_minus_and_no_minus_zero(
    value: float | None, digits: int, signed: bool, shown: str
):
    assert number(value, digits, signed=signed) == shown


def test_small_words():
    assert [some(n, "row") for n in (0, 1, 1_234)] == ["0 rows", "1 row", "1,234 rows"]
    assert [probability(p) for p in (0.0004, 0.0006, 1.0, None)] == [
        "p < 0.001",
        "p = 0.001",
        "p = 1.000",
        "",
    ]
    assert beyond_zero(Score(value=1.0, low=0.1, high=2.0, n=3))
    assert not beyond_zero(Score(value=1.0, low=-0.1, high=2.0, n=3))
    assert not beyond_zero(Score(value=1.0, n=3))
    assert letters(("anger", "contempt", "surprise")) == ("A", "Co", "U")


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=20))
def test_an_axis_holds_its_values_and_has_a_few_round_ticks(values: list[float]):
    scale = scale_of(values, (-math.inf, math.inf))
    assert scale.low <= min(values) and max(values) <= scale.high
    assert len(scale.ticks) <= 6
    assert all(scale.low - 1e-6 <= tick <= scale.high + 1e-6 for tick in scale.ticks)
    assert len({f"{tick:.{scale.digits}f}" for tick in scale.ticks}) == len(scale.ticks)


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ((14.3, 71.2), (20, 30, 40, 50, 60, 70)),
        ((0.0, 36.9), (0, 10, 20, 30)),
        ((-1.5, 21.0), (0, 5, 10, 15, 20)),
        ((0.0, 0.274), (0.0, 0.1, 0.2)),
        ((-0.134, 0.069), (-0.1, -0.05, 0.0, 0.05)),
        ((0.0, 100.0), (0, 20, 40, 60, 80, 100)),
        ((50.0,), (46, 48, 50, 52, 54)),
    ],
)
def test_ticks_are_round_and_few(values: tuple[float, ...], ticks: tuple[float, ...]):
    assert scale_of(values, (-100.0, 100.0)).ticks == ticks


@given(st.lists(st.floats(-50, 150), min_size=1, max_size=20))
def test_an_axis_keeps_to_its_bounds(values: list[float]):
    scale = scale_of(values, (0.0, 100.0))
    assert scale.low >= 0.0 and scale.high <= 100.0
    assert all(0.0 <= scale.at(value) <= 100.0 for value in values)


def test_a_value_without_an_interval_says_why_on_a_terminal():
    why = "one speaker, and an interval needs two or more: no interval"
    alone = Score(value=50.0, n=60, groups=1, interval=why)
    rows = (replace(ALONE.baselines[0], value=alone, difference=alone), ALONE.baselines[1])
    lines = render_text(replace(ALONE, baselines=rows)).splitlines()
    assert [
        line.endswith("(240 rows); one speaker: no interval")
        for line in lines
        if line.startswith(f"  {rows[0].name} ")
    ] == [True]
    assert not [line for line in lines if line.startswith(f"  {rows[1].name} ") and "no interval" in line]


def test_the_last_line_names_the_report_or_the_option_that_writes_one():
    assert last_line(Path("out/evaluation.html")) == f"Report: {Path('out/evaluation.html')}"
    assert last_line(None).startswith("Nothing was written; -o FOLDER writes the report")


def test_names_move_no_cursor_on_a_terminal():
    text = render_text(full(name="evil\x1b[2J\u202ename", mark="bell\x07"))
    assert "\x1b" not in text and "\x07" not in text and "\u202e" not in text
    assert "evil\ufffd[2J\ufffdname" in text
