"""Emotion of words alone, written or spoken."""

import torch
from torch import Tensor, nn


class WordsHead(nn.Module):
    """Two linear heads, of written and of spoken words, weighed by the register that a text seems to be in.

    People label comments and talk by different habits (of a comment that is read alone, much is neutral that
    nobody would call so when it is said), so one head for both is worse at each.
    """

    def __init__(self, size: int, num_classes: int) -> None:
        super().__init__()
        self.written = nn.Linear(size, num_classes)
        self.spoken = nn.Linear(size, num_classes)
        self.register = nn.Linear(size, 1)
        self.reply = nn.Parameter(torch.tensor(3.0))  # log-odds: a text that follows others is likely talk

    def forward(self, vectors: Tensor, replies: Tensor) -> Tensor:
        """Return emotion logits, (batch, classes).

        Args:
            vectors: texts, (batch, size).
            replies: whether anything was said before, (batch,).
        """
        spoken = (self.register(vectors) + self.reply * replies.to(vectors.dtype).unsqueeze(1)).sigmoid()
        logits: Tensor = (1 - spoken) * self.written(vectors) + spoken * self.spoken(vectors)
        return logits
