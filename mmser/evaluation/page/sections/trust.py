"""Sections on damaged input and on groups of people."""

from collections.abc import Sequence

from mmser.evaluation.page.sections.blocks import Block, Cell, Column, Fold, Prose, Row, Section, Table
from mmser.evaluation.page.sections.context import ALL, Context, with_intervals
from mmser.evaluation.page.sections.numbers import (
    beyond_zero,
    bounds_of,
    count_cell,
    digits_of,
    interval,
    is_coefficient,
    known,
    listed,
    number,
    probability,
    said,
    score_cell,
    some,
    value_cell,
    with_unit,
)
from mmser.evaluation.page.sections.plots import Line, Scale, axis, ends, interval_mark, scale_of
from mmser.evaluation.result import Degraded, Gap, Score
from mmser.evaluation.scores.fairness import LEAST_ROWS, LEAST_VOICES, NO_SHARED_CLASS, NOT_GIVEN

_KINDS = {"sound": "damaged sound", "words": "damaged words", "missing": "sound or words taken away"}
_NOT_KEPT = "the interval is not in this record"
_SURE = 0.05  # p under which a gap would be believed
_ZERO = (Line(value=0.0, style="zero", label="no loss"),)


def robustness_section(context: Context) -> Section | None:
    """Return what each way of damaging the input costs."""
    found = context.evaluation.robustness
    if not found:
        return None
    parts = dict.fromkeys((one.data, one.metric) for one in found)
    first, *others = [
        _losses(context, data, metric, [one for one in found if (one.data, one.metric) == (data, metric)])
        for data, metric in sorted(parts, key=lambda part: part[0] != ALL)
    ]
    names = listed(dict.fromkeys(data for data, _ in parts if data != found[0].data))
    rest = (Fold(title=f"The same for {names}", blocks=tuple(others)),) if others else ()
    return Section(id="robustness", title="Damaged input", short="Robustness", blocks=(first, *rest))


def _losses(context: Context, data: str, metric: str, found: Sequence[Degraded]) -> Table:
    widest = bounds_of(metric)[1] - max(bounds_of(metric)[0], -1.0)
    scale = scale_of([0.0, *ends(one.loss for one in found)], (-widest, widest))
    rows: list[Row] = []
    scores: list[Sequence[Score]] = []
    for kind in dict.fromkeys(one.kind for one in found):
        own = [one for one in found if one.kind == kind]
        cleans = clean_rows(own)
        rows.append(Row(cells=(Cell(text=_KINDS.get(kind, kind)),), head=True))
        rows += [_clean_row(one, scale, several=len(cleans) > 1) for one in cleans]
        rows += [_loss_row(one, scale) for one in own]
        scores += [*((one.clean or one.loss,) for one in cleans), *((one.loss,) for one in own)]
    columns = (
        Column(title="damage", kind="name"),
        Column(title="n", hint="rows that are answered clean and damaged; the clean row is of the same"),
        Column(title=with_unit(metric)),
        Column(title="loss", hint="clean minus damaged, paired by row; positive is worse"),
        Column(title="loss", kind="plot", axis=axis(scale, f"loss in {metric}", signed=True)),
        Column(title="flips, %", hint="share of rows whose most probable emotion is another"),
        Column(title="abstains, %", hint="share of rows"),
        Column(title="unanswered", hint="rows that are answered clean alone"),
    )
    note, wide, full = with_intervals(columns, rows, scores)
    return Table(
        title=f"Loss of {metric} under damage, {data}",
        note="Clean: the same rows as they are, no more than were drawn to be damaged. "
        f"Loss: clean minus damaged, paired by row; above zero the damage costs something. {note}",
        key="A filled dot's interval leaves zero out.",
        source=context.source(data, max(one.n for one in found)),
        columns=wide,
        rows=full,
        shape="forest",
    )


def clean_rows(found: Sequence[Degraded]) -> list[Degraded]:
    """Return the first degradation of each set of rows: what their score is as they are, most rows first."""
    sets: dict[tuple[int, float | None], Degraded] = {}
    for one in found:
        value = clean_score(one).value
        sets.setdefault((one.n, None if value is None else round(value, 6)), one)
    return sorted(sets.values(), key=lambda one: -one.n)


def clean_score(one: Degraded) -> Score:
    """Return what the rows of a degradation score as they are; of older records, without an interval."""
    if one.clean is not None:
        return one.clean
    value, loss = one.value.value, one.loss.value
    whole = None if value is None or loss is None else value + loss
    return Score(value=whole, n=one.value.n, groups=one.value.groups, interval=_NOT_KEPT)


def _clean_row(one: Degraded, scale: Scale, *, several: bool) -> Row:
    nothing = Score(value=None, n=one.n)
    grid = interval_mark(scale, nothing, "no loss: these are the clean rows", style="s-model", lines=_ZERO)
    cells = (
        Cell(text=f"clean, {some(one.n, 'row')}" if several else "clean"),
        count_cell(one.n),
        score_cell(clean_score(one), one.metric),
        Cell(text=""),
        Cell(text="", plot=grid),
        Cell(text=""),
        Cell(text="") if one.clean_abstained is None else value_cell(one.clean_abstained),
        Cell(text=""),
    )
    return Row(cells=cells, strong=True)


def _loss_row(one: Degraded, scale: Scale) -> Row:
    label = (
        f"{one.name} on {one.data} costs {said(one.loss, digits_of(one.metric), signed=True)} of {one.metric}"
    )
    hollow = not beyond_zero(one.loss)
    mark = interval_mark(scale, one.loss, label, style="s-loss", lines=_ZERO, hollow=hollow)
    cells = (
        Cell(text=one.name),
        count_cell(one.n),
        score_cell(one.value, one.metric),
        score_cell(one.loss, one.metric, signed=True),
        Cell(text="", plot=mark),
        value_cell(one.flip_rate),
        value_cell(one.abstained),
        count_cell(one.unanswered),
    )
    return Row(cells=cells)


def fairness_section(context: Context) -> Section | None:
    """Return the scores of groups of people, and which gaps are larger than dealing would give."""
    gaps = context.evaluation.gaps
    if not gaps:
        return None
    told = [gap for gap in gaps if known(gap.gap)]
    blocks: list[Block] = _verdicts(told)
    blocks += [Prose(texts=untold(gaps))] if len(told) < len(gaps) else []
    blocks += [_gap_table(context, told)] if told else []
    for metric in dict.fromkeys(gap.metric for gap in gaps):
        own = [gap for gap in gaps if gap.metric == metric]
        if any(gap.groups for gap in own):
            blocks.append(_groups(context, metric, own))
    left_out = [
        f"{gap.attribute}, {gap.data}: "
        + "; ".join(f"{value} ({why})" for value, why in gap.left_out.items())
        for gap in gaps
        if gap.left_out
    ]
    if left_out:
        blocks.append(Prose(title="Not compared", texts=tuple(left_out), listed=True))
    return Section(id="fairness", title="Groups of people", short="Fairness", blocks=tuple(blocks))


def _verdicts(gaps: Sequence[Gap]) -> list[Block]:
    """Return the verdicts; those on single corpora are folded, but for gaps that are beyond dealing."""
    if not gaps:
        return []
    whole = [gap for gap in gaps if gap.data == ALL or is_beyond(gap)] or list(gaps)
    rest = tuple(verdict(gap) for gap in gaps if gap not in whole)
    first = Prose(texts=tuple(verdict(gap) for gap in whole), listed=True)
    return [
        first,
        *([Fold(title="The same for each corpus", blocks=(Prose(texts=rest, listed=True),))] if rest else []),
    ]


def untold(gaps: Sequence[Gap]) -> tuple[str, ...]:
    """Return in one sentence for each reason which gaps cannot be told, and why; none where all can."""
    reasons: dict[str, dict[str, list[str]]] = {}
    for gap in gaps:
        if not known(gap.gap):
            of = reasons.setdefault(_why_untold(gap), {})
            of.setdefault(gap.attribute, []).append(gap.data)
    told = []
    for why, of in reasons.items():
        where = ", nor for ".join(f"{name} in {listed(data)}" for name, data in of.items())
        told.append(f"No gap can be told for {where}: {why}.")
    return tuple(told)


def _why_untold(gap: Gap) -> str:
    if NO_SHARED_CLASS in gap.note:
        return NO_SHARED_CLASS
    if set(gap.left_out) == {NOT_GIVEN}:
        return "no row says it"
    if gap.groups:
        return f"{gap.metric} is not defined on one of the groups"
    return (
        f"fewer than two groups have {LEAST_ROWS} rows of {LEAST_VOICES} voices, which is the least that is "
        "compared"
    )


def verdict(gap: Gap) -> str:
    """Return in one sentence how large a gap that is known is, and whether it says anything."""
    digits = digits_of(gap.metric)
    where = f"{gap.attribute[:1].upper()}{gap.attribute[1:]}, {gap.data}"
    unit = "" if is_coefficient(gap.metric) else " points"
    value = f"{number(gap.gap, digits)}{unit} {interval(_score_of(gap), digits)}".strip()
    size = f"{where}: the gap in {gap.metric} is {value}"
    few = f"the smallest group has {some(gap.smallest_n, 'row')} of {some(gap.smallest_voices, 'voice')}"
    if gap.threshold is None or not known(gap.threshold):
        return f"{size}; what dealing voices to groups at random would give is not known; {few}{_aside(gap)}."
    dealt = f"without any gap, 95% of dealings stay up to {number(gap.threshold, digits)}{unit}"
    p_value = f", {probability(gap.p_value)}" if probability(gap.p_value) else ""
    judged = "larger than dealing would give" if is_beyond(gap) else "not beyond what dealing would give"
    return f"{size}, {judged} ({dealt}{p_value}); {few}{_aside(gap)}."


def _score_of(gap: Gap) -> Score:
    """Return a gap as a score with its interval."""
    n, voices = (sum(getattr(score, name) for score in gap.groups.values()) for name in ("n", "groups"))
    over = f"Welch's t over {some(voices, 'voice')}" if known(gap.low) and known(gap.high) else "no interval"
    return Score(value=gap.gap, low=gap.low, high=gap.high, n=n, groups=voices, interval=over)


def _least_p(gap: Gap) -> str:
    return "" if gap.smallest_p is None or gap.gap is None else f"≥ {gap.smallest_p:.3f}"


def is_beyond(gap: Gap) -> bool:
    """Return whether a gap is larger than those of a model that has none."""
    known_both = gap.gap is not None and gap.threshold is not None
    return known_both and known(gap.gap) and (gap.gap or 0.0) > (gap.threshold or 0.0)


def _aside(gap: Gap) -> str:
    """Return what else must be known to read a gap."""
    few = ""
    if gap.smallest_p is not None and gap.smallest_p > _SURE and gap.gap is not None:
        few = f"; with so few voices p cannot be under {gap.smallest_p:.3f}, however large the gap"
    return few + (f"; {gap.note}" if gap.note else "")


def _gap_table(context: Context, gaps: Sequence[Gap]) -> Table:
    rows = []
    for gap in gaps:
        digits = digits_of(gap.metric)
        p_value = probability(gap.p_value)
        beyond = is_beyond(gap)
        cells = (
            Cell(text=gap.attribute),
            context.data_cell(gap.data),
            Cell(text=gap.metric),
            score_cell(_score_of(gap), gap.metric),
            value_cell(gap.threshold, digits, why="not measured"),
            Cell(text=p_value.removeprefix("p = ").removeprefix("p ") or "–", beside=_least_p(gap)),
            Cell(text="yes" if beyond else "no")
            if known(gap.gap) and known(gap.threshold)
            else Cell(text="–"),
            count_cell(gap.deals) if gap.deals else Cell(text="–", why="not stated"),
            count_cell(gap.smallest_n) if gap.groups else Cell(text="–"),
            count_cell(gap.smallest_voices) if gap.groups else Cell(text="–"),
        )
        rows.append(Row(cells=cells, strong=beyond))
    return Table(
        title="Gaps between the best and the worst group",
        note="A gap is in points of the metric. By dealing: the 95th percentile of the gap of a model that "
        "has none, at this one's standard error. p: the share of such models whose gap is as large; beside "
        "it, the least that p could be. 95% intervals: Welch's t over voices, widened for all pairs of "
        "groups, since the best and the worst were found by looking.",
        source=context.source(", ".join(dict.fromkeys(gap.data for gap in gaps))),
        columns=(
            Column(title="attribute", kind="name"),
            Column(title="data", kind="text"),
            Column(title="metric", kind="text"),
            Column(title="gap"),
            Column(title="by dealing"),
            Column(title="p"),
            Column(title="beyond"),
            Column(title="dealings"),
            Column(title="smallest n"),
            Column(title="voices", hint="in the smallest group"),
        ),
        rows=tuple(rows),
    )


def _groups(context: Context, metric: str, gaps: Sequence[Gap]) -> Table:
    scores = [score for gap in gaps for score in gap.groups.values()]
    scale = scale_of(ends(scores), bounds_of(metric))
    rows: list[Row] = []
    for gap in gaps:
        if not gap.groups:
            continue
        size = f"gap {number(gap.gap, digits_of(metric))}" if known(gap.gap) else "no gap"
        rows.append(Row(cells=(Cell(text=f"{gap.attribute}, {gap.data}", beside=size),), head=True))
        for value, score in gap.groups.items():
            label = f"{metric} of {gap.attribute} {value}: {said(score, digits_of(metric))}"
            mark = interval_mark(scale, score, label, style="s-model")
            cells = (
                Cell(text=value),
                count_cell(score.n),
                count_cell(score.groups),
                score_cell(score, metric),
            )
            rows.append(Row(cells=(*cells, Cell(text="", plot=mark))))
    columns = (
        Column(title="group", kind="name"),
        Column(title="n"),
        Column(title="voices", hint="independent groups of rows"),
        Column(title=with_unit(metric)),
        Column(title=metric, kind="plot", axis=axis(scale, with_unit(metric))),
    )
    note, wide, full = with_intervals(columns, rows, [(score,) for score in scores])
    return Table(
        title=f"{metric} by group",
        note=f"{note} n: rows of each group.",
        source=context.source(", ".join(dict.fromkeys(gap.data for gap in gaps))),
        columns=wide,
        rows=full,
        shape="forest",
    )
