"""What is said of spliced calls, with boundaries and without."""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmser.data import Example
from mmser.data.speech import ravdess_examples
from mmser.errors import AudioError, DataError
from mmser.evaluation.scores.change_points import Matches, match_points
from mmser.evaluation.spliced import (
    Answer,
    Heard,
    by_boundaries,
    by_windows,
    every_splice,
    hear,
    no_change,
    spliced_scores,
    timed,
    turn_argmax,
)
from mmser.evaluation.splices import SplicedCall, splice_calls
from mmser.pipeline import EmotionPipeline
from mmser.timeline import DEFAULT, Windows
from tests.evaluation.hummed_clips import hummed_clips

LABELS = ("anger", "neutral", "sadness")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    return hummed_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture
def heard() -> Heard:
    """Anger for 2 s and for 1 s, sadness for 3 s, of which the last is said to be a bit more neutral."""
    call = SplicedCall(
        speaker="a",
        waveform=np.zeros(6 * 16_000, np.float32),
        edges=(0.0, 2.0, 3.0, 4.0, 6.0),
        emotions=("anger", "anger", "sadness", "sadness"),
        clips=("1", "2", "3", "4"),
    )
    segments = np.array([[0.9, 0.1, 0.0], [0.4, 0.5, 0.1], [0.0, 0.1, 0.9], [0.0, 0.3, 0.7]])
    windows = Windows(window=1.0, hop=0.5, penalty=0.1, shortest=1.0)
    course = np.repeat([[0.9, 0.1, 0.0], [0.0, 0.1, 0.9]], [5, 6], axis=0)  # 11 windows of 1 s in 6 s
    return Heard(call=call, labels=LABELS, segments=segments, windows={windows: course})


def test_simple_rules_answer_as_they_are_called(heard):
    assert every_splice(heard).changes == (2.0, 3.0, 4.0)
    assert [label for *_, label in every_splice(heard).course] == ["anger", "neutral", "sadness", "sadness"]
    assert turn_argmax(heard) == Answer(changes=[2.0, 3.0], course=every_splice(heard).course)
    # Anger: 2 * 0.9 + 0.4 = 2.2; sadness: 0.1 + 0.9 + 2 * 0.7 = 2.4; neutral: 0.2 + 0.5 + 0.1 + 0.6 = 1.4.
    assert no_change(heard) == Answer(changes=[], course=[(0.0, 6.0, "sadness")])


def test_known_boundaries_are_changes_where_the_segments_differ(heard):
    # Hellinger distances: 0.41 at 2 s, 0.64 at 3 s, 0.17 at 4 s.
    assert by_boundaries(0.4)(heard).changes == [2.0, 3.0]
    answer = by_boundaries(0.5)(heard)
    assert answer.changes == [3.0]
    # Before 3 s anger has 2 * 0.9 + 0.4 of 3 s, neutral 2 * 0.1 + 0.5.
    assert answer.course == [(0.0, 3.0, "anger"), (3.0, 6.0, "sadness")]
    assert by_boundaries(1.0)(heard) == no_change(heard)


def test_unknown_boundaries_are_found_in_the_windows(heard):
    (plan,) = heard.windows
    # The last window of anger is about 2.5 s, the first of sadness about 3 s: the cut is halfway.
    assert by_windows(plan)(heard) == Answer(
        changes=[2.75], course=[(0.0, 2.75, "anger"), (2.75, 6.0, "sadness")]
    )
    assert by_windows(replace(plan, penalty=100.0))(heard).changes == []


def test_a_call_is_timed_by_its_splices(heard):
    (plan,) = heard.windows
    call = timed(heard, by_windows(plan))
    assert (call.group, call.duration, call.true_points, call.guessed_points) == ("a", 6.0, (3.0,), (2.75,))
    assert call.true_course == heard.call.stretches and call.compared is None


def test_segments_and_windows_are_each_heard_by_themselves(clips, pipeline: EmotionPipeline):
    call = next(splice_calls(clips, calls_per_speaker=1))
    plan = Windows(window=1.0, hop=0.5)
    heard = hear(call, pipeline.model, pipeline.processor, (DEFAULT, plan))
    assert heard.segments.shape == (len(call.emotions), 7)
    assert {p: len(rows) for p, rows in heard.windows.items()} == {
        p: int((call.duration - p.window) / p.hop) + 1 for p in (DEFAULT, plan)
    }
    assert heard.segments.sum(1) == pytest.approx(np.ones(len(call.emotions)), abs=1e-5)
    part = replace(
        call,
        waveform=call.waveform[: round(call.edges[2] * 16_000)],
        edges=call.edges[:3],
        emotions=call.emotions[:2],
    )
    alone = hear(part, pipeline.model, pipeline.processor, (plan,))
    assert alone.segments == pytest.approx(heard.segments[:2], abs=1e-4)


def test_scores_are_of_the_calls_that_the_seed_makes(clips, pipeline: EmotionPipeline):
    told: list[tuple[str, float, float]] = []
    scores = spliced_scores(
        clips,
        pipeline.model,
        pipeline.processor,
        calls_per_speaker=2,
        seed=3,
        progress=lambda *step: told.append(step),
    )
    calls = list(splice_calls(clips, calls_per_speaker=2, seed=3))
    assert (scores.of, scores.n, scores.eder.groups) == ("spliced calls", 4, 2)
    assert scores.true_points == sum(len(call.changes) for call in calls)
    assert scores.duration == pytest.approx(sum(call.duration for call in calls))
    assert told == [("splicing", done, 4) for done in (1, 2, 3, 4)]
    splices = sum((match_points(call.changes, call.splices, 0.5) for call in calls), Matches())
    assert scores.baselines["a change at every splice"]["f1_at_0.5"] == pytest.approx(splices.f1)
    assert scores.baselines["no change"]["f1_at_2"] == 0.0
    assert set(scores.given) == {"model", *scores.baselines}
    assert scores.given["model"].startswith("not told where the splices lie: it hears the sound alone")
    assert "windows of 2 s every 0.5 s" in scores.given["model"]
    assert scores.given["boundaries known"].startswith("told the splices")
    assert set(scores.baselines) == {
        "boundaries known",
        "a change at every splice",
        "no change",
        "turn-level argmax",
    }
    assert scores.left_out == {}


@pytest.mark.slow
def test_memory_does_not_grow_with_the_sound_of_all_calls(clips, pipeline: EmotionPipeline):
    def peak(calls: int) -> int:
        tracemalloc.start()
        spliced_scores(clips, pipeline.model, pipeline.processor, calls_per_speaker=calls, draws=100)
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    sound = sum(call.waveform.nbytes for call in splice_calls(clips, calls_per_speaker=20))
    assert peak(20) - peak(2) < sound / 4


def test_speakers_with_too_few_clips_are_left_out_and_named(clips, pipeline: EmotionPipeline):
    few = [c for c in clips if c.speaker == "a" or c.emotions == ("anger",)]
    unknown = [replace(c, emotions=("boredom",)) for c in clips if c.speaker == "b"]
    scores = spliced_scores([*few, *unknown], pipeline.model, pipeline.processor, calls_per_speaker=1)
    assert scores.n == 1
    assert list(scores.left_out) == ["b"] and "6 anger; give more clips" in scores.left_out["b"]
    with pytest.raises(DataError, match=r"no calls can be spliced: .* speaker b, who has 6 anger"):
        spliced_scores(
            [c for c in few if c.speaker == "b"], pipeline.model, pipeline.processor, calls_per_speaker=1
        )
    with pytest.raises(DataError, match="no clip has sound, a speaker and one label of the model's"):
        spliced_scores(unknown, pipeline.model, pipeline.processor)


def test_a_clip_that_cannot_be_read_is_named(clips, pipeline: EmotionPipeline, tmp_path: Path):
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    broken = [replace(c, audio=tmp_path / "broken.wav") for c in clips]
    with pytest.raises(AudioError, match=r"broken\.wav is not audio"):
        spliced_scores(broken, pipeline.model, pipeline.processor, calls_per_speaker=1)


@pytest.mark.data
def test_calls_of_unseen_actors_are_told_better_than_without_listening(data_dir: Path):
    default = EmotionPipeline.from_pretrained()
    actors = ravdess_examples(data_dir / "corpora" / "ravdess", {"validation": ["01", "11"]}, partial=True)
    own = [example for example in actors if example.split == "validation"]
    scores = spliced_scores(own, default.model, default.processor, calls_per_speaker=1)
    assert scores.eder.value < scores.baselines["no change"]["eder"]
    assert scores.baselines["boundaries known"]["f1_at_0.5"] > 50
