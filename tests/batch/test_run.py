"""One run of a batch: what is done, what is refused, what is told."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow.parquet
import pytest

from mmser.batch.holding import HOLDER, holding
from mmser.batch.place import Place
from mmser.batch.records import BatchInput, CallResult, CallRow
from mmser.batch.run import Outcome, run_batch
from mmser.batch.run_info import read_run
from mmser.batch.settings import Settings
from mmser.batch.status import read_status
from mmser.batch.store import read_manifest
from mmser.errors import OutputError
from mmser.types import ModelInfo
from tests.batch.small_batches import COLUMNS, INFO, made_result, settings

Engine = Callable[[Iterable[CallRow]], Iterator[CallResult]]


def rows(count: int, **change: object) -> tuple[CallRow, ...]:
    return tuple(
        CallRow(
            **{"id": f"call {number}", "audio": (f"{number}.wav",), "columns": {"queue": "sales"}} | change
        )
        for number in range(count)
    )


def engine(*failing: int, seen: list[str] | None = None, sound: int | None = None) -> Engine:
    """An engine that makes results up; calls of the numbers in `failing` fail."""

    def run(todo: Iterable[CallRow]) -> Iterator[CallResult]:
        for row in todo:
            number = int(row.id.split()[1])
            if seen is not None:
                seen.append(row.id)
            result = made_result(number, status="failed" if number in failing else "done")
            yield dataclasses.replace(result, audio_sha256="5" * 64) if sound == number % 3 else result

    return run


def run(
    out: Path,
    work: Engine,
    given: tuple[CallRow, ...],
    *,
    options: Settings | None = None,
    info: ModelInfo = INFO,
    fail_fast: bool = False,
) -> Outcome:
    return run_batch(
        BatchInput(rows=given, columns=COLUMNS),
        Place(out),
        options or settings(Path("model")),
        info,
        work,
        fail_fast=fail_fast,
    )


def test_what_is_done_is_not_done_again_and_what_failed_is(tmp_path: Path):
    out, seen = tmp_path / "out", []
    first = run(out, engine(1, seen=seen), rows(3))
    assert (first.progress.done, first.progress.failed) == (2, 1)
    assert [line.id for line in first.failed] == ["call 1"]
    second = run(out, engine(seen=seen), rows(4))
    assert seen == ["call 0", "call 1", "call 2", "call 1", "call 3"]
    assert (second.progress.before, second.progress.done, second.failed) == (2, 2, ())
    assert [line.id for line in read_manifest(Place(out))] == [f"call {n}" for n in range(4)]


def test_a_run_that_breaks_off_leaves_what_it_finished(tmp_path: Path):
    def breaking(todo: Iterable[CallRow]) -> Iterator[CallResult]:
        yield made_result(0)
        raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run(out, breaking, rows(2))
    assert read_status(Place(out)).num_done == 1 and not (out / HOLDER).exists()
    assert pyarrow.parquet.read_table(out / "calls").num_rows == 1  # to be read meanwhile
    seen: list[str] = []
    run(out, engine(seen=seen), rows(2))
    assert seen == ["call 1"]


def test_the_first_failure_can_stop_the_run(tmp_path: Path):
    seen: list[str] = []
    outcome = run(tmp_path / "out", engine(1, seen=seen), rows(5), fail_fast=True)
    assert outcome.stopped and seen == ["call 0", "call 1"]
    assert read_status(Place(tmp_path / "out")).num_left == 3


def test_a_run_with_nothing_to_do_leaves_what_is_told_of_the_last(tmp_path: Path):
    out = tmp_path / "out"
    run(out, engine(), rows(2))
    before = read_run(Place(out))
    assert run(out, engine(), rows(2)).progress.before == 2
    assert read_run(Place(out)) == before


def test_recordings_under_several_ids_are_told(tmp_path: Path):
    outcome = run(tmp_path / "out", engine(sound=1), rows(6))
    assert outcome.same_audio == (("call 1", "call 4"),)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"info": dataclasses.replace(INFO, revision="1" * 64)}, "another model, or another calibration"),
        ({"options": settings(Path("model"), channel_roles=("customer",))}, "another --roles"),
        ({"options": settings(Path("model"), quantize="int8")}, "another --quantize"),
        ({"options": settings(Path("model"), rules="rules: []")}, "another file of --rules"),
    ],
)
def test_another_model_or_option_is_refused_and_told(tmp_path: Path, change: dict[str, object], told: str):
    out = tmp_path / "out"
    run(out, engine(), rows(1))
    with pytest.raises(OutputError, match=f"was begun with {told}.*another OUT"):
        run(out, engine(), rows(1), **change)


def test_how_the_work_is_done_may_change(tmp_path: Path):
    out = tmp_path / "out"
    run(out, engine(), rows(1))
    other = settings(Path("elsewhere"), batch_seconds=600.0, threads=4, device="cuda")
    assert run(out, engine(), rows(2), options=other).progress.before == 1


@pytest.mark.parametrize("change", [{"audio": ("other.wav",)}, {"columns": {"queue": "billing"}}])
def test_another_row_under_a_known_id_is_refused(tmp_path: Path, change: dict[str, object]):
    out = tmp_path / "out"
    run(out, engine(), rows(3))
    with pytest.raises(
        OutputError, match=r"'call 0', 'call 1', 'call 2' in .* were analysed with other rows"
    ):
        run(out, engine(), rows(3, **change))


def test_a_folder_with_other_files_is_refused_and_left_as_it_was(tmp_path: Path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(OutputError, match="holds other files and no batch"):
        run(tmp_path, engine(), rows(1))
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["letter.txt"]


@pytest.mark.parametrize("kind", ["folder", "memory"])
def test_the_second_run_is_told_who_holds_the_folder(tmp_path: Path, kind: str):
    place = Place(tmp_path / "out" if kind == "folder" else f"memory://held/{tmp_path.name}")
    with (
        holding(place),
        pytest.raises(OutputError, match=r"held by another run \(process \d+ on .*, since 20"),
    ):
        run_batch(BatchInput(rows=rows(1)), place, settings(Path("model")), INFO, engine())


def test_a_place_where_nothing_can_be_written_is_told_before_the_work(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    seen: list[str] = []
    for out in (tmp_path / "file", tmp_path / "file" / "out", Path("/proc/nothing")):
        with pytest.raises(OutputError, match="cannot be written"):
            run(out, engine(seen=seen), rows(1))
    assert seen == []


def test_what_the_run_was_stands_beside_its_results(tmp_path: Path):
    out = tmp_path / "out"
    run(out, engine(), rows(2))
    told = read_run(Place(out))
    assert told.model == INFO and told.num_analysed == 2 and told.sound_seconds == 20.0
    assert told.options["channel_roles"] == ["agent", "customer"] and "EU AI Act" in told.notice
    (first, _) = read_manifest(Place(out))
    assert first.config_hash == told.config_hash and first.model_revision == INFO.revision


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"schema": "mmser.batch/9"}', '{"schema": "mmser.batch/1"}']
)
def test_a_damaged_or_newer_folder_is_told(tmp_path: Path, text: str):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(OutputError, match=r"run\.json (is damaged|has schema)"):
        run(tmp_path, engine(), rows(1))


def test_calls_of_another_input_are_not_counted_as_done_of_this_one(tmp_path: Path):
    out = tmp_path / "out"
    run(out, engine(), rows(3))
    others = tuple(dataclasses.replace(row, id=f"call {n + 10}") for n, row in enumerate(rows(2)))

    def looking(todo: Iterable[CallRow]) -> Iterator[CallResult]:
        assert read_status(Place(out)).num_left == 2
        yield made_result(10)
        yield made_result(11)

    run(out, looking, others)
    assert read_status(Place(out)).num_left == 0


def test_status_reads_while_another_is_at_work(tmp_path: Path):
    out = tmp_path / "out"

    def looking(todo: Iterable[CallRow]) -> Iterator[CallResult]:
        yield made_result(0)
        found = read_status(Place(out))
        assert (found.num_done, found.num_left) == (1, 1) and found.held_by is not None and found.running
        json.dumps(found.to_dict())
        yield made_result(1, status="failed")

    run(out, looking, rows(2))
    found = read_status(Place(out))
    assert (found.num_done, found.num_failed, found.num_left, found.held_by) == (1, 1, 0, None)
