"""Timelines of long turns: what is heard, when, and what is not."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmser.errors import UsageError
from mmser.pipeline import EmotionPipeline
from mmser.report.document import from_json, to_json
from mmser.timeline import Windows, is_default, judge_sounds, make_timelines, window_starts
from mmser.types import Transcript, Turn
from tests.call_fixtures import RATE, voice, wav_bytes
from tests.model_fixtures import tiny_model, wav2vec2_options

LENGTH = 12.0
LONG = Turn(id="t1", start=0.5, end=9.5, speaker="Customer", role="customer", text="so angry")
SHORT = Turn(id="t2", start=9.6, end=11.5, speaker="Customer", role="customer", text="thank you")
AGENT = Turn(id="t3", start=0.5, end=9.5, speaker="Agent", role="agent", text="yes i am so sad")


def made(*turns: Turn) -> Transcript:
    return Transcript(turns=turns, format="made")


@pytest.fixture(scope="module")
def sound() -> bytes:
    low = voice(LENGTH, ((0.0, 5.0),), pitch=110, seed=1)
    return wav_bytes(low + voice(LENGTH, ((5.0, LENGTH),), pitch=260, seed=2))


@given(
    duration=st.floats(0.0, 100.0),
    lengths=st.sampled_from([(1.0, 0.5), (2.0, 0.5), (1.5, 1.5), (0.25, 0.1)]),
)
def test_windows_lie_inside_the_turn_and_leave_less_than_a_hop(duration, lengths):
    windows = Windows(window=lengths[0], hop=lengths[1])
    starts = window_starts(duration, windows)
    assert all(0 <= start <= duration - windows.window + 1e-5 for start in starts)
    assert starts == [number * windows.hop for number in range(len(starts))]
    if duration >= windows.window:
        assert starts and duration - (starts[-1] + windows.window) < windows.hop + 1e-5
    else:
        assert len(starts) <= (windows.window - duration < 1e-5)


@pytest.mark.parametrize(
    ("window", "hop"), [(0.0, 0.5), (30.0, 0.5), (1.0, 0.0), (1.0, 2.0), (math.nan, 0.5)]
)
def test_impossible_windows_are_refused(window: float, hop: float):
    with pytest.raises(UsageError, match="cannot be made; windows take"):
        Windows(window=window, hop=hop)


def test_a_long_turn_has_a_timeline_and_a_short_one_says_why_not(pipeline: EmotionPipeline, sound: bytes):
    report = pipeline(sound, transcript=made(LONG, SHORT))
    long, short = report.turns
    assert long.timeline is not None and "timeline" not in long.reasons
    assert long.timeline.times[0] == 1.5 and long.timeline.times[-1] == 8.5
    assert len(long.timeline.times) == 15
    courses = np.array(list(long.timeline.probabilities.values()))
    assert tuple(long.timeline.probabilities) == report.model.labels
    assert courses.sum(0) == pytest.approx(1.0, abs=1e-3)
    assert short.timeline is None and "shorter than 4 s" in short.reasons["timeline"]
    assert from_json(to_json(report)) == report


def test_the_same_call_gives_the_same_bytes(pipeline: EmotionPipeline, sound: bytes):
    first, second = (to_json(pipeline(sound, transcript=made(LONG, SHORT))) for _ in range(2))
    assert first == second


def test_each_window_is_judged_as_a_clip_of_its_own(pipeline: EmotionPipeline, sound: bytes):
    (turn,) = pipeline(sound, transcript=made(LONG)).turns
    assert turn.timeline is not None
    wave = (voice(LENGTH, ((0.0, 5.0),), pitch=110, seed=1)
            + voice(LENGTH, ((5.0, LENGTH),), pitch=260, seed=2))  # fmt: skip
    piece = wave[round(3.0 * RATE) : round(5.0 * RATE)]
    clip = pipeline.predict_clips([wav_bytes(piece)])[0]
    assert clip.audio_only is not None
    place = turn.timeline.times.index(4.0)
    for label, course in turn.timeline.probabilities.items():
        # Resampled from 8 kHz within the call or alone: the window's edges differ by a few samples.
        assert course[place] == pytest.approx(clip.audio_only.probabilities[label], abs=0.03)


def test_withheld_turns_have_no_timeline(pipeline: EmotionPipeline, sound: bytes):
    turns = made(dataclasses.replace(LONG, channel=1), dataclasses.replace(AGENT, channel=0))
    quiet = voice(LENGTH, ((0.5, 9.5),), pitch=180, seed=4)
    both = wav_bytes(quiet, quiet[::-1].copy())
    report = pipeline(both, transcript=turns, roles=("agent", "customer"))
    by_role = {turn.role: turn for turn in report.turns}
    assert by_role["customer"].timeline is not None
    assert by_role["agent"].timeline is None and by_role["agent"].reasons["timeline"] == "withheld"
    allowed = pipeline(both, transcript=turns, roles=("agent", "customer"), agent_reason="safety")
    assert all(turn.timeline is not None for turn in allowed.turns)


def test_without_sound_or_without_being_asked_there_is_none(pipeline: EmotionPipeline, sound: bytes):
    (words,) = pipeline(None, transcript=made(LONG)).turns
    assert words.timeline is None and words.reasons["timeline"] == "no sound was used"
    (unasked,) = pipeline(sound, transcript=made(LONG), timeline=False).turns
    assert unasked.timeline is None and "asked for" in unasked.reasons["timeline"]
    (asked,) = pipeline(sound, transcript=made(LONG)).turns
    plain = dataclasses.replace(
        asked, timeline=None, reasons=asked.reasons | {"timeline": unasked.reasons["timeline"]}
    )
    assert plain == unasked  # the rest of the turn does not depend on it


def test_digital_silence_inside_a_turn_leaves_a_gap(pipeline: EmotionPipeline):
    gapped = wav_bytes(voice(LENGTH, ((0.0, 4.0), (7.0, LENGTH)), pitch=120, seed=3))
    (turn,) = pipeline(gapped, transcript=made(dataclasses.replace(LONG, start=0.0, end=LENGTH))).turns
    assert turn.timeline is not None
    assert not [time for time in turn.timeline.times if 5.1 < time < 5.9]
    assert all(not 5.1 < change.time < 5.9 for change in turn.timeline.changes)
    mostly = wav_bytes(voice(LENGTH, ((0.0, 0.1),), pitch=120, seed=3))
    (little,) = pipeline(mostly, transcript=made(dataclasses.replace(LONG, start=0.0))).turns
    assert little.timeline is None and "too little" in little.reasons["timeline"]


def test_sound_is_read_one_batch_at_a_time(pipeline: EmotionPipeline):
    asked: list[float] = []

    def read(start: float, end: float, channel: int) -> np.ndarray:
        asked.append(end - start)
        return (
            np.random.default_rng(round(start * 1000))
            .standard_normal(round((end - start) * 16_000))
            .astype(np.float32)
        )

    turn = dataclasses.replace(LONG, start=0.0, end=60.0, channel=0)
    found = make_timelines(
        [turn], wanted=lambda _: True, read=read, model=pipeline.model, processor=pipeline.processor
    )
    assert len(found["t1"].times) == 117 and max(asked) <= 30.0
    assert (
        make_timelines(
            [turn], wanted=lambda _: False, read=read, model=pipeline.model, processor=pipeline.processor
        )
        == {}
    )


def test_a_slow_encoder_makes_timelines_only_when_asked():
    assert is_default(tiny_model())
    assert not is_default(tiny_model(**wav2vec2_options()))


def test_rows_do_not_depend_on_their_batch(pipeline: EmotionPipeline):
    rng = np.random.default_rng(0)
    sounds = [rng.standard_normal(16_000).astype(np.float32) * 0.1 for _ in range(3)]
    together = judge_sounds(sounds, pipeline.model, pipeline.processor)
    alone = np.concatenate([judge_sounds([s], pipeline.model, pipeline.processor) for s in sounds])
    assert together == pytest.approx(alone, abs=1e-5)


@pytest.mark.data
def test_a_real_call_has_timelines_of_its_customer_alone(data_dir: Path):
    folder = data_dir / "calls" / "aws_lca"
    files = [folder / f"Auto_Repairs_40_UTC_{side}.wav" for side in ("agent", "caller")]
    report = EmotionPipeline.from_pretrained()(
        files, transcribe=False, roles=("agent", "customer"), start=0.0, end=90.0
    )
    long = [turn for turn in report.turns if turn.timeline is not None]
    assert long and all(turn.role == "customer" for turn in long)
    for turn in long:
        assert turn.timeline is not None and turn.start is not None and turn.end is not None
        assert all(turn.start < change.time < turn.end for change in turn.timeline.changes)
