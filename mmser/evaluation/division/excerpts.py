"""A second or so of a clip's print, by which it is known again however it was encoded or cut.

The prints are those of `mmser audit` (Haitsma & Kalker 2002). `scripts/check_excerpts.py` prints how far
copies and other people's clips lie apart in them.
"""

import heapq
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mmser.data.audit.fingerprint import Print, take_print

WORDS: Final = 32  # of 32 bits each
STEP: Final = 4  # frames of 10 ms from one to the next: neighbours say almost the same
SPAN: Final = (WORDS - 1) * STEP + 1  # frames, 1.25 s
EXCERPT_BYTES: Final = 4 * WORDS
MIN_ACTIVE: Final = 24  # words that are of sound: silence is the same in every clip
STRIDE: Final = 2  # frames between places that are looked at; neighbours lie in one window of 256 ms
MAX_BIT_ERROR: Final = 0.2
MOST_SECONDS: Final = 10.0  # of a clip that are looked at
_FIRST: Final = 8  # words that are compared before all of them are
_FIRST_ERROR: Final = 0.32  # of these, above which the rest need not be looked at
_BLOCK: Final = 250  # excerpts compared at a time, so that memory stays bounded

Words = NDArray[np.uint32]


def take_excerpt(waveform: NDArray[np.float32]) -> bytes | None:
    """Return the excerpt of a mono waveform at 16 kHz where most of it is sound; None of a shorter one."""
    windows, active = _windows(take_print(waveform), 1)
    if not len(windows):
        return None
    fullest = np.flatnonzero(active == active.max())
    # From the middle: what is cut off a copy is cut off its ends.
    found: bytes = windows[fullest[len(fullest) // 2]].astype("<u4").tobytes()
    return found


def _windows(taken: Print | None, stride: int) -> tuple[Words, NDArray[np.int64]]:
    """Return excerpts of a print that are mostly sound, (places, `WORDS`), and how much of each is."""
    if taken is None or len(taken.words) < SPAN:
        return np.zeros((0, WORDS), np.uint32), np.zeros(0, np.int64)
    places = np.arange(0, len(taken.words) - SPAN + 1, stride)[:, None] + np.arange(WORDS) * STEP
    active = taken.active[places].sum(1)
    kept = active >= MIN_ACTIVE
    return taken.words[places[kept]], active[kept]


class Excerpts:
    """Excerpts of many clips, to be looked up."""

    def __init__(self, packed: Iterable[bytes]) -> None:
        joined = np.frombuffer(b"".join(packed), "<u4")
        self._words: Words = joined.astype(np.uint32).reshape(-1, WORDS)

    def __len__(self) -> int:
        return len(self._words)

    def hold(self, waveform: NDArray[np.float32]) -> bool:
        """Tell whether a mono waveform at 16 kHz holds one of them."""
        return self.bit_error(waveform) <= MAX_BIT_ERROR

    def bit_error(self, waveform: NDArray[np.float32]) -> float:
        """Return the share of bits in which the excerpt that is most like a waveform differs from it."""
        windows, _ = _windows(take_print(waveform), STRIDE)
        least = 1.0
        for first in range(0, len(self._words) if len(windows) else 0, _BLOCK):
            block = self._words[first : first + _BLOCK]
            begun = np.bitwise_count(windows[:, None, :_FIRST] ^ block[None, :, :_FIRST]).sum(2)
            place, which = np.nonzero(begun <= _FIRST_ERROR * 32 * _FIRST)
            if len(place):
                errors = np.bitwise_count(windows[place] ^ block[which]).sum(1)
                least = min(least, float(errors.min()) / (32 * WORDS))
        return least


class Drawn:
    """The clips of smallest digest, at most so many: a draw that does not depend on their order."""

    def __init__(self, most: int) -> None:
        self._most = most
        # A heap; digests are negated, so that the largest comes first.
        self._kept: list[tuple[int, bytes]] = []
        self._digests: set[int] = set()

    def wants(self, digest: bytes) -> bool:
        """Tell whether a clip would be among them."""
        return len(self._kept) < self._most or -int.from_bytes(digest) > self._kept[0][0]

    def add(self, digest: bytes, excerpt: bytes | None) -> None:
        """Take a clip, in place of the one with the largest digest where there are enough."""
        key = -int.from_bytes(digest)
        if key in self._digests:  # one clip may stand on several rows
            return
        self._digests.add(key)
        heapq.heappush(self._kept, (key, excerpt or b""))
        if len(self._kept) > self._most:
            self._digests.remove(heapq.heappop(self._kept)[0])

    def excerpts(self) -> set[bytes]:
        """Return what was kept; clips that are too short have none."""
        return {excerpt for _, excerpt in self._kept if excerpt}
