"""Which of the user's columns may divide the calls, and which holds their dates."""

import difflib
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from mmser.errors import UsageError

DATES: Final = (
    "date",
    "datetime",
    "started_at",
    "start_time",
    "call_date",
    "timestamp",
    "recorded_at",
    "created_at",
)
OURS: Final = ("language", "transcript_format")  # columns of mmser's that divide calls as well
# Names of people at work, as a column's name may begin or end with; with their plurals, and ids behind them.
_PEOPLE: Final = (
    *("agent", "advisor", "adviser", "employee", "operator", "representative", "worker", "handler", "clerk"),
    *("consultant", "supervisor", "colleague", "salesperson", "salesman", "saleswoman", "assignee", "staff"),
    *("teamleader", "teammember", "personnel", "coworker", "callcentre", "callcenter", "dispatcher"),
    *("mitarbeiter", "bearbeiter", "berater", "conseiller", "conseillère", "agente", "asesor", "empleado"),
    *("konsultant", "pracownik", "operatore", "medewerker"),
)
_SHORT: Final = ("rep", "reps", "csr", "csrs", "user", "users", "login", "extension")
_GLUED: Final = ("repid", "repname", "csrid", "userid", "username", "salesrep", "servicerep", "agt", "agtid")
_DOING: Final = ("handled", "answered", "served", "taken", "assigned", "handledby", "answeredby", "servedby")
_DOING_BY: Final = ("takenby", "assignedto", "processedby", "closedby", "processed", "closed")
_CUSTOMERS: Final = ("customer", "caller", "client", "patient", "member", "subscriber")


def check_groups(by: Sequence[str], columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns to divide calls by, each once.

    Raises:
        UsageError: if one names people at work, or is not there.
    """
    for name in by:
        if is_of_workers(name):
            raise UsageError(
                f"--by {name!r} names people at work, and mmser neither ranks nor compares them by the "
                "emotions of those they serve (EU AI Act, Art. 5(1)(f)); choose a column of the calls, such "
                "as a queue, product or region"
            )
    allowed = (*columns, *OURS)
    for name in by:
        if name not in allowed:
            raise UsageError(_unknown("--by", name, allowed, columns))
    return tuple(dict.fromkeys(by))


def groupable(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the user's columns that may divide calls; a date hardly does."""
    return tuple(name for name in columns if not is_of_workers(name) and date_column((name,), None) is None)


def is_of_workers(name: str) -> bool:
    """Return whether a column's name is one of people at work: agent_id, handledBy, "Rep name"."""
    text = unicodedata.normalize("NFKC", name)
    text = re.sub(r"(?<=[a-zà-öø-ÿ0-9])(?=[A-ZÀ-ÖØ-Þ])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text)
    words = re.findall(r"[^\W\d_]+", text.casefold())
    glued = "".join(words)
    if any(word in _SHORT and not set(words) & set(_CUSTOMERS) for word in words):
        return True
    if any(word in (*_DOING, *_DOING_BY) for word in words) and (
        {"by", "to"} & set(words) or glued.endswith(("by", "to"))
    ):
        return True
    people = tuple(f"{one}s" for one in _PEOPLE) + _PEOPLE
    return glued in _GLUED or any(
        word in _GLUED or word.startswith(_PEOPLE) or word.endswith(people) for word in (*words, glued)
    )


def date_column(columns: Sequence[str], wanted: str | None) -> str | None:
    """Return the column of dates: the one that is wanted, else the first that has a known name.

    Raises:
        UsageError: if the one that is wanted is not there.
    """
    if wanted is not None:
        if wanted not in columns:
            raise UsageError(_unknown("--date", wanted, columns, columns))
        return wanted
    plain = {re.sub(r"[\s\-]+", "_", name.strip().casefold()): name for name in reversed(columns)}
    return next((plain[name] for name in DATES if name in plain), None)


def _unknown(option: str, name: str, allowed: Sequence[str], columns: Sequence[str]) -> str:
    near = difflib.get_close_matches(name.casefold(), [one.casefold() for one in allowed], n=3, cutoff=0.6)
    meant = [one for one in allowed if one.casefold() in near]
    if meant:
        return f"{option} {name!r} is not a column of the calls; did you mean {_either(meant)}?"
    if not columns:
        return (
            f"{option} {name!r} is not a column of the calls: the batch was given no columns beside its own; "
            "put it into the manifest of mmser batch"
        )
    shown = ", ".join(columns[:20]) + (", …" if len(columns) > 20 else "")
    return f"{option} {name!r} is not a column of the calls; there are {shown}"


def _either(names: Sequence[str]) -> str:
    return " or ".join(map(repr, names))
