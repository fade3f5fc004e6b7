"""Cross-attention both ways between audio frames and text tokens, and what both modalities say together."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MIN_CONFIDENCE = 1e-3
RELATIONS = ("agree", "plain", "oppose")  # of an utterance's words to its voice


def mix_modalities(
    by_sound: Tensor, by_words: Tensor, trust: Tensor, neutral: int | None
) -> tuple[Tensor, Tensor]:
    """Return what voice and words say together, and how likely they oppose each other.

    A mixture over three relations of words to voice: both express the emotion (a product of experts,
    Hinton 2002); the words are plain, and the voice alone tells; words and voice oppose each other, and each
    is believed by half. How well the words fit each relation decides between them, beside `trust`.

    Args:
        by_sound: logits of the voice, (batch, classes).
        by_words: logits of the words relative to the classes' prior, (batch, classes); all equal = they tell
            nothing.
        trust: log-weights of the relations before the words are read, (batch, 3).
        neutral: the class that plain words seem to express; None = there is none.

    Returns:
        Log-probabilities, (batch, classes), and P(words and voice oppose each other), (batch,).
    """
    classes = by_words.shape[-1]
    heard = by_sound.log_softmax(-1)
    # The likelihood of the words under each class, in units of their mean: 1 where they tell nothing.
    read = by_words.log_softmax(-1) + math.log(classes)
    plain = torch.zeros_like(read[:, :1]) if neutral is None else read[:, neutral, None]
    opposed = torch.logaddexp(heard, by_words.log_softmax(-1)) - math.log(2)
    relations = torch.stack([heard + read, heard + plain, opposed], 1)  # (batch, 3, classes)
    joint = relations + trust.log_softmax(-1).unsqueeze(2)
    opposition = joint.logsumexp(2).softmax(1)[:, RELATIONS.index("oppose")]
    return joint.logsumexp(1).log_softmax(-1), opposition


class CrossAttentionLayer(nn.Module):
    """One side attends to the other, then a feed-forward layer; both with shortcuts."""

    def __init__(self, size: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query_norm = nn.LayerNorm(size)
        self.key_norm = nn.LayerNorm(size)
        self.query = nn.Linear(size, size)
        self.key_value = nn.Linear(size, 2 * size)
        self.out = nn.Linear(size, size)
        self.feed = nn.Sequential(
            nn.LayerNorm(size), nn.Linear(size, 2 * size), nn.GELU(), nn.Linear(2 * size, size)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries: Tensor, keys: Tensor, key_bias: Tensor) -> Tensor:
        """Attend.

        Args:
            queries: (batch, queries, size).
            keys: (batch, keys, size).
            key_bias: added to the attention scores, -inf hides a key, (batch, keys).
        """
        batch, count, size = queries.shape
        query = self._split(self.query(self.query_norm(queries)))
        key, value = self.key_value(self.key_norm(keys)).chunk(2, -1)
        attended = F.scaled_dot_product_attention(
            query, self._split(key), self._split(value), attn_mask=key_bias[:, None, None].to(query.dtype)
        )
        hidden = queries + self.dropout(self.out(attended.transpose(1, 2).reshape(batch, count, size)))
        return hidden + self.dropout(self.feed(hidden))

    def _split(self, values: Tensor) -> Tensor:
        batch, count, size = values.shape
        return values.view(batch, count, self.heads, size // self.heads).transpose(1, 2)


class CrossFusion(nn.Module):
    """Frames attend to tokens and tokens to frames; a learned token stands for a missing side."""

    def __init__(
        self, audio_size: int, text_size: int, num_classes: int, size: int, heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.project_frames = nn.Linear(audio_size, size)
        self.project_tokens = nn.Linear(text_size, size)
        self.missing_audio = nn.Parameter(torch.randn(size) * 0.02)
        self.missing_text = nn.Parameter(torch.randn(size) * 0.02)
        self.frames_to_tokens = CrossAttentionLayer(size, heads, dropout)
        self.tokens_to_frames = CrossAttentionLayer(size, heads, dropout)
        self.combine = nn.Sequential(
            nn.Linear(2 * size + 3 * num_classes, size), nn.GELU(), nn.Dropout(dropout)
        )

    def forward(
        self,
        frames: Tensor,
        frame_weight: Tensor,
        tokens: Tensor,
        token_weight: Tensor,
        heard_alone: Tensor,
        read_alone: Tensor,
    ) -> Tensor:
        """Fuse.

        Args:
            frames: audio frames, (batch, frames, audio_size).
            frame_weight: 1 on real frames, else 0, (batch, frames); all 0 = the audio is missing.
            tokens: text tokens, (batch, tokens, text_size).
            token_weight: confidence in [0, 1] of each token, 0 on padding, (batch, tokens); all 0 =
                the text is missing.
            heard_alone: emotion probabilities by sound alone, (batch, classes); zero where missing.
            read_alone: emotion probabilities by words alone, (batch, classes); zero where missing.

        Returns:
            One vector per utterance, (batch, size).
        """
        frames, frame_weight = _with_missing(self.project_frames(frames), frame_weight, self.missing_audio)
        tokens, token_weight = _with_missing(self.project_tokens(tokens), token_weight, self.missing_text)
        heard = self.frames_to_tokens(frames, tokens, _bias(token_weight))
        read = self.tokens_to_frames(tokens, frames, _bias(frame_weight))
        pooled = [_weighted_mean(heard, frame_weight), _weighted_mean(read, token_weight)]
        fused: Tensor = self.combine(
            torch.cat([*pooled, heard_alone, read_alone, heard_alone * read_alone], 1)
        )
        return fused


def _with_missing(sequence: Tensor, weight: Tensor, missing: Tensor) -> tuple[Tensor, Tensor]:
    """Put one slot in front, which is visible only where everything else is missing."""
    absent = (weight.sum(1, keepdim=True) == 0).to(weight.dtype)
    slot = missing.expand(len(sequence), 1, -1)
    return torch.cat([slot, sequence], 1), torch.cat([absent, weight], 1)


def _bias(weight: Tensor) -> Tensor:
    """Turn confidences into attention biases: a word half believed gets half the attention."""
    return torch.where(weight > 0, weight.clamp(min=MIN_CONFIDENCE).log(), -torch.inf)


def _weighted_mean(sequence: Tensor, weight: Tensor) -> Tensor:
    return (sequence * weight.unsqueeze(-1)).sum(1) / weight.sum(1, keepdim=True).clamp(min=MIN_CONFIDENCE)
