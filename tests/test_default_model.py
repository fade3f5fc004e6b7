"""The weights in the package: invariance, size, licence, clean loading, and what the card claims."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

import mmser
from mmser.audio import open_recording
from mmser.data import Example, examples_of, load_corpora
from mmser.evaluation.division.training_data import read_training_data, training_data
from mmser.evaluation.feedback.profile import read_reference
from mmser.evaluation.scores.metrics import uar
from mmser.labels import EMOTIONS
from mmser.model import MmserModel, MmserProcessor
from mmser.model.audio_mmser import AudioFeatures
from mmser.model.configuration_mmser import ROLES
from mmser.model.modeling_mmser import Encoded
from mmser.training.card import results_table
from mmser.training.config import read_config
from mmser.training.result_rows import result_rows

ROOT = Path(__file__).parent.parent
ASSETS = Path(mmser.__file__).parent / "assets"
FOLDER = ASSETS / "model"
EVALUATION = json.loads((FOLDER / "measurements.json").read_text())
RESULTS = EVALUATION["shipped"]
TEXTS = [
    "this is the third time i am calling and nobody helps me",
    None,
    "oh that is wonderful thank you so much",
    "i am really worried about my father",
    None,
    "the number is four seven one",
]


@pytest.fixture(scope="module")
def model() -> MmserModel:
    return MmserModel.from_pretrained(FOLDER).eval()


@pytest.fixture(scope="module")
def processor() -> MmserProcessor:
    return MmserProcessor.from_pretrained(FOLDER)


@pytest.fixture(scope="module")
def rows() -> dict[str, list]:
    with open_recording(ASSETS / "sample" / "call.wav") as source:
        starts = [4.0, 20.0, 33.3, 47.1, 60.0, 75.5]
        lengths = [2.5, 0.8, 4.0, 1.7, 3.1, 0.3]
        audio = [source.read(s, s + n, i % 2) for i, (s, n) in enumerate(zip(starts, lengths, strict=True))]
    return {
        "audio": [None if i == 3 else a for i, a in enumerate(audio)],
        "text": TEXTS,
        "dialogue_ids": [0] * 6,
        "speaker_ids": [i % 2 for i in range(6)],
        "roles": ["agent", "customer"] * 3,
        "positions": list(range(6)),
    }


def answers(out) -> torch.Tensor:
    change = torch.where(out.has_previous, out.change_logits, 0.0)[:, None]
    return torch.cat(
        [out.logits, out.audio_logits, out.text_logits, out.intensity_logits[:, None], change], 1
    )


def run(model, processor, rows, order, state=None):
    part = {name: [column[i] for i in order] for name, column in rows.items()}
    with torch.inference_mode():
        return model(**processor(**part, sampling_rate=16_000), state=state)


def test_no_batch_changes_an_answer(model, processor, rows):
    whole = run(model, processor, rows, range(6))
    assert float(whole.logits.max() - whole.logits.min()) > 1
    expected, order = answers(whole), [4, 1, 5, 0, 3, 2]
    shuffled = answers(run(model, processor, rows, order))
    assert torch.allclose(shuffled, expected[order], atol=1e-4)
    state, parts = None, []
    for i in range(6):
        out = run(model, processor, rows, [i], state)
        state = out.state
        parts.append(answers(out))
    assert torch.allclose(torch.cat(parts), expected, atol=1e-4)


def test_weights_fit_the_package_and_name_their_licence(model):
    files = [f for f in FOLDER.iterdir() if f.is_file()]
    assert sum(f.stat().st_size for f in files) <= 64e6
    assert (FOLDER / "model.safetensors").stat().st_mode & 0o044
    assert model.config.weights_license == "CC-BY-NC-SA-4.0"
    assert "Attribution-NonCommercial-ShareAlike" in (FOLDER / "LICENSE").read_text()
    assert "cc-by-nc-sa-4.0" in (FOLDER / "README.md").read_text()


def test_no_text_is_cut_silently(processor):
    assert processor.count_tokens("word " * 500) > 500


def test_every_loader_computes_in_float32(model):
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_shipped_code_is_the_codes_own():
    for path in FOLDER.glob("*_mmser.py"):
        assert path.read_bytes() == (Path(mmser.__file__).parent / "model" / path.name).read_bytes(), (
            path.name
        )


def test_a_process_without_mmser_loads_it(model, processor, tmp_path: Path):
    code = f"""
import sys, json, importlib.abc
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "mmser":
            raise ImportError("mmser is not installed here")
sys.meta_path.insert(0, Refuse())
from transformers import AutoModel, AutoProcessor
model = AutoModel.from_pretrained({str(FOLDER)!r}, trust_remote_code=True).eval()
processor = AutoProcessor.from_pretrained({str(FOLDER)!r}, trust_remote_code=True)
batch = processor(text=["i am so angry with you", "thank you, that is lovely"])
print(json.dumps([str(next(model.parameters()).dtype), model.predict(**batch).emotion.tolist()]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr
    dtype, emotion = json.loads(done.stdout)
    here = model.predict(**processor(text=["i am so angry with you", "thank you, that is lovely"]))
    assert dtype == "torch.float32"
    assert torch.allclose(torch.tensor(emotion), here.emotion, atol=1e-5)


def test_plain_words_are_read_plainly(model, processor):
    batch = processor(text=["I am so angry with you right now!", "I love it, thank you, this is wonderful"])
    emotion = model.predict(**batch).emotion
    assert [EMOTIONS[i] for i in emotion.argmax(1)] == ["anger", "happiness"]


def test_the_sound_beats_its_baseline_in_the_same_run():
    audio = RESULTS["audio"]["all"]
    assert audio["no_history"] > audio["svm"]


def test_words_beat_their_baseline_in_the_same_run():
    text = RESULTS["text"]
    assert text["goemotions"]["macro_f1"] > text["goemotions"]["tfidf"]
    assert text["meld"]["weighted_f1"] > text["meld"]["tfidf"]


def test_the_card_and_the_readme_print_every_row_of_the_run():
    card, readme = (FOLDER / "README.md").read_text(), (ROOT / "README.md").read_text()
    rows = result_rows(EVALUATION)
    assert len(rows) == 20
    for row in rows:
        line = next(line for line in card.splitlines() if f"| {row.measure} |" in line)
        assert row.value in line and ("**missed**" in line) == (row.passed is False)
    assert results_table(rows) in readme
    digest = hashlib.sha256((FOLDER / "model.safetensors").read_bytes()).hexdigest()
    assert digest == EVALUATION["weights_sha256"]
    assert digest in card and digest[:12] in readme


def test_what_drift_is_told_against_is_of_these_weights():
    profile = read_reference(FOLDER)
    assert profile.revision == hashlib.sha256((FOLDER / "model.safetensors").read_bytes()).hexdigest()
    assert profile.labels == EMOTIONS and set(profile.parts) == {"all", "audio", "text"}
    assert profile.lengths is not None and profile.lengths.n == profile.parts["audio"].n
    assert set(profile.lacks) == {"fused"}


def test_it_knows_whom_it_was_trained_on(data_dir: Path):
    speech = read_config(ROOT / "configs" / "default.yaml").data[:3]
    known = read_training_data(FOLDER)
    assert known is not None
    for entry in speech:
        rows = examples_of(load_corpora([entry], data_dir))
        if entry.corpus == "emodb":  # the smallest: the sound of all of them takes a minute
            assert training_data(rows).corpora["emodb"] == known.corpora["emodb"]
            continue
        unheard = training_data(replace(row, audio=None) for row in rows).corpora[entry.corpus]
        kept = known.corpora[entry.corpus]
        assert replace(kept, clips=unheard.clips, excerpts=unheard.excerpts) == unheard
    assert known.corpora["meld"].rows == {"train": 9989, "validation": 1109}


@cache
def unseen(data_dir: Path) -> list[Example]:
    config = ROOT / "configs" / "default.yaml"
    rows = examples_of(load_corpora(read_config(config).data[:3], data_dir))
    return [e for e in rows if e.split == "test"]


def predict(model, processor, examples: list[Example], dialogue: int | None) -> torch.Tensor:
    """Score clips as one call of one speaker (a dialogue), or each alone (None)."""
    from mmser.data.waveforms import read_clip

    parts, state = [], None
    for start in range(0, len(examples), 16):
        group = examples[start : start + 16]
        batch = processor(
            audio=[read_clip(Path(str(e.audio))) for e in group],
            sampling_rate=16_000,
            dialogue_ids=list(range(start, start + len(group)))
            if dialogue is None
            else [dialogue] * len(group),
            speaker_ids=[0] * len(group),
            positions=list(range(start, start + len(group))),
        )
        out = model.predict(**batch, state=None if dialogue is None else state)
        state = out.state
        parts.append(out.emotion)
    return torch.cat(parts)


@pytest.mark.data
def test_the_reported_accuracy_is_what_waveforms_give(model, processor, data_dir: Path):
    """The numbers were measured on cached acoustics; the way a user goes must agree."""
    examples = [e for e in unseen(data_dir) if e.corpus == "ravdess"]
    guess = predict(model, processor, examples, None).argmax(1).tolist()
    truth = [EMOTIONS.index(e.emotions[0]) for e in examples]
    assert uar(truth, guess) == pytest.approx(RESULTS["audio"]["ravdess"]["no_history"], abs=0.5)


def encoded_clips(model, processor, examples: list[Example]) -> Encoded:
    from mmser.data.waveforms import read_clip

    batch = processor(audio=[read_clip(Path(str(e.audio))) for e in examples], sampling_rate=16_000)
    inputs = ("input_values", "audio_lengths", "input_ids", "text_mask", "text_confidence")
    with torch.inference_mode():
        return model.encode(*(batch[name] for name in inputs))


def anger_in_order(model, clips: Encoded, order: list[int]) -> torch.Tensor:
    """Return the probability of anger of clips that one speaker says in this order."""
    sound = AudioFeatures(**{name: values[order] for name, values in vars(clips.audio).items()})
    rest = {name: values[order] for name, values in vars(clips).items() if name != "audio"}
    positions = torch.arange(len(order))
    keys = torch.zeros(len(order), 3, dtype=torch.long)
    keys[:, 2] = ROLES.index("unknown")
    with torch.inference_mode():
        out = model.converse(Encoded(sound, **rest), keys, positions, torch.zeros(len(order)).bool(), None)
        return model.calibrated(out).emotion[:, EMOTIONS.index("anger")]


@pytest.mark.data
@pytest.mark.parametrize("speaker", RESULTS["audio"]["speakers"])
def test_a_caller_who_is_angry_throughout_stays_angry(model, processor, data_dir: Path, speaker: str):
    """Every unseen speaker. Some clips are milder, so each order is also turned by a third and by two:
    every clip is heard once in each third of a call, and only what history does is left."""
    angry = [e for e in unseen(data_dir) if e.speaker == speaker and e.emotions == ("anger",)][:24]
    clips = encoded_clips(model, processor, angry)
    alone = [float(anger_in_order(model, clips, [i])) for i in range(3)]
    expected = predict(model, processor, angry[:3], None)[:, EMOTIONS.index("anger")]
    assert torch.allclose(torch.tensor(alone), expected, atol=1e-4)
    rng, third, differences = np.random.default_rng(0), len(angry) // 3, []
    for _ in range(4):
        order = rng.permutation(len(angry))[: 3 * third]
        for turned in range(3):
            anger = anger_in_order(model, clips, np.roll(order, turned * third).tolist())
            differences.append(float(anger[-third:].mean() - anger[:third].mean()))
    assert np.mean(differences) >= -0.05
