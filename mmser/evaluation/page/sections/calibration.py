"""The section on stated probabilities: how far they can be believed, and what abstaining wins."""

from collections.abc import Sequence

from mmser.evaluation.page.sections.blocks import Block, Cell, Column, Figure, Fold, Pair, Row, Section, Table
from mmser.evaluation.page.sections.context import Context, by_corpus, with_intervals
from mmser.evaluation.page.sections.numbers import count_cell, number, said, score_cell, some, value_cell
from mmser.evaluation.page.sections.plots import reliability, risk_coverage
from mmser.evaluation.result import CoveragePoint, EmotionScores, Part, RiskCoverage
from mmser.evaluation.scores.calibration_scores import BINS, LEAST_IN_BIN, drawn_bins


def calibration_section(context: Context) -> Section | None:
    """Return calibration errors, the reliability diagram and the risk–coverage curve."""
    parts = context.having(lambda part: part.emotion)
    if not parts:
        return None
    drawn = by_corpus(parts, lambda part, emotion: _figures(context, part, emotion))
    blocks: tuple[Block, ...] = (_table(context, parts), *drawn)
    return Section(id="calibration", title="Calibration and abstention", short="Calibration", blocks=blocks)


def _table(context: Context, parts: Sequence[tuple[Part, EmotionScores]]) -> Table:
    whole, first = parts[0]
    rows = []
    for part, emotion in parts:
        calibration, coverage = emotion.calibration, emotion.coverage
        cells = (
            context.data_cell(part.data),
            count_cell(emotion.n),
            score_cell(calibration.ece, "ECE"),
            value_cell(calibration.ece_of_calibrated, 3, why="not measured"),
            score_cell(calibration.nll, "NLL"),
            score_cell(calibration.brier, "Brier"),
            score_cell(coverage.aurc, "AURC"),
            value_cell(coverage.abstained),
            value_cell(coverage.accuracy_answered, why="no row is answered"),
            value_cell(coverage.uar_answered, why="no row is answered"),
        )
        rows.append(Row(cells=cells, strong=part is whole and len(parts) > 1))
    columns = (
        Column(title="data", kind="name"),
        Column(title="n"),
        Column(title="ECE", hint="expected calibration error of the most probable class, 0 is best"),
        Column(
            title="ECE if calibrated",
            hint="of a perfectly calibrated model, as sure as this one on as many rows",
        ),
        Column(title="NLL", hint="negative log likelihood in nats, 0 is best"),
        Column(title="Brier", hint="Brier score summed over classes, 0 is best, 2 is worst"),
        Column(title="AURC", hint="area under the risk–coverage curve, 0 is best"),
        Column(title="abstains, %", hint="share of the rows on which the model itself abstains"),
        Column(title="WA answered, %", hint="of the rows on which the model does not abstain"),
        Column(title="UAR answered, %", hint="of the rows on which the model does not abstain"),
    )
    scores = [(one.calibration.ece, one.calibration.nll, one.coverage.aurc) for _, one in parts]
    note, wide, full = with_intervals(columns, rows, scores)
    return Table(
        title="Stated probabilities, and abstention",
        note="Lower is better in the columns from ECE to AURC. ECE: top label, over "
        f"{BINS} bins of equally many rows. {note}",
        source=context.source(whole.data, first.n, first.groups),
        columns=wide,
        rows=full,
    )


def _figures(context: Context, part: Part, emotion: EmotionScores) -> Sequence[Block]:
    source = context.source(part.data, emotion.n, emotion.groups)
    blocks: list[Block] = []
    if emotion.calibration.bins:
        blocks.append(_reliability(emotion, part.data, source))
    if emotion.coverage.points:
        blocks.append(_curve(emotion.coverage, part.data, source))
    if not blocks:
        return []
    tables = Fold(
        title=f"The numbers behind these curves, {part.data}",
        blocks=(Pair(blocks=_numbers(emotion, part.data, source)),),
    )
    return [Pair(blocks=tuple(blocks)), tables]


def _reliability(emotion: EmotionScores, data: str, source: str) -> Figure:
    bins = emotion.calibration.bins
    fewest, most = min(b.n for b in bins), max(b.n for b in bins)
    sizes = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
    ece = said(emotion.calibration.ece, 3)
    # Of records that were made before the rule, and where many confidences are equal, it does not hold.
    rule = f" ({LEAST_IN_BIN} at least, and {BINS} bins at most)"
    ruled = rule if len(bins) == drawn_bins(emotion.n) and fewest >= min(LEAST_IN_BIN, emotion.n) else ""
    return Figure(
        title=f"Reliability, {data}",
        note="On the dashed diagonal answers are right as often as they are sure; below it, less often. "
        "Grey: where 95% of the points of a calibrated model lie, were all rows independent. "
        f"Drawn: {some(len(bins), 'bin')} of {sizes} rows{ruled}, sizes at the foot. ECE {ece}, over {BINS} "
        "bins however many are drawn.",
        source=source,
        svg=reliability(bins, f"Reliability diagram of {some(len(bins), 'bin')} on {data}; ECE {ece}"),
    )


def _curve(coverage: RiskCoverage, data: str, source: str) -> Figure:
    own = None
    if coverage.accuracy_answered is not None:
        own = (1 - coverage.abstained / 100, 1 - coverage.accuracy_answered / 100)
    if own is None:
        ring = "The model answers no row."
    elif coverage.abstained <= 0:
        ring = f"The ring: the model never abstains, and is wrong on {number(100 * own[1])}%."
    else:
        ring = (
            f"The ring: the model itself abstains on {number(coverage.abstained)}% of the rows and is wrong "
            f"on {number(100 * own[1])}% of the others."
        )
    aurc = said(coverage.aurc, 3)
    return Figure(
        title=f"Risk and coverage, {data}",
        note=f"How often the surest answers are wrong, as more rows are answered. {ring} AURC {aurc}.",
        source=source,
        svg=risk_coverage(coverage.points, own, f"Risk–coverage curve on {data}; AURC {aurc}. {ring}"),
    )


def _numbers(emotion: EmotionScores, data: str, source: str) -> tuple[Block, ...]:
    bins = Table(
        title=f"Bins of the reliability diagram, {data}",
        source=source,
        columns=(
            Column(title="bin", kind="name"),
            Column(title="n"),
            Column(title="confidence"),
            Column(title="accuracy"),
            Column(title="too sure by"),
        ),
        rows=tuple(
            Row(
                cells=(
                    Cell(text=f"{place}"),
                    count_cell(one.n),
                    value_cell(one.confidence, 3),
                    value_cell(one.accuracy, 3),
                    Cell(text=number(one.confidence - one.accuracy, 3, signed=True)),
                )
            )
            for place, one in enumerate(emotion.calibration.bins, 1)
        ),
    )
    curve = Table(
        title=f"Points of the risk–coverage curve, {data}",
        source=source,
        columns=(
            Column(title="coverage, %", kind="name"),
            Column(title="risk, %"),
            Column(title="least confidence", hint="of the least sure of the rows that are answered"),
        ),
        rows=tuple(
            Row(
                cells=(
                    Cell(text=number(100 * one.coverage)),
                    value_cell(100 * one.risk),
                    value_cell(one.confidence, 3),
                )
            )
            for one in _tenths(emotion.coverage.points)
        ),
    )
    return bins, curve


def _tenths(points: Sequence[CoveragePoint]) -> list[CoveragePoint]:
    """Return the first points that cover 10 %, 20 %, … of the rows."""
    found = [next((p for p in points if p.coverage >= tenth / 10 - 1e-9), None) for tenth in range(1, 11)]
    kept: list[CoveragePoint] = []
    for point in found:
        if point is not None and point not in kept:
            kept.append(point)
    return kept
