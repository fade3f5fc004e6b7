"""How well shifts against the same speaker's previous turn are told, beside simple rules."""

import numpy as np

from mmser.evaluation.defaults import DRAWS
from mmser.evaluation.judged import Bools, Floats, Ints, Judged, where
from mmser.evaluation.result import ChangeScores, Score
from mmser.evaluation.scores.emotion_scores import class_score, macro_f1
from mmser.evaluation.scores.resampling import (
    COEFFICIENT,
    Resampler,
    Ties,
    count_score,
    ratio,
    resampler_of,
    row_score,
    ties_of,
)
from mmser.labels import DIRECTIONS

NO_CHANGE = "none"
PRODUCT_THRESHOLD = 0.5


def change_scores(judged: Judged, *, draws: int = DRAWS, seed: int = 0) -> ChangeScores | None:
    """Score shifts on the rows of which it is known whether there is one, and judged.

    The rules are "always a shift"; "never"; "argmax differs": the most probable emotion is another than on
    the same speaker's previous row; and "1 - p·p_prev": the probability that two draws from the emotions of
    both rows differ, with a shift from 0.5 on. The last two are scored where the previous turn is judged as
    well; if that is not everywhere, "model" stands beside them, on the same rows. Each has its MCC, F1 and
    average precision (percent), as far as they are defined, and the number of its rows.

    Args:
        judged: of which the rows with both count; the others serve as previous rows. The previous row is the
            one with the next lower `turn_index` of the same dialogue and speaker, with a change or not.
        draws: of the bootstrap, from 20 groups on.
        seed: of the draws.

    Returns:
        The scores; None without such a row. MCC, F1 and average precision are None without a true shift.
    """
    known = np.array([e.change is not None for e in judged.examples], np.bool_)
    kept = known & ~np.isnan(judged.change)
    if not kept.any():
        return None
    rows = where(judged, kept)
    resampler = resampler_of(rows, draws=draws, seed=seed)
    truth = np.array([e.change != NO_CHANGE for e in rows.examples], np.bool_)
    tables = resampler.tables(truth.astype(np.int64), rows.shifted.astype(np.int64), 2)
    total = tables.sum(0).astype(np.int64)
    own = class_score("shift", found=total[1, 1], carried=total[1].sum(), guessed=total[:, 1].sum())
    order = ties_of(-rows.change)
    return ChangeScores(
        n=len(rows),
        base_rate=100 * float(truth.mean()),
        mcc=count_score(tables, mcc, resampler, span=COEFFICIENT),
        average_precision=row_score(
            lambda weights: average_precision(weights, truth, order), resampler, span=(0.0, 100.0)
        ),
        f1=count_score(tables, shift_f1, resampler),
        precision=own.precision,
        recall=own.recall,
        direction_macro_f1=_direction_score(rows, resampler),
        rules=_rules(judged, kept, truth),
    )


# --- metrics of tables of no shift and shift, truth by guess, (resamples, 2, 2) ---------------------------


def mcc(tables: Floats) -> Floats:
    """Return the Matthews correlation; 0 where all guesses are alike, NaN where all truths are."""
    (tn, fp), (fn, tp) = np.moveaxis(tables, 0, -1)
    guessed = ratio(tp * tn - fp * fn, np.sqrt((tp + fp) * (tn + fn) * (tp + fn) * (tn + fp)), 0.0)
    return np.where((tp + fn) * (tn + fp) > 0, guessed, np.nan)


def shift_f1(tables: Floats) -> Floats:
    """Return F1 of shifts in percent; NaN where there is none."""
    (_, fp), (fn, tp) = np.moveaxis(tables, 0, -1)
    return np.where(tp + fn > 0, 200 * ratio(tp, 2 * tp + fp + fn), np.nan)


def average_precision(weights: Floats, truth: Bools, order: Ties) -> Floats:
    """Return the average precision of weighted rows in percent; NaN without a true one, (resamples,).

    Equal scores are one step of the curve, as in scikit-learn.

    Args:
        weights: of rows, (resamples, rows).
        truth: which rows are to be found, (rows,).
        order: of the negative scores.
    """
    counts, found = order.sums(weights), order.sums(weights * truth)
    precision = ratio(found.cumsum(1), counts.cumsum(1), 0.0)
    return 100 * ratio((found * precision).sum(1), found.sum(1))


# --- beside them -----------------------------------------------------------------------------------------


def _direction_score(rows: Judged, resampler: Resampler) -> Score | None:
    """Return macro-F1 over true shifts of known direction; to claim no shift there is a miss."""
    places: dict[str, int] = {direction: place for place, direction in enumerate(DIRECTIONS)}
    truth = np.array([places.get(e.change or "", -1) for e in rows.examples], np.int64)
    guess = np.array([places.get(d or "", len(places)) for d in rows.direction], np.int64)
    kept = truth >= 0
    if not kept.any():
        return None
    own = resampler.where(kept)
    return count_score(own.tables(truth[kept], guess[kept], len(places) + 1), macro_f1, own)


def previous_rows(judged: Judged) -> Ints:
    """Return the row of the same speaker's previous turn in the dialogue, -1 if it is none, (rows,)."""
    found = np.full(len(judged), -1, np.int64)
    turns = [
        (e.dialogue_id, e.speaker, e.turn_index, row)
        for row, e in enumerate((*judged.examples, *judged.context))
        if e.dialogue_id is not None and e.speaker is not None and e.turn_index is not None
    ]
    last: dict[tuple[str, str], int] = {}
    for dialogue, speaker, _, row in sorted(turns):
        if row < len(judged):
            found[row] = last.get((dialogue, speaker), -1)
        last[dialogue, speaker] = row if row < len(judged) else -1
    return found


def _rules(judged: Judged, kept: Bools, truth: Bools) -> dict[str, dict[str, float]]:
    yes = np.ones(len(truth))
    rules = {"always a shift": _rule(truth, yes, yes > 0), "never": _rule(truth, 0 * yes, yes < 0)}
    before = previous_rows(judged)[kept]
    both = before >= 0
    if not both.any():
        return rules
    now, before, true = np.flatnonzero(kept)[both], before[both], truth[both]
    guess = judged.guess()
    differs = guess[now] != guess[before]
    product = 1 - (judged.emotion[now] * judged.emotion[before]).sum(1)
    if not both.all():
        rules["model"] = _rule(true, judged.change[now], judged.shifted[now])
    rules["argmax differs"] = _rule(true, differs.astype(np.float64), differs)
    rules["1 - p·p_prev"] = _rule(true, product, product >= PRODUCT_THRESHOLD)
    return rules


def _rule(truth: Bools, score: Floats, shifted: Bools) -> dict[str, float]:
    table = np.zeros((1, 2, 2))
    np.add.at(table[0], (truth.astype(int), shifted.astype(int)), 1)
    precision = average_precision(np.ones((1, len(truth))), truth, ties_of(-score))
    values = {
        "mcc": float(mcc(table)[0]),
        "f1": float(shift_f1(table)[0]),
        "average_precision": float(precision[0]),
    }
    return {name: value for name, value in values.items() if not np.isnan(value)} | {"n": float(len(truth))}
