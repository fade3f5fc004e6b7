"""Two evaluations of the same rows, side by side: which answered better, and whether that may be chance.

One is called better where the 95 % interval of the difference leaves 0 out and p, corrected over the corpora
(Holm), is under 0.05. Where one of the two says so and the other does not, the difference is borderline. With
so few groups that p cannot fall under 0.05 (five or fewer, as 2 / 2^5 = 0.0625; over several corpora it may
take more), or without an interval, nothing can be decided.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from mmser import __version__
from mmser.evaluation.comparing.contenders import ALL, corpora_of, rows_of, told_of_change, told_of_intensity
from mmser.evaluation.defaults import DRAWS
from mmser.evaluation.judged import Bools, Floats, Judged, truth_of, where
from mmser.evaluation.result import Score
from mmser.evaluation.scores.calibration_scores import LEAST
from mmser.evaluation.scores.change_scores import NO_CHANGE, average_precision, mcc
from mmser.evaluation.scores.emotion_scores import METRICS, tables_of
from mmser.evaluation.scores.intensity_scores import concordance, moments
from mmser.evaluation.scores.resampling import (
    SURE,
    CountMetric,
    Resampler,
    least_p,
    mean_of_sums,
    paired_count_difference,
    permutation_p,
    resampler_of,
    row_score,
    ties_of,
)
from mmser.record import Record

SCHEMA: Final = "mmser.comparison/1"
NLL, CCC, MCC, AP = "NLL", "intensity CCC", "change MCC", "change AP"
NAMES: Final = (*METRICS, NLL, CCC, MCC, AP)

Verdict = Literal["A better", "B better", "borderline", "no difference shown", "not decidable"]


# --- records -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Side(Record):
    """One of the two evaluations."""

    id: str
    kind: str  # "model", "training", "baseline"
    revision: str
    rows: int  # that it answered
    alone: int  # that it answered and the other did not


@dataclass(frozen=True, kw_only=True)
class Difference(Record):
    """One metric of both on the same rows."""

    metric: str  # of `NAMES`
    a: float | None
    b: float | None
    difference: Score  # A minus B, paired by row
    p_value: float | None  # of no difference, by swapping whole groups; None of average precision
    p_holm: float | None  # the same, corrected over the corpora (Holm 1979)
    verdict: Verdict  # by the interval and `p_holm` (see above); of average precision, by the interval


@dataclass(frozen=True, kw_only=True)
class Agreement(Record):
    """Rows by who named their one label."""

    both: int
    only_a: int
    only_b: int
    neither: int


@dataclass(frozen=True, kw_only=True)
class ComparedPart(Record):
    """One corpus, or all together."""

    data: str
    n: int  # rows that both answered
    emotion: Agreement | None  # None without rows of exactly one label
    differences: tuple[Difference, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison(Record):
    """The document `mmser.comparison/1`."""

    schema: str = SCHEMA
    mmser_version: str = __version__
    a: Side
    b: Side
    n: int  # rows that both answered
    parts: tuple[ComparedPart, ...]  # "all" first, where there are several corpora
    differs: tuple[str, ...]  # what keeps the two from being of the same rows, where that was allowed
    notes: tuple[str, ...] = ()
    draws: int
    seed: int
    marks: tuple[str, ...] = ()  # that must stand beside the numbers


# --- the same rows -----------------------------------------------------------------------------------------


def compare(
    a: Judged, b: Judged, *, metrics: Sequence[str] = NAMES, draws: int = DRAWS, seed: int = 0
) -> tuple[ComparedPart, ...]:
    """Compare what two say of the same rows, of all and of each corpus.

    Args:
        a: by the one.
        b: by the other, the same rows in the same order with the same labels.
        metrics: of `NAMES`; those that a corpus has no labels or answers for are left out of it.
        draws: of the bootstrap and of the swaps.
        seed: of both.
    """
    found: dict[str, list[Difference]] = {}
    agreed: dict[str, Agreement | None] = {}
    for data in corpora_of(a):
        rows = rows_of(a, data), rows_of(b, data)
        parts = (_of_emotion, _of_intensity, _of_change)
        found[data] = [one for part in parts for one in part(*rows, metrics, draws, seed)]
        agreed[data] = _agreement(*rows)
    return tuple(
        ComparedPart(
            data=data,
            n=len(rows_of(a, data)),
            emotion=agreed[data],
            differences=tuple(_corrected(one, data, found) for one in differences),
        )
        for data, differences in found.items()
    )


def _corrected(one: Difference, data: str, found: Mapping[str, Sequence[Difference]]) -> Difference:
    """Return a difference with p corrected over the corpora, and what it shows; all together are one test."""
    family = {
        name: other.p_value
        for name, others in found.items()
        for other in others
        if other.metric == one.metric and other.p_value is not None and (name == ALL) == (data == ALL)
    }
    p_holm = holm(family).get(data)
    return replace(one, p_holm=p_holm, verdict=verdict_of(one, p_holm, len(family)))


def verdict_of(one: Difference, p_holm: float | None, tests: int = 1) -> Verdict:
    """Return what a difference shows, by the rule at the head of this file.

    Args:
        one: the difference.
        p_holm: its p, corrected; None where the metric has none.
        tests: how many are corrected together.
    """
    gap = one.difference
    if gap.value is None or gap.low is None or gap.high is None:
        return "not decidable"
    shown = p_holm is not None and p_holm < SURE
    if max(1, tests) * least_p(gap.groups) >= SURE and not shown:  # Holm spares all but the smallest p
        return "not decidable"
    apart = not gap.low <= 0 <= gap.high
    if apart != (apart if p_holm is None else p_holm < SURE):
        return "borderline"
    if not apart:
        return "no difference shown"
    return "A better" if (gap.value > 0) != (one.metric == NLL) else "B better"


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return p-values corrected so that among all of them one is rarely small by chance (Holm 1979)."""
    corrected: dict[str, float] = {}
    largest = 0.0
    for place, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[name]))
        corrected[name] = largest
    return corrected


def _agreement(a: Judged, b: Judged) -> Agreement | None:
    truth = truth_of(a)
    single = truth >= 0
    if not single.any():
        return None
    by_a, by_b = ((part.guess() == truth)[single] for part in (a, b))
    return Agreement(
        both=int((by_a & by_b).sum()),
        only_a=int((by_a & ~by_b).sum()),
        only_b=int((~by_a & by_b).sum()),
        neither=int((~by_a & ~by_b).sum()),
    )


def _of_emotion(a: Judged, b: Judged, metrics: Sequence[str], draws: int, seed: int) -> list[Difference]:
    kept = truth_of(a) >= 0
    if not kept.any() or not {*METRICS, NLL} & set(metrics):
        return []
    rows = where(a, kept), where(b, kept)
    resampler = resampler_of(rows[0], draws=draws, seed=seed)
    tables = [tables_of(part, resampler) for part in rows]
    found = [
        _counted(name, tables, metric, resampler, 100.0)
        for name, metric in METRICS.items()
        if name in metrics
    ]
    if NLL in metrics:
        truth, places = truth_of(rows[0]), np.arange(len(rows[0]))
        losses = [-np.log(np.maximum(part.emotion[places, truth], LEAST)) for part in rows]
        sums = [resampler.sums(np.stack([loss, np.ones_like(loss)], 1)) for loss in losses]
        found.append(_counted(NLL, sums, mean_of_sums, resampler, -float(np.log(LEAST))))
    return found


def _of_intensity(a: Judged, b: Judged, metrics: Sequence[str], draws: int, seed: int) -> list[Difference]:
    rows = told_of_intensity(a, b)
    if not len(rows[0]) or CCC not in metrics:
        return []
    resampler = resampler_of(rows[0], draws=draws, seed=seed)
    truth = np.array([e.intensity for e in rows[0].examples], np.float64)
    sums = [resampler.sums(moments(truth, part.intensity)) for part in rows]
    return [_counted(CCC, sums, concordance, resampler, 2.0)]


def _of_change(a: Judged, b: Judged, metrics: Sequence[str], draws: int, seed: int) -> list[Difference]:
    rows = told_of_change(a, b)
    if not len(rows[0]):
        return []
    resampler = resampler_of(rows[0], draws=draws, seed=seed)
    truth = np.array([e.change != NO_CHANGE for e in rows[0].examples], np.bool_)
    found = []
    if MCC in metrics:
        tables = [resampler.tables(truth.astype(np.int64), part.shifted.astype(np.int64), 2) for part in rows]
        found.append(_counted(MCC, tables, mcc, resampler, 2.0))
    if AP in metrics:
        found.append(_ranked(rows, truth, resampler))
    return found


def _counted(
    name: str, tables: list[Floats], metric: CountMetric, resampler: Resampler, widest: float
) -> Difference:
    """Return the difference of a metric of sums over groups, and its p by swapping whole groups."""
    a, b = tables
    values = [float(metric(part.sum(0)[None])[0]) for part in tables]
    p_value = permutation_p(a, b, metric, draws=resampler.draws, seed=resampler.seed)
    gap = paired_count_difference(a, b, metric, resampler, span=(-widest, widest))
    return _difference(name, values, gap, None if np.isnan(p_value) else p_value)


def _ranked(rows: Sequence[Judged], truth: Bools, resampler: Resampler) -> Difference:
    """Return the difference of average precision, which depends on how all rows rank."""
    orders = [ties_of(-part.change) for part in rows]

    def gap(weights: Floats) -> Floats:
        first, second = (average_precision(weights, truth, order) for order in orders)
        return np.asarray(first - second, np.float64)

    once = np.ones((1, len(truth)))
    values = [float(average_precision(once, truth, order)[0]) for order in orders]
    return _difference(AP, values, row_score(gap, resampler, span=(-100.0, 100.0)), None)


def _difference(name: str, values: Sequence[float], gap: Score, p_value: float | None) -> Difference:
    a, b = (None if np.isnan(value) else value for value in values)
    verdict: Verdict = "not decidable"  # until p is corrected
    return Difference(metric=name, a=a, b=b, difference=gap, p_value=p_value, p_holm=None, verdict=verdict)
