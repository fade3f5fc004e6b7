"""The app of a Space in a real browser: Debian's chromium, headless, driven by playwright."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mmser.publishing.space import create_space
from tests.call_fixtures import agent_voice, wav_bytes

pytest.importorskip("gradio", reason="gradio is not installed")
pytestmark = pytest.mark.browser
WAIT = 120_000  # ms; a busy machine loads torch slowly


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Iterator[tuple[str, Path]]:
    """The address of a running app, and the folder in which it keeps its temporary files."""
    place = tmp_path_factory.mktemp("app")
    create_space(place / "space", model=str(model_dir))
    (place / "tmp").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {"GRADIO_SERVER_PORT": str(port), "TMPDIR": str(place / "tmp"), "HF_HUB_OFFLINE": "1"}
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | own
    with (place / "log").open("w") as log:
        running = subprocess.Popen(
            [sys.executable, "app.py"], cwd=place / "space", env=environment, stdout=log, stderr=log
        )
    address = f"http://127.0.0.1:{port}/"
    try:
        deadline = time.monotonic() + WAIT / 1000
        while True:
            assert running.poll() is None and time.monotonic() < deadline, (place / "log").read_text()
            with contextlib.suppress(OSError):
                urllib.request.urlopen(address, timeout=5).close()
                break
            time.sleep(0.2)
        yield address, place / "tmp"
    finally:
        running.terminate()
        running.wait(30)
    assert [path.name for path in (place / "tmp").iterdir() if path.name.startswith("mmser-")] == []


@pytest.fixture
def page(browser: Any, app: tuple[str, Path]) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1300, "height": 900}, accept_downloads=True)
    page = context.new_page()
    page.asked, page.complaints = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(app[0])
    page.wait_for_selector("#analyse", timeout=WAIT)
    yield page
    context.close()


def give(page: Any, place: str, file: Path) -> None:
    page.set_input_files(f"#{place} input[type=file]", str(file))
    page.wait_for_function(
        "([place, name]) => !document.querySelector(`#${place} input[type=file]`)", arg=[place, file.name]
    )
    page.wait_for_timeout(500)  # the upload itself


def said(page: Any) -> str:
    page.wait_for_function("document.querySelector('#line .said')", timeout=WAIT)
    return page.inner_text("#line")


def test_a_call_and_its_transcript_become_the_report(page: Any, app: tuple[str, Path], call):
    give(page, "recording", call[0])
    give(page, "transcript", call[1])
    page.click("#analyse")
    assert "2 agent turns were withheld by policy" in said(page)
    report = page.frame_locator("#report iframe")
    report.locator(".rows .row").first.wait_for(timeout=WAIT)
    assert "withheld" in report.locator("body").inner_text()
    assert "my parcel is late" in report.locator("body").inner_text()
    assert [name in page.inner_text("#files").replace("\n", "") for name in ("report.html", "turns.csv")] == [
        True,
        True,
    ]
    with page.expect_download() as found:
        page.locator("#files a", has_text="KB").first.click()
    text = Path(found.value.path()).read_text("utf-8")
    assert "call.wav" in text and str(app[1]) not in text
    assert [url for url in page.asked if not url.startswith((app[0], "data:", "blob:", "about:"))] == []
    assert page.complaints == []
    left = [path for path in app[1].iterdir() if not path.name.startswith("mmser-space-")]
    assert left == []  # what the analysis wrote beside the cache is gone


def test_what_cannot_be_analysed_is_told_in_a_sentence(page: Any, tmp_path: Path):
    page.click("#analyse")
    assert "there is no recording yet" in said(page)
    bad = tmp_path / "words.wav"
    bad.write_text("this is no sound")
    mono = tmp_path / "mono.wav"
    mono.write_bytes(wav_bytes(agent_voice()))
    for file, complaint in ((bad, "words.wav"), (mono, "mono.wav has 1 channel, which does not fit")):
        page.reload()
        page.wait_for_selector("#analyse", timeout=WAIT)
        give(page, "recording", file)
        page.click("#analyse")
        told = said(page)
        assert complaint in told and "/" not in told
        assert page.locator("#report iframe").count() == 0
