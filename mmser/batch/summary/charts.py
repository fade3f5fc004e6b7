"""Drawings of a summary as inline SVG, placed in percent so that they need no fixed width.

Colours are the style sheet's; every mark says its value when pointed at.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from mmser.batch.summary.records import Estimate, LabelShare, Week
from mmser.batch.summary.wording import calls, percent, percent_interval, points, points_interval
from mmser.report.html_data import visible

_STEPS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5)
_MOST_TICKS: Final = 5
_HEIGHT: Final = 170  # pixels of a chart of weeks
_FOOT: Final = 26  # pixels under it
_LABELS: Final = 4  # weeks that are named under a chart
_CROWDED: Final = 60  # weeks, from which on dots would hide the line


@dataclass(frozen=True, kw_only=True)
class Axis:
    """From `low` to `high`, with round ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Return where a value lies, from 0 to 100."""
        return 100 * min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)


def axis_over(estimates: Sequence[Estimate], *, zero: bool = True) -> Axis:
    """Return an axis that holds all values and intervals.

    Args:
        estimates: shares or differences of shares.
        zero: whether it begins at 0, as of bars; else 0 is held as well, wherever it lies.
    """
    values = [v for one in estimates for v in (one.value, one.low, one.high) if v is not None]
    low, high = min([0.0, *values]), max([0.01, *values])
    low = 0.0 if zero else low
    for step in _STEPS:
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first <= _MOST_TICKS:
            break
    return Axis(
        low=first * step,
        high=last * step,
        ticks=tuple(round(place * step, 6) for place in range(first, last + 1)),
    )


def ticks(axis: Axis) -> Markup:
    """Return the labels of an axis over a column of bars or whiskers, in percent."""
    texts = Markup("").join(
        Markup('<text x="{}%" y="100%" dy="-5">{}</text>').format(_place(axis.at(tick)), f"{100 * tick:.0f}")
        for tick in axis.ticks
    )
    return Markup('<svg class="axis" role="img" aria-label="percent">{}</svg>').format(texts)


def bar(axis: Axis, one: Estimate, label: str, style: str = "s-model") -> Markup:
    """Return one bar with its interval, in the colour of an emotion or the page's own.

    Args:
        axis: begins at 0.
        one: what is drawn.
        label: whose it is.
        style: class that gives the colour.
    """
    marks = Markup("")
    if one.value is not None:
        marks = Markup('<rect class="bar" x="0" y="22%" width="{}%" height="56%"/>').format(
            _place(axis.at(one.value))
        )
        marks += _whisker(axis, one)
    return _cell(axis, marks, f"{label}: {_said(one)}", style)


def dot(axis: Axis, one: Estimate, label: str, *, reference: float | None = None) -> Markup:
    """Return one value with its interval, and a line where all calls together lie."""
    marks = Markup("")
    if reference is not None:
        marks = Markup('<line class="zero" x1="{0}%" x2="{0}%" y1="0" y2="100%"/>').format(
            _place(axis.at(reference))
        )
    if one.value is not None:
        marks += _whisker(axis, one)
        marks += Markup('<circle class="dot" cx="{}%" cy="50%" r="5"/>').format(_place(axis.at(one.value)))
    return _cell(axis, marks, f"{label}: {_said(one)}", "s-model")


def moved(axis: Axis, first: float | None, last: float | None, label: str) -> Markup:
    """Return a customer's negativity in one call: a ring at the first quarter, a dot at the last."""
    if first is None or last is None:
        return _cell(axis, Markup(""), label, "s-loss")
    ends = (_place(axis.at(first)), _place(axis.at(last)))
    marks = Markup(
        '<line class="whisker" x1="{0}%" x2="{1}%" y1="50%" y2="50%"/><circle class="dot hollow" cx="{0}%" '
        'cy="50%" r="4.5"/><circle class="dot" cx="{1}%" cy="50%" r="5"/>'
    ).format(*ends)
    return _cell(axis, marks, f"{label}: {percent(first)} to {percent(last)}", "s-loss")


def stack(labels: Sequence[LabelShare]) -> Markup:
    """Return all shares side by side, in the colours and textures of the call report."""
    parts, start = Markup(""), 0.0
    for place, one in enumerate(labels):
        width = one.share.value or 0.0
        box = Markup(
            '<g class="e{}"><title>{}</title><rect class="f{}" x="{}%" y="0" width="{}%" height="26"/></g>'
        )
        told = visible(f"{one.label}: {percent(one.share.value)}")
        parts += box.format(place, told, place, _place(100 * start), _place(100 * width))
        start += width
    told = ", ".join(f"{one.label} {percent(one.share.value)}" for one in labels)
    frame = Markup('<svg class="stack" role="img" aria-label="{}">{}</svg>')
    return frame.format(visible(told), parts)


def week_chart(
    weeks: Sequence[Week], read: Callable[[Week], Estimate], name: str, style: str, *, signed: bool = False
) -> Markup:
    """Return one measure over the weeks: a line with its intervals, and a grey stripe where no call is.

    Args:
        weeks: in order, two or more.
        read: what is drawn of a week.
        name: of the measure.
        style: class that gives the colour.
        signed: whether it is a difference, drawn in points.
    """
    estimates = [read(week) for week in weeks]
    axis = axis_over(estimates, zero=not signed)
    at = [100 * (place + 0.5) / len(weeks) for place in range(len(weeks))]
    parts = [_level(axis, tick, signed=signed) for tick in axis.ticks]
    stripe = Markup('<g><title>{}</title><rect class="gap" x="{}%" y="0" width="{}%" height="{}"/></g>')
    for place, week in enumerate(weeks):
        if not week.calls:
            left, width = _place(100 * place / len(weeks)), _place(100 / len(weeks))
            parts.append(stripe.format(f"{week.week}: no calls", left, width, _HEIGHT))
    for place in range(len(weeks) - 1):
        here, then = estimates[place].value, estimates[place + 1].value
        if here is not None and then is not None:
            ends = (at[place], _y(axis, here), at[place + 1], _y(axis, then))
            line = Markup('<line class="course" x1="{}%" y1="{}" x2="{}%" y2="{}"/>')
            parts.append(line.format(*map(_place, ends)))
    radius = 4 if len(weeks) <= _CROWDED else 2
    parts += [
        _point(axis, week, one, x, radius, signed=signed)
        for week, one, x in zip(weeks, estimates, at, strict=True)
        if one.value is not None
    ]
    parts.append(_names(weeks, at))
    frame = Markup('<svg class="weeks {}" role="img" aria-label="{}" height="{}">{}</svg>')
    return frame.format(style, f"{name} by week", _HEIGHT + _FOOT, Markup("").join(parts))


def _point(axis: Axis, week: Week, one: Estimate, x: float, radius: int, *, signed: bool) -> Markup:
    value = one.value or 0.0
    told = points(value) + " points" if signed else percent(value)
    span = points_interval(one.low, one.high) if signed else percent_interval(one)
    marks = Markup("")
    if one.low is not None and one.high is not None:
        line = Markup('<line class="whisker" x1="{0}%" x2="{0}%" y1="{1}" y2="{2}"/>')
        marks = line.format(*map(_place, (x, _y(axis, one.high), _y(axis, one.low))))
    ring = Markup('<circle class="dot{}" cx="{}%" cy="{}" r="{}"/>')
    hollow = "" if one.low is not None else " hollow"
    marks += ring.format(hollow, _place(x), _place(_y(axis, value)), radius)
    title = f"{week.week}, {calls(week.calls)}: {told} {span}"
    return Markup("<g><title>{}</title>{}</g>").format(title, marks)


def _level(axis: Axis, tick: float, *, signed: bool) -> Markup:
    y = _y(axis, tick)
    style = "zero" if signed and not tick else "grid"
    text = points(tick, 0) if signed else f"{100 * tick:.0f}%"
    return Markup(
        '<line class="{0}" x1="0" x2="100%" y1="{1}" y2="{1}"/><text class="level" x="-8" y="{2}">{3}</text>'
    ).format(style, _place(y), _place(y + 4), text)


def _names(weeks: Sequence[Week], at: Sequence[float]) -> Markup:
    last = len(weeks) - 1
    shown = sorted({round(place * last / (_LABELS - 1)) for place in range(_LABELS)}) if last else [0]
    texts, told = [], ""
    for place in shown:
        anchor = "start" if place == 0 else "end" if place == last else "middle"
        x = 0.0 if place == 0 else 100.0 if place == last else at[place]
        year, number = weeks[place].week.split("-")
        words, told = number if year == told else f"{year} {number}", year
        text = Markup('<text x="{}%" y="{}" text-anchor="{}">{}</text>')
        texts.append(text.format(_place(x), _HEIGHT + 19, anchor, words))
    return Markup("").join(texts)


def _whisker(axis: Axis, one: Estimate) -> Markup:
    if one.low is None or one.high is None:
        return Markup("")
    ends = (_place(axis.at(one.low)), _place(axis.at(one.high)))
    return Markup('<line class="whisker" x1="{}%" x2="{}%" y1="50%" y2="50%"/>').format(*ends)


def _cell(axis: Axis, marks: Markup, label: str, style: str) -> Markup:
    grid = Markup("").join(
        Markup('<line class="grid" x1="{0}%" x2="{0}%" y1="0" y2="100%"/>').format(_place(axis.at(tick)))
        for tick in axis.ticks
    )
    frame = Markup(
        '<svg class="marks" role="img" aria-label="{0}">{1}<g class="{2}"><title>{0}</title>{3}</g></svg>'
    )
    return frame.format(visible(label), grid, style, marks)


def _said(one: Estimate) -> str:
    return f"{percent(one.value)} {percent_interval(one)}".rstrip()


def _y(axis: Axis, value: float) -> float:
    return _HEIGHT - 8 - axis.at(value) * (_HEIGHT - 16) / 100


def _place(value: float) -> str:
    """Return a coordinate with up to two decimals."""
    return f"{value + 0.0:.2f}".rstrip("0").rstrip(".")
