"""Scores of change points and of emotion over time: who changed when, and how long the answer was wrong."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

Stretch = tuple[float, float, str]  # start and end in seconds, emotion
Span = tuple[float, float]  # start and end in seconds
Pair = tuple[float, float]  # a true and a guessed time, in seconds

TOLERANCES = (0.5, 1.0, 2.0, 5.0)  # seconds
NO_EMOTION = "neutral"
TINY = 1e-9  # of rounding: a distance of the tolerance itself is within it


@dataclass(frozen=True, kw_only=True)
class Matches:
    """How many change points were found; counts of several calls add up."""

    found: int = 0  # pairs of one true and one guessed point
    guessed: int = 0
    true: int = 0

    def __add__(self, other: Self) -> "Matches":
        return Matches(
            found=self.found + other.found,
            guessed=self.guessed + other.guessed,
            true=self.true + other.true,
        )

    @property
    def precision(self) -> float:
        """Share of the guesses that were right, in percent; 100 where nothing was claimed."""
        return 100.0 * self.found / self.guessed if self.guessed else 100.0

    @property
    def recall(self) -> float:
        """Share of the true points that were found, in percent; 100 where there was none."""
        return 100.0 * self.found / self.true if self.true else 100.0

    @property
    def f1(self) -> float:
        """Harmonic mean of the two, in percent; 100 where there is nothing to find and nothing claimed."""
        total = self.guessed + self.true
        return 200.0 * self.found / total if total else 100.0


def match_points(true: Iterable[float], guessed: Iterable[float], tolerance: float) -> Matches:
    """Pair true and guessed times, each at most once, so that as many as possible pair up.

    Args:
        true: seconds, in any order.
        guessed: seconds, in any order.
        tolerance: two times pair up where they differ by at most this, in seconds.
    """
    left, right = sorted(true), sorted(guessed)
    found = i = j = 0
    # With one tolerance for all, to pair the earliest that fit is a maximum matching (Glover 1967).
    while i < len(left) and j < len(right):
        if abs(left[i] - right[j]) <= tolerance + TINY:
            found, i, j = found + 1, i + 1, j + 1
        elif left[i] < right[j]:
            i += 1
        else:
            j += 1
    return Matches(found=found, guessed=len(right), true=len(left))


def pair_points(true: Iterable[float], guessed: Iterable[float], tolerance: float) -> list[Pair]:
    """Return the pairs of true and guessed times that are nearest, among the pairings with most pairs.

    There are as many as `match_points` finds. Of pairings that are equally near, the one of earlier times is
    taken; pairs never cross. Distances are compared by the microsecond, so that rounding decides nothing.

    Args:
        true: seconds, in any order.
        guessed: seconds, in any order.
        tolerance: two times pair up where they differ by at most this, in seconds.
    """
    left, right = sorted(true), sorted(guessed)
    far = np.abs(np.subtract.outer(np.array(left, float), np.array(right, float)))
    steps, widest = np.round(far * 1e6).astype(np.int64), round(tolerance * 1e6)
    # One pair more is worth more than any distances, and no pair out of reach is worth anything.
    worth = np.where(far <= tolerance + TINY, (min(far.shape) + 1) * (widest + 1) - steps, -1)
    best = np.zeros((len(left) + 1, len(right) + 1), np.int64)
    for i in range(len(left)):
        paired = np.where(worth[i] >= 0, best[i, :-1] + worth[i], 0)
        best[i + 1, 1:] = np.maximum.accumulate(np.maximum(best[i, 1:], paired))
    pairs, i, j = [], len(left), len(right)
    while best[i, j] > 0:
        if best[i, j] == best[i, j - 1]:
            j -= 1
        elif best[i, j] == best[i - 1, j]:
            i -= 1
        else:
            i, j = i - 1, j - 1
            pairs.append((left[i], right[j]))
    return pairs[::-1]


@dataclass(frozen=True, kw_only=True)
class DiarizationError:
    """Seconds of wrong answers; those of several calls add up."""

    false_alarm: float = 0.0  # an emotion where there was none
    missed: float = 0.0  # none where there was one
    confusion: float = 0.0  # another one
    duration: float = 0.0  # of all that was compared

    def __add__(self, other: Self) -> "DiarizationError":
        sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        return DiarizationError(**sums)

    @property
    def rate(self) -> float:
        """Emotion diarization error rate (EDER), in percent of the duration; 0 where there is none."""
        wrong = self.false_alarm + self.missed + self.confusion
        return 100.0 * wrong / self.duration if self.duration else 0.0


def diarization_error(
    true: Sequence[Stretch],
    guessed: Sequence[Stretch],
    duration: float,
    no_emotion: str = NO_EMOTION,
    *,
    compared: Sequence[Span] | None = None,
) -> DiarizationError:
    """Compare two courses of emotion over a call (after Wang et al. 2023, Speech Emotion Diarization).

    A call may hold any number of emotions, in any order; where no stretch lies there is no emotion.

    Args:
        true: stretches that do not overlap.
        guessed: stretches that do not overlap.
        duration: of the call in seconds; what lies outside [0, duration] is not compared.
        no_emotion: the label that counts as none.
        compared: parts of the call that are, such as those where the truth is known; None = all of it.

    Raises:
        ValueError: if stretches of one side, or of what is compared, overlap, or one ends before it begins.
    """
    whole = max(duration, 0.0)
    spans = [(0.0, whole)] if compared is None else compared
    inside = [(start, end, "what is compared") for start, end in spans]
    for side in (true, guessed, inside):
        _check(side)
    edges = {t for a, b, _ in (*true, *guessed, *inside) for t in (a, b)}
    times = sorted({0.0, whole} | {t for t in edges if 0.0 < t < whole})
    courses = [_labels(side, times, no_emotion) for side in (true, guessed, inside)]
    false_alarm = missed = confusion = 0.0
    for (start, end), real, said, counts in zip(itertools.pairwise(times), *courses, strict=True):
        if counts == no_emotion or real == said:
            continue
        if real == no_emotion:
            false_alarm += end - start
        elif said == no_emotion:
            missed += end - start
        else:
            confusion += end - start
    length = sum(max(0.0, min(end, whole) - max(start, 0.0)) for start, end in spans)
    return DiarizationError(false_alarm=false_alarm, missed=missed, confusion=confusion, duration=length)


def _check(stretches: Sequence[Stretch]) -> None:
    for start, end, emotion in stretches:
        if end < start:
            raise ValueError(f"a stretch of {emotion} ends at {end} s, before it begins at {start} s")
    for (_, end, _), (start, _, _) in itertools.pairwise(sorted(stretches)):
        if start < end - TINY:
            raise ValueError(
                f"two stretches overlap from {start} s to {end} s; one emotion at a time is compared"
            )


def _labels(stretches: Sequence[Stretch], times: Sequence[float], no_emotion: str) -> list[str]:
    """Return the emotion between each two of the times, which hold every edge inside the call."""
    ordered = sorted(stretches)
    labels, place = [], 0
    for start, end in itertools.pairwise(times):
        middle = (start + end) / 2
        while place < len(ordered) and ordered[place][1] <= middle:
            place += 1
        inside = place < len(ordered) and ordered[place][0] <= middle
        labels.append(ordered[place][2] if inside else no_emotion)
    return labels


def stretches_between(points: Sequence[float], emotions: Sequence[str], duration: float) -> list[Stretch]:
    """Return the course that change points leave: one emotion before, between and after them.

    Args:
        points: rising, in seconds, inside (0, duration).
        emotions: one more than points.
        duration: of the call, in seconds.
    """
    spans = itertools.pairwise([0.0, *points, duration])
    return [(a, b, emotion) for (a, b), emotion in zip(spans, emotions, strict=True)]
