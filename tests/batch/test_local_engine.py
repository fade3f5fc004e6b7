"""Worker processes of this machine: the rows of the pipeline, and what becomes of those that are killed."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from mmser.batch.local import LocalEngine, WorkerError, _Job, _ModelProcess
from mmser.batch.records import CallResult, CallRow
from mmser.batch.tables import call_table_row, turn_table_rows
from mmser.pipeline import EmotionPipeline
from tests.batch.small_batches import clock, settings, write_calls
from tests.call_fixtures import RATE, voice


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[CallRow]:
    return write_calls(tmp_path_factory.mktemp("calls"), 6, longest=5.0)


DEADLY = "call002"


def rounded(row: dict[str, object]) -> dict[str, object]:
    """A row with numbers as coarse as different batches let them be."""
    return {name: pytest.approx(v, abs=2e-4) if isinstance(v, float) else v for name, v in row.items()}


def test_worker_processes_give_the_rows_of_the_pipeline_and_bad_calls_say_why(
    rows: list[CallRow], pipeline: EmotionPipeline, model_dir: Path, tmp_path: Path
):
    (tmp_path / "text.wav").write_text("no sound")
    bad = [
        CallRow(id="missing", audio=(str(tmp_path / "no.wav"),)),
        CallRow(id="text", audio=(str(tmp_path / "text.wav"),)),
        CallRow(id="problem", problem="line 7 has no audio; give it"),
    ]
    mixed = [bad[0], *rows[:3], bad[1], *rows[3:], bad[2]]
    reports = tmp_path / "reports"
    options = settings(model_dir, reports=True, batch_seconds=20.0)
    with LocalEngine(
        options, pipeline.info, workers=2, models=1, report_folder=lambda key: f"{reports}/{key}"
    ) as engine:
        found = {result.id: result for result in engine.run(mixed)}
        children = [one.process for one in (*engine._readers, *engine._models)]
    assert found.keys() == {row.id for row in mixed}
    for row in rows:
        report = pipeline(row.audio[0], transcript=row.transcript, roles=("agent", "customer"))
        result = found[row.id]
        assert result.status == "done" and result.call is not None
        assert rounded(call_table_row(report, row)) == result.call
        for one, other in zip(turn_table_rows(report, row.id), result.turns, strict=True):
            assert rounded(one) == other
        assert (reports / row.id / "report.html").is_file() and (reports / row.id / "report.json").is_file()
    assert found["missing"].error == f"{tmp_path / 'no.wav'} does not exist; check the path of the recording"
    assert "is not audio that can be read" in str(found["text"].error)
    assert found["problem"].error == "line 7 has no audio; give it"
    assert {"encoding", "fusing", "opening", "writing reports"} <= engine.spent.keys()
    assert not any(child.is_alive() for child in children)


def test_calls_that_break_off_in_the_middle_do_not_stall_those_after_them(
    rows: list[CallRow], pipeline: EmotionPipeline, model_dir: Path, tmp_path: Path
):
    sound = voice(40.0, tuple((float(s), s + 1.5) for s in range(0, 38, 2)), pitch=150, seed=9)
    soundfile.write(tmp_path / "whole.flac", np.stack([sound, sound], 1), RATE)
    content = bytearray((tmp_path / "whole.flac").read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4000] = bytes(4000)
    cues = [f"{clock(s)} --> {clock(s + 1.5)}\n<v Customer>i am so angry</v>\n" for s in range(0, 38, 2)]
    (tmp_path / "words.vtt").write_text("WEBVTT\n\n" + "\n".join(cues), "utf-8")
    damaged = []
    for number in range(8):
        (tmp_path / f"{number}.flac").write_bytes(content)
        damaged.append(
            CallRow(
                id=f"damaged {number}",
                audio=(str(tmp_path / f"{number}.flac"),),
                transcript=str(tmp_path / "words.vtt"),
            )
        )
    options = settings(model_dir, batch_seconds=5.0, channel_roles=("customer", "customer"))
    with LocalEngine(options, pipeline.info, workers=2, models=1) as engine:
        found = {result.id: result for result in engine.run([*damaged, *rows[:2]])}
    assert len(found) == 10 and all(found[row.id].status == "done" for row in rows[:2])
    assert {found[row.id].status for row in damaged} <= {"failed", "done"}
    assert any("is damaged after" in str(found[row.id].error) for row in damaged)


def killing(engine: LocalEngine, results: Iterator[CallResult], which: str) -> dict[str, CallResult]:
    """Take results; after the first, kill one process that works."""
    found: dict[str, CallResult] = {}
    killed = False
    for result in results:
        assert result.id not in found
        found[result.id] = result
        processes = engine._models if which == "model" else engine._readers
        if not killed and processes[0].ready:
            os.kill(processes[0].process.pid or 0, signal.SIGKILL)
            killed = True
    assert killed
    return found


@pytest.mark.parametrize("which", ["reader", "model"])
def test_calls_survive_the_death_of_a_process(
    rows: list[CallRow], pipeline: EmotionPipeline, model_dir: Path, which: str
):
    with LocalEngine(settings(model_dir), pipeline.info, workers=1, models=1) as engine:
        found = killing(engine, engine.run(rows), which)
    assert {result.status for result in found.values()} == {"done"} and len(found) == len(rows)


def test_a_call_that_kills_whatever_works_on_it_is_given_up_and_the_others_go_on(
    rows: list[CallRow], pipeline: EmotionPipeline, model_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mmser.batch.local.judge_calls", deadly_judge_calls)
    with LocalEngine(settings(model_dir), pipeline.info, workers=1, models=1) as engine:
        found = {result.id: result for result in engine.run(rows[:5])}
    failed = {key: result for key, result in found.items() if result.status == "failed"}
    assert list(failed) == [DEADLY] and len(found) == 5
    assert "was killed by signal 9, also when it was tried again" in str(failed[DEADLY].error)
    assert "--workers" in str(failed[DEADLY].error)


def deadly_judge_calls(pipe: object, scratch: object, options: object, info: object) -> None:
    """Hold the model as ever, and die where one call comes: as when memory runs out."""
    from mmser.batch import processes
    from mmser.batch.judging import Judge

    begin = Judge.begin

    def dying(self: Judge, key: int, row: CallRow) -> None:
        if row.id == DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
        begin(self, key, row)

    Judge.begin = dying  # type: ignore[method-assign]
    processes.judge_calls(pipe, scratch, options, info)  # type: ignore[arg-type]


def test_a_report_that_cannot_be_written_fails_its_call_and_temporary_files_go(
    rows: list[CallRow], pipeline: EmotionPipeline, model_dir: Path, tmp_path: Path
):
    (tmp_path / "reports").write_text("a file where a folder should be")
    options = settings(model_dir, reports=True)
    with LocalEngine(options, pipeline.info, report_folder=lambda key: f"{tmp_path}/reports/{key}") as engine:
        (result,) = engine.run(rows[:1])
        scratch = Path(str(engine._scratch))
        assert scratch.is_dir()
    assert result.status == "failed" and "its report could not be written" in str(result.error)
    assert not scratch.exists()


def test_new_calls_go_to_the_model_with_the_fewest(pipeline: EmotionPipeline, model_dir: Path):
    engine = LocalEngine(settings(model_dir), pipeline.info, models=3)
    ours, _ = multiprocessing.Pipe()
    dead = multiprocessing.Process()
    engine._models = [_ModelProcess(dead, ours, place, ready=True) for place in range(3)]
    for key in range(6):
        model = engine._model_for(_Job(CallRow(id=str(key))))
        assert model is not None
        model.open[key] = _Job(CallRow(id=str(key)))
    assert [len(model.open) for model in engine._models] == [2, 2, 2]


def test_a_model_that_cannot_be_loaded_is_told_once(
    rows: list[CallRow], pipeline: EmotionPipeline, tmp_path: Path
):
    with (
        LocalEngine(settings(tmp_path / "nothing"), pipeline.info, workers=1, models=1) as engine,
        pytest.raises(WorkerError, match="nothing"),
    ):
        list(engine.run(rows))


def test_no_process_is_left_where_results_are_not_taken_to_the_end(
    rows: list[CallRow], pipeline: EmotionPipeline, model_dir: Path
):
    with LocalEngine(settings(model_dir), pipeline.info, workers=1, models=1) as engine:
        next(iter(engine.run(rows)))
        pids = [one.process.pid or 0 for one in (*engine._readers, *engine._models)]
    assert not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids)
