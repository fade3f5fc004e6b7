"""Converted weights as they are found: of English alone, damaged, or put together from different models."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmser.errors import MissingExtraError, ModelError, UsageError
from mmser.transcription.digest import file_digest
from tests.transcription.whisper_fixtures import write_ctranslate2

pytest.importorskip("faster_whisper")
from mmser.transcription.faster_whisper import FasterWhisper

RATE = 16_000
SAID = ((0.0, "My parcel is late, and nobody calls me.", 2.0), (2.4, "It costs $25.", 3.6))
SOUND = (np.random.default_rng(0).standard_normal(4 * RATE) * 0.1).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ctranslate2(tmp_path_factory.mktemp("weights") / "multilingual", *SAID)


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def test_the_version_names_package_and_weights(folder: Path):
    package, number, digest = FasterWhisper("faster-whisper:x", folder).version.split()
    assert package == "faster-whisper" and number[0].isdigit()
    assert digest == file_digest(folder / "model.bin")


def test_english_only_weights_tell_no_language(tmp_path: Path):
    recogniser = FasterWhisper("x", write_ctranslate2(tmp_path / "en", *SAID, multilingual=False))
    assert recogniser.languages([SOUND, SOUND]) == [{}, {}]
    assert recogniser.knows("en") and not recogniser.knows("de")
    for language in (None, "en"):
        (found,) = recogniser.recognise([SOUND], language)
        assert found.language == "en"
        assert [segment.text.strip() for segment in found.segments] == [text for _, text, _ in SAID]


def test_int8_and_float32_weights_say_the_same(folder: Path, tmp_path: Path):
    whole = write_ctranslate2(tmp_path / "float32", *SAID, quantization="float32")
    (ours,), (theirs,) = (FasterWhisper("x", path).recognise([SOUND], "en") for path in (folder, whole))
    assert [segment.text for segment in ours.segments] == [segment.text for segment in theirs.segments]


def test_a_batch_may_hold_several_languages(folder: Path):
    recogniser = FasterWhisper("x", folder)
    encoded = recogniser.encode([SOUND, SOUND[:RATE], SOUND])
    text = recogniser.tokenizer.encode(" ").ids or [220]
    mixed = recogniser.align(encoded, ["en", "de", "en"], [text, text, []], [4.0, 1.0, 4.0])
    assert [len(aligned.probabilities) for aligned in mixed] == [len(text), len(text), 0]
    (alone,) = recogniser.align(recogniser.encode([SOUND[:RATE]]), ["de"], [text], [1.0])
    assert mixed[1].probabilities == pytest.approx(alone.probabilities, abs=1e-4)
    assert mixed[1].times == alone.times


def test_a_language_that_is_not_known_is_refused(folder: Path):
    with pytest.raises(UsageError, match="x does not know the language 'xx'"):
        FasterWhisper("x", folder).recognise([SOUND], "xx")


def test_without_the_package_the_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(MissingExtraError, match=r"--asr faster-whisper:… needs .*'mmser\[faster-whisper\]'"):
        FasterWhisper("x", folder)


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("model.bin", lambda data: data[: len(data) // 2], "cannot be loaded .*fetch or convert it again"),
        ("model.bin", lambda data: b"", "cannot be loaded .*fetch or convert it again"),
        ("model.bin", lambda data: b"version https://git-lfs", "cannot be loaded .*convert it again"),
        ("model.bin", None, "has no model.bin; give a folder"),
        ("config.json", None, "has no config.json; give a folder"),
        ("config.json", lambda data: data[:20], "cannot be read as JSON .*; give a folder"),
        ("config.json", lambda data: b"{}", "does not list alignment_heads; convert the model again"),
        ("config.json", lambda data: b"[]", "does not list alignment_heads; convert the model again"),
        ("tokenizer.json", None, "has no tokenizer.json; give a folder"),
        ("tokenizer.json", lambda data: data[:1000], "cannot be loaded .*convert it again"),
        ("vocabulary.json", None, "cannot be loaded .*convert it again"),
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
        FasterWhisper("x", copy)
    assert str(copy) in str(raised.value) and "\n" not in str(raised.value)


def test_files_of_different_models_are_refused(copy: Path):
    """large-v3 knows a language more and hears more bands: with the files of others it writes nonsense."""
    config = json.loads((copy / "config.json").read_text("utf-8"))
    more = config | {"lang_ids": [*config["lang_ids"], 50358]}
    (copy / "config.json").write_text(json.dumps(more), "utf-8")
    with pytest.raises(ModelError, match=r"tokenizer\.json does not fit the weights"):
        FasterWhisper("x", copy)
    (copy / "config.json").write_text(json.dumps(config), "utf-8")
    (copy / "preprocessor_config.json").write_text('{"feature_size": 128}', "utf-8")
    with pytest.raises(ModelError, match="have 128 bands, but its weights take 80"):
        FasterWhisper("x", copy)
