"""The engine of Ray against the one of this machine, on a real cluster of several processes."""

import contextlib
import dataclasses
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from mmser.batch.local import LocalEngine, WorkerError
from mmser.batch.place import Place
from mmser.batch.ray_book import Book
from mmser.batch.ray_engine import RayEngine
from mmser.batch.records import BatchInput, CallResult, CallRow
from mmser.batch.run import run_batch
from mmser.batch.settings import Settings
from mmser.pipeline import EmotionPipeline
from mmser.types import ModelInfo

# As the engine does before it imports Ray: else Ray writes a token into the home folder.
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", "0" * 64)
pytest.importorskip("ray", reason="ray is not installed")

import ray

from mmser.batch.ray_pipeline import Plan, flow
from mmser.batch.ray_stages import Carried, JudgeStage, ReadStage, Work
from tests.ray_fixtures import DeadlyStage, StillbornStage

TOLERANCE = 1e-4  # of probabilities: how calls are put together in batches is rounded differently


@pytest.fixture(scope="module")
def info(pipeline: EmotionPipeline) -> ModelInfo:
    return pipeline.info


@pytest.fixture(scope="module")
def settings(model_dir: Path) -> Settings:
    return Settings(model_folder=str(model_dir), speaker_roles={}, transcribe=False)


@pytest.fixture(scope="module")
def engine(settings: Settings, info: ModelInfo) -> Iterator[RayEngine]:
    """One cluster for all; calls are read by two processes and judged by one."""
    with RayEngine(settings, info, workers=2, models=1) as opened:
        yield opened


def rows_of(call: tuple[Path, Path], count: int) -> tuple[CallRow, ...]:
    audio, transcript = map(str, call)
    # Every third has words alone, every fifth sound alone with its roles.
    return tuple(
        CallRow(
            id=f"call-{number:02d}",
            audio=() if number % 3 == 2 else (audio,),
            transcript=transcript,
            channel_roles=None if number % 3 == 2 else ("agent", "customer"),
            columns={"number": number},
        )
        for number in range(count)
    )


def bad_rows() -> tuple[CallRow, ...]:
    return (
        CallRow(id="missing", audio=("/nowhere/call.wav",)),
        CallRow(id="refused", problem="line 7 names no recording"),
    )


def by_id(results: Sequence[CallResult]) -> dict[str, CallResult]:
    found = {result.id: result for result in results}
    assert len(found) == len(results), "a call came twice"
    return found


def assert_close(ours: object, theirs: object) -> None:
    if isinstance(ours, float) and isinstance(theirs, float):
        assert ours == pytest.approx(theirs, abs=TOLERANCE)
    elif isinstance(ours, dict) and isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        for name in ours:
            assert_close(ours[name], theirs[name])
    elif isinstance(ours, list | tuple) and isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_close(one, other)
    else:
        assert ours == theirs


def workers_named(stage: str) -> list[psutil.Process]:
    """Return the processes of this session's cluster that do a stage."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if stage in " ".join(process.cmdline()):
                found.append(process)
    return found


# --- without a cluster -----------------------------------------------------------------------------------


def test_book_counts_what_was_begun_and_not_ended():
    book = Book()
    book.begin(["a", "b"])
    book.end(["b"])
    book.blame("a", "it fell over")
    assert [(begun.times, begun.why) for begun in book.begin(["a", "b"])] == [(1, "it fell over"), (0, None)]
    book.end(["a", "b"])
    assert [(begun.times, begun.why) for begun in book.begin(["a", "b"])] == [(0, None), (0, None)]


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_cluster_that_does_not_answer_is_named_at_once(settings: Settings, info: ModelInfo, scheme: str):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # bound, and nobody listens
        address = f"{scheme}127.0.0.1:{free.getsockname()[1]}"
        with (
            pytest.raises(WorkerError, match="no Ray cluster answers at"),
            RayEngine(settings, info, address=address),
        ):
            pass


@pytest.mark.parametrize(
    ("device", "asr_device", "transcribe", "model_gpus", "reader_gpus", "gpus"),
    [
        ("cpu", "cpu", True, 0.0, 0.0, 0),
        ("cuda", "cpu", True, 1.0, 0.0, 2),
        ("cuda", "cuda", False, 1.0, 0.0, 2),
        ("cuda", "cuda", True, 0.6, 0.2, 2),  # four readers share with two models: two on each GPU
        ("cpu", "cuda:0", True, 0.0, 1.0, 4),
    ],
)
def test_gpus_are_shared_so_that_each_holds_one_model(
    settings: Settings,
    info: ModelInfo,
    device: str,
    asr_device: str,
    transcribe: bool,
    model_gpus: float,
    reader_gpus: float,
    gpus: int,
):
    plan = Plan(
        settings=dataclasses.replace(settings, device=device, asr_device=asr_device, transcribe=transcribe),
        info=info,
        dataset=None,
        workers=4,
        models=2,
    )
    assert (plan.model_gpus, plan.gpus, plan.cpus) == (model_gpus, gpus, 6)
    assert plan.reader_gpus == pytest.approx(reader_gpus, abs=1e-3)
    assert plan.model_gpus + 2 * plan.reader_gpus <= 1 or not model_gpus


# --- on a cluster ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_ray_says_of_good_and_bad_calls_what_this_machine_says(
    engine: RayEngine, settings: Settings, info: ModelInfo, call: tuple[Path, Path]
):
    rows = (*rows_of(call, 9), *bad_rows())
    with LocalEngine(settings, info, workers=1, models=1) as local:
        wanted = by_id(list(local.run(rows)))
    found = by_id(list(engine.run(rows)))
    assert found.keys() == wanted.keys() == {row.id for row in rows}
    for key, result in found.items():
        assert (result.status, result.error) == (wanted[key].status, wanted[key].error)
        assert_close([result.call, result.turns], [wanted[key].call, wanted[key].turns])
    assert engine.spent["encoding"] > 0 and engine.spent["opening"] > 0


@pytest.mark.slow
def test_long_call_that_is_read_where_it_is_judged_comes_out_the_same(
    engine: RayEngine, settings: Settings, info: ModelInfo, call: tuple[Path, Path]
):
    assert engine.workers == 2  # the cluster runs
    small = dataclasses.replace(settings, batch_seconds=1.0)  # it steps while it reads
    work = Work(settings=small, info=info, dataset=None, book=ray.remote(Book).options(num_cpus=0).remote())
    carried = [Carried(row=row, folder="") for row in rows_of(call, 3)]
    reader, judge = ReadStage(work), JudgeStage(work)
    assert reader.reader is not None
    read = [dataclasses.replace(one, parts=tuple(reader.reader.read(one.row))) for one in carried]
    unread = {one.row.id: one.result for one in judge.judged(carried)}
    assert unread.keys() == {row.row.id for row in carried}
    for one in judge.judged(read):
        other = unread[one.row.id]
        assert one.result is not None and other is not None and one.result.status == "done"
        assert_close([one.result.call, one.result.turns], [other.call, other.turns])


@pytest.mark.slow
def test_stopped_batch_goes_on_where_it_was(
    engine: RayEngine, settings: Settings, info: ModelInfo, call: tuple[Path, Path]
):
    given = BatchInput(rows=rows_of(call, 12), columns={"number": "int"})
    place = Place(f"memory://ray-{os.getpid()}")

    def half(rows: Sequence[CallRow]) -> Iterator[CallResult]:
        for number, result in enumerate(engine.run(rows)):
            if number == 5:
                raise KeyboardInterrupt
            yield result

    with pytest.raises(KeyboardInterrupt):
        run_batch(given, place, settings, info, half)
    outcome = run_batch(given, place, settings, info, engine.run)
    assert outcome.progress.before == 5
    assert outcome.progress.done == 7
    assert not outcome.failed


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["ReadStage", "JudgeStage"])
def test_worker_that_is_killed_costs_no_call(engine: RayEngine, call: tuple[Path, Path], stage: str):
    rows = rows_of(call, 40)
    results = []
    killed = False
    for result in engine.run(rows):
        results.append(result)
        if not killed:
            victims = workers_named(stage)
            assert victims
            victims[0].send_signal(signal.SIGKILL)
            killed = True
    found = by_id(results)
    assert found.keys() == {row.id for row in rows}
    assert {result.status for result in results} == {"done"}


@pytest.mark.slow
def test_call_that_ends_its_process_each_time_is_given_up_and_the_others_are_done(
    engine: RayEngine, settings: Settings, info: ModelInfo, call: tuple[Path, Path]
):
    assert engine.workers == 2  # the cluster runs
    rows = rows_of(call, 6)
    rows = (*rows[:3], dataclasses.replace(rows[0], id="deadly"), *rows[3:])
    plan = Plan(settings=settings, info=info, dataset=None, workers=1, models=1)
    blocks = list(flow(rows, [""] * len(rows), plan, judging=DeadlyStage))
    results = by_id([call.result for block in blocks for call in block if call.result is not None])
    assert results.keys() == {row.id for row in rows}
    deadly = results.pop("deadly")
    assert deadly.status == "failed" and "also when it was tried again" in str(deadly.error)
    assert {result.status for result in results.values()} == {"done"}


@pytest.mark.slow
def test_workers_that_cannot_begin_say_so_in_the_end(
    engine: RayEngine, settings: Settings, info: ModelInfo, call: tuple[Path, Path]
):
    assert engine.workers == 2  # the cluster runs
    plan = Plan(settings=settings, info=info, dataset=None, workers=1, models=1)
    (block,) = flow(rows_of(call, 1), [""], plan, judging=StillbornStage)
    assert "ended 3 times before it could begin" in str(block[0].unable)


@pytest.mark.slow
def test_model_that_is_not_there_is_one_sentence(
    engine: RayEngine, settings: Settings, call: tuple[Path, Path]
):
    gone = dataclasses.replace(settings, model_folder="/nowhere/model")
    with (
        RayEngine(gone, engine.info, workers=1, models=1) as other,
        pytest.raises(WorkerError, match="/nowhere/model"),
    ):
        list(other.run(rows_of(call, 2)))


@pytest.mark.slow
def test_reports_are_written_beside_the_results(
    settings: Settings, info: ModelInfo, engine: RayEngine, call: tuple[Path, Path], tmp_path: Path
):
    wanted = dataclasses.replace(settings, reports=True)
    with RayEngine(
        wanted, info, workers=1, models=1, report_folder=lambda key: f"{tmp_path}/reports/{key}"
    ) as other:
        results = list(other.run(rows_of(call, 2)))
    assert [result.warnings for result in results if "report" in " ".join(result.warnings)] == []
    assert sorted(path.name for path in (tmp_path / "reports").iterdir()) == ["call-00", "call-01"]
    assert (tmp_path / "reports" / "call-00" / "report.html").is_file()
