"""Sections on emotion: each corpus, the classes, several labels a row."""

from collections.abc import Sequence

from mmser.evaluation.page.sections.blocks import Block, Cell, Column, Fold, Pair, Row, Section, Table
from mmser.evaluation.page.sections.context import Context, by_corpus, matrix_rows, with_intervals
from mmser.evaluation.page.sections.numbers import count_cell, number, said, score_cell, some, value_cell
from mmser.evaluation.page.sections.plots import Line, Scale, axis, bar_mark, ends, interval_mark, scale_of
from mmser.evaluation.result import ClassScore, EmotionScores, MultiLabelScores, Part

_WIDE = 8  # classes, from which on a confusion matrix needs the whole width
_SHARE = Scale(low=0.0, high=100.0, ticks=(0.0, 50.0, 100.0), digits=0)


def results_section(context: Context) -> Section | None:
    """Return the scores of each corpus."""
    single, several = context.having(lambda part: part.emotion), context.having(lambda part: part.multi_label)
    blocks: list[Block] = []
    if single:
        blocks.append(_corpora(context, single))
    if several:
        blocks.append(_multi_label(context, several))
    title = "Results by corpus" if len(context.evaluation.parts) > 1 else "Results"
    return Section(id="results", title=title, short="Results", blocks=tuple(blocks)) if blocks else None


def _corpora(context: Context, parts: Sequence[tuple[Part, EmotionScores]]) -> Table:
    whole, first = parts[0]
    chances = [emotion.chance_uar for _, emotion in parts]
    scale = scale_of([*ends(emotion.uar for _, emotion in parts), *chances], (0.0, 100.0))
    rows = []
    for part, emotion in parts:
        chance = Line(value=emotion.chance_uar, style="chance", label=f"chance {number(emotion.chance_uar)}")
        label = f"UAR on {part.data}: {said(emotion.uar)}; chance {number(emotion.chance_uar)}"
        mark = interval_mark(scale, emotion.uar, label, style="s-model", lines=(chance,))
        cells = (
            context.data_cell(part.data),
            count_cell(emotion.n),
            count_cell(emotion.groups),
            score_cell(emotion.uar, "UAR"),
            Cell(text="", plot=mark),
            score_cell(emotion.accuracy, "WA"),
            score_cell(emotion.macro_f1, "macro-F1"),
            score_cell(emotion.weighted_f1, "weighted F1"),
        )
        rows.append(Row(cells=cells, strong=part is whole and len(parts) > 1))
    columns = (
        Column(title="data", kind="name"),
        Column(title="n", hint="rows with exactly one label"),
        Column(title="groups", hint="independent groups: no speaker and no dialogue is in two"),
        Column(title="UAR, %", hint="unweighted average recall"),
        Column(title="UAR", kind="plot", axis=axis(scale, "UAR in percent")),
        Column(title="WA, %", hint="weighted accuracy: the share that is right"),
        Column(title="macro-F1, %"),
        Column(title="weighted F1, %"),
    )
    scores = [(one.uar, one.accuracy, one.macro_f1, one.weighted_f1) for _, one in parts]
    note, wide, full = with_intervals(columns, rows, scores)
    return Table(
        title="Emotion, of rows with exactly one label",
        note=f"{note} {_guessing(parts)}",
        key="Dashed: guessing.",
        source=context.source(whole.data, first.n, first.groups),
        columns=wide,
        rows=full,
        shape="forest",
    )


def _guessing(parts: Sequence[tuple[Part, EmotionScores]]) -> str:
    """Return what guessing reaches, and on what where that differs."""
    chances = {part.data: number(emotion.chance_uar) for part, emotion in parts}
    kinds = dict.fromkeys(chances.values())
    if len(kinds) == 1:
        return f"Guessing reaches a UAR of {next(iter(kinds))}."
    told = [f"{kind} ({', '.join(data for data, own in chances.items() if own == kind)})" for kind in kinds]
    return f"Guessing reaches a UAR of {'; '.join(told)}."


def _multi_label(context: Context, parts: Sequence[tuple[Part, MultiLabelScores]]) -> Table:
    rows = [
        Row(
            cells=(
                context.data_cell(part.data),
                count_cell(one.n),
                score_cell(one.macro_f1, "macro-F1"),
                score_cell(one.micro_f1, "micro-F1"),
                count_cell(one.n_validation),
            )
        )
        for part, one in parts
    ]
    columns = (
        Column(title="data", kind="name"),
        Column(title="n"),
        Column(title="macro-F1, %"),
        Column(title="micro-F1, %"),
        Column(title="n of the thresholds", hint="validation rows that the thresholds were chosen on"),
    )
    scores = [(one.macro_f1, one.micro_f1) for _, one in parts]
    note, wide, full = with_intervals(columns, rows, scores)
    return Table(
        title="Emotion, of rows that may carry several labels",
        note=f"A label counts as said above its own threshold, chosen on validation rows. {note}",
        source=context.source(parts[0][0].data, parts[0][1].n),
        columns=wide,
        rows=full,
    )


def classes_section(context: Context) -> Section | None:
    """Return confusion matrices and the scores of each class."""
    single, several = context.having(lambda part: part.emotion), context.having(lambda part: part.multi_label)
    blocks: list[Block] = []
    if single:
        blocks += by_corpus(single, lambda part, emotion: _classes(context, part, emotion))
    if several:
        blocks += by_corpus(several, lambda part, scores: [_label_table(context, part, scores)])
    if not blocks:
        return None
    return Section(id="classes", title="Confusion and classes", short="Classes", blocks=tuple(blocks))


def _classes(context: Context, part: Part, emotion: EmotionScores) -> Sequence[Block]:
    columns, rows = matrix_rows(context, emotion.labels, emotion.confusion)
    source = context.source(part.data, emotion.n, emotion.groups)
    matrix = Table(
        title=f"What was guessed for what, {part.data}",
        note="In each cell the percent of the row and the count.",
        key="The darker, the more of the row.",
        source=source,
        columns=columns,
        rows=rows,
        shape="matrix",
    )
    table = Table(
        title=f"Each class, {part.data}",
        key="Bars: F1.",
        source=source,
        columns=_class_columns(),
        rows=tuple(_class_row(context, one) for one in emotion.classes),
        shape="forest",
    )
    return [Pair(blocks=(matrix, table))] if len(emotion.labels) < _WIDE else [matrix, table]


def _label_table(context: Context, part: Part, scores: MultiLabelScores) -> Block:
    rows = [_class_row(context, one) for one in scores.classes]
    limits = [
        value_cell(scores.thresholds.get(one.label), 3, why="none was chosen") for one in scores.classes
    ]
    table = Table(
        title=f"Each label, {part.data}",
        note=f"Thresholds were chosen on {some(scores.n_validation, 'validation row')}.",
        key="Bars: F1.",
        source=context.source(part.data, scores.n),
        columns=(*_class_columns(), Column(title="threshold")),
        rows=tuple(Row(cells=(*row.cells, limit)) for row, limit in zip(rows, limits, strict=True)),
        shape="forest",
    )
    return table if len(rows) <= 12 else Fold(title=f"{len(rows)} labels of {part.data}", blocks=(table,))


def _class_columns() -> tuple[Column, ...]:
    return (
        Column(title="class", kind="name"),
        Column(title="n"),
        Column(title="precision, %"),
        Column(title="recall, %"),
        Column(title="F1, %"),
        Column(title="F1", kind="plot", axis=axis(_SHARE, "F1 in percent")),
    )


def _class_row(context: Context, one: ClassScore) -> Row:
    place = context.place(one.label)
    bar = bar_mark(_SHARE, one.f1, f"F1 of {one.label}: {number(one.f1)}", style=f"e{place}")
    cells = (
        Cell(text=one.label, chip=place),
        count_cell(one.n),
        value_cell(one.precision, why="never guessed"),
        value_cell(one.recall, why="does not occur"),
        value_cell(one.f1, why="does not occur"),
        Cell(text="", plot=bar),
    )
    return Row(cells=cells)
