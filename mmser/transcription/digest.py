"""What weights are known by."""

import hashlib
from pathlib import Path

DIGITS = 12


def file_digest(path: Path, digits: int = DIGITS) -> str:
    """Return the first digits of a file's sha256, at most 64."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:digits]
