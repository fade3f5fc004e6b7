"""A tiny model built from a config, with a word-level tokenizer: no download, a second to make."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, PreTrainedTokenizerFast

from mmser.model import MmserConfig, MmserModel, MmserProcessor

WORDS = tuple(
    "i am so very angry happy sad late parcel the thank you no yes where is it my fine refund".split()  # noqa: SIM905
)


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *"abcdefghijklmnopqrstuvwxyz.,!?'"]
    vocabulary += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    ids = {token: i for i, token in enumerate(dict.fromkeys(vocabulary))}
    inner = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    inner.normalizer = normalizers.BertNormalizer(lowercase=True)
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )


def tiny_config(**options: Any) -> MmserConfig:
    text = BertConfig(
        vocab_size=96, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    defaults: dict[str, Any] = {
        "text_config": text,
        "audio_size": 24,
        "cnn_channels": (4, 6, 8, 12),
        "fusion_size": 24,
        "fusion_heads": 2,
        "embedding_size": 8,
        "context_size": 3,
    }
    return MmserConfig(**(defaults | options))


def wav2vec2_options(norm: str = "group", kind: str = "wav2vec2") -> dict[str, Any]:
    audio = {
        "model_type": kind,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "conv_dim": [16] * 7,
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 4,
        "feat_extract_norm": norm,
        "do_stable_layer_norm": norm == "layer",
        "num_buckets": 8,
        "max_bucket_distance": 16,
    }
    return {"audio_encoder": "wav2vec2", "audio_config": audio}


def tiny_model(seed: int = 0, spread: float = 3.0, **options: Any) -> MmserModel:
    """Random weights, the heads scaled up so that answers differ and differences would show."""
    torch.manual_seed(seed)
    model = MmserModel(tiny_config(**options))
    with torch.no_grad():
        words = model.text_head
        heads = (model.fusion_head, words.written, words.spoken, model.audio.emotion_head, model.context_head)
        for head in heads:
            head.weight.mul_(spread)
        model.change_head.since.normal_(generator=torch.Generator().manual_seed(seed))
    return model.eval()


def save_tiny(folder: Path, **options: Any) -> Path:
    tiny_model(**options).save_pretrained(folder)
    MmserProcessor(tiny_tokenizer()).save_pretrained(folder)
    return folder
