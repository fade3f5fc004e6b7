"""A small convolutional encoder for log-mel frames: stem > 3 residual blocks > Conformer layers.

Masks follow every layer, so that padding never reaches a real frame.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .acoustics_mmser import N_MELS, length_mask


class MaskedBatchNorm(nn.Module):
    """Batch normalisation of (batch, channels, frames, bands) whose statistics skip padded frames."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, momentum: float = 0.05) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.momentum = momentum

    def forward(self, values: Tensor, mask: Tensor | None) -> Tensor:
        """Normalise; `mask` is (batch, 1, frames, 1), or None where every frame is real."""
        if self.training and mask is None:
            # One fused pass instead of many: training crops to one length, and runs twice as fast for it.
            return F.batch_norm(
                values, self.running_mean, self.running_var, self.weight, self.bias, True, self.momentum, 1e-5
            )
        if self.training:
            assert mask is not None
            weight = mask.to(values.dtype)
            count = weight.sum() * values.shape[3]
            mean = (values * weight).sum((0, 2, 3)) / count
            centred = (values - mean[:, None, None]) * weight
            variance = centred.square().sum((0, 2, 3)) / count
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance, self.momentum)
        else:
            mean, variance = self.running_mean, self.running_var
        scale = self.weight * (variance + 1e-5).rsqrt()
        return values * scale[:, None, None] + (self.bias - mean * scale)[:, None, None]


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions and a shortcut; the first may stride in time and frequency."""

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.time_stride, self.band_stride = stride
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm1 = MaskedBatchNorm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = MaskedBatchNorm(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.norm3 = MaskedBatchNorm(outputs)

    def forward(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Map (batch, inputs, frames, bands) and lengths to the next, padded frames zero."""
        lengths = strided_lengths(lengths, self.time_stride)
        hidden = self.conv1(values)
        mask = image_mask(lengths, hidden.shape[2])
        hidden = blank(F.silu(self.norm1(hidden, mask)), mask)
        hidden = self.norm2(self.conv2(hidden), mask)
        # The stride is taken here: oneDNN's strided 1 × 1 convolution writes past its memory on CPUs with
        # AVX-512 where there are fewer than 16 channels (torch 2.11).
        passed = values[:, :, :: self.time_stride, :: self.band_stride]
        return blank(F.silu(hidden + self.norm3(self.shortcut(passed), mask)), mask), lengths


def image_mask(lengths: Tensor, frames: int) -> Tensor | None:
    """Return True on real frames, (batch, 1, frames, 1), or None where all are real."""
    if bool((lengths >= frames).all()):
        return None
    return length_mask(lengths, frames)[:, None, :, None]


def blank(values: Tensor, mask: Tensor | None) -> Tensor:
    """Return `values` with padded frames zero."""
    return values if mask is None else values * mask


def strided_lengths(lengths: Tensor, stride: int) -> Tensor:
    """Return lengths after a convolution of kernel 3, padding 1 and this stride (1 or 2)."""
    return (lengths - 1) // stride + 1


class ConformerLayer(nn.Module):
    """Half feed-forward > self-attention > depthwise convolution > half feed-forward (Gulati 2020)."""

    def __init__(self, size: int, heads: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.feed1 = _feed_forward(size, dropout)
        self.attention_norm = nn.LayerNorm(size)
        self.qkv = nn.Linear(size, 3 * size)
        self.attention_out = nn.Linear(size, size)
        self.conv_norm = nn.LayerNorm(size)
        self.pointwise1 = nn.Linear(size, 2 * size)
        self.depthwise = nn.Conv1d(size, size, kernel, padding=kernel // 2, groups=size)
        self.depthwise_norm = nn.LayerNorm(size)
        self.pointwise2 = nn.Linear(size, size)
        self.feed2 = _feed_forward(size, dropout)
        self.final_norm = nn.LayerNorm(size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Map (batch, frames, size); `mask` is True on real frames, (batch, frames)."""
        frames = frames + 0.5 * self.feed1(frames)
        frames = frames + self.dropout(self._attend(self.attention_norm(frames), mask))
        hidden = F.glu(self.pointwise1(self.conv_norm(frames))) * mask.unsqueeze(-1)
        hidden = self.depthwise(hidden.transpose(1, 2)).transpose(1, 2)
        hidden = self.pointwise2(F.silu(self.depthwise_norm(hidden)))
        frames = frames + self.dropout(hidden)
        frames = self.final_norm(frames + 0.5 * self.feed2(frames))
        return frames * mask.unsqueeze(-1)

    def _attend(self, frames: Tensor, mask: Tensor) -> Tensor:
        batch, count, size = frames.shape
        qkv = self.qkv(frames).view(batch, count, 3, self.heads, size // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None])
        out: Tensor = self.attention_out(attended.transpose(1, 2).reshape(batch, count, size))
        return out


def _feed_forward(size: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(size),
        nn.Linear(size, 4 * size),
        nn.SiLU(),
        nn.Dropout(dropout),
        nn.Linear(4 * size, size),
        nn.Dropout(dropout),
    )


class CnnEncoder(nn.Module):
    """Log-mel frames (10 ms) → hidden frames (80 ms)."""

    def __init__(self, channels: tuple[int, ...], size: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        stem, *rest = channels
        self.stem = nn.Conv2d(1, stem, 3, 2, padding=1, bias=False)
        self.stem_norm = MaskedBatchNorm(stem)
        strides = [(2, 2), (2, 2)] + [(1, 2)] * (len(rest) - 2)
        inputs = [stem, *rest[:-1]]
        self.blocks = nn.ModuleList(
            ResidualBlock(i, o, s) for i, o, s in zip(inputs, rest, strides, strict=True)
        )
        bands = N_MELS
        for _ in range(1 + len(rest)):
            bands = (bands - 1) // 2 + 1
        self.project = nn.Linear(rest[-1] * bands, size)
        self.layers = nn.ModuleList(ConformerLayer(size, heads, 15, dropout) for _ in range(layers))

    def forward(self, log_mel: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Encode.

        Args:
            log_mel: (batch, frames, 64), zero past each clip's end.
            lengths: (batch,), frames.

        Returns:
            Hidden frames, (batch, frames / 8, size), zero past the end, and their lengths.
        """
        mask = length_mask(lengths, log_mel.shape[1]).unsqueeze(-1)
        # The mean of each band goes: a telephone line or a microphone colours it, a voice moves it.
        mean = log_mel.sum(1, keepdim=True) / lengths[:, None, None]
        hidden = ((log_mel - mean) * mask / 3.0).unsqueeze(1)
        lengths = strided_lengths(lengths, 2)
        # Channels last: convolutions of few channels run faster on a CPU.
        hidden = self.stem(hidden.contiguous(memory_format=torch.channels_last))
        image = image_mask(lengths, hidden.shape[2])
        hidden = blank(F.silu(self.stem_norm(hidden, image)), image)
        for block in self.blocks:
            hidden, lengths = block(hidden, lengths)
        frames = self.project(hidden.transpose(1, 2).flatten(2))
        mask = length_mask(lengths, frames.shape[1])
        frames = frames * mask.unsqueeze(-1)
        for layer in self.layers:
            frames = layer(frames, mask)
        return frames, lengths
