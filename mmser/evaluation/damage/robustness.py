"""What damage to sound and words costs: the same rows, clean and damaged, side by side."""

import numpy as np

from mmser.evaluation.comparing.contenders import leading_metric
from mmser.evaluation.damage.degradations import Degradation
from mmser.evaluation.defaults import DRAWS
from mmser.evaluation.judged import Judged, name_of, truth_of, where
from mmser.evaluation.result import Degraded, Score
from mmser.evaluation.scores.emotion_scores import METRICS, tables_of
from mmser.evaluation.scores.resampling import count_score, paired_count_difference, resampler_of


def compare_degraded(
    clean: Judged,
    degraded: Judged,
    degradation: Degradation,
    *,
    data: str,
    metric: str | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Degraded | None:
    """Return how much worse a model is on rows that are damaged in one way.

    Only rows count that have what is damaged, and something left where sound or words are taken away. Those
    without exactly one label count in all but the metric.

    Args:
        clean: what it says of the rows as they are.
        degraded: what it says of them damaged; rows may be missing on either side.
        degradation: how they were damaged.
        data: name of the corpus, or "all".
        metric: one of `METRICS`; None = the one that the corpus's field leads with.
        draws: of the bootstrap, from 20 groups on.
        seed: of the draws.

    Returns:
        The loss, paired by row; None where no row that counts is answered on both sides.
    """
    metric = metric or leading_metric(data)
    before, after, unanswered = _paired(clean, degraded, degradation)
    if not len(before):
        return None
    clean_value, value, loss = _scores(before, after, metric, draws=draws, seed=seed)
    return Degraded(
        name=degradation.name,
        kind=degradation.kind,
        data=data,
        n=len(before),
        unanswered=unanswered,
        metric=metric,
        value=value,
        loss=loss,
        flip_rate=100 * float(np.mean(before.guess() != after.guess())),
        abstained=100 * float(after.abstained.mean()),
        clean=clean_value,
        clean_abstained=100 * float(before.abstained.mean()),
    )


def _paired(clean: Judged, degraded: Judged, degradation: Degradation) -> tuple[Judged, Judged, int]:
    """Return the rows that both answered, in one order, and how many are answered clean alone."""
    answered = {name_of(example): place for place, example in enumerate(degraded.examples)}
    names = [name_of(example) if degradation.concerns(example) else "" for example in clean.examples]
    places = [place for place, name in enumerate(names) if name in answered]
    others = [answered[names[place]] for place in places]
    unanswered = sum(bool(name) for name in names) - len(places)
    return where(clean, np.array(places, np.int64)), where(degraded, np.array(others, np.int64)), unanswered


def _scores(
    before: Judged, after: Judged, metric: str, *, draws: int, seed: int
) -> tuple[Score, Score, Score]:
    """Return the metric on the clean and the damaged rows, and the loss, over rows with exactly one label."""
    single = truth_of(before) >= 0
    if not single.any():
        nothing = Score(value=None, n=0, interval="no row has exactly one label")
        return nothing, nothing, nothing
    before, after = where(before, single), where(after, single)
    resampler = resampler_of(before, draws=draws, seed=seed)
    whole, damaged = tables_of(before, resampler), tables_of(after, resampler)
    clean, value = (count_score(tables, METRICS[metric], resampler) for tables in (whole, damaged))
    return clean, value, paired_count_difference(whole, damaged, METRICS[metric], resampler)
