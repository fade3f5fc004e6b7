"""Drawings as inline SVG: colours are the style sheet's, every mark says its value when pointed at.

Marks in the cells of a table are placed in percent of the cell, so that they need no fixed width; curves have
a fixed shape, in pixels of a drawing 400 wide.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape
from scipy import stats

from mmser.evaluation.page.sections.numbers import known, number
from mmser.evaluation.result import CoveragePoint, ReliabilityBin, Score
from mmser.report.html_data import visible

_MOST_TICKS, _MOST_LETTERS = 6, 24  # of an axis: two of them share a phone's width
_ROOM: Final = 0.04  # beside the outermost values, of the axis
_WIDTH, _LEFT, _RIGHT, _TOP = 400, 62, 390, 14  # of curves
_CURVE_HEIGHT: Final = 260  # of the field of a curve
_BINS_HEIGHT: Final = 44  # of the strip of bin sizes under a reliability diagram
_SPAN_WIDTH: Final = 11
_MOST_POINTS: Final = 160  # of a drawn curve


@dataclass(frozen=True, kw_only=True)
class Scale:
    """An axis with round ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]
    digits: int  # of the ticks' labels

    def at(self, value: float) -> float:
        """Return where a value lies, from 0 to 100; values beyond an end lie at that end."""
        return 100 * min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)


@dataclass(frozen=True, kw_only=True)
class Line:
    """A vertical line through all cells of a plot: zero, chance."""

    value: float
    style: str  # "zero", "chance"
    label: str


def scale_of(values: Iterable[float | None], bounds: tuple[float, float]) -> Scale:
    """Return an axis that holds all finite values with a little room beside them, within bounds."""
    kept = [min(max(value, bounds[0]), bounds[1]) for value in values if value is not None and known(value)]
    low, high = (min(kept), max(kept)) if kept else (0.0, 1.0)
    apart = high - low > 1e-6 * max(1.0, abs(high))
    room = _ROOM * (high - low) if apart else max(0.1 * abs(low), 0.05)
    low, high = max(low - room, bounds[0]), min(high + room, bounds[1])
    power = 10.0 ** math.floor(math.log10((high - low) / 10))
    for step in (power * factor for factor in (1, 2, 5, 10, 20, 50)):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        ticks = tuple(round(place * step, 9) + 0.0 for place in range(first, last + 1))
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        letters = sum(len(f"{tick:+.{digits}f}") + 1 for tick in ticks)
        if len(ticks) <= _MOST_TICKS and letters <= _MOST_LETTERS:
            break
    return Scale(low=low, high=high, ticks=ticks, digits=digits)


def ends(scores: Iterable[Score]) -> list[float | None]:
    """Return the values and ends of intervals of scores."""
    return [value for score in scores for value in (score.value, score.low, score.high)]


def axis(scale: Scale, label: str, *, signed: bool = False) -> Markup:
    """Return the ticks' labels over a column of plots."""
    texts = Markup("").join(
        Markup('<text x="{}%" y="100%" dy="-5">{}</text>').format(
            _place(scale.at(tick)), number(tick, scale.digits, signed=signed)
        )
        for tick in scale.ticks
    )
    return Markup('<svg class="axis" role="img" aria-label="{}">{}</svg>').format(_safe(label), texts)


def interval_mark(
    scale: Scale, score: Score, label: str, *, style: str, lines: Sequence[Line] = (), hollow: bool = False
) -> Markup:
    """Return one row of a plot of intervals: a dot and its whiskers over the axis' grid.

    Args:
        scale: the axis.
        score: without a value, only the grid is drawn.
        label: what is read out and shown on pointing.
        style: class that gives the colour.
        lines: through all rows.
        hollow: a ring for the dot.
    """
    return _cell(scale, _whiskers(scale, score, label, style, hollow=hollow), label, lines)


def bar_mark(scale: Scale, value: float | None, label: str, *, style: str) -> Markup:
    """Return one row of a bar chart, from the axis' low end."""
    if value is None or not known(value):
        return _cell(scale, Markup(""), label, ())
    bar = Markup(
        '<g class="{}"><title>{}</title><rect class="bar" x="0" y="24%" width="{}%" height="52%"/></g>'
    )
    return _cell(scale, bar.format(style, _safe(label), _place(scale.at(value))), label, ())


def reliability(bins: Sequence[ReliabilityBin], label: str) -> Markup:
    """Return how often answers were right against how sure they were, with the size of each bin below.

    Behind each point stands the span that chance alone would give it (Bröcker & Smith 2007).
    """
    if not bins:
        return Markup("")
    bottom = _TOP + _CURVE_HEIGHT
    strip = bottom + 14 + _BINS_HEIGHT
    most = max(bin_.n for bin_ in bins)
    parts = [_grid(1.0, bottom)]
    parts += [_by_chance(one) for one in bins]
    parts.append(_line("diagonal", _x(0), bottom, _x(1), _TOP))
    points = " ".join(f"{_x(b.confidence):.1f},{_y(b.accuracy, 1.0):.1f}" for b in bins)
    parts.append(Markup('<polyline class="curve" points="{}"/>').format(points))
    for bin_ in bins:
        x, radius = _x(bin_.confidence), 3 + 4 * math.sqrt(bin_.n / most)
        said = f"sure {bin_.confidence:.3f}, right {bin_.accuracy:.3f}, n = {bin_.n:,}"
        tall = max(_BINS_HEIGHT * bin_.n / most, 1.0)
        parts.append(
            Markup(
                '<g><title>{}</title><line class="miss" x1="{}" y1="{}" x2="{}" y2="{}"/>'
                '<circle class="dot" cx="{}" cy="{}" r="{}"/>'
                '<rect class="size" x="{}" y="{}" width="5" height="{}"/></g>'
            ).format(
                said,
                *map(_place, (x, _y(bin_.accuracy, 1.0), x, _y(bin_.confidence, 1.0))),
                *map(_place, (x, _y(bin_.accuracy, 1.0), radius, x - 2.5, strip - tall, tall)),
            )
        )
    parts.append(_line("frame", _x(0), strip, _x(1), strip))
    parts.append(_words(_x(0) - 8, strip - _BINS_HEIGHT / 2 + 4, "end", "n"))
    parts += [_words(_x(tick), strip + 17, "middle", f"{tick:g}") for tick in (0, 0.25, 0.5, 0.75, 1)]
    parts.append(_words((_LEFT + _RIGHT) / 2, strip + 36, "middle", "how sure (confidence)"))
    parts.append(_sideways(_TOP + _CURVE_HEIGHT / 2, "how often right (accuracy)"))
    return _drawing(parts, strip + 44, label)


def _by_chance(one: ReliabilityBin) -> Markup:
    """Return the span in which 95 % of the points of a calibrated model lie, were its rows independent."""
    low, high = (float(stats.binom.ppf(tail, one.n, one.confidence)) / one.n for tail in (0.025, 0.975))
    x, top, tall = _x(one.confidence), _y(high, 1.0), _y(low, 1.0) - _y(high, 1.0)
    bar = Markup('<rect class="chance" x="{}" y="{}" width="{}" height="{}"/>')
    return bar.format(*map(_place, (x - _SPAN_WIDTH / 2, top, _SPAN_WIDTH, max(tall, 1.0))))


def risk_coverage(points: Sequence[CoveragePoint], own: tuple[float, float] | None, label: str) -> Markup:
    """Return how often the surest answers are wrong, by the share of rows that is answered.

    Args:
        points: of the curve.
        own: coverage and risk where the model itself abstains, each in [0, 1].
        label: what is read out.
    """
    if not points:
        return Markup("")
    top = scale_of([0.0, *(p.risk for p in points), own[1] if own else None], (0.0, 1.0))
    bottom = _TOP + _CURVE_HEIGHT
    line = [(_x(p.coverage), _y(p.risk, top.high)) for p in _thinned(points)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in line)
    area = f"{line[0][0]:.1f},{bottom} {path} {line[-1][0]:.1f},{bottom}"
    parts = [
        _grid(top.high, bottom, top),
        Markup('<polygon class="area" points="{}"/><polyline class="curve" points="{}"/>').format(area, path),
    ]
    if own is not None:
        said = f"the model's own abstention: answers {own[0]:.3f} of the rows, risk {own[1]:.3f}"
        x, y = _x(own[0]), _y(own[1], top.high)
        ring = Markup('<g><title>{}</title><circle class="own" cx="{}" cy="{}" r="6"/></g>')
        parts += [_line("drop", x, y, x, bottom), ring.format(said, _place(x), _place(y))]
    parts += [_words(_x(tick), bottom + 17, "middle", f"{tick:g}") for tick in (0, 0.25, 0.5, 0.75, 1)]
    parts.append(_words((_LEFT + _RIGHT) / 2, bottom + 36, "middle", "share that is answered (coverage)"))
    parts.append(_sideways(_TOP + _CURVE_HEIGHT / 2, "share of these that is wrong (risk)"))
    return _drawing(parts, bottom + 44, label)


def _whiskers(scale: Scale, score: Score, label: str, style: str, *, hollow: bool) -> Markup:
    if score.value is None or not known(score.value):
        return Markup("")
    inside = Markup("")
    if score.low is not None and score.high is not None and known(score.low) and known(score.high):
        inside += _span("whisker", scale.at(score.low), scale.at(score.high))
        # An interval that runs out of the axis ends in an arrow and not in the air.
        out = ((score.low < scale.low, "0", "‹"), (score.high > scale.high, "100", "›"))
        arrow = Markup('<text class="out" x="{}%" y="50%" dy=".36em">{}</text>')
        inside += Markup("").join(arrow.format(x, sign) for beyond, x, sign in out if beyond)
    ring = "dot hollow" if hollow else "dot"
    inside += Markup('<circle class="{}" cx="{}%" cy="50%" r="5"/>').format(
        ring, _place(scale.at(score.value))
    )
    return Markup('<g class="{}"><title>{}</title>{}</g>').format(style, _safe(label), inside)


def _cell(scale: Scale, marks: Markup, label: str, lines: Sequence[Line]) -> Markup:
    upright = Markup('<line class="{0}" x1="{1}%" y1="0" x2="{1}%" y2="100%"/>')
    grid = Markup("").join(upright.format("grid", _place(scale.at(tick))) for tick in scale.ticks)
    through = Markup("").join(
        Markup("<g><title>{}</title>{}</g>").format(
            _safe(line.label), upright.format(line.style, _place(scale.at(line.value)))
        )
        for line in lines
        if scale.low <= line.value <= scale.high
    )
    frame = Markup('<svg class="marks" role="img" aria-label="{}">{}{}{}</svg>')
    return frame.format(_safe(label), grid, through, marks)


def _span(style: str, start: float, end: float) -> Markup:
    return Markup('<line class="{}" x1="{}%" y1="50%" x2="{}%" y2="50%"/>').format(
        style, _place(start), _place(end)
    )


def _thinned(points: Sequence[CoveragePoint]) -> list[CoveragePoint]:
    """Return at most so many points as can be told apart, the first and the last among them."""
    if len(points) <= _MOST_POINTS:
        return list(points)
    last = len(points) - 1
    places = sorted({round(place * last / (_MOST_POINTS - 1)) for place in range(_MOST_POINTS)})
    return [points[place] for place in places]


def _x(value: float) -> float:
    return _LEFT + min(max(value, 0.0), 1.0) * (_RIGHT - _LEFT)


def _y(value: float, top: float) -> float:
    return _TOP + _CURVE_HEIGHT * (1 - min(max(value / top, 0.0), 1.0))


def _grid(top: float, bottom: float, scale: Scale | None = None) -> Markup:
    ticks = scale.ticks if scale else (0, 0.25, 0.5, 0.75, 1)
    level = [_line("grid", _LEFT, _y(tick, top), _RIGHT, _y(tick, top)) for tick in ticks]
    labels = [_words(_LEFT - 8, _y(tick, top) + 4, "end", f"{tick:g}") for tick in ticks]
    upright = [_line("grid", _x(tick), _TOP, _x(tick), bottom) for tick in (0, 0.25, 0.5, 0.75, 1)]
    return Markup("").join([*level, *upright, *labels])


def _line(style: str, *ends: float) -> Markup:
    x1, y1, x2, y2 = map(_place, ends)
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(style, x1, y1, x2, y2)


def _words(x: float, y: float, anchor: str, text: str) -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(_place(x), _place(y), anchor, text)


def _sideways(y: float, text: str) -> Markup:
    turned = Markup('<text transform="translate(12 {}) rotate(-90)" text-anchor="middle">{}</text>')
    return turned.format(_place(y), text)


def _drawing(parts: Iterable[Markup], height: float, label: str) -> Markup:
    frame = Markup(
        '<svg class="drawing" viewBox="0 0 {} {}" role="img" aria-label="{}"><desc>{}</desc>{}</svg>'
    )
    return frame.format(_WIDTH, _place(height), _safe(label), _safe(label), Markup("").join(parts))


def _safe(text: str) -> Markup:
    return escape(visible(text))


def _place(value: float) -> str:
    """Return a coordinate with up to two decimals."""
    return f"{value + 0.0:.2f}".rstrip("0").rstrip(".")
