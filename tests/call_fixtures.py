"""Small made calls: tones and noise where a person would speak, transcripts to match."""

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from mmser.speech import ChannelSpeech
from mmser.types import CallReport, TurnReport

Waveform = npt.NDArray[np.float32]
RATE = 8000

VTT = """WEBVTT

00:00:00.200 --> 00:00:01.800
<v Agent>thank you where is it</v>

00:00:02.000 --> 00:00:03.500
<v Customer>i am so angry my parcel is late</v>

00:00:03.700 --> 00:00:05.000
<v Agent>yes i am very sad</v>

00:00:05.200 --> 00:00:07.000
<v Customer>no refund it is so very late</v>

00:00:07.100 --> 00:00:07.900
<v Customer>thank you</v>
"""
AGENT_SPANS = ((0.2, 1.8), (3.7, 5.0))
CUSTOMER_SPANS = ((2.0, 3.5), (5.2, 7.0), (7.1, 7.9))


def voice(seconds: float, spans: tuple[tuple[float, float], ...], *, pitch: float, seed: int) -> Waveform:
    """Harmonics that waver, with noise, inside `spans`; silence elsewhere: (samples,) at 8 kHz."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    waver = pitch * (time + 0.01 * np.sin(2 * np.pi * 3 * time))
    tone = sum(np.sin(2 * np.pi * waver * k) / k for k in (1, 2, 3, 5)) + 0.1 * rng.standard_normal(len(time))
    gate = np.zeros(len(time))
    for start, end in spans:
        gate[round(start * RATE) : round(end * RATE)] = 0.1
    return np.asarray(tone * gate, dtype=np.float32)


def agent_voice(seconds: float = 8.0) -> Waveform:
    return voice(seconds, AGENT_SPANS, pitch=180, seed=1)


def customer_voice(seconds: float = 8.0) -> Waveform:
    return voice(seconds, CUSTOMER_SPANS, pitch=110, seed=2)


def wav_bytes(*channels: Waveform, rate: int = RATE, subtype: str = "PCM_16") -> bytes:
    target = io.BytesIO()
    soundfile.write(target, np.stack(channels, axis=1), rate, format="WAV", subtype=subtype)
    return target.getvalue()


def write_call(folder: Path) -> tuple[Path, Path]:
    """Write a stereo call, agent left and customer right, and its transcript."""
    folder.mkdir(parents=True, exist_ok=True)
    recording, transcript = folder / "call.wav", folder / "call.vtt"
    recording.write_bytes(wav_bytes(agent_voice(), customer_voice()))
    transcript.write_text(VTT, "utf-8")
    return recording, transcript


def given_speech(monkeypatch: pytest.MonkeyPatch, spans: dict[int, list[tuple[float, float]]]) -> None:
    """The made tones are no speech, so the detector's stretches are given."""
    monkeypatch.setattr(
        "mmser.calls.find_all_speech", lambda source, progress: ChannelSpeech(stretches=spans)
    )


def turns_of(report: CallReport, role: str) -> list[TurnReport]:
    return [turn for turn in report.turns if turn.role == role]


def probabilities_of(report: CallReport) -> list[list[float]]:
    return [list(turn.emotion.probabilities.values()) for turn in report.turns if turn.emotion]
