"""What a batch keeps: whole after any crash, each call once."""

import json
import shutil
from pathlib import Path

import fsspec
import pyarrow.parquet
import pytest

from mmser.batch import store as stores
from mmser.batch.place import Place
from mmser.batch.records import CallResult
from mmser.batch.store import Store, manifest_line, read_manifest, report_folder
from mmser.errors import OutputError
from tests.batch.small_batches import made_result, schemas


def keep(store: Store, result: CallResult) -> None:
    store.record(result, manifest_line(result, model_revision="r", config_hash="c", row_hash="h"))


def table(place: Place, folder: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for name in place.names(folder, ".parquet"):
        content = place.read(name)
        assert content is not None
        rows += pyarrow.parquet.read_table(pyarrow.BufferReader(content)).to_pylist()
    return rows


def require_whole(place: Place, done: set[str]) -> None:
    """Each call is there once, with all its turns, in manifest and tables alike."""
    lines = [line for line in read_manifest(place) if line.status == "done"]
    assert sorted(line.id for line in lines) == sorted(done)
    assert sorted(str(row["id"]) for row in table(place, "calls")) == sorted(done)
    assert sorted(str(row["call"]) for row in table(place, "turns")) == sorted([*done, *done])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "out").mkdir()
    return Place(tmp_path / "out")


def test_results_become_parts_and_one_line_each_in_the_order_of_the_input(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(stores, "PART_CALLS", 3)
    store = Store(place, schemas())
    for number in (4, 0, 3, 1, 2):
        keep(store, made_result(number))
    keep(store, made_result(5, status="failed"))
    store.close([f"call {number}" for number in range(6)])
    lines = list(read_manifest(place))
    assert [line.id for line in lines] == [f"call {number}" for number in range(6)]
    assert [line.part for line in lines] == [0, 1, 1, 0, 0, None]
    assert lines[5].status == "failed" and lines[5].error == "call 5 is broken; mend it"
    require_whole(place, {f"call {number}" for number in range(5)})
    assert len(place.names("calls", ".parquet")) == 2


def test_a_call_that_fails_and_then_succeeds_has_one_line(place: Place):
    store = Store(place, schemas())
    keep(store, made_result(1, status="failed"))
    store.abandon()
    store = Store(place, schemas())
    assert store.lines["call 1"].status == "failed"
    keep(store, made_result(1))
    store.close(["call 1"])
    assert [line.status for line in read_manifest(place)] == ["done"]


def test_a_run_that_is_cut_off_at_any_byte_loses_no_line_and_doubles_none(tmp_path: Path):
    whole = tmp_path / "whole"
    whole.mkdir()
    store = Store(Place(whole), schemas())
    for number in range(3):
        keep(store, made_result(number))
    store._close_files()  # killed: the part is open
    (opened,) = whole.glob(".open-*.jsonl")
    lines, content = (whole / "manifest.jsonl").read_bytes(), opened.read_bytes()
    # A call is written to the open part, then to the manifest: these are the states that a kill can leave.
    states = [
        (content[:size], lines[: _lines_before(content, size, lines)]) for size in range(0, len(content), 401)
    ]
    states += [(content, lines[:size]) for size in range(_second_last_end(lines), len(lines), 29)]
    for number, (open_part, manifest) in enumerate(states):
        folder = tmp_path / f"cut{number}"
        shutil.copytree(whole, folder)
        (folder / opened.name).write_bytes(open_part)
        (folder / "manifest.jsonl").write_bytes(manifest)
        place = Place(folder)
        again = Store(place, schemas())
        kept = set(again.lines)
        assert kept == {f"call {n}" for n in range(open_part.count(b"\n"))}
        for left in range(3):
            if f"call {left}" not in kept:
                keep(again, made_result(left))
        again.close([f"call {n}" for n in range(3)])
        require_whole(place, {f"call {n}" for n in range(3)})
        assert not list(folder.glob(".open-*"))


def _lines_before(content: bytes, size: int, lines: bytes) -> int:
    """How much of the manifest was written when `size` bytes of the open part were."""
    ends = [0]
    for _ in range(content[:size].count(b"\n")):
        ends.append(lines.index(b"\n", ends[-1]) + 1)
    return ends[-1]


def _second_last_end(lines: bytes) -> int:
    return lines.rstrip(b"\n").rindex(b"\n") + 1


@pytest.mark.parametrize("written", [("turns",), ("turns", "calls")])
def test_a_part_that_was_written_when_it_was_killed_is_not_there_twice(
    place: Place, written: tuple[str, ...]
):
    store = Store(place, schemas())
    keep(store, made_result(0))
    store._write_part(0, [made_result(0)])
    for folder in {"turns", "calls"} - set(written):
        place.remove(f"{folder}/part-00000.parquet")
    store._close_files()
    Store(place, schemas()).close(["call 0"])
    require_whole(place, {"call 0"})


def test_half_written_files_are_gone_when_it_goes_on(place: Place):
    assert place.folder is not None
    (place.folder / "turns").mkdir()
    (place.folder / "manifest.jsonl").touch()
    for name in (
        ".manifest.jsonl.0123abcd.tmp",
        "turns/.part-00003.parquet.0123abcd.tmp",
        "turns/part-00007.parquet",
    ):
        (place.folder / name).write_bytes(b"half")
    Store(place, schemas()).close([])
    assert sorted(path.name for path in place.folder.rglob("*") if path.is_file()) == ["manifest.jsonl"]


def test_parts_without_any_manifest_are_refused_and_left_alone(place: Place):
    store = Store(place, schemas())
    keep(store, made_result(0))
    store.close(["call 0"])
    place.remove("manifest.jsonl")
    with pytest.raises(OutputError, match=r"calls/part-00000\.parquet and no manifest\.jsonl; put that back"):
        Store(place, schemas())
    assert len(table(place, "calls")) == 1


def test_a_file_is_replaced_in_one_step(place: Place, monkeypatch: pytest.MonkeyPatch):
    place.write("manifest.jsonl", b"old")
    seen: list[bytes | None] = []
    replace = Path.replace

    def watched(self: Path, target: Path) -> Path:
        seen.append(place.read("manifest.jsonl"))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    place.write("manifest.jsonl", b"new")
    assert seen == [b"old"] and place.read("manifest.jsonl") == b"new"


def test_failures_told_behind_a_url_are_not_written_over(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stores, "PART_CALLS", 2)
    place = Place("memory://store-of-failures/out")
    store = Store(place, schemas())
    for number in (0, 1):
        keep(store, made_result(number, status="failed"))
    again = Store(place, schemas())  # the first was killed
    for number in (2, 3):
        keep(again, made_result(number))
    assert {line.id for line in read_manifest(place)} == {f"call {number}" for number in range(4)}


def test_a_last_line_without_its_end_counts_where_it_is_whole(place: Place):
    store = Store(place, schemas())
    for number in range(2):
        keep(store, made_result(number))
    store.close([])
    assert place.folder is not None
    manifest = place.folder / "manifest.jsonl"
    manifest.write_bytes(manifest.read_bytes().rstrip(b"\n"))
    (place.folder / "calls" / "mine.parquet").write_bytes(b"somebody else's")
    again = Store(place, schemas())
    assert set(again.lines) == {"call 0", "call 1"}
    again.close([])
    assert (place.folder / "calls" / "mine.parquet").exists()
    (place.folder / "calls" / "mine.parquet").unlink()
    require_whole(place, {"call 0", "call 1"})


def test_a_damaged_open_part_is_named(place: Place):
    assert place.folder is not None
    (place.folder / ".open-00000.jsonl").write_text("{}\nno json\n")
    with pytest.raises(OutputError, match=r"\.open-00000\.jsonl is damaged"):
        Store(place, schemas())


def test_a_damaged_line_in_the_middle_is_told_with_its_number(place: Place):
    store = Store(place, schemas())
    for number in range(3):
        keep(store, made_result(number))
    store.close([])
    assert place.folder is not None
    manifest = place.folder / "manifest.jsonl"
    first, _, third = manifest.read_text().splitlines()
    manifest.write_text(f"{first}\n{{broken\n{third}\n")
    with pytest.raises(OutputError, match="line 2, is damaged"):
        Store(place, schemas())


def test_object_storage_keeps_whole_parts_and_forgets_those_without_lines(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stores, "PART_CALLS", 2)
    place = Place("memory://store-of-parts/out")
    store = Store(place, schemas())
    for number in range(5):
        keep(store, made_result(number))
    # Killed here: two parts are whole, the fifth call was held in memory; a third part had begun.
    place.write("turns/part-00002.parquet", b"half")
    again = Store(place, schemas())
    assert set(again.lines) == {f"call {number}" for number in range(4)}
    keep(again, made_result(4))
    keep(again, made_result(5, status="failed"))
    again.close([f"call {number}" for number in range(6)])
    require_whole(place, {f"call {number}" for number in range(5)})
    files = fsspec.filesystem("memory").find("store-of-parts/out")
    assert not [name for name in files if "/manifest/" in name]
    assert [line.status for line in read_manifest(place)] == ["done"] * 5 + ["failed"]


def test_a_full_disk_is_told_and_nothing_half_written_stays(tmp_path: Path):
    code = f"""
import resource, signal
from mmser.batch.place import Place
from mmser.batch.store import Store
from mmser.errors import OutputError
from tests.batch.small_batches import made_result, schemas
from tests.batch.test_store import keep
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = Store(Place({str(tmp_path)!r}), schemas())
resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
try:
    for number in range(100):
        keep(store, made_result(number))
except OutputError as error:
    print(number, error)
"""
    import subprocess
    import sys

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    number, _, told = ran.stdout.partition(" ")
    assert "cannot be written: File too large" in told and "the same command goes on" in told
    again = Store(Place(tmp_path), schemas())
    assert set(again.lines) == {f"call {n}" for n in range(int(number))}
    again.close([])
    require_whole(Place(tmp_path), {f"call {n}" for n in range(int(number))})


def test_the_folder_of_a_report_is_named_by_its_call_and_never_that_of_another():
    names = ["call1", "a/b", "a_b", "a b", "ü", "..", "x" * 300, "a\nb", "A/b", ".hidden"]
    folders = [report_folder(name) for name in names]
    assert folders[0] == "reports/call1" and len(set(folders)) == len(names)
    for folder in folders:
        parent, name = folder.split("/")
        assert parent == "reports" and name and not name.startswith(".") and len(name) < 100


def test_what_is_kept_is_read_back_with_its_types(place: Place):
    store = Store(place, schemas())
    keep(store, made_result(1))
    store.close([])
    (row,) = table(place, "calls")
    assert row["num_turns"] == 2 and row["customer_talk_time"] is None and row["queue"] == "sales"
    assert json.loads(next(iter((place.read("manifest.jsonl") or b"").splitlines())))["duration"] == 10.0
