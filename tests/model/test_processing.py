"""The processor pads, counts, and refuses what it would have to truncate."""

import numpy as np
import pytest
import torch
from model_fixtures import tiny_tokenizer

from mmser.model import MmserProcessor


@pytest.fixture(scope="module")
def processor() -> MmserProcessor:
    return MmserProcessor(tiny_tokenizer())


def test_rows_may_lack_either_side(processor):
    batch = processor(audio=[np.zeros(100, np.float32), None], text=[None, "i am fine"], sampling_rate=16_000)
    assert batch["audio_lengths"].tolist() == [100, 0]
    assert batch["text_mask"].sum(1).tolist() == [0, 5]


def test_confidence_is_spread_over_a_words_tokens(processor):
    batch = processor(text=[["i", "zz"]], text_confidence=[[0.2, 0.6]])
    assert torch.allclose(batch["text_confidence"], torch.tensor([[0.4, 0.2, 0.6, 0.6, 0.4]]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"audio": [np.zeros(10, np.float32)]}, "sampling_rate is None"),
        ({"audio": [np.zeros(10, np.float32)], "sampling_rate": 8000}, "sampling_rate is 8000"),
        ({"audio": [np.zeros(16_000 * 21, np.float32)], "sampling_rate": 16_000}, "limit is 20 s"),
        ({"audio": [np.zeros((2, 10), np.float32)], "sampling_rate": 16_000}, "one channel"),
        ({"audio": [np.full(10, np.nan, np.float32)], "sampling_rate": 16_000}, "NaN or infinite"),
        ({"text": ["i am " * 200]}, "limit is 128"),
        ({"text": [["i", "am"]], "text_confidence": [[1.0]]}, "1 entries for 2 words"),
        ({"text": ["i", "am"], "positions": [1]}, "1 entries for 2 utterances"),
        ({}, "neither audio nor text"),
    ],
)
def test_what_would_be_cut_or_guessed_is_refused(processor, arguments, message):
    with pytest.raises(ValueError, match=message):
        processor(**arguments)


def test_blank_text_counts_as_missing(processor):
    batch = processor(text=["  ", "fine"])
    assert batch["text_mask"].any(1).tolist() == [False, True]
