"""Where the report of a call lies in a batch's folder."""

import os
from pathlib import Path
from typing import Final
from urllib.parse import quote

PAGE: Final = "report.html"


def report_folder(call_id: str) -> str | None:
    """Return the name of a call's folder in `reports`; None where no folder can have the call's id."""
    plain = call_id not in (".", "..") and not set(call_id) & {"/", "\\", "\0", ":"}
    return call_id if plain and 0 < len(call_id.encode("utf-8", "replace")) <= 200 else None


def report_link(archive: Path, output: Path, call_id: str) -> str | None:
    """Return the link from a page in `output` to the report of a call; None where there is no report."""
    name = report_folder(call_id)
    if name is None:
        return None
    page = archive / "reports" / name / PAGE
    if not page.is_file():
        return None
    try:
        away = os.path.relpath(page.resolve(), output.resolve())
    except ValueError:  # another drive
        return page.resolve().as_uri()
    # "./" so that a name with a colon is not taken for a web address.
    return f"./{quote(Path(away).as_posix())}"
