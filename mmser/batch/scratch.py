"""Where worker processes put temporary files: copies of recordings, which must not outlive the batch."""

import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from mmser.errors import OutputError, no_temporary_room

_NAME = "mmser-batch-"


@contextlib.contextmanager
def scratch_folder() -> Iterator[str]:
    """Give a folder for temporary files, gone afterwards whatever became of the processes that used it.

    What batches left here that were killed whole is taken away first.

    Raises:
        OutputError: if there is no room for it.
    """
    try:
        place = Path(tempfile.gettempdir())
        _sweep(place)
        with tempfile.TemporaryDirectory(
            prefix=f"{_NAME}{psutil.Process().pid}-", ignore_cleanup_errors=True
        ) as folder:
            yield folder
    except OSError as error:
        told: OutputError | None = no_temporary_room(error)
        if told is None:
            raise
        raise told from error


def _sweep(place: Path) -> None:
    for folder in place.glob(f"{_NAME}*"):
        begun = re.fullmatch(rf"{_NAME}(\d+)-.*", folder.name)
        if begun is not None and not psutil.pid_exists(int(begun[1])):
            shutil.rmtree(folder, ignore_errors=True)
