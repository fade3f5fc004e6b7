"""Models that cannot be trusted: refused in one sentence that names file, key, value and what is allowed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmser.errors import ModelError
from mmser.loading import describe_model, load_model
from mmser.model import MmserConfig
from mmser.report.document import from_json

NAN, ENDLESS = float("nan"), float("inf")
Change = Callable[..., Path]


@pytest.fixture
def change(model: str, tmp_path: Path) -> Change:
    """Copy the tiny model and change keys of one of its JSON files."""

    def run(changes: dict[str, Any], file: str = "config.json") -> Path:
        folder = tmp_path / "model"
        shutil.copytree(model, folder)
        stated = json.loads((folder / file).read_text("utf-8")) | changes
        (folder / file).write_text(json.dumps(stated), "utf-8")
        return folder

    return run


def test_a_model_folder_without_weights(mmser, call, tmp_path: Path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"model_type": "mmser"}', "utf-8")
    ran = mmser("analyze", "--transcript", call[1], "--model", tmp_path / "model")
    assert ran.code == 1 and "has no model.safetensors" in ran.error


def test_a_model_from_a_newer_version(mmser, call, change: Change):
    ran = mmser("analyze", "--transcript", call[1], "--model", change({"schema_version": 9}))
    assert ran.code == 1 and "schema version 9" in ran.error and "update mmser" in ran.error


@pytest.mark.parametrize(
    ("key", "value"),
    [("max_seconds", -1), ("abstain_below", "x"), ("abstain_below", 7), ("max_text_tokens", 0)],
)
def test_a_model_with_impossible_values_is_refused(mmser, call, change: Change, key: str, value):
    ran = mmser("analyze", "--transcript", call[1], "--model", change({key: value}))
    assert ran.code == 1 and f"states {key} {value!r}" in ran.error


@pytest.mark.parametrize(
    ("key", "values", "allowed"),
    [
        ("max_seconds", (1e-9, 0, NAN, ENDLESS, 1e9, "20", None, True), "a number from 1 to 90"),
        ("max_text_tokens", (3, 3.7, 1e9, 10**9, 513, NAN, "128"), "a whole number from 8 to 512"),
        ("sampling_rate", (8000, 44_100, 16_000.5, "16000"), "16000"),
        ("abstain_below", (NAN, -0.1, "0.4", None), "a number from 0 to 1"),
        ("abstain_opposed", (NAN, 1.5, "0.4", None), "a number from 0 to 1"),
        (
            "change_thresholds",
            ({"text": NAN}, {"text": 1.5}, {"sound": 0.5}, 0.5),
            "numbers from 0 to 1 of fused",
        ),
        ("history_weight", (7, -1, NAN, "half"), "a number from 0 to 1"),
        ("intensity_thresholds", ([0.5], [0.7, 0.3], [0.5, 0.5], [0, 0.5, 1], [NAN, 0.5], 0.5), "two rising"),
        ("text_languages", ("en", ["English"], ["EN"], [1], {"en": 1}), "a list of language codes"),
        ("context_size", (-1, 2.5, 10**9), "a whole number from 1"),
        ("cnn_heads", (0, 5, "4"), "a whole number from 1 to 32768 that divides audio_size, 24"),
        ("fusion_heads", (7, None), "that divides fusion_size, 24"),
        ("id2label", ({"0": "anger", "1": "anger"}, {"0": "anger", "2": "fear"}, ["anger"]), "labels"),
        ("id2label", ({"0": "anger", "1": "uncertain"},), "none of them 'uncertain'"),
        (
            "label2id",
            ({"anger": 1, "disgust": 0}, {"x": 0}, ["anger"], None),
            "each label of id2label with its number",
        ),
        ("calibration", ({"emotion.fused": 0}, {"change": -1}, {"change": NAN}), "temperatures from 0.01"),
        ("calibration", ({"change": "1"}, {"emotion.fuse": 1.0}, 1.2, [1.0]), "of emotion.fused, emotion"),
        ("text_config", (7, "bert"), "an encoder's config"),
        ("audio_encoder", ("hubert", 1), "'cnn' or 'wav2vec2'"),
        ("weights_license", (1, None), "a text"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_what_is_allowed(
    change: Change, key: str, values: tuple[Any, ...], allowed: str
):
    folder = change({})
    path = folder / "config.json"
    stated = json.loads(path.read_text("utf-8"))
    for value in values:
        path.write_text(json.dumps(stated | {key: value}), "utf-8")
        with pytest.raises(ModelError) as caught:
            describe_model(folder)
        message = str(caught.value)
        assert message.startswith(f"{path} states {key} {value!r:.120}"), value
        assert allowed in message and "\n" not in message


def test_weights_that_the_config_has_no_place_for_are_not_left_out_silently(change: Change):
    folder = change({})
    stated = json.loads((folder / "config.json").read_text("utf-8"))
    stated["text_config"]["num_hidden_layers"] -= 1
    (folder / "config.json").write_text(json.dumps(stated), "utf-8")
    with pytest.raises(ModelError, match=r"holds \d+ weights that config\.json .* such as text_encoder\."):
        load_model(folder)


@pytest.mark.parametrize("version", [0, -1, 1.5, True, "1", NAN])
def test_a_schema_version_that_is_none_is_refused(change: Change, version: object):
    with pytest.raises(ModelError, match="has schema version"):
        describe_model(change({"schema_version": version}))


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [("contex_size", "context_size"), ("max_second", "max_seconds"), ("id2lable", "id2label")],
)
def test_a_misspelt_key_is_refused_with_the_one_that_is_meant(
    mmser, call, change: Change, misspelt: str, meant: str
):
    ran = mmser("info", change({misspelt: 4}))
    assert ran.code == 1 and f"config.json states {misspelt} 4" in ran.error and f"write {meant}" in ran.error


def test_keys_of_transformers_and_notes_of_others_are_left_alone(change: Change):
    foreign = {"torch_dtype": "float32", "use_cache": True, "pad_token_id": 0, "trained_on": "our own calls"}
    about = describe_model(change(foreign))
    assert about.labels[0] == "anger"


def test_the_edges_of_what_is_allowed_are_allowed(change: Change):
    edges = {
        "max_seconds": 90,
        "max_text_tokens": 512,
        "abstain_below": 0,
        "change_thresholds": {"text": 1.0},
        "history_weight": 1,
        "intensity_thresholds": [0, 1],
        "text_languages": ["en", "de", "haw"],
        "calibration": {"change": 2},
    }
    assert describe_model(change(edges)).languages == ("en", "de", "haw")


def test_a_text_encoder_that_counts_positions_from_its_padding_has_two_fewer(change: Change):
    text = {"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}
    with pytest.raises(ModelError, match="from 8 to 512"):
        describe_model(change({"text_config": text, "max_text_tokens": 514}))


def test_every_config_that_the_code_itself_makes_is_allowed(model: str, tmp_path: Path):
    shutil.copytree(model, tmp_path / "model")
    MmserConfig().save_pretrained(tmp_path / "model")
    assert describe_model(tmp_path / "model").abstain_below == MmserConfig().abstain_below


def test_the_config_s_limits_win_over_those_of_the_processor_s_file(mmser, call, change: Change):
    strange = {"sampling_rate": 8000, "max_seconds": 0.5, "max_text_tokens": 3}
    folder = change(strange, "processor_config.json")
    _, processor, _ = load_model(folder)
    assert (processor.sampling_rate, processor.max_seconds, processor.max_text_tokens) == (16_000, 20.0, 128)
    ran = mmser("analyze", *call[:1], "--transcript", call[1], "--model", folder, "--json", "--quiet")
    assert any(turn.modalities == ("audio", "text") for turn in from_json(ran.out).turns)


def test_a_model_of_nan_is_refused(mmser, call, model: str, tmp_path: Path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(model, tmp_path / "model")
    path = str(tmp_path / "model" / "model.safetensors")
    weights = {
        key: tensor * float("nan") if tensor.is_floating_point() else tensor
        for key, tensor in load_file(path).items()
    }
    save_file(weights, path, metadata={"format": "pt"})
    ran = mmser("analyze", "--transcript", call[1], "--model", tmp_path / "model")
    assert ran.code == 1 and "not finite" in ran.error and "a bug" not in ran.error
