"""A trained model onto the Hub: checked, in one commit, and seen to work there."""

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmser.errors import MmserError, OutputError, UsageError
from mmser.evaluation.division.known_speakers import UNKNOWN
from mmser.evaluation.division.training_data import TrainingData, read_training_data
from mmser.evaluation.page.markdown import render_markdown
from mmser.hub.committing import (
    Committed,
    Content,
    Target,
    check_target,
    commit_files,
    make_public,
    tag_commit,
)
from mmser.loading import describe_model, locate
from mmser.progress import ProgressCallback, ignore_progress
from mmser.publishing.about import ABOUT, About, read_about
from mmser.publishing.bundle import CARD, EVALUATION_PAGE, bundle, is_stale
from mmser.publishing.card import CardFacts, evaluation_names, render_model_card
from mmser.publishing.evidence import Evidence, EvidenceError, published, read_evidence
from mmser.publishing.licence_check import check_licence
from mmser.publishing.training_cost import training_cost
from mmser.publishing.verifying import Verified, clean_logits, compare, own_logits

DEFAULT = "default"
TOKEN = re.compile(rb"\bhf_[A-Za-z0-9]{20,}")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be published, and what its publisher says."""

    model: str  # a folder, or `DEFAULT`
    target: Target
    evaluations: tuple[Path, ...] = ()  # none = the model folder's own
    license: str | None = None  # of the weights; None = what the config states
    acknowledged: tuple[str, ...] = ()  # corpora without a licence
    about: Path | None = None
    force: bool = False
    verify: bool = True


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """All that would be published."""

    files: Mapping[str, Content]  # path → content, sorted
    left: tuple[str, ...]  # what stays in the folder
    faults: tuple[str, ...]  # that are forced
    licence: str
    weights_sha256: str

    @property
    def card(self) -> str:
        """README.md."""
        content = self.files[CARD]
        assert isinstance(content, bytes)
        return content.decode()


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """What was published, and how it was found to work."""

    committed: Committed
    verified: Verified | None  # None = it was not asked for
    public: bool


def prepare(wanted: Wanted) -> Prepared:
    """Return what would be published; nothing is asked of the Hub.

    Raises:
        ModelError: if the model is not whole.
        EvidenceError: if it has no evaluation, or a split leaks, and that is not forced.
        LicenceError: if the weights would be under terms that their data do not allow.
        UsageError: if an option does not fit.
    """
    check_target(wanted.target)
    name = None if wanted.model == DEFAULT else wanted.model
    if name is not None and not (name.strip() and Path(name).is_dir()):
        raise UsageError(
            f"there is no model folder {name!r:.200}; give one that mmser train or save_pretrained wrote, or "
            f"{DEFAULT}"
        )
    _, folder = locate(name)
    model = describe_model(name)
    seen = read_training_data(folder)
    if seen is not None and not any(sum(one.rows.values()) for one in seen.corpora.values()):
        seen = None  # it says nothing
    evidence = _with_unknown(
        read_evidence(wanted.evaluations, folder, model, force=wanted.force), seen, wanted
    )
    licence = check_licence(
        wanted.license or model.license or "",
        sorted(seen.corpora) if seen is not None else [],
        wanted.acknowledged,
        before=model.license or "",
    )
    about = _about(wanted.about, folder)
    taken = bundle(folder, licence.name)
    evidence = Evidence(
        evaluations=tuple(published(one, wanted.target.repository) for one in evidence.evaluations),
        faults=evidence.faults,
    )
    files = dict(taken.files)
    for file, evaluation in zip(evaluation_names(evidence.evaluations), evidence.evaluations, strict=True):
        files[file] = (json.dumps(evaluation.to_dict(), ensure_ascii=False, indent=1) + "\n").encode()
    if evidence.evaluations:
        files[EVALUATION_PAGE] = "\n".join(map(render_markdown, evidence.evaluations)).encode()
    facts = CardFacts(
        repository=wanted.target.repository,
        model=model,
        bundle=taken,
        size=(folder / "model.safetensors").stat().st_size,
        licence=licence,
        evidence=evidence,
        seen=seen,
        about=about,
        cost=training_cost(folder, about),
    )
    files[CARD] = render_model_card(facts).encode()
    _require_no_token(files)
    return Prepared(
        files=dict(sorted(files.items())),
        left=taken.left,
        faults=evidence.faults,
        licence=licence.name,
        weights_sha256=model.revision,
    )


def push(wanted: Wanted, prepared: Prepared, progress: ProgressCallback = ignore_progress) -> Pushed:
    """Publish what was prepared: it must load and answer without mmser here, and then from the Hub.

    Args:
        wanted: what was asked for.
        prepared: by `prepare`.
        progress: called with a stage, steps done, steps in all.

    Raises:
        ModelError: if it does not load without mmser, or answers otherwise; before the commit nothing is
            published, after it the repository stays as private as it was.
        MmserError: if the Hub refuses or cannot be reached; nothing is published then.
    """
    target = wanted.target
    with tempfile.TemporaryDirectory(prefix="mmser-push-") as name:
        work = Path(name)
        here = None
        if wanted.verify:
            progress("trying the model without mmser", 0, 0)
            folder = _laid_out(prepared.files, work / "model")
            here = own_logits(folder, work)
            compare(here, clean_logits(str(folder), None, work), "what would be published")
        progress("publishing", 0, 0)
        message = f"Weights {prepared.weights_sha256[:12]}, by mmser"
        committed = commit_files(prepared.files, target, message, stale=is_stale)
        verified = None
        if here is not None:
            progress(f"written as commit {committed.commit[:12]}, trying it from the Hub", 0, 0)
            verified = _verified(here, committed, work, prepared.files)
        tag_commit(target, committed.commit)
        if target.public and committed.private:
            make_public(target)
    return Pushed(committed=committed, verified=verified, public=target.public)


def _verified(
    here: Mapping[str, list[float]], committed: Committed, work: Path, files: Mapping[str, Content]
) -> Verified:
    try:
        there = clean_logits(committed.repository, committed.commit, work, files)
        return compare(here, there, committed.repository)
    except MmserError as error:
        raise OutputError(
            f"{committed.repository} was written (commit {committed.commit[:12]}) but does not work there: "
            f"{error}; if the network failed, run the same command again, which only verifies"
        ) from error


def _require_no_token(files: Mapping[str, Content]) -> None:
    """Refuse texts in which somebody has left a token: what is published cannot be taken back.

    Raises:
        UsageError: and names the file.
    """
    for name, content in files.items():
        if isinstance(content, bytes) and TOKEN.search(content):
            raise UsageError(
                f"{name} would hold a token of the Hub (hf_…), which everybody could use; take it out of the "
                "model's folder or about.yaml, and renew it if it was seen"
            )


def _laid_out(files: Mapping[str, Content], folder: Path) -> Path:
    """Put the files where they can be loaded; large ones are linked, not copied."""
    folder.mkdir()
    for name, content in files.items():
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            (folder / name).symlink_to(content.resolve())
    return folder


def _with_unknown(evidence: Evidence, seen: TrainingData | None, wanted: Wanted) -> Evidence:
    """Add that nobody knows what trained the model, where no evaluation says so already."""
    if seen is not None or UNKNOWN in evidence.faults:
        return evidence
    if not wanted.force:
        raise EvidenceError(
            f"{UNKNOWN}: its folder has no training_data.json, so neither licences nor leaks can be "
            "checked; train it again, or publish all the same with --force, which the card states"
        )
    return Evidence(evaluations=evidence.evaluations, faults=(*evidence.faults, UNKNOWN))


def _about(path: Path | None, folder: Path) -> About:
    if path is not None and not path.is_file():
        raise UsageError(f"--about {path} is no file; name a YAML file")
    if path is not None:
        return read_about(path)
    own = folder / ABOUT
    return read_about(own) if own.is_file() else About()


def sizes(files: Mapping[str, Content]) -> Sequence[tuple[str, int]]:
    """Return each file with its size in bytes."""
    return [(n, len(c) if isinstance(c, bytes) else c.stat().st_size) for n, c in files.items()]
