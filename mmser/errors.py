"""Errors a user can act on.

Each message is one sentence: what was wrong, the value received, what is allowed, what to do.
The command line prints it on stderr and exits with `exit_code`.
"""

import errno
import os


class MmserError(Exception):
    """A mistake or a limit that the user can act on; everything else is a bug."""

    exit_code = 1


class UsageError(MmserError):
    """The call itself is wrong: options that contradict each other, roles that do not fit."""

    exit_code = 2


class AudioError(MmserError):
    """A recording cannot be read or holds nothing that can be analysed."""


class TranscriptError(MmserError):
    """A transcript cannot be read, is broken, or does not belong to the recording."""


class ModelError(MmserError):
    """A model directory is missing files, is damaged, or is from a newer version."""


class HubError(MmserError):
    """The Hugging Face Hub does not give or take something, or cannot be reached."""


class DataError(MmserError):
    """A corpus, a manifest or a labels file is missing, half there, or holds what cannot be used."""


class OutputError(MmserError):
    """A result cannot be written; nothing half-written was left behind."""


class RuleError(MmserError):
    """A rules file is not valid."""

    exit_code = 2


class LeakingSplitError(MmserError):
    """A split lets what is tested on be trained on, or cannot show that it does not."""


def no_temporary_room(error: OSError) -> OutputError | None:
    """Return what to say of a temporary file that found no room; None of any other error."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if not full and "No usable temporary directory" not in str(error):
        return None
    return OutputError(
        f"temporary files cannot be written in {os.environ.get('TMPDIR', 'their folder')}: "
        f"{error.strerror or error}; free space, or name another folder in TMPDIR"
    )


class MissingExtraError(MmserError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        """Name the missing `package`, what it is for, and the `extra` that brings it."""
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed; "
            f"install it with: pip install 'mmser[{extra}]'"
        )
