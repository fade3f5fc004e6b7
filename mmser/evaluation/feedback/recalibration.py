"""Emotion temperatures refitted on what readers of call reports corrected, and scored on other calls.

A temperature scales logits (Guo et al. 2017). Reports state probabilities: to their power 1 / τ and summed to
1 again, they are what the old temperature times τ would have given. That holds to the digits that a report
keeps, and for turns of one piece; a longer turn states the mean of its pieces, and it holds nearly.

The new temperatures are called better where the NLL is lower on the calls that were not fitted to, and the
95 % interval of the difference, over whole calls, leaves 0 out. ECE, Brier and abstention are told beside it:
a lower NLL may come with a worse one of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from mmser import __version__
from mmser.config_checks import MAX_TEMPERATURE, MIN_TEMPERATURE
from mmser.errors import DataError
from mmser.evaluation.defaults import DRAWS
from mmser.evaluation.feedback.correction_line import Correction
from mmser.evaluation.feedback.corrections import judged_of
from mmser.evaluation.feedback.profile import PATTERNS_SAID
from mmser.evaluation.judged import Bools, Floats, Ints, Judged, truth_of
from mmser.evaluation.result import Score
from mmser.evaluation.scores.calibration_scores import LEAST, bin_tables, calibration_scores, ece_of_tables
from mmser.evaluation.scores.resampling import Resampler, mean_score, paired_count_difference, resample
from mmser.record import Record
from mmser.types import ModelInfo

SCHEMA: Final = "mmser.recalibration/1"
CRITERION: Final = (
    "better = the NLL is lower on the calls that were not fitted to, and the 95 % interval of the "
    "difference, over whole calls, leaves 0 out"
)
FEW: Final = 30  # turns, with fewer of which no temperature is fitted
DIGITS: Final = 4  # of a temperature in a config
_LEAST: Final = 5e-5  # half the last digit of a stated probability: what 0.0000 may hide
_INSIDE: Final = 1.001  # a scale within a thousandth of its bound lies at it


# --- records -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Share(Record):
    """One part of the corrections."""

    turns: int
    calls: int


@dataclass(frozen=True, kw_only=True)
class CalibrationNumbers(Record):
    """Of the scoring part, with intervals over calls."""

    ece: Score  # [0, 1]
    nll: Score  # nats
    brier: Score  # [0, 2]
    abstained: float  # share of the turns, in percent


@dataclass(frozen=True, kw_only=True)
class CalibrationDifference(Record):
    """After minus before, paired by turn; negative is better."""

    ece: Score
    nll: Score
    brier: Score
    abstained: Score  # in percent of the turns


@dataclass(frozen=True, kw_only=True)
class Recalibration(Record):
    """The document `mmser.recalibration/1`."""

    schema: str = SCHEMA
    mmser_version: str = __version__
    model_id: str
    model_revision: str
    fitted: Share
    scored: Share
    joint: bool  # one scale for all modalities
    scales: dict[str, float]  # "fused", "audio", "text" → what its old temperature is multiplied by
    unchanged: dict[str, str]  # the others → why their temperature stays
    old: dict[str, float]  # "emotion.fused" → temperature
    new: dict[str, float]
    before: CalibrationNumbers
    after: CalibrationNumbers
    difference: CalibrationDifference
    criterion: str = CRITERION
    better: bool  # by the criterion
    worse: tuple[str, ...] = ()  # of ECE, Brier and abstention, what got worse: "ECE 0.052 → 0.081"
    forced: bool = False  # whether a model was written although it is not better
    abstain_below: float  # which stays
    notes: tuple[str, ...] = ()
    share: float
    draws: int
    seed: int


# --- fitting -----------------------------------------------------------------------------------------------


def recalibrate(
    corrections: Sequence[Correction],
    model: ModelInfo,
    *,
    share: float = 0.5,
    draws: int = DRAWS,
    seed: int = 0,
) -> Recalibration:
    """Fit the emotion temperatures on some calls, and score old and new on the others.

    Args:
        corrections: of reports by this model.
        model: whose temperatures they are.
        share: of the calls that is fitted on, in (0, 1).
        draws: of the bootstrap.
        seed: of the draws, and of which calls are fitted on.

    Raises:
        DataError: if the corrections are of another model, of one call, or too few to fit to.
    """
    _check(corrections, model)
    fitting, scoring = deal(corrections, share=share, seed=seed)
    known = all(one.pattern is not None for one in corrections)
    fit = _fit(fitting, model.calibration, known=known)
    old = {_key(kind): model.calibration[_key(kind)] for kind in PATTERNS_SAID}
    new = old | {_key(kind): round(old[_key(kind)] * scale, DIGITS) for kind, scale in fit.scales.items()}
    before = _floored(judged_of(scoring))
    after = replace(before, emotion=_rescaled(before.emotion, _factors(scoring, fit, old, new)))
    by_call = resample([one.call for one in scoring], draws=draws, seed=seed, unit="call")
    abstains = _abstains(before, after, model.abstain_below)
    difference = _difference(before, after, by_call, abstains)
    gap = difference.nll
    before_numbers = _numbers(before, by_call, before.abstained)
    after_numbers = _numbers(after, by_call, abstains)
    return Recalibration(
        model_id=model.id,
        model_revision=model.revision,
        fitted=_share(fitting),
        scored=_share(scoring),
        joint=fit.joint,
        scales=fit.scales,
        unchanged=fit.unchanged,
        old=old,
        new=new,
        before=before_numbers,
        after=after_numbers,
        difference=difference,
        better=gap.high is not None and gap.high < 0,
        worse=worse_ones(before_numbers, after_numbers),
        abstain_below=model.abstain_below,
        notes=tuple(_notes(fit, known=known)),
        share=share,
        draws=draws,
        seed=seed,
    )


def _key(pattern: str) -> str:
    return f"emotion.{pattern}"


def _check(corrections: Sequence[Correction], model: ModelInfo) -> None:
    if not corrections:
        raise DataError("there are 0 corrections to fit to; give a feedback.jsonl that holds some")
    for one in corrections:
        if one.model_revision != model.revision:
            raise DataError(
                f"the corrections are of reports by {one.model_id:.60}, revision {one.model_revision[:12]}, "
                f"but {model.id} has the revision {model.revision[:12]}; give the model whose reports were "
                "corrected"
            )
        if set(one.probabilities) != set(model.labels):
            raise DataError(
                f"the corrections have the labels {', '.join(one.probabilities)}, but {model.id} has "
                f"{', '.join(model.labels)}; give corrections of its own reports"
            )


def deal(
    corrections: Sequence[Correction], *, share: float, seed: int
) -> tuple[list[Correction], list[Correction]]:
    """Deal whole calls into those that are fitted on and those that are scored.

    Raises:
        DataError: if all are of one call.
    """
    calls = sorted({one.call for one in corrections})
    if len(calls) < 2:
        raise DataError(
            "all corrections are of one call, but what is fitted must be scored on another; give corrections "
            "of two calls or more"
        )
    count = min(max(round(share * len(calls)), 1), len(calls) - 1)
    chosen = {calls[i] for i in np.random.default_rng(seed).permutation(len(calls))[:count]}
    fitting = [one for one in corrections if one.call in chosen]
    return fitting, [one for one in corrections if one.call not in chosen]


@dataclass(frozen=True, kw_only=True)
class _Fit:
    """What was fitted, by pattern."""

    scales: dict[str, float]
    unchanged: dict[str, str]
    joint: bool
    at_bound: bool


def _fit(fitting: Sequence[Correction], old: Mapping[str, float], *, known: bool) -> _Fit:
    if len(fitting) < FEW:
        raise DataError(
            f"{len(fitting)} corrected turns are left to fit to, and {FEW} are needed; correct more turns, "
            "or give a larger --share"
        )
    kinds = [one.pattern for one in fitting] if known else []
    counts = {kind: kinds.count(kind) for kind in PATTERNS_SAID}
    enough = [kind for kind in PATTERNS_SAID if counts[kind] >= FEW]
    present = [kind for kind in PATTERNS_SAID if counts[kind]]
    groups = [[kind] for kind in enough] or [present or list(PATTERNS_SAID)]
    scales: dict[str, float] = {}
    unchanged = {
        kind: f"{counts[kind]} turns with {PATTERNS_SAID[kind]} to fit to, and {FEW} are needed"
        for kind in PATTERNS_SAID
        if not any(kind in group for group in groups)
    }
    at_bound = False
    for group in groups:
        rows = [one for one in fitting if not known or one.pattern in group]
        judged = _floored(judged_of(rows))
        if (judged.guess() == truth_of(judged)).all():
            # The surer, the likelier: there is no best temperature.
            unchanged |= dict.fromkeys(
                group, f"all {len(rows)} turns to fit to are right, so none is the best"
            )
            continue
        bounds = (
            max(MIN_TEMPERATURE / old[_key(kind)] for kind in group),
            min(MAX_TEMPERATURE / old[_key(kind)] for kind in group),
        )
        scale = fit_scale(judged.emotion, truth_of(judged), bounds)
        at_bound = at_bound or not bounds[0] * _INSIDE < scale < bounds[1] / _INSIDE
        scales |= dict.fromkeys(group, scale)
    if not scales:
        raise DataError(
            f"the {len(fitting)} turns that are left to fit to are all right, which tells of no temperature; "
            "correct turns that are wrong as well"
        )
    return _Fit(scales=scales, unchanged=unchanged, joint=not enough, at_bound=at_bound)


def fit_scale(probabilities: Floats, truth: Ints, bounds: tuple[float, float]) -> float:
    """Return what a temperature is to be multiplied by for the lowest negative log-likelihood.

    Args:
        probabilities: none of which is 0, (rows, classes).
        truth: class of each row, (rows,).
        bounds: the least and the largest.
    """
    logits, rows = np.log(probabilities), np.arange(len(truth))

    def loss(log_scale: float) -> float:
        return -float(log_softmax(logits * np.exp(-log_scale), axis=1)[rows, truth].mean())

    # Convex in 1 / scale, so that there is one valley.
    found = minimize_scalar(loss, bounds=np.log(bounds), method="bounded", options={"xatol": 1e-6})
    return float(np.clip(np.exp(found.x), *bounds))


def _floored(judged: Judged) -> Judged:
    """Return the rows with no probability of 0: rounded ones may hide as much as half a digit."""
    least = np.maximum(judged.emotion, _LEAST)
    return replace(judged, emotion=least / least.sum(1, keepdims=True))


def _factors(
    scoring: Sequence[Correction], fit: _Fit, old: Mapping[str, float], new: Mapping[str, float]
) -> Floats:
    """Return what the temperature of each row is multiplied by, as rounded in the config, (rows,)."""
    rounded = {kind: new[_key(kind)] / old[_key(kind)] for kind in PATTERNS_SAID}
    joint = next(iter(fit.scales.values()))
    return np.array([joint if one.pattern is None else rounded[one.pattern] for one in scoring], np.float64)


def _rescaled(probabilities: Floats, scales: Floats) -> Floats:
    return np.asarray(softmax(np.log(probabilities) / scales[:, None], axis=1), np.float64)


# --- scoring -----------------------------------------------------------------------------------------------


def _share(corrections: Sequence[Correction]) -> Share:
    return Share(turns=len(corrections), calls=len({one.call for one in corrections}))


def _numbers(judged: Judged, by_call: Resampler, abstains: Bools) -> CalibrationNumbers:
    scores = calibration_scores(judged, by_call)
    return CalibrationNumbers(
        ece=scores.ece, nll=scores.nll, brier=scores.brier, abstained=100 * float(abstains.mean())
    )


def _abstains(before: Judged, after: Judged, threshold: float) -> Bools:
    """Return where the model would abstain now: unsure, or, where it abstained though sure, opposed."""
    opposed = before.abstained & (before.emotion.max(1) >= threshold)
    return np.asarray(opposed | (after.emotion.max(1) < threshold), np.bool_)


def _difference(before: Judged, after: Judged, by_call: Resampler, abstains: Bools) -> CalibrationDifference:
    truth, rows = truth_of(before), np.arange(len(before))
    target = np.eye(len(before.labels))[truth]
    losses = [-np.log(np.maximum(part.emotion[rows, truth], LEAST)) for part in (before, after)]
    squares = [((part.emotion - target) ** 2).sum(1) for part in (before, after)]
    bins = [bin_tables(part.emotion.max(1), part.guess() == truth, by_call) for part in (before, after)]
    most = -float(np.log(LEAST))
    return CalibrationDifference(
        ece=paired_count_difference(bins[1], bins[0], ece_of_tables, by_call, span=(-1.0, 1.0)),
        nll=mean_score(losses[1] - losses[0], by_call, span=(-most, most)),
        brier=mean_score(squares[1] - squares[0], by_call, span=(-2.0, 2.0)),
        abstained=mean_score(
            100.0 * (abstains.astype(np.float64) - before.abstained), by_call, span=(-100.0, 100.0)
        ),
    )


def worse_ones(before: CalibrationNumbers, after: CalibrationNumbers) -> tuple[str, ...]:
    """Return what got worse of the numbers beside the criterion, in the digits that are shown."""
    pairs = (
        ("ECE", before.ece.value, after.ece.value, 3, ""),
        ("Brier", before.brier.value, after.brier.value, 3, ""),
        ("abstention", before.abstained, after.abstained, 1, " %"),
    )
    return tuple(
        f"{name} {old:.{digits}f} → {new:.{digits}f}{unit}"
        for name, old, new, digits, unit in pairs
        if old is not None and new is not None and round(new, digits) > round(old, digits)
    )


def verdict(found: Recalibration) -> str:
    """Return what the criterion says, in a clause."""
    gap = found.difference.nll
    told = f"NLL {'–' if gap.value is None else f'{gap.value:+.3f}'}"
    if gap.low is None or gap.high is None:
        return f"{told} ({gap.interval}): it cannot be told whether the new temperatures are better"
    told += f" [{gap.low:+.3f}, {gap.high:+.3f}]"
    if gap.high < 0:
        return f"{told}: the new temperatures are better"
    if gap.low > 0:
        return f"{told}: the new temperatures are worse"
    return f"{told}, which holds 0: the new temperatures are not shown to be better"


def scores_of(found: Recalibration) -> dict[str, tuple[Score, Score, Score]]:
    """Return metric → before, after and the difference, to be shown."""
    before, after, gap = found.before, found.after, found.difference
    return {
        "ECE": (before.ece, after.ece, gap.ece),
        "NLL": (before.nll, after.nll, gap.nll),
        "Brier": (before.brier, after.brier, gap.brier),
    }


def _notes(fit: _Fit, *, known: bool) -> list[str]:
    notes = []
    if not known:
        notes.append("some corrections do not say what they were judged from: one scale is fitted to all")
    if fit.at_bound:
        notes.append(
            "a temperature lies at the end of what is allowed: the turns that were fitted to are too few, or "
            "hardly one is right"
        )
    return notes


def forced(found: Recalibration) -> Recalibration:
    """Return a result with the mark that a model was written although it is not better."""
    mark = f"written with --force although the criterion is not met ({verdict(found)})"
    return replace(found, forced=True, notes=(mark, *found.notes))
