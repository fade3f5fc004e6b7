"""The page of an evaluation in a real browser: Debian's chromium, headless, driven by playwright."""

import pytest

from mmser.evaluation.page.html import render_html
from mmser.labels import EMOTIONS
from tests.evaluation.made_results import full, larger, minimal
from tests.pages_in_browser import opening

pytestmark = pytest.mark.browser
LONG = "a name that somebody gave and that goes on and on without ever coming to an end " * 3
SHEET = 700  # pixels between the margins of A4: 184 mm
PAGES = {
    "full": full(),
    "minimal": minimal(),
    "two classes": full(labels=("anger", "neutral"), baselines=("svm",), corpora=("emodb",), mark=None),
    "large": larger(full(corpora=("goemotions",)), 40),
    "crowded": full(
        labels=(*EMOTIONS, "contempt", "frustration"),
        baselines=(*(f"baseline number {number}" for number in range(14)), LONG),
        name=LONG[:200],
        corpora=("ravdess", "<script>alert(2)</script>", "emodb" * 20),
        mark=LONG,
    ),
}

# Texts of one plot that lie over each other.
OVERLAPS = """() => [...document.querySelectorAll('svg')].flatMap(svg => {
  const texts = [...svg.querySelectorAll('text')];
  const boxes = texts.map(text => [text.textContent, text.getBoundingClientRect()]);
  return boxes.flatMap(([one, a], i) => boxes.slice(i + 1).flatMap(([other, b]) =>
    a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom && a.width && b.width
      ? [`${one} / ${other}`] : []));
})"""
# Letters smaller than 11 pixels as they are on the screen, those of drawings that are scaled too.
SMALL = """() => [...document.querySelectorAll('body *')].flatMap(node => {
  if (![...node.childNodes].some(child => child.nodeType === 3 && child.data.trim())) return [];
  if (['TITLE', 'DESC', 'STYLE'].includes(node.tagName.toUpperCase()) || node.closest('.vh')) return [];
  const drawing = node.closest('svg.drawing');
  const scale = drawing ? drawing.getBoundingClientRect().width / drawing.viewBox.baseVal.width : 1;
  const size = parseFloat(getComputedStyle(node).fontSize) * scale;
  return size < 10.99 && node.getClientRects().length ? [`${node.tagName} ${size} ${node.textContent}`] : [];
})"""
# Marks that lie outside their cell by more than a dot's radius and an arrow.
OUTSIDE = """() => [...document.querySelectorAll('svg.marks')].flatMap(svg => {
  const frame = svg.getBoundingClientRect();
  return [...svg.querySelectorAll('circle, rect, line.whisker')].flatMap(mark => {
    const box = mark.getBoundingClientRect();
    return box.left < frame.left - 8 || box.right > frame.right + 8 ? [svg.getAttribute('aria-label')] : [];
  });
})"""
# Luminance contrast of each cell of a matrix with its shade.
CONTRASTS = """() => [...document.querySelectorAll('.matrix td')].map(cell => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const light = color => {
    canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    const part = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(c => c / 255);
    return part.map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
      .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  };
  const style = getComputedStyle(cell), page = getComputedStyle(document.body).backgroundColor;
  canvas.fillStyle = page; canvas.fillRect(0, 0, 1, 1);
  const ground = style.backgroundColor === 'rgba(0, 0, 0, 0)' ? page : style.backgroundColor;
  const [high, low] = [light(style.color), light(ground)].sort((a, b) => b - a);
  return (high + .05) / (low + .05);
})"""
# Words whose contrast with the ground behind them is under 4.5 : 1; the plates' letters are tested elsewhere.
FAINT = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const light = (under, over, alpha) => {
    canvas.globalAlpha = 1; canvas.fillStyle = under; canvas.fillRect(0, 0, 1, 1);
    canvas.globalAlpha = alpha; canvas.fillStyle = over; canvas.fillRect(0, 0, 1, 1);
    const part = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(c => c / 255);
    return part.map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
      .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  };
  const seen = node => {
    let alpha = 1;
    for (let one = node; one; one = one.parentElement) alpha *= parseFloat(getComputedStyle(one).opacity);
    return alpha;
  };
  const ground = node => {
    for (let one = node; one; one = one.parentElement) {
      const color = getComputedStyle(one).backgroundColor;
      if (color !== 'rgba(0, 0, 0, 0)') return color;
    }
    return 'rgb(255, 255, 255)';
  };
  return [...document.querySelectorAll('body *')].flatMap(node => {
    if (![...node.childNodes].some(child => child.nodeType === 3 && child.data.trim())) return [];
    if (['TITLE', 'DESC', 'STYLE'].includes(node.tagName.toUpperCase())) return [];
    if (node.closest('.vh, .skip, .mark, .out') || !node.getClientRects().length) return [];
    const style = getComputedStyle(node);
    const behind = ground(node), ink = node.tagName === 'text' ? style.fill : style.color;
    const [high, low] = [light(behind, ink, seen(node)), light(behind, behind, 1)].sort((a, b) => b - a);
    const ratio = (high + .05) / (low + .05);
    return ratio < 4.5 ? [`${node.tagName}.${node.className} ${ratio.toFixed(2)} ${node.textContent}`] : [];
  });
}"""
OPEN_ALL = "() => document.querySelectorAll('details').forEach(fold => { fold.open = true; })"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    for name, evaluation in PAGES.items():
        (folder / f"{name}.html").write_text(render_html(evaluation), encoding="utf-8")
    return folder


@pytest.fixture
def show(browser, files):
    with opening(browser, files) as open_page:
        yield open_page


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_quiet_and_asks_nobody(show, name):
    page = show(name)
    page.evaluate(OPEN_ALL)
    page.wait_for_timeout(100)
    assert page.complaints == []
    assert [url for url in page.asked if not url.startswith("file://")] == []


@pytest.mark.parametrize("width", [1300, 820, 400])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_overlaps_is_cut_or_too_small_to_read(show, name, width):
    page = show(name, width)
    page.evaluate(OPEN_ALL)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(OVERLAPS) == []
    assert page.evaluate(SMALL) == []
    assert page.evaluate(OUTSIDE) == []


@pytest.mark.parametrize("name", PAGES)
def test_on_a_desk_no_table_has_to_be_scrolled(show, name):
    page = show(name)
    page.evaluate(OPEN_ALL)
    hidden = "() => [...document.querySelectorAll('.scroll')].map(box => box.scrollWidth - box.clientWidth)"
    assert max(page.evaluate(hidden)) <= 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_paper_takes_the_wide_layout_and_cuts_nothing(show, name, scheme):
    page = show(name, SHEET, color_scheme=scheme)
    page.emulate_media(media="print", color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == SHEET
    wider = """() => [...document.querySelectorAll('.scroll')].flatMap(box =>
      box.querySelector('table').getBoundingClientRect().right > box.getBoundingClientRect().right + 1
        || getComputedStyle(box).overflowX !== 'visible' ? [box.innerText.slice(0, 60)] : [])"""
    assert page.evaluate(wider) == []
    assert page.evaluate(OVERLAPS) == []
    assert page.evaluate(OUTSIDE) == []
    shapes = "[...document.querySelectorAll('table')].map(table => getComputedStyle(table).display)"
    assert set(page.evaluate(shapes)) == {"table"}  # and no phone's list of rows


def test_on_paper_short_tables_stay_whole_and_long_ones_may_be_broken(show):
    page = show("full", SHEET)
    page.emulate_media(media="print")
    breaks = """() => [...document.querySelectorAll('figure:has(table)')].map(figure =>
      [figure.querySelectorAll('tbody tr').length, getComputedStyle(figure).breakInside])"""
    found = page.evaluate(breaks)
    assert {inside for rows, inside in found if rows <= 20} == {"avoid"}
    assert {inside for rows, inside in found if rows > 20} <= {"auto"}


@pytest.mark.parametrize("name", ["full", "minimal"])
def test_on_a_phone_only_wide_matrices_and_digests_are_scrolled(show, name):
    page = show(name, 400)
    page.evaluate(OPEN_ALL)
    wide = """() => [...document.querySelectorAll('.scroll')]
      .filter(box => box.scrollWidth > box.clientWidth + 1)
      .map(box => box.querySelector('table').className.split(' ')[0])"""
    assert set(page.evaluate(wide)) <= {"matrix", "plain"}


def test_marks_stand_where_their_values_are(show):
    page = show("full")
    cell = page.locator("svg.marks[aria-label^='UAR of svm on functionals']").first
    value, low, high = 63.2, 57.7, 67.6
    own = page.locator("svg.marks[aria-label^='UAR of tf-idf']").first
    centre, other = (
        box["x"] + box["width"] / 2 for box in (c.locator("circle").bounding_box() for c in (cell, own))
    )
    # Pixels to a point, from two dots; both ends of the whisker must agree with it.
    points = (centre - other) / (63.2 - 56.7)
    ends = cell.evaluate(
        "svg => (({left, right}) => [left, right])(svg.querySelector('.whisker').getBoundingClientRect())"
    )
    assert ends[0] == pytest.approx(centre + (low - value) * points, abs=3)
    assert ends[1] == pytest.approx(centre + (high - value) * points, abs=3)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_number_of_a_matrix_is_readable_on_its_shade(show, scheme):
    page = show("full", color_scheme=scheme)
    page.evaluate(OPEN_ALL)
    ratios = page.evaluate(CONTRASTS)
    assert len(ratios) > 100
    assert min(ratios) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_words_stand_out_from_their_ground(show, scheme):
    page = show("full", color_scheme=scheme)
    page.evaluate(OPEN_ALL)
    assert page.evaluate(FAINT) == []


def test_a_dark_screen_gets_a_dark_page_and_paper_a_white_one(show):
    page = show("full", color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(20, 23, 28)"
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"


def test_folds_open_by_keyboard_and_are_open_on_paper(show):
    page = show("full")
    fold = page.locator("section#classes > details").first
    inner = fold.locator("table").first
    assert not inner.is_visible()
    fold.locator("summary").first.focus()
    page.keyboard.press("Enter")
    assert inner.is_visible()
    page.keyboard.press("Enter")
    assert not inner.is_visible()
    page.emulate_media(media="print")
    assert inner.is_visible()


def test_pointing_at_a_mark_tells_its_value(show):
    page = show("full")
    titles = page.locator("section#contenders svg.marks title").all_text_contents()
    assert "UAR of svm on functionals: 63.2 [57.7, 67.6]" in titles
    assert "the model minus svm on functionals: +8.0 [+3.6, +11.5]" in titles


def test_all_plots_are_pictures_with_a_name(show):
    page = show("full")
    unnamed = """() => [...document.querySelectorAll('svg')]
      .filter(svg => svg.getAttribute('role') !== 'img' || !svg.getAttribute('aria-label')).length"""
    assert page.evaluate(unnamed) == 0
    assert page.locator("svg").count() > 100
