"""How voice and words are put together, and how words are read by register."""

import pytest
import torch

from mmser.labels import EMOTIONS
from mmser.model.fusion_mmser import mix_modalities
from mmser.model.words_mmser import WordsHead

ANGER, HAPPINESS, NEUTRAL = (EMOTIONS.index(e) for e in ("anger", "happiness", "neutral"))
EVEN = torch.zeros(1, 3)


def logits(emotion: int, strength: float) -> torch.Tensor:
    row = torch.zeros(1, len(EMOTIONS))
    row[0, emotion] = strength
    return row


def mixed(sound: torch.Tensor, words: torch.Tensor, trust: torch.Tensor = EVEN) -> torch.Tensor:
    together = mix_modalities(sound, words, trust, NEUTRAL)[0].exp()
    assert together.sum() == pytest.approx(1.0, abs=1e-5)
    return together[0]


def test_words_that_agree_make_the_voice_surer():
    sound, words = logits(ANGER, 2.0), logits(ANGER, 3.0)
    assert mixed(sound, words)[ANGER] > sound.softmax(-1)[0, ANGER]


def test_plain_words_leave_the_answer_to_the_voice():
    sound = logits(ANGER, 2.0)
    together = mixed(sound, logits(NEUTRAL, 4.0))
    product = (sound.log_softmax(-1) + logits(NEUTRAL, 4.0)).softmax(-1)[0]
    assert together.argmax() == ANGER
    assert product.argmax() == NEUTRAL


def test_words_against_the_voice_make_the_answer_doubtful():
    sound, words = logits(ANGER, 4.0), logits(HAPPINESS, 4.0)
    together = mixed(sound, words)
    assert together.max() < min(sound.softmax(-1).max(), words.softmax(-1).max())


def test_words_that_tell_nothing_change_no_order():
    sound = torch.randn(1, len(EMOTIONS), generator=torch.Generator().manual_seed(0))
    together = mixed(sound, torch.zeros(1, len(EMOTIONS)))
    assert together.argsort().tolist() == sound[0].argsort().tolist()


def test_trust_in_agreement_gives_the_product_of_both():
    sound, words = logits(ANGER, 1.0), logits(HAPPINESS, 2.5)
    together = mixed(sound, words, torch.tensor([[50.0, 0.0, 0.0]]))
    assert torch.allclose(together, (sound + words).softmax(-1)[0], atol=1e-5)


def test_trust_in_opposition_believes_voice_and_words_by_half():
    sound, words = logits(ANGER, 3.0), logits(HAPPINESS, 2.5)
    together = mixed(sound, words, torch.tensor([[0.0, 0.0, 50.0]]))
    assert torch.allclose(together, (sound.softmax(-1) + words.softmax(-1))[0] / 2, atol=1e-5)


def test_opposition_is_likelier_the_less_words_and_voice_agree():
    sound = logits(ANGER, 4.0)
    agreed, plain, opposed, silent = (
        float(mix_modalities(sound, words, EVEN, NEUTRAL)[1])
        for words in (logits(ANGER, 4.0), logits(NEUTRAL, 4.0), logits(HAPPINESS, 4.0), logits(ANGER, 0.0))
    )
    assert opposed > 2 * silent > 2 * plain
    assert agreed < silent


def test_without_a_neutral_class_plain_words_are_those_that_tell_nothing():
    sound = logits(ANGER, 2.0)
    together, _ = mix_modalities(sound, logits(HAPPINESS, 1.0), torch.tensor([[0.0, 50.0, 0.0]]), None)
    assert torch.allclose(together.exp(), sound.softmax(-1), atol=1e-5)


def test_a_reply_is_read_as_talk_sooner_than_a_text_alone():
    torch.manual_seed(0)
    head, vectors = WordsHead(8, 7), torch.randn(5, 8)
    spoken, written = head.spoken(vectors), head.written(vectors)
    alone, reply = head(vectors, torch.zeros(5)), head(vectors, torch.ones(5))
    assert ((reply - spoken).norm(dim=1) < (alone - spoken).norm(dim=1)).all()
    assert ((alone - written).norm(dim=1) < (reply - written).norm(dim=1)).all()
