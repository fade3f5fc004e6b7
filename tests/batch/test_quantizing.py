"""`--quantize int8`: nearly the same answers."""

import numpy as np
import soundfile

from mmser.audio import open_recording
from mmser.batch.judging import quantized
from mmser.loading import load_model
from tests.test_readme import SAMPLE


def test_eight_bits_hardly_move_the_answers_of_the_bundled_model():
    model, processor, _ = load_model(None)
    length = soundfile.info(SAMPLE / "call.wav").duration
    with open_recording(SAMPLE / "call.wav") as source:
        clips = [source.read(start, start + 3.0, 1) for start in np.arange(1.0, length - 3.0, 9.0)]
    batch = processor(audio=clips, text=["where is my parcel"] * len(clips), sampling_rate=16_000)
    before = model.predict(**batch)
    after = quantized(model).predict(**batch)
    for name in ("emotion", "audio_only", "text_only"):
        assert float((getattr(after, name) - getattr(before, name)).abs().max()) < 0.05, name
    assert not bool((after.emotion == before.emotion).all())  # something was quantised
