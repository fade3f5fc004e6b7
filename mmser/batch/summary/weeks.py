"""Customers week by week."""

from typing import Final

import numpy as np

from mmser.batch.summary.counting import scored_talk, valence_share
from mmser.batch.summary.dates import Dated, Days, mondays, week_name
from mmser.batch.summary.intervals import CHANGE, Floats, mean, ratios
from mmser.batch.summary.reading import Calls
from mmser.batch.summary.records import Estimate, Trend, Week

MOST_WEEKS: Final = 156  # drawn: three years
_WEEK: Final = np.timedelta64(7, "D")


def weekly(calls: Calls, dated: Dated | None, column: str | None, seed: int) -> Trend:
    """Return the weeks from the first call to the last, those without a call among them.

    Where a date lies far off, as a clock that was never set, the three years with most calls are taken.

    Args:
        calls: all of them.
        dated: their dates; None without a column of dates.
        column: they are from.
        seed: of the intervals.
    """
    if dated is None or column is None:
        return Trend(
            column=None,
            why_none="There is no trend: no column of the calls is called date, started_at or the like; name "
            "one with --date.",
        )
    told = Trend(
        column=column,
        undated=dated.missing,
        unreadable=dated.unreadable,
        unreadable_example=dated.example,
    ).to_dict()
    starts = mondays(dated.days)
    known = ~np.isnat(starts)
    if not known.any():
        return Trend.from_dict(
            told
            | {
                "why_none": f"There is no trend: no date in {column!r} is understood; write ISO 8601 "
                "(2026-01-31) or seconds since 1970."
            }
        )
    first, last = _window(starts[known])
    inside = known & (starts >= first) & (starts <= last)
    measured = _measured(calls)
    weeks = []
    for monday in np.arange(first, last + _WEEK, _WEEK):
        rows = inside & (starts == monday)
        weeks.append(_week(monday, rows, measured, seed))
    one = len(weeks) == 1
    return Trend.from_dict(
        told
        | {
            "weeks": [week.to_dict() for week in weeks],
            "outside": int((known & ~inside).sum()),
            "why_none": f"There is no trend: all dates lie in one week, {weeks[0].week}." if one else None,
        }
    )


def _measured(calls: Calls) -> tuple[Floats, Floats, Floats]:
    """Return seconds of negative emotions and of anger, (calls, 1 or 2), scored ones, and escalation."""
    time, shares = scored_talk(calls, "customer")
    angry = calls.labels.index("anger") if "anger" in calls.labels else None
    anger = shares[:, angry : angry + 1] if angry is not None else shares[:, :0]
    above = np.concatenate([valence_share(calls, shares, -1)[:, None], anger], 1) * time[:, None]
    return above, time, calls.numbers["customer_escalation"]


def _week(
    monday: np.datetime64, rows: np.ndarray, measured: tuple[Floats, Floats, Floats], seed: int
) -> Week:
    above, time, rise = (values[rows] for values in measured)
    found = ratios(above, time, seed=seed)
    return Week(
        week=week_name(monday),
        monday=str(monday),
        calls=int(rows.sum()),
        negative=found[0],
        anger=found[1] if len(found) > 1 else Estimate(value=None, calls=0),
        escalation=mean(rise, span=CHANGE, seed=seed),
    )


def _window(starts: Days) -> tuple[np.datetime64, np.datetime64]:
    """Return the first and last Monday of the `MOST_WEEKS` weeks that hold most calls."""
    weeks, counts = np.unique(starts, return_counts=True)
    if weeks[-1] - weeks[0] < MOST_WEEKS * _WEEK:
        return weeks[0], weeks[-1]
    ends = np.searchsorted(weeks, weeks + (MOST_WEEKS - 1) * _WEEK, side="right")
    before = np.concatenate([[0], np.cumsum(counts)])
    held = before[ends] - before[np.arange(len(weeks))]
    # Of windows with equally many calls the latest.
    best = int(len(held) - 1 - np.argmax(held[::-1]))
    return weeks[best], weeks[ends[best] - 1]
