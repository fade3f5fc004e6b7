"""Text that is safe in the cell of a spreadsheet."""

from typing import Final

# What a spreadsheet would run when a cell begins with it, in the full-width forms too.
_RUNS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def inert(text: str) -> str:
    """Return `text` so that no spreadsheet takes it for a formula."""
    text = text.replace("\0", "")
    # Some programs strip leading blanks before they look for a formula.
    return f"'{text}" if text.lstrip(" \u00a0\ufeff").startswith(_RUNS) else text
