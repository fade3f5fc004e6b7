"""Options that several commands share, and from what was typed to values: roles, times, pairs."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mmser.errors import UsageError
from mmser.labels import ROLES, Role

MAX_SEED = 2**32 - 1  # of what all libraries take
Model = Annotated[
    str | None,
    typer.Option(
        help="A model folder or Hub id (name/model@revision pins it); the bundled model if left out."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the trace of an error.")]
Threads = Annotated[
    int,
    typer.Option(
        min=1,
        max=1024,
        help="Processor threads. One is the default: it does not suffer from other programs, and gives "
        "the same bytes on every run.",
    ),
]


def some_path(text: str) -> Path:
    """Return `text` as a path; an empty one, as of a variable that is not set, would be the folder at hand.

    Raises:
        BadParameter: if it is empty.
    """
    if not text.strip():
        raise typer.BadParameter("the path is empty; name a file or folder, or leave the option out")
    return Path(text)


def given_options(context: typer.Context) -> frozenset[str]:
    """Return the names of the parameters that the user gave, whatever their values."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return frozenset(
        name for name, source in sources.items() if source is not None and source.name != "DEFAULT"
    )


def parse_role(text: str, option: str) -> Role:
    """Return `text` as a role.

    Raises:
        UsageError: if it is none.
    """
    role = text.strip().lower()
    if role not in ROLES:
        raise UsageError(f"{option}: {text!r} is not a role; roles are {', '.join(ROLES)}")
    return role


def parse_roles(text: str | None) -> tuple[Role, ...] | None:
    """Return the roles of `agent,customer`, one for each channel."""
    return None if text is None else tuple(parse_role(part, "--roles") for part in text.split(","))


def parse_pairs(texts: Sequence[str], option: str, shape: str, *, first: bool = False) -> dict[str, str]:
    """Return `NAME=VALUE` texts as a mapping; the last `=` divides, or the `first`.

    Raises:
        UsageError: if one has no `=`, an empty side, or repeats a name with another value.
    """
    pairs: dict[str, str] = {}
    for text in texts:
        name, divider, value = text.partition("=") if first else text.rpartition("=")
        if not divider or not name.strip() or not value.strip():
            raise UsageError(f"{option} {text!r} is not understood; write {option} {shape}")
        name, value = name.strip(), value.strip()
        if pairs.get(name, value) != value:
            raise UsageError(f"{option} names {name!r} twice, as {pairs[name]!r} and as {value!r}; keep one")
        pairs[name] = value
    return pairs


def parse_language(text: str | None) -> str | None:
    """Return "en" for `en`, `en-US` or `English`; None stays None.

    Raises:
        UsageError: if it is no language.
    """
    if text is None:
        return None
    from mmser.calls import stated_language

    try:
        return stated_language(text)
    except UsageError as error:
        raise UsageError(f"--language: {error}") from error


def parse_seconds(text: str | None, option: str) -> float | None:
    """Return `90`, `90.5`, `1:30` or `1:02:03.5` in seconds.

    Raises:
        UsageError: if it is no time.
    """
    if text is None:
        return None
    try:
        parts = [float(part) for part in text.split(":")]
    except ValueError:
        parts = []
    if not 1 <= len(parts) <= 3 or not all(math.isfinite(part) and part >= 0 for part in parts):
        raise UsageError(f"{option} {text!r} is not a time; write seconds (90.5) or minutes (1:30, 1:02:03)")
    seconds = 0.0
    for part in parts:
        seconds = seconds * 60 + part
    return seconds
