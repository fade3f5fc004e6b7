"""A summary as CSV: shares, weeks, escalated calls, rules and groups."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, Final

from mmser.batch.summary.records import ArchiveSummary, Estimate
from mmser.transcripts.cells import inert

TABLES: Final = ("shares.csv", "weeks.csv", "escalated.csv", "rules.csv", "groups.csv")
_ENDS: Final = ("", "_low", "_high", "_calls")


def to_tables(summary: ArchiveSummary) -> dict[str, str]:
    """Return name → CSV; all of them always, so that no table of an earlier summary is left beside new ones.

    Shares and probabilities are in [0, 1]; `_low` and `_high` are the 95 % interval, `_calls` what it is
    taken from; a field is empty where there is no number.
    """
    weekly = ("week", "monday", "calls", *_columns("negative", "anger", "escalation"))
    written = (
        _csv(("role", "emotion", *_columns("share")), _shares(summary)),
        _csv(weekly, _weeks(summary)),
        _csv(_ESCALATED, _escalated(summary)),
        _csv(("rule", "calls", *_columns("share"), "ids"), _rules(summary)),
        _csv((*_GROUP, *_columns(*_MEASURES), "rule_calls"), _groups(summary)),
    )
    return dict(zip(TABLES, written, strict=True))


_ESCALATED: Final = (
    *("id", "date", "duration", "escalation", "negative_first", "negative_last"),
    *("anger_delta", "anger_low", "anger_high", "clear", "link"),
)
_GROUP: Final = ("column", "group", "pooled", "calls", "hours", "differs", "p")
_MEASURES: Final = ("negative", "positive", "uncertain", "escalation", "non_talk", "any_rule")


def _columns(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}{end}" for name in names for end in _ENDS)


def _cells(*estimates: Estimate) -> list[Any]:
    return [cell for one in estimates for cell in (one.value, one.low, one.high, one.calls)]


def _shares(summary: ArchiveSummary) -> Iterable[Sequence[Any]]:
    for shares in summary.shares:
        for one in shares.labels:
            yield [shares.role, one.label, *_cells(one.share)]
        yield [shares.role, "negative together", *_cells(shares.negative)]
        yield [shares.role, "positive together", *_cells(shares.positive)]


def _weeks(summary: ArchiveSummary) -> Iterable[Sequence[Any]]:
    for one in summary.trend.weeks:
        yield [one.week, one.monday, one.calls, *_cells(one.negative, one.anger, one.escalation)]


def _escalated(summary: ArchiveSummary) -> Iterable[Sequence[Any]]:
    for one in summary.escalation.top:
        yield [getattr(one, name) for name in _ESCALATED]


def _rules(summary: ArchiveSummary) -> Iterable[Sequence[Any]]:
    for one in summary.rules:
        yield [one.rule, one.calls, *_cells(one.share), " | ".join(one.ids)]


def _groups(summary: ArchiveSummary) -> Iterable[Sequence[Any]]:
    for table in summary.tables:
        for one in table.groups:
            head = [table.column, one.name, one.pooled, one.calls, one.hours, one.differs, one.p]
            measured = (getattr(one, name) for name in _MEASURES)
            rules = " | ".join(f"{rule}: {count}" for rule, count in one.rule_calls.items())
            yield [*head, *_cells(*measured), rules]


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")  # with "\n", a "\r" in a cell would go unquoted
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return inert(value) if isinstance(value, str) else value
