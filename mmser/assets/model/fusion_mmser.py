"""Cross-attention both ways between audio frames and text tokens."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MIN_CONFIDENCE = 1e-3


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
        self, audio_size: int, view_size: int, text_size: int, size: int, heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.project_frames = nn.Linear(audio_size, size)
        self.project_tokens = nn.Linear(text_size, size)
        self.missing_audio = nn.Parameter(torch.randn(size) * 0.02)
        self.missing_text = nn.Parameter(torch.randn(size) * 0.02)
        self.frames_to_tokens = CrossAttentionLayer(size, heads, dropout)
        self.tokens_to_frames = CrossAttentionLayer(size, heads, dropout)
        self.combine = nn.Sequential(
            nn.Linear(2 * size + view_size + text_size, size), nn.GELU(), nn.Dropout(dropout)
        )

    def forward(
        self,
        frames: Tensor,
        frame_weight: Tensor,
        tokens: Tensor,
        token_weight: Tensor,
        audio_vector: Tensor,
        text_vector: Tensor,
    ) -> Tensor:
        """Fuse.

        Args:
            frames: audio frames, (batch, frames, audio_size).
            frame_weight: 1 on real frames, else 0, (batch, frames); all 0 = the audio is missing.
            tokens: text tokens, (batch, tokens, text_size).
            token_weight: confidence in [0, 1] of each token, 0 on padding, (batch, tokens); all 0 =
                the text is missing.
            audio_vector: the utterance's sound, (batch, view_size); zero where missing.
            text_vector: the utterance's words, (batch, text_size); zero where missing.

        Returns:
            One vector per utterance, (batch, size).
        """
        frames, frame_weight = _with_missing(self.project_frames(frames), frame_weight, self.missing_audio)
        tokens, token_weight = _with_missing(self.project_tokens(tokens), token_weight, self.missing_text)
        heard = self.frames_to_tokens(frames, tokens, _bias(token_weight))
        read = self.tokens_to_frames(tokens, frames, _bias(frame_weight))
        pooled = [_weighted_mean(heard, frame_weight), _weighted_mean(read, token_weight)]
        fused: Tensor = self.combine(torch.cat([*pooled, audio_vector, text_vector], 1))
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
