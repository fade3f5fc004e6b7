"""Recordings: decode, resample to 16 kHz, keep channels apart, read by seconds, never whole."""

from mmser.audio.files import SAMPLING_RATE
from mmser.audio.measure import encode_mp3, find_twin_channels, waveform_envelope
from mmser.audio.source import AudioSource, open_recording

__all__ = [
    "SAMPLING_RATE",
    "AudioSource",
    "encode_mp3",
    "find_twin_channels",
    "open_recording",
    "waveform_envelope",
]
