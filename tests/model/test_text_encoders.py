"""Any BERT-family encoder: BERT, RoBERTa with byte-level tokens, DistilBERT."""

import pytest
import torch
from model_fixtures import tiny_config, tiny_tokenizer
from tokenizers import ByteLevelBPETokenizer
from transformers import BertConfig, DistilBertConfig, PreTrainedTokenizerFast, RobertaConfig

from mmser.model import MmserModel, MmserProcessor

TEXT = ["i am so angry", "where is the parcel"]
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def byte_level_tokenizer() -> PreTrainedTokenizerFast:
    trained = ByteLevelBPETokenizer()
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained.train_from_iterator(TEXT * 20, vocab_size=300, min_frequency=1, special_tokens=specials)
    return PreTrainedTokenizerFast(
        tokenizer_object=trained._tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
    )


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert"])
def test_batched_words_score_as_alone_in_every_family(family):
    if family == "roberta":
        text = RobertaConfig(vocab_size=320, max_position_embeddings=60, **SIZES)
        processor = MmserProcessor(byte_level_tokenizer(), max_text_tokens=50)
    else:
        processor = MmserProcessor(tiny_tokenizer())
        text = BertConfig(vocab_size=96, **SIZES)
        if family == "distilbert":
            text = DistilBertConfig(vocab_size=96, dim=32, n_layers=2, n_heads=2, hidden_dim=64)
    torch.manual_seed(0)
    model = MmserModel(tiny_config(text_config=text)).eval()
    long = " ".join(["parcel"] * 12)
    together = model(**processor(text=[TEXT[0], long])).text_logits[0]
    alone = model(**processor(text=[TEXT[0]])).text_logits[0]
    assert torch.allclose(together, alone, atol=1e-4)


def test_byte_level_tokens_get_their_words_confidence():
    processor = MmserProcessor(byte_level_tokenizer())
    batch = processor(text=[["i", "parcel"]], text_confidence=[[0.25, 0.75]])
    tokens = processor.tokenizer.convert_ids_to_tokens(batch["input_ids"][0].tolist())
    sure = dict(zip(tokens, batch["text_confidence"][0].tolist(), strict=True))
    assert sure[tokens[0]] == 0.25
    assert all(value == 0.75 for token, value in sure.items() if token != tokens[0])
