"""From the name of a recogniser to the recogniser."""

import hashlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import whisper

from mmser.errors import MissingExtraError, ModelError, UsageError
from mmser.transcription.opening import check_recogniser, open_recogniser
from tests.transcription.weights_server import Shelf, serving
from tests.transcription.whisper_fixtures import write_openai

SAID = ((0.0, "My parcel is late.", 2.0),)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_openai(tmp_path_factory.mktemp("weights") / "tiny.pt", *SAID)


@pytest.fixture
def published(weights: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What whisper:tiny is said to be, at an address where nobody is; returns the sum of its file."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    monkeypatch.setitem(whisper._MODELS, "tiny", f"http://127.0.0.1:9/{digest}/tiny.pt")
    return digest


def test_a_size_that_is_there_is_opened(weights: Path, published: str):
    recogniser = open_recogniser("whisper:tiny", model_dir=weights.parent)
    assert recogniser.name == "whisper:tiny" and recogniser.version.endswith(published[:12])


@pytest.mark.parametrize("form", ["{}", "whisper:{}"])
def test_weights_of_ones_own_are_opened(weights: Path, form: str):
    assert open_recogniser(form.format(weights)).name == f"whisper:{weights}"


def test_a_size_that_is_not_there_is_fetched_and_opened(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    told: list[tuple[str, float, float]] = []
    with serving(Shelf(files={"tiny.pt": weights.read_bytes()})) as shelf:
        monkeypatch.setitem(whisper._MODELS, "tiny", shelf.address("tiny.pt"))
        recogniser = open_recogniser(
            "whisper:tiny", model_dir=tmp_path, progress=lambda *values: told.append(values)
        )
    size = float(weights.stat().st_size)
    assert recogniser.name == "whisper:tiny" and told[-1] == ("fetching", size, size)


def test_a_size_that_is_nowhere_is_told_with_the_ways_on(tmp_path: Path, published: str):
    with pytest.raises(ModelError, match=r"HF_HUB_OFFLINE is set.*/tiny\.pt, pray$"):
        open_recogniser("whisper:tiny", model_dir=tmp_path, ways="pray")


def test_a_download_that_openai_broke_off_is_told_from_weights(weights: Path, tmp_path: Path, published: str):
    (tmp_path / "tiny.pt").write_bytes(weights.read_bytes()[:100_000])
    with pytest.raises(
        ModelError, match=r"tiny\.pt is damaged: .* publishes as whisper:tiny; remove it, and"
    ):
        open_recogniser("whisper:tiny", model_dir=tmp_path)
    with pytest.raises(ModelError, match=r"tiny\.pt holds no weights of openai-whisper"):
        open_recogniser(f"whisper:{tmp_path / 'tiny.pt'}")


@pytest.mark.parametrize(
    ("engine", "module", "name", "given"),
    [
        ("hf", "hugging_face", "HuggingFaceWhisper", ("cuda",)),
        ("faster-whisper", "faster_whisper", "FasterWhisper", ("cuda", 3)),
    ],
)
def test_each_engine_gets_what_it_takes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
    module: str,
    name: str,
    given: tuple[Any, ...],
):
    made = ModuleType(module)
    setattr(made, name, lambda *values: values)
    monkeypatch.setitem(sys.modules, f"mmser.transcription.{module}", made)
    opened: Any = open_recogniser(f"{engine}:{tmp_path}", device="cuda", threads=3)
    assert opened == (f"{engine}:{tmp_path}", tmp_path, *given)


def test_a_missing_engine_is_told_when_checking(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    for ask in (check_recogniser, open_recogniser):
        with pytest.raises(MissingExtraError, match="faster-whisper:… needs the package 'faster-whisper'"):
            ask("faster-whisper:small")


@pytest.mark.parametrize(
    ("text", "kind"),
    [("small", UsageError), ("whisper:smal", UsageError), ("hf:small", UsageError), ("no.pt", ModelError)],
)
def test_a_slip_of_the_pen_is_refused_when_checking(text: str, kind: type[Exception]):
    with pytest.raises(kind):
        check_recogniser(text)


def test_checking_a_size_loads_nothing_large():
    script = (
        "import sys; from mmser.transcription.opening import check_recogniser\n"
        "for text in ('whisper:small', 'faster-whisper:small', 'hf:openai/whisper-small'):\n"
        "    check_recogniser(text)\n"
        "print({'torch', 'whisper', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout == "set()\n", done.stderr
