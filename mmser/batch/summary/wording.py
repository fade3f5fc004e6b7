"""How the numbers of a summary are written: percent, differences in points, intervals."""

import math

from mmser.batch.summary.records import ArchiveSummary, Estimate, RoleShares

NONE = "–"


def percent(value: float | None, digits: int = 1) -> str:
    """Return "31.7%"; "–" where there is no value."""
    return NONE if value is None else f"{_plain(100 * value, digits)}%"


def points(value: float | None, digits: int = 1) -> str:
    """Return a difference of shares or probabilities in points, "+4.2"."""
    if value is None:
        return NONE
    text = _plain(100 * value, digits)
    return text if text.startswith("−") or not float(text.replace(",", "")) else f"+{text}"


def percent_interval(one: Estimate) -> str:
    """Return "[30.8, 32.6]", in percent; nothing where there is no interval."""
    if one.low is None or one.high is None:
        return ""
    return f"[{_plain(100 * one.low, 1)}, {_plain(100 * one.high, 1)}]"


def points_interval(low: float | None, high: float | None) -> str:
    """Return "[+2.3, +3.4]", in points; nothing where there is no interval."""
    return "" if low is None or high is None else f"[{points(low)}, {points(high)}]"


def hours(value: float | None) -> str:
    """Return "169 h", "5.2 h", "40 min" or "12 s"; "–" where no call has a duration."""
    if value is None:
        return NONE
    if value < 1:
        return f"{60 * value:.0f} min" if value >= 1 / 60 else f"{3600 * value:.0f} s"
    return f"{value:,.0f} h" if value >= 100 else f"{value:.1f} h"


def clock(seconds: float | None) -> str:
    """Return "4:05"; "–" where there is none."""
    if seconds is None or not math.isfinite(seconds):
        return NONE
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def customers(summary: ArchiveSummary) -> RoleShares | None:
    """Return the shares of customers; None where none of their turns was scored."""
    return next((one for one in summary.shares if one.role == "customer"), None)


def headline(summary: ArchiveSummary) -> str:
    """Return what is said first: how negative customers sound, and whether it rises within calls."""
    found = customers(summary)
    if found is None or found.negative.value is None:
        return f"{calls(summary.calls)}, in none of which a customer's turn has an emotion and times."
    said = percent_interval(found.negative)
    interval = f" (95% interval {said})" if said else ""
    top = max(
        (one for one in found.labels if one.label not in ("neutral", "uncertain") and one.share.value),
        key=lambda one: one.share.value or 0.0,
        default=None,
    )
    most = f", and {top.label} is the most frequent emotion beside neutral" if top else ""
    rise = summary.escalation.mean
    course = ""
    if rise.value is not None and rise.low is not None and rise.high is not None:
        course = " From the first quarter of a call to the last there is no clear change on average."
        if rise.low > 0 or rise.high < 0:
            direction = "rises" if rise.low > 0 else "falls"
            course = (
                f" From the first quarter of a call to the last negativity {direction} by "
                f"{points(abs(rise.value)).lstrip('+')} points on average."
            )
    return (
        f"Customers sound negative in {percent(found.negative.value)} of their scored talk time{interval}"
        f"{most}.{course}"
    )


def period(summary: ArchiveSummary) -> str:
    """Return "2026-01-05 to 2026-03-29", or "no dates"."""
    if summary.first is None:
        return "no dates"
    return summary.first if summary.first == summary.last else f"{summary.first} to {summary.last}"


def calls(count: int) -> str:
    """Return "1 call", "2,000 calls"."""
    return some(count, "call")


def some(count: int, noun: str) -> str:
    """Return "1 value", "30 values"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def method(summary: ArchiveSummary) -> tuple[str, ...]:
    """Return how the numbers came about, a paragraph each."""
    return (
        "Shares are of scored talk time: the seconds of turns that have an emotion, summed over calls; where "
        "the model abstained they count as uncertain. Negative means anger, disgust, fear and sadness "
        "together; positive is happiness. Escalation is the mean probability of negative emotions in the "
        "last quarter of a call minus that in its first, in points of percent; a call with fewer than two "
        "scored turns in either has none.",
        "Intervals are of 95% and over calls, which are taken as independent: a customer who calls often "
        "makes them too narrow. Of 5 to 19 calls it is Student's t with the jackknife's error, up to 500 the "
        f"bootstrap ({summary.draws:,} draws, seed {summary.seed}), beyond that Student's t with the "
        "linearised error; shares of calls have Wilson's. Fewer than 5 calls, or calls that all say the "
        "same, have none. They hold the variation between calls, not the errors of the model.",
        "A group of calls is marked ▲ or ▼ only where its negative share differs from that of all other "
        "calls, corrected for the number of groups: p under 0.05, where calls are dealt to the groups at "
        "random and a group counts by how often the largest difference of any group, over its error, is as "
        "large. Groups with fewer than 20 scored calls are not tested. The intervals in the table stand each "
        "by itself and are not corrected: of many groups some lie apart by chance. Groups of fewer than "
        f"{calls(summary.min_calls)} are pooled. A group says something of its calls, and nothing of the "
        "people who answered them: who calls, and why, differs between groups.",
        "Agents are neither ranked nor compared, and calls are not divided by them (EU AI Act, Art. "
        "5(1)(f)). Do not use a group that stands for one person at work.",
    )


def _plain(value: float, digits: int) -> str:
    rounded = round(value, digits) + 0.0
    return f"{rounded:,.{digits}f}".replace("-", "−")
