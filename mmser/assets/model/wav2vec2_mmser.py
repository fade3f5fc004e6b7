"""Any wav2vec2-family model (wav2vec2, HuBERT, WavLM, …) as the audio encoder."""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel

from .acoustics_mmser import length_mask

MIN_SAMPLES = 400  # the receptive field of the family's convolutional extractor


class Wav2Vec2Encoder(nn.Module):
    """Waveforms → hidden frames (20 ms), the same alone and in any batch.

    Checkpoints with group normalisation (the base family) normalise over the whole time axis, so
    padding would change their answers: their convolutional extractor runs per utterance, unpadded.
    """

    def __init__(self, config: Any, size: int) -> None:
        super().__init__()
        # Masking frames at random belongs to pretraining and has no place on short utterances.
        config.mask_time_prob = config.mask_feature_prob = 0.0
        self.model = AutoModel.from_config(config, dtype=torch.get_default_dtype())
        self.one_by_one = getattr(config, "feat_extract_norm", "group") == "group"
        self.project = nn.Linear(config.hidden_size, size)

    def forward(self, input_values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Map (batch, samples) to (batch, frames, size), zero past the end, and frame counts."""
        samples = lengths.clamp(min=MIN_SAMPLES)
        if input_values.shape[1] < MIN_SAMPLES:
            input_values = nn.functional.pad(input_values, (0, MIN_SAMPLES - input_values.shape[1]))
        normal = _normalise(input_values, lengths)
        if self.one_by_one:
            rows = [self._extract(normal[i : i + 1, : int(n)])[0] for i, n in enumerate(samples)]
            counts = torch.tensor([len(row) for row in rows], device=lengths.device)
            features = nn.utils.rnn.pad_sequence(rows, batch_first=True)
        else:
            features = self._extract(normal)
            counts = self.model._get_feat_extract_output_lengths(samples).long()
        mask = length_mask(counts, features.shape[1])
        projected = self.model.feature_projection(features)
        hidden = projected[0] if isinstance(projected, tuple) else projected
        hidden = self.model.encoder(hidden * mask.unsqueeze(-1), attention_mask=mask).last_hidden_state
        return self.project(hidden) * mask.unsqueeze(-1), counts

    def _extract(self, input_values: Tensor) -> Tensor:
        features: Tensor = self.model.feature_extractor(input_values).transpose(1, 2)
        return features


def _normalise(input_values: Tensor, lengths: Tensor) -> Tensor:
    """Zero mean and unit variance over each clip's own samples, as the family was trained."""
    mask = length_mask(lengths, input_values.shape[1]).to(input_values.dtype)
    count = lengths.clamp(min=1).unsqueeze(1)
    mean = (input_values * mask).sum(1, keepdim=True) / count
    centred = (input_values - mean) * mask
    return centred * (centred.square().sum(1, keepdim=True) / count + 1e-7).rsqrt()
