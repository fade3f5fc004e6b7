"""What the Hub's client raises, in one sentence that says what to do."""

import errno
import re
import socket
from http import HTTPStatus
from typing import Literal

from mmser.errors import MmserError, ModelError, OutputError, UsageError

Doing = Literal["read", "write"]
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
MOST = 160  # characters of somebody else's words
NETWORK = ("httpx", "httpx2", "httpcore", "httpcore2")  # packages by which the client talks
_SECRET = re.compile(r"hf_[A-Za-z0-9_]{4,}|(?<=://)[^/@\s]+@|(?<=[?&]token=)[^&\s]+|(?i:bearer\s+)\S+")


def chain_of(error: BaseException | None) -> list[BaseException]:
    """Return an error and those that it comes from."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def first_line(error: BaseException) -> str:
    """Return the beginning of what an error says, without secrets."""
    lines = _SECRET.sub("…", str(error)).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")[:MOST]


def explained(error: Exception, repository: str, *, doing: Doing = "read") -> MmserError:
    """Return what to tell of an error.

    Args:
        error: that huggingface_hub, or what is under it, raised.
        repository: that was asked for, "NAME/REPOSITORY".
        doing: whether it was read or written.
    """
    chain = chain_of(error)
    status = _status(chain)
    for told in (_named(chain, repository), _of_disk(chain), _of_status(status, chain, repository, doing)):
        if told is not None:
            return told
    kind = OutputError if doing == "write" else ModelError
    if any(isinstance(one, ConnectionError | TimeoutError | socket.gaierror) for one in chain) or any(
        type(one).__module__.partition(".")[0] in NETWORK for one in chain
    ):
        left = "; nothing was published" if doing == "write" else ""
        why = re.sub(r"^\[Errno -?\d+\] ", "", first_line(chain[-1]))
        return kind(f"the Hub cannot be reached ({why}){left}; check the network and run again")
    what = "took nothing for" if doing == "write" else "gave nothing of"
    return kind(f"the Hub {what} {repository}: {first_line(error)}")


def _status(chain: list[BaseException]) -> int | None:
    for one in chain:
        response = getattr(one, "response", None)
        if response is not None and isinstance(getattr(response, "status_code", None), int):
            return int(response.status_code)
    return None


def _named(chain: list[BaseException], repository: str) -> MmserError | None:
    """Return what to tell of errors that have a name of their own."""
    from huggingface_hub import errors

    def is_one(kind: type[BaseException]) -> bool:
        return any(isinstance(one, kind) for one in chain)

    if is_one(errors.HFValidationError):
        return UsageError(
            f"{repository!r} is no repository's name; write NAME/REPOSITORY, such as me/my-model"
        )
    if is_one(errors.GatedRepoError):
        return ModelError(
            f"the Hub gives {repository} only to those who accepted its terms; do so at "
            f"https://huggingface.co/{repository} and log in with: hf auth login"
        )
    if is_one(errors.RevisionNotFoundError):
        return ModelError(
            f"{repository} has no revision of that name; give one of its branches, tags or commits"
        )
    if _is_offline() and (is_one(errors.OfflineModeIsEnabled) or is_one(errors.LocalEntryNotFoundError)):
        return ModelError(
            f"{repository} is not in the cache of this machine, and HF_HUB_OFFLINE forbids to fetch it; "
            "unset HF_HUB_OFFLINE once, or give a folder"
        )
    return None


def _is_offline() -> bool:
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def _of_disk(chain: list[BaseException]) -> MmserError | None:
    for one in chain:
        full = isinstance(one, OSError) and one.errno in FULL
        if full or "No space left" in str(one):
            return OutputError(f"there is no room for files of the Hub ({first_line(one)}); free space")
    first = chain[0]
    if isinstance(first, OSError) and first.filename is not None and _status(chain) is None:
        return OutputError(f"{first.filename} cannot be read or written: {first.strerror}")
    return None


def _of_status(
    status: int | None, chain: list[BaseException], repository: str, doing: Doing
) -> MmserError | None:
    kind = OutputError if doing == "write" else ModelError
    left = "; nothing was published" if doing == "write" else ""
    match status:
        case None:
            return None
        case HTTPStatus.UNAUTHORIZED if doing == "write":
            return UsageError(
                "the Hub does not know the token of this machine; log in anew with: hf auth login, or put a "
                "token that may write into HF_TOKEN"
            )
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.NOT_FOUND:
            return kind(
                f"there is no folder {repository}, and the Hub knows no repository of that name, or it is "
                "private; correct the name, or log in with: hf auth login"
            )
        case HTTPStatus.FORBIDDEN:
            may = "write to" if doing == "write" else "read"
            return kind(f"the token of this machine may not {may} {repository}; take one that may{left}")
        case HTTPStatus.CONFLICT | HTTPStatus.PRECONDITION_FAILED:
            return kind(f"somebody else wrote to {repository} meanwhile{left}; look at it, and run again")
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return kind(f"the Hub takes no file of that size for {repository}{left}")
        case HTTPStatus.TOO_MANY_REQUESTS:
            return kind(f"the Hub takes no more requests for now{left}; run again in some minutes")
        case _ if status >= 500:
            return kind(f"the Hub has trouble of its own (it answered {status}){left}; run again later")
        case _:
            return kind(f"the Hub refused {repository} ({status}): {first_line(chain[0])}{left}")
