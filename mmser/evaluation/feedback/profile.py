"""What a model said on validation: the profile that drift is told against, `mmser.profile/1`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from mmser.data.tables import MOST
from mmser.errors import DataError
from mmser.evaluation.comparing.answers import ANSWERS, read_answers
from mmser.evaluation.comparing.pairing import EVALUATION, read_evaluation
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
Lengths = Sequence[float | None]  # s, of each row's sound; None where it has none, or it is not known

DECILES: Final = 10
_SUM: Final = 1e-3  # by which rounded shares may miss 1
_ROUNDING: Final = 1e-9  # by which a covariance may miss what one must be


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
class LengthsPart(Record):
    """How long the sound of rows was, whether or not words were given with it."""

    n: int  # rows with sound
    groups: int
    median: float  # s
    edges: tuple[float, ...]  # s, rising, between two bins
    bins: tuple[float, ...]  # share of the rows in each bin, one more than edges
    bins_spread: tuple[tuple[float, ...], ...]  # covariance of `bins`


@dataclass(frozen=True, kw_only=True)
class ReferenceProfile(Record):
    """What a model said on validation: the document `mmser.profile/1`."""

    schema: str = SCHEMA
    revision: str = ""  # of the model; "" where it is not known
    labels: tuple[str, ...]
    parts: dict[str, ProfilePart]  # "all"; "fused", "audio", "text" where the modalities are known
    lengths: LengthsPart | None = None  # None where they are not known
    lacks: dict[str, str] = field(default_factory=dict)  # "fused" → why there are no such rows


# --- making ------------------------------------------------------------------------------------------------


def profile_of(
    judged: Judged,
    *,
    patterns: Patterns | None = None,
    lengths: Lengths | None = None,
    lacks: Mapping[str, str] | None = None,
    revision: str = "",
) -> ReferenceProfile:
    """Return what to hold later answers against.

    Args:
        judged: of validation rows.
        patterns: "fused", "audio" or "text" of each row; if left out, by what the examples hold.
        lengths: of each row's sound, in seconds; if left out, they are not told.
        lacks: pattern that no row has → why, which is told where turns of it cannot be compared.
        revision: of the model.

    Raises:
        DataError: if there is no row.
    """
    if not len(judged):
        raise DataError(
            "a profile needs judged rows, and there are 0; evaluate the model on its validation rows"
        )
    kinds = patterns_of(judged) if patterns is None else patterns
    # Of one unknown row nobody can say which part lacks it.
    known = [] if None in kinds else [kind for kind in kinds if kind is not None]
    rows = {ALL: judged} | {kind: where(judged, own) for kind, own in rows_by_pattern(known).items()}
    return ReferenceProfile(
        revision=revision,
        labels=judged.labels,
        parts={kind: _profile_part(part) for kind, part in rows.items()},
        lengths=None if lengths is None else _lengths_part(judged, lengths),
        lacks={kind: why for kind, why in (lacks or {}).items() if kind not in rows},
    )


def patterns_of(judged: Judged) -> list[str | None]:
    """Return the pattern of each row's example; one that was read from `answers.csv` holds neither."""
    return [
        PATTERNS.get(
            frozenset(name for name, value in (("audio", one.audio), ("text", one.text)) if value is not None)
        )
        for one in judged.examples
    ]


def rows_by_pattern(patterns: Sequence[str]) -> dict[str, Ints]:
    """Return the rows of each pattern that occurs."""
    named = np.array(patterns)
    return {kind: np.flatnonzero(named == kind) for kind in (ALL, *PATTERNS_SAID) if kind in patterns}


def _profile_part(judged: Judged) -> ProfilePart:
    confidence, group = judged.emotion.max(1), numbered(groups_of(judged))
    edges = _edges(confidence)
    labels = counts_of(judged.guess(), group, len(judged.labels))
    bins = counts_of(binned(confidence, edges), group, len(edges) + 1)
    return ProfilePart(
        n=len(judged),
        groups=len(labels),
        shares=tuple(shares_of(labels.sum(0)).tolist()),
        edges=tuple(edges.tolist()),
        bins=tuple(shares_of(bins.sum(0)).tolist()),
        shares_spread=tuple(tuple(row) for row in _covariance(labels).tolist()),
        bins_spread=tuple(tuple(row) for row in _covariance(bins).tolist()),
    )


def _lengths_part(judged: Judged, lengths: Lengths) -> LengthsPart | None:
    known, seconds = with_length(judged, lengths)
    if not len(known):
        return None
    group, edges = numbered(groups_of(known)), _edges(seconds)
    bins = counts_of(binned(seconds, edges), group, len(edges) + 1)
    return LengthsPart(
        n=len(known),
        groups=len(bins),
        median=float(np.median(seconds)),
        edges=tuple(edges.tolist()),
        bins=tuple(shares_of(bins.sum(0)).tolist()),
        bins_spread=tuple(tuple(row) for row in _covariance(bins).tolist()),
    )


def with_length(judged: Judged, lengths: Lengths) -> tuple[Judged, Floats]:
    """Return the rows whose sound has a known length, and their lengths in seconds, (rows,)."""
    seconds = np.array([np.nan if one is None else one for one in lengths], np.float64)
    known = np.flatnonzero(~np.isnan(seconds))
    return where(judged, known), seconds[known]


def _edges(values: Floats) -> Floats:
    # Equal values lie in one bin: where there are many, there are fewer bins than ten.
    return np.asarray(np.unique(np.quantile(values, np.arange(1, DECILES) / DECILES)), np.float64)


def numbered(groups: Sequence[str]) -> Ints:
    """Return the number of each row's group, from 0, (rows,)."""
    return np.asarray(np.unique(np.asarray(groups), return_inverse=True)[1], np.int64)


def binned(values: Floats, edges: Floats) -> Ints:
    """Return the bin of each value, (rows,)."""
    return np.asarray(np.searchsorted(edges, values, side="right"), np.int64)


def counts_of(kind: Ints, group: Ints, kinds: int) -> Floats:
    """Return how many rows of each kind each group has, (groups, kinds)."""
    counts = np.zeros((int(group.max()) + 1, kinds))
    np.add.at(counts, (group, kind), 1)
    return counts


def shares_of(counts: Floats) -> Floats:
    """Return counts, (…, kinds), as shares of their sum."""
    return np.asarray(counts / counts.sum(-1, keepdims=True), np.float64)


def _covariance(counts: Floats) -> Floats:
    """Return the covariance of the shares of all rows over independent groups, (kinds, kinds).

    The shares are ratios of two sums, which are taken to be linear near their values (Cochran 1977, 6.3).
    One group tells nothing, and counts as exact.
    """
    groups, total = len(counts), counts.sum()
    rest = counts - counts.sum(1, keepdims=True) * shares_of(counts.sum(0))
    return np.asarray(groups / max(1, groups - 1) * rest.T @ rest / total**2, np.float64)


def write_profile(profile: ReferenceProfile) -> str:
    """Return the document that `read_reference` reads."""
    return json.dumps(profile.to_dict(), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


# --- reading -----------------------------------------------------------------------------------------------


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
    if not (found.parent / EVALUATION).is_file():
        return profile_of(read_answers(found))
    about = read_evaluation(found.parent)
    if about.protocol.split != "validation":
        raise DataError(
            f"{found} is of the split {about.protocol.split!r:.40}, and drift is told against validation; "
            "evaluate with --split validation -o FOLDER, and give that folder"
        )
    revision = about.model.revision if about.model.kind == "model" else ""
    return profile_of(read_answers(found, about.answers_sha256), revision=revision)


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
            if fault := _fault_of_shares(shares, spread):
                return f"the shares of part {name} {fault}"
        if fault := _fault_of_rows(part):
            return f"part {name} {fault}"
    if (lengths := profile.lengths) is not None:
        size = len(lengths.edges) + 1
        if [len(lengths.bins), len(lengths.bins_spread), *map(len, lengths.bins_spread)] != [size] * (
            size + 2
        ):
            return f"the lengths do not have {size} bins"
        if fault := _fault_of_shares(lengths.bins, lengths.bins_spread):
            return f"the shares of the lengths {fault}"
        if fault := _fault_of_rows(lengths):
            return f"the part of the lengths {fault}"
    return None


def _fault_of_shares(shares: Sequence[float], spread: Sequence[Sequence[float]]) -> str | None:
    if not min(shares) >= 0 or not abs(sum(shares) - 1) < _SUM:
        return "do not add up to 1"
    covariance = np.asarray(spread, np.float64)
    # Of shares in [0, 1] none varies by more than 1; what is no covariance cannot be drawn from.
    if not (np.abs(covariance) <= 1).all() or not np.allclose(covariance, covariance.T, atol=_ROUNDING):
        return "have a spread that is not symmetric, or beyond 1"
    if np.linalg.eigvalsh(covariance).min() < -_ROUNDING:
        return "have a spread that is no covariance: one of its eigenvalues is negative"
    return None


def _fault_of_rows(part: ProfilePart | LengthsPart) -> str | None:
    if not 1 <= part.groups <= part.n <= MOST:
        return f"has {part.n:.3g} rows of {part.groups:.3g} groups" if part.n <= MOST else "has too many rows"
    if not np.isfinite(part.edges).all() or not (np.diff(part.edges) > 0).all():
        return "has edges that do not rise"
    return None
