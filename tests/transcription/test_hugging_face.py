"""Checkpoints of transformers as they are found: some tell less than others, some are damaged."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration
from transformers.utils import logging

from mmser.errors import ModelError, UsageError
from mmser.transcription.digest import file_digest
from mmser.transcription.hugging_face import HuggingFaceWhisper
from mmser.types import Word
from tests.transcription.whisper_fixtures import write_hugging_face

RATE = 16_000
SAID = ((0.0, "My parcel is late, and nobody calls me.", 2.0), (2.4, "It costs $25.", 3.6))
SOUND = (np.random.default_rng(0).standard_normal(4 * RATE) * 0.1).astype(np.float32)
WORDS = " ".join(text for _, text, _ in SAID).split()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hugging_face(tmp_path_factory.mktemp("weights") / "multilingual", *SAID)


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def heard(recogniser: HuggingFaceWhisper, language: str | None = None) -> list[Word]:
    (found,) = recogniser.recognise([SOUND], language)
    return [word for segment in found.segments for word in segment.words]


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")


def test_the_version_names_package_and_weights(folder: Path):
    package, number, digest = HuggingFaceWhisper("hf:x", folder).version.split()
    assert package == "transformers" and number[0].isdigit()
    assert digest == file_digest(folder / "model.safetensors")


def test_english_only_weights_tell_no_language(tmp_path: Path):
    recogniser = HuggingFaceWhisper("hf:x", write_hugging_face(tmp_path / "en", *SAID, multilingual=False))
    assert recogniser.languages([SOUND, SOUND]) == [{}, {}]
    assert recogniser.knows("en") and not recogniser.knows("de")
    for language in (None, "en"):
        (found,) = recogniser.recognise([SOUND], language)
        assert found.language == "en"
        assert [segment.text.strip() for segment in found.segments] == [text for _, text, _ in SAID]


def test_without_alignment_heads_words_have_no_times(tmp_path: Path):
    recogniser = HuggingFaceWhisper("hf:x", write_hugging_face(tmp_path / "x", *SAID, alignment=False))
    (found,) = recogniser.recognise([SOUND], "en")
    assert [(segment.start, segment.end) for segment in found.segments] == [(0.0, 2.0), (2.4, 3.6)]
    spoken = [word for segment in found.segments for word in segment.words]
    assert [word.text for word in spoken] == WORDS
    assert all(word.start is word.end is None and word.confidence is not None for word in spoken)


def test_without_tokens_for_times_a_chunk_is_one_segment(tmp_path: Path):
    weights = write_hugging_face(tmp_path / "x", *SAID, times=False, alignment=False)
    (found,) = HuggingFaceWhisper("hf:x", weights).recognise([SOUND], "en")
    (segment,) = found.segments
    assert (segment.start, segment.end) == (0.0, 4.0)
    assert [word.text for word in segment.words] == WORDS


def test_checkpoints_as_openai_publishes_them_are_read(copy: Path):
    """Their options hold what later versions warn of or leave out; their extractor lies in its own file."""
    change(
        copy / "generation_config.json",
        forced_decoder_ids=[[1, None], [2, 50359]],
        begin_suppress_tokens=[220, 50257],
        suppress_tokens=[1, 2, 7, 8, 9, 10, 14, 25, 50358, 50359, 50360, 50361, 50362],
        return_timestamps=False,
        max_length=448,
    )
    change(copy / "config.json", forced_decoder_ids=[[1, 50259], [2, 50359], [3, 50363]])
    (copy / "processor_config.json").unlink()
    WhisperFeatureExtractor().save_pretrained(copy)
    assert [word.text for word in heard(HuggingFaceWhisper("hf:x", copy))] == WORDS


def test_options_that_state_nothing_are_made_up_for_by_whispers_own_rules(copy: Path):
    (copy / "generation_config.json").unlink()
    recogniser = HuggingFaceWhisper("hf:x", copy)
    assert recogniser.knows("de") and not recogniser.knows("yue")
    spoken = heard(recogniser, "de")
    assert [word.text for word in spoken] == WORDS
    assert all(word.start is None for word in spoken)


def test_heads_that_the_weights_lack_tell_no_times(copy: Path):
    change(copy / "generation_config.json", alignment_heads=[[9, 0], [0, 9]])
    assert all(word.start is None for word in heard(HuggingFaceWhisper("hf:x", copy), "en"))


def test_weights_in_shards_are_read(copy: Path):
    model = WhisperForConditionalGeneration.from_pretrained(copy)
    (copy / "model.safetensors").unlink()
    model.save_pretrained(copy, max_shard_size="5MB")
    assert len(list(copy.glob("*.safetensors"))) > 1
    recogniser = HuggingFaceWhisper("hf:x", copy)
    assert recogniser.version.endswith(file_digest(copy / "model.safetensors.index.json"))
    assert [word.text for word in heard(recogniser, "en")] == WORDS


def test_a_language_that_is_not_known_is_refused(folder: Path):
    with pytest.raises(UsageError, match="hf:x does not know the language 'xx'"):
        HuggingFaceWhisper("hf:x", folder).recognise([SOUND], "xx")


def test_what_is_drawn_is_drawn_the_same_again_and_draws_on_nobody_elses(folder: Path):
    recogniser = HuggingFaceWhisper("hf:x", folder)
    recogniser.model.config.max_target_positions = 40  # as many again of random tokens take seconds
    encoded = recogniser.encode([SOUND])
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first = recogniser.decode(encoded, ["en"], 8.0)
    assert torch.equal(torch.rand(3), expected)
    assert recogniser.decode(encoded, ["en"], 8.0) == first
    assert first != recogniser.decode(encoded, ["en"], 0.0)


def test_transformers_is_left_as_it_was(folder: Path):
    level, shown = logging.get_verbosity(), logging.is_progress_bar_enabled()
    recogniser = HuggingFaceWhisper("hf:x", folder)
    before = recogniser.model.config._attn_implementation
    recogniser.recognise([SOUND], None)
    assert recogniser.model.config._attn_implementation == before == "sdpa"
    assert not recogniser.model.model.decoder.layers[0].encoder_attn._forward_hooks
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == (level, shown)


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("model.safetensors", lambda data: data[: len(data) // 2], "cannot be loaded .*fetch it again"),
        ("model.safetensors", lambda data: b"", "cannot be loaded .*fetch it again"),
        ("model.safetensors", lambda data: b"version https://git-lfs", "cannot be loaded .*fetch it again"),
        ("model.safetensors", None, "has no model.safetensors; give a folder"),
        ("config.json", None, "has no config.json that can be read; give a folder"),
        ("config.json", lambda data: data[:100], "is not JSON .*; give a folder"),
        ("config.json", lambda data: b'{"model_type": "bert"}', "type 'bert', not 'whisper'; give a folder"),
        ("config.json", lambda data: b"[]", "type None, not 'whisper'; give a folder"),
        ("tokenizer.json", None, "tokenizer in .* does not fit the weights"),
        ("tokenizer.json", lambda data: data[:1000], "cannot be loaded .*fetch it again"),
        ("processor_config.json", None, "cannot be loaded .*fetch it again"),
    ],
)
def test_a_damaged_folder_is_refused_by_name(
    name: str, damage: Callable[[bytes], bytes] | None, message: str, copy: Path
):
    path = copy / name
    data = path.read_bytes()
    path.unlink()
    if damage:
        path.write_bytes(damage(data))
    with pytest.raises(ModelError, match=message) as raised:
        HuggingFaceWhisper("hf:x", copy)
    assert str(copy) in str(raised.value) and "\n" not in str(raised.value)


def test_weights_that_are_missing_or_not_finite_are_refused(copy: Path):
    model = WhisperForConditionalGeneration.from_pretrained(copy)
    state = model.state_dict()
    state["model.encoder.conv1.bias"][0] = float("nan")
    model.save_pretrained(copy)
    with pytest.raises(ModelError, match=r"conv1\.bias holds values that are not finite"):
        HuggingFaceWhisper("hf:x", copy)
    change(copy / "config.json", encoder_layers=2)
    with pytest.raises(ModelError, match=r"weights are missing, such as model\.encoder\.layers\.1"):
        HuggingFaceWhisper("hf:x", copy)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(ModelError, match=r"none has no config\.json"):
        HuggingFaceWhisper("hf:x", tmp_path / "none")
