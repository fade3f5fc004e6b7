"""A summary as one HTML file: no network, no script, no external font; dark on a dark screen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from mmser.batch.summary.charts import axis_over, bar, dot, moved, stack, ticks, week_chart
from mmser.batch.summary.records import (
    ArchiveSummary,
    EscalatedCall,
    Estimate,
    Group,
    GroupTable,
    RoleShares,
    RuleHits,
    Trend,
)
from mmser.batch.summary.wording import (
    NONE,
    calls,
    clock,
    customers,
    headline,
    hours,
    method,
    percent,
    percent_interval,
    period,
    points,
    points_interval,
    some,
)
from mmser.report.html_data import visible
from mmser.report.html_style import emotion_css, patterns
from mmser.report.pages import page_asset, page_environment, source_hash
from mmser.report.palette import PALETTE, UNCERTAIN

# The sheets of the call report and of evaluations first, so that all pages look alike.
_SHEETS: Final = (
    ("mmser.report", "report.css"),
    ("mmser.evaluation.page", "evaluation.css"),
    ("mmser.batch.summary", "summary.css"),
)
_RULE_CALLS: Final = 8  # named of each rule


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One value of a table, ready to be read."""

    text: str = ""
    beside: str = ""  # an interval: smaller, after the text
    plot: Markup | None = None
    chip: int | None = None  # place of the emotion whose letter and colour stand before the text
    link: str | None = None
    why: str = ""  # shown on pointing


@dataclass(frozen=True, kw_only=True)
class Column:
    """The head of a column."""

    title: str
    kind: str = "number"  # name, number, text, plot
    hint: str = ""
    axis: Markup | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under heads."""

    title: str
    note: str = ""
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


def render_summary_html(summary: ArchiveSummary) -> str:
    """Return the page that shows `summary`; the same record gives the same bytes."""
    labels = _labels(summary)
    css = "\n".join([emotion_css(labels), *(page_asset(package, name) for package, name in _SHEETS)])
    return (
        page_environment("mmser.batch.summary")
        .get_template("summary.html.j2")
        .render(
            summary=summary,
            headline=headline(summary),
            facts=_facts(summary),
            figures=_figures(summary),
            letters=_letters(labels),
            patterns=Markup(patterns(labels)),
            shares=[(one, stack(one.labels), _share_table(one)) for one in summary.shares],
            charts=_charts(summary.trend),
            roles=_role_table(summary),
            escalated=_escalated_table(summary),
            rules=_rule_table(summary),
            groups=[_group_table(table, summary) for table in summary.tables],
            method=method(summary),
            policy=f"default-src 'none'; style-src '{source_hash(css)}'; base-uri 'none'; form-action 'none'",
            css=Markup(css),  # our own files: the only text that skips escaping
        )
    )


def _labels(summary: ArchiveSummary) -> tuple[str, ...]:
    first = summary.shares[0].labels if summary.shares else ()
    return tuple(one.label for one in first if one.label != UNCERTAIN)


def _letters(labels: Sequence[str]) -> tuple[str, ...]:
    known = (*labels, UNCERTAIN)
    return tuple(PALETTE[one].letter if one in PALETTE else visible(one[:2]).capitalize() for one in known)


def _facts(summary: ArchiveSummary) -> list[tuple[str, str]]:
    turns = sum(one.turns for one in summary.roles)
    scored = sum(one.scored for one in summary.roles)
    withheld = sum(one.withheld for one in summary.roles)
    facts = [
        ("Calls", f"{summary.calls:,}"),
        ("Sound", hours(summary.hours)),
        ("Period", period(summary)),
        ("Turns", f"{turns:,}"),
        ("Scored", f"{scored:,}"),
        ("Withheld", f"{withheld:,}"),
    ]
    if summary.without_sound:
        facts.append(("Of words alone", calls(summary.without_sound)))
    return [*facts, ("Model", "; ".join(summary.models) or "not told by the tables")]


def _figures(summary: ArchiveSummary) -> list[tuple[str, str, str]]:
    """Return the key numbers: name, value, what stands under it."""
    found, rise = customers(summary), summary.escalation
    figures = []
    if found is not None:
        anger = next((one.share for one in found.labels if one.label == "anger"), None)
        figures = [("Negative, customers", *_both(found.negative))]
        figures += [("Anger", *_both(anger))] if anger is not None else []
        figures.append(("Positive", *_both(found.positive)))
    span = points_interval(rise.mean.low, rise.mean.high)
    figures += [
        ("Rise in a call, points", points(rise.mean.value), span or "no interval"),
        ("Anger clearly rises", calls(rise.clear), f"of {rise.with_interval:,}"),
        ("Nobody speaks", *_both(summary.talk.non_talk)),
    ]
    if summary.rules:
        figures.append(("A rule matched", *_both(summary.any_rule)))
    return figures


def _both(one: Estimate) -> tuple[str, str]:
    return percent(one.value), percent_interval(one) or "no interval"


def _share(one: Estimate) -> Cell:
    return Cell(text=percent(one.value), beside=percent_interval(one))


def _share_table(shares: RoleShares) -> Table:
    axis = axis_over([one.share for one in shares.labels] + [shares.negative, shares.positive])
    rows = [
        (
            Cell(text=one.label, chip=place),
            Cell(plot=bar(axis, one.share, one.label, f"e{place}")),
            _share(one.share),
        )
        for place, one in enumerate(shares.labels)
    ]
    together = (
        ("negative together", shares.negative, "s-loss"),
        ("positive together", shares.positive, "s-view"),
    )
    for name, one, style in together:
        rows.append((Cell(text=name), Cell(plot=bar(axis, one, name, style)), _share(one)))
    whose = "customers" if shares.role == "customer" else "agents, all together"
    return Table(
        title=f"Shares of scored talk time, {whose}",
        note=f"{hours(shares.hours)} in {calls(shares.calls)}; whiskers are 95% intervals over calls.",
        columns=(
            Column(title="emotion", kind="name"),
            Column(title="share", kind="plot", axis=ticks(axis)),
            Column(title="share"),
        ),
        rows=tuple(rows),
    )


def _charts(trend: Trend) -> list[tuple[str, str, Markup]]:
    if trend.why_none is not None:
        return []
    weeks = trend.weeks
    found = [
        (
            "Negative emotions",
            "share of scored talk",
            week_chart(weeks, lambda w: w.negative, "Negative", "s-loss"),
        )
    ]
    if any(week.anger.value is not None for week in weeks):
        anger = week_chart(weeks, lambda w: w.anger, "Anger", "s-anger")
        found.append(("Anger", "share of scored talk", anger))
    rise = week_chart(weeks, lambda w: w.escalation, "Escalation", "s-model", signed=True)
    found.append(("Escalation", "last quarter minus first, points", rise))
    return found


def _role_table(summary: ArchiveSummary) -> Table:
    titles = (
        "turns",
        "scored",
        "abstained",
        "withheld",
        "no answer",
        "talk",
        "of all talk",
        "words a minute",
    )
    rows = []
    for one in summary.roles:
        counts = (one.turns, one.scored, one.abstained, one.withheld, one.unanswered)
        speed = NONE if one.words_per_minute is None else f"{one.words_per_minute:.0f}"
        told = (hours(one.talk_hours), percent(one.talk_share), speed)
        broken = NONE if one.interruptions is None else f"{one.interruptions:,}"
        cells = (*(f"{count:,}" for count in counts), *told, broken)
        rows.append((Cell(text=one.role), *(Cell(text=text) for text in cells)))
    return Table(
        title="Turns and talk by role",
        note="Of agents this is all that is said, over all calls together.",
        columns=(
            Column(title="role", kind="name"),
            *(Column(title=title) for title in titles),
            Column(title="interrupts"),
        ),
        rows=tuple(rows),
    )


def _escalated_table(summary: ArchiveSummary) -> Table | None:
    top = summary.escalation.top
    if not top:
        return None
    ends = [v for one in top for v in (one.negative_first, one.negative_last)]
    axis = axis_over([Estimate(value=value, calls=1) for value in ends])
    dated = any(one.date for one in top)
    columns = [Column(title="call", kind="name"), Column(title="date", kind="text")]
    columns = columns if dated else columns[:1]
    columns += [
        Column(title="length"),
        Column(title="negative, first to last quarter, %", kind="plot", axis=ticks(axis)),
        Column(title="rise", hint="of mean negativity, points"),
        Column(title="anger", hint="last quarter minus first, points, with its 95% interval in this call"),
        Column(title="leaves 0 out"),
    ]

    def row(one: EscalatedCall) -> tuple[Cell, ...]:
        cells = [Cell(text=one.id, link=one.link)]
        cells += [Cell(text=one.date or NONE)] if dated else []
        clear = {True: "yes", False: "no", None: NONE}[one.clear]
        anger = Cell(text=points(one.anger_delta), beside=points_interval(one.anger_low, one.anger_high))
        plot = Cell(plot=moved(axis, one.negative_first, one.negative_last, one.id))
        return (
            *cells,
            Cell(text=clock(one.duration)),
            plot,
            Cell(text=points(one.escalation)),
            anger,
            Cell(text=clear),
        )

    return Table(
        title="Calls in which negativity rises most",
        note=f"{calls(len(top))} of {summary.escalation.rising:,} in which it rises at all, of "
        f"{summary.escalation.mean.calls:,} with enough scored turns. These are the largest of many: some "
        f"are so by chance. {_clear(summary)}Ring: first quarter; dot: last.",
        columns=tuple(columns),
        rows=tuple(map(row, top)),
    )


def _clear(summary: ArchiveSummary) -> str:
    found = summary.escalation
    if not found.with_interval:
        return ""
    return (
        f"In {found.clear:,} of {calls(found.with_interval)} the interval of anger lies above 0; by chance "
        f"it would in about {some(round(0.025 * found.with_interval), 'call')}. "
    )


def _rule_table(summary: ArchiveSummary) -> Table | None:
    if not summary.rules:
        return None
    axis = axis_over([one.share for one in summary.rules])
    links = {one.id: one.link for one in summary.escalation.top}

    def row(one: RuleHits) -> tuple[Cell, ...]:
        shown = one.ids[:_RULE_CALLS]
        more = f" and {one.calls - len(shown):,} more" if one.calls > len(shown) else ""
        link = links.get(shown[0]) if len(shown) == 1 else None
        plot = Cell(plot=bar(axis, one.share, one.rule))
        return (
            Cell(text=one.rule),
            Cell(text=f"{one.calls:,}"),
            plot,
            _share(one.share),
            Cell(text=", ".join(shown) + more, link=link),
        )

    return Table(
        title="Rules that matched",
        note=f"Any of them in {percent(summary.any_rule.value)} of calls "
        f"{percent_interval(summary.any_rule)}. Rules that matched no call are not known to the tables. "
        "Calls are named by how far they escalate.",
        columns=(
            Column(title="rule", kind="name"),
            Column(title="calls"),
            Column(title="share of calls, %", kind="plot", axis=ticks(axis)),
            Column(title="share"),
            Column(title="which", kind="text"),
        ),
        rows=tuple(map(row, summary.rules)),
    )


def _group_table(table: GroupTable, summary: ArchiveSummary) -> Table:
    found = customers(summary)
    overall = found.negative.value if found is not None else None
    axis = axis_over([one.negative for one in table.groups])

    def row(one: Group) -> tuple[Cell, ...]:
        name = f"{one.name}, {one.pooled:,} groups" if one.pooled > 1 else one.name
        mark = {"higher": "▲ ", "lower": "▼ ", None: ""}[one.differs]
        why = f"p = {one.p:.2g} corrected for the number of groups" if one.p is not None else "not tested"
        rise = Cell(
            text=points(one.escalation.value),
            beside=points_interval(one.escalation.low, one.escalation.high),
        )
        negative = Cell(
            text=mark + percent(one.negative.value), beside=percent_interval(one.negative), why=why
        )
        rest = (one.positive, one.uncertain)
        plot = Cell(plot=dot(axis, one.negative, name, reference=overall))
        return (
            Cell(text=name),
            Cell(text=f"{one.calls:,}", beside=hours(one.hours)),
            plot,
            negative,
            *map(_share, rest),
            rise,
            *map(_share, (one.any_rule, one.non_talk)),
        )

    tested = (
        f"▲ ▼: differs from all other calls, corrected for the {table.tested} groups that were tested"
        if table.tested
        else "No group could be tested against the others, for which 20 scored calls are needed"
    )
    return Table(
        title=f"By {table.column}",
        note=f"{some(table.distinct, 'value')}; the upright line is of all "
        f"calls. {tested}; intervals are each group's own and not corrected.",
        columns=(
            Column(title=table.column, kind="name"),
            Column(title="calls"),
            Column(title="negative, %", kind="plot", axis=ticks(axis)),
            Column(title="negative"),
            Column(title="positive"),
            Column(title="uncertain"),
            Column(title="rise", hint="of negativity within a call, points"),
            Column(title="a rule", hint="share of calls in which any rule matched"),
            Column(title="non-talk", hint="share of the calls' duration in which nobody speaks"),
        ),
        rows=tuple(map(row, table.groups)),
    )
