"""Whether a model says other things than it said on validation: which emotions, and how sure it is.

A drift is a reason to look, not a loss of accuracy: calls may differ from the validation data and be judged
well, and be judged badly without differing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from scipy.spatial.distance import jensenshannon

from mmser.errors import DataError
from mmser.evaluation.defaults import DRAWS
from mmser.evaluation.feedback.profile import (
    ALL,
    PATTERNS_SAID,
    Lengths,
    LengthsPart,
    Patterns,
    ProfilePart,
    ReferenceProfile,
    binned,
    counts_of,
    numbered,
    patterns_of,
    profile_of,
    rows_by_pattern,
    shares_of,
    with_length,
)
from mmser.evaluation.judged import Floats, Ints, Judged, groups_of, where
from mmser.record import Record

FEW_ROWS: Final = 30  # of one pattern, with fewer of which nothing is compared
FEW_CALLS: Final = 10  # with fewer, a bootstrap over calls finds drift where there is none too often
MODERATE, LARGE = 0.1, 0.25  # PSI; from credit scoring (Siddiqi 2006), a habit and no test
_DRAWN: Final = 1_000
LENGTHS: Final = "lengths"  # among what is left out

Reading = Literal["small", "moderate", "large"]


# --- records -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class DriftPart(Record):
    """Rows of one kind now, beside those of the reference."""

    data: str  # "all", "fused", "audio" or "text"
    n: int
    calls: int
    n_reference: int
    now: dict[str, float]  # label → share of the rows in which it is the most probable, in percent
    then: dict[str, float]
    total_variation: float  # between the two, [0, 1]
    jensen_shannon: float  # bits, [0, 1] (Lin 1991)
    p_labels: float | None  # of no drift of the labels; None with too few calls
    psi: float  # population stability index of the reference's deciles of confidence
    psi_reading: Reading  # by habit: under 0.1 small, under 0.25 moderate, else large
    psi_by_chance: float | None  # the 95th percentile of what as few calls give without drift
    p_confidence: float | None  # of no drift of the confidence
    test: str  # how p was had, or why there is none


@dataclass(frozen=True, kw_only=True)
class SaidPart(Record):
    """Rows of a kind that is not compared: what is said of them, without a word on drift."""

    data: str  # "fused", "audio" or "text"
    n: int
    calls: int
    now: dict[str, float]  # label → share of the rows in which it is the most probable, in percent
    confidence: float  # median probability of that label, [0, 1]


@dataclass(frozen=True, kw_only=True)
class LengthsDrift(Record):
    """How long the sound of turns is, with or without words, beside that of validation rows."""

    n: int
    calls: int
    n_reference: int
    median: float  # s
    median_reference: float  # s
    psi: float  # as of the confidence
    psi_reading: Reading
    psi_by_chance: float | None
    p_value: float | None  # None with too few calls
    test: str


@dataclass(frozen=True, kw_only=True)
class Drift(Record):
    """What a model says now against what it said on validation."""

    parts: tuple[DriftPart, ...]
    left_out: dict[str, str]  # "text" → why it is not compared; "lengths" among them
    alone: tuple[SaidPart, ...] = ()  # the kinds that are left out
    lengths: LengthsDrift | None = None  # None where they are left out, or are not asked for


# --- drift -------------------------------------------------------------------------------------------------


def drift(
    judged: Judged,
    reference: Judged | ReferenceProfile,
    *,
    patterns: Patterns | None = None,
    lengths: Lengths | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Drift:
    """Compare what a model says now with what it said on validation.

    Sound alone is compared with sound alone and so on: a model is surer of some than of others. Of a kind
    that the reference lacks, what is said is told, and nothing is compared. Rows whose modalities are not
    known, all of them where those of the reference are not, are compared with all of the reference. p is that
    of a bootstrap over whole calls, around the shares that are seen;
    the reference's own uncertainty is drawn from a normal distribution.

    Args:
        judged: rows of now; calls are their groups.
        reference: rows of validation, or their profile.
        patterns: "fused", "audio" or "text" of each row of now; if left out, by what the examples hold.
        lengths: of each row's sound now, in seconds; if left out, they are not compared.
        draws: of the bootstrap.
        seed: of the draws.

    Raises:
        DataError: if the labels are others, or there is no row.
    """
    profile = profile_of(reference) if isinstance(reference, Judged) else reference
    if sorted(profile.labels) != sorted(judged.labels):
        raise DataError(
            f"the reference has the labels {', '.join(profile.labels)}, and what is compared with it has "
            f"{', '.join(judged.labels)}; give the reference of the same model"
        )
    if not len(judged):
        raise DataError("there are 0 rows to compare with the reference; give some")
    columns = [judged.labels.index(label) for label in profile.labels]
    judged = replace(judged, labels=profile.labels, emotion=judged.emotion[:, columns])
    known = patterns_of(judged) if patterns is None else patterns
    if set(profile.parts) == {ALL}:
        known = [None] * len(judged)
    kept = rows_by_pattern([ALL if kind is None else kind for kind in known])
    reasons = {kind: _why_not(kind, rows, profile) for kind, rows in kept.items()}
    left_out = {kind: why for kind, why in reasons.items() if why}
    moved = None
    if lengths is not None:
        moved = _lengths_drift(*with_length(judged, lengths), profile.lengths, draws, seed)
        left_out |= {LENGTHS: moved} if isinstance(moved, str) else {}
    return Drift(
        parts=tuple(
            _drift_part(kind, where(judged, rows), profile.parts[kind], draws, seed)
            for kind, rows in kept.items()
            if kind not in left_out
        ),
        left_out=left_out,
        alone=tuple(_said(kind, where(judged, rows)) for kind, rows in kept.items() if kind in left_out),
        lengths=None if isinstance(moved, str) else moved,
    )


def _why_not(kind: str, rows: Ints, profile: ReferenceProfile) -> str:
    said = PATTERNS_SAID.get(kind, "sound, words or both")
    if kind not in profile.parts:  # another kind's confidence would look like drift
        why = f" ({profile.lacks[kind]})" if kind in profile.lacks else ""
        return (
            f"the reference knows of no rows with {said}{why}; evaluate the model on labelled calls of yours "
            "with --split validation -o FOLDER, and give --against FOLDER"
        )
    if len(rows) < FEW_ROWS:
        return f"{len(rows)} rows with {said} are fewer than {FEW_ROWS}; correct more such turns"
    return ""


def _said(kind: str, judged: Judged) -> SaidPart:
    shares = shares_of(np.bincount(judged.guess(), minlength=len(judged.labels)).astype(np.float64))
    return SaidPart(
        data=kind,
        n=len(judged),
        calls=len(set(groups_of(judged))),
        now={label: 100 * float(share) for label, share in zip(judged.labels, shares, strict=True)},
        confidence=float(np.median(judged.emotion.max(1))),
    )


def _lengths_drift(
    judged: Judged, seconds: Floats, then: LengthsPart | None, draws: int, seed: int
) -> LengthsDrift | str:
    """Return how lengths moved, or why that is not told."""
    if then is None:
        return "the reference does not tell how long its sound is"
    if len(judged) < FEW_ROWS:
        return f"{len(judged)} turns with sound and times are fewer than {FEW_ROWS}; correct more of them"
    edges, group = np.asarray(then.edges), numbered(groups_of(judged))
    counts = counts_of(binned(seconds, edges), group, len(edges) + 1)
    bins = _Compared(counts, then.bins, then.bins_spread, draws, np.random.default_rng(seed))
    calls = len(counts)
    enough = calls >= FEW_CALLS
    psi = bins.psi(then.n)
    return LengthsDrift(
        n=len(judged),
        calls=calls,
        n_reference=then.n,
        median=float(np.median(seconds)),
        median_reference=then.median,
        psi=psi,
        psi_reading=_reading(psi),
        psi_by_chance=bins.psi_by_chance(then.n) if enough else None,
        p_value=bins.p_value() if enough else None,
        test=_test(calls, draws),
    )


def _reading(psi: float) -> Reading:
    return "small" if psi < MODERATE else "moderate" if psi < LARGE else "large"


def _test(calls: int, draws: int) -> str:
    """Return how p is had, or why there is none."""
    if calls < FEW_CALLS:
        return f"{calls} of the {FEW_CALLS} calls that a test needs"
    return f"bootstrap over {calls:,} calls, {draws:,} draws"


def _drift_part(kind: str, judged: Judged, then: ProfilePart, draws: int, seed: int) -> DriftPart:
    rng = np.random.default_rng(seed)
    group, edges = numbered(groups_of(judged)), np.asarray(then.edges)
    said = counts_of(judged.guess(), group, len(judged.labels))
    sure = counts_of(binned(judged.emotion.max(1), edges), group, len(edges) + 1)
    labels = _Compared(said, then.shares, then.shares_spread, draws, rng)
    bins = _Compared(sure, then.bins, then.bins_spread, draws, rng)
    calls = len(said)
    enough = calls >= FEW_CALLS
    psi = bins.psi(then.n)
    return DriftPart(
        data=kind,
        n=len(judged),
        calls=calls,
        n_reference=then.n,
        now={label: 100 * float(share) for label, share in zip(judged.labels, labels.now, strict=True)},
        then={label: 100 * float(share) for label, share in zip(judged.labels, then.shares, strict=True)},
        total_variation=float(labels.distance),
        jensen_shannon=float(jensenshannon(labels.now, labels.then, base=2) ** 2),
        p_labels=labels.p_value() if enough else None,
        psi=psi,
        psi_reading=_reading(psi),
        psi_by_chance=bins.psi_by_chance(then.n) if enough else None,
        p_confidence=bins.p_value() if enough else None,
        test=_test(calls, draws),
    )


class _Compared:
    """Shares of now beside those of then, and how far they would be apart by chance."""

    def __init__(
        self,
        counts: Floats,
        then: Sequence[float],
        spread: Sequence[Sequence[float]],
        draws: int,
        rng: np.random.Generator,
    ) -> None:
        calls = len(counts)
        self.counts = counts  # (calls, kinds)
        self.now, self.then = shares_of(counts.sum(0)), np.asarray(then)
        self.distance = np.abs(self.now - self.then).sum() / 2  # total variation
        sums = []
        for first in range(0, draws, _DRAWN):  # some at a time: calls times draws may be more than memory
            size = min(_DRAWN, draws - first)
            sums.append(rng.multinomial(calls, np.full(calls, 1 / calls), size=size) @ counts)
        # The spread over resampled groups is too small by (calls - 1) / calls.
        moved = (shares_of(np.concatenate(sums)) - self.now) * np.sqrt(calls / max(1, calls - 1))
        drawn = rng.multivariate_normal(
            np.zeros(len(self.then)), np.asarray(spread), size=draws, method="eigh"
        )
        self.by_chance = moved - drawn  # differences without drift, (draws, kinds)

    def p_value(self) -> float:
        """Return the share of differences by chance that are as large; never 0 (Phipson & Smyth 2010)."""
        as_large = np.abs(self.by_chance).sum(1) / 2 >= self.distance - 1e-9
        return float((1 + as_large.sum()) / (1 + len(as_large)))

    def psi(self, n: int) -> float:
        """Return the population stability index, natural logarithm; an empty bin counts as half a row."""
        now, then = _filled(self.now, int(self.counts.sum())), _filled(self.then, n)
        return float(((now - then) * np.log(now / then)).sum())

    def psi_by_chance(self, n: int) -> float:
        """Return its 95th percentile without drift, of the chi-square form that it is nearly equal to."""
        return float(np.quantile((self.by_chance**2 / _filled(self.then, n)).sum(1), 0.95))


def _filled(shares: Floats, n: int) -> Floats:
    """Return shares of `n` rows of which none is 0."""
    filled = np.maximum(shares, 0.5 / n)
    return np.asarray(filled / filled.sum(), np.float64)
