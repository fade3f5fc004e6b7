"""Labelled examples through a model: what is said is what the pipeline says in use."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mmser.data import Example
from mmser.data.calls import calls_examples
from mmser.errors import DataError
from mmser.evaluation.judged import Judged
from mmser.evaluation.judging import Given, judge
from mmser.evaluation.sounds import Sounds
from mmser.pipeline import EmotionPipeline
from tests.call_fixtures import RATE, voice, write_call


def said_of(pipeline: EmotionPipeline, examples: list[Example], **options: object) -> Judged:
    with Sounds() as sounds:
        return judge(pipeline.model, pipeline.processor, examples, sounds, **options)  # type: ignore[arg-type]


def clip(folder: Path, number: int, seconds: float = 1.5, **fields: object) -> Example:
    path = folder / f"{number}.wav"
    sound = voice(seconds, ((0.1, seconds - 0.1),), pitch=100 + 35 * number, seed=number)
    soundfile.write(path, sound, RATE)
    given = {"emotions": ("anger",), "text": "i am so angry"} | fields
    return Example(corpus="made", split="test", id=str(number), audio=path, **given)  # type: ignore[arg-type]


@pytest.fixture
def clips(tmp_path: Path) -> list[Example]:
    return [clip(tmp_path, i, 1.0 + 0.7 * i, speaker=f"made/{i % 2}") for i in range(5)]


def test_single_clips_are_answered_as_by_the_pipeline(pipeline: EmotionPipeline, clips: list[Example]):
    said = said_of(pipeline, clips)
    reports = pipeline.predict_clips([c.audio for c in clips], [c.text for c in clips], language="en")
    for row, report in zip(said.emotion, reports, strict=True):
        assert report.emotion is not None
        assert row == pytest.approx(list(report.emotion.probabilities.values()), abs=2e-4)
    intensities = [r.intensity.value for r in reports if r.intensity]
    assert said.intensity == pytest.approx(intensities, abs=2e-4)


def test_turns_of_a_call_are_answered_as_by_the_pipeline(pipeline: EmotionPipeline, tmp_path: Path):
    recording, transcript = write_call(tmp_path)
    labels = "recording,turn,emotion,role\ncall,t2,anger,customer\ncall,t4,sadness,customer\n"
    (tmp_path / "labels.csv").write_text(labels, "utf-8")
    said = said_of(pipeline, [replace(e, language="en") for e in calls_examples(tmp_path)])
    report = pipeline(recording, transcript=transcript, roles=("agent", "customer"), language="en")
    turns = {turn.id: turn for turn in report.turns}
    assert [e.id.rpartition("/")[2] for e in said.examples] == ["t2", "t4"]
    for name, row in zip(("t2", "t4"), said.emotion, strict=True):
        emotion = turns[name].emotion
        assert emotion is not None
        assert row == pytest.approx(list(emotion.probabilities.values()), abs=2e-4)
    change = turns["t4"].change
    assert change is not None and said.change[1] == pytest.approx(change.probability, abs=2e-4)
    assert np.isnan(said.change[0])  # of the customer's first turn


def test_neither_order_nor_company_changes_an_answer(pipeline: EmotionPipeline, clips: list[Example]):
    together = said_of(pipeline, clips)
    backwards = said_of(pipeline, clips[::-1])
    assert backwards.emotion[::-1] == pytest.approx(together.emotion, abs=1e-4)
    for number, one in enumerate(clips):
        assert said_of(pipeline, [one]).emotion[0] == pytest.approx(together.emotion[number], abs=1e-4)


def test_a_clip_longer_than_a_window_is_heard_to_its_end(pipeline: EmotionPipeline, tmp_path: Path):
    long = clip(tmp_path, 1, 50.0)
    (report,) = pipeline.predict_clips([long.audio], [long.text], language="en")
    said = said_of(pipeline, [long])
    assert report.emotion is not None and len(report.windows) > 1
    assert said.emotion[0] == pytest.approx(list(report.emotion.probabilities.values()), abs=2e-4)


def test_turns_without_a_label_are_context_and_nothing_else(pipeline: EmotionPipeline, clips: list[Example]):
    talk = [replace(c, dialogue_id="made/d", turn_index=i, speaker="made/a") for i, c in enumerate(clips)]
    context = [replace(talk[0], emotions=()), *talk[1:]]
    said = said_of(pipeline, context)
    assert [e.id for e in said.examples] == ["1", "2", "3", "4"]
    assert said.context == (context[0],)
    assert not np.isnan(said.change[0])  # the turn before it was heard
    without = said_of(pipeline, talk[1:])
    assert np.isnan(without.change[0]) and np.abs(without.emotion[0] - said.emotion[0]).max() > 1e-6
    alone = said_of(pipeline, talk, context=False)
    assert np.isnan(alone.change).all()


def test_turns_are_heard_in_their_order_whatever_that_of_the_rows(
    pipeline: EmotionPipeline, clips: list[Example]
):
    talk = [replace(c, dialogue_id="made/d", turn_index=i, speaker="made/a") for i, c in enumerate(clips)]
    assert said_of(pipeline, talk[::-1]).emotion[::-1] == pytest.approx(
        said_of(pipeline, talk).emotion, abs=1e-6
    )


def test_rows_that_cannot_be_used_are_named_with_the_reason(pipeline: EmotionPipeline, tmp_path: Path):
    good = clip(tmp_path, 1)
    broken, silent = tmp_path / "broken.wav", tmp_path / "silent.wav"
    broken.write_bytes(b"no sound at all")
    soundfile.write(silent, np.zeros(RATE), RATE)
    rows = [
        replace(good, id="broken", audio=broken),
        replace(good, id="silent", audio=silent, text=None),
        replace(good, id="late", start=30.0, end=31.0),
        good,
    ]
    said = said_of(pipeline, rows)
    assert [e.id for e in said.examples] == ["1"]
    assert set(said.left_out) == {"made/broken", "made/silent", "made/late"}
    assert "cannot be used" in said.left_out["made/broken"]
    assert "neither sound nor words" in said.left_out["made/silent"]
    assert "lasts no time" in said.left_out["made/late"]
    talk = [replace(row, dialogue_id="made/d", turn_index=i) for i, row in enumerate(rows)]
    said = said_of(pipeline, [*talk, replace(good, id="alone"), replace(good, id="elsewhere", emotions=())])
    assert [e.id for e in said.examples] == ["1", "alone"]
    assert [e.id for e in said.context] == ["broken", "silent", "late"]  # turns of a judged dialogue


def test_words_of_a_language_that_is_not_read_count_as_missing(pipeline: EmotionPipeline, tmp_path: Path):
    english = clip(tmp_path, 1, language="en")
    polish, wordless = replace(english, language="pl"), replace(english, text=None)
    said = said_of(pipeline, [english, replace(polish, id="2"), replace(wordless, id="3")])
    assert said.emotion[1] == pytest.approx(said.emotion[2], abs=1e-6)
    assert np.abs(said.emotion[0] - said.emotion[1]).max() > 1e-6


def test_agents_are_read_and_not_heard(pipeline: EmotionPipeline, tmp_path: Path):
    write_call(tmp_path)
    (tmp_path / "labels.csv").write_text("recording,turn,emotion,role\ncall,t2,anger,customer\n", "utf-8")
    rows = calls_examples(tmp_path)
    assert all(e.audio is None for e in rows if e.role == "agent")
    said = said_of(pipeline, rows)
    assert [e.role for e in said.examples] == ["customer"] and not said.left_out


def test_what_is_given_can_be_altered(pipeline: EmotionPipeline, clips: list[Example]):
    def mute(example: Example, given: Given) -> Given:
        return replace(given, waveform=None)

    said = said_of(pipeline, clips, alter=mute)
    read = said_of(pipeline, [replace(c, audio=None) for c in clips])
    assert said.emotion == pytest.approx(read.emotion, abs=1e-6)
    assert np.isnan(said.intensity).all()


def test_rows_without_any_label_are_refused(pipeline: EmotionPipeline, clips: list[Example]):
    with pytest.raises(DataError, match="none of the rows carries a label"):
        said_of(pipeline, [replace(c, emotions=()) for c in clips])
