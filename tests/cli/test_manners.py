"""What a shell and a waiting person see: a first line at once, and names that complete themselves."""

import os
import subprocess
import sys

import pytest

# Runs the command line until torch begins to be imported, says so on stderr, and ends there.
WATCHED = """
import os, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print("<torch>", file=sys.stderr, flush=True)
            os._exit(0)

sys.meta_path.insert(0, Watch())
from mmser.cli import main
main()
"""


def watched(*arguments: str) -> list[str]:
    ran = subprocess.run(
        [sys.executable, "-c", WATCHED, *arguments], capture_output=True, timeout=300, check=True, text=True
    )
    return ran.stderr.splitlines()


def test_analyze_says_what_it_does_before_torch_is_loaded(call: tuple[str, str], model: str):
    lines = watched("analyze", "--transcript", call[1], "--model", model)
    assert lines[0].startswith("mmser ") and call[1] in lines[0]
    assert lines[1:][-1:] == ["<torch>"]


def test_predict_says_what_it_does_before_torch_is_loaded(model: str):
    lines = watched("predict", "--text", "thank you", "--model", model)
    assert lines[0].startswith("mmser ") and lines[0].endswith("judging 1 text")
    assert lines[1:][-1:] == ["<torch>"]


def complete(shell: str, typed: str) -> str:
    """Return what the installed completion script is answered when this has been typed."""
    asked = {
        "bash": {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split(" ")) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": typed},
        "fish": {"_TYPER_COMPLETE_ARGS": typed, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    ran = subprocess.run(
        [sys.executable, "-c", "from mmser.cli import main; main()"],
        env={**os.environ, **asked, "_MMSER_COMPLETE": f"complete_{shell}"},
        capture_output=True,
        timeout=120,
        check=True,
        text=True,
    )
    return ran.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_a_command(shell: str):
    answer = complete(shell, "mmser ana")
    assert "analyze" in answer and "predict" not in answer


def test_the_shell_completes_options_and_their_values():
    assert complete("bash", "mmser analyze --trans").split() == ["--transcript"]
    assert "research-consented" in complete("bash", "mmser analyze --agent-reason res")


def test_the_completion_script_asks_the_program_of_this_name():
    # Typer looks for the shell among the process's parents, so there must be one, whoever runs the tests.
    program = f"{sys.executable} -c 'from mmser.cli import main; main()' --show-completion"
    ran = subprocess.run(
        ["bash", "-c", f"{program}; exit $?"],
        capture_output=True,
        timeout=120,
        check=True,
        text=True,
    )
    assert "_MMSER_COMPLETE=complete_bash" in ran.stdout
