"""Voice activity by channel, and what leaks in from another."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from mmser.audio import AudioSource, open_recording
from mmser.speech import FRAME, _speech_probabilities, find_all_speech, find_speech

SAMPLE = Path(__file__).parents[1] / "mmser" / "assets" / "sample" / "call.wav"


def recorded(samples: np.ndarray, rate: int = 16_000) -> AudioSource:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV", subtype="FLOAT")
    return open_recording(buffer.getvalue())


@pytest.mark.parametrize("level", [0.0, 1e-4, 0.05])
def test_silence_and_noise_hold_no_speech(level: float) -> None:
    noise = level * np.random.default_rng(0).standard_normal((16_000 * 8, 2))
    with recorded(noise) as source:
        assert find_all_speech(source).stretches == {0: [], 1: []}


def test_ten_milliseconds_hold_no_speech() -> None:
    with recorded(np.full(160, 0.1)) as source:
        assert find_speech(source, 0) == []


def test_block_probabilities_equal_the_stock_detector() -> None:
    from silero_vad import load_silero_vad

    with open_recording(SAMPLE) as source:
        samples = source.read(0, 12.0, 1)
    samples = samples[: len(samples) // FRAME * FRAME]
    stock = load_silero_vad()
    stock.reset_states()
    with torch.inference_mode():
        expected = [stock(frame, 16_000).item() for frame in torch.from_numpy(samples).view(-1, FRAME)]
    cut = 100 * FRAME
    ours = _speech_probabilities([samples[:cut], samples[cut:]])
    assert max(expected) > 0.9 and min(expected) < 0.1
    np.testing.assert_allclose(ours, expected, atol=1e-4)


def test_progress_rises_to_one() -> None:
    seen: list[float] = []
    with open_recording(SAMPLE) as source:
        find_all_speech(source, progress=seen.append)
    assert seen == sorted(seen) and seen[-1] == 1.0 and len(seen) > 4


def test_a_part_is_searched_on_the_clock_of_the_whole() -> None:
    with open_recording(SAMPLE) as source:
        whole = find_speech(source, 0)
        end = source.end
    with open_recording(SAMPLE, start=20.0, end=50.0) as source:
        part = find_speech(source, 0)
    inside = [(s, e) for s, e in whole if s > 21 and e < 49]
    assert end > 50.0 and inside and all(20.0 <= s < e <= 50.0 for s, e in part)
    for stretch in inside:
        assert any(abs(stretch[0] - s) < 0.1 and abs(stretch[1] - e) < 0.1 for s, e in part)


@pytest.mark.data
@pytest.mark.parametrize(("party", "stretches", "seconds"), [("agent", 23, 92), ("caller", 49, 95)])
def test_speech_on_a_real_call(data_dir: Path, party: str, stretches: int, seconds: float) -> None:
    with open_recording(data_dir / "calls" / "aws_lca" / f"Auto_Repairs_40_UTC_{party}.wav") as source:
        found = find_speech(source, 0, min_silence=0.1)
    assert len(found) == pytest.approx(stretches, abs=4)
    assert sum(end - start for start, end in found) == pytest.approx(seconds, rel=0.06)


@pytest.mark.parametrize(("decibels", "tolerance"), [(-10, 0.15), (-20, 0.07), (-30, 0.03)])
def test_a_voice_that_leaks_into_the_other_channel_is_not_its_partys(
    decibels: float, tolerance: float
) -> None:
    samples, rate = soundfile.read(SAMPLE)
    with recorded(samples, rate) as source:
        clean = find_all_speech(source)
    leaking = samples + 10 ** (decibels / 20) * samples[:, ::-1]
    with recorded(leaking, rate) as source:
        found = find_all_speech(source)
    for channel in (0, 1):
        before = sum(end - start for start, end in clean.stretches[channel])
        after = sum(end - start for start, end in found.stretches[channel])
        assert clean.leaked[channel] < 1
        assert after == pytest.approx(before, rel=tolerance)


@pytest.mark.data
def test_hardly_anything_leaks_on_a_real_call_with_a_line_for_each_party(data_dir: Path) -> None:
    folder = data_dir / "calls" / "aws_lca"
    paths = [folder / f"Auto_Repairs_40_UTC_{party}.wav" for party in ("agent", "caller")]
    with open_recording(*paths) as source:
        assert max(find_all_speech(source).leaked.values()) < 1
