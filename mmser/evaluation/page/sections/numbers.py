"""How numbers are written: percent with one decimal, coefficients with three, intervals in brackets."""

import math
from collections.abc import Iterable
from typing import Final

from mmser.evaluation.page.sections.blocks import Cell
from mmser.evaluation.result import Score

NONE: Final = "–"
NO_INTERVAL: Final = "no interval: fewer than two groups, such as speakers or dialogues"
# Words in the name of a metric that is stated as it is and not in percent.
_COEFFICIENTS: Final = ("ccc", "mcc", "kappa", "κ", "spearman", "ece", "nll", "brier", "aurc", "mae")
_NOT_NEGATIVE: Final = ("ece", "nll", "brier", "aurc", "mae")


def is_coefficient(metric: str) -> bool:
    """Return whether a metric is stated as it is, such as CCC, and not in percent."""
    return any(word in metric.lower() for word in _COEFFICIENTS)


def digits_of(metric: str) -> int:
    """Return how many decimals a metric is written with."""
    return 3 if is_coefficient(metric) else 1


def bounds_of(metric: str) -> tuple[float, float]:
    """Return between which values a metric can lie."""
    if not is_coefficient(metric):
        return 0.0, 100.0
    positive = any(word in metric.lower() for word in _NOT_NEGATIVE)
    return (0.0, math.inf) if positive else (-1.0, 1.0)


def with_unit(metric: str) -> str:
    """Return how a metric heads a column: "UAR, %", "CCC"."""
    return metric if is_coefficient(metric) or "%" in metric else f"{metric}, %"


def known(value: float | None) -> bool:
    """Return whether there is a finite value."""
    return value is not None and math.isfinite(value)


def number(value: float | None, digits: int = 1, *, signed: bool = False) -> str:
    """Return a number with a true minus and never "−0.0"; "–" where there is none."""
    if value is None or not math.isfinite(value):
        return NONE
    rounded = round(float(value), digits) + 0.0
    sign = "+" if signed and rounded > 0 else ""
    return sign + f"{rounded:,.{digits}f}".replace("-", "−")


def interval(score: Score, digits: int = 1, *, signed: bool = False) -> str:
    """Return "[65.1, 79.0]", or nothing where there is no interval."""
    if not known(score.value) or not known(score.low) or not known(score.high):
        return ""
    low, high = number(score.low, digits, signed=signed), number(score.high, digits, signed=signed)
    return f"[{low}, {high}]"


def said(score: Score, digits: int = 1, *, signed: bool = False) -> str:
    """Return a score in one line: "72.4 [65.1, 79.0]"."""
    return f"{number(score.value, digits, signed=signed)} {interval(score, digits, signed=signed)}".strip()


def score_cell(score: Score | None, metric: str, *, signed: bool = False, why: str = "") -> Cell:
    """Return a score with its interval; on pointing, what the interval is over or why there is no value."""
    if score is None or not known(score.value):
        own = score.interval if score is not None else ""
        lacking = why or own or ("not defined on these rows" if score and score.n else "no rows to judge")
        return Cell(text=NONE, why=lacking)
    digits = digits_of(metric)
    brackets = interval(score, digits, signed=signed)
    behind = [f"n = {score.n:,}", score.interval or NO_INTERVAL]
    return Cell(text=number(score.value, digits, signed=signed), beside=brackets, why="; ".join(behind))


def value_cell(value: float | None, digits: int = 1, *, why: str = "") -> Cell:
    """Return a bare number, or "–" and why."""
    return Cell(text=number(value, digits), why="" if known(value) else why or "cannot be had")


def count_cell(count: int, *, of: int | None = None) -> Cell:
    """Return a count with thousands apart, and what it is a part of where that is given."""
    return Cell(text=f"{count:,}", beside="" if of is None else f"of {of:,}")


def some(count: int, noun: str) -> str:
    """Return "1 row", "1,234 rows"; of an "all row" "all 1,234 rows"."""
    if noun.startswith("all "):
        return f"all {some(count, noun.removeprefix('all '))}"
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{count:,} {noun if count == 1 else plural}"


def listed(names: Iterable[str]) -> str:
    """Return "a", "a and b", "a, b and c"."""
    *first, last = list(names) or [NONE]
    return f"{', '.join(first)} and {last}" if first else last


def probability(p_value: float | None) -> str:
    """Return "p = 0.210" or "p < 0.001"; nothing where it is not known."""
    if p_value is None or not math.isfinite(p_value):
        return ""
    return "p < 0.001" if p_value < 0.0005 else f"p = {p_value:.3f}"


def beyond_zero(score: Score) -> bool:
    """Return whether the interval leaves zero out."""
    low, high = score.low, score.high
    return low is not None and high is not None and (low > 0 or high < 0)
