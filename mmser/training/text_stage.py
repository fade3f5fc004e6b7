"""Stage 1: the text encoder, fine-tuned on GoEmotions and MELD with one emotion head."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoModel, AutoTokenizer, get_linear_schedule_with_warmup

from mmser.data import Example
from mmser.labels import EMOTIONS
from mmser.training.log import MetricsLog

MAX_TOKENS = 64  # the longest comment has about 60; dialogue turns are shorter


class TextClassifier(nn.Module):
    """A BERT-family encoder, mean pooling and one linear layer."""

    def __init__(self, encoder: Any, num_classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(encoder.config.hidden_size, num_classes)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits, (batch, classes)."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(hidden)
        pooled = (hidden * mask).sum(1) / mask.sum(1)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits


def class_weights(examples: Sequence[Example]) -> Tensor:
    """Return square-root inverse-frequency weights over `EMOTIONS`, mean 1, (classes,)."""
    counts = torch.tensor([e.target() for e in examples]).sum(0).clamp(min=1.0)
    weights = counts.rsqrt()
    return weights / weights.mean()


def length_buckets(lengths: Sequence[int], batch_size: int, rng: random.Random) -> list[list[int]]:
    """Return shuffled batches of indices of similar length."""
    order = sorted(range(len(lengths)), key=lambda i: lengths[i] + rng.random() * 4)
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    rng.shuffle(batches)
    return batches


def train_text(
    examples: Sequence[Example],
    encoder_path: str,
    folder: Path,
    *,
    epochs: int,
    batch_size: int = 32,
    seed: int = 0,
) -> None:
    """Fine-tune and save encoder, tokenizer and head under `folder`.

    Each corpus has its own class weights. A multi-label comment is a soft target.
    """
    torch.manual_seed(seed)
    rng = random.Random(seed)
    tokenizer = AutoTokenizer.from_pretrained(encoder_path)
    model = TextClassifier(AutoModel.from_pretrained(encoder_path), len(EMOTIONS))
    train = [e for e in examples if e.split == "train"]
    weights = {c: class_weights([e for e in train if e.corpus == c]) for c in {e.corpus for e in train}}
    ids = tokenizer([e.text for e in train], truncation=True, max_length=MAX_TOKENS)["input_ids"]
    optimizer = torch.optim.AdamW(
        [
            {"params": model.encoder.parameters(), "lr": 8e-5},
            {"params": model.head.parameters(), "lr": 1e-3},
        ],
        weight_decay=0.01,
    )
    total = epochs * -(-len(train) // batch_size)
    schedule = get_linear_schedule_with_warmup(optimizer, total // 20, total)
    log = MetricsLog(folder / "text.jsonl", total)
    model.train()
    for _ in range(epochs):
        for batch in length_buckets([len(i) for i in ids], batch_size, rng):
            inputs = tokenizer.pad({"input_ids": [ids[i] for i in batch]}, return_tensors="pt")
            target = torch.tensor([train[i].target() for i in batch])
            weight = torch.stack([weights[train[i].corpus] for i in batch])
            logits = model(inputs["input_ids"], inputs["attention_mask"])
            loss = -(target * weight * F.log_softmax(logits, -1)).sum(-1).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            log.step(loss=float(loss.detach()))
    folder.mkdir(parents=True, exist_ok=True)
    model.encoder.save_pretrained(folder / "text_encoder")
    # A fresh one: this one would write its truncation down, and cut texts silently wherever it is loaded.
    AutoTokenizer.from_pretrained(encoder_path).save_pretrained(folder / "text_encoder")
    torch.save(model.head.state_dict(), folder / "text_head.pt")
