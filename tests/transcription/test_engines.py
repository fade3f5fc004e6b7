"""One script, three engines: the same records from each, whatever the batch."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmser.transcription.hugging_face import HuggingFaceWhisper
from mmser.transcription.openai_whisper import OpenAIWhisper
from mmser.transcription.recogniser import Recogniser
from mmser.transcription.segments import Recognised
from mmser.types import Word
from tests.transcription.whisper_fixtures import write_ctranslate2, write_hugging_face, write_openai

pytest.importorskip("faster_whisper")
from mmser.transcription.faster_whisper import FasterWhisper

RATE = 16_000
ENGINES = ("whisper", "faster-whisper", "hf")
Script = tuple[tuple[float, str, float], ...]
ENGLISH: Script = (
    (0.0, "My parcel is late, and nobody calls me.", 2.0),
    (2.4, "Order 4711 was $25, not £30?", 3.6),
)
SCRIPTS: dict[str, tuple[str, Script]] = {
    "english": ("en", ENGLISH),
    "japanese": ("ja", ((0.0, "荷物がまだ届きません。", 1.6), (2.0, "電話をください。", 3.4))),
    "russian": ("ru", ((0.0, "Где мой заказ, скажите?", 2.8),)),
}


def open_engine(engine: str, folder: Path, script: Script) -> Recogniser:
    if engine == "whisper":
        return OpenAIWhisper("whisper:x", write_openai(folder / "script.pt", *script))
    if engine == "hf":
        return HuggingFaceWhisper("hf:x", write_hugging_face(folder / "hf", *script))
    return FasterWhisper("faster-whisper:x", write_ctranslate2(folder / "ct2", *script))


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Recogniser]:
    kept: dict[tuple[str, str], Recogniser] = {}

    def get(engine: str, script: str = "english") -> Recogniser:
        if (engine, script) not in kept:
            folder = tmp_path_factory.mktemp("weights")
            kept[engine, script] = open_engine(engine, folder, SCRIPTS[script][1])
        return kept[engine, script]

    return get


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(round(seconds * RATE)) * 0.1).astype(np.float32)


def words(found: Recognised) -> list[Word]:
    return [word for segment in found.segments for word in segment.words]


@pytest.mark.parametrize("script", SCRIPTS)
def test_records_are_the_same_from_every_engine(script: str, opened: Callable[..., Recogniser]):
    language, phrases = SCRIPTS[script]
    first, *others = [opened(engine, script).recognise([noise(4.0)], language)[0] for engine in ENGINES]
    assert [segment.text.strip() for segment in first.segments] == [text for _, text, _ in phrases]
    for other in others:
        assert other.language == first.language == language
        assert [segment.text for segment in other.segments] == [segment.text for segment in first.segments]
        assert [word.text for word in words(other)] == [word.text for word in words(first)]
        for ours, theirs in zip(other.segments, first.segments, strict=True):
            assert {key: type(value) for key, value in vars(ours).items()} == {
                key: type(value) for key, value in vars(theirs).items()
            }
            assert ours.log_probability == pytest.approx(theirs.log_probability, abs=1e-3)
            assert ours.no_speech == pytest.approx(theirs.no_speech, abs=1e-3)
            assert ours.compression_ratio == pytest.approx(theirs.compression_ratio)
        for mine, whose in zip(words(other), words(first), strict=True):
            assert mine.confidence == pytest.approx(whose.confidence, abs=0.01)


@pytest.mark.parametrize("engine", ["faster-whisper", "hf"])
def test_words_are_said_when_the_decoder_looks_there(engine: str, opened: Callable[..., Recogniser]):
    """openai-whisper's own times are what the others are measured by."""
    (theirs,), (ours,) = (opened(name).recognise([noise(4.0)], "en") for name in ("whisper", engine))
    for mine, whose in zip(ours.segments[0].words, theirs.segments[0].words, strict=True):
        assert mine.start == pytest.approx(whose.start, abs=0.06)
        assert mine.end == pytest.approx(whose.end, abs=0.06)
    assert ours.segments[1].start == pytest.approx(theirs.segments[1].start, abs=0.06)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seconds", [0.05, 0.3, 2.0, 30.0])
def test_everything_lies_within_the_chunk(engine: str, seconds: float, opened: Callable[..., Recogniser]):
    (found,) = opened(engine).recognise([noise(seconds)], "en")
    assert found.segments
    for segment in found.segments:
        assert 0 <= segment.start <= segment.end <= seconds
        assert segment.log_probability is not None and segment.log_probability <= 0
        assert segment.no_speech is not None and 0 <= segment.no_speech <= 1
        for word in segment.words:
            assert word.start is not None and word.end is not None and word.confidence is not None
            assert 0 <= word.start <= word.end <= seconds and 0 <= word.confidence <= 1
            assert word.text == word.text.strip() != ""


@pytest.mark.parametrize("engine", ["faster-whisper", "hf"])
def test_a_chunk_without_sound_holds_nothing(engine: str, opened: Callable[..., Recogniser]):
    nothing = np.zeros(0, np.float32)
    found = opened(engine).recognise([nothing, noise(2.0), nothing], None)
    assert [len(one.segments) for one in found] == [0, 2, 0]
    assert opened(engine).recognise([nothing], "de") == [Recognised(segments=(), language="de")]
    assert opened(engine).recognise([], "de") == []


@pytest.mark.parametrize("engine", ENGINES)
def test_languages_are_probabilities(engine: str, opened: Callable[..., Recogniser]):
    for shares in opened(engine).languages([noise(2.0), noise(0.05)]):
        assert len(shares) == 99 and sum(shares.values()) == pytest.approx(1.0, abs=1e-3)
        assert max(shares, key=lambda code: shares[code]) == "en"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_language_is_told_or_forced(engine: str, opened: Callable[..., Recogniser]):
    recogniser = opened(engine)
    assert [found.language for found in recogniser.recognise([noise(1.0), noise(2.0)], None)] == ["en", "en"]
    assert [found.language for found in recogniser.recognise([noise(1.0)], "uk")] == ["uk"]
    assert recogniser.knows("uk") and recogniser.knows("en")
    assert not any(recogniser.knows(code) for code in ("xx", "transcribe", "nospeech", "", "yue"))


@pytest.mark.parametrize("engine", ["faster-whisper", "hf"])
def test_neither_batch_nor_order_changes_what_is_recognised(engine: str, opened: Callable[..., Recogniser]):
    recogniser = opened(engine)
    chunks = [noise(seconds, seed) for seed, seconds in enumerate((4.0, 0.05, 30.0, 1.3, 2.6))]
    alone = [recogniser.recognise([chunk], None)[0] for chunk in chunks]
    for order in ([0, 1, 2, 3, 4], [3, 1, 4, 0, 2], [2, 2]):
        for number, found in zip(order, recogniser.recognise([chunks[i] for i in order], None), strict=True):
            assert_close(found, alone[number])


def test_more_chunks_than_a_batch_holds_are_recognised_in_turn(opened: Callable[..., Recogniser]):
    for engine in ("faster-whisper", "hf"):
        recogniser = opened(engine)
        whole = recogniser.recognise([noise(2.0, seed) for seed in range(3)], "en")
        before, recogniser.batch_size = recogniser.batch_size, 2
        for found, expected in zip(
            recogniser.recognise([noise(2.0, seed) for seed in range(3)], "en"), whole, strict=True
        ):
            assert_close(found, expected)
        recogniser.batch_size = before


def assert_close(found: Recognised, expected: Recognised) -> None:
    """Two frames apart at most: batches are added up in another order."""
    assert found.language == expected.language
    assert [segment.text for segment in found.segments] == [segment.text for segment in expected.segments]
    for one, other in zip(words(found), words(expected), strict=True):
        assert one.text == other.text
        assert one.start == pytest.approx(other.start, abs=0.041)
        assert one.end == pytest.approx(other.end, abs=0.041)
        assert one.confidence == pytest.approx(other.confidence, abs=1e-3)
