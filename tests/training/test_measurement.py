"""From a model and labelled data to results, rows and a card."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from model_fixtures import tiny_model, tiny_tokenizer

from mmser.data import Example
from mmser.evaluation.scores import metrics
from mmser.labels import EMOTIONS
from mmser.model import MmserProcessor
from mmser.model.acoustics_mmser import NUM_FUNCTIONALS
from mmser.training import measure_fusion
from mmser.training.acoustic_cache import Clip, Rendering
from mmser.training.answers import answer, calibration_scores
from mmser.training.card import attempts, verdict, write_card
from mmser.training.card_pictures import draw_confusions, draw_curves
from mmser.training.config import TrainingConfig
from mmser.training.encodings import encode_sounds, encode_texts
from mmser.training.measure_change import shift_columns
from mmser.training.measure_fusion import (
    draw_pairs,
    fusion_results,
    read_pairs,
    shuffled,
    write_pairs,
)
from mmser.training.measurement import evaluate
from mmser.training.pairs import PairMix, PairSampler, comment_rows, merge
from mmser.training.protocols import mean_uar, summarise
from mmser.training.result_rows import Row, result_rows

WORDS = "i am so very angry happy sad late parcel the thank you no yes where is it my fine refund".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    """Three speakers a split and corpus, each emotion twice; strong ones are the second."""
    rng = np.random.default_rng(0)
    made = []
    for corpus in ("ravdess", "nemo", "emodb"):
        for split in ("train", "validation", "test"):
            for speaker in range(3):
                for number, emotion in enumerate(EMOTIONS * 2):
                    mel = torch.from_numpy(rng.standard_normal((30 + number, 64)).astype(np.float32)).half()
                    functionals = torch.from_numpy(rng.standard_normal(NUM_FUNCTIONALS).astype(np.float32))
                    example = Example(
                        corpus=corpus,
                        split=split,
                        emotions=(emotion,),
                        audio=Path(f"{split}{speaker}-{number}.wav"),
                        speaker=f"{corpus}/{split}{speaker}",
                        intensity=None if emotion == "neutral" else (0.4 if number < 7 else 1.0),
                    )
                    rendering = Rendering(mel, functionals)
                    made.append(Clip(example, [rendering], [rendering]))
    return made


@pytest.fixture(scope="module")
def texts() -> list[Example]:
    rng = np.random.default_rng(0)
    made = []
    for split in ("train", "validation", "test"):
        for number in range(42):
            emotion, text = EMOTIONS[number % 7], " ".join(rng.choice(WORDS, 5))
            made.append(
                Example(
                    corpus="goemotions", split=split, emotions=(emotion,), text=text, id=f"{split}{number}"
                )
            )
            made.append(
                Example(
                    corpus="meld",
                    split=split,
                    emotions=(EMOTIONS[int(rng.integers(7))],),
                    text=text,
                    id=f"{split}/{number}",
                    valence=float(rng.integers(-1, 2)),
                    speaker=f"meld/{number % 2}",
                    dialogue_id=f"{split}{number // 7}",
                    turn_index=number % 7,
                )
            )
    return made


@pytest.fixture(scope="module")
def model(clips):
    made = tiny_model()
    assert made.audio.num_functionals == len(clips[0].rendering().functionals)
    return made


@pytest.fixture(scope="module")
def processor() -> MmserProcessor:
    return MmserProcessor(tiny_tokenizer())


@pytest.fixture(scope="module")
def few():
    """Few pairs and few bootstrap draws."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure_fusion, "PAIRS", 60)
        patch.setattr(metrics, "DRAWS", 10)
        yield


@pytest.fixture(scope="module")
def results(model, processor, clips, texts, tmp_path_factory, few) -> dict:
    pairs = tmp_path_factory.mktemp("pairs") / "pairs.csv"
    shipped = evaluate(model, processor, clips, texts, pairs, seed=0)
    assert pairs.exists()
    return {"shipped": shipped, "weights_sha256": "0" * 64}


def test_results_are_plain_values_and_the_same_again(results, model, processor, clips, texts, tmp_path: Path):
    json.dumps(results, allow_nan=False)
    sounds = encode_sounds(model.audio, [c for c in clips if c.example.split == "test"], phone=False)
    candidates = [t for t in texts if t.split == "test"]
    pairs = draw_pairs(sounds, candidates, seed=0)
    words = encode_texts(model, processor, candidates)
    again = fusion_results(model, sounds, words, pairs, seed=0)
    assert json.dumps(again) == json.dumps(results["shipped"]["fusion"])


def test_every_row_of_the_bars_is_in_the_table_and_the_card_names_what_is_missed(results, tmp_path: Path):
    scores = {"truth": [0, 1], "guess": [0, 1], "speaker": ["a", "b"]}
    fold = {"scores": dict.fromkeys(("no_reference", "history", "references", "telephone"), scores)}
    spliced = {"f1_at_0.5_s": 61.0, "f1_at_0.5_s_interval": [50.0, 70.0]}
    names = ("boundaries known", "boundaries unknown", "a change at every splice", "turn-level argmax")
    everything = results | {
        "seeds": {"1": results, "2": results},
        "protocols": {"ravdess": {"1": fold}, "emodb": {"03": fold}},
        "spliced": {"changes": 9, **dict.fromkeys(names, spliced)},
    }
    rows = result_rows(everything)
    assert [row.kind for row in rows].count("P") == 4
    assert len(rows) == 4 + 3 + 2 + 2 + 2 + 3 + 4
    write_card(tmp_path, everything, TrainingConfig(license="CC-BY-NC-SA-4.0"))
    card = (tmp_path / "README.md").read_text()
    assert "0" * 64 in card and "licence of the weights: cc-by-nc-sa-4.0" in card.lower()
    for row in rows:
        assert row.measure in card
        of_shipped = row.kind == "S" and "spliced" not in row.measure
        assert row.other_seeds == (f"{row.value}, {row.value}" if of_shipped else "")
        assert row.passed is not False or row.measure in verdict(rows)


def test_a_missed_bar_is_said_and_a_met_one_is_not():
    met, missed = (Row("S", name, "1", "", "", "2", name == "met") for name in ("met", "missed"))
    assert verdict([met]) == "Every bar is met."
    assert "missed" in verdict([met, missed]) and "met;" not in verdict([met, missed])


def test_a_missed_bar_is_followed_by_what_its_attempts_gave():
    rows = [
        Row("S", f"{name} (n 5)", "1.0", "", "", "2", passed) for name, passed in (("a", True), ("b", False))
    ]
    said = attempts(rows, {"a": ["nothing"], "b": ["one thing: 0.8", "another: 0.9"]})
    assert said.splitlines() == ["- b (n 5):", "  1. one thing: 0.8", "  2. another: 0.9"]
    assert "Not told yet." in attempts(rows, {})


def test_the_list_of_pairs_round_trips_and_names_what_it_should(model, clips, texts, tmp_path: Path):
    sounds = encode_sounds(model.audio, [c for c in clips if c.example.split == "test"], phone=False)
    candidates = [t for t in texts if t.split == "test"]
    pairs = draw_pairs(sounds, candidates, seed=0)
    write_pairs(pairs, tmp_path / "pairs.csv")
    assert read_pairs(tmp_path / "pairs.csv") == pairs
    emotion = {t.id: t.emotions[0] for t in candidates}
    voice = {f"{s.example.corpus}/{Path(str(s.example.audio)).stem}": s.example.emotions[0] for s in sounds}
    for pair in pairs:
        heard, read = voice[pair.clip], emotion[pair.text]
        if pair.kind == "matched":
            assert heard == read
        else:
            assert read == "neutral" if pair.kind == "neutral_words" else heard not in (read, "neutral")


def test_answers_do_not_depend_on_how_the_rows_are_cut(model, processor, texts, monkeypatch):
    words = encode_texts(model, processor, [t for t in texts if t.split == "test"])
    rows = comment_rows(words)
    whole = answer(model, rows)
    monkeypatch.setattr("mmser.training.answers.ROWS", 5)
    assert np.allclose(answer(model, rows).emotion, whole.emotion, atol=1e-6)


def test_merging_keeps_dialogues_apart(model, clips):
    sounds = encode_sounds(model.audio, clips[:14], phone=False)
    sampler = PairSampler(sounds, [], PairMix(0, 0, 0, 1, 0))
    rng = np.random.default_rng(0)
    calls = [sampler.call(rng, 3), merge([sampler.call(rng, 2), sampler.call(rng, 4)])]
    together = merge(calls)
    assert [key[0] for key in together.keys] == [0] * 3 + [1] * 2 + [2] * 4
    assert together.positions == [p for call in calls for p in call.positions]
    assert np.isnan([c for c, p in zip(together.change, together.positions, strict=True) if p == 1]).all()


def test_shuffling_moves_the_cross_attention(model, processor, clips, texts):
    sounds = encode_sounds(model.audio, [c for c in clips if c.example.split == "test"][:10], phone=False)
    rows = comment_rows(encode_texts(model, processor, texts[:10]))
    rows.sounds = list(sounds)
    with torch.inference_mode():
        straight = rows.run(model).logits.numpy()
    assert np.abs(shuffled(model, rows, seed=0) - straight).max() > 1e-4


def test_rules_and_head_look_at_the_same_turns(model, clips):
    sampler = PairSampler(encode_sounds(model.audio, clips[:28], phone=False), [], PairMix(0, 0, 0, 1, 0))
    columns = shift_columns(answer(model, sampler.dialogues(np.random.default_rng(0), 6, 4)))
    assert {len(column) for column in columns.values()} == {6 * 3}
    assert set(columns["argmax"]) <= {0.0, 1.0}


def test_a_sure_and_right_model_is_calibrated_and_under_the_prior():
    truth = [0, 1] * 20
    sure = np.eye(2)[truth] * 0.98 + 0.01
    scores = calibration_scores(sure, truth, np.array([0.5, 0.5]))
    assert scores["ece"] < 0.02 and scores["nll"] < scores["prior_nll"] == pytest.approx(np.log(2))


def test_folds_are_averaged_and_few_speakers_get_a_t_interval():
    folds = [
        {
            "scores": {
                "no": {"truth": [0, 1, 0, 1], "guess": [0, 1, 0, right], "speaker": ["a", "a", "b", "b"]}
            }
        }
        for right in (1, 0)
    ]
    found = summarise(folds, "no")
    assert [mean_uar([fold], "no") for fold in folds] == [100.0, 75.0] and found["uar"] == 87.5
    assert found["interval"][0] < 87.5 < found["interval"][1]


def test_pictures_are_drawn(tmp_path: Path):
    pytest.importorskip("matplotlib")
    draw_confusions({"a": np.eye(7, dtype=int).tolist(), "b": [[0] * 7] * 7}, tmp_path / "confusion.png")
    rows = [{"step": 10, "loss": 2.0}, {"step": 10, "validation_score": 30.0}, {"step": 20, "loss": 1.0}]
    (tmp_path / "text.jsonl").write_text("\n".join(map(json.dumps, rows)))
    draw_curves(tmp_path, ["text"], tmp_path / "curves.png")
    for name in ("confusion.png", "curves.png"):
        assert (tmp_path / name).read_bytes()[:4] == b"\x89PNG"
