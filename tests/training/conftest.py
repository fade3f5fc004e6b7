"""Made data to train on, and `mmser` as processes of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mmser import cli
from mmser.training.log import CONSOLE
from tests.training.training_fixtures import environment, made_data


@pytest.fixture(autouse=True)
def audible(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quiet training before, in this process, silences nothing here."""
    monkeypatch.setattr(CONSOLE, "quiet", False)


class Warm:
    """Starts `mmser` quickly in processes of their own; see warm.py."""

    def __init__(self) -> None:
        self.helper = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("warm.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        assert self.helper.stdout is not None
        assert self.helper.stdout.readline() == "ready\n"

    def start(self, log: Path, *arguments: object, largest_file: int = 0, **variables: str) -> int:
        """Start a command and return its process id; `log` gets what it prints."""
        words = [str(argument) for argument in arguments]
        job = {"log": str(log), "arguments": words, "largest_file": largest_file, "environment": variables}
        return self._ask(job)

    def wait(self, process: int) -> int:
        """Return the exit code of a command; -9 if it was killed."""
        return self._ask({"wait": process})

    def run(self, log: Path, *arguments: object, largest_file: int = 0, **variables: str) -> int:
        return self.wait(self.start(log, *arguments, largest_file=largest_file, **variables))

    def _ask(self, job: dict[str, object]) -> int:
        assert self.helper.stdin is not None and self.helper.stdout is not None
        self.helper.stdin.write(json.dumps(job) + "\n")
        self.helper.stdin.flush()
        return int(self.helper.stdout.readline())


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    started = Warm()
    yield started
    started.helper.kill()
    started.helper.wait()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with manifest.csv, its clips, and tiny encoders `bert`, `wav2vec2` and `hubert`."""
    return made_data(tmp_path_factory.mktemp("made"))


@pytest.fixture
def mmser(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command in this process: exit code, stdout, stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = cli.run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run
