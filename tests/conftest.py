"""Shared fixtures. Tests run offline on the CPU; data tests need `MMSER_DATA`."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of corpora and calls; skips the test where there is none."""
    root = os.environ.get("MMSER_DATA")
    if not root or not Path(root).is_dir():
        pytest.skip("MMSER_DATA is not set to the folder of corpora and calls")
    return Path(root)
