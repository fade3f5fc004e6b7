"""`mmser batch forget`: no trace is left."""

import dataclasses
from pathlib import Path

import pytest

from mmser.batch import forgetting
from mmser.batch.forgetting import PENDING, forget
from mmser.batch.holding import holding
from mmser.batch.place import Place
from mmser.batch.records import BatchInput
from mmser.batch.run import run_batch
from mmser.batch.run_info import describe_run, write_run
from mmser.batch.store import Store, report_folder
from mmser.errors import OutputError, UsageError
from tests.batch.small_batches import COLUMNS, INFO, made_result, schemas, settings
from tests.batch.test_store import keep, require_whole


@pytest.fixture(params=["folder", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    place = Place(tmp_path / "out" if request.param == "folder" else f"memory://forget/{tmp_path.name}")
    write_run(place, describe_run(BatchInput(rows=(), columns=COLUMNS), settings(tmp_path), INFO))
    store = Store(place, schemas())
    for number in range(4):
        keep(store, made_result(number))
    keep(store, made_result(4, status="failed"))
    store.close([f"call {number}" for number in range(5)])
    place.write(f"{report_folder('call 2')}/report.html", b"<p>call 2</p>")
    place.write("summary/summary.html", b"<p>call 2</p>")
    return place


def everything(place: Place) -> bytes:
    names = ["manifest.jsonl", *place.names("turns", ".parquet"), *place.names("calls", ".parquet")]
    return b"".join(place.read(name) or b"" for name in names)


def test_no_byte_of_a_forgotten_call_is_left(place: Place):
    gone = forget(place, ["call 2", "call 4"])
    assert (gone.calls, gone.turns, gone.reports, gone.summary) == (1, 2, 1, True)
    require_whole(place, {"call 0", "call 1", "call 3"})
    assert b"call 2" not in everything(place) and b"call 4" not in everything(place)
    assert b"call 3" in everything(place)
    assert not place.has(report_folder("call 2")) and not place.has("summary")


def test_the_same_recording_under_another_id_is_named(tmp_path: Path):
    place = Place(tmp_path / "out")
    write_run(place, describe_run(BatchInput(rows=(), columns=COLUMNS), settings(tmp_path), INFO))
    store = Store(place, schemas())
    for number in (0, 1):
        keep(store, dataclasses.replace(made_result(number), audio_sha256="a" * 64))
    store.close([])
    assert forget(place, ["call 1"]).same_audio == ("call 0",)


def test_an_unknown_id_removes_nothing(place: Place):
    before = everything(place)
    with pytest.raises(UsageError, match="holds no call 'call 9'"):
        forget(place, ["call 1", "call 9"])
    assert everything(place) == before and place.has("summary")


def test_forgetting_that_was_stopped_is_finished_by_the_same_command(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(forgetting, "_removed", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        forget(place, ["call 0"])
    assert b"call 0" in everything(place)  # its line is still there, so it can be named again
    forget(place, ["call 0"])
    assert b"call 0" not in everything(place)
    require_whole(place, {"call 1", "call 2", "call 3"})


def test_forgetting_that_was_stopped_is_finished_by_the_next_run(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(forgetting, "_removed", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        forget(place, ["call 0"])
    given = BatchInput(rows=(), columns=COLUMNS)
    run_batch(given, place, settings(tmp_path), INFO, lambda rows: iter(()))
    require_whole(place, {"call 1", "call 2", "call 3"})
    assert not place.has(PENDING)


def test_a_report_whose_call_never_got_its_line_can_be_forgotten(place: Place):
    place.write(f"{report_folder('stopped')}/report.html", b"<p>words</p>")
    assert forget(place, ["stopped"]).reports == 1
    assert not place.has(report_folder("stopped"))
    require_whole(place, {f"call {number}" for number in range(4)})


def test_all_calls_can_be_forgotten(place: Place):
    forget(place, [f"call {number}" for number in range(5)])
    require_whole(place, set())
    assert place.names("turns", ".parquet") == []


def test_a_batch_that_is_at_work_is_left_alone(place: Place):
    with holding(place), pytest.raises(OutputError, match="held by another run"):
        forget(Place(place.out), ["call 1"])
    require_whole(place, {f"call {number}" for number in range(4)})


def test_a_folder_that_is_no_batch_is_refused(tmp_path: Path):
    with pytest.raises(OutputError, match=r"holds no run\.json"):
        forget(Place(tmp_path / "nothing"), ["call 1"])
