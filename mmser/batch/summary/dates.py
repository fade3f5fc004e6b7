"""Dates as they are written → days and ISO weeks."""

import datetime
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow
import pyarrow.compute as pc
from numpy.typing import NDArray

Days = NDArray[np.datetime64]  # of days; NaT where there is none

_CLOCK: Final = r"\d{2}(:?\d{2}(:?\d{2}([.,]\d+)?)?)?"
_ISO: Final = rf"^\d{{4}}-\d{{2}}-\d{{2}}([T ]{_CLOCK}\s*([Zz]|[+-]\d{{2}}(:?\d{{2}})?|UTC)?)?$"
_COMPACT: Final = rf"^(19|20)\d{{6}}(T{_CLOCK}([Zz]|[+-]\d{{2}}(:?\d{{2}})?)?)?$"
_SECONDS: Final = r"^\d{9,13}(\.\d+)?$"
_LEAST: Final = 1e8  # 1973; smaller numbers are hardly times
_MILLISECONDS: Final = 1e11  # from here on, as seconds the year 5138
_MOST: Final = 4.1e9  # 2099


@dataclass(frozen=True, kw_only=True, eq=False)
class Dated:
    """The day of each call, as its date is written; of epoch seconds, in UTC."""

    days: Days  # (calls,)
    missing: int
    unreadable: int
    example: str | None  # of an unreadable one


def read_dates(texts: pyarrow.Array) -> Dated:
    """Read ISO 8601 dates and times, and seconds since 1970.

    Args:
        texts: as they are written, (calls,).
    """
    trimmed = pc.utf8_trim_whitespace(texts)
    blank = pc.or_kleene(pc.is_null(trimmed), pc.equal(trimmed, "")).fill_null(True)
    days = np.full(len(texts), np.datetime64("NaT"), "datetime64[D]")
    for pattern, length in ((_ISO, 10), (_COMPACT, 8)):
        rows = _matching(trimmed, pattern)
        heads = pc.utf8_slice_codeunits(trimmed.filter(pyarrow.array(rows)), 0, length).dictionary_encode()
        known = np.array([_day(text) for text in heads.dictionary.to_pylist()], "datetime64[D]")
        if len(known):
            days[rows] = known[heads.indices.to_numpy()]
    rows = _matching(trimmed, _SECONDS) & np.isnat(days)
    if rows.any():
        seconds = trimmed.filter(pyarrow.array(rows)).cast("float64").to_numpy(zero_copy_only=False)
        seconds = np.where(seconds >= _MILLISECONDS, seconds / 1000, seconds)
        kept = (seconds >= _LEAST) & (seconds < _MOST)
        whole = np.floor(np.where(kept, seconds, 0) / 86_400).astype(np.int64).astype("datetime64[D]")
        days[rows] = np.where(kept, whole, np.datetime64("NaT"))
    empty = np.asarray(blank.to_numpy(zero_copy_only=False), np.bool_)
    bad = np.flatnonzero(np.isnat(days) & ~empty)
    example = trimmed[int(bad[0])].as_py() if len(bad) else None
    return Dated(days=days, missing=int(empty.sum()), unreadable=len(bad), example=example)


def mondays(days: Days) -> Days:
    """Return the Monday of each day's ISO week."""
    numbers = days.astype(np.int64)
    # 1 January 1970 was a Thursday.
    found: Any = (numbers - (numbers + 3) % 7).astype("datetime64[D]")
    found[np.isnat(days)] = np.datetime64("NaT")
    return np.asarray(found)


def week_name(monday: np.datetime64) -> str:
    """Return "2026-W01": the ISO year may differ from the calendar's around New Year."""
    year, week, _ = datetime.date.fromisoformat(str(monday)).isocalendar()
    return f"{year}-W{week:02d}"


def _matching(texts: pyarrow.Array, pattern: str) -> NDArray[np.bool_]:
    found = pc.match_substring_regex(texts, pattern).fill_null(False)
    return np.array(found.to_numpy(zero_copy_only=False), np.bool_)


def _day(text: str) -> np.datetime64:
    try:
        return np.datetime64(datetime.date.fromisoformat(text), "D")
    except ValueError:  # 30 February
        return np.datetime64("NaT", "D")
