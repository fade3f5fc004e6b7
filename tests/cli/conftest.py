"""A tiny model and a small call, and the command line run in this process."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mmser import cli
from mmser.cli.analyze import Export
from tests.call_fixtures import write_call
from tests.model_fixtures import save_tiny


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one error line; fails where there is none or more than one."""
        (line,) = [line for line in self.err.splitlines() if line.startswith("mmser: error: ")]
        return line


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_tiny(tmp_path_factory.mktemp("tiny") / "model"))


@pytest.fixture(scope="session")
def call(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    recording, transcript = write_call(tmp_path_factory.mktemp("call"))
    return str(recording), str(transcript)


@pytest.fixture
def mmser(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    def run(*arguments: object) -> Ran:
        code = cli.run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory, model: str, call: tuple[str, str]) -> Path:
    """The folder of one analysed call with every export."""
    folder = tmp_path_factory.mktemp("written") / "out"
    exports = [part for name in Export for part in ("--export", name.value)]
    arguments = [call[0], "--transcript", call[1], "--roles", "agent,customer", "--model", model]
    assert cli.run(["analyze", *arguments, "--quiet", "-o", str(folder), *exports]) == 0
    return folder
