"""What was said before: causal attention over the dialogue, and change against one's last turn."""

import torch
from torch import Tensor, nn

from .dialogue_mmser import DialogueState, Layout, from_table


class DialogueContext(nn.Module):
    """Each utterance attends to the last K of its dialogue; who spoke and how long ago bias it."""

    def __init__(self, size: int, heads: int, context_size: int, num_roles: int) -> None:
        super().__init__()
        self.heads, self.context_size = heads, context_size
        self.role = nn.Embedding(num_roles, size)
        self.query = nn.Linear(size, size)
        self.key = nn.Linear(size, size)
        self.value = nn.Linear(size, size)
        self.nobody = nn.Parameter(torch.randn(size) * 0.02)
        self.bias = nn.Parameter(torch.zeros(2, context_size + 1, heads))  # same speaker, distance
        self.norm = nn.LayerNorm(size)

    def forward(
        self, embedding: Tensor, keys: Tensor, layout: Layout, references: Tensor, state: DialogueState
    ) -> Tensor:
        """Return what the context says to each utterance, (batch, size).

        Args:
            embedding: (batch, size).
            keys: dialogue, speaker and role of each row, (batch, 3).
            layout: order of the rows.
            references: rows that are no utterances, (batch,).
            state: utterances of earlier batches.
        """
        rows = torch.cat([keys, layout.rank[:, None]], 1)
        other = torch.cat([state.memory_key, rows])
        distance = rows[:, None, 3] - other[None, :, 3]
        visible = (rows[:, None, 0] == other[None, :, 0]) & (distance > 0) & (distance <= self.context_size)
        hidden = torch.cat([torch.zeros_like(state.memory_key[:, 0]).bool(), references])
        visible &= ~hidden[None]
        same = (rows[:, None, 1] == other[None, :, 1]).long()
        bias = self.bias[same, distance.clamp(0, self.context_size)].permute(2, 0, 1)
        bias = bias.masked_fill(~visible[None], -torch.inf)
        bias = torch.cat([torch.zeros_like(bias[..., :1]), bias], -1)
        memory = torch.cat([state.memory_embedding, embedding]) + self.role(other[:, 2])
        memory = torch.cat([self.nobody[None], memory])
        query, key, value = (
            self.query(embedding + self.role(rows[:, 2])),
            self.key(memory),
            self.value(memory),
        )
        scores = torch.einsum("ihd,jhd->hij", self._split(query), self._split(key))
        weight = (scores / (query.shape[1] // self.heads) ** 0.5 + bias).softmax(-1)
        attended = torch.einsum("hij,jhd->ihd", weight, self._split(value))
        context: Tensor = self.norm(attended.reshape(len(embedding), -1))
        return context

    def _split(self, values: Tensor) -> Tensor:
        return values.view(len(values), self.heads, -1)


class ChangeHead(nn.Module):
    """P(shift) and direction against the same speaker's previous utterance.

    It starts from the plain rule 1 - p · p_previous and learns what to add to it: of both utterances, and,
    where only words are there, of how long ago the speaker last spoke (voices are trained on made
    calls, which know no such distance).
    """

    def __init__(
        self, size: int, num_classes: int, num_directions: int, context_size: int, dropout: float
    ) -> None:
        super().__init__()
        self.mix = nn.Sequential(nn.Linear(4 * size + 2 * num_classes, size), nn.GELU(), nn.Dropout(dropout))
        self.shift = nn.Linear(size, 1)
        self.direction = nn.Linear(size + 2 * num_classes, num_directions)
        self.rule_scale = nn.Parameter(torch.tensor(1.0))
        self.rule_bias = nn.Parameter(torch.tensor(0.0))
        self.since = nn.Parameter(torch.zeros(context_size))  # by utterances since the last one

    def forward(
        self,
        now: Tensor,
        before: Tensor,
        p_now: Tensor,
        p_before: Tensor,
        context: Tensor,
        distance: Tensor,
        heard: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Compare.

        Args:
            now: embedding of the utterance, (batch, size).
            before: of the same speaker's previous one, (batch, size).
            p_now: emotion probabilities, (batch, classes).
            p_before: the same, (batch, classes).
            context: (batch, size).
            distance: utterances of the dialogue from the previous one to this, 1 = the next, (batch,).
            heard: whether the utterance has sound, (batch,).

        Returns:
            Shift logits, (batch,), and direction logits, (batch, directions).
        """
        both = torch.cat([p_now, p_before], 1)
        hidden = self.mix(torch.cat([now, before, (now - before).abs(), context, both], 1))
        rule = torch.logit((1 - (p_now * p_before).sum(1)).clamp(1e-3, 1 - 1e-3))
        since = self.since[distance.clamp(1, len(self.since)) - 1] * ~heard
        shift = self.rule_scale * rule + self.rule_bias + since + self.shift(hidden).squeeze(1)
        return shift, self.direction(torch.cat([hidden, both], 1))


def previous_of_speaker(
    embedding: Tensor, probabilities: Tensor, layout: Layout, references: Tensor, state: DialogueState
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Find each row's previous utterance by the same speaker.

    Returns:
        Its embedding, (batch, size), probabilities, (batch, classes), how many utterances ago it was,
        (batch,), and whether there is one, (batch,); zeros where there is none.
    """
    candidates = layout.same_speaker & ~references[None]
    score = torch.where(candidates, layout.rank[None] + 1, 0)
    index, inside = score.argmax(1), candidates.any(1)
    row = layout.speaker_row
    carried = from_table(state.speaker_seen.to(embedding.dtype), row) > 0
    choose, found = inside[:, None], inside | carried
    rank = torch.where(inside, layout.rank[index], from_table(state.speaker_rank, row))
    return (
        torch.where(choose, embedding[index], from_table(state.speaker_embedding, row)),
        torch.where(choose, probabilities[index], from_table(state.speaker_probabilities, row)),
        (layout.rank - rank) * found,
        found,
    )
