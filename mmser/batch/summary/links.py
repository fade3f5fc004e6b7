"""Where the report of a call lies in a batch's folder."""

import os
from pathlib import Path
from typing import Final
from urllib.parse import quote

from mmser.batch.store import report_folder

PAGE: Final = "report.html"


def report_link(archive: Path, output: Path, call_id: str) -> str | None:
    """Return the link from a page in `output` to the report of a call; None where there is no report."""
    page = archive / report_folder(call_id) / PAGE
    if not page.is_file():
        return None
    try:
        away = os.path.relpath(page.resolve(), output.resolve())
    except ValueError:  # another drive
        return page.resolve().as_uri()
    # "./" so that a name with a colon is not taken for a web address.
    return f"./{quote(Path(away).as_posix())}"
