"""The book of work that was begun: what keeps a call from ending its process again and again.

Ray begins a process that died again, and gives it the same calls, as often as it takes. Calls that died
together are then done one at a time, and the one that keeps ending its process is given up.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Begun:
    """What the book says of a piece of work that begins."""

    times: int  # that it was begun before, and not ended
    why: str | None = None  # what went wrong then, where that is known


class Book:
    """Keeps account of work that was begun; an actor of its own, which outlives the workers."""

    def __init__(self) -> None:
        self._times: dict[str, int] = defaultdict(int)
        self._why: dict[str, str] = {}

    def begin(self, names: Sequence[str]) -> list[Begun]:
        """Note that work begins."""
        found = [Begun(times=self._times[name], why=self._why.get(name)) for name in names]
        for name in names:
            self._times[name] += 1
        return found

    def blame(self, name: str, why: str) -> None:
        """Note what went wrong with work that was begun."""
        self._why[name] = why

    def end(self, names: Sequence[str]) -> None:
        """Forget work that is done."""
        for name in names:
            self._times.pop(name, None)
            self._why.pop(name, None)
