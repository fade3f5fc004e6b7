"""From a waveform to a log-mel spectrogram and utterance-level functionals, in torch.

Every function honours each clip's true length: frames that would touch padding do not exist, and
no statistic sees them, so a clip gives the same numbers alone and in any batch.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SAMPLING_RATE = 16_000  # Hz
WINDOW = 400  # samples, 25 ms
HOP = 160  # samples, 10 ms
N_FFT = 512
N_MELS = 64
PITCH_WINDOW = 640  # samples, 40 ms: two periods of a 50 Hz voice
PITCH_FFT = 1024  # long enough for autocorrelation to be linear up to MIN_PITCH's lag
MIN_PITCH, MAX_PITCH = 60.0, 450.0  # Hz
VOICED = 0.45  # normalised autocorrelation above which a frame counts as voiced
N_MFCC = 14
FLOOR = 1e-8  # of the clip's loudest mel bin: 80 dB below it
QUANTILES = (0.05, 0.5, 0.95)


def mel_filterbank(n_mels: int, n_fft: int, low: float, high: float) -> Tensor:
    """Return triangular filters on the HTK mel scale, (n_fft // 2 + 1, n_mels)."""

    def to_mel(hertz: float) -> float:
        return 2595.0 * math.log10(1.0 + hertz / 700.0)

    mels = torch.linspace(to_mel(low), to_mel(high), n_mels + 2, dtype=torch.float64)
    edges = 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    bins = torch.linspace(0, SAMPLING_RATE / 2, n_fft // 2 + 1, dtype=torch.float64)
    rising = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    return torch.minimum(rising, falling).clamp(min=0).float()


def frame_lengths(lengths: Tensor) -> Tensor:
    """Return the number of whole frames in each clip, at least 1, (batch,)."""
    return ((lengths - WINDOW).clamp(min=0) // HOP) + 1


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """Return True inside each row's length, (batch, size)."""
    return torch.arange(size, device=lengths.device) < lengths[:, None]


def masked_mean_std(values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation over frames of (batch, frames, features); 0 where none."""
    weight = mask.unsqueeze(-1).to(values.dtype)
    count = weight.sum(1).clamp(min=1)
    mean = (values * weight).sum(1) / count
    variance = ((values - mean.unsqueeze(1)).square() * weight).sum(1) / count
    return mean, (variance + 1e-8).sqrt()


def masked_quantiles(values: Tensor, mask: Tensor, fractions: tuple[float, ...]) -> Tensor:
    """Return linear-interpolated quantiles over frames, (batch, features, quantiles); 0 where none."""
    ordered = values.masked_fill(~mask.unsqueeze(-1), torch.inf).sort(dim=1).values
    last = (mask.sum(1) - 1).clamp(min=0)
    results = []
    for fraction in fractions:
        place = last * fraction
        below, above = place.floor().long(), place.ceil().long()
        shape = (-1, 1, values.shape[2])
        low = ordered.gather(1, below[:, None, None].expand(*shape)).squeeze(1)
        high = ordered.gather(1, above[:, None, None].expand(*shape)).squeeze(1)
        results.append(low + (high - low) * (place - below).unsqueeze(1))
    stacked = torch.stack(results, -1)
    return torch.where(mask.any(1)[:, None, None], stacked, torch.zeros_like(stacked))


class Acoustics(nn.Module):
    """Waveform → log-mel frames and functionals. Holds constants only, no weights."""

    filters: Tensor
    window: Tensor
    pitch_window: Tensor
    pitch_normaliser: Tensor
    dct: Tensor

    def __init__(self) -> None:
        super().__init__()
        # Buffers are kept in the checkpoint, so that no loader can leave them on the meta device.
        self.register_buffer("filters", mel_filterbank(N_MELS, N_FFT, 50.0, 7600.0))
        self.register_buffer("window", torch.hann_window(WINDOW))
        pitch_window = torch.hann_window(PITCH_WINDOW)
        self.register_buffer("pitch_window", pitch_window)
        correlation = _autocorrelation(pitch_window.unsqueeze(0))[0]
        self.register_buffer("pitch_normaliser", correlation / correlation[0])
        order = torch.arange(N_MFCC).unsqueeze(1) * (torch.arange(N_MELS) + 0.5) * math.pi / N_MELS
        self.register_buffer("dct", torch.cos(order).T * math.sqrt(2.0 / N_MELS))

    def log_mel(self, input_values: Tensor, lengths: Tensor) -> Tensor:
        """Return the log-mel spectrogram, floored 80 dB under the clip's maximum, zero past its end.

        Args:
            input_values: (batch, samples), 16 kHz, zero past each clip's end.
            lengths: (batch,), samples.

        Returns:
            (batch, frames, 64), natural log of power, not mean-normalised.
        """
        return self.log_mel_of(self.power(input_values, lengths), lengths)

    def power(self, input_values: Tensor, lengths: Tensor) -> Tensor:
        """Return power spectra of whole frames, (batch, frames, bins); arguments as `log_mel`."""
        frames = _frames(input_values, WINDOW, int(frame_lengths(lengths).max()))
        return torch.fft.rfft(frames * self.window, N_FFT).abs().square()

    def log_mel_of(self, power: Tensor, lengths: Tensor) -> Tensor:
        """Return what `log_mel` does, from power spectra."""
        mask = length_mask(frame_lengths(lengths), power.shape[1]).unsqueeze(-1)
        mel = (power @ self.filters) * mask
        floor = mel.amax(dim=(1, 2), keepdim=True) * FLOOR
        return torch.log(torch.maximum(mel, floor) + 1e-10) * mask

    def pitch(self, input_values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return log2 of F0 in Hz and the voicing strength in [0, 1], both (batch, frames).

        Autocorrelation divided by that of the window (Boersma 1993). F0 is 0 in unvoiced frames.
        """
        count = frame_lengths(lengths)
        padded = F.pad(input_values, (0, PITCH_WINDOW))
        frames = _frames(padded, PITCH_WINDOW, int(count.max()))
        frames = frames - frames.mean(-1, keepdim=True)
        correlation = _autocorrelation(frames * self.pitch_window)
        energy = correlation[..., :1].clamp(min=1e-7)
        first, last = int(SAMPLING_RATE / MAX_PITCH), int(SAMPLING_RATE / MIN_PITCH)
        normalised = (correlation / energy / self.pitch_normaliser.clamp(min=1e-3))[..., first : last + 1]
        # A small cost per octave downwards avoids picking twice the period.
        cost = 0.03 * torch.log2(torch.arange(first, last + 1, device=frames.device) / first)
        best = (normalised - cost).argmax(-1, keepdim=True)
        strength = normalised.gather(-1, best).squeeze(-1).clamp(0, 1)
        voiced = (strength > VOICED) & length_mask(count, frames.shape[1])
        log_f0 = torch.log2(SAMPLING_RATE / (best.squeeze(-1) + first))
        return log_f0 * voiced, strength * length_mask(count, frames.shape[1])

    def functionals(self, input_values: Tensor, lengths: Tensor, log_mel: Tensor) -> Tensor:
        """Return spectral, cepstral and prosodic statistics of each clip, (batch, `NUM_FUNCTIONALS`).

        Args:
            input_values: (batch, samples).
            lengths: (batch,), samples.
            log_mel: what `log_mel` returned, (batch, frames, 64).
        """
        mask = length_mask(frame_lengths(lengths), log_mel.shape[1])
        contours = self._contours(input_values, lengths, log_mel)
        step = contours[:, 1:] - contours[:, :-1]
        step_mask = mask[:, 1:]
        mean, spread = masked_mean_std(contours, mask)
        _, step_spread = masked_mean_std(step, step_mask)
        quantiles = masked_quantiles(contours[..., :_NUM_SHAPE], mask, QUANTILES).flatten(1)
        prosody = self._prosody(input_values, lengths, log_mel, mask)
        return torch.cat([mean, spread, step_spread, quantiles, prosody], 1)

    def _contours(self, input_values: Tensor, lengths: Tensor, log_mel: Tensor) -> Tensor:
        """Return frame-level features; the first `_NUM_SHAPE` also get quantiles."""
        power = log_mel.exp()
        share = power / power.sum(-1, keepdim=True).clamp(min=1e-10)
        place = torch.linspace(0, 1, N_MELS, device=log_mel.device)
        centroid = (share * place).sum(-1, keepdim=True)
        spread = (share * (place - centroid).square()).sum(-1, keepdim=True).clamp(min=0).sqrt()
        rolloff = (share.cumsum(-1) < 0.85).to(share.dtype).mean(-1, keepdim=True)
        flatness = log_mel.mean(-1, keepdim=True) - power.mean(-1, keepdim=True).clamp(min=1e-10).log()
        loudness = power.sum(-1, keepdim=True).clamp(min=1e-10).log()
        cepstrum = (log_mel @ self.dct)[..., 1:]
        bands = F.avg_pool1d(log_mel, 2)
        return torch.cat([loudness, centroid, spread, rolloff, flatness, cepstrum, bands], -1)

    def _prosody(self, input_values: Tensor, lengths: Tensor, log_mel: Tensor, mask: Tensor) -> Tensor:
        """Return statistics of pitch, voicing, pauses and level, (batch, 16)."""
        log_f0, strength = self.pitch(input_values, lengths)
        voiced = log_f0 > 0
        f0 = log_f0.unsqueeze(-1)
        mean, spread = masked_mean_std(f0, voiced)
        quantiles = masked_quantiles(f0, voiced, (0.1, 0.5, 0.9)).squeeze(1)
        both = voiced[:, 1:] & voiced[:, :-1]
        slope, jitter = masked_mean_std(f0[:, 1:] - f0[:, :-1], both)
        count = mask.sum(1, keepdim=True).clamp(min=1)
        voiced_share = voiced.sum(1, keepdim=True) / count
        onsets = (voiced[:, 1:] & ~voiced[:, :-1]).sum(1, keepdim=True) / count
        strength_mean, strength_spread = masked_mean_std(strength.unsqueeze(-1), mask)
        loudness = log_mel.exp().sum(-1, keepdim=True).clamp(min=1e-10).log()
        peak = loudness.masked_fill(~mask.unsqueeze(-1), -torch.inf).amax(1, keepdim=True)
        pauses = ((loudness < peak - 5.0).squeeze(-1) & mask).sum(1, keepdim=True) / count
        voiced_level, voiced_spread = masked_mean_std(loudness, voiced)
        tilt = self._tilt(log_mel, voiced)
        parts = [mean, spread, quantiles, quantiles[:, 2:] - quantiles[:, :1], slope, jitter]
        parts += [voiced_share, onsets, strength_mean, strength_spread, pauses]
        return torch.cat([*parts, voiced_level, voiced_spread, tilt], 1)

    def _tilt(self, log_mel: Tensor, voiced: Tensor) -> Tensor:
        """Return the mean level of the upper against the lower half of the voiced frames' mel bands."""
        half = N_MELS // 2
        difference = log_mel[..., half:].mean(-1, keepdim=True) - log_mel[..., :half].mean(-1, keepdim=True)
        return masked_mean_std(difference, voiced)[0]


_NUM_SHAPE = 5 + N_MFCC - 1
_NUM_CONTOURS = _NUM_SHAPE + N_MELS // 2
NUM_FUNCTIONALS = 3 * _NUM_CONTOURS + len(QUANTILES) * _NUM_SHAPE + 16


def _frames(samples: Tensor, size: int, count: int) -> Tensor:
    """Cut (batch, samples) into (batch, count, size) with the common hop, zero-padded at the end."""
    needed = (count - 1) * HOP + size
    if samples.shape[1] < needed:
        samples = F.pad(samples, (0, needed - samples.shape[1]))
    return samples[:, :needed].unfold(1, size, HOP)


def _autocorrelation(frames: Tensor) -> Tensor:
    spectrum = torch.fft.rfft(frames, PITCH_FFT).abs().square()
    return torch.fft.irfft(spectrum)[..., : PITCH_WINDOW // 2]
