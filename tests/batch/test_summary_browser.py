"""The page of a summary in a real browser: Debian's chromium, headless, driven by playwright."""

import pytest

from mmser.batch.summary.html import render_summary_html
from mmser.batch.summary.reading import open_archive
from mmser.batch.summary.summarizing import SummaryOptions, summarize_archive
from tests.batch.made_archive import call_of, made_rows, write_archive
from tests.pages_in_browser import opening

pytestmark = pytest.mark.browser
LONG = "a name that somebody gave and that goes on and on without ever coming to an end " * 3
SHEET = 700  # pixels between the margins of A4

# Texts of one drawing that lie over each other.
OVERLAPS = """() => [...document.querySelectorAll('svg')].flatMap(svg => {
  const texts = [...svg.querySelectorAll('text')];
  const boxes = texts.map(text => [text.textContent, text.getBoundingClientRect()]);
  return boxes.flatMap(([one, a], i) => boxes.slice(i + 1).flatMap(([other, b]) =>
    a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom && a.width && b.width
      ? [`${one} / ${other}`] : []));
})"""
# What lies beside the page, but for what is only read out.
BESIDE = """() => [...document.querySelectorAll('body *')].flatMap(node => {
  const box = node.getBoundingClientRect();
  const out = box.width && (box.right > innerWidth + 1 || box.left < -1);
  const told = !node.closest('.skip, .vh, thead, .defs');
  return out && told ? [`${node.tagName}.${node.className} ${node.textContent}`] : [];
})"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    long = [
        call_of(
            f"{LONG}{n}",
            first=0.1,
            last=0.4,
            rules=[LONG],
            queue=f"{LONG[:80]}{n % 2}{'x' * 90}",
            date="2026-01-05",
        )
        for n in range(12)
    ]
    archives = {
        "full": made_rows(300, weeks=12),
        "years": made_rows(200, weeks=110),
        "long": long,
        "one": [call_of("a", queue="q")],
    }
    for name, rows in archives.items():
        place = write_archive(folder / f"{name}-out", rows)
        options = SummaryOptions(by=("queue",))
        found = summarize_archive(open_archive(place), place / "summary", options)
        (folder / f"{name}.html").write_text(render_summary_html(found), encoding="utf-8")
    return folder


@pytest.fixture
def show(browser, pages):
    with opening(browser, pages) as open_page:
        yield open_page


@pytest.mark.parametrize("width", [1300, 820, 400])
@pytest.mark.parametrize("name", ["full", "years", "long", "one"])
def test_nothing_overflows_or_overlaps_and_nobody_is_asked(show, name, width):
    page = show(name, width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(BESIDE) == []
    assert page.evaluate(OVERLAPS) == []
    assert page.complaints == []
    assert [url for url in page.asked if not url.startswith("file://")] == []


@pytest.mark.parametrize("name", ["full", "long"])
def test_paper_is_white_and_cuts_nothing(show, name):
    page = show(name, SHEET, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("document.documentElement.scrollWidth") == SHEET
    assert page.evaluate(OVERLAPS) == []


def test_a_dark_screen_gets_a_dark_page(show):
    page = show("full", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 28)"


def test_bars_are_as_long_as_their_shares(show):
    page = show("full")
    bars = page.locator("#shares svg.marks rect.bar")
    shares = page.locator("#shares td.number bdi").all_text_contents()
    widths = [bars.nth(place).bounding_box()["width"] for place in range(bars.count())]
    pixels = [width / float(text.rstrip("%")) for width, text in zip(widths, shares, strict=True)]
    assert max(pixels) == pytest.approx(min(pixels), rel=0.05)


def test_all_drawings_have_names(show):
    page = show("full")
    unnamed = """() => [...document.querySelectorAll('svg:not(.defs)')]
      .filter(svg => svg.getAttribute('role') !== 'img' || !svg.getAttribute('aria-label')).length"""
    assert page.evaluate(unnamed) == 0
