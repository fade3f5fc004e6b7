"""The stage "text": buckets, heads of corpora, and what a weak example is."""

from typing import Any

import numpy as np
import pytest
import torch

from mmser.data import Example
from mmser.labels import EMOTIONS
from mmser.training.text_stage import (
    SHARED,
    TextStage,
    class_weights,
    length_buckets,
    weighted_cross_entropy,
)
from tests.model_fixtures import tiny_model, tiny_tokenizer
from tests.training.training_fixtures import SAYINGS


def text(emotion: str, corpus: str = "a", split: Any = "train", **options: Any) -> Example:
    return Example(corpus=corpus, split=split, emotions=(emotion,), text=SAYINGS[emotion], **options)


@pytest.mark.parametrize("corpus", ["de.mine", "shared", "keys", "corpus a", "training"])
def test_a_corpus_of_any_name_has_a_head_of_its_own(corpus: str):
    one = stage([text(e, c) for e in EMOTIONS for c in (corpus, "goemotions", "corpus shared")])
    assert len(one.task.heads) == 4
    names = {name.split(".")[1] for name in one.task.state_dict() if name.startswith("heads.")}
    assert {SHARED, "goemotions"} <= names and len(names) == 4  # as checkpoints know them
    losses = one.task.train()(one.collate([i for i, e in enumerate(one.train) if e.corpus == corpus]))
    losses["emotion"].backward()
    assert one.task.heads[one.task.head_of[corpus]].weight.grad.abs().sum() > 0
    assert one.task.heads[SHARED].weight.grad is None


def stage(examples: list[Example] | None = None) -> TextStage:
    rows = examples or [text(e, c) for e in EMOTIONS for c in "ab"]
    return TextStage(rows, tiny_model().text_encoder, tiny_tokenizer(), seed=0)


def test_every_text_is_drawn_once_in_an_epoch_and_otherwise_in_the_next():
    one = stage()
    epochs = []
    for epoch in range(2):
        rows = [one.draw(3 * epoch + place, np.random.default_rng(0), 5) for place in range(3)]
        assert sorted(row for batch in rows for row in batch) == list(range(14))
        epochs.append(rows)
    assert epochs[0] != epochs[1]
    assert stage().draw(4, np.random.default_rng(0), 5) == epochs[1][1]  # as after a resume


def test_buckets_hold_texts_of_like_length():
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, 60, 200).tolist()
    buckets = length_buckets(lengths, 8, rng)
    assert sorted(i for bucket in buckets for i in bucket) == list(range(200))
    assert max(max(lengths[i] for i in b) - min(lengths[i] for i in b) for b in buckets) <= 12


def test_a_corpus_trains_its_own_head_and_the_shared_one_alone():
    one = stage()
    rows = [i for i, e in enumerate(one.train) if e.corpus == "a"]
    batch = one.collate(rows)
    losses = one.task.train()(batch)
    torch.stack(list(losses.values())).sum().backward()
    assert one.task.heads["a"].weight.grad.abs().sum() > 0
    assert one.task.heads[SHARED].weight.grad.abs().sum() > 0
    assert one.task.heads["b"].weight.grad.abs().sum() == 0
    assert one.counts(batch) == {"emotion": 7, "shared": 7, "intensity": 0}


def test_the_shared_head_does_not_reach_the_encoder():
    one = stage()
    one.task(one.collate([0, 1, 2]))["shared"].backward()
    assert all(p.grad is None or not p.grad.any() for p in one.task.encoder.parameters())


def test_a_weak_text_is_no_example_of_its_emotion_but_of_its_intensity():
    one = stage([text("anger", intensity=0.2), text("anger", intensity=0.9), text("fear")])
    batch = one.collate([0, 1, 2])
    assert batch["emotion"].sum(1).tolist() == [0.0, 1.0, 1.0]
    assert one.counts(batch) == {"emotion": 2, "shared": 2, "intensity": 2}


def test_unlabelled_rows_do_not_dilute_the_loss():
    logits, weight = torch.randn(3, 7), torch.ones(3, 7)
    targets = torch.eye(7)[:3]
    targets[2] = 0
    assert torch.allclose(
        weighted_cross_entropy(logits, targets, weight),
        weighted_cross_entropy(logits[:2], targets[:2], weight[:2]),
    )
    assert float(weighted_cross_entropy(logits, targets * 0, weight)) == 0.0


def test_rare_classes_weigh_more():
    weights = class_weights([text("neutral")] * 9 + [text("anger")])
    assert weights.mean() == 1.0
    ratio = weights[EMOTIONS.index("anger")] / weights[EMOTIONS.index("neutral")]
    assert torch.allclose(ratio, torch.tensor(3.0))


def test_validation_scores_each_corpus_and_none_without_rows():
    one = stage([text(e) for e in EMOTIONS] + [text(e, split="validation") for e in EMOTIONS])
    one.task.eval()
    found = one.validate(one.task)
    assert {"a_weighted_f1", "a_macro_f1", "a_shared_macro_f1", "score"} == found.keys()
    assert stage().validate(stage().task) == {}
