"""A process that runs one command of mmser after another against a local Hub: torch is loaded once."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.hub.clean_client import Client

CODE = """
import contextlib, io, json, os, sys
from mmser import cli
answers = sys.stdout
for line in sys.stdin:
    asked = json.loads(line)
    for name, value in asked["environment"].items():
        os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.run(asked["arguments"])
    print(json.dumps([code, out.getvalue(), err.getvalue()]), file=answers, flush=True)
"""


@dataclass(frozen=True)
class Ran:
    code: int
    stdout: str
    stderr: str


class Commands:
    """A context manager; `run` gives one command and waits for its end."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-c", CODE],
            env=self._client.variables(),
            cwd=self._client.home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def run(self, *arguments: str | Path, **environment: str | None) -> Ran:
        """Run a command; variables that are given stay set, None takes one away."""
        assert self._process.stdin is not None and self._process.stdout is not None
        asked = {"arguments": [str(one) for one in arguments], "environment": environment}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return Ran(*json.loads(self._process.stdout.readline()))
