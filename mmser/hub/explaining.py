"""What the Hub's client raises, said in one sentence with a remedy and without a token."""

import errno
import os
import re
import socket
from typing import Literal

from mmser.errors import HubError, MmserError, OutputError, UsageError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
BUSY = (408, 429, 500, 502, 503, 504)  # answers of a server that may have another a moment later
LONGEST = 200  # characters of what others say
_PLACES = {"model": "", "dataset": "datasets/", "space": "spaces/"}
_LOG_IN = "log in with: hf auth login, or set HF_TOKEN"

Kind = Literal["model", "dataset", "space"]


def explained(
    error: Exception,
    repository: str,
    *,
    doing: Literal["read", "write"] = "read",
    kind: Kind = "model",
    revision: str | None = None,
) -> MmserError:
    """Return what to say of an error of huggingface_hub, or of the HTTP client below it.

    Args:
        error: what was raised; those that it comes from are looked at too.
        repository: "name/model", as the user wrote it.
        doing: what was tried with it.
        kind: of the repository.
        revision: that was asked for; None = the default branch.
    """
    if isinstance(error, MmserError):
        return error
    about = without_secrets(repository)[:LONGEST]
    chain = error_chain(error)
    return (
        _misnamed(chain, about)
        or _of_this_machine(chain, about)
        or _refused(chain, about, kind, revision)
        or _answered(chain, about, doing, kind)
        or _unreached(chain, about)
    )


def error_chain(error: BaseException | None) -> list[BaseException]:
    """Return an error and those that it comes from."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def first_line(error: BaseException, longest: int = LONGEST) -> str:
    """Return the first line of what an error says, without secrets and a full stop."""
    lines = without_secrets(str(error)).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")[:longest]


def without_secrets(text: str) -> str:
    """Return a text without tokens, and without the names and passwords of addresses."""
    from huggingface_hub import constants

    known = [os.environ.get(name, "") for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")]
    try:
        with open(constants.HF_TOKEN_PATH, encoding="utf-8") as file:  # noqa: PTH123
            known.append(file.read(1000))
    except (OSError, ValueError):
        pass  # nobody is logged in
    for token in known:
        if token.strip():
            text = text.replace(token.strip(), "(token)")
    text = re.sub(r"hf_\w{8,}|(?<=Bearer )[^\s'\"]+", "(token)", text)
    text = re.sub(r"://[^/\s@]+@", "://", text)
    return re.sub(r"(https?://[^\s?'\"]*)\?[^\s'\"]*", r"\1", text)


def is_busy(error: BaseException) -> bool:
    """Tell whether the same request may go well a moment later."""
    status = status_of(error_chain(error))
    return status in BUSY if status is not None else any(_is_cut(inner) for inner in error_chain(error))


def status_of(chain: list[BaseException]) -> int | None:
    """Return the HTTP status that the Hub answered with; None where there was no answer."""
    for inner in chain:
        answer = getattr(inner, "response", None)
        if answer is not None and isinstance(getattr(answer, "status_code", None), int):
            return int(answer.status_code)
    return None


def _is_a(error: BaseException, *names: str) -> bool:
    """Tell an error by its class's name: which HTTP client is below depends on huggingface_hub's version."""
    return any(kind.__name__ in names for kind in type(error).__mro__)


def _is_cut(error: BaseException) -> bool:
    cut = isinstance(error, ConnectionError | TimeoutError | socket.gaierror)
    return cut or _is_a(error, "TimeoutException", "NetworkError", "RemoteProtocolError")


def _misnamed(chain: list[BaseException], repository: str) -> MmserError | None:
    for inner in chain:
        if _is_a(inner, "HFValidationError"):
            return HubError(
                f"{repository!r} is not a name that the Hub knows: names are NAME/REPOSITORY of letters, "
                "digits, '-', '_' and '.', at most 96 characters; correct it"
            )
        if _is_a(inner, "InvalidURL", "UnsupportedProtocol", "LocalProtocolError"):
            endpoint = without_secrets(os.environ.get("HF_ENDPOINT", ""))[:LONGEST]
            return UsageError(
                f"the Hub's address {endpoint!r} cannot be used ({first_line(inner)}); correct HF_ENDPOINT "
                "(or HF_TOKEN, which may hold plain letters and digits alone), or unset it"
            )
    return None


def _of_this_machine(chain: list[BaseException], repository: str) -> MmserError | None:
    """Explain a disk that is full, or a folder that cannot be written."""
    for inner in chain:
        if not isinstance(inner, OSError) or _is_a(
            inner, "LocalEntryNotFoundError", "HTTPError", "HfHubHTTPError"
        ):
            continue
        if inner.errno in FULL or "No space left" in str(inner):
            return OutputError(
                f"there is no room for the files of {repository} ({first_line(inner)}); free space, or name "
                "another folder for the Hub's cache in HF_HOME"
            )
        if inner.filename is not None and not _is_cut(inner):
            return OutputError(
                f"{inner.filename} cannot be written: {inner.strerror}; make it writable, or name another "
                "folder for the Hub's cache in HF_HOME"
            )
    return None


def _refused(
    chain: list[BaseException], repository: str, kind: Kind, revision: str | None
) -> MmserError | None:
    """Explain what the Hub does not give: it is not there, or not for everybody."""
    for inner in chain:
        if _is_a(inner, "GatedRepoError"):
            return HubError(
                f"the Hub gives {repository} only to those who accepted its terms; do so at "
                f"https://huggingface.co/{_PLACES[kind]}{repository} and {_LOG_IN}"
            )
        if _is_a(inner, "DisabledRepoError"):
            return HubError(f"the Hub has disabled {repository}; ask its author, or name another {kind}")
        if _is_a(inner, "RevisionNotFoundError"):
            wanted = without_secrets(revision)[:LONGEST] if revision else "main"
            return HubError(
                f"the Hub's {repository} has no revision {wanted!r}; name a branch, a tag or a commit of it, "
                f"which are listed at https://huggingface.co/{_PLACES[kind]}{repository}/tree/main"
            )
        if _is_a(inner, "RepositoryNotFoundError"):
            who = "the token in use may not see it" if _has_token() else "nobody is logged in"
            return HubError(
                f"the Hub knows no {kind} {repository}, or it is private and {who}; correct the "
                f"name, or {_LOG_IN}"
            )
        if _is_a(inner, "RemoteEntryNotFoundError"):
            return HubError(
                f"the Hub's {repository} lacks a file that was asked for; name another {kind} or revision"
            )
        if _is_a(inner, "LocalTokenNotFoundError"):
            return HubError(f"there is no token for the Hub's {repository}; {_LOG_IN}")
    return None


def _answered(
    chain: list[BaseException], repository: str, doing: Literal["read", "write"], kind: Kind
) -> MmserError | None:
    status = status_of(chain)
    if status is None:
        return None
    answer = next(inner for inner in chain if getattr(inner, "response", None) is not None)
    detail = without_secrets(" ".join(str(getattr(answer, "server_message", "") or "").split()))[:LONGEST]
    said = f" ({detail.rstrip('.')})" if detail else ""
    namespace = repository.split("/")[0]
    if status == 401:
        state = "does not accept the token in use" if _has_token() else "asks for a token"
        return HubError(f"the Hub {state} for {repository}; {_LOG_IN}, with a token that is valid")
    if status == 403 and doing == "write":
        return HubError(
            f"the token in use may not write {repository}; take one of {namespace}'s that may write, from "
            f"https://huggingface.co/settings/tokens, and {_LOG_IN}"
        )
    sentences = {
        403: f"the Hub does not let the token in use read {repository}; {_LOG_IN}, with a token that may",
        409: f"the Hub says that this is already there, or changed meanwhile, in {repository}{said}; name "
        "another, or run again",
        412: f"somebody else committed to {repository} meanwhile; look at what changed and run again",
        413: f"what was sent to {repository} is more than the Hub takes at once{said}; send smaller files",
        429: "the Hub was asked too often from here; wait some minutes and run again",
    }
    if status in sentences:
        return HubError(sentences[status])
    if status >= 500:
        return HubError(f"the Hub has trouble of its own (it answered {status}); try again later")
    return HubError(
        f"the Hub refused this of the {kind} {repository} (it answered {status}){said}; correct that"
    )


def _unreached(chain: list[BaseException], repository: str) -> MmserError:
    """Explain that no answer came, or none that could be used."""
    partly = any(_is_a(inner, "IncompleteSnapshotError") for inner in chain)
    lacking = (
        f"only a part of {repository} is in the cache" if partly else f"{repository} is not in the cache"
    )
    if any(_is_a(inner, "OfflineModeIsEnabled") for inner in chain):
        return HubError(f"HF_HUB_OFFLINE is set, and {lacking}; fetch it once with HF_HUB_OFFLINE unset")
    cut = next((inner for inner in reversed(chain) if _is_cut(inner)), None)
    local = any(_is_a(inner, "LocalEntryNotFoundError") for inner in chain)
    if cut is not None or local:
        reason = re.sub(r"^\[Errno -?\d+\] ", "", first_line(cut)) if cut is not None else "no answer"
        return HubError(
            f"there is no network, or the Hub cannot be reached ({reason}), and {lacking}; try again with a "
            "network"
        )
    if any("Consistency check failed" in str(inner) for inner in chain):
        return HubError(f"a file of {repository} came cut short; run again")
    return HubError(
        f"the Hub's {repository} could not be used: {first_line(chain[0])}; correct that and run again"
    )


def _has_token() -> bool:
    from huggingface_hub import get_token

    return bool(get_token())
