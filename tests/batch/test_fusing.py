"""Rows of many calls, judged together: the same answers as one call after another."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from mmser.batch.fusing import Fuser, Judged
from mmser.batch.reading import End, Part, Reader, Rows
from mmser.batch.records import CallRow
from mmser.model import DialogueState
from mmser.pipeline import EmotionPipeline
from mmser.scoring import limits_of
from mmser.types import Prediction
from tests.batch.small_batches import settings, write_calls


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[CallRow]:
    return write_calls(tmp_path_factory.mktemp("calls"), 8)


@pytest.fixture(scope="module")
def parts(rows: list[CallRow], pipeline: EmotionPipeline, model_dir: Path) -> list[list[Part]]:
    """What is read of each call."""
    reader = make_reader(pipeline, model_dir)
    return [list(reader.read(row)) for row in rows]


def make_reader(pipeline: EmotionPipeline, model_dir: Path, **options: object) -> Reader:
    return Reader(
        settings=settings(model_dir, **options),
        dataset=None,
        count_tokens=pipeline.processor.count_tokens,
        limits=limits_of(pipeline.model.config),
        languages_read=pipeline.info.languages,
        timelines=True,
    )


def give(fuser: Fuser, key: int, part: Part) -> None:
    if isinstance(part, Rows):
        fuser.add(key, part.rows)
    elif isinstance(part, End):
        fuser.close(key)
    else:
        fuser.add_course(key, part)


def judge(
    pipeline: EmotionPipeline, calls: list[list[Part]], batch_seconds: float, seed: int
) -> dict[int, Judged]:
    """Judge calls whose parts arrive mixed, with steps in between."""
    fuser = Fuser(pipeline.model, pipeline.processor, batch_seconds=batch_seconds)
    draw, found = random.Random(seed), {}
    left = {key: list(parts) for key, parts in enumerate(calls)}
    for key in left:
        fuser.open(key)
    while left:
        key = draw.choice(sorted(left))
        give(fuser, key, left[key].pop(0))
        if not left[key]:
            del left[key]
        if draw.random() < 0.3:
            fuser.step()
            found.update(fuser.finished())
    while fuser.step():
        found.update(fuser.finished())
    found.update(fuser.finished())
    return found


def numbers(said: Prediction) -> list[float]:
    found = list(said.emotion.probabilities.values())
    found += [] if said.intensity is None else [said.intensity.value]
    found += [] if said.change is None else [said.change.probability]
    for side in (said.audio_only, said.text_only):
        found += [] if side is None else list(side.probabilities.values())
    return found


def farthest(one: dict[str, Prediction], other: dict[str, Prediction]) -> float:
    """The largest difference of logarithms of probabilities, which logits differ by at least as much as."""
    assert one.keys() == other.keys()
    pairs = [(numbers(one[key]), numbers(other[key])) for key in one]
    return max(float(np.abs(np.log(a) - np.log(b)).max()) for a, b in pairs)


@pytest.fixture(scope="module")
def alone(rows: list[CallRow], parts: list[list[Part]], pipeline: EmotionPipeline) -> list[Judged]:
    return [judge(pipeline, [own], 30.0, 0)[0] for own in parts]


@pytest.mark.parametrize("batch_seconds", [1.0, 20.0, 500.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_calls_judged_together_get_the_answers_of_each_alone(
    pipeline: EmotionPipeline, parts: list[list[Part]], alone: list[Judged], batch_seconds: float, seed: int
):
    together = judge(pipeline, parts, batch_seconds, seed)
    assert sorted(together) == list(range(len(parts)))
    for key, judged in together.items():
        assert farthest(judged.predictions, alone[key].predictions) < 1e-4
        assert judged.timelines.keys() == alone[key].timelines.keys()
        for turn, timeline in judged.timelines.items():
            other = alone[key].timelines[turn]
            assert timeline.times == other.times
            for label, course in timeline.probabilities.items():
                assert course == pytest.approx(other.probabilities[label], abs=1e-5)


def test_a_batch_says_what_the_pipeline_says(
    pipeline: EmotionPipeline, rows: list[CallRow], alone: list[Judged]
):
    for row, judged in zip(rows, alone, strict=True):
        report = pipeline(row.audio[0], transcript=row.transcript, roles=("agent", "customer"))
        scored = {turn.id: turn for turn in report.turns if turn.emotion is not None}
        assert scored.keys() == judged.predictions.keys()
        for key, turn in scored.items():
            said = judged.predictions[key].emotion.probabilities
            assert list(turn.emotion.probabilities.values()) == pytest.approx(list(said.values()), abs=1e-4)
            assert (turn.timeline is None) == (key not in judged.timelines)


def test_a_call_with_more_turns_than_a_batch_is_fused_before_it_ends(
    pipeline: EmotionPipeline, parts: list[list[Part]]
):
    rows = [row for part in parts[0] if isinstance(part, Rows) for row in part.rows] * 60
    fuser = Fuser(pipeline.model, pipeline.processor, batch_seconds=60.0)
    fuser.open(0)
    fuser.add(0, rows)
    while fuser.step():
        pass
    assert len(fuser._calls[0].rows) < 64  # the rest waits for the end, which nothing has told of yet
    fuser.close(0)
    assert fuser.step() == 0
    ((_, judged),) = fuser.finished()
    assert judged.predictions


def test_nothing_of_a_finished_or_dropped_call_is_kept(pipeline: EmotionPipeline, parts: list[list[Part]]):
    fuser = Fuser(pipeline.model, pipeline.processor, batch_seconds=20.0)
    for key in (0, 1):
        fuser.open(key)
        for part in parts[key]:
            give(fuser, key, part)
    waited = fuser.waiting_seconds
    dropped = fuser.drop(1)
    assert 0 < dropped < waited and fuser.waiting_seconds == pytest.approx(waited - dropped)
    while fuser.step():
        pass
    assert [key for key, _ in fuser.finished()] == [0]
    assert fuser.waiting_seconds == 0 and len(fuser._state.dialogue_key) == 0
    assert len(fuser._state.memory_key) == 0 and len(fuser._state.speaker_key) == 0


def test_a_call_without_any_row_is_finished_at_once(pipeline: EmotionPipeline):
    fuser = Fuser(pipeline.model, pipeline.processor, batch_seconds=20.0)
    fuser.open(3)
    fuser.close(3)
    assert fuser.step() == 0
    assert [(key, judged.predictions) for key, judged in fuser.finished()] == [(3, {})]


def test_a_state_without_a_dialogue_keeps_the_rows_of_the_others(pipeline: EmotionPipeline):
    def state(dialogues: list[int]) -> DialogueState:
        batch = pipeline.processor(
            text=["i am angry", "no", "yes", "fine"][: len(dialogues)],
            dialogue_ids=dialogues,
            speaker_ids=[0] * len(dialogues),
            roles=["customer"] * len(dialogues),
        )
        found = pipeline.model.predict(**batch).state
        assert found is not None
        return found

    kept = state([5, 7, 5, 7]).without(torch.tensor([7]))
    assert set(kept.dialogue_key.tolist()) == {5} and set(kept.memory_key[:, 0].tolist()) == {5}
    assert kept.speaker_key[:, 0].tolist() == [5] and len(kept.memory_embedding) == len(kept.memory_key)
    assert kept.without(torch.tensor([5])).dialogue_length.tolist() == []
