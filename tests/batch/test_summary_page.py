"""The files of a summary: a page that runs nothing, tables that no spreadsheet runs."""

import csv
import io
import json
import re
from html.parser import HTMLParser

import pytest

from mmser.batch.summary.files import check_summary_files, summary_document, write_summary
from mmser.batch.summary.html import render_summary_html
from mmser.batch.summary.reading import open_archive
from mmser.batch.summary.summarizing import SummaryOptions, summarize_archive
from mmser.batch.summary.tables import TABLES, to_tables
from mmser.batch.summary.text import render_summary_text
from mmser.batch.summary.wording import clock, hours, percent, points
from mmser.errors import OutputError, UsageError
from tests.batch.made_archive import call_of, made_rows, write_archive

EVIL = '=cmd|"/C calc"!A0<script>alert(1)</script>\u202e\x1b[31m\U0001f600'


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = write_archive(tmp_path_factory.mktemp("made") / "out", made_rows(300, weeks=5))
    options = SummaryOptions(by=("queue", "region"))
    return folder, summarize_archive(open_archive(folder), folder / "summary", options)


@pytest.fixture(scope="module")
def evil(tmp_path_factory):
    rows = [call_of(f"{EVIL}{n}", first=0.1, last=0.4, rules=[EVIL], queue=EVIL, date=EVIL) for n in range(8)]
    folder = write_archive(tmp_path_factory.mktemp("evil") / "<b>out", rows)
    options = SummaryOptions(by=("queue",))
    return summarize_archive(open_archive(folder), folder / "summary", options)


class Seen(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.ids = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id"]


def test_the_page_has_no_script_asks_nobody_and_says_so_in_its_policy(made):
    page = render_summary_html(made[1]).replace("&#39;", "'")
    seen = Seen(page)
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(seen.tags)
    assert not [name for name, _ in seen.attributes if name.startswith("on") or name in ("src", "style")]
    assert "default-src 'none'" in page
    assert re.search(r"style-src 'sha256-[\w+/=]+'", page)
    assert len(seen.ids) == len(set(seen.ids))
    assert "http" not in page.replace("http-equiv", "")


def test_the_page_says_what_the_record_says(made):
    page, found = render_summary_html(made[1]), made[1]
    (customers,) = found.shares
    assert f"{100 * customers.negative.value:.1f}%" in page
    for one in found.escalation.top:
        assert one.id in page
    for rule in found.rules:
        assert rule.rule in page
    for text in (found.notices[0].split(";")[0], "not corrected", "neither ranked nor compared"):
        assert text.replace("'", "&#39;") in page
    assert page == render_summary_html(found)


def test_names_can_neither_leave_their_place_nor_turn_the_text(evil):
    page = render_summary_html(evil)
    assert "<script" not in page and "\u202e" not in page and "\x1b" not in page
    assert "&lt;script&gt;" in page
    text = render_summary_text(evil)
    assert "\u202e" not in text and "\x1b" not in text


def test_cells_are_inert_in_spreadsheets_and_numbers_stay_numbers(evil, made):
    for text in to_tables(evil).values():
        for row in csv.reader(io.StringIO(text, newline="")):
            for cell in row:
                assert not cell.startswith(("=", "+", "@")) and (not cell.startswith("-") or float(cell))
    rows = list(csv.DictReader(io.StringIO(to_tables(made[1])["shares.csv"], newline="")))
    assert [row["emotion"] for row in rows][:2] == ["anger", "disgust"]
    assert float(rows[0]["share_low"]) < float(rows[0]["share"]) < float(rows[0]["share_high"])
    assert rows[0]["share_calls"] == "300"


def test_tables_have_a_row_for_each_week_call_rule_and_group(made):
    found, tables = made[1], to_tables(made[1])
    count = {name: len(list(csv.reader(io.StringIO(text, newline="")))) - 1 for name, text in tables.items()}
    assert count["weeks.csv"] == len(found.trend.weeks) == 5
    assert count["escalated.csv"] == 20
    assert count["rules.csv"] == len(found.rules)
    assert count["groups.csv"] == sum(len(table.groups) for table in found.tables)


def test_all_files_are_written_or_none(made, tmp_path):
    written = write_summary(made[1], tmp_path / "new" / "place", overwrite=False)
    assert set(written) == {"summary.html", "summary.json", *TABLES}
    assert json.loads(written["summary.json"].read_text("utf-8")) == json.loads(summary_document(made[1]))
    with pytest.raises(OutputError, match="--overwrite"):
        write_summary(made[1], tmp_path / "new" / "place", overwrite=False)
    (tmp_path / "blocked" / "rules.csv").mkdir(parents=True)
    with pytest.raises(OutputError):
        write_summary(made[1], tmp_path / "blocked", overwrite=True)
    assert [path.name for path in (tmp_path / "blocked").iterdir()] == ["rules.csv"]


@pytest.mark.parametrize("name", ["calls", "turns", "reports", "calls/deeper"])
def test_nothing_is_written_among_the_batchs_own_files(made, name):
    with pytest.raises(UsageError, match="lies among what mmser batch wrote"):
        check_summary_files(made[0], made[0] / name, overwrite=True)
    check_summary_files(made[0], made[0] / "summary", overwrite=False)


@pytest.mark.parametrize(
    "rows",
    [
        [call_of("a")],
        [call_of("a", shares={}, scored_time=None, first=None, last=None, duration=None)],
        [call_of(f"c{n}", date="2026-01-05") for n in range(3)],
    ],
)
def test_poor_archives_have_a_page_and_a_text_too(tmp_path, rows):
    folder = write_archive(tmp_path / "out", rows)
    found = summarize_archive(open_archive(folder), folder / "summary", SummaryOptions())
    page, text = render_summary_html(found), render_summary_text(found)
    for words in (page, text):
        assert "nan" not in words.lower().replace("name", "") and "None" not in words
    assert found.trend.why_none in text


def test_numbers_are_written_with_their_unit_and_a_true_minus():
    assert [hours(one) for one in (None, 0.001, 0.5, 5.25, 1234.6)] == [
        "–",
        "4 s",
        "30 min",
        "5.2 h",
        "1,235 h",
    ]
    assert [points(one) for one in (None, 0.0, -0.0001, -0.042, 0.042)] == ["–", "0.0", "0.0", "−4.2", "+4.2"]
    assert (percent(None), percent(0.12345), clock(None), clock(245.4)) == ("–", "12.3%", "–", "4:05")
