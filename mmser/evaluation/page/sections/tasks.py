"""Sections on intensity, on shifts against the turn before, and on the timeline of a call."""

from collections.abc import Mapping, Sequence

from mmser.evaluation.page.sections.blocks import Block, Cell, Column, Fold, Prose, Row, Section, Table
from mmser.evaluation.page.sections.context import Context, by_corpus, matrix_rows, with_intervals
from mmser.evaluation.page.sections.numbers import (
    bounds_of,
    count_cell,
    digits_of,
    known,
    number,
    said,
    score_cell,
    some,
    value_cell,
    with_unit,
)
from mmser.evaluation.page.sections.plots import Line, Scale, axis, bar_mark, ends, interval_mark, scale_of
from mmser.evaluation.result import ChangeScores, IntensityScores, Part, Score, TimelineScores

_NAMES = {
    "mcc": "MCC",
    "f1": "F1",
    "ap": "AP",
    "average_precision": "AP",
    "uar": "UAR",
    "eder": "EDER",
    "direction_macro_f1": "direction macro-F1",
}
OWN_RULE = "model"  # among the simple rules: the model itself, on the rows that those can judge
_SHARE = Scale(low=0.0, high=100.0, ticks=(0.0, 25.0, 50.0, 75.0, 100.0), digits=0)
_MOST_LISTED = 12  # speakers without a call that are not folded away


def intensity_section(context: Context) -> Section | None:
    """Return how well strength is told."""
    parts = context.having(lambda part: part.intensity)
    if not parts:
        return None
    levels = [
        Table(
            title=f"Levels of intensity, {part.data}",
            note="In each cell the percent of the row and the count.",
            source=context.source(part.data, one.n),
            columns=columns,
            rows=rows,
            shape="matrix",
        )
        for part, one in parts[:1]
        if one.confusion
        for columns, rows in [matrix_rows(context, one.labels, one.confusion, colored=False)]
    ]
    blocks = (_intensity(context, parts), *levels)
    return Section(id="intensity", title="Intensity", short="Intensity", blocks=blocks)


def _intensity(context: Context, parts: Sequence[tuple[Part, IntensityScores]]) -> Table:
    one_level = "the labels are of one level"
    rows = [
        Row(
            cells=(
                context.data_cell(part.data),
                count_cell(one.n),
                score_cell(one.ccc, "CCC"),
                score_cell(one.mae, "MAE"),
                score_cell(one.spearman, "Spearman"),
                score_cell(one.kappa, "kappa", why=one_level),
                score_cell(one.levels_uar, "UAR", why=one_level),
            )
        )
        for part, one in parts
    ]
    columns = (
        Column(title="data", kind="name"),
        Column(title="n", hint="rows with an intensity label that the model judged"),
        Column(title="CCC", hint="concordance correlation coefficient"),
        Column(title="MAE", hint="mean absolute error, of [0, 1]"),
        Column(title="Spearman ρ"),
        Column(title="κ of levels", hint="quadratic-weighted kappa over low, medium and high"),
        Column(title="UAR of levels, %", hint="of the levels that occur"),
    )
    note, wide, full = with_intervals(columns, rows, [(one.ccc, one.mae, one.spearman) for _, one in parts])
    return Table(
        title="Intensity, of rows with a label for it",
        note=note,
        source=context.source(parts[0][0].data, parts[0][1].n),
        columns=wide,
        rows=full,
    )


def change_section(context: Context) -> Section | None:
    """Return how well shifts are told, with simple rules beside it."""
    parts = context.having(lambda part: part.change)
    if not parts:
        return None
    rules = by_corpus(parts, lambda part, one: [_rules(context, part, one)] if one.rules else [])
    return Section(
        id="change",
        title="Shifts against the same speaker's turn before",
        short="Change",
        blocks=(_change(context, parts), *rules),
    )


def _change(context: Context, parts: Sequence[tuple[Part, ChangeScores]]) -> Table:
    rows = [
        Row(
            cells=(
                context.data_cell(part.data),
                count_cell(one.n),
                value_cell(one.base_rate),
                score_cell(one.mcc, "MCC"),
                score_cell(one.average_precision, "AP"),
                score_cell(one.f1, "F1"),
                value_cell(one.precision, why="no shift was claimed"),
                value_cell(one.recall, why="no shift occurs"),
                score_cell(one.direction_macro_f1, "F1", why="no shift has a known direction"),
            )
        )
        for part, one in parts
    ]
    columns = (
        Column(title="data", kind="name"),
        Column(title="n", hint="rows where the same speaker's turn before is known"),
        Column(title="shifts, %", hint="share of rows that are shifts: the AP of guessing"),
        Column(title="MCC", hint="Matthews correlation coefficient"),
        Column(title="AP, %", hint="average precision"),
        Column(title="F1, %"),
        Column(title="precision, %"),
        Column(title="recall, %"),
        Column(title="direction macro-F1, %", hint="over true shifts whose direction is known"),
    )
    scores = [(one.mcc, one.average_precision, one.f1) for _, one in parts]
    note, wide, full = with_intervals(columns, rows, scores)
    return Table(
        title="Whether emotion moved since the speaker's turn before",
        note=f"Guessing has an MCC of 0, and an AP of the share of shifts. {note}",
        source=context.source(parts[0][0].data, parts[0][1].n),
        columns=wide,
        rows=full,
    )


def _rules(context: Context, part: Part, one: ChangeScores) -> Table:
    own: dict[str, Score | None] = {
        "mcc": one.mcc,
        "f1": one.f1,
        "ap": one.average_precision,
        "average_precision": one.average_precision,
        "precision": Score(value=one.precision, n=one.n),
        "recall": Score(value=one.recall, n=one.n),
        "direction_macro_f1": one.direction_macro_f1,
    }
    return _beside(
        context,
        part.data,
        one.n,
        own,
        one.rules,
        title=f"Simple rules for shifts, {part.data}",
        plotted="mcc",
    )


def _beside(
    context: Context,
    data: str,
    n: int,
    own: Mapping[str, Score | None],
    others: Mapping[str, Mapping[str, float]],
    *,
    title: str,
    plotted: str,
    of: str = "",
    given: Mapping[str, str] | None = None,
) -> Table:
    """Return the model's scores over those of simple rules, with a plot of one of them.

    Args:
        context: of the page.
        data: that all are of.
        n: how many.
        own: the model's scores.
        others: rule → its values.
        title: of the table.
        plotted: the score that is drawn.
        of: what n counts, where it is not rows.
        given: rule → what it is told, to stand under its name; the model's own up to the first colon.
    """
    keys = list(dict.fromkeys(key for values in others.values() for key in values if key != "n"))
    counts = {name: int(values.get("n") or n) for name, values in others.items()}
    mine = own.get(plotted) if plotted in keys else None
    everyone = [(name, Score(value=values.get(plotted), n=n)) for name, values in others.items()]
    scale = scale_of(
        [0.0, *(ends([mine]) if mine else []), *(s.value for _, s in everyone)], bounds_of(plotted)
    )
    name = context.evaluation.model.id
    title_of = _key_name(plotted)

    def row(name: str, n: int, cells: Sequence[Cell], score: Score | None, style: str) -> Row:
        label = f"{title_of} of {name}: {said(score, digits_of(plotted)) if score else '–'}"
        shown = score or Score(value=None, n=n)
        mark = interval_mark(scale, shown, label, style=style, lines=_ZERO)
        plot = (Cell(text="", plot=mark),) if plotted in keys else ()
        told = (given or {}).get(OWN_RULE if style == "s-model" else name, "")
        told = told.split(":")[0] if style == "s-model" else told  # the rest stands over the tables
        return Row(
            cells=(Cell(text=name, beside=told), count_cell(n), *cells, *plot), strong=style == "s-model"
        )

    rows = [
        row(name, n, [score_cell(own.get(key), key, why="not measured") for key in keys], mine, "s-model")
    ]
    for (other, score), values in zip(everyone, others.values(), strict=True):
        cells = [value_cell(values.get(key), digits_of(key), why="not measured") for key in keys]
        shown = f"{name}, where the turn before is judged too" if other == OWN_RULE else other
        rows.append(row(shown, counts[other], cells, score, "s-baseline"))
    plot = (Column(title=title_of, kind="plot", axis=axis(scale, title_of)),) if plotted in keys else ()
    heads = [Column(title=with_unit(_key_name(key))) for key in keys]
    return Table(
        title=title,
        key=f"Plotted: {_key_name(plotted)}." if plotted in keys else "",
        source=context.source(data, n, of=of),
        columns=(Column(title="", kind="name"), Column(title="n"), *heads, *plot),
        rows=tuple(rows),
        shape="forest",
    )


_ZERO = (Line(value=0.0, style="zero", label="zero"),)


def _key_name(key: str) -> str:
    """Return how a rule's value heads its column: "f1_at_0.5" → "F1 at ±0.5 s"."""
    name, at, tolerance = key.partition("_at_")
    shown = _NAMES.get(name, name.replace("_", " "))
    return f"{shown} at ±{tolerance} s" if at else shown


def timeline_section(context: Context) -> Section | None:
    """Return when emotion was heard to move inside calls, and for how long the answer was wrong."""
    parts = context.having(lambda part: part.timeline)
    if not parts:
        return None
    blocks = by_corpus(parts, lambda part, one: _timeline(context, part, one))
    return Section(id="timeline", title="When emotion moves", short="Timeline", blocks=blocks)


def _timeline(context: Context, part: Part, one: TimelineScores) -> Sequence[Block]:
    late = "no point was matched" if one.median_delay is None else _delay(one.median_delay)
    told = (
        f"{some(one.n, one.of.removesuffix('s'))} ({number(one.duration)} s) with {one.true_points:,} true "
        f"change points; {one.guessed_points:,} were guessed; {late}."
    )
    own: dict[str, Score | None] = {"eder": one.eder}
    own |= {f"f1_at_{point.tolerance:g}": point.f1 for point in one.points}
    widest = max(own, key=lambda key: key != "eder", default="eder")
    how = (f"The model is {one.given[OWN_RULE]}.",) if one.given.get(OWN_RULE) else ()
    blocks: list[Block] = [
        Prose(texts=(told, *how)),
        _tolerances(context, part, one),
        _wrong_time(context, part, one),
    ]
    if one.left_out:
        texts = tuple(f"{speaker}: {why}" for speaker, why in one.left_out.items())
        title = f"{some(len(texts), 'speaker')} of whom there is no call, {part.data}"
        few = len(texts) <= _MOST_LISTED
        names = Prose(title=title if few else "", texts=texts, listed=True)
        blocks.append(names if few else Fold(title=title, blocks=(names,)))
    if one.baselines:
        title = f"Simple rules for the timeline, {part.data}"
        table = _beside(
            context,
            part.data,
            one.n,
            own,
            one.baselines,
            title=title,
            plotted=widest,
            of=one.of,
            given=one.given,
        )
        blocks.append(table)
    return blocks


def _delay(seconds: float) -> str:
    side = "late" if seconds > 0 else "early"
    return (
        "matched points lie in place at the median"
        if not seconds
        else (f"matched points lie {number(abs(seconds), 2)} s {side} at the median")
    )


def _tolerances(context: Context, part: Part, one: TimelineScores) -> Table:
    rows = []
    for point in one.points:
        within = f"±{point.tolerance:g} s"
        label = f"F1 at {within}: {said(point.f1)}"
        cells = (
            Cell(text=within),
            value_cell(point.precision, why="no point was guessed"),
            value_cell(point.recall, why="no point is true"),
            score_cell(point.f1, "F1"),
            Cell(text="", plot=interval_mark(_SHARE, point.f1, label, style="s-model")),
        )
        rows.append(Row(cells=cells))
    columns = (
        Column(title="within", kind="name"),
        Column(title="precision, %"),
        Column(title="recall, %"),
        Column(title="F1, %"),
        Column(title="F1", kind="plot", axis=axis(_SHARE, "F1 in percent")),
    )
    note, wide, full = with_intervals(columns, rows, [(point.f1,) for point in one.points])
    return Table(
        title=f"Change points found, {part.data} ({one.of})",
        note=f"Guessed and true points are matched one to one. {note}",
        source=context.source(part.data, one.n, of=one.of),
        columns=wide,
        rows=full,
        shape="forest",
    )


def _wrong_time(context: Context, part: Part, one: TimelineScores) -> Table:
    kinds = (("false alarm", one.false_alarm), ("missed", one.missed), ("confusion", one.confusion))
    shares = [100 * seconds / one.duration if one.duration else None for _, seconds in kinds]
    top = scale_of([0.0, one.eder.value, *shares], (0.0, float("inf")))
    rows = [
        Row(
            cells=(
                Cell(text=name),
                Cell(text=f"{number(seconds)} s"),
                value_cell(share, why="no time was judged"),
                Cell(text="", plot=bar_mark(top, share, f"{name}: {number(share)}%", style="s-part")),
            )
        )
        for (name, seconds), share in zip(kinds, shares, strict=True)
    ]
    whole = bar_mark(top, one.eder.value, f"EDER: {said(one.eder)}%", style="s-model")
    total = sum(seconds for _, seconds in kinds if known(seconds))
    cells = (Cell(text="EDER"), Cell(text=f"{number(total)} s"), score_cell(one.eder, "EDER"))
    rows.append(Row(cells=(*cells, Cell(text="", plot=whole)), strong=True))
    over = f" 95% interval: {one.eder.interval}." if one.eder.interval else ""
    return Table(
        title=f"Time with the wrong answer, {part.data}",
        note=f"Emotion diarization error rate, in percent of the time, and what it is made of.{over}",
        source=context.source(part.data, one.n, of=one.of),
        columns=(
            Column(title="error", kind="name"),
            Column(title="time"),
            Column(title="share, %"),
            Column(title="share", kind="plot", axis=axis(top, "percent of the time")),
        ),
        rows=tuple(rows),
        shape="forest",
    )
