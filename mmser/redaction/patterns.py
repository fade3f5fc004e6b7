"""The user's own patterns, run on the same text as everything else."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import regex

from mmser.errors import UsageError
from mmser.redaction.findings import Finding
from mmser.redaction.running_text import BARRIER, RunningText

KINDS: Final = ("card", "iban", "phone", "email", "birth_date")
MAX_LENGTH: Final = 1000  # characters of a pattern
MAX_EXPANDED: Final = 20_000  # the same with its counted repetitions written out, as they take memory
REGEX_SECONDS: Final = 2.0  # per running text; a pattern that backtracks longer is an error, not a hang

# An escape, a class of characters, a count, or any other character.
_PARTS: Final = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\{\d*,?\d*\}|.", re.DOTALL)
_NAME: Final = regex.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """What else to take out, and the name that stands in its place."""

    name: str
    regex: Any  # a compiled pattern of the package `regex`


def parse_patterns(texts: Sequence[str]) -> tuple[Pattern, ...]:
    r"""Return the patterns of lines such as `order=\bA-?\d{6}\b`.

    Args:
        texts: each a name of letters, digits, "_" and "-", an equals sign, and a regular expression, which
            is matched in any case.

    Raises:
        UsageError: if one has no such name, a name that is taken, or an expression that is not valid or
            matches where there is nothing.
    """
    patterns: list[Pattern] = []
    taken = {kind.casefold(): "is what mmser itself takes out" for kind in KINDS}
    for text in texts:
        name, equals, expression = text.partition("=")
        name = name.strip()
        if not equals:
            raise UsageError(f"the pattern {text!r} has no name; write it as NAME=REGEX")
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} cannot name a pattern (in {text!r}); a name begins with a letter and has up to 40 "
                f"letters, digits, '_' and '-'"
            )
        if name.casefold() in taken:
            raise UsageError(f"the pattern name {name!r} {taken[name.casefold()]}; choose another name")
        taken[name.casefold()] = "is given twice"
        patterns.append(Pattern(name=name, regex=_compile(name, expression)))
    return tuple(patterns)


def _compile(name: str, expression: str) -> Any:
    if not expression.strip():
        raise UsageError(f"the pattern {name!r} is empty; write it as NAME=REGEX")
    if len(expression) > MAX_LENGTH or _expanded(expression) > MAX_EXPANDED:
        raise UsageError(
            f"pattern {name!r} is too large; it may have {MAX_LENGTH} characters, and {MAX_EXPANDED:,} with "
            "its repetitions written out"
        )
    try:
        compiled = regex.compile(expression, regex.IGNORECASE)
        empty = compiled.search("", timeout=REGEX_SECONDS) is not None
    except (regex.error, MemoryError, RecursionError, TimeoutError) as error:
        # On no text at all only endless recursion takes memory or time; which ends first is chance.
        reason = error if isinstance(error, regex.error) else "it goes on within itself for ever"
        raise UsageError(
            f"pattern {name!r}: {expression!r} is not a regular expression: {reason}; mend it"
        ) from error
    if empty:
        raise UsageError(
            f"pattern {name!r}: {expression!r} matches the empty string, and so everywhere; "
            f"let it ask for at least one character"
        )
    return compiled


def _expanded(expression: str) -> int:
    """Return about how long an expression is with its counted repetitions written out."""
    sizes, last = [0], 0  # of each open group; of what stood last
    for token in _PARTS.finditer(expression):
        text = token.group()
        if text == "(":
            sizes.append(0)
            last = 0
        elif text == ")" and len(sizes) > 1:
            last = sizes.pop()
            sizes[-1] += last
        elif text[0] == "{":
            most = max(map(int, re.findall(r"\d+", text)), default=1)
            sizes[-1] += last * (max(most, 1) - 1)
            last *= max(most, 1)
        else:
            last = 1
            sizes[-1] += 1
    return sum(sizes)


def find_patterns(text: RunningText, patterns: Sequence[Pattern]) -> list[Finding]:
    """Return where the user's patterns match; what was redacted before is no part of a match.

    Raises:
        UsageError: if a pattern takes too long.
    """
    found: list[Finding] = []
    for pattern in patterns:
        try:
            for match in pattern.regex.finditer(text.letters, timeout=REGEX_SECONDS):
                found += [
                    Finding(pattern.name, (part,)) for part in _outside_marks(text.letters, *match.span())
                ]
        except TimeoutError as error:
            raise UsageError(_too_slow(pattern.name, pattern.regex.pattern)) from error
    return found


def _outside_marks(letters: str, start: int, end: int) -> list[tuple[int, int]]:
    """Return the parts of a match between earlier marks that hold more than spaces."""
    parts, place = [], start
    for piece in letters[start:end].split(BARRIER):
        if piece.strip():
            parts.append((place, place + len(piece)))
        place += len(piece) + 1
    return parts


def _too_slow(name: str, expression: str) -> str:
    return (
        f"pattern {name!r}: {expression!r} takes more than {REGEX_SECONDS:g} s on one speaker's words; "
        f"make it simpler, without a repetition inside a repetition"
    )
