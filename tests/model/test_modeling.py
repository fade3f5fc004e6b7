"""Saving, loading, losses, missing modalities and confidences."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from model_fixtures import save_tiny, tiny_config, tiny_model, tiny_tokenizer, wav2vec2_options

from mmser.model import MmserConfig, MmserModel, MmserProcessor

NOISE = (np.random.default_rng(0).standard_normal(16_000) * 0.1).astype(np.float32)


@pytest.fixture(scope="module")
def processor() -> MmserProcessor:
    return MmserProcessor(tiny_tokenizer())


@pytest.mark.parametrize("options", [{}, wav2vec2_options()], ids=["cnn", "wav2vec2"])
def test_saved_and_loaded_model_is_the_same_bit_for_bit(tmp_path: Path, options):
    model = tiny_model(**options)
    model.save_pretrained(tmp_path)
    loaded = MmserModel.from_pretrained(tmp_path)
    assert model.state_dict().keys() == loaded.state_dict().keys()
    for name, value in model.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name]), name
    assert loaded.config.calibration == model.config.calibration


def test_a_process_without_mmser_loads_the_model_and_gets_the_same_answer(tmp_path: Path, processor):
    save_tiny(tmp_path / "model")
    np.save(tmp_path / "noise.npy", NOISE)
    code = f"""
import sys, json, importlib.abc
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "mmser":
            raise ImportError("mmser is not installed here")
sys.meta_path.insert(0, Refuse())
import numpy as np
from transformers import AutoModel, AutoProcessor
folder = {str(tmp_path / "model")!r}
model = AutoModel.from_pretrained(folder, trust_remote_code=True).eval()
processor = AutoProcessor.from_pretrained(folder, trust_remote_code=True)
batch = processor(audio=np.load({str(tmp_path / "noise.npy")!r}), text="i am angry", sampling_rate=16000)
print(json.dumps(model.predict(**batch).emotion.tolist()))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr
    here = tiny_model().predict(**processor(audio=NOISE, text="i am angry", sampling_rate=16_000))
    assert torch.allclose(torch.tensor(json.loads(done.stdout)), here.emotion, atol=1e-5)


def test_a_model_from_encoders_starts_from_their_weights(tmp_path: Path):
    from transformers import BertConfig, BertModel, Wav2Vec2Config, Wav2Vec2Model

    audio_options = dict(wav2vec2_options()["audio_config"])
    audio_options.pop("model_type")
    audio = Wav2Vec2Model(Wav2Vec2Config(**audio_options))
    text = BertModel(
        BertConfig(
            vocab_size=96, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64
        )
    )
    audio.save_pretrained(tmp_path / "audio")
    text.save_pretrained(tmp_path / "text")
    model = MmserModel.from_encoders(str(tmp_path / "audio"), str(tmp_path / "text"), audio_size=24)
    assert torch.equal(
        model.text_encoder.embeddings.word_embeddings.weight, text.embeddings.word_embeddings.weight
    )
    assert torch.equal(
        model.audio.encoder.model.feature_projection.projection.weight,
        audio.feature_projection.projection.weight,
    )


def test_a_missing_modality_gives_the_single_modality_answer(processor):
    model = tiny_model()
    both = model(**processor(audio=NOISE, text="i am angry", sampling_rate=16_000))
    sound = model(**processor(audio=NOISE, sampling_rate=16_000))
    words = model(**processor(text="i am angry"))
    assert torch.allclose(both.audio_logits, sound.audio_logits, atol=1e-5)
    assert torch.allclose(both.text_logits, words.text_logits, atol=1e-5)
    assert (sound.has_audio.item(), sound.has_text.item()) == (True, False)
    assert not torch.allclose(both.logits, sound.logits, atol=1e-3)


def test_nothing_at_all_gives_finite_answers(processor):
    out = tiny_model()(**processor(audio=[None], text=[None]))
    assert out.logits.isfinite().all()
    assert not out.has_audio.any() and not out.has_text.any()


def test_doubtful_words_weigh_less(processor):
    """The lower the confidence, the nearer the fused answer comes to the sound alone."""
    model = tiny_model()
    alone = model(**processor(audio=NOISE, sampling_rate=16_000)).logits
    distances = []
    for sure in (1.0, 0.5, 0.05):
        batch = processor(
            audio=NOISE, text=[["i", "am", "angry"]], text_confidence=[[sure] * 3], sampling_rate=16_000
        )
        distances.append(float((model(**batch).logits - alone).norm().detach()))
    assert distances[0] > distances[1] > distances[2]


def test_a_doubtful_word_counts_less_than_its_neighbours(processor):
    """The lower its confidence, the nearer the text comes to what its other words make of it."""
    model = tiny_model()
    names = ("input_values", "audio_lengths", "input_ids", "text_mask", "text_confidence")
    distances = []
    for sure in (1, 0.3, 0.01):
        batch = processor(text=[["i", "am", "happy"]], text_confidence=[[1, 1, sure]])
        with torch.inference_mode():
            encoded = model.encode(*(batch[name] for name in names))
        doubted = batch["text_confidence"][0] == batch["text_confidence"][0].min() if sure < 1 else None
        others = [0, 1, 2, 4]  # [CLS], "i", "am", [SEP]
        assert doubted is None or doubted.nonzero().flatten().tolist() == [3]
        distances.append(float((encoded.text_vector[0] - encoded.tokens[0, others].mean(0)).norm()))
    assert distances[0] > distances[1] > distances[2]


def test_a_state_needs_to_know_whose_it_is(processor):
    model = tiny_model()
    state = model(**processor(text=["so angry"])).state
    with pytest.raises(ValueError, match="dialogue_ids"):
        model(**processor(text=["thank you"]), state=state)


def test_change_is_told_by_how_long_ago_the_speaker_spoke_too(processor):
    """In one batch or going on from a state."""
    model = tiny_model()
    with torch.no_grad():
        model.change_head.since.copy_(torch.tensor([1.0, 2.0, 4.0]))
    since, told = model.change_head.since.clone(), []
    for keep in (True, False):
        with torch.no_grad():
            model.change_head.since.copy_(since if keep else torch.zeros_like(since))
        state, found = None, []
        for speakers in ([0, 1], [1, 0], [2, 2, 2, 1, 0]):  # the last is further back than is counted
            batch = processor(
                text=["so angry"] * len(speakers),
                dialogue_ids=[0] * len(speakers),
                speaker_ids=speakers,
                positions=range(len(speakers)),
            )
            with torch.inference_mode():
                out = model(**batch, state=state)
            state = out.state
            found.append(out.change_logits[out.has_previous])
        told.append(torch.cat(found))
    assert (told[0] - told[1]).tolist() == pytest.approx([1.0, 4.0, 1.0, 1.0, 4.0, 4.0], abs=1e-4)


def test_each_task_trains_on_the_rows_that_carry_its_label(processor):
    model = tiny_model().train()
    batch = processor(
        audio=[NOISE, NOISE], sampling_rate=16_000, dialogue_ids=[0, 0], speaker_ids=[0, 0], positions=[0, 1]
    )
    nothing = torch.full((2,), float("nan"))
    only_change = model(**batch, change_targets=torch.tensor([float("nan"), 1.0]), intensity_targets=nothing)
    only_change.loss.backward()
    assert model.change_head.shift.weight.grad.abs().sum() > 0
    assert model.intensity_head.weight.grad is None or model.intensity_head.weight.grad.abs().sum() == 0
    empty = model(**batch, intensity_targets=nothing)
    assert float(empty.loss.detach()) == 0


def test_joint_training_fits_a_small_batch(processor):
    torch.manual_seed(0)
    model = tiny_model(spread=1.0, dropout=0.0, head_dropout=0.0, modality_dropout=0.0).train()
    rng = np.random.default_rng(1)
    audio = [(rng.standard_normal(8000) * (0.02 if i % 2 else 0.3)).astype(np.float32) for i in range(6)]
    batch = processor(
        audio=audio,
        text=["i am angry", "i am fine"] * 3,
        sampling_rate=16_000,
        dialogue_ids=[0] * 6,
        speaker_ids=[0] * 6,
        positions=list(range(6)),
    )
    targets = {
        "emotion_targets": torch.eye(7)[[0, 4, 0, 4, 0, 4]],
        "intensity_targets": torch.tensor([1.0, 0.0] * 3),
        "change_targets": torch.ones(6),
        "direction_targets": torch.tensor([-100, 1, 0, 1, 0, 1]),
    }
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(25):
        loss = model(**batch, **targets).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < 0.5 * losses[0]
    grads = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert not [n for n in grads if not n.startswith("text_encoder.pooler")]


def test_temperature_and_abstention_come_from_the_config(processor):
    model = tiny_model()
    batch = processor(audio=NOISE, text="i am angry", sampling_rate=16_000)
    sharp = model.predict(**batch)
    model.config.calibration["emotion.fused"] = 10.0
    model.config.abstain_below = 0.9
    flat = model.predict(**batch)
    assert flat.emotion.max() < sharp.emotion.max()
    assert flat.abstained.all()
    assert int(flat.emotion.argmax()) == int(sharp.emotion.argmax())


def test_a_newer_schema_and_an_unknown_encoder_are_refused():
    with pytest.raises(ValueError, match="schema version 99"):
        MmserConfig(schema_version=99)
    with pytest.raises(ValueError, match="'cnn', 'wav2vec2'"):
        MmserConfig(audio_encoder="mfcc")


def test_configs_nest_and_survive_json(tmp_path: Path):
    config = tiny_config(**wav2vec2_options("layer", "wavlm"))
    config.save_pretrained(tmp_path)
    loaded = MmserConfig.from_pretrained(tmp_path)
    assert loaded.audio_config.model_type == "wavlm"
    assert loaded.text_config.hidden_size == 32
    assert loaded.id2label[0] == "anger"


def test_gradients_and_randomness_leave_inference_alone(processor):
    model = tiny_model()
    batch = processor(audio=NOISE, text="i am angry", sampling_rate=16_000)
    assert torch.equal(model(**batch).logits, model(**batch).logits)
