"""A corpus as a dataset of the Hub: gated by its licence, written as Parquet, committed with its card."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from mmser.data import CorpusEntry
from mmser.errors import no_temporary_room
from mmser.hub.committing import Target, check_target, commit_files, make_public, tag_commit
from mmser.publishing.dataset_card import render_dataset_card
from mmser.publishing.dataset_files import SHARD_BYTES, write_files
from mmser.publishing.dataset_rows import chosen_entries, prepare_rows
from mmser.record import Record

SCHEMA: Final = "mmser.pushed_dataset/1"
CARD: Final = "README.md"
Tell = Callable[[str, float, float], None]


@dataclass(frozen=True, kw_only=True)
class DatasetPlan:
    """What is published where."""

    entries: Sequence[CorpusEntry]
    folder: Path  # that their paths are under
    repository: str  # "NAME/REPOSITORY"
    corpus: str | None = None  # which of several entries
    license: str | None = None
    license_name: str | None = None
    branch: str = "main"
    tags: tuple[str, ...] = ()
    public: bool = False
    allow_overlap: bool = False
    skip_bad: bool = False
    shard_bytes: int = SHARD_BYTES


@dataclass(frozen=True, kw_only=True)
class PushedDataset(Record):
    """The document `mmser.pushed_dataset/1`."""

    schema: str = SCHEMA
    repository: str
    branch: str
    public: bool
    corpus: str
    license: str
    rows: dict[str, int]  # by split; "none" = without one
    clips: int
    seconds: float  # of sound
    withheld: int  # turns of agents that are context alone
    left_out: tuple[str, ...]  # ids of rows whose clip cannot be used
    mark: str | None
    files: dict[str, int]  # path → bytes
    card: str
    dry_run: bool
    commit: str | None = None
    url: str | None = None
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def write_dataset(plan: DatasetPlan, folder: Path, progress: Tell) -> PushedDataset:
    """Write a dataset's files, Parquet and card, into a folder, and say what they are; nothing is sent.

    Raises:
        UsageError: if the licence does not allow it, or there are several corpora.
        LeakingSplitError: if speakers or dialogues are in several splits.
        MmserError: if something cannot be read or written.
    """
    rows = prepare_rows(
        chosen_entries(plan.entries, plan.corpus),
        plan.folder,
        license=plan.license,
        license_name=plan.license_name,
        allow_overlap=plan.allow_overlap,
        skip_bad=plan.skip_bad,
        progress=progress,
    )
    written = write_files(rows, folder, shard_bytes=plan.shard_bytes, progress=progress)
    card = render_dataset_card(rows, written, plan.repository)
    (folder / CARD).write_text(card, "utf-8")
    counts: dict[str, int] = {}
    for split in rows.dataset["split"]:
        counts[split or "none"] = counts.get(split or "none", 0) + 1
    paths = {CARD: folder / CARD, **written.files}
    return PushedDataset(
        repository=plan.repository,
        branch=plan.branch,
        public=plan.public,
        corpus=rows.corpus,
        license=rows.terms.name,
        rows=counts,
        clips=written.clips,
        seconds=round(written.seconds, 3),
        withheld=rows.withheld,
        left_out=tuple(name for name, _ in rows.left_out),
        mark=rows.mark,
        files={name: path.stat().st_size for name, path in paths.items()},
        card=card,
        dry_run=True,
    )


def push_dataset(plan: DatasetPlan, progress: Tell, *, dry_run: bool = False) -> PushedDataset:
    """Publish a dataset: its files are written in a temporary folder and committed at once.

    Raises:
        MmserError: as `write_dataset`, and if the Hub refuses.
    """
    check_target(_target(plan))
    try:
        with tempfile.TemporaryDirectory(prefix="mmser-dataset-") as name:
            folder = Path(name)
            made = write_dataset(plan, folder, progress)
            return made if dry_run else _commit(plan, made, folder)
    except OSError as error:
        told = no_temporary_room(error)
        if told is None:
            raise
        raise told from error


def _commit(plan: DatasetPlan, made: PushedDataset, folder: Path) -> PushedDataset:
    """Commit the files, and what no longer belongs to the dataset away, then open it if that is wanted."""
    target = _target(plan)
    done = commit_files(
        {name: folder / name for name in made.files},
        target,
        f"{made.corpus}: {sum(made.rows.values())} rows, {made.license}",
        stale=lambda name: name.startswith("data/") and name.endswith(".parquet"),
    )
    tag_commit(target, done.commit)
    if plan.public and done.private:
        make_public(target)
    return replace(
        made,
        dry_run=False,
        commit=done.commit,
        url=done.url,
        changed=done.changed,
        removed=done.removed,
    )


def _target(plan: DatasetPlan) -> Target:
    return Target(
        repository=plan.repository, kind="dataset", branch=plan.branch, tags=plan.tags, public=plan.public
    )
