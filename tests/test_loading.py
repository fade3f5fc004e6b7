"""Models: what is refused, and how a report names them."""

from pathlib import Path

import pytest

from mmser.errors import ModelError
from mmser.loading import describe_model
from mmser.pipeline import EmotionPipeline


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_model_folder_without_a_file_is_named(model_dir: Path, tmp_path: Path, name: str):
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(model_dir, folder)
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"has no {name}"):
        EmotionPipeline.from_pretrained(folder)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("config.json", '"schema_version": 1', '"schema_version": 99', "schema version 99"),
        ("config.json", '"model_type": "mmser"', '"model_type": "bert"', "of type 'bert'"),
        ("config.json", "{", "", "cannot be read as JSON"),
        ("config.json", '"fusion_size": 24', '"fusion_size": 48', "weights"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(
    model_dir: Path, tmp_path: Path, name: str, old: str, new: str, message: str
):
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(model_dir, folder)
    text = (folder / name).read_text("utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(ModelError, match=message):
        EmotionPipeline.from_pretrained(folder)


def test_cut_weights_are_refused(model_dir: Path, tmp_path: Path):
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(model_dir, folder)
    weights = folder / "model.safetensors"
    weights.chmod(0o600)
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(ModelError, match="cannot be loaded"):
        EmotionPipeline.from_pretrained(folder)
    with pytest.raises(ModelError, match="cannot be loaded"):
        describe_model(folder)


def test_a_model_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(ModelError, match="no model folder"):
        EmotionPipeline.from_pretrained(tmp_path / "nothing")


def test_the_report_names_the_weights_by_their_hash(pipeline: EmotionPipeline, model_dir: Path, report):
    import hashlib

    digest = hashlib.sha256((model_dir / "model.safetensors").read_bytes()).hexdigest()
    assert report.model.revision == digest
    assert report.model.id == "model"
