"""Each utterance against the same speaker's earlier ones, causally."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SpeakerBaseline(nn.Module):
    """Standardise an utterance vector by the running mean and spread of its speaker's earlier ones.

    The running statistics start from a learned mean and spread that count as `prior_count`
    utterances, so that a first turn has a baseline too and few turns are not trusted too much.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.prior_mean = nn.Parameter(torch.zeros(size))
        self.prior_log_spread = nn.Parameter(torch.zeros(size))
        self.prior_log_count = nn.Parameter(torch.tensor(0.5))

    def forward(
        self, vectors: Tensor, count: Tensor, total: Tensor, squares: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Relate each vector to its history.

        Args:
            vectors: utterance vectors, (batch, size).
            count: number of earlier utterances, (batch,).
            total: their sum, (batch, size).
            squares: the sum of their squares, (batch, size).

        Returns:
            Deviations in units of spread, clamped to ±6, (batch, size), and two features of how much
            history there is, (batch, 2).
        """
        prior = F.softplus(self.prior_log_count)
        weight = (count + prior).unsqueeze(1)
        mean = (total + prior * self.prior_mean) / weight
        prior_square = self.prior_log_spread.exp().square() + self.prior_mean.square()
        variance = (squares + prior * prior_square) / weight - mean.square()
        deviation = (vectors - mean) * (variance.clamp(min=0) + 1e-2).rsqrt()
        amount = torch.stack([torch.log1p(count), (count == 0).to(vectors.dtype)], 1)
        return deviation.clamp(-6, 6), amount


def sums_before(vectors: Tensor, before: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return count, sum and sum of squares of each row's history.

    Args:
        vectors: (batch, size).
        before: True where column j belongs to the history of row i, (batch, batch).
    """
    weight = before.to(vectors.dtype)
    return weight.sum(1), weight @ vectors, weight @ vectors.square()


def no_history(vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the sums of an empty history for each row of (batch, size)."""
    return vectors.new_zeros(len(vectors)), torch.zeros_like(vectors), torch.zeros_like(vectors)
