"""The folder that `mmser space create` writes."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mmser import cli
from mmser.errors import HubError, ModelError, OutputError, UsageError
from mmser.publishing.space import SHORT, create_space
from mmser.report import writing


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Path:
    folder = tmp_path_factory.mktemp("made") / "my-space"
    create_space(folder, model=str(model_dir), title="Our calls")
    return folder


def metadata_of(folder: Path) -> dict[str, object]:
    return yaml.safe_load((folder / "README.md").read_text("utf-8").split("---\n")[1])


def test_a_space_has_what_the_hub_asks_for(space: Path):
    stated = metadata_of(space)
    assert stated["sdk"] == "gradio" and stated["app_file"] == "app.py" and stated["title"] == "Our calls"
    assert stated["license"] == "other" and "models" not in stated
    assert len(SHORT) <= 60 and stated["short_description"] == SHORT
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {stated["colorFrom"], stated["colorTo"]} <= colours
    needed = (space / "requirements.txt").read_text().splitlines()
    assert f"gradio=={stated['sdk_version']}" in needed
    assert any(line.startswith("torch<") for line in needed) and not any("extra" in line for line in needed)
    assert "*.safetensors filter=lfs" in (space / ".gitattributes").read_text()
    assert "Apache License" in (space / "LICENSE").read_text()


def test_the_app_holds_what_was_asked_for_and_no_reason_for_agents(space: Path):
    code = (space / "app.py").read_text("utf-8")
    for line in ("TITLE = 'Our calls'", "MODEL: str | None = 'model'", "REVISION: str | None = None"):
        assert line in code.splitlines()
    ast.parse(code)
    assert "agent_reason" not in code


def test_the_model_of_a_folder_is_carried_and_the_bundled_one_is_not(space: Path, model_dir: Path):
    weights = "model.safetensors"
    assert (space / "model" / weights).read_bytes() == (model_dir / weights).read_bytes()
    assert not (space / "mmser" / "assets" / "model").exists()
    assert (space / "mmser" / "assets" / "sample" / "call.wav").is_file()


def test_nothing_of_this_machine_is_in_a_space(space: Path, model_dir: Path):
    for path in space.rglob("*"):
        assert "__pycache__" not in path.parts and path.suffix != ".pyc"
        if path.is_file() and path.suffix in (".py", ".md", ".txt", ".json"):
            assert str(model_dir.parent) not in path.read_text("utf-8")


def test_the_carried_package_works_from_the_folder_alone(space: Path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); sys.dont_write_bytecode = True\n"
        "import mmser; from mmser import EmotionPipeline\n"
        "pipeline = EmotionPipeline.from_pretrained(sys.argv[1] + '/model')\n"
        "assert mmser.__file__.startswith(sys.argv[1]), mmser.__file__\n"
        "print(pipeline.predict_clips([], ['I am so angry'])[0].error)"
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-c", code, str(space)], capture_output=True, text=True, cwd="/"
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "None"


def test_a_space_is_replaced_only_when_asked_and_other_files_in_it_stay(tmp_path: Path, model_dir: Path):
    folder = tmp_path / "space"
    create_space(folder, model=str(model_dir))
    (folder / "notes.txt").write_text("mine")
    (folder / "model" / "left.bin").write_bytes(b"of an earlier model")
    with pytest.raises(OutputError, match="not empty; give --overwrite"):
        create_space(folder, model=str(model_dir))
    create_space(folder, model=str(model_dir), title="Anew", overwrite=True)
    assert metadata_of(folder)["title"] == "Anew"
    assert (folder / "notes.txt").read_text() == "mine"
    assert not (folder / "model" / "left.bin").exists()


def test_a_folder_that_is_no_space_is_not_overwritten(tmp_path: Path):
    (tmp_path / "README.md").write_text("# My project\n")
    (tmp_path / "mmser").mkdir()
    with pytest.raises(OutputError, match="holds no Space"):
        create_space(tmp_path, overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == {"README.md", "mmser"}


def test_a_full_disk_leaves_nothing(tmp_path: Path, model_dir: Path, monkeypatch: pytest.MonkeyPatch):
    whole, count = writing._write_whole, iter(range(1000))

    def fills(name: Path, content: object) -> None:
        if next(count) == 40:
            raise OSError(28, "No space left on device", str(name))
        whole(name, content)

    monkeypatch.setattr(writing, "_write_whole", fills)
    with pytest.raises(OutputError, match="the disk is full; nothing was left behind"):
        create_space(tmp_path / "space", model=str(model_dir))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("title", ["", " ", "x" * 61, "two\nlines"])
def test_a_title_that_does_not_fit_is_refused(title: str, tmp_path: Path):
    with pytest.raises(UsageError, match="--title"):
        create_space(tmp_path / "space", title=title)


def test_a_model_that_cannot_be_had_leaves_nothing(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    for model in (str(tmp_path / "empty"), "nobody/nothing@v1", str(tmp_path / "none")):
        with pytest.raises((ModelError, HubError)):
            create_space(tmp_path / "space", model=model)
    assert not (tmp_path / "space").exists()


def test_a_file_in_the_place_of_the_folder_is_told_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "space").write_text("a file")
    assert cli.run(["space", "create", str(tmp_path / "space")]) == 1
    assert "is a file, and a folder is needed there" in capsys.readouterr().err
    assert (tmp_path / "space").read_text() == "a file"


def test_the_app_forgets_what_is_old_and_nothing_else(space: Path):
    pytest.importorskip("gradio", reason="gradio is not installed")
    code = (
        "import time; from pathlib import Path; from mmser.publishing import space_app as app\n"
        "cache = Path(app.CACHE.name); (cache / 'abc').mkdir()\n"
        "for name in ('abc/call.wav', 'tmpbroken'): (cache / name).write_bytes(b'sound')\n"
        "for shift in (-60, 60):\n"
        "    app.forget_before(time.time() + shift)\n"
        "    print(sum(path.is_file() for path in cache.rglob('*')))"
    )
    ran = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, cwd=space)
    assert ran.stdout.split() == ["2", "0"], ran.stderr
