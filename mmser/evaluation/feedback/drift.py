"""Whether a model says other things than it said on validation: which emotions, and how sure it is.

A drift is a reason to look, not a loss of accuracy: calls may differ from the validation data and be judged
well, and be judged badly without differing.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
from scipy.spatial.distance import jensenshannon

from mmser.errors import DataError
from mmser.evaluation.comparing.answers import ANSWERS, read_answers
from mmser.evaluation.comparing.pairing import EVALUATION, read_evaluation
from mmser.evaluation.defaults import DRAWS
from mmser.evaluation.documents import read_document
from mmser.evaluation.judged import Floats, Ints, Judged, groups_of, where
from mmser.record import Record

SCHEMA: Final = "mmser.profile/1"
PROFILE: Final = "validation_profile.json"  # its name in a model's folder
PATTERNS: Final = {
    frozenset({"audio", "text"}): "fused",
    frozenset({"audio"}): "audio",
    frozenset({"text"}): "text",
}
PATTERNS_SAID: Final = {"fused": "sound and words", "audio": "sound alone", "text": "words alone"}
ALL: Final = "all"
Patterns = Sequence[str | None]  # of each row; None where the modalities are not known

DECILES: Final = 10
FEW_ROWS: Final = 30  # of one pattern, with fewer of which nothing is compared
FEW_CALLS: Final = 10  # with fewer, a bootstrap over calls finds drift where there is none too often
_TOO_FEW: Final = f"{{calls}} of the {FEW_CALLS} calls that a test needs"
MODERATE, LARGE = 0.1, 0.25  # PSI; from credit scoring (Siddiqi 2006), a habit and no test
_SUM: Final = 1e-3  # by which rounded shares may miss 1

Reading = Literal["small", "moderate", "large"]


# --- records -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ProfilePart(Record):
    """What a model said of some rows, with the covariance of the shares over independent groups."""

    n: int  # rows
    groups: int
    shares: tuple[float, ...]  # of the rows whose most probable label is each, [0, 1]
    edges: tuple[float, ...]  # rising: confidences between two bins, in (0, 1]
    bins: tuple[float, ...]  # share of the rows in each bin, one more than edges
    shares_spread: tuple[tuple[float, ...], ...]  # covariance of `shares`, (labels, labels)
    bins_spread: tuple[tuple[float, ...], ...]  # of `bins`


@dataclass(frozen=True, kw_only=True)
class ReferenceProfile(Record):
    """What a model said on validation: the document `mmser.profile/1`."""

    schema: str = SCHEMA
    revision: str = ""  # of the model; "" where it is not known
    labels: tuple[str, ...]
    parts: dict[str, ProfilePart]  # "all"; "fused", "audio", "text" where the modalities are known


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
class Drift(Record):
    """What a model says now against what it said on validation."""

    parts: tuple[DriftPart, ...]
    left_out: dict[str, str]  # "text" → why it is not compared


# --- the reference -----------------------------------------------------------------------------------------


def profile_of(judged: Judged, *, patterns: Patterns | None = None, revision: str = "") -> ReferenceProfile:
    """Return what to hold later answers against.

    Args:
        judged: of validation rows.
        patterns: "fused", "audio" or "text" of each row; if left out, by what the examples hold.
        revision: of the model.

    Raises:
        DataError: if there is no row.
    """
    if not len(judged):
        raise DataError(
            "a profile needs judged rows, and there are 0; evaluate the model on its validation rows"
        )
    kinds = _patterns_of(judged) if patterns is None else patterns
    # Of one unknown row nobody can say which part lacks it.
    known = [] if None in kinds else [kind for kind in kinds if kind is not None]
    rows = {ALL: judged} | {kind: where(judged, kept) for kind, kept in _kept(known).items()}
    return ReferenceProfile(
        revision=revision,
        labels=judged.labels,
        parts={kind: _profile_part(part) for kind, part in rows.items()},
    )


def _patterns_of(judged: Judged) -> list[str | None]:
    """Return the pattern of each row's example; one that was read from `answers.csv` holds neither."""
    return [
        PATTERNS.get(
            frozenset(name for name, value in (("audio", one.audio), ("text", one.text)) if value is not None)
        )
        for one in judged.examples
    ]


def _kept(patterns: Sequence[str]) -> dict[str, Ints]:
    """Return the rows of each pattern that occurs."""
    named = np.array(patterns)
    return {kind: np.flatnonzero(named == kind) for kind in (ALL, *PATTERNS_SAID) if kind in patterns}


def _profile_part(judged: Judged) -> ProfilePart:
    confidence, group = judged.emotion.max(1), _numbered(groups_of(judged))
    # Equal confidences lie in one bin: where there are many, there are fewer bins than ten.
    edges = np.unique(np.quantile(confidence, np.arange(1, DECILES) / DECILES))
    labels = _counts(judged.guess(), group, len(judged.labels))
    bins = _counts(_binned(confidence, edges), group, len(edges) + 1)
    return ProfilePart(
        n=len(judged),
        groups=len(labels),
        shares=tuple(_shares(labels.sum(0)).tolist()),
        edges=tuple(edges.tolist()),
        bins=tuple(_shares(bins.sum(0)).tolist()),
        shares_spread=tuple(tuple(row) for row in _covariance(labels).tolist()),
        bins_spread=tuple(tuple(row) for row in _covariance(bins).tolist()),
    )


def _numbered(groups: Sequence[str]) -> Ints:
    return np.asarray(np.unique(np.asarray(groups), return_inverse=True)[1], np.int64)


def _binned(confidence: Floats, edges: Floats) -> Ints:
    return np.asarray(np.searchsorted(edges, confidence, side="right"), np.int64)


def _counts(kind: Ints, group: Ints, kinds: int) -> Floats:
    """Return how many rows of each kind each group has, (groups, kinds)."""
    counts = np.zeros((int(group.max()) + 1, kinds))
    np.add.at(counts, (group, kind), 1)
    return counts


def _shares(counts: Floats) -> Floats:
    """Return counts, (…, kinds), as shares of their sum."""
    return np.asarray(counts / counts.sum(-1, keepdims=True), np.float64)


def _covariance(counts: Floats) -> Floats:
    """Return the covariance of the shares of all rows over independent groups, (kinds, kinds).

    The shares are ratios of two sums, which are taken to be linear near their values (Cochran 1977, 6.3).
    One group tells nothing, and counts as exact.
    """
    groups, total = len(counts), counts.sum()
    rest = counts - counts.sum(1, keepdims=True) * _shares(counts.sum(0))
    return np.asarray(groups / max(1, groups - 1) * rest.T @ rest / total**2, np.float64)


def write_profile(profile: ReferenceProfile) -> str:
    """Return the document that `read_reference` reads."""
    return json.dumps(profile.to_dict(), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def read_reference(path: Path) -> ReferenceProfile:
    """Return the profile of a model's folder, of an evaluation's, or of a file of either.

    Raises:
        DataError: if there is none, it is damaged or of a newer version, or an evaluation beside the answers
            is of another split.
    """
    files = [path / PROFILE, path / ANSWERS] if path.is_dir() else [path]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        raise DataError(
            f"{path} holds no profile of what the model says on validation ({PROFILE}); make one with "
            "mmser evaluate MODEL CORPORA --split validation -o FOLDER, and give that folder"
        )
    if found.suffix != ".csv":
        return _read_profile(found)
    revision = _revision_beside(found) if (found.parent / EVALUATION).is_file() else ""
    return profile_of(read_answers(found), revision=revision)


def _revision_beside(answers: Path) -> str:
    """Return the revision of the model that gave answers, "" of what is no model."""
    about = read_evaluation(answers.parent)
    if about.protocol.split != "validation":
        raise DataError(
            f"{answers} is of the split {about.protocol.split!r:.40}, and drift is told against validation; "
            "evaluate with --split validation -o FOLDER, and give that folder"
        )
    return about.model.revision if about.model.kind == "model" else ""


def _read_profile(path: Path) -> ReferenceProfile:
    remedy = "make the profile again"
    profile = read_document(path, ReferenceProfile, SCHEMA, remedy)
    fault = _fault(profile)
    if fault:
        raise DataError(f"{path} is damaged: {fault}; {remedy}")
    return profile


def _fault(profile: ReferenceProfile) -> str | None:
    """Return what is wrong with a profile."""
    if ALL not in profile.parts or set(profile.parts) - {ALL, *PATTERNS_SAID}:
        return f"its parts are {', '.join(profile.parts) or 'none'}, not {ALL} and those by modality"
    for name, part in profile.parts.items():
        labels, bins = len(profile.labels), len(part.edges) + 1
        sides = ((part.shares, part.shares_spread, labels), (part.bins, part.bins_spread, bins))
        for shares, spread, size in sides:
            if [len(shares), len(spread), *map(len, spread)] != [size] * (size + 2):
                return f"part {name} does not have {labels} labels and {bins} bins of confidence"
            if not np.isfinite(spread).all() or min(shares) < 0 or not abs(sum(shares) - 1) < _SUM:
                return f"the shares of part {name} do not add up to 1"
        if part.n < 1 or part.groups < 1 or not (np.diff(part.edges) > 0).all():
            return f"part {name} has no rows, or edges that do not rise"
    return None


# --- drift -------------------------------------------------------------------------------------------------


def drift(
    judged: Judged,
    reference: Judged | ReferenceProfile,
    *,
    patterns: Patterns | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Drift:
    """Compare what a model says now with what it said on validation.

    Sound alone is compared with sound alone and so on: a model is surer of some than of others. Rows whose
    modalities are not known, all of them where those of the reference are not, are compared with all of the
    reference. p is that of a bootstrap over whole calls, around the shares that are seen;
    the reference's own uncertainty is drawn from a normal distribution.

    Args:
        judged: rows of now; calls are their groups.
        reference: rows of validation, or their profile.
        patterns: "fused", "audio" or "text" of each row of now; if left out, by what the examples hold.
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
    known = _patterns_of(judged) if patterns is None else patterns
    if set(profile.parts) == {ALL}:
        known = [None] * len(judged)
    kept = _kept([ALL if kind is None else kind for kind in known])
    reasons = {kind: _why_not(kind, rows, profile) for kind, rows in kept.items()}
    return Drift(
        parts=tuple(
            _drift_part(kind, where(judged, rows), profile.parts[kind], draws, seed)
            for kind, rows in kept.items()
            if not reasons[kind]
        ),
        left_out={kind: why for kind, why in reasons.items() if why},
    )


def _why_not(kind: str, rows: Ints, profile: ReferenceProfile) -> str:
    if kind == ALL:
        return ""
    said = PATTERNS_SAID[kind]
    if kind not in profile.parts:  # another kind's confidence would look like drift
        return (
            f"the reference knows of no rows with {said}; evaluate the model on rows with {said}, --split "
            "validation -o FOLDER, and give --against FOLDER"
        )
    if len(rows) < FEW_ROWS:
        return f"{len(rows)} rows with {said} are fewer than {FEW_ROWS}; correct more such turns"
    return ""


def _drift_part(kind: str, judged: Judged, then: ProfilePart, draws: int, seed: int) -> DriftPart:
    rng = np.random.default_rng(seed)
    group, edges = _numbered(groups_of(judged)), np.asarray(then.edges)
    said = _counts(judged.guess(), group, len(judged.labels))
    sure = _counts(_binned(judged.emotion.max(1), edges), group, len(edges) + 1)
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
        psi_reading="small" if psi < MODERATE else "moderate" if psi < LARGE else "large",
        psi_by_chance=bins.psi_by_chance(then.n) if enough else None,
        p_confidence=bins.p_value() if enough else None,
        test=f"bootstrap over {calls:,} calls, {draws:,} draws" if enough else _TOO_FEW.format(calls=calls),
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
        self.now, self.then = _shares(counts.sum(0)), np.asarray(then)
        self.distance = np.abs(self.now - self.then).sum() / 2  # total variation
        chosen = rng.multinomial(calls, np.full(calls, 1 / calls), size=draws)
        # The spread over resampled groups is too small by (calls - 1) / calls.
        moved = (_shares(chosen @ counts) - self.now) * np.sqrt(calls / max(1, calls - 1))
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
