"""Two evaluations side by side, for a terminal."""

from typing import Final

from mmser.evaluation.comparing.comparison import (
    AP,
    ComparedPart,
    Comparison,
    Difference,
    Side,
)
from mmser.evaluation.page.terminal import shown
from mmser.evaluation.scores.emotion_scores import METRICS
from mmser.evaluation.scores.resampling import SURE, least_p
from mmser.report.terminal import plain

RULE: Final = (
    f"One is called better where the interval leaves 0 out and p (Holm) is under {SURE:g}; where only one of "
    "the two says so, the difference is borderline. p: of no difference, by swapping the answers of whole "
    "groups (speakers or dialogues); Holm: corrected over the corpora; AP has no p. With 5 groups or fewer "
    f"(over several corpora it may take more) p cannot fall under {SURE:g}, and nothing is decidable."
)
_COLUMNS: Final = ("metric", "rows", "A", "B", "A − B (95 %)", "p", "p (Holm)", "")


def render_comparison_text(found: Comparison) -> str:
    """Return the tables, for a terminal."""
    lines = [f"A  {_side(found.a)}", f"B  {_side(found.b)}"]
    lines += [f"Mark: {plain(mark)}" for mark in found.marks]
    if found.differs:
        reasons = plain("; ".join(found.differs))
        left_out = [
            f"{side.alone:,} of {name}" for name, side in (("A", found.a), ("B", found.b)) if side.alone
        ]
        rest = f"; {' and '.join(left_out)} are left out" if left_out else ""
        lines.append(f"Not alike: {reasons}. Compared are the {found.n:,} rows that both answered{rest}.")
    for part in found.parts:
        lines += ["", *_part(part)]
    lines += ["", RULE]
    return "\n".join([*lines, *(f"Note: {note}" for note in found.notes)])


def _side(side: Side) -> str:
    alone = f", {side.alone:,} of them not by the other" if side.alone else ""
    revision = f" {plain(side.revision[:12])}" if side.revision else ""
    return f"{plain(side.id)}{revision} ({plain(side.kind)}): {side.rows:,} rows{alone}"


def _part(part: ComparedPart) -> list[str]:
    rows = [_COLUMNS, *(_row(one) for one in part.differences)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
    table = [
        "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines = [f"{plain(part.data)} ({part.n:,} rows)"]
    if part.emotion is not None:
        told = part.emotion
        lines.append(
            f"  right: both {told.both:,}, only A {told.only_a:,}, only B {told.only_b:,}, neither "
            f"{told.neither:,}"
        )
    if not part.differences:
        return [*lines, "  none of the metrics can be had on these rows"]
    first = part.differences[0].difference
    least = least_p(first.groups)
    few = f": p is {least:g} at least, so nothing can be decided" if least >= SURE else ""
    return [*lines, *table, f"  {first.interval}{few}"]


def _row(one: Difference) -> tuple[str, ...]:
    digits = 1 if one.metric in (*METRICS, AP) else 3
    values = ("–" if value is None else f"{value:.{digits}f}" for value in (one.a, one.b))
    p_values = ("–" if value is None else f"{value:.3f}" for value in (one.p_value, one.p_holm))
    return (
        one.metric,
        f"{one.difference.n:,}",
        *values,
        shown(one.difference, digits),
        *p_values,
        _verdict(one),
    )


def _verdict(one: Difference) -> str:
    if one.verdict != "not decidable":
        return one.verdict
    gap = one.difference
    if gap.low is None and least_p(gap.groups) < SURE:  # the metric is not defined on some of the groups
        return "not decidable: no interval"
    return f"not decidable with {gap.groups} group{'s' if gap.groups != 1 else ''}"
