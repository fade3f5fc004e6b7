"""The head of words: whose heads it takes, and how written texts and talk are told apart."""

import pytest
import torch

from mmser.data import Example
from mmser.errors import UsageError
from mmser.labels import EMOTIONS
from mmser.model import MmserModel, MmserProcessor
from mmser.training.encodings import collate, encode_texts
from mmser.training.registers import require_heads, start_words_head
from mmser.training.text_stage import TextConfig, TextTask
from tests.model_fixtures import tiny_model, tiny_tokenizer
from tests.training.training_fixtures import SAYINGS


def texts(spoken: bool) -> list[Example]:
    words = "right then" if spoken else "so late again"
    options = {"dialogue_id": "d"} if spoken else {}
    return [
        Example(
            id=f"{spoken}{i}",
            corpus="talk" if spoken else "comments",
            split="train",
            emotions=(EMOTIONS[i % 7],),
            text=f"{words} {SAYINGS[EMOTIONS[i % 7]]}",
            turn_index=i,
            **options,
        )
        for i in range(21)
    ]


def start(examples: list[Example], **config: str) -> tuple[MmserModel, TextTask]:
    model = tiny_model()
    task = TextTask(model.text_encoder, sorted({e.corpus for e in examples}))
    processor = MmserProcessor(tiny_tokenizer())
    start_words_head(model, processor, task, examples, TextConfig(steps=1, **config), 0)
    return model, task


def test_each_register_takes_the_head_it_is_given():
    model, task = start(texts(False) + texts(True), written="comments", spoken="talk")
    assert torch.equal(model.text_head.written.weight, task.heads["comments"].weight)
    assert torch.equal(model.text_head.spoken.bias, task.heads["talk"].bias)
    model, task = start(texts(False) + texts(True))
    assert torch.equal(model.text_head.written.weight, task.heads["shared"].weight)
    assert torch.equal(model.text_head.spoken.weight, task.heads["shared"].weight)


def test_a_head_of_no_corpus_is_refused_with_those_there_are():
    with pytest.raises(UsageError, match=r"text\.spoken: .*'tlak'.* comments, talk, shared"):
        require_heads(TextConfig(steps=1, spoken="tlak"), {"talk", "comments"})


@pytest.mark.parametrize("spoken", [False, True])
def test_where_all_texts_are_of_one_register_it_is_taken_for_granted(spoken: bool):
    head = start(texts(spoken))[0].text_head
    vectors = torch.randn(5, head.register.in_features)
    meant = head.spoken(vectors) if spoken else head.written(vectors)
    for replies in (False, True):
        assert torch.allclose(head(vectors, torch.full((5,), replies)), meant, atol=0.1)


def test_written_texts_and_talk_are_told_apart_by_their_words():
    model, _ = start(texts(False) + texts(True))
    written, spoken = (
        model.text_head.register(collate(model, [None] * 21, words).text_vector)
        for words in (encode_texts(model, MmserProcessor(tiny_tokenizer()), texts(s)) for s in (False, True))
    )
    assert spoken.mean() > written.mean() + 0.5
