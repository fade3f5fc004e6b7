"""Files into a repository of the Hub: in one commit or not at all, and none where nothing has changed."""

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmser.errors import MmserError, OutputError, UsageError
from mmser.hub.explaining import Kind, explained

if TYPE_CHECKING:
    from huggingface_hub import HfApi

Content = bytes | Path
MAIN = "main"
NAME = re.compile(
    r"(?!.*(?:--|\.\.))(?!-|\.)[\w.-]{1,96}(?<!-)(?<!\.)(?<!\.git)", re.ASCII
)  # of an owner, and of a repository
REFERENCE = re.compile(r"[\w][\w./-]{0,199}", re.ASCII)  # a branch or tag, as git and addresses take it
BLOCK = 1 << 20  # bytes


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where files go."""

    repository: str  # "NAME/REPOSITORY"
    kind: Kind = "model"
    branch: str = MAIN  # made from main where it is not there
    tags: tuple[str, ...] = ()  # that the commit gets
    public: bool = False  # whether the repository may be, or become, open to everybody


@dataclass(frozen=True, kw_only=True)
class Committed:
    """What a repository holds now."""

    repository: str
    commit: str  # its 40 hexadecimal digits
    url: str
    changed: tuple[str, ...]  # files that the commit wrote; none where all was there already
    removed: tuple[str, ...]
    created: bool  # whether the repository is new
    private: bool


@dataclass(frozen=True, kw_only=True)
class _Standing:
    """How a repository stands before a commit."""

    head: str  # commit of the branch, or of main where there is no such branch yet
    has_branch: bool
    tags: Mapping[str, str]  # name → commit
    digests: Mapping[str, str]  # path → sha256 of a large file, git's sha1 of a small one
    created: bool
    private: bool


def commit_files(
    files: Mapping[str, Content],
    target: Target,
    message: str,
    *,
    stale: Callable[[str], bool] = lambda name: False,
) -> Committed:
    """Write files into a repository, which is made, for its owner alone, where it is not there.

    Its tags come by `tag_commit`, and it is opened by `make_public`, once what is in it was seen to work.

    Args:
        files: path in the repository → content.
        target: where they go.
        message: of the commit.
        stale: says of a file there, which is not among `files`, whether it goes.

    Raises:
        UsageError: if the repository is open to everybody and must not be, or a tag stands at other files.
        MmserError: if there is no token, or the Hub refuses or cannot be reached; the branch then stands as
            before.
    """
    check_target(target)
    with _talking(target, "nothing was published") as api:
        _require_login(api)
        standing = _stand(api, target)
        there = standing.digests
        changed = tuple(sorted(n for n, content in files.items() if differs(content, there.get(n))))
        removed = tuple(sorted(n for n in standing.digests if n not in files and stale(n)))
        _require_free_tags(standing, target, bool(changed or removed))
        commit = standing.head
        if not standing.has_branch:
            api.create_branch(
                target.repository, repo_type=target.kind, branch=target.branch, revision=standing.head
            )
        if changed or removed:
            try:
                commit = _commit(api, target, message, standing.head, {n: files[n] for n in changed}, removed)
            except BaseException:
                if not standing.has_branch:  # it would look like a revision of its own
                    _take_branch_back(api, target)
                raise
    return Committed(
        repository=target.repository,
        commit=commit,
        url=f"{_page(api, target)}/tree/{target.branch}",
        changed=changed,
        removed=removed,
        created=standing.created,
        private=standing.private,
    )


def tag_commit(target: Target, commit: str) -> None:
    """Give a commit the tags of its target; those that stand there already stay.

    Raises:
        UsageError: if one stands at another commit by now.
        MmserError: if the Hub refuses or cannot be reached.
    """
    if not target.tags:
        return
    with _talking(target, f"the files are published as {commit[:12]}, without all their tags") as api:
        refs = api.list_repo_refs(target.repository, repo_type=target.kind)
        there = {tag.name: tag.target_commit for tag in refs.tags}
        for tag in target.tags:
            if there.get(tag, commit) != commit:
                raise UsageError(f"the tag {tag!r} stands at {there[tag][:12]} by now; give another --tag")
            if tag not in there:
                api.create_tag(target.repository, repo_type=target.kind, tag=tag, revision=commit)


def _take_branch_back(api: "HfApi", target: Target) -> None:
    """Delete a branch that was made for a commit that failed; if that fails too, the first error is told."""
    from huggingface_hub import errors

    library: Any = errors
    with contextlib.suppress(library.HTTPError, library.HfHubHTTPError, OSError):
        api.delete_branch(target.repository, repo_type=target.kind, branch=target.branch)


def make_public(target: Target) -> None:
    """Open a repository to everybody; one that is open already stays so.

    Raises:
        MmserError: if the Hub refuses or cannot be reached.
    """
    with _talking(target, "it is published, and private as before") as api:
        api.update_repo_settings(target.repository, repo_type=target.kind, private=False)


def check_target(target: Target) -> None:
    """Refuse names that no repository, branch or tag can have.

    Raises:
        UsageError: and says which.
    """
    parts = target.repository.split("/")
    if len(parts) != 2 or not all(NAME.fullmatch(part) for part in parts):
        raise UsageError(
            f"{target.repository!r:.120} is no repository's name; write NAME/REPOSITORY, such as "
            "me/my-model, in letters, digits, '-', '_' and '.'"
        )
    for what, name in (("--revision", target.branch), *(("--tag", tag) for tag in target.tags)):
        odd = name in ("HEAD", *([target.branch, MAIN] if what == "--tag" else ())) or name.startswith(
            "refs/"
        )
        odd = odd or ".." in name or "//" in name or name.endswith(("/", ".", ".lock"))
        if odd or not REFERENCE.fullmatch(name) or re.fullmatch(r"[0-9a-f]{40}", name):
            raise UsageError(
                f"{what} {name!r:.80} cannot be; write letters, digits, '-', '_', '.', as in v1.0"
            )


@contextlib.contextmanager
def _talking(target: Target, state: str) -> Iterator["HfApi"]:
    """Give a client that draws nothing, and turn what it raises into one sentence with the state after it."""
    from huggingface_hub import HfApi, utils

    bars: Any = utils
    logging: Any = utils.logging
    shown, level = not bars.are_progress_bars_disabled(), logging.get_verbosity()
    bars.disable_progress_bars()
    logging.set_verbosity_error()  # it tells of each retry, and of commits that would be empty
    try:
        yield HfApi()
    except MmserError:
        raise
    except Exception as error:  # network, login, refusals, files that are gone: each its own kind
        told = explained(error, target.repository, doing="write", kind=target.kind)
        raise type(told)(f"{told}; {state}") from error
    finally:
        logging.set_verbosity(level)
        if shown:
            bars.enable_progress_bars()


def _require_login(api: "HfApi") -> None:
    from huggingface_hub import get_token

    if get_token() is None:
        raise UsageError(
            "nobody is logged in to the Hub; log in with: hf auth login, or put a token that may write into "
            "HF_TOKEN"
        )
    api.whoami()


def _stand(api: "HfApi", target: Target) -> _Standing:
    """Return how the repository stands, making it where it is not there."""
    from huggingface_hub.errors import RepositoryNotFoundError

    created, info = False, None
    with contextlib.suppress(RepositoryNotFoundError):
        info = api.repo_info(target.repository, repo_type=target.kind)
    if info is None:
        sdk = "gradio" if target.kind == "space" else None
        api.create_repo(target.repository, repo_type=target.kind, private=True, space_sdk=sdk)
        created = True
        info = api.repo_info(target.repository, repo_type=target.kind)
    if not info.private and not target.public:
        raise UsageError(
            f"{target.repository} is open to everybody; give --public if that is meant, or another --repo"
        )
    refs = api.list_repo_refs(target.repository, repo_type=target.kind)
    heads = {branch.name: branch.target_commit for branch in refs.branches}
    head = heads.get(target.branch) or heads.get(MAIN) or str(info.sha)
    return _Standing(
        head=head,
        has_branch=target.branch in heads,
        tags={tag.name: tag.target_commit for tag in refs.tags},
        digests=_digests(api, target, head),
        created=created,
        private=bool(info.private),
    )


def _digests(api: "HfApi", target: Target, revision: str) -> dict[str, str]:
    from huggingface_hub import RepoFile

    tree = api.list_repo_tree(target.repository, repo_type=target.kind, revision=revision, recursive=True)
    return {
        file.path: file.lfs.sha256 if file.lfs is not None else file.blob_id
        for file in tree
        if isinstance(file, RepoFile)
    }


def differs(content: Content, digest: str | None) -> bool:
    """Tell whether a file is another than the one that the Hub names.

    Args:
        content: its bytes, or its path.
        digest: sha256 where the Hub stores it as a large file, else git's sha1 of it; None = it is not there.
    """
    if digest is None:
        return True
    if len(digest) == 64:
        return sha256_of(content) != digest
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    return _hashed(content, hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)) != digest


def sha256_of(content: Content) -> str:
    """Return the sha256 of a file, in hexadecimal digits."""
    return _hashed(content, hashlib.sha256())


def _hashed(content: Content, digest: Any) -> str:
    if isinstance(content, bytes):
        digest.update(content)
    else:
        with content.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    return str(digest.hexdigest())


def _require_free_tags(standing: _Standing, target: Target, changes: bool) -> None:
    for tag in target.tags:
        there = standing.tags.get(tag)
        if there is not None and (changes or there != standing.head):
            raise UsageError(
                f"{target.repository} has a tag {tag!r} already, which stands at other files "
                f"({there[:7]}); give another --tag, or delete that one on the Hub"
            )


def _commit(
    api: "HfApi",
    target: Target,
    message: str,
    parent: str,
    files: Mapping[str, Content],
    removed: Sequence[str],
) -> str:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        CommitOperationAdd(path_in_repo=name, path_or_fileobj=content) for name, content in files.items()
    ]
    operations += [CommitOperationDelete(path_in_repo=name) for name in removed]
    done = api.create_commit(
        target.repository,
        operations,
        commit_message=message,
        repo_type=target.kind,
        revision=target.branch,
        parent_commit=parent,  # what somebody else commits meanwhile is not written over
    )
    if done.oid is None:
        raise OutputError(f"the Hub did not say what it made of the commit to {target.repository}; run again")
    return str(done.oid)


def _page(api: "HfApi", target: Target) -> str:
    kind = "" if target.kind == "model" else f"{target.kind}s/"
    return f"{api.endpoint}/{kind}{target.repository}"
