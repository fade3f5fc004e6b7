"""A summary in a few lines, for a terminal."""

import unicodedata
from typing import Final

from mmser.batch.summary.records import ArchiveSummary, GroupTable, RoleShares
from mmser.batch.summary.wording import (
    calls,
    headline,
    hours,
    percent,
    percent_interval,
    period,
    points,
    points_interval,
    some,
)

_MOST: Final = 10  # rows of each list
_WIDTH: Final = 28  # of names


def render_summary_text(summary: ArchiveSummary) -> str:
    """Return the main numbers: shares, weeks, the most escalated calls, rules, groups, what must be known."""
    model = "; ".join(summary.models) or "model not told"
    lines = [
        f"{summary.source} · {calls(summary.calls)} · {hours(summary.hours)} · {period(summary)} · {model}",
        headline(summary),
    ]
    for shares in summary.shares:
        lines += ["", *_shares(shares)]
    lines += ["", *_weeks(summary), "", *_escalated(summary)]
    if summary.rules:
        lines += ["", "Rules"]
        lines += [
            f"  {_name(one.rule)} {calls(one.calls):>12} {percent(one.share.value):>7} "
            f"{percent_interval(one.share)}"
            for one in summary.rules[:_MOST]
        ]
    for table in summary.tables:
        lines += ["", *_groups(table)]
    lines += [f"Note: {warning}" for warning in summary.warnings]
    return "\n".join(map(_visible, lines))


def _shares(shares: RoleShares) -> list[str]:
    whose = "Customers" if shares.role == "customer" else "Agents, all together"
    lines = [f"{whose}, share of {hours(shares.hours)} of scored talk in {calls(shares.calls)}"]
    for label, share in (
        *((one.label, one.share) for one in shares.labels),
        ("negative together", shares.negative),
    ):
        lines.append(f"  {_name(label)} {percent(share.value):>7} {percent_interval(share)}")
    return lines


def _weeks(summary: ArchiveSummary) -> list[str]:
    trend = summary.trend
    if trend.why_none is not None:
        return [trend.why_none]
    lines = [f"Negative share by week, customers ({trend.column})"]
    shown = trend.weeks[-_MOST:]
    if len(shown) < len(trend.weeks):
        lines[0] += f", the last {_MOST} of {len(trend.weeks)}"
    for week in shown:
        lines.append(
            f"  {week.week}  {calls(week.calls):>12} {percent(week.negative.value):>7} "
            f"{percent_interval(week.negative)}"
        )
    return lines


def _escalated(summary: ArchiveSummary) -> list[str]:
    found = summary.escalation
    if not found.top:
        return [
            f"In none of {calls(found.mean.calls)} does the customer's negativity rise from the first "
            "quarter to the last (of the others too few turns at either end were scored)."
        ]
    lines = [
        f"Most escalated of {calls(found.mean.calls)}: negativity of the customer, last quarter minus first, "
        "in points; then anger"
    ]
    for one in found.top[:_MOST]:
        anger = points_interval(one.anger_low, one.anger_high)
        mark = " *" if one.clear and (one.anger_low or 0) > 0 else ""
        lines.append(
            f"  {_name(one.id)} {points(one.escalation):>6}   {points(one.anger_delta):>6} {anger}{mark}"
        )
    if any(one.clear for one in found.top[:_MOST]):
        lines.append("  * the interval of anger in this one call leaves 0 out")
    return lines


def _groups(table: GroupTable) -> list[str]:
    lines = [f"By {table.column}: negative share of customers ({some(table.distinct, 'value')})"]
    for group in table.groups[:_MOST]:
        name = f"{group.name} ({some(group.pooled, 'group')})" if group.pooled else group.name
        mark = {"higher": " ▲", "lower": " ▼", None: ""}[group.differs]
        lines.append(
            f"  {_name(name)} {calls(group.calls):>12} {percent(group.negative.value):>7} "
            f"{percent_interval(group.negative)}{mark}"
        )
    if len(table.groups) > _MOST:
        lines.append(f"  and {len(table.groups) - _MOST} more, in the files")
    marks = "▲ ▼ differs from all other calls, corrected for the number of groups; the intervals are not"
    lines.append(f"  {marks if table.tested else 'no group could be tested: 20 scored calls are needed'}")
    return lines


def _name(text: str) -> str:
    shown = _visible(text)
    return (shown if len(shown) <= _WIDTH else f"{shown[: _WIDTH - 1]}…").ljust(_WIDTH)


def _visible(line: str) -> str:
    """Return a line in which names can neither move the cursor nor turn the direction."""
    return "".join(c if unicodedata.category(c)[0] != "C" else "\ufffd" for c in line)
