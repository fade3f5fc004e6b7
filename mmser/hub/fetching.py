"""A repository's files, fetched into the Hub's cache or found there, and each what the Hub says it is."""

import contextlib
import hashlib
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mmser.errors import HubError
from mmser.hub.explaining import Kind, error_chain, explained, first_line, is_busy, status_of

TRIES = 3  # where the Hub has trouble or the connection is cut
PAUSE = 1.0  # s before the second try; two before the third
TIMEOUT = 10.0  # s without an answer
SHA256, SHA1 = 64, 40  # digits of the names that the cache gives to large files and to small ones
_TOLD = logging.getLogger("mmser")


def fetch_snapshot(
    repository: str, *, revision: str | None = None, patterns: Sequence[str], kind: Kind = "model"
) -> Path:
    """Return the folder of a repository's files at a revision, fetching those that are not there.

    The cache is huggingface_hub's own, and so is the token. Where the Hub cannot be reached, a whole copy in
    the cache is taken, and that is told by a warning; with HF_HUB_OFFLINE it is taken silently. Small files
    are always compared with the checksum by which the cache names them, large ones when they come.

    Args:
        repository: "name/model".
        revision: a branch, tag or commit; None = main. A whole commit that is in the cache needs no network.
        patterns: of the files, such as "*.json"; files in subfolders are never fetched.
        kind: of the repository.

    Returns:
        The folder, whose name is the commit.

    Raises:
        HubError: if the Hub does not give it, or it is neither reachable nor in the cache as a whole.
        OutputError: if the cache cannot be written.
        UsageError: if the Hub's address is none.
    """
    before = _large_files(repository, kind)
    try:
        with library_quietly():
            folder = _reach(repository, revision, patterns, kind)
    except Exception as error:  # network, login, disk: each its own kind, and other kinds in other versions
        raise explained(error, repository, kind=kind, revision=revision) from error
    verify_files(folder, repository, known=before)
    return folder


def commit_of(folder: Path) -> str | None:
    """Return the commit that a folder of the Hub's cache holds; None of any other folder."""
    found = re.fullmatch(rf"[0-9a-f]{{{SHA1}}}", folder.name)
    return folder.name if found and folder.parent.name == "snapshots" else None


def listed_files(repository: str, commit: str, kind: Kind = "model") -> frozenset[str]:
    """Return the paths of all files of a commit that was fetched, those too that were not asked for."""
    from huggingface_hub import get_cached_repo_tree
    from huggingface_hub.errors import CachedRepoTreeNotFoundError

    try:
        tree = get_cached_repo_tree(repository, repo_type=kind, revision=commit)
    except CachedRepoTreeNotFoundError:
        return frozenset()
    return frozenset(file.path for file in tree)


def verify_files(
    folder: Path, repository: str, *, known: frozenset[str] = frozenset(), small: bool = True
) -> None:
    """Compare files with the checksums by which the cache names what its links lead to.

    huggingface_hub compares lengths alone.

    Args:
        folder: a snapshot in the cache.
        repository: of which the sentence speaks.
        known: names of large files that need no comparison.
        small: compare those too that did not go by LFS.

    Raises:
        HubError: if one differs; it is removed.
    """
    for path in sorted(folder.rglob("*")):
        content = path.resolve()
        name = content.name
        if content == path or not content.is_file() or not re.fullmatch(r"[0-9a-f]+", name):
            continue
        large = len(name) == SHA256 and name not in known
        if (large and _sha256(content) != name) or (
            small and len(name) == SHA1 and git_sha1(content.read_bytes()) != name
        ):
            content.unlink()
            path.unlink()
            raise HubError(
                f"what came as {path.name} of {repository} is not the file that the Hub names "
                f"({'sha256' if large else 'sha1'} {name[:12]}…) and was removed; run again, and if it "
                "comes so again, a proxy on the way changes it"
            )


def git_sha1(content: bytes) -> str:
    """Return the name by which git knows a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


@contextlib.contextmanager
def library_quietly() -> Iterator[None]:
    """Keep huggingface_hub from telling on stderr what is told here, or what goes well in the end."""
    from huggingface_hub import utils

    bars: Any = utils
    known: Any = utils.logging
    level = known.get_verbosity()
    known.set_verbosity_error()
    hidden = not sys.stderr.isatty() and not bars.are_progress_bars_disabled()  # a bar in a log is noise
    if hidden:
        bars.disable_progress_bars()
    try:
        yield
    finally:
        known.set_verbosity(level)
        if hidden:
            bars.enable_progress_bars()


def _reach(repository: str, revision: str | None, patterns: Sequence[str], kind: Kind) -> Path:
    """Return the snapshot's folder, from the Hub, or from the cache where the Hub is out of reach."""
    from huggingface_hub import HfApi, snapshot_download

    wanted: dict[str, Any] = {"repo_type": kind, "allow_patterns": list(patterns), "ignore_patterns": ["*/*"]}
    commit = revision if re.fullmatch(rf"[0-9a-f]{{{SHA1}}}", revision or "") else None
    try:
        if commit is None:
            api = HfApi()
            commit = _insisting(
                lambda: api.repo_info(repository, repo_type=kind, revision=revision, timeout=TIMEOUT).sha
            )
            _remember(repository, kind, revision or "main", str(commit))
        there = _whole_in_cache(repository, str(commit), wanted)
        return there or Path(_insisting(lambda: snapshot_download(repository, revision=commit, **wanted)))
    except Exception as error:
        offline = any(type(inner).__name__ == "OfflineModeIsEnabled" for inner in error_chain(error))
        if not offline and not is_busy(error):
            raise
        try:
            folder = Path(snapshot_download(repository, revision=revision, local_files_only=True, **wanted))
        except FileNotFoundError as lacking:  # why the Hub is not reached says more than that nothing is here
            raise lacking from error
        if not offline:
            status = status_of(error_chain(error))
            reason = f"it answered {status}" if status else first_line(error_chain(error)[-1])
            _TOLD.warning(
                "the Hub cannot be reached (%s); %s is taken from the cache, as it was at commit %s",
                reason,
                repository,
                folder.name[:12],
            )
        return folder


def _whole_in_cache(repository: str, commit: str, wanted: dict[str, Any]) -> Path | None:
    """Return the folder of a commit whose files are all in the cache, asking nobody and drawing no bar."""
    from huggingface_hub import get_cached_repo_tree, snapshot_download
    from huggingface_hub.errors import CachedRepoTreeNotFoundError

    try:
        # Without a list of the files, a snapshot that was broken off would pass for a whole one.
        get_cached_repo_tree(repository, repo_type=wanted["repo_type"], revision=commit)
        return Path(snapshot_download(repository, revision=commit, local_files_only=True, **wanted))
    except (CachedRepoTreeNotFoundError, FileNotFoundError):
        return None


def _insisting(work: Callable[[], Any]) -> Any:
    """Do something again where the Hub has trouble that may pass; it does not itself, in every place."""
    for tried in range(1, TRIES):
        try:
            return work()
        except Exception as error:
            # Where nothing listens, waiting helps nobody, and there may be a copy in the cache.
            if not is_busy(error) or any(
                type(inner).__name__ == "ConnectError" for inner in error_chain(error)
            ):
                raise
            time.sleep(PAUSE * tried)
    return work()


def _store(repository: str, kind: Kind) -> Path:
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE) / "--".join([f"{kind}s", *repository.split("/")])


def _remember(repository: str, kind: Kind, revision: str, commit: str) -> None:
    """Note which commit a name leads to, as huggingface_hub does, for when there is no network."""
    path = _store(repository, kind) / "refs" / revision
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text("utf-8") != commit:
        path.write_text(commit, "utf-8")


def _large_files(repository: str, kind: Kind) -> frozenset[str]:
    """Return the names of the large files of a repository that the cache already has."""
    try:
        found = [path.name for path in (_store(repository, kind) / "blobs").iterdir()]
    except (OSError, ValueError):
        return frozenset()
    return frozenset(name for name in found if len(name) == SHA256)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
