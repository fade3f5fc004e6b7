"""The section on other ways to answer the same rows: views of the model and baselines."""

from collections.abc import Sequence

from mmser.evaluation.page.sections.blocks import Block, Cell, Column, Fold, Row, Section, Table
from mmser.evaluation.page.sections.context import ALL, Context, with_intervals
from mmser.evaluation.page.sections.numbers import (
    beyond_zero,
    bounds_of,
    count_cell,
    digits_of,
    known,
    number,
    said,
    score_cell,
    with_unit,
)
from mmser.evaluation.page.sections.plots import Line, Scale, axis, ends, interval_mark, scale_of
from mmser.evaluation.result import Contender, Score
from mmser.evaluation.scores.resampling import SURE, least_p


def contenders_section(context: Context) -> Section | None:
    """Return the model beside its views and the baselines, and the paired differences."""
    found = dict.fromkeys((one.data, one.metric) for one in _contenders(context))
    if not found:
        return None
    first, *rest = sorted(found, key=lambda key: key[0] != ALL)
    blocks: list[Block] = [_table(context, *first)]
    blocks += [
        Fold(title=f"{titled(metric)} on {data}", blocks=(_table(context, data, metric),))
        for data, metric in rest
    ]
    return Section(
        id="contenders", title="Beside other ways to answer", short="Baselines", blocks=tuple(blocks)
    )


def own_score(context: Context, data: str, metric: str) -> Score | None:
    """Return what the evaluated model itself reaches on some data, None where it is not known."""
    part = context.part(data)
    name = plain(metric)
    if part is None:
        return None
    if part.emotion is not None and name in _EMOTION:
        score: Score = getattr(part.emotion, _EMOTION[name])
        return score
    if part.multi_label is not None and name in ("macro f1", "micro f1"):
        return part.multi_label.macro_f1 if name == "macro f1" else part.multi_label.micro_f1
    if part.intensity is not None and name == "ccc":
        return part.intensity.ccc
    if part.change is not None and name in ("mcc", "ap", "average precision"):
        return part.change.mcc if name == "mcc" else part.change.average_precision
    return None


_EMOTION = {
    "uar": "uar",
    "wa": "accuracy",
    "accuracy": "accuracy",
    "macro f1": "macro_f1",
    "weighted f1": "weighted_f1",
}


def titled(metric: str) -> str:
    """Return a metric's name with what it is of, where that is not the emotion."""
    return {"CCC": "intensity CCC", "MCC": "shift MCC"}.get(metric, metric)


def plain(metric: str) -> str:
    """Return a metric's name as it is compared: "weighted-F1" and "weighted F1" are one."""
    return metric.lower().replace("-", " ").replace("_", " ").strip()


def chance_of(context: Context, data: str, metric: str) -> float | None:
    """Return what guessing reaches, where that is known."""
    part = context.part(data)
    if part is None:
        return None
    if metric.lower() == "uar" and part.emotion is not None:
        return part.emotion.chance_uar
    return 0.0 if metric.lower() in ("mcc", "ccc") else None


def strongest(context: Context, data: str, metric: str, n: int) -> Contender | None:
    """Return the baseline with the highest value of those that answered all `n` rows, None if none did."""
    found = [one for one in _baselines(context, data, metric) if one.n == n]
    return max(found, key=lambda one: one.value.value or 0.0, default=None)


def nearest(context: Context, data: str, metric: str) -> Contender | None:
    """Return the baseline that leaves the model the least lead on the rows that both answered.

    Values on different rows cannot be held against each other; differences are paired.
    """
    found = [one for one in _baselines(context, data, metric) if known(one.difference.value)]
    return min(found, key=lambda one: one.difference.value or 0.0, default=None)


def _baselines(context: Context, data: str, metric: str) -> list[Contender]:
    return [
        one
        for one in context.evaluation.baselines
        if one.data == data and plain(one.metric) == plain(metric) and known(one.value.value)
    ]


def _contenders(context: Context) -> tuple[Contender, ...]:
    return (*context.evaluation.views, *context.evaluation.baselines)


def _of(contenders: Sequence[Contender], data: str, metric: str) -> list[Contender]:
    """Return the contenders on some data by falling value."""
    found = [one for one in contenders if (one.data, one.metric) == (data, metric)]
    return sorted(found, key=lambda one: (one.value.value is None, -(one.value.value or 0.0)))


def _table(context: Context, data: str, metric: str) -> Table:
    views = _of(context.evaluation.views, data, metric)
    baselines = _of(context.evaluation.baselines, data, metric)
    own, chance = own_score(context, data, metric), chance_of(context, data, metric)
    everyone = [*views, *baselines]
    values = [*([own] if own is not None else []), *(one.value for one in everyone)]
    scale = scale_of([*ends(values), chance], bounds_of(metric))
    widest = bounds_of(metric)[1] - max(bounds_of(metric)[0], -1.0)
    gaps = scale_of([0.0, *ends(one.difference for one in everyone)], (-widest, widest))
    lines = () if chance is None else (Line(value=chance, style="chance", label=f"chance {number(chance)}"),)
    rows = [] if own is None else [_own_row(context, own, metric, scale, gaps, lines)]
    for title, style, group in (
        ("views of the model", "s-view", views),
        ("baselines", "s-baseline", baselines),
    ):
        rows += [Row(cells=(Cell(text=title),), head=True)] if group else []
        rows += [_row(one, own, style, scale, gaps, lines) for one in group]
    scores = [*([] if own is None else [(own,)]), *((one.value, one.difference) for one in everyone)]
    fewer = (
        "Where n is of more, the value is on those rows alone and not to be held against the model's above; "
        "the difference is. "
        if any(_is_fewer(one, own) for one in everyone)
        else ""
    )
    note, columns, full = with_intervals(_columns(metric, scale, gaps), rows, scores)
    few = 0 if own is None or own.low is None else own.groups
    if few and least_p(few) >= SURE:
        note += (
            f" Of {few} groups a test by swapping their answers (mmser compare) can decide nothing: take "
            "these intervals, which trust in Student's t, for a hint."
        )
    guessing = "" if chance is None else f"Guessing reaches {number(chance, digits_of(metric))}. "
    return Table(
        title=f"{titled(metric)} on {data}: the model, its views and baselines",
        note="Difference: the evaluated model minus this one, paired by row; above zero the model is better. "
        f"n: rows that both answered. {fewer}{guessing}{note}",
        key=f"A filled dot's interval leaves zero out.{' Dashed: guessing.' if guessing else ''}",
        source=context.source(data, own.n if own else None, own.groups if own else 0),
        columns=columns,
        rows=full,
        shape="forest",
    )


def _columns(metric: str, scale: Scale, gaps: Scale) -> tuple[Column, ...]:
    return (
        Column(title="", kind="name"),
        Column(title="n"),
        Column(title=with_unit(metric)),
        Column(title=metric, kind="plot", axis=axis(scale, with_unit(metric))),
        Column(title="model − this one"),
        Column(title="difference", kind="plot", axis=axis(gaps, f"difference in {metric}", signed=True)),
    )


def _own_row(
    context: Context, own: Score, metric: str, scale: Scale, gaps: Scale, lines: Sequence[Line]
) -> Row:
    digits, name = digits_of(metric), context.evaluation.model.id
    nothing = Score(value=None, n=own.n)
    cells = (
        Cell(text=name),
        count_cell(own.n),
        score_cell(own, metric),
        Cell(
            text="",
            plot=interval_mark(
                scale, own, f"{metric} of {name}: {said(own, digits)}", style="s-model", lines=lines
            ),
        ),
        Cell(text=""),
        Cell(
            text="",
            plot=interval_mark(gaps, nothing, "no difference to itself", style="s-model", lines=_ZERO),
        ),
    )
    return Row(cells=cells, strong=True)


_ZERO = (Line(value=0.0, style="zero", label="no difference"),)


def _is_fewer(one: Contender, own: Score | None) -> bool:
    return own is not None and one.n < own.n


def _row(
    one: Contender, own: Score | None, style: str, scale: Scale, gaps: Scale, lines: Sequence[Line]
) -> Row:
    digits = digits_of(one.metric)
    value = f"{one.metric} of {one.name}: {said(one.value, digits)}"
    difference = f"the model minus {one.name}: {said(one.difference, digits, signed=True)}"
    hollow = not beyond_zero(one.difference)
    cells = (
        Cell(text=one.name, beside=one.note),
        count_cell(one.n, of=own.n if own is not None and _is_fewer(one, own) else None),
        score_cell(one.value, one.metric),
        Cell(text="", plot=interval_mark(scale, one.value, value, style=style, lines=lines)),
        score_cell(one.difference, one.metric, signed=True),
        Cell(
            text="",
            plot=interval_mark(gaps, one.difference, difference, style="s-gap", lines=_ZERO, hollow=hollow),
        ),
    )
    return Row(cells=cells)
