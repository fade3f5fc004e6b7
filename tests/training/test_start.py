"""What training starts from, and what is frozen."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, BertConfig, BertModel

from mmser.errors import MmserError, UsageError
from mmser.training.config import ModelPlan
from mmser.training.start import _freeze, merge_adapters, prepare, pretrained_encoders, start_model
from tests.model_fixtures import save_tiny, tiny_tokenizer
from tests.training.training_fixtures import TINY


def plan(made: Path, **values: Any) -> ModelPlan:
    return ModelPlan(**({"text_encoder": str(made / "bert"), "options": dict(TINY)} | values))


def test_one_seed_gives_one_model_and_another_another(made: Path):
    weights = [start_model(plan(made), seed)[0].fusion_head.weight for seed in (0, 0, 1)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("depth", [0, 1, 2, "all"])
@pytest.mark.parametrize("encoder", ["wav2vec2", "hubert"])
def test_freezing_stops_the_lowest_layers_and_what_lies_under_them(depth: Any, encoder: str, made: Path):
    chosen = plan(made, audio_encoder=str(made / encoder), freeze={"audio": depth, "text": depth})
    model, _ = start_model(chosen, 0)
    prepare(model, chosen)
    for found in pretrained_encoders(model).values():
        for name, parameter in found.named_parameters():
            layer = re.search(r"encoder\.layers?\.(\d+)\.", name)
            rests = depth == "all" or (int(layer[1]) < depth if layer else depth != 0)
            assert parameter.requires_grad != rests, (depth, name)
    assert model.fusion_head.weight.requires_grad
    # Convolutions that rest keep no activations for a gradient.
    assert model.audio.encoder.model.feature_extractor._requires_grad == (depth == 0)


def test_the_layers_of_a_distilbert_are_frozen_too(tmp_path: Path):
    from transformers import DistilBertConfig, DistilBertModel

    small = DistilBertConfig(vocab_size=96, dim=32, n_layers=3, n_heads=2, hidden_dim=64)
    DistilBertModel(small).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    chosen = ModelPlan(text_encoder=str(tmp_path), options=dict(TINY), freeze={"text": 2})
    model, _ = start_model(chosen, 0)
    prepare(model, chosen)
    for name, parameter in model.text_encoder.named_parameters():
        layer = re.search(r"layer\.(\d+)\.", name)
        assert parameter.requires_grad == (layer is not None and layer[1] == "2"), name


def test_layers_that_are_not_known_are_refused():
    with pytest.raises(UsageError, match="some layers of a Linear, whose layers are not known here"):
        _freeze(torch.nn.Linear(2, 2), 1)


def test_merged_adapters_answer_as_they_did_apart(made: Path):
    pytest.importorskip("peft")
    chosen = plan(made, audio_encoder=str(made / "wav2vec2"), lora={"rank": 2})
    model, processor = start_model(chosen, 0)
    prepare(model, chosen)
    names = [n for n, p in model.text_encoder.named_parameters() if p.requires_grad]
    assert names and all("lora_" in name for name in names)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    wave = torch.randn(8000).numpy() * 0.1
    batch = dict(processor([wave], ["i am so angry"], sampling_rate=16_000))
    model.eval()
    with torch.inference_mode():
        before = model(**batch).logits
        merge_adapters(model)
        after = model(**batch).logits
    assert torch.allclose(before, after, atol=1e-4)
    assert not [name for name in model.state_dict() if "lora" in name]


def test_options_of_a_trained_model_take_effect_or_are_refused(made: Path, tmp_path: Path):
    folder = save_tiny(tmp_path / "model")
    first, _ = start_model(ModelPlan(start_from=str(folder)), 0)
    model, processor = start_model(
        ModelPlan(start_from=str(folder), options={"head_dropout": 0.0, "max_text_tokens": 9}), 0
    )
    assert torch.equal(model.fusion_head.weight, first.fusion_head.weight)
    assert {m.p for m in model.audio.frame_half if isinstance(m, torch.nn.Dropout)} == {0.0}
    assert processor.max_text_tokens == 9
    with pytest.raises(UsageError, match=r"model.options \(audio_size\) asks for weights of another shape"):
        start_model(ModelPlan(start_from=str(folder), options={"audio_size": 48}), 0)


def test_an_encoder_of_words_is_not_taken_for_one_of_sound(made: Path):
    chosen = plan(made)
    assert chosen.text_encoder is not None
    with pytest.raises(MmserError, match="is a bert model, which hears no waveforms"):
        start_model(plan(made, audio_encoder=chosen.text_encoder), 0)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"text_encoder": "/nowhere/bert"}, "model.text_encoder: there is no folder /nowhere/bert"),
        ({"text_encoder": None}, "the model has no text encoder: give model.text_encoder"),
        ({"text_encoder": "nowhere/at-all"}, "cannot be started from text_encoder nowhere/at-all"),
        ({"audio_encoder": "nowhere/at-all"}, "audio_encoder nowhere/at-all"),
        (
            {"options": TINY | {"dropout": "much"}},
            "model.options.dropout is 'much', which must be a number from 0 to 1",
        ),
        (
            {"options": TINY | {"text_languages": "de"}},
            "model.options.text_languages is 'de', which must be a list of language codes such as 'en'",
        ),
        ({"options": TINY | {"cnn_heads": 5}}, "model.options.cnn_heads is 5, which must be a whole number"),
        (
            {"options": TINY | {"audio_size": 30}},
            "model.options.cnn_heads is 4, which must be a whole number",
        ),
        ({"options": TINY | {"fusion_heads": 5}}, "that divides fusion_size, 24"),
        (
            {"options": TINY | {"max_text_tokens": 600}},
            "max_text_tokens is 600, which must be a whole number",
        ),
        ({"options": TINY | {"max_seconds": -1}}, "max_seconds is -1, which must be a number from 1 to 90"),
        ({"freeze": {"audio": "all"}}, "the audio encoder here is not a pretrained one"),
        ({"freeze": {"text": 9}}, "asks for 9 layers, and the encoder has 2"),
        ({"voice_encoder": "README.md"}, "holds no GE2E speaker encoder"),
    ],
)
def test_a_start_that_cannot_be_is_told_in_a_sentence(values: dict[str, Any], said: str, made: Path):
    chosen = plan(made, **values)
    with pytest.raises(MmserError) as caught:
        prepare(start_model(chosen, 0)[0], chosen)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("encoder", ["bert", "wav2vec2"])
def test_an_encoder_that_is_stored_in_half_precision_computes_in_full(
    encoder: str, made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    AutoModel.from_pretrained(made / encoder, dtype=torch.float16).save_pretrained(tmp_path)
    if encoder == "bert":
        tiny_tokenizer().save_pretrained(tmp_path)
        chosen = plan(made, text_encoder=str(tmp_path))
    else:
        chosen = plan(made, audio_encoder=str(tmp_path))
    capfd.readouterr()
    model, _ = start_model(chosen, 0)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    # No table of weights that are not used, such as BERT's pooler.
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("encoder", ["bert", "wav2vec2"])
def test_an_encoder_whose_weights_are_not_all_there_is_refused(encoder: str, made: Path, tmp_path: Path):
    shutil.copytree(made / encoder, tmp_path / "cut")
    weights = load_file(tmp_path / "cut" / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if ".0." not in name}
    save_file(kept, tmp_path / "cut" / "model.safetensors", metadata={"format": "pt"})
    option = "text_encoder" if encoder == "bert" else "audio_encoder"
    with pytest.raises(MmserError, match=rf"cut lacks \d+ weights of a {encoder} encoder"):
        start_model(plan(made, **{option: str(tmp_path / "cut")}), 0)


@pytest.mark.parametrize("size", [80, 400])
def test_a_tokenizer_that_is_not_its_encoders_is_refused(size: int, tmp_path: Path):
    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=size, **small)).save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(MmserError, match=f"knows 81 tokens, and its encoder {size}"):
        start_model(ModelPlan(text_encoder=str(tmp_path), options=dict(TINY)), 0)
