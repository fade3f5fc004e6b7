"""What was found in a running text, and how findings that overlap become one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

# Where findings overlap, the first of these names them; the user's patterns come before phone numbers, so
# that numbers of one's own are called by their own name.
_FIRST: Final = ("iban", "card", "email", "birth_date")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to be taken out."""

    kind: str  # among KINDS, or the name of the user's pattern
    pieces: tuple[tuple[int, int], ...]  # (start, end) of its parts in the running text, in order

    @property
    def start(self) -> int:
        """First character."""
        return self.pieces[0][0]

    @property
    def end(self) -> int:
        """Behind the last character."""
        return self.pieces[-1][1]


def merge(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings that do not overlap and together cover the same places, in order."""
    groups: list[list[Finding]] = []
    end = 0
    for finding in sorted(findings, key=lambda one: (one.start, one.end)):
        if groups and finding.start < end:
            groups[-1].append(finding)
        else:
            groups.append([finding])
        end = max(end, finding.end)
    return [group[0] if len(group) == 1 else _union(group) for group in groups]


def _union(group: Sequence[Finding]) -> Finding:
    kind = min((finding.kind for finding in group), key=_rank)
    return Finding(kind, _ordered([piece for finding in group for piece in finding.pieces]))


def _rank(kind: str) -> int:
    if kind == "phone":
        return len(_FIRST) + 1
    return _FIRST.index(kind) if kind in _FIRST else len(_FIRST)


def _ordered(pieces: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(pieces):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)
