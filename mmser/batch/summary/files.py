"""A summary → the files of its folder."""

from collections.abc import Mapping
from json import dumps
from pathlib import Path
from typing import Final

from mmser.batch.summary.html import render_summary_html
from mmser.batch.summary.records import ArchiveSummary
from mmser.batch.summary.tables import TABLES, to_tables
from mmser.errors import UsageError
from mmser.report.writing import check_outputs, write_outputs

PAGE: Final = "summary.html"
DOCUMENT: Final = "summary.json"
_READ: Final = ("calls", "turns", "reports")  # folders of a batch into which no summary is put


def check_summary_files(archive: Path, output: Path, *, overwrite: bool) -> None:
    """Refuse a folder in which no summary can be written, before any work is done.

    Raises:
        UsageError: if it is one that the batch's own files lie in.
        OutputError: if it holds a summary already, or takes no file.
    """
    place = output.resolve()
    for name in _READ:
        read = (archive / name).resolve()
        if read in (place, *place.parents):
            raise UsageError(
                f"-o {output} lies among what mmser batch wrote ({archive / name}); choose another folder"
            )
    check_outputs([output / name for name in (PAGE, DOCUMENT, *TABLES)], overwrite=overwrite)


def summary_document(summary: ArchiveSummary) -> str:
    """Return the JSON document `mmser.summary/1`."""
    return dumps(summary.to_dict(), ensure_ascii=False, indent=1, allow_nan=False)


def write_summary(summary: ArchiveSummary, output: Path, *, overwrite: bool) -> Mapping[str, Path]:
    """Write the page, the document and the tables: all of them, or none.

    Returns:
        name → path of what was written.

    Raises:
        OutputError: if one cannot be written; nothing is left behind then.
    """
    files = {
        PAGE: render_summary_html(summary),
        DOCUMENT: summary_document(summary) + "\n",
        **to_tables(summary),
    }
    write_outputs({output / name: content for name, content in files.items()}, overwrite=overwrite)
    return {name: output / name for name in files}
