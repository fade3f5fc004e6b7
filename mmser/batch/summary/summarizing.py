"""A batch's folder → what is said of its calls together."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from mmser import __version__
from mmser.batch.summary.columns import check_groups, date_column
from mmser.batch.summary.counting import (
    Rules,
    conversation,
    ordered,
    role_shares,
    role_totals,
    rule_hits,
    share_of_calls,
    total,
)
from mmser.batch.summary.dates import Dated, read_dates
from mmser.batch.summary.grouping import group_table
from mmser.batch.summary.intervals import CHANGE, DRAWS, mean
from mmser.batch.summary.links import report_link
from mmser.batch.summary.reading import Archive, Calls, read_calls
from mmser.batch.summary.records import (
    FEWEST,
    ArchiveSummary,
    EscalatedCall,
    Escalation,
    RoleShares,
    Trend,
)
from mmser.batch.summary.weeks import weekly
from mmser.batch.summary.wording import some
from mmser.labels import Role

TOP: Final = 20
MIN_CALLS: Final = 5


@dataclass(frozen=True, kw_only=True)
class SummaryOptions:
    """What a user may choose."""

    by: tuple[str, ...] = ()  # columns that divide the calls
    date: str | None = None  # column of dates; None = found by its name
    top: int = TOP  # most escalated calls, and calls named of each rule
    min_calls: int = MIN_CALLS  # of a group that is shown by itself
    seed: int = 0  # of the bootstrap


def summarize_archive(archive: Archive, output: Path, options: SummaryOptions) -> ArchiveSummary:
    """Summarise the calls of a batch.

    Args:
        archive: what `mmser batch` wrote.
        output: where the summary will lie: links to reports lead from there.
        options: the user's.

    Raises:
        DataError: if a part is damaged, or none holds a call.
        UsageError: if a column is not there, or names people at work.
    """
    by = check_groups(options.by, archive.columns)
    column = date_column(archive.columns, options.date)
    calls = read_calls(archive, (*by, *((column,) if column else ())))
    dated = read_dates(calls.texts[column]) if column else None
    rules, seed = Rules(calls), options.seed
    trend = weekly(calls, dated, column, seed)
    roles: tuple[Role, ...] = ("customer", "agent")
    shares = tuple(one for role in roles if (one := role_shares(calls, role, seed)) is not None)
    seconds = total(calls.numbers["duration"])
    days = dated.days[~np.isnat(dated.days)] if dated is not None else np.array([], "datetime64[D]")
    return ArchiveSummary(
        mmser_version=__version__,
        source=archive.folder.resolve().name or str(archive.folder),
        models=archive.models,
        notices=archive.notices,
        calls=len(calls),
        duplicates=calls.duplicates,
        failed=archive.failed,
        without_sound=int((~np.isfinite(calls.numbers["duration"])).sum()),
        hours=None if seconds is None else round(seconds / 3600, 3),
        first=str(days.min()) if len(days) else None,
        last=str(days.max()) if len(days) else None,
        columns=archive.columns,
        roles=role_totals(calls),
        shares=shares,
        talk=conversation(calls, seed),
        trend=trend,
        escalation=_escalation(calls, dated, archive, output, options),
        rules=rule_hits(calls, rules, options.top),
        any_rule=share_of_calls(rules.any()),
        tables=tuple(group_table(calls, rules, name, min_calls=options.min_calls, seed=seed) for name in by),
        min_calls=options.min_calls,
        seed=seed,
        draws=DRAWS,
        warnings=_warnings(calls, archive, trend, shares),
    )


def _escalation(
    calls: Calls, dated: Dated | None, archive: Archive, output: Path, options: SummaryOptions
) -> Escalation:
    rise = calls.numbers["customer_escalation"]
    low, high = calls.numbers["customer_anger_delta_low"], calls.numbers["customer_anger_delta_high"]
    rising = np.flatnonzero(rise > 0)
    first = rising[ordered(calls, rising)][: options.top]
    return Escalation(
        mean=mean(rise, span=CHANGE, seed=options.seed),
        rising=len(rising),
        clear=int((low > 0).sum()),
        with_interval=int((np.isfinite(low) & np.isfinite(high)).sum()),
        top=tuple(_escalated(calls, int(row), dated, archive, output) for row in first),
    )


def _escalated(calls: Calls, row: int, dated: Dated | None, archive: Archive, output: Path) -> EscalatedCall:
    def number(name: str) -> float | None:
        value = float(calls.numbers[name][row])
        return None if np.isnan(value) else value

    call_id = calls.texts["id"][row].as_py() or ""
    low, high = number("customer_anger_delta_low"), number("customer_anger_delta_high")
    return EscalatedCall(
        id=call_id,
        date=str(dated.days[row]) if dated is not None and not np.isnat(dated.days[row]) else None,
        duration=number("duration"),
        escalation=float(calls.numbers["customer_escalation"][row]),
        negative_first=number("customer_negative_first"),
        negative_last=number("customer_negative_last"),
        anger_delta=number("customer_anger_delta"),
        anger_low=low,
        anger_high=high,
        clear=None if low is None or high is None else low > 0 or high < 0,
        link=report_link(archive.folder, output, call_id),
    )


def _warnings(calls: Calls, archive: Archive, trend: Trend, shares: Sequence[RoleShares]) -> tuple[str, ...]:
    """Return what must be known beside the numbers, one sentence each."""
    told = []
    if len(calls) < FEWEST:
        told.append(f"{some(len(calls), 'call')} in all: no interval is given under {FEWEST}.")
    if archive.unfinished:
        told.append(
            f"{some(archive.unfinished, 'call')} of the batch not analysed yet: all of this is provisional; "
            "mmser batch goes on with them."
        )
    if len(archive.models) > 1:
        told.append(f"The calls were judged by {len(archive.models)} models: {'; '.join(archive.models)}.")
    if calls.duplicates:
        told.append(
            f"{some(calls.duplicates, 'call')} left out: the same recording, by its sound's hash, is there "
            "under a smaller id and counts once."
        )
    if archive.failed:
        told.append(
            f"{some(archive.failed, 'call')} could not be analysed: in no number; where the reason has to do "
            "with how people sound, the numbers are biased."
        )
    untimed = sum(one.untimed for one in shares if one.role == "customer")
    if untimed:
        told.append(
            f"{some(untimed, 'call')} without times of turns: they are in no share of talk time, and in "
            "everything else."
        )
    if not any(one.role == "customer" for one in shares):
        told.append("No turn of a customer was scored, so there are no shares of emotions.")
    if trend.undated:
        told.append(f"{some(trend.undated, 'call')} without a date in {trend.column!r}: in no week.")
    if trend.unreadable:
        told.append(
            f"{some(trend.unreadable, 'call')} whose date in {trend.column!r} is not understood, such as "
            f"{trend.unreadable_example!r}: in no week; write ISO 8601 or seconds since 1970."
        )
    if trend.outside:
        told.append(
            f"{some(trend.outside, 'call')} dated more than three years from most others: in no week."
        )
    return tuple(told)
