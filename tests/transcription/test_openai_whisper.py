"""openai-whisper, driven with a tiny checkpoint that says a script."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmser.errors import ModelError
from mmser.transcription.openai_whisper import OpenAIWhisper
from tests.transcription.whisper_fixtures import write_openai

RATE = 16_000
SAID = ((0.0, "My parcel is late, and nobody calls me.", 2.0), (2.4, "It costs $25.", 3.6))


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory: pytest.TempPathFactory) -> OpenAIWhisper:
    folder = tmp_path_factory.mktemp("weights")
    return OpenAIWhisper("whisper:tiny.pt", write_openai(folder / "tiny.pt", *SAID))


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(int(seconds * RATE)) * 0.1).astype(np.float32)


def test_phrases_come_with_times_words_and_confidences(recogniser: OpenAIWhisper):
    (found,) = recogniser.recognise([noise(4.0)], "en")
    assert [segment.text.strip() for segment in found.segments] == [text for _, text, _ in SAID]
    assert found.language == "en"
    words = [word for segment in found.segments for word in segment.words]
    assert [word.text for word in words] == " ".join(text for _, text, _ in SAID).split()
    # Confidences come from a second pass without times, in which the script fits the first phrase alone.
    sure = [word.confidence for word in found.segments[0].words]
    assert all(confidence is not None and confidence > 0.99 for confidence in sure)
    assert all(s.log_probability is not None and s.log_probability > -0.01 for s in found.segments)


@pytest.mark.parametrize("seconds", [0.05, 0.3, 3.0, 30.0])
def test_times_lie_within_the_chunk(recogniser: OpenAIWhisper, seconds: float):
    (found,) = recogniser.recognise([noise(seconds)], None)
    for segment in found.segments:
        assert 0 <= segment.start <= segment.end <= seconds
        for word in segment.words:
            assert word.start is not None and word.end is not None
            assert 0 <= word.start <= word.end <= seconds


def test_languages_are_probabilities(recogniser: OpenAIWhisper):
    (shares,) = recogniser.languages([noise(2.0)])
    assert len(shares) > 90 and sum(shares.values()) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("content", [b"", b"words", b"PK\x03\x04"])
def test_a_file_of_something_else_is_refused(content: bytes, tmp_path: Path):
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(ModelError, match=r"x\.pt holds no weights of openai-whisper"):
        OpenAIWhisper("whisper:x.pt", tmp_path / "x.pt")


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path):
    path = write_openai(tmp_path / "x.pt", *SAID)
    held = torch.load(path, weights_only=True)
    held["model_state_dict"]["decoder.ln.weight"][:] = float("nan")
    torch.save(held, path)
    with pytest.raises(ModelError, match=r"x\.pt is damaged: it holds weights that are not finite"):
        OpenAIWhisper("whisper:x.pt", path)


def test_what_is_drawn_is_drawn_alike_again(recogniser: OpenAIWhisper, monkeypatch: pytest.MonkeyPatch):
    drawn = []

    def transcribe(*args: object, **options: object) -> dict[str, object]:
        drawn.append(torch.rand(1).item())
        return {"segments": [], "language": "en"}

    monkeypatch.setattr(recogniser.model, "transcribe", transcribe)
    before = torch.get_rng_state()
    recogniser.recognise([noise(1.0)], "en")
    recogniser.recognise([noise(1.0)], "en")
    assert drawn[0] == drawn[1] and torch.equal(torch.get_rng_state(), before)
