"""The stage "text": a BERT-family encoder, fine-tuned on single texts of several corpora.

Each corpus has a head of its own, since their raters and registers differ: what the encoder learns is what
they share. One more head, which does not reach the encoder, is trained on all: it becomes the model's.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from pydantic import ConfigDict
from torch import Tensor, nn
from torch.nn import functional as F

from mmser.data import Example
from mmser.evaluation.scores import metrics
from mmser.labels import EMOTIONS
from mmser.training.loop import LoopConfig, Rows

MAX_TOKENS = 64  # the longest comment has about 60; dialogue turns are shorter
SHARED = "shared"
WEAK = 0.5  # intensity under which a text is no example of its emotion


def masked_mean(hidden: Tensor, mask: Tensor) -> Tensor:
    """Average (batch, tokens, hidden) over the real tokens, (batch, hidden)."""
    weight = mask.unsqueeze(-1).to(hidden)
    return (hidden * weight).sum(1) / weight.sum(1).clamp(min=1)


class TextTask(nn.Module):
    """A BERT-family encoder, mean pooling and linear heads."""

    def __init__(self, encoder: Any, corpora: Sequence[str]) -> None:
        super().__init__()
        self.encoder = encoder
        if getattr(encoder, "pooler", None) is not None:
            encoder.pooler = None
        self.dropout = nn.Dropout(0.1)
        size = encoder.config.hidden_size
        self.corpora = list(corpora)
        # State that was saved names the heads: as the corpora, where a module can be called so.
        self.head_of: dict[str | None, str] = {name: _module_name(name) for name in corpora}
        self.head_of[None] = SHARED
        self.heads = nn.ModuleDict({name: nn.Linear(size, len(EMOTIONS)) for name in self.head_of.values()})
        self.intensity_head = nn.Linear(size, 1)

    def pool(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return one vector for each text, (batch, hidden)."""
        return masked_mean(self.encoder(input_ids, attention_mask).last_hidden_state, attention_mask)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the losses; `batch` as `TextStage.collate` makes it."""
        vector = self.pool(batch["input_ids"], batch["attention_mask"])
        dropped = self.dropout(vector)
        logits = torch.stack([self.heads[self.head_of[name]](dropped) for name in self.corpora], 1)
        own = logits[torch.arange(len(vector)), batch["corpus"]]
        losses = {
            "emotion": weighted_cross_entropy(own, batch["emotion"], batch["weight"]),
            "shared": weighted_cross_entropy(
                self.heads[SHARED](dropped.detach()), batch["emotion"], batch["weight"]
            ),
        }
        known = ~batch["intensity"].isnan()
        if known.any():
            strength = self.intensity_head(dropped[known]).squeeze(1)
            losses["intensity"] = F.binary_cross_entropy_with_logits(strength, batch["intensity"][known])
        return losses


def _module_name(corpus: str) -> str:
    """Return a name of a corpus's own that torch takes for a module; most names are that as they are."""
    plain = corpus.replace("%", "%25").replace(".", "%2E")
    # torch refuses names of its own attributes, such as "keys".
    taken = plain == SHARED or plain.startswith("corpus ") or hasattr(nn.ModuleDict(), plain)
    return f"corpus {plain}" if taken or plain != corpus else corpus


def weighted_cross_entropy(logits: Tensor, targets: Tensor, weight: Tensor) -> Tensor:
    """Return the mean over labelled rows; all (batch, classes), a row of zeros is unlabelled."""
    losses = -(targets * weight * F.log_softmax(logits, -1)).sum(-1)
    return losses.sum() / (targets.sum(1) > 0).sum().clamp(min=1)


def class_weights(examples: Sequence[Example]) -> Tensor:
    """Return square-root inverse-frequency weights over `EMOTIONS`, mean 1, (classes,)."""
    counts = torch.tensor([e.target() for e in examples]).sum(0).clamp(min=1.0)
    weights = counts.rsqrt()
    return weights / weights.mean()


def length_buckets(lengths: Sequence[int], batch_size: int, rng: np.random.Generator) -> list[list[int]]:
    """Return shuffled batches of indices of similar length."""
    order = np.argsort(np.asarray(lengths) + rng.uniform(0, 4, len(lengths)), kind="stable")
    batches = [order[i : i + batch_size].tolist() for i in range(0, len(order), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def _emotion(example: Example) -> list[float]:
    """Return the distribution of an example; zeros where raters hardly saw its emotion."""
    weak = example.intensity is not None and example.intensity < WEAK
    return [0.0] * len(EMOTIONS) if weak else example.target()


class TextConfig(LoopConfig):
    """How the text encoder is trained."""

    model_config = ConfigDict(extra="forbid")
    # Whose head becomes the model's for written and for spoken words: a corpus's, or that of all.
    written: str = SHARED
    spoken: str = SHARED


class TextStage:
    """Texts in batches of similar length, each once in an epoch."""

    name = "text"

    def __init__(self, examples: Sequence[Example], encoder: nn.Module, tokenizer: Any, seed: int) -> None:
        texts = [e for e in examples if e.text and e.split != "test"]
        self.train = [e for e in texts if e.split == "train"]
        self.held_out = [e for e in texts if e.split == "validation" and e.emotions]
        self.size, self.seed, self.epoch = len(self.train), seed, -1
        self.tokenizer = tokenizer
        corpora = sorted({e.corpus for e in self.train})
        torch.manual_seed(seed)
        self.task = TextTask(encoder, corpora)
        self.weights = {c: class_weights([e for e in self.train if e.corpus == c]) for c in corpora}
        self.ids = self._tokenize(self.train)

    def _tokenize(self, examples: Sequence[Example]) -> list[list[int]]:
        ids = self.tokenizer([e.text for e in examples], truncation=True, max_length=MAX_TOKENS)["input_ids"]
        return list(ids)

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return the encoder's parameters and, at 12 times its rate, the heads'."""
        encoder = list(self.task.encoder.parameters())
        heads = [*self.task.heads.parameters(), *self.task.intensity_head.parameters()]
        return [{"params": encoder, "lr": learning_rate}, {"params": heads, "lr": 12 * learning_rate}]

    def draw(self, step: int, rng: np.random.Generator, size: int) -> Rows:
        """Return the indices of one bucket."""
        epoch, place = divmod(step, -(-self.size // size))
        if epoch != self.epoch:
            lengths = [len(i) for i in self.ids]
            self.buckets = length_buckets(lengths, size, np.random.default_rng((self.seed, epoch)))
            self.epoch = epoch
        return self.buckets[place]

    def collate(self, rows: Rows) -> dict[str, Tensor]:
        """Return padded token ids and targets."""
        examples = [self.train[i] for i in rows]
        inputs = self.tokenizer.pad({"input_ids": [self.ids[i] for i in rows]}, return_tensors="pt")
        known = [float("nan") if e.intensity is None else e.intensity for e in examples]
        return {
            "input_ids": inputs["input_ids"],
            "attention_mask": inputs["attention_mask"],
            "corpus": torch.tensor([self.task.corpora.index(e.corpus) for e in examples]),
            "emotion": torch.tensor([_emotion(e) for e in examples]),
            "weight": torch.stack([self.weights[e.corpus] for e in examples]),
            "intensity": torch.tensor(known),
        }

    def counts(self, batch: dict[str, Tensor]) -> dict[str, int]:
        """Return how many texts carry the label of each loss."""
        labelled = int((batch["emotion"].sum(1) > 0).sum())
        rated = int((~batch["intensity"].isnan()).sum())
        return {"emotion": labelled, "shared": labelled, "intensity": rated}

    def describe(self, rows: Rows) -> str:
        """Name the texts."""
        return ", ".join(f"{self.train[i].corpus} “{str(self.train[i].text)[:40]}”" for i in rows[:4])

    def validate(self, task: nn.Module) -> dict[str, float]:
        """Return each corpus's weighted and macro F1 of its commonest label; their mean decides."""
        assert isinstance(task, TextTask)
        found: dict[str, float] = {}
        for corpus in task.corpora:
            part = [e for e in self.held_out if e.corpus == corpus]
            if part:
                own, shared = self._guesses(task, part, corpus)
                truth = [EMOTIONS.index(e.emotions[0]) for e in part]
                found[f"{corpus}_weighted_f1"] = metrics.weighted_f1(truth, own)
                found[f"{corpus}_macro_f1"] = metrics.macro_f1(truth, own)
                found[f"{corpus}_shared_macro_f1"] = metrics.macro_f1(truth, shared)
        scores = [v for k, v in found.items() if not k.endswith("shared_macro_f1")]
        return found | {"score": float(np.mean(scores))} if scores else {}

    def _guesses(
        self, task: TextTask, examples: Sequence[Example], corpus: str
    ) -> tuple[list[int], list[int]]:
        ids = self._tokenize(examples)
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        guess: dict[int, tuple[int, int]] = {}
        device = next(task.parameters()).device
        for start in range(0, len(order), 64):
            group = order[start : start + 64]
            padded = self.tokenizer.pad({"input_ids": [ids[i] for i in group]}, return_tensors="pt")
            inputs = padded.to(device)
            with torch.inference_mode():
                vector = task.pool(inputs["input_ids"], inputs["attention_mask"])
                both = [task.heads[task.head_of[name]](vector).argmax(1).tolist() for name in (corpus, None)]
            guess |= dict(zip(group, zip(*both, strict=True), strict=True))
        return [guess[i][0] for i in range(len(ids))], [guess[i][1] for i in range(len(ids))]
