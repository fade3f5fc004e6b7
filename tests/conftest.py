"""Shared fixtures. Tests run offline on the CPU; data tests need `MMSER_DATA`."""

import gc
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from pathlib import Path

import pytest

from mmser.pipeline import EmotionPipeline
from mmser.types import CallReport
from tests.call_fixtures import write_call
from tests.model_fixtures import save_tiny

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of corpora and calls; skips the test where there is none."""
    root = os.environ.get("MMSER_DATA")
    if not root or not Path(root).is_dir():
        pytest.skip("MMSER_DATA is not set to the folder of corpora and calls")
    return Path(root)


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with its processor."""
    return save_tiny(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def pipeline(model_dir: Path) -> EmotionPipeline:
    return EmotionPipeline.from_pretrained(model_dir)


@pytest.fixture(scope="session")
def call(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A stereo call, agent left and customer right, and its transcript."""
    return write_call(tmp_path_factory.mktemp("call"))


@pytest.fixture(scope="session")
def report(pipeline: EmotionPipeline, call: tuple[Path, Path]) -> CallReport:
    return pipeline(call[0], transcript=call[1], roles=("agent", "customer"))


@pytest.fixture(scope="module")
def browser():
    """Debian's chromium, headless; skips the test where there is none."""
    if not CHROMIUM.exists():
        pytest.skip(f"no chromium at {CHROMIUM}")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"], headless=True)
        yield found
        found.close()


def pytest_collection_finish() -> None:
    """Spare what imports left in memory (torch and others: a million objects) from every later search.

    The collector would go through all of it again and again, in tests of any kind.
    """
    gc.collect()
    gc.freeze()
