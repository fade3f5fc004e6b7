"""What a worker process reads of a call: parts of bounded size, and nothing that is withheld."""

from pathlib import Path

import numpy as np
import pytest

from mmser.batch.reading import PART_SECONDS, End, Rows
from mmser.batch.records import CallRow
from mmser.errors import AudioError, TranscriptError, UsageError
from mmser.pipeline import EmotionPipeline
from mmser.timeline import Course
from tests.batch.small_batches import clock, write_calls
from tests.batch.test_fusing import make_reader
from tests.call_fixtures import RATE, voice, wav_bytes


@pytest.fixture(scope="module")
def row(tmp_path_factory: pytest.TempPathFactory) -> CallRow:
    return write_calls(tmp_path_factory.mktemp("calls"), 1)[0]


def test_the_sound_of_a_long_call_leaves_in_parts_of_half_a_minute(
    tmp_path: Path, pipeline: EmotionPipeline, model_dir: Path
):
    seconds, turn = 300.0, 6.0
    spans = tuple((float(start), start + turn) for start in np.arange(0, seconds - turn, turn))
    sound = voice(seconds, spans, pitch=120, seed=3)
    (tmp_path / "long.wav").write_bytes(wav_bytes(sound, sound * 0))
    cues = [f"{clock(s)} --> {clock(e)}\n<v Ann>yes i am\n" for s, e in spans]
    (tmp_path / "long.vtt").write_text("WEBVTT\n\n" + "\n".join(cues), "utf-8")
    row = CallRow(id="long", audio=(str(tmp_path / "long.wav"),), transcript=str(tmp_path / "long.vtt"))
    reader = make_reader(pipeline, model_dir, channel_roles=("customer", "agent"))
    parts = list(reader.read(row))
    rows = [part for part in parts if isinstance(part, Rows)]
    longest = max(sum(one.num_samples for one in part.rows) for part in rows) / 16_000
    assert longest <= PART_SECONDS + turn and len(rows) >= seconds / (PART_SECONDS + turn) - 1
    assert sum(isinstance(part, Course) for part in parts) == len(spans)
    assert isinstance(parts[-1], End) and parts[-1].found.recording.duration == pytest.approx(seconds)


def test_the_sound_of_an_agent_is_in_no_part(row: CallRow, pipeline: EmotionPipeline, model_dir: Path):
    heard = {True: 0, False: 0}
    for part in make_reader(pipeline, model_dir).read(row):
        for one in part.rows if isinstance(part, Rows) else ():
            heard[one.turn.role == "agent"] += one.num_samples
    assert heard[True] == 0 and heard[False] > RATE


def test_the_roles_of_a_row_come_before_those_of_the_batch(
    row: CallRow, pipeline: EmotionPipeline, model_dir: Path
):
    other = CallRow(**{**vars(row), "channel_roles": ("customer", "agent")})
    *_, end = make_reader(pipeline, model_dir).read(other)
    assert end.found.call.channels == {0: "customer", 1: "agent"}


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"audio": ("nowhere.wav",)}, AudioError, "nowhere.wav does not exist"),
        ({"transcript": "nowhere.vtt"}, TranscriptError, "nowhere.vtt"),
        ({"channel_roles": ("agent",)}, UsageError, "2 channels"),
    ],
)
def test_a_call_that_cannot_be_read_says_why(
    row: CallRow,
    pipeline: EmotionPipeline,
    model_dir: Path,
    change: dict[str, object],
    error: type[Exception],
    words: str,
):
    with pytest.raises(error, match=words):
        list(make_reader(pipeline, model_dir).read(CallRow(**{**vars(row), **change})))
