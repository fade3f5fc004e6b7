"""Single clips through the pipeline."""

import dataclasses

import numpy as np
import pytest

from mmser.errors import MmserError, UsageError
from mmser.pipeline import EmotionPipeline
from mmser.transcripts import read_transcript
from tests.call_fixtures import (
    RATE,
    voice,
    wav_bytes,
)


def test_clips_are_judged_each_by_itself(pipeline: EmotionPipeline):
    one, two = (wav_bytes(voice(2.0, ((0.0, 2.0),), pitch=p, seed=5)) for p in (110, 240))
    both = pipeline.predict_clips([one, two], ["so angry", None])
    assert [clip.modalities for clip in both] == [("audio", "text"), ("audio",)]
    (alone,) = pipeline.predict_clips([two])
    assert dataclasses.replace(alone, clip="clip 2") == both[1]


def test_a_broken_clip_is_reported_and_the_rest_go_on(pipeline: EmotionPipeline):
    good = wav_bytes(voice(2.0, ((0.0, 2.0),), pitch=110, seed=5))
    bad, fine = pipeline.predict_clips([b"no sound at all", good])
    assert bad.error and bad.emotion is None
    assert fine.emotion is not None and fine.error is None


def test_a_clip_of_several_channels_is_never_mixed(pipeline: EmotionPipeline):
    loud, quiet = (voice(2.0, ((0.0, 2.0),), pitch=p, seed=5) for p in (110, 240))
    (stereo,) = pipeline.predict_clips([wav_bytes(0.01 * quiet, loud)])
    (mono,) = pipeline.predict_clips([wav_bytes(loud)])
    assert stereo.channel == 1 and stereo.warnings
    assert stereo.emotion == mono.emotion


def test_a_silent_clip_has_a_reason_instead_of_an_answer(pipeline: EmotionPipeline):
    (clip,) = pipeline.predict_clips([wav_bytes(np.zeros(RATE, np.float32))])
    assert clip.emotion is None and "silence" in clip.reasons["emotion"]


def test_texts_must_match_clips(pipeline: EmotionPipeline):
    with pytest.raises(UsageError, match="1 texts are given for 2 clips"):
        pipeline.predict_clips([b"a", b"b"], ["x"])
    with pytest.raises(MmserError):
        pipeline.predict_clips([])


def test_reading_a_transcript_first_makes_no_difference(pipeline: EmotionPipeline, report, call):
    read = read_transcript(call[1])
    again = pipeline(call[0], transcript=read, roles=("agent", "customer"))
    assert again.turns == report.turns
