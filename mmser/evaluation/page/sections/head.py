"""The head of the page: what was evaluated, the headline numbers, and what to read them with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from mmser.evaluation.comparing.contenders import leading_metric
from mmser.evaluation.page.sections.blocks import Cell, Column, Row, Table
from mmser.evaluation.page.sections.contenders import chance_of, nearest, own_score, strongest
from mmser.evaluation.page.sections.context import ALL, Context, interval_words
from mmser.evaluation.page.sections.numbers import (
    NO_INTERVAL,
    beyond_zero,
    digits_of,
    interval,
    is_coefficient,
    known,
    listed,
    number,
    said,
    score_cell,
    some,
    with_unit,
)
from mmser.evaluation.page.sections.plots import Line, Scale, interval_mark
from mmser.evaluation.result import Contender, EmotionScores, Part, Score

_NAMED_LEFT_OUT: Final = 12  # rows of one reason
_MOST_LEADS: Final = 3  # corpora that the first sentence names
_PERCENT: Final = Scale(low=0.0, high=100.0, ticks=(0.0, 50.0, 100.0), digits=0)
_COEFFICIENT: Final = Scale(low=0.0, high=1.0, ticks=(0.0, 0.5, 1.0), digits=1)
_SIGNED: Final = Scale(low=-1.0, high=1.0, ticks=(-1.0, 0.0, 1.0), digits=0)


@dataclass(frozen=True, kw_only=True)
class Own:
    """A score that the head shows, and the part that it is of."""

    metric: str
    part: Part
    score: Score


@dataclass(frozen=True, kw_only=True)
class Hero:
    """The one number that a reader came for."""

    metric: str
    data: str
    value: str
    unit: str
    interval: str  # in brackets
    over: str  # what the interval is over, or why there is none
    beside: tuple[tuple[str, str], ...]  # "chance" → "14.3"
    plot: Markup


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Rows without an answer, for one reason."""

    why: str
    count: int
    names: tuple[str, ...]  # the first of them


@dataclass(frozen=True, kw_only=True)
class Head:
    """Everything above the first section."""

    title: str
    sentence: str
    protocol: str
    mark: str
    facts: tuple[tuple[str, str], ...]
    hero: Hero | None  # of several corpora, no single number says it
    summary: Table | None
    warnings: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    num_left_out: int


def head_of(context: Context) -> Head:
    """Return the head of the page."""
    evaluation = context.evaluation
    left_out = evaluation.left_out
    reasons = dict.fromkeys(left_out.values())
    own = _own_scores(context)
    leads = _leads(context) or own[:1]
    return Head(
        title=evaluation.model.id,
        sentence=_sentence(context, leads),
        protocol=_protocol(context),
        mark=evaluation.mark or "",
        facts=tuple(_facts(context)),
        hero=_hero(context, own[0]) if len(leads) == 1 else None,
        summary=_summary(context, own) if own else None,
        warnings=evaluation.warnings,
        left_out=tuple(
            _reason(why, [name for name, one in left_out.items() if one == why]) for why in reasons
        ),
        num_left_out=len(left_out),
    )


def _reason(why: str, names: Sequence[str]) -> LeftOut:
    return LeftOut(why=why, count=len(names), names=tuple(names[:_NAMED_LEFT_OUT]))


def _protocol(context: Context) -> str:
    description = context.evaluation.protocol.description.rstrip(".")
    return f"Protocol {context.evaluation.protocol.name}: {description}." if description else ""


def _facts(context: Context) -> Iterator[tuple[str, str]]:
    evaluation = context.evaluation
    model, protocol = evaluation.model, evaluation.protocol
    whole = next(iter(sorted(evaluation.parts, key=lambda part: part.data != ALL)), None)
    yield "Evaluated", model.kind
    yield "Revision", context.revision or "none"
    yield "Licence", model.license or "not stated"
    yield "Data", ", ".join(one.corpus for one in evaluation.data) or (whole.data if whole else "none")
    yield "Split", protocol.split
    yield "Protocol", protocol.name
    yield "Seed", str(protocol.seed)
    if whole is not None:
        groups = whole.emotion.groups if whole.emotion is not None else 0
        yield "Rows", f"{whole.n:,}" + (f" in {some(groups, 'group')}" if groups else "")
    if model.training_mark:
        yield "Marks of its training", model.training_mark


def _sentence(context: Context, leads: Sequence[Own]) -> str:
    evaluation = context.evaluation
    corpora = listed(one.corpus for one in evaluation.data) if evaluation.data else "the data"
    row = f"{evaluation.protocol.split} row"
    if len(leads) == 1:
        return _one_lead(context, leads[0], corpora, row)
    whole = [part.n for part in evaluation.parts if part.data == ALL]
    rows = whole[0] if whole else sum(part.n for part in evaluation.parts)
    judged = f"{evaluation.model.id} was judged on {some(rows, row)} of {corpora}."
    if not leads:
        return judged
    told = [f"{_reached(own)} on {own.part.data} ({_beside(context, own)})" for own in leads]
    more = len(told) - _MOST_LEADS
    rest = "" if more <= 0 else ("The other corpus is" if more == 1 else f"The {more} other corpora are")
    return f"{judged} It reaches {listed(told[:_MOST_LEADS])}.{f' {rest} in the table.' if rest else ''}"


def _one_lead(context: Context, own: Own, corpora: str, row: str) -> str:
    model = context.evaluation.model.id
    on = f"On {some(own.score.n, row)} of {corpora if own.part.data == ALL else own.part.data}"
    if not known(own.score.value):
        return f"{on}, {_article(own.metric)} {own.metric} of {model} cannot be had."
    best, other, chance = _rivals(context, own)
    told = []
    if best is not None:
        told.append(f"the strongest simple baseline, {best.name}, reaches {_value(own, best.value.value)}")
    if chance is not None:
        told.append(f"guessing {'' if best else 'reaches '}{_value(own, chance)}")
    beside = f"; {' and '.join(told)}" if told else ""
    if other is not None:
        beside += f"; no simple baseline answered all of these rows: {_on_fewer(context, own, other)}"
    return f"{on}, {model} reaches {_reached(own)}{beside}."


def _beside(context: Context, own: Own) -> str:
    """Return what stands in brackets after the number of one corpus of several."""
    best, other, chance = _rivals(context, own)
    told = [some(own.score.n, "row")]
    if best is not None:
        told.append(f"the strongest simple baseline, {best.name}, {_value(own, best.value.value)}")
    if other is not None:
        told.append(_on_fewer(context, own, other))
    if chance is not None:
        told.append(f"guessing {_value(own, chance)}")
    return "; ".join([*told, *filter(None, [_own_mark(context, own)])])


def _own_mark(context: Context, own: Own) -> str:
    """Return the mark of a score's data where it is another than that at the top."""
    mark = own.part.mark or ""
    return "" if mark == context.evaluation.mark else mark


def _on_fewer(context: Context, own: Own, other: Contender) -> str:
    theirs, here = _value(own, other.value.value), _value(own, _model_beside(other))
    return f"{_on_share(other, own)}, {theirs}, and {context.evaluation.model.id} on those {here}"


def _on_share(other: Contender, own: Own) -> str:
    return f"{other.name}, on {other.n:,} of {own.score.n:,} rows"


def _model_beside(other: Contender) -> float | None:
    """Return what the model itself reaches on the rows that another answered."""
    value, difference = other.value.value, other.difference.value
    return None if value is None or difference is None else value + difference


def _rivals(context: Context, own: Own) -> tuple[Contender | None, Contender | None, float | None]:
    """Return the strongest baseline on the same rows, else the nearest on others, and chance."""
    data, metric = own.part.data, _plain(own.metric)
    best = strongest(context, data, metric, own.score.n)
    return best, None if best else nearest(context, data, metric), chance_of(context, data, metric)


def _reached(own: Own) -> str:
    """Return "a UAR of 71.2% [65.0, 76.2]"."""
    value = f"{_value(own, own.score.value)} {interval(own.score, digits_of(own.metric))}".strip()
    return f"{_article(own.metric)} {own.metric} of {value}"


def _value(own: Own, value: float | None) -> str:
    unit = "" if is_coefficient(own.metric) or not known(value) else "%"
    return f"{number(value, digits_of(own.metric))}{unit}"


def _article(metric: str) -> str:
    return "an" if metric[0] in "aeioE" else "a"


def _leads(context: Context) -> list[Own]:
    """Return each corpus's score in the metric that its field leads with, most rows first.

    All corpora together are left out where there are several: of clips and comments together, no number
    says much.
    """
    single = context.having(lambda part: part.emotion)
    parts: list[tuple[Part, EmotionScores]] = [
        pair for pair in single if pair[0].data != ALL or len(single) == 1
    ]
    found = []
    for part, _ in sorted(parts, key=lambda pair: -pair[1].n):
        metric = leading_metric(_corpus(context, part))
        score = own_score(context, part.data, metric)
        found += [] if score is None else [Own(metric=metric, part=part, score=score)]
    return found


def _corpus(context: Context, part: Part) -> str:
    corpora = context.evaluation.data
    return corpora[0].corpus if part.data == ALL and len(corpora) == 1 else part.data


def _own_scores(context: Context) -> list[Own]:
    """Return the scores that the head shows, the most telling first."""
    found = _leads(context)
    if len(found) == 1:
        part, emotion = found[0].part, found[0].part.emotion
        rest = ("UAR", "WA") if found[0].metric != "UAR" else ("WA", "macro-F1")
        scores = [(metric, own_score(context, part.data, metric)) for metric in rest if emotion is not None]
        found += [Own(metric=metric, part=part, score=score) for metric, score in scores if score is not None]
    if several := context.having(lambda part: part.multi_label):
        part, labels = several[0]
        found.append(Own(metric="several labels, macro-F1", part=part, score=labels.macro_f1))
    if strength := context.having(lambda part: part.intensity):
        found.append(Own(metric="intensity CCC", part=strength[0][0], score=strength[0][1].ccc))
    if shifts := context.having(lambda part: part.change):
        part, change = shifts[0]
        found.append(Own(metric="change MCC", part=part, score=change.mcc))
        found.append(Own(metric="change AP", part=part, score=change.average_precision))
    if calls := context.having(lambda part: part.timeline):
        part, timeline = calls[0]
        found += [
            Own(metric=f"change points F1 ±{point.tolerance:g}\N{NO-BREAK SPACE}s", part=part, score=point.f1)
            for point in timeline.points[:1]
        ]
        found.append(Own(metric="EDER, lower is better", part=part, score=timeline.eder))
    return found


def _hero(context: Context, own: Own) -> Hero:
    digits, score = digits_of(own.metric), own.score
    corpora = context.evaluation.data
    beside = _told_beside(context, own)
    best, other, _ = _rivals(context, own)
    rival = best or other
    if rival is not None and known(rival.difference.value):
        untold = rival.difference.low is None  # without an interval nothing is beyond anything
        clear = "" if untold or beyond_zero(rival.difference) else ", not beyond zero"
        beside.append((f"lead over {rival.name}", said(rival.difference, digits, signed=True) + clear))
    return Hero(
        metric=own.metric,
        data=f"all {len(corpora)} corpora" if own.part.data == ALL and len(corpora) > 1 else own.part.data,
        value=number(score.value, digits),
        unit="" if is_coefficient(own.metric) or not known(score.value) else "%",
        interval=interval(score, digits),
        over=score.interval or NO_INTERVAL,
        beside=tuple(beside),
        plot=_strip(context, own),
    )


def _summary(context: Context, found: Sequence[Own]) -> Table:
    first, rows = found[0], []
    several = any(own.part is not first.part for own in found)
    for own in found:
        name = with_unit(own.metric)
        beside = "; ".join(f"{name} {value}" for name, value in _told_beside(context, own))
        under = _rows_of(own), interval_words([own.score]), _own_mark(context, own)
        cells = (
            Cell(text=f"{own.part.data}: {name}" if several else name, beside="; ".join(filter(None, under))),
            score_cell(own.score, own.metric),
            Cell(text="", plot=_strip(context, own)),
            Cell(text=beside),
        )
        rows.append(Row(cells=cells))
    data, n, groups = first.part.data, first.score.n, first.score.groups
    return Table(
        title="The main numbers",
        note="Beside each name, n and what its 95% interval is over.",
        key="Strips reach from 0 to 100%, or to 1; dashed is chance, the grey bar the strongest other.",
        source=context.source(ALL) if len(_leads(context)) > 1 else context.source(data, n, groups),
        columns=(
            Column(title="metric", kind="name"),
            Column(title="value"),
            Column(title="value", kind="plot"),
            Column(title="beside it", kind="text"),
        ),
        rows=tuple(rows),
        shape="forest",
        number=1,
    )


def _rows_of(own: Own) -> str:
    """Return how many rows a score is of, or calls where it is of calls."""
    timeline = own.part.timeline
    of_calls = timeline is not None and (own.score is timeline.eder or own.metric.startswith("change points"))
    return f"{own.score.n:,} {timeline.of}" if timeline is not None and of_calls else some(own.score.n, "row")


def _told_beside(context: Context, own: Own) -> list[tuple[str, str]]:
    """Return what stands beside a score, in words; answers to fewer rows with the model's own on those."""
    digits = digits_of(own.metric)
    told = [(name, number(value, digits)) for name, value in _others(context, own)]
    _, other, _ = _rivals(context, own)
    if other is not None:
        told += [
            (_on_share(other, own), number(other.value.value, digits)),
            (f"{context.evaluation.model.id} on those", number(_model_beside(other), digits)),
        ]
    return told


def _strip(context: Context, own: Own) -> Markup:
    lines = [
        Line(
            value=value,
            style="chance" if name == _CHANCE else "other",
            label=f"{name}: {number(value, digits_of(own.metric))}",
        )
        for name, value in _others(context, own)
    ]
    ends = [
        value for value in (own.score.value, own.score.low, *(line.value for line in lines)) if known(value)
    ]
    scale = _COEFFICIENT if is_coefficient(own.metric) else _PERCENT
    if is_coefficient(own.metric) and min([0.0, *(value for value in ends if value is not None)]) < 0:
        scale = _SIGNED
    label = f"{own.metric}: {said(own.score, digits_of(own.metric))}"
    return interval_mark(scale, own.score, label, style="s-model", lines=lines)


_CHANCE: Final = "chance"
_OWN_RULE: Final = "model"  # the model itself among the rules, on their rows


def _others(context: Context, own: Own) -> Iterator[tuple[str, float]]:
    """Yield the strongest simple answer to the same rows, and chance, where they are known."""
    metric, part = own.metric, own.part
    best = strongest(context, part.data, _plain(metric), own.score.n)
    if best is not None and best.value.value is not None:
        yield f"strongest baseline, {best.name}", best.value.value
    change = part.change if metric.startswith("change ") else None
    if change is not None and best is None:
        keys = {"change MCC": ("mcc",), "change AP": ("average_precision", "ap")}.get(metric, ())
        rules = [
            (values[key], name)
            for name, values in change.rules.items()
            for key in keys
            if name != _OWN_RULE and known(values.get(key))
        ]
        if rules:
            value, name = max(rules)
            yield f"strongest rule, {name}", value
    chance = change.base_rate if change is not None and metric == "change AP" else None
    chance = chance_of(context, part.data, _plain(metric)) if chance is None else chance
    if chance is not None:
        yield _CHANCE, chance


def _plain(metric: str) -> str:
    return metric.removeprefix("intensity ").removeprefix("change ").removeprefix("several labels, ")
