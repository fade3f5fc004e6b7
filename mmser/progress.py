"""How long work tells how far it has come."""

from collections.abc import Callable

ProgressCallback = Callable[[str, float, float], None]
"""Called with a stage, what is done, and the total.

Stages are "loading" and "fetching" (bytes) of what recognises words, "listening", "transcribing" (seconds of
sound), "placing", "analysing" (turns) and "writing". Both numbers are in the stage's own unit; a total of 0
means that it is not known.
"""


def ignore_progress(stage: str, done: float, total: float) -> None:
    """Tell nobody."""
