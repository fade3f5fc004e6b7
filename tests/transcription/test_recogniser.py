"""How recognisers are named."""

import pytest

from mmser.errors import UsageError
from mmser.transcription.recogniser import parse_recogniser


@pytest.mark.parametrize(
    ("text", "engine", "model"),
    [
        ("whisper:small", "whisper", "small"),
        ("whisper:/models/a b.pt", "whisper", "/models/a b.pt"),
        ("/models/small.pt", "whisper", "/models/small.pt"),
        ("faster-whisper:large-v3", "faster-whisper", "large-v3"),
        ("hf:openai/whisper-small", "hf", "openai/whisper-small"),
        ("hf:C:/models/x", "hf", "C:/models/x"),
    ],
)
def test_an_engine_and_a_model(text: str, engine: str, model: str):
    found = parse_recogniser(text)
    assert (found.engine, found.model) == (engine, model)
    assert parse_recogniser(str(found)) == found


@pytest.mark.parametrize("text", ["", "small", "whisper:", "whisper: ", "wisper:small", ":small", "hf"])
def test_what_names_none_is_refused_with_the_forms(text: str):
    with pytest.raises(UsageError, match=r"names no recogniser; give whisper:small, whisper:FILE\.pt"):
        parse_recogniser(text)
