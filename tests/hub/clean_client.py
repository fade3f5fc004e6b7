"""Python code and `mmser` commands run as somebody's own process that knows nothing but a local Hub."""

import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

from tests.hub.local_hub import LocalHub

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Client:
    """A machine with its own home: whose processes see one Hub, with a token or without.

    Args:
        home: folder of the Hub's cache and of the token file.
        token: of the environment; None = none.
        endpoint: the Hub's address.
        packages: whether mmser and the tests can be imported.
        environment: more variables.
    """

    home: Path
    endpoint: str
    token: str | None = None
    packages: bool = True
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)

    def log_in(self, token: str) -> None:
        """Write the token file, as `hf auth login` does."""
        (self.home / "token").write_text(token, "utf-8")

    def python(
        self, code: str, *arguments: object, timeout: float = 120
    ) -> "subprocess.CompletedProcess[str]":
        """Run Python code, dedented; its `sys.argv[1:]` are the arguments."""
        return self._run(["-c", textwrap.dedent(code), *map(str, arguments)], timeout)

    def mmser(self, *arguments: object, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
        """Run a command of mmser."""
        return self._run(["-m", "mmser", *map(str, arguments)], timeout)

    def variables(self) -> dict[str, str]:
        """Return the environment of its processes."""
        away = ("HF_", "HUGGING", "PYTHONPATH", "XDG_CACHE_HOME")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(away)}
        own = {"HF_HOME": str(self.home), "HF_ENDPOINT": self.endpoint, "HF_HUB_DISABLE_XET": "1"}
        own |= {"NO_PROXY": "127.0.0.1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        own |= {"HF_TOKEN": self.token} if self.token else {}
        own |= {"PYTHONPATH": str(ROOT)} if self.packages else {}
        return kept | own | self.environment

    def _run(self, arguments: list[str], timeout: float) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, *arguments],
            env=self.variables(),
            cwd=self.home,  # the repository's own folder would make mmser importable
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


def client_of(hub: LocalHub, home: Path, token: str | None = None) -> Client:
    """Return a client with a home that is made where it is not there."""
    return Client(home, hub.url, token)
