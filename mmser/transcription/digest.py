"""What weights are known by."""

import hashlib
from pathlib import Path

DIGITS = 12


def file_digest(path: Path) -> str:
    """Return the first 12 digits of a file's sha256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:DIGITS]
