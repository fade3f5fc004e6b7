"""What training starts from, and what is frozen."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from mmser.errors import MmserError, UsageError
from mmser.training.config import ModelPlan
from mmser.training.start import merge_adapters, prepare, pretrained_encoders, start_model
from tests.model_fixtures import save_tiny
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


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"text_encoder": None}, "the model has no text encoder: give model.text_encoder"),
        ({"text_encoder": "nowhere/at-all"}, "cannot be started from text_encoder nowhere/at-all"),
        ({"audio_encoder": "nowhere/at-all"}, "audio_encoder nowhere/at-all"),
        ({"options": {"dropout": "much"}}, "dropout much"),
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
