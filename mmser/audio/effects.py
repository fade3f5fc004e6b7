"""What recordings do to a voice: speed, pitch, room, noise, level, a telephone line, codecs, lost packets.

All functions take and return mono float32 waveforms at 16 kHz, (samples,) with at least one, where nothing
else is said; they change no input and draw from the generator they are given.
"""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
import soxr
import torch
from numpy.typing import NDArray
from scipy.signal import welch
from torchaudio.functional import phase_vocoder

from mmser.audio.files import SAMPLING_RATE, Waveform
from mmser.errors import MmserError

PHONE_RATE: Final = SAMPLING_RATE // 2  # Hz
MU: Final = 255.0
PACKET: Final = SAMPLING_RATE // 50  # samples, 20 ms
FRAME, HOP = 512, 128  # samples of the phase vocoder: 32 ms hold harmonics of 100 Hz apart; more smear onsets
MP3_DELAY: Final = 1105  # samples at any rate: 576 of LAME's encoder, 529 of the decoder
MUMBLERS: Final = 6  # voices of babble; from about so many on no single one is followed


def change_speed(waveform: Waveform, factor: float) -> Waveform:
    """Play faster (> 1) or slower (< 1): tempo and pitch move together, as on a tape."""
    if factor == 1.0:
        return waveform
    return np.asarray(soxr.resample(waveform, SAMPLING_RATE * factor, SAMPLING_RATE), np.float32)


def change_tempo(waveform: Waveform, factor: float) -> Waveform:
    """Speak faster (> 1) or slower (< 1) at the same pitch, by a phase vocoder (Flanagan & Golden 1966)."""
    window = torch.hann_window(FRAME, dtype=torch.float64)  # in float32 the phases of long clips go astray
    samples = torch.from_numpy(waveform.astype(np.float64))
    frames = torch.stft(
        samples, FRAME, HOP, window=window, center=True, pad_mode="constant", return_complex=True
    )
    advance = torch.linspace(0, np.pi * HOP, FRAME // 2 + 1, dtype=torch.float64)[:, None]
    moved = phase_vocoder(frames, factor, advance)
    length = max(1, round(len(waveform) / factor))
    return np.asarray(torch.istft(moved, FRAME, HOP, window=window, length=length).numpy(), np.float32)


def shift_pitch(waveform: Waveform, semitones: float) -> Waveform:
    """Speak higher (> 0) or lower (< 0) at the same tempo and level; formants move along."""
    factor = 2 ** (semitones / 12)
    shifted = fitted(change_speed(change_tempo(waveform, 1 / factor), factor), len(waveform))
    return at_level_of(waveform, shifted)


def change_level(waveform: Waveform, gain: float) -> Waveform:
    """Make louder by `gain` dB, no further than full scale."""
    peak = float(np.abs(waveform).max(initial=0.0))
    factor = min(10 ** (gain / 20), 1 / peak if peak else np.inf)
    return np.asarray(waveform * factor, np.float32)


def amplify(waveform: Waveform, gain: float) -> Waveform:
    """Make louder by `gain` dB; what goes beyond full scale is cut off, as in a recording."""
    return np.asarray(np.clip(waveform * 10 ** (gain / 20), -1, 1), np.float32)


def clip_peaks(waveform: Waveform, excess: float) -> Waveform:
    """Cut off what lies less than `excess` dB below the peak, as a microphone that is overdriven so far."""
    limit = float(np.abs(waveform).max(initial=0.0)) / 10 ** (excess / 20)
    return np.asarray(np.clip(waveform, -limit, limit), np.float32)


def reverberate(waveform: Waveform, response: Waveform) -> Waveform:
    """Convolve with a room's impulse response; same length and level out as in."""
    size = len(waveform) + len(response) - 1
    wet = np.fft.irfft(np.fft.rfft(waveform, size) * np.fft.rfft(response, size), size)[: len(waveform)]
    power = float(np.mean(wet**2))
    return np.asarray(wet * np.sqrt(float(np.mean(waveform**2)) / power) if power else wet, np.float32)


def made_room(rng: np.random.Generator) -> Waveform:
    """Return an impulse response of decaying noise after the direct sound, of 0.1 to 0.5 s."""
    decay = rng.uniform(0.1, 0.5)
    time = np.arange(int(decay * SAMPLING_RATE)) / SAMPLING_RATE
    tail = rng.standard_normal(len(time)) * np.exp(-6.9 * time / decay) * rng.uniform(0.01, 0.08)
    tail[0] = 1.0
    return np.asarray(tail, np.float32)


def telephone(waveform: Waveform, rng: np.random.Generator, *, gsm: bool = False) -> Waveform:
    """Pass through an 8 kHz telephone line (300–3400 Hz), µ-law or GSM 06.10, at times a noisy one.

    Same length out as in; the level before the codec varies, since quiet lines are coarser.
    """
    narrow = np.asarray(soxr.resample(waveform, SAMPLING_RATE, SAMPLING_RATE / 2), np.float32)
    narrow = band_pass(narrow, 300.0, 3400.0, SAMPLING_RATE / 2)
    peak = float(np.abs(narrow).max(initial=0.0)) or 1.0
    level = 10 ** rng.uniform(-1.2, -0.1) / peak
    narrow = narrow * level
    if rng.random() < 0.5:
        narrow = add_noise(narrow, rng.uniform(12, 35), rng)
    coded = gsm_codec(narrow) if gsm else mu_law(narrow)
    wide = np.asarray(soxr.resample(coded / level, SAMPLING_RATE / 2, SAMPLING_RATE), np.float32)
    return fitted(wide, len(waveform))


def at_phone_rate(waveform: Waveform, codec: Callable[[Waveform], Waveform] | None = None) -> Waveform:
    """Resample to 8 kHz and back, through a codec if one is given; cut off at full scale."""
    narrow = np.clip(soxr.resample(waveform, SAMPLING_RATE, PHONE_RATE), -1, 1).astype(np.float32)
    coded = narrow if codec is None else codec(narrow)
    return fitted(np.asarray(soxr.resample(coded, PHONE_RATE, SAMPLING_RATE), np.float32), len(waveform))


def mu_law(waveform: Waveform) -> Waveform:
    """Quantise to 8 bits by µ-law companding and back, at any rate."""
    clipped = np.clip(waveform, -1, 1)
    compressed = np.sign(clipped) * np.log1p(MU * np.abs(clipped)) / np.log1p(MU)
    coarse = np.round(compressed * 127.5) / 127.5
    return np.asarray(np.sign(coarse) * np.expm1(np.abs(coarse) * np.log1p(MU)) / MU, np.float32)


def a_law(waveform: Waveform) -> Waveform:
    """Quantise to 8 bits by the A-law of G.711 and back, by the codec in soundfile's library, at any rate."""
    return _through(np.clip(waveform, -1, 1), SAMPLING_RATE, "WAV", "ALAW")[: len(waveform)]


def gsm_codec(waveform: Waveform) -> Waveform:
    """Code and decode with GSM 06.10 at 8 kHz, by the codec in soundfile's library."""
    return _through(waveform, PHONE_RATE, "WAV", "GSM610")


def opus(waveform: Waveform, bit_rate: int) -> Waveform:
    """Code and decode with Opus, about `bit_rate` bits a second, from 6,000 up."""
    # NOTE libsndfile takes no rate: its level stands for 6,000 at 1 up to 256,000 at 0.
    level = 1 - (bit_rate - 6_000) / 250_000
    coded = _through(np.clip(waveform, -1, 1), SAMPLING_RATE, "OGG", "OPUS", compression_level=level)
    return fitted(coded, len(waveform))


def mp3(waveform: Waveform, level: float) -> Waveform:
    """Code and decode with MP3 at a constant rate.

    Args:
        waveform: mono, 16 kHz.
        level: libsndfile's, from 0 up to 0.99: 0.8 is 40 kbit/s, 0.85 32, 0.9 24, 0.95 16 and 0.98 8.
    """
    controls = {"compression_level": level, "bitrate_mode": "CONSTANT"}
    coded = _through(np.clip(waveform, -1, 1), SAMPLING_RATE, "MP3", "MPEG_LAYER_III", **controls)
    # NOTE from 40 kbit/s up a frame has room for the tag by which the decoder takes the delay out itself.
    late = 0 if len(coded) == len(waveform) else MP3_DELAY
    return fitted(coded[late:], len(waveform))


def _through(waveform: Waveform, rate: int, kind: str, subtype: str, **controls: object) -> Waveform:
    file = io.BytesIO()
    soundfile.write(file, waveform, rate, format=kind, subtype=subtype, **controls)
    file.seek(0)
    return np.asarray(soundfile.read(file, dtype="float32")[0], np.float32)


def lose_packets(waveform: Waveform, share: float, rng: np.random.Generator) -> Waveform:
    """Lose some of the packets of 20 ms, wherever they are; the one that came before is heard again.

    So do the simplest receivers; silence stands where none came before.

    Args:
        waveform: mono, 16 kHz.
        share: of the packets that are lost, [0, 1].
        rng: of which they are.
    """
    count = -(-len(waveform) // PACKET)
    lost = rng.choice(count, int(share * count + rng.random()), replace=False)
    packets = fitted(waveform, count * PACKET).reshape(count, PACKET)
    heard = np.arange(count)
    heard[lost] = -1
    heard = np.maximum.accumulate(heard)
    return np.where(heard[:, None] < 0, np.float32(0), packets[heard]).reshape(-1)[: len(waveform)]


def add_noise(
    waveform: Waveform, snr: float, rng: np.random.Generator, noise: Waveform | None = None
) -> Waveform:
    """Add noise, white where none is given, at a signal-to-noise ratio in dB."""
    if noise is None:
        noise = rng.standard_normal(len(waveform)).astype(np.float32)
    else:
        start = int(rng.integers(len(noise)))
        noise = np.take(noise, np.arange(start, start + len(waveform)), mode="wrap")
    power = float(np.mean(waveform**2)) or 1e-10
    own = float(np.mean(noise**2)) or 1e-10
    return np.asarray(waveform + noise * np.sqrt(power / own / 10 ** (snr / 10)), np.float32)


def pink_noise(length: int, rng: np.random.Generator) -> Waveform:
    """Return noise of equal power in every octave above 20 Hz, at level 1 (RMS), (length,)."""
    size = max(length, SAMPLING_RATE)  # a short stretch holds no low octaves of its own
    spectrum = np.fft.rfft(rng.standard_normal(size))
    spectrum /= np.sqrt(np.maximum(np.fft.rfftfreq(size, 1 / SAMPLING_RATE), 20.0))
    spectrum[0] = 0
    return _at_level_one(np.fft.irfft(spectrum, size)[:length])


def babble(clips: Sequence[Waveform], length: int, rng: np.random.Generator) -> Waveform:
    """Return voices that talk at once, equally loud, each from anywhere in its clip, (length,).

    Args:
        clips: of the voices, one of each; short ones are repeated.
        length: in samples.
        rng: of where they begin.
    """
    total = np.zeros(length)
    for clip in clips:
        start = int(rng.integers(len(clip)))
        total += np.take(_at_level_one(clip), np.arange(start, start + length), mode="wrap")
    return np.asarray(total, np.float32)


def made_babble(waveform: Waveform, rng: np.random.Generator) -> Waveform:
    """Return what stands for babble where no voices are at hand, as long as a waveform.

    Streams of noise with the long-term spectrum of the waveform itself, each swelling at the rate of
    syllables (below 4 Hz).
    """
    count = len(waveform)
    frequency = np.fft.rfftfreq(count, 1 / SAMPLING_RATE)
    heard, power = welch(waveform, SAMPLING_RATE, nperseg=min(512, count))
    loudness = np.sqrt(np.interp(frequency, heard, power))
    total = np.zeros(count)
    for _ in range(MUMBLERS):
        stream, swell = (np.fft.rfft(rng.standard_normal(count)) for _ in range(2))
        total += np.fft.irfft(stream * loudness, count) * np.fft.irfft(swell * (frequency < 4.0), count) ** 2
    return np.asarray(total, np.float32)


def band_pass(waveform: Waveform, low: float, high: float, rate: float) -> Waveform:
    """Filter to a band in Hz, with gentle edges, in the frequency domain; clips are short."""
    spectrum = np.fft.rfft(waveform)
    frequency = np.fft.rfftfreq(len(waveform), 1 / rate)
    gain = 1 / (1 + (low / np.maximum(frequency, 1e-3)) ** 8) / (1 + (frequency / high) ** 24)
    return np.asarray(np.fft.irfft(spectrum * gain, len(waveform)), np.float32)


def fitted(waveform: Waveform, length: int) -> Waveform:
    """Cut to a length in samples, or fill up with silence."""
    whole = np.zeros(length, np.float32)
    count = min(len(waveform), length)
    whole[:count] = waveform[:count]
    return whole


def at_level_of(waveform: Waveform, other: Waveform) -> Waveform:
    """Return the other waveform at the level (RMS) of the first; silence stays silence."""
    return np.asarray(
        _at_level_one(other) * np.sqrt(np.mean(np.square(waveform, dtype=np.float64))), np.float32
    )


def _at_level_one(waveform: NDArray[np.floating]) -> Waveform:
    level = float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))
    return np.asarray(waveform / (level or 1.0), np.float32)


def read_sounds(folder: Path) -> list[Waveform]:
    """Return the WAV and FLAC files of a folder in the order of their names, as mono at 16 kHz.

    Raises:
        MmserError: if there are none, or one cannot be read, is empty or silent.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "is not there"
        raise MmserError(f"{folder} {what}; give a folder of recordings, WAV or FLAC, or leave it out")
    files = sorted(folder.iterdir())
    found = [_read(path) for path in files if path.suffix.lower() in (".wav", ".flac")]
    if not found:
        raise MmserError(
            f"{folder} holds no WAV or FLAC files; give another folder of recordings, or leave it out"
        )
    return found


def _read(path: Path) -> Waveform:
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise MmserError(f"{path} cannot be read ({error}); take it out of the folder") from error
    mono = samples.mean(1)
    if not len(mono) or not np.isfinite(mono).all() or not mono.any():
        raise MmserError(f"{path} is empty, silent, or holds samples that are no numbers; take it out")
    return np.asarray(mono if rate == SAMPLING_RATE else soxr.resample(mono, rate, SAMPLING_RATE), np.float32)
