"""A pretrained speaker encoder as a second ear: what its recurrent layers hear, pooled over time.

Generalised end-to-end speaker verification (Wan 2018): a three-layer LSTM over mel frames, trained on
thousands of speakers. What tells voices apart tells apart, too, how one voice is used.
"""

import math

import torch
from torch import Tensor, nn

from .acoustics_mmser import N_FFT, SAMPLING_RATE, length_mask

VOICE_MELS = 40
LOUDNESS = 1e-3  # mean square that every clip is brought to, as the encoder was trained


class VoiceEncoder(nn.Module):
    """Power spectra → mean and spread over time of each recurrent layer's output.

    Args:
        size: width of each layer.
        layers: number of layers.
    """

    filters: Tensor

    def __init__(self, size: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.LSTM(VOICE_MELS if i == 0 else size, size, batch_first=True) for i in range(layers)
        )
        self.num_statistics = 2 * layers * size
        self.register_buffer("filters", slaney_filterbank())

    def mel(self, power: Tensor, input_values: Tensor, lengths: Tensor) -> Tensor:
        """Return mel power of clips brought to one loudness, (batch, frames, 40).

        Args:
            power: power spectra, (batch, frames, bins).
            input_values: (batch, samples), zero past each clip's end.
            lengths: samples of each clip, (batch,).
        """
        mean_square = input_values.square().sum(1) / lengths.clamp(min=1)
        return power @ self.filters * (LOUDNESS / mean_square.clamp(min=1e-10))[:, None, None]

    def forward(self, mel: Tensor, counts: Tensor) -> Tensor:
        """Return statistics of each clip, (batch, `num_statistics`).

        Args:
            mel: what `mel` returned, (batch, frames, 40).
            counts: frames of each clip, (batch,).
        """
        mask = length_mask(counts, mel.shape[1]).unsqueeze(-1).to(mel.dtype)
        count = mask.sum(1).clamp(min=1)
        means, spreads = [], []
        for layer in self.layers:
            # It looks back only: frames past a clip's end change nothing before them.
            mel, _ = layer(mel)
            mean = (mel * mask).sum(1) / count
            spread = (((mel - mean.unsqueeze(1)) * mask).square().sum(1) / count + 1e-8).sqrt()
            means.append(mean)
            spreads.append(spread)
        return torch.cat([*means, *spreads], 1)


def slaney_filterbank() -> Tensor:
    """Return 40 triangular filters of equal area on Slaney's mel scale, 0 to 8 kHz, (bins, 40)."""
    top, step, corner = SAMPLING_RATE / 2, 200.0 / 3, 1000.0
    log_step = math.log(6.4) / 27.0
    corner_mel = corner / step
    top_mel = corner_mel + math.log(top / corner) / log_step
    mels = torch.linspace(0, 1, VOICE_MELS + 2, dtype=torch.float64) * top_mel
    edges = torch.where(mels < corner_mel, mels * step, corner * ((mels - corner_mel) * log_step).exp())
    bins = torch.linspace(0, top, N_FFT // 2 + 1, dtype=torch.float64)
    rising = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    filters = torch.minimum(rising, falling).clamp(min=0) * 2 / (edges[2:] - edges[:-2])
    # The encoder was trained on spectra of 400 points: ours have more bins for the same sound.
    return (filters * 400 / N_FFT).float()


def load_ge2e(encoder: VoiceEncoder, state: dict[str, Tensor]) -> None:
    """Load the published weights of a GE2E encoder ("lstm.weight_ih_l0" and so on); extra keys are left.

    They are rounded to what float16 holds, in which they are stored, so that training and use agree.
    """
    for number, layer in enumerate(encoder.layers):
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        own = {f"{name}_l0": state[f"lstm.{name}_l{number}"].half().float() for name in names}
        layer.load_state_dict(own)
