"""Change points and courses of emotion over calls, scored in seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from mmser.data import Example
from mmser.evaluation.defaults import DRAWS
from mmser.evaluation.judged import Floats, Judged, groups_of, truth_of
from mmser.evaluation.result import PointScores, TimelineScores
from mmser.evaluation.scores.change_points import (
    NO_EMOTION,
    TOLERANCES,
    Span,
    Stretch,
    diarization_error,
    match_points,
    pair_points,
)
from mmser.evaluation.scores.resampling import Resampler, count_score, ratio, resample, resampler_of

SHORT: Final = (0.5, 2.0)  # tolerances in seconds that are told of what stands beside the scores


@dataclass(frozen=True, kw_only=True)
class TimedCall:
    """One speaker on one call, by the labels and as the model says; seconds on the call's clock."""

    name: str
    group: str  # calls of one group are not independent: their speaker
    duration: float  # where the course ends
    true_points: tuple[float, ...]  # when the emotion changes
    guessed_points: tuple[float, ...]
    true_course: tuple[Stretch, ...]  # no emotion where no stretch lies
    guessed_course: tuple[Stretch, ...]
    compared: tuple[Span, ...] | None = None  # where the courses are; None = from 0 to the end


# --- scores ------------------------------------------------------------------------------------------------


def timeline_scores(
    calls: Sequence[TimedCall],
    *,
    of: str,
    unit: str = "speaker",
    baselines: Mapping[str, Sequence[TimedCall]] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> TimelineScores:
    """Score change points, matched one to one, and the emotion diarization error rate (EDER).

    EDER is that of Wang et al. (2023, Speech Emotion Diarization), for any number of emotions a call. Counts
    and seconds of all calls are added up before rates are taken; precision, recall and F1 are None where
    nothing could be right or wrong.

    Args:
        calls: what is scored.
        of: what they are: "calls", "spliced calls".
        unit: what their groups are, one word.
        baselines: name → the same calls, answered in a simpler way.
        draws: of the bootstrap, from 20 groups on.
        seed: of the draws.

    Raises:
        ValueError: if stretches of one course overlap, or one ends before it begins.
    """
    resampler = resample([call.group for call in calls], draws=draws, seed=seed, unit=unit)
    error = _errors(calls).sum(0)
    return TimelineScores(
        of=of,
        n=len(calls),
        true_points=sum(len(call.true_points) for call in calls),
        guessed_points=sum(len(call.guessed_points) for call in calls),
        points=tuple(_point_scores(calls, tolerance, resampler) for tolerance in TOLERANCES),
        median_delay=median_delay(calls),
        eder=count_score(resampler.sums(_errors(calls)), _rate, resampler),
        false_alarm=float(error[0]),
        missed=float(error[1]),
        confusion=float(error[2]),
        duration=float(error[3]),
        baselines={name: _in_short(others) for name, others in (baselines or {}).items()},
    )


def _point_scores(calls: Sequence[TimedCall], tolerance: float, resampler: Resampler) -> PointScores:
    counts = _matches(calls, tolerance)
    found, guessed, true = counts.sum(0)
    return PointScores(
        tolerance=tolerance,
        precision=float(100 * found / guessed) if guessed else None,
        recall=float(100 * found / true) if true else None,
        f1=count_score(resampler.sums(counts), _f1, resampler),
    )


def _matches(calls: Sequence[TimedCall], tolerance: float) -> Floats:
    """Return found, guessed and true points of each call, (calls, 3)."""
    found = [match_points(call.true_points, call.guessed_points, tolerance) for call in calls]
    return np.array([[m.found, m.guessed, m.true] for m in found], np.float64).reshape(-1, 3)


def _errors(calls: Sequence[TimedCall]) -> Floats:
    """Return the seconds of false alarm, missed, confusion and comparison of each call, (calls, 4)."""
    found = [
        diarization_error(call.true_course, call.guessed_course, call.duration, compared=call.compared)
        for call in calls
    ]
    rows = [[e.false_alarm, e.missed, e.confusion, e.duration] for e in found]
    return np.array(rows, np.float64).reshape(-1, 4)


def _f1(sums: Floats) -> Floats:
    return 200 * ratio(sums[:, 0], sums[:, 1] + sums[:, 2])


def _rate(sums: Floats) -> Floats:
    return 100 * ratio(sums[:, :3].sum(1), sums[:, 3])


def _in_short(calls: Sequence[TimedCall]) -> dict[str, float]:
    values = {f"f1_at_{t:g}": _f1(_matches(calls, t).sum(0)[None])[0] for t in SHORT}
    values["eder"] = _rate(_errors(calls).sum(0)[None])[0]
    return {name: float(value) for name, value in values.items() if not np.isnan(value)}


def median_delay(calls: Sequence[TimedCall]) -> float | None:
    """Return how late change points are claimed, in seconds; negative = early, None where none was found.

    Points are paired one to one within the widest tolerance, see `change_points.pair_points`.
    """
    delays = [
        guessed - true
        for call in calls
        for true, guessed in pair_points(call.true_points, call.guessed_points, TOLERANCES[-1])
    ]
    return float(np.median(delays)) if delays else None


# --- labelled dialogues ------------------------------------------------------------------------------------


def dialogue_timeline(judged: Judged, *, draws: int = DRAWS, seed: int = 0) -> TimelineScores | None:
    """Score labelled dialogues whose turns have times on the call's clock; None where there is none.

    Beside them: a shift claimed at every turn, and a neutral voice throughout.
    """
    calls = calls_of(judged)
    if not calls:
        return None
    every = calls_of(replace(judged, shifted=np.ones(len(judged), np.bool_)))
    calm = [replace(c, guessed_points=(), guessed_course=((0.0, c.duration, NO_EMOTION),)) for c in calls]
    scores = timeline_scores(
        calls,
        of="calls",
        unit=resampler_of(judged, draws=draws, seed=seed).unit,
        baselines={"a shift at every turn": every, "neutral throughout": calm},
        draws=draws,
        seed=seed,
    )
    given = {
        "model": "told when each turn begins: a change is where it reports a shift against the speaker's "
        "turn before, by the thresholds of its own configuration, as in a report",
        "a shift at every turn": "told when each turn begins",
        "neutral throughout": "told nothing",
    }
    return replace(scores, given=given)


def calls_of(judged: Judged) -> list[TimedCall]:
    """Return each speaker of each labelled dialogue whose turns have times, as a call.

    A change point is the start of a turn that shifts against the speaker's previous one; at turns where the
    labels or the model do not say, neither side has one. An emotion lasts until the speaker's next turn
    starts, judged or not, the last until that turn ends; where a turn is not judged or has no single label of
    the model's, the courses are not compared. Turns that lie in files of their own have no clock in common,
    and make no call.
    """
    truth, guess, groups = truth_of(judged), judged.guess(), groups_of(judged)
    heard, said = (*judged.examples, *judged.context), ~np.isnan(judged.change)
    found = []
    for (dialogue, speaker), places in _timed(heard).items():
        turns = [heard[place] for place in places]
        starts = [turn.start or 0.0 for turn in turns]
        end = max(starts[-1], turns[-1].end or 0.0)
        every = dict(zip(places, zip(starts, [*starts[1:], end], strict=True), strict=True))
        rows = [place for place in places if place < len(judged)]
        if not rows:
            continue
        spans = [every[row] for row in rows]
        known = [row for row in rows if said[row] and judged.examples[row].change is not None]
        start = {row: span[0] for row, span in every.items()}
        found.append(
            TimedCall(
                name=f"{dialogue}, {speaker}",
                group=groups[rows[0]],
                duration=end,
                true_points=tuple(start[row] for row in known if judged.examples[row].change != "none"),
                guessed_points=tuple(start[row] for row in known if judged.shifted[row]),
                true_course=_course(spans, [judged.labels[truth[row]] for row in rows]),
                guessed_course=_course(spans, [judged.labels[guess[row]] for row in rows]),
                compared=tuple(span for span, row in zip(spans, rows, strict=True) if truth[row] >= 0),
            )
        )
    return found


def _course(spans: Sequence[Span], labels: Sequence[str]) -> tuple[Stretch, ...]:
    return tuple((start, end, label) for (start, end), label in zip(spans, labels, strict=True))


def _timed(examples: Sequence[Example]) -> dict[tuple[str, str], list[int]]:
    """Return dialogue and speaker → rows in order of time, where they are on one clock."""
    found: dict[tuple[str, str], list[int]] = {}
    files: dict[tuple[str, str], set[str]] = {}
    for row, example in enumerate(examples):
        if example.dialogue_id is None or example.speaker is None:
            continue
        if example.start is None and example.end is None:  # a file of its own
            continue
        key = (example.dialogue_id, example.speaker)
        found.setdefault(key, []).append(row)
        files.setdefault(key, set()).update([str(example.audio)] if example.audio is not None else [])
    return {
        key: sorted(rows, key=lambda row: (examples[row].start or 0.0, examples[row].turn_index or 0))
        for key, rows in found.items()
        if len(files[key]) < 2
    }
