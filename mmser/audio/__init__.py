"""Recordings: decode, resample to 16 kHz, keep channels apart, read by seconds, never whole."""

from mmser.audio.files import SAMPLING_RATE
from mmser.audio.measure import (
    WaveformSummary,
    encode_mp3,
    find_twin_channels,
    rms_dbfs,
    summarize_waveform,
    waveform_envelope,
)
from mmser.audio.source import AudioSource, open_recording

__all__ = [
    "SAMPLING_RATE",
    "AudioSource",
    "WaveformSummary",
    "encode_mp3",
    "find_twin_channels",
    "open_recording",
    "rms_dbfs",
    "summarize_waveform",
    "waveform_envelope",
]
