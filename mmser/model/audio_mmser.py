"""The audio branch: encoder > attentive statistics > speaker baseline > heads."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .acoustics_mmser import NUM_FUNCTIONALS, Acoustics, frame_lengths, length_mask
from .cnn_mmser import CnnEncoder
from .configuration_mmser import MmserConfig
from .speaker_mmser import SpeakerBaseline, no_history
from .voice_mmser import VoiceEncoder
from .wav2vec2_mmser import Wav2Vec2Encoder


@dataclass
class AudioFeatures:
    """One row per utterance; rows without audio hold zeros and False."""

    frames: Tensor  # (batch, frames, size)
    mask: Tensor  # True on real frames, (batch, frames)
    vectors: Tensor  # what the speaker baseline compares, (batch, functionals + embedding)
    pooled: Tensor  # (batch, 2 * size)


class AttentiveStatistics(nn.Module):
    """Attention-weighted mean and standard deviation over frames (Okabe 2018)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(size, size // 2), nn.Tanh(), nn.Linear(size // 2, 1))

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        """Pool (batch, frames, size) to (batch, 2 * size)."""
        score = self.score(frames).masked_fill(~mask.unsqueeze(-1), -1e4)
        weight = score.softmax(1)
        mean = (weight * frames).sum(1)
        variance = (weight * (frames - mean.unsqueeze(1)).square()).sum(1)
        return torch.cat([mean, (variance + 1e-5).sqrt()], 1)


class AudioBranch(nn.Module):
    """A waveform, and what the speaker sounded like before, to emotion and intensity."""

    functional_mean: Tensor
    functional_spread: Tensor

    def __init__(self, config: MmserConfig) -> None:
        super().__init__()
        size = config.audio_size
        self.acoustics = Acoustics()
        self.encoder: Any
        if config.audio_encoder == "cnn":
            self.encoder = CnnEncoder(
                tuple(config.cnn_channels), size, config.cnn_layers, config.cnn_heads, config.dropout
            )
        else:
            self.encoder = Wav2Vec2Encoder(config.audio_config, size)
        self.history_weight = config.history_weight
        self.takes_log_mel = config.audio_encoder == "cnn"
        self.labels = [str(label) for _, label in sorted((config.id2label or {}).items())]
        self.voice_size = config.voice_size
        self.voice = VoiceEncoder(config.voice_size, config.voice_layers) if config.voice_size else None
        self.num_functionals = NUM_FUNCTIONALS + (0 if self.voice is None else self.voice.num_statistics)
        self.register_buffer("functional_mean", torch.zeros(self.num_functionals))
        self.register_buffer("functional_spread", torch.ones(self.num_functionals))
        self.pool = AttentiveStatistics(size)
        self.embed = nn.Sequential(nn.Linear(2 * size, config.embedding_size), nn.Tanh())
        vector_size = self.num_functionals + config.embedding_size
        self.baseline = SpeakerBaseline(vector_size)
        # Two halves side by side, so that neither way of hearing leans on the other: functionals are learned
        # in a few steps and would leave the frames nothing to explain.
        self.half_sizes = (size // 2, config.view_size - size // 2)
        self.frame_half = _half(2 * size + config.embedding_size + 2, self.half_sizes[0], config.head_dropout)
        self.functional_half = _half(2 * self.num_functionals + 2, self.half_sizes[1], config.head_dropout)
        self.emotion_head = nn.Linear(config.view_size, config.num_classes)
        self.intensity_head = nn.Linear(config.view_size, 1)

    def forward(self, input_values: Tensor, lengths: Tensor) -> AudioFeatures:
        """Encode waveforms.

        Args:
            input_values: (batch, samples), 16 kHz, in [-1, 1].
            lengths: samples of each clip, (batch,); 0 where there is no audio.
        """
        # Whatever stands past a clip's end, zeros or not, must not be heard.
        input_values = input_values * length_mask(lengths, input_values.shape[1])
        # In mixed precision spectra and statistics would keep two digits.
        with torch.autocast(input_values.device.type, enabled=False):
            log_mel, functionals = self.measure(input_values, lengths)
        if self.takes_log_mel:
            return self.encode(log_mel, frame_lengths(lengths), functionals, lengths > 0)
        frames, counts = self.encoder(input_values, lengths)
        return self._features(frames, counts, functionals, lengths > 0)

    def measure(self, input_values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return log-mel frames and functionals, those of the voice encoder's layers last.

        Returns:
            (batch, frames, 64) and (batch, `num_functionals`).
        """
        power = self.acoustics.power(input_values, lengths)
        log_mel = self.acoustics.log_mel_of(power, lengths)
        functionals = self.acoustics.functionals(input_values, lengths, log_mel)
        if self.voice is None:
            return log_mel, functionals
        heard = self.voice(self.voice.mel(power, input_values, lengths), frame_lengths(lengths))
        return log_mel, torch.cat([functionals, heard], 1)

    def encode(self, log_mel: Tensor, counts: Tensor, functionals: Tensor, present: Tensor) -> AudioFeatures:
        """Encode precomputed acoustics (for the CNN only).

        Args:
            log_mel: (batch, frames, 64).
            counts: frames of each clip, (batch,).
            functionals: (batch, functionals).
            present: (batch,).
        """
        frames, counts = self.encoder(log_mel, counts)
        return self._features(frames, counts, functionals, present)

    def _features(
        self, frames: Tensor, counts: Tensor, functionals: Tensor, present: Tensor
    ) -> AudioFeatures:
        mask = length_mask(counts, frames.shape[1])
        pooled = self.pool(frames, mask)
        # In mixed precision an encoder answers in another type than what follows takes.
        frames, pooled = frames.to(functionals.dtype), pooled.to(functionals.dtype)
        vectors = self.compared(pooled, functionals)
        here = present.unsqueeze(1)
        return AudioFeatures(
            frames * here.unsqueeze(2), mask & here, torch.where(here, vectors, 0.0), pooled * here
        )

    def compared(self, pooled: Tensor, functionals: Tensor) -> Tensor:
        """Return what the speaker baseline compares, (batch, functionals + embedding).

        Args:
            pooled: statistics of the frames, (batch, 2 * size).
            functionals: (batch, functionals).
        """
        standard = ((functionals - self.functional_mean) / self.functional_spread).clamp(-5, 5)
        return torch.cat([standard, self.embed(pooled)], 1)

    def relate(self, features: AudioFeatures, count: Tensor, total: Tensor, squares: Tensor) -> Tensor:
        """Average the view against the speaker's history and the view as a first turn, (batch, view_size).

        The second keeps a caller who is angry from the first word on from becoming "normal".
        """
        weight = self.history_weight
        against_history = self.view(features, count, total, squares)
        return weight * against_history + (1 - weight) * self.view(features, *no_history(features.vectors))

    def view(self, features: AudioFeatures, count: Tensor, total: Tensor, squares: Tensor) -> Tensor:
        """Hear each utterance against one history; arguments as `SpeakerBaseline`, (batch, view_size)."""
        deviation, amount = self.baseline(features.vectors, count, total, squares)
        own = self.num_functionals
        frames = torch.cat([features.pooled, deviation[:, own:], amount], 1)
        statistics = torch.cat([features.vectors[:, :own], deviation[:, :own], amount], 1)
        return torch.cat([self.frame_half(frames), self.functional_half(statistics)], 1)

    def frames_only(self, view: Tensor) -> Tensor:
        """Return the view without what the functionals say, twice as large, so that heads can read it."""
        return torch.cat([2 * view[:, : self.half_sizes[0]], 0 * view[:, self.half_sizes[0] :]], 1)

    def functionals_only(self, view: Tensor) -> Tensor:
        """Return the view without what the frames say, twice as large, so that heads can read it."""
        return torch.cat([0 * view[:, : self.half_sizes[0]], 2 * view[:, self.half_sizes[0] :]], 1)


def _half(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Dropout(dropout / 2), nn.Linear(inputs, outputs), nn.SiLU(), nn.Dropout(dropout))
