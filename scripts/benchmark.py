#!/usr/bin/env python
"""Measure speed, memory and start-up of the default model beside a peer, in one run.

    python scripts/benchmark.py [--clips 24] [--seconds 4] [--threads 1]

The peer is the transformers audio-classification pipeline on a random-weight wav2vec2-base, on the
same clips. Speeds are seconds of audio per second of wall clock: compare them within one run only,
and repeat on a quiet machine before quoting them.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import torch

SAMPLE = Path(__file__).resolve().parent.parent / "mmser" / "assets" / "sample" / "call.wav"


def sample_clips(count: int, seconds: float) -> list[np.ndarray]:
    """Cut clips from the bundled call, at 16 kHz."""
    from mmser.audio import open_recording

    with open_recording(SAMPLE) as source:
        last = source.duration - seconds
        starts = np.linspace(0, last, count)
        return [source.read(float(s), float(s) + seconds, i % 2) for i, s in enumerate(starts)]


def speed(work: Callable[[], object], audio_seconds: float, repeats: int = 3) -> float:
    """Return the best of several runs as a multiple of real time, after one warm-up."""
    work()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return audio_seconds / min(times)


def peer() -> Callable[[list[np.ndarray]], object]:
    """Return the transformers pipeline on a random-weight wav2vec2-base."""
    from transformers import (
        AudioClassificationPipeline,
        Wav2Vec2Config,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForSequenceClassification,
    )

    model = Wav2Vec2ForSequenceClassification(Wav2Vec2Config(num_labels=7)).eval()
    pipe = AudioClassificationPipeline(model=model, feature_extractor=Wav2Vec2FeatureExtractor())
    return lambda clips: pipe([{"raw": c, "sampling_rate": 16_000} for c in clips])


def start_up(arguments: list[str]) -> float:
    """Return the wall-clock seconds of one command of the installed program."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-m", "mmser", *arguments], check=True, capture_output=True)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    from mmser import EmotionPipeline

    clips = sample_clips(options.clips, options.seconds)
    total = options.clips * options.seconds
    begun = time.perf_counter()
    pipeline = EmotionPipeline.from_pretrained()
    loading = time.perf_counter() - begun
    model, processor = pipeline.model, pipeline.processor
    text = "i have been waiting for three weeks and nobody calls me back"

    def batched(words: str | None) -> Callable[[], object]:
        batch = processor(audio=clips, text=[words] * len(clips), sampling_rate=16_000)
        return lambda: model.predict(**batch)

    def one_by_one(words: str | None) -> Callable[[], object]:
        batches = [processor(audio=[c], text=[words], sampling_rate=16_000) for c in clips]
        return lambda: [model.predict(**b) for b in batches]

    rows = {
        "mmser, sound, one by one": speed(one_by_one(None), total),
        "mmser, sound, batched": speed(batched(None), total),
        "mmser, sound and words, one by one": speed(one_by_one(text), total),
        "mmser, sound and words, batched": speed(batched(text), total),
    }
    own_memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with torch.inference_mode():
        other = peer()
        rows["transformers pipeline, wav2vec2-base, sound"] = speed(lambda: other(clips), total, repeats=2)
    base = rows["transformers pipeline, wav2vec2-base, sound"]
    print(f"{options.clips} clips of {options.seconds:g} s, {options.threads} thread(s)\n")
    print("| | × real time | against the peer |\n|---|---|---|")
    for name, value in rows.items():
        print(f"| {name} | {value:.1f} | {value / base:.1f} |")
    soundfile.write("/tmp/mmser-benchmark.wav", clips[0], 16_000)
    facts = {
        "model_loading_s": round(loading, 2),
        "peak_memory_mib_with_mmser_alone": round(own_memory),
        "version_s": round(start_up(["--version"]), 2),
        "predict_one_clip_s": round(start_up(["predict", "/tmp/mmser-benchmark.wav"]), 2),
    }
    print(json.dumps(facts, indent=2))


if __name__ == "__main__":
    main()
