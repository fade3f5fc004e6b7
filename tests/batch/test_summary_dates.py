"""Dates as people write them, and the weeks they lie in."""

import datetime

import numpy as np
import pyarrow
import pytest

from mmser.batch.summary.dates import mondays, read_dates, week_name


def day_of(text):
    (day,) = read_dates(pyarrow.array([text], "string")).days
    return None if np.isnat(day) else str(day)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-01-31", "2026-01-31"),
        (" 2026-01-31 ", "2026-01-31"),
        ("2026-01-31T23:59:59", "2026-01-31"),
        ("2026-01-31 23:59", "2026-01-31"),
        ("2026-01-31T23:59:59.123Z", "2026-01-31"),
        ("2026-01-31T23:59:59+05:30", "2026-01-31"),  # the day as it is written
        ("20260131", "2026-01-31"),
        ("20260131T235959Z", "2026-01-31"),
        ("1769903999", "2026-01-31"),
        ("1769903999.75", "2026-01-31"),
        ("1769903999000", "2026-01-31"),
        ("2026-02-30", None),
        ("31.01.2026", None),
        ("01/31/2026", None),
        ("2026-01-31 or so", None),
        ("yesterday", None),
        ("17", None),
        ("-1769903999", None),
        ("٢٠٢٦-٠١-٣١", None),
    ],
)
def test_iso_dates_and_seconds_are_read_and_nothing_is_guessed(text, day):
    assert day_of(text) == day


def test_missing_and_unreadable_dates_are_counted_apart():
    found = read_dates(pyarrow.array(["2026-01-31", None, "", "  ", "soon", "2026-13-01"], "string"))
    assert (found.missing, found.unreadable, found.example) == (3, 2, "soon")
    assert np.isnat(found.days).tolist() == [False, True, True, True, True, True]


def test_no_call_has_no_date():
    found = read_dates(pyarrow.array([], "string"))
    assert (len(found.days), found.missing, found.unreadable) == (0, 0, 0)


@pytest.mark.parametrize(
    ("day", "week"),
    [
        ("2025-12-28", "2025-W52"),
        ("2025-12-29", "2026-W01"),
        ("2025-12-31", "2026-W01"),
        ("2026-01-04", "2026-W01"),
        ("2026-01-05", "2026-W02"),
        ("2020-12-31", "2020-W53"),
        ("2021-01-03", "2020-W53"),
        ("2021-01-04", "2021-W01"),
        ("1969-12-31", "1970-W01"),
    ],
)
def test_weeks_go_over_new_year(day, week):
    (monday,) = mondays(np.array([day], "datetime64[D]"))
    assert week_name(monday) == week


def test_mondays_are_those_of_the_calendar():
    days = np.arange("1965-01-01", "1975-01-01", dtype="datetime64[D]")
    for day, monday in zip(days, mondays(days), strict=True):
        date = day.astype(object)
        assert monday.astype(object) == date - datetime.timedelta(days=date.weekday())
    assert np.isnat(mondays(np.array(["NaT"], "datetime64[D]")))[0]
