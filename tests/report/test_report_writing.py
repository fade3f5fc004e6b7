import subprocess
import sys
from pathlib import Path

import pytest

from mmser.errors import OutputError
from mmser.report.writing import check_outputs, require_writable, write_outputs


def everything(folder: Path):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_files_and_missing_folders_are_made_and_nothing_else(tmp_path):
    folder = tmp_path / "a" / "b"
    write_outputs({folder / "x.json": "ü", folder / "y.bin": b"\0"}, overwrite=False)
    assert (folder / "x.json").read_bytes() == "ü".encode()
    assert everything(tmp_path) == ["a", "a/b", "a/b/x.json", "a/b/y.bin"]


def test_a_report_that_stands_is_replaced_only_on_demand(tmp_path):
    write_outputs({tmp_path / "x": "old"}, overwrite=False)
    with pytest.raises(OutputError, match="already holds x; give --overwrite"):
        write_outputs({tmp_path / "w": "new", tmp_path / "x": "new"}, overwrite=False)
    assert everything(tmp_path) == ["x"]
    write_outputs({tmp_path / "x": "new"}, overwrite=True)
    assert (tmp_path / "x").read_text() == "new"
    assert everything(tmp_path) == ["x"]


def test_a_file_where_the_folder_should_be_is_one_sentence(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="a file stands where the output folder should be"):
        write_outputs({tmp_path / "out" / "deep" / "x": "new"}, overwrite=True)
    assert (tmp_path / "out").read_text() == "mine"


def test_devices_and_folders_are_never_replaced(tmp_path):
    with pytest.raises(OutputError, match="/dev/full: a file stands"):
        write_outputs({Path("/dev/full/x"): "new"}, overwrite=True)
    with pytest.raises(OutputError, match="not a file that can be replaced"):
        write_outputs({tmp_path: "new"}, overwrite=True)
    with pytest.raises(OutputError, match="not a file that can be replaced"):
        write_outputs({Path("/dev/full"): "new"}, overwrite=True)


def test_a_full_disk_leaves_neither_files_nor_folders_and_keeps_the_old(tmp_path):
    # RLIMIT_FSIZE makes the second write fail halfway, as a full disk does.
    (tmp_path / "old").write_text("old")
    code = (
        "import resource, signal; from pathlib import Path; from mmser.errors import OutputError\n"
        "from mmser.report.writing import check_outputs, require_writable, write_outputs\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        f"root = Path({str(tmp_path)!r})\n"
        "try:\n"
        "    files = {root / 'old': 'new', root / 'new/small': 'x', root / 'new/big': b'y' * 9000}\n"
        "    write_outputs(files, overwrite=True)\n"
        "except OutputError as error: print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "new/big: cannot be written: it is larger than this system allows" in ran.stdout
    assert everything(tmp_path) == ["old"]
    assert (tmp_path / "old").read_text() == "old"


def test_a_rename_that_fails_brings_back_what_stood_there(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("old")
    replace = Path.replace

    def refuse_b(self, target):
        if Path(target).name == "b":
            raise PermissionError(13, "Permission denied", str(self), None, str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse_b)
    with pytest.raises(OutputError, match="b: cannot be written: permission is denied"):
        write_outputs({tmp_path / "a": "new", tmp_path / "n/c": "new", tmp_path / "b": "new"}, overwrite=True)
    assert everything(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_stale_files_go_once_the_new_ones_stand_and_come_back_after_a_failure(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("old")
    (tmp_path / "stale").write_text("stale")
    (tmp_path / "folder").mkdir()
    with monkeypatch.context() as patch:
        replace = Path.replace

        def no_backup(self, target):
            if self.name == "stale":
                raise PermissionError(13, "Permission denied", str(self), None, str(target))
            return replace(self, target)

        patch.setattr(Path, "replace", no_backup)
        with pytest.raises(OutputError, match="stale: cannot be written"):
            write_outputs({tmp_path / "a": "new"}, overwrite=True, stale=[tmp_path / "stale"])
    assert everything(tmp_path) == ["a", "folder", "stale"]
    assert (tmp_path / "a").read_text() == "old"
    stale = [tmp_path / "stale", tmp_path / "folder", tmp_path / "missing"]
    write_outputs({tmp_path / "a": "new"}, overwrite=True, stale=stale)
    assert everything(tmp_path) == ["a", "folder"]
    assert (tmp_path / "a").read_text() == "new"


@pytest.mark.parametrize(
    ("folder", "why"),
    [
        ("/proc/mmser/deep", "no folder can be made there"),
        ("{tmp}/" + "x" * 300, "the name is too long"),
        ("{tmp}/file/deep", "a file stands"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_work(tmp_path, folder, why):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match=f"{why}.*; choose another folder"):
        check_outputs([Path(folder.format(tmp=tmp_path)) / "x.json"], overwrite=True)
    assert everything(tmp_path) == ["file"]


def test_a_check_of_what_can_be_written_leaves_nothing_behind(tmp_path):
    (tmp_path / "old").write_text("old")
    check_outputs([tmp_path / "new/deep/x", tmp_path / "new/y", tmp_path / "old"], overwrite=True)
    require_writable(tmp_path / "work")
    assert everything(tmp_path) == ["old"] and (tmp_path / "old").read_text() == "old"


def test_a_folder_that_takes_no_file_is_refused_before_the_work(tmp_path):
    # No byte may be written, as on a disk that is full.
    code = (
        "import resource, signal; from pathlib import Path; from mmser.errors import OutputError\n"
        "from mmser.report.writing import check_outputs\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        f"try: check_outputs([Path({str(tmp_path)!r}) / 'out/x'], overwrite=False)\n"
        "except OutputError as error: print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "out: cannot be written: it is larger than this system allows" in ran.stdout
    assert everything(tmp_path) == []
