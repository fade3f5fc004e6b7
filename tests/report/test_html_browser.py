"""The page in a real browser: Debian's chromium, headless, driven by playwright."""

import json
import time
from dataclasses import replace

import pytest
from made_calls import dialogue, envelope, moving_call, tone

from mmser.evaluation.feedback.corrections import read_feedback
from mmser.report.html import render_html

SHORT = dialogue(16)
DURATION = SHORT.recording.duration
CUSTOMER = SHORT.turns[5]  # scored
pytestmark = pytest.mark.browser


def wait_until(page, condition, argument=None):
    """Wait for a function to hold; the wait of playwright itself polls with eval, which the page forbids."""
    deadline = time.monotonic() + 20
    while not page.evaluate(condition, argument):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(20)


class Opened:
    """A page with what it complained of and asked for."""

    def __init__(self, browser, path, **options):
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
        self.page = self.context.new_page()
        self.complaints, self.requests = [], []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())

    def ready(self):
        wait_until(self.page, "() => document.getElementById('audio').readyState > 0")
        return self.page

    def time(self):
        return self.page.evaluate("document.getElementById('audio').currentTime")


@pytest.fixture
def show(browser, tmp_path):
    opened = []

    def open_page(html, **options):
        path = tmp_path / f"call-{len(opened)}.html"
        path.write_text(html, encoding="utf-8")
        opened.append(Opened(browser, path, **options))
        return opened[-1]

    yield open_page
    for one in opened:
        one.context.close()


@pytest.fixture(scope="module")
def short_html():
    sound = tone(DURATION, container="MP3")
    return render_html(SHORT, envelope=envelope(DURATION, SHORT.turns), audio=sound)


def row(page, turn_id):
    return page.locator(f'.rows .row[data-turn="{turn_id}"]')


def test_the_page_is_quiet_and_asks_nobody(show, short_html):
    seen = show(short_html)
    page = seen.ready()
    row(page, CUSTOMER.id).locator(".open").click()
    page.wait_for_timeout(200)
    assert seen.complaints == []
    assert [url for url in seen.requests if not url.startswith(("file://", "data:"))] == []


def test_a_click_on_a_turn_moves_the_sound_and_marks_the_turn(show, short_html):
    seen = show(short_html)
    page = seen.ready()
    row(page, CUSTOMER.id).locator(".jump").click()
    assert seen.time() == pytest.approx(CUSTOMER.start, abs=0.05)
    assert row(page, CUSTOMER.id).get_attribute("aria-current") == "true"
    assert CUSTOMER.text in page.inner_text("#readout")


def test_a_click_on_the_timeline_finds_the_turn_below_it(show, short_html):
    seen = show(short_html)
    page = seen.ready()
    lane = page.locator(".lane-plot").first
    width = lane.bounding_box()["width"]
    middle = (CUSTOMER.start + CUSTOMER.end) / 2
    lane.click(position={"x": middle / DURATION * width, "y": 60})
    assert seen.time() == pytest.approx(CUSTOMER.start, abs=0.05)
    assert row(page, CUSTOMER.id).get_attribute("aria-current") == "true"


def test_the_sound_carries_the_mark_along(show, short_html):
    seen = show(short_html)
    page = seen.ready()
    last = SHORT.turns[-1]
    page.evaluate("time => { document.getElementById('audio').currentTime = time }", last.start + 0.2)
    wait_until(page, "id => document.querySelector('.row.current')?.dataset.turn === id", last.id)


def test_a_part_is_played_from_its_own_start(show):
    report = replace(SHORT, part=(5.0, DURATION))
    seen = show(render_html(report, audio=tone(DURATION - 5)))
    page = seen.ready()
    row(page, CUSTOMER.id).locator(".jump").click()
    assert seen.time() == pytest.approx(CUSTOMER.start - 5, abs=0.05)


def test_a_linked_recording_plays_and_a_missing_one_says_so(show, tmp_path):
    (tmp_path / "my call #1.wav").write_bytes(tone(DURATION))
    seen = show(render_html(SHORT, audio_href="my call #1.wav"))
    page = seen.ready()
    row(page, CUSTOMER.id).locator(".jump").click()
    assert seen.time() == pytest.approx(CUSTOMER.start, abs=0.05)
    page = show(render_html(SHORT, audio_href="gone.wav")).page
    wait_until(page, "() => document.getElementById('total').textContent.includes('not beside this page')")


def test_search_and_filters_narrow_the_table(show, short_html):
    page = show(short_html).page
    everyone = page.locator(".rows .row")
    assert everyone.count() == 16
    page.fill("#search", "POSTCODE")
    hits = [turn for turn in SHORT.turns if "postcode" in turn.text]
    assert everyone.count() == len(hits) > 0
    assert page.inner_text("#count") == f"{len(hits)} of 16 turns"
    page.locator("#clear").click()
    page.select_option("#role", "customer")
    assert everyone.count() == 8
    page.check("#only-changes")
    assert everyone.count() == sum(bool(t.change and t.change.shifted) for t in SHORT.turns)
    page.locator("#clear").click()
    page.locator('.toggle[data-emotion="-1"]').click()
    assert everyone.count() == 8
    page.fill("#search", "no such words")
    assert "No turn matches" in page.inner_text(".rows")


def test_everything_works_by_keyboard(show, short_html):
    seen = show(short_html)
    page = seen.ready()
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.locator(".row.current").get_attribute("data-turn") == "t2"
    page.keyboard.press("k")
    assert page.locator(".row.current").get_attribute("data-turn") == "t1"
    page.keyboard.press("j")
    page.keyboard.press("e")
    assert row(page, "t2").locator(".detail").count() == 1
    before = seen.time()
    page.keyboard.press("ArrowRight")
    assert seen.time() == pytest.approx(before + 5, abs=0.05)
    page.keyboard.press("ArrowLeft")
    assert seen.time() == pytest.approx(before, abs=0.05)
    page.keyboard.press("Space")
    wait_until(page, "() => !document.getElementById('audio').paused")
    page.keyboard.press("Space")
    wait_until(page, "() => document.getElementById('audio').paused")
    page.keyboard.press("/")
    page.keyboard.type("jk e")  # letters are words in the search box
    assert page.input_value("#search") == "jk e"
    assert page.locator(".row.current").count() == 0


def test_focus_is_visible_from_the_first_tab_stop_on(show, short_html):
    page = show(short_html).page
    for _ in range(6):
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none"


def test_a_correction_is_downloaded_as_one_json_line(show, short_html, tmp_path):
    page = show(short_html).page
    assert page.locator("#download").is_hidden()
    item = row(page, CUSTOMER.id)
    item.locator(".open").click()
    item.locator("select[name=label]").select_option("sadness")
    item.locator("select[name=intensity]").select_option("low")
    item.locator("input[name=comment]").fill('tired, not "angry"')
    item.locator("button[type=submit]").click()
    with page.expect_download() as download:
        page.locator("#download").click()
    assert download.value.suggested_filename == "feedback.jsonl"
    path = tmp_path / "feedback.jsonl"
    download.value.save_as(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {
            "schema": "mmser.feedback/1",
            "call_id": SHORT.recording.id,
            "recording_sha256": SHORT.recording.sha256,
            "model_id": SHORT.model.id,
            "model_revision": SHORT.model.revision,
            "turn_id": CUSTOMER.id,
            "start": CUSTOMER.start,
            "end": CUSTOMER.end,
            "predicted_label": CUSTOMER.emotion.label,
            "predicted_top": CUSTOMER.emotion.top,
            "probabilities": CUSTOMER.emotion.probabilities,
            "modalities": list(CUSTOMER.modalities),
            "predicted_intensity": CUSTOMER.intensity.level,
            "corrected_label": "sadness",
            "corrected_intensity": "low",
            "comment": 'tired, not "angry"',
        }
    ]
    (correction,) = read_feedback([path])
    assert (correction.turn_id, correction.corrected_label) == (CUSTOMER.id, "sadness")


def test_a_long_turn_is_shown_from_moment_to_moment(show):
    opened = show(render_html(moving_call()))
    page = opened.page
    assert page.locator("#timeline .course-step").count() == 21
    page.locator(".row .open").first.click()
    band = page.locator(".course")
    assert band.locator("line").count() == 1
    assert "neutral" in band.inner_text() and "anger" in band.inner_text()
    assert "neutral, anger" in band.locator("svg").get_attribute("aria-label")
    assert opened.complaints == []


def test_a_withheld_turn_shows_its_reason_and_cannot_be_relabelled(show, short_html):
    page = show(short_html).page
    item = row(page, "t1")
    item.locator(".open").click()
    assert "withheld: agents are workers" in item.inner_text()
    assert item.locator("form").count() == 0


def test_script_in_a_transcript_does_not_run(show):
    text = '</script><script>window.pwned=1</script><img src=x onerror="window.pwned=1">'
    report = replace(SHORT, turns=(replace(SHORT.turns[0], text=text, speaker=text), *SHORT.turns[1:]))
    seen = show(render_html(report))
    seen.page.keyboard.press("j")
    seen.page.keyboard.press("e")
    seen.page.wait_for_timeout(100)
    assert seen.page.evaluate("window.pwned") is None
    assert text in seen.page.inner_text(".detail .words")
    assert seen.complaints == []


def test_a_long_call_draws_few_elements_and_still_scrolls_to_any_turn(show):
    report = dialogue(3000)
    seen = show(render_html(report))
    page = seen.page
    assert page.locator(".rows .row").count() < 60
    assert page.evaluate("document.querySelectorAll('*').length") < 6000
    page.evaluate("document.querySelector('.table .frame').scrollTop = 1e9")
    wait_until(page, "() => document.querySelector('.rows').lastChild.dataset.turn === 't3000'")
    for _ in range(6):
        page.locator("#zoom-in").click()
    assert page.locator("g.turn").count() > 10
    assert seen.complaints == []


def test_a_form_survives_scrolling_away(show):
    page = show(render_html(dialogue(400))).page
    row(page, "t2").locator(".open").click()
    row(page, "t2").locator("input[name=comment]").fill("half a thought")
    page.evaluate("document.querySelector('.table .frame').scrollTop = 1e6")
    wait_until(page, "() => !document.querySelector('.rows [data-turn=t2]')")
    page.evaluate("document.querySelector('.table .frame').scrollTop = 0")
    row(page, "t2").wait_for()
    assert row(page, "t2").locator("input[name=comment]").input_value() == "half a thought"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_preferred_scheme(show, short_html, scheme):
    page = show(short_html, color_scheme=scheme).page
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 28)"}[scheme]


def test_a_phone_needs_no_sideways_scrolling(show, short_html):
    page = show(short_html).page
    page.set_viewport_size({"width": 375, "height": 800})
    row(page, CUSTOMER.id).locator(".open").click()
    assert page.evaluate("document.documentElement.scrollWidth") == 375


def test_on_paper_every_turn_is_open(show, short_html):
    page = show(short_html).page
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".rows .detail").count() == 16
    assert page.locator(".player").is_hidden()
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator(".rows .detail").count() == 0


def test_less_motion_where_it_is_asked_for(show, short_html):
    page = show(short_html, reduced_motion="reduce").page
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
