"""What speaks for a model that is to be published: evaluations of these very weights, on unseen rows."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mmser.data.licences import licence_of
from mmser.errors import DataError, MmserError, UsageError
from mmser.evaluation.comparing.pairing import EVALUATION
from mmser.evaluation.division.known_speakers import UNKNOWN
from mmser.evaluation.division.training_data import hidden_name
from mmser.evaluation.documents import read_document
from mmser.evaluation.result import SCHEMA, Evaluation, Part
from mmser.types import ModelInfo

OVERLAP = "overlap allowed"  # begins the mark of a split that leaks
ENCODED = " (encoded anew)"  # what marks say in brackets, beside names of people and rows
WRITTEN = "(written comments)"
_CLAUSE = re.compile(r"(?:[^:;]{1,80}: )*(?:\d|speaker|it is not known|temperatures refitted)")
_PATH = re.compile(r"(?<![\w/:])(?:~|\.{1,2})?(?:/[^\s'\"(),;:]+)+|(?<!\w)[A-Za-z]:\\[^\s'\"(),;]+")
SETTINGS = (  # of a command, that name nothing of the user's
    *("protocol", "split", "folds", "seed", "draws", "baselines", "views", "robustness", "robustness_rows"),
    *("spliced_calls", "fairness", "allow_overlap"),
)
NOT_TOLD = "the row could not be used; of the publisher's own data no more is told"
REMEDY = "evaluate the model again with: mmser evaluate"


class EvidenceError(MmserError):
    """A model would be published without numbers, or with numbers that mean less than they seem to."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The evaluations of a model, and what is missing; all that is missing was forced."""

    evaluations: tuple[Evaluation, ...]
    faults: tuple[str, ...] = ()  # a clause each


def read_evidence(paths: Sequence[Path], folder: Path, model: ModelInfo, *, force: bool) -> Evidence:
    """Return the evaluations of a model.

    Args:
        paths: folders that `mmser evaluate` wrote, or their evaluation.json; none = the model folder's own.
        folder: of the model.
        model: whose weights must be those that were evaluated.
        force: whether faults are taken, to be stated by the card.

    Raises:
        DataError: if a file is missing or damaged, or is of other weights: no force makes them these.
        EvidenceError: if there is none, one is of rows that chose the model, or a split leaks.
    """
    named = [path / EVALUATION if path.is_dir() else path for path in paths]
    if not named and (folder / EVALUATION).is_file():
        named = [folder / EVALUATION]
    if len({path.resolve() for path in named}) < len(named):
        raise UsageError("one evaluation is given twice; give each once")
    found = tuple(_read(path, model) for path in named)
    faults = tuple(_faults(found, model))
    if faults and not force:
        raise EvidenceError(
            f"{faults[0]}; {_remedy(found, folder)}, or publish all the same with --force, which the card "
            "states"
        )
    return Evidence(evaluations=found, faults=faults)


def _read(path: Path, model: ModelInfo) -> Evaluation:
    if not path.is_file():
        raise DataError(f"there is no evaluation {path}; name a folder that mmser evaluate wrote")
    evaluation = read_document(path, Evaluation, SCHEMA, REMEDY)
    about = evaluation.model
    if about.kind != "model":
        raise DataError(
            f"{path} is of a {about.kind} ({about.id}), not of these weights; evaluate the model's folder"
        )
    if about.revision != model.revision:
        raise DataError(
            f"{path} is of other weights ({about.revision[:12]}) than these ({model.revision[:12]}); "
            "evaluate the model again"
        )
    if about.labels != model.labels:
        raise DataError(f"{path} is of other labels than the model's; evaluate the model again")
    return evaluation


def _faults(evaluations: Sequence[Evaluation], model: ModelInfo) -> list[str]:
    faults = []
    if not evaluations:
        faults.append("there are no evaluation results for these weights")
    elif not any(one.protocol.split != "validation" for one in evaluations):
        faults.append("it was evaluated on validation rows alone, which chose it")
    if evaluations and not any(part.n for one in evaluations for part in one.parts):
        faults.append("its evaluation holds no scored row")
    marks = [model.training_mark or "", *(one.mark or "" for one in evaluations)]
    marks = list(dict.fromkeys(map(without_names, marks)))
    for mark in marks:
        if OVERLAP in mark:
            faults.append(f"a split leaks ({_short(mark)})")
        elif UNKNOWN in mark:
            faults.append(UNKNOWN)
    return faults


def _remedy(evaluations: Sequence[Evaluation], folder: Path) -> str:
    if not evaluations:
        return f"run mmser evaluate {folder} DATA -o RESULT and give --evaluation RESULT"
    return "evaluate it on speakers and dialogues that it has not seen"


def _short(text: str, most: int = 200) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def published(evaluation: Evaluation, name: str) -> Evaluation:
    """Return an evaluation without what names people or rows of the user's own data, or places on a disk.

    Args:
        evaluation: as it was written.
        name: of the model where it is published.
    """
    own = {one.corpus for one in evaluation.data if licence_of(one.corpus) is None}
    left_out, warnings, settings = evaluation.left_out, evaluation.warnings, evaluation.settings
    if own:  # free text and paths may name anybody
        left_out = dict.fromkeys((f"row {n}" for n in range(1, len(left_out) + 1)), NOT_TOLD)
        warnings = (
            (f"{len(warnings)} warnings about the publisher's own data are not told",) if warnings else ()
        )
        settings = {key: value for key, value in settings.items() if key in SETTINGS}
    folds = tuple(
        replace(fold, held_out=tuple(_person(who, own) for who in fold.held_out))
        for fold in evaluation.protocol.folds
    )
    return replace(
        evaluation,
        model=replace(evaluation.model, id=name, training_mark=without_names(evaluation.model.training_mark)),
        mark=None if evaluation.mark is None else without_names(evaluation.mark),
        protocol=replace(evaluation.protocol, folds=folds),
        parts=tuple(_part(part, own) for part in evaluation.parts),
        left_out={name: _without_paths(why) for name, why in left_out.items()},
        settings={key: _without_paths(value) for key, value in settings.items()},
        warnings=tuple(_without_paths(text) for text in warnings),
    )


def without_names(mark: str) -> str:
    """Return a mark that says how many speakers, dialogues or clips leak, and not what they are called."""
    kept = []
    for clause in mark.replace(ENCODED, ENCODED.replace("(", "").replace(")", "")).split("; "):
        told = clause if clause.endswith(WRITTEN) else clause.partition(" (")[0]
        if _CLAUSE.match(told) or OVERLAP in told:
            kept.append(told)
    return "; ".join(kept) or (mark and "a mark that names people or rows")


def _part(part: Part, own: set[str]) -> Part:
    part = replace(part, mark=None if part.mark is None else without_names(part.mark))
    timeline = part.timeline
    if timeline is None or not timeline.left_out:
        return part
    left_out: Mapping[str, str] = {_person(who, own): why for who, why in timeline.left_out.items()}
    return replace(part, timeline=replace(timeline, left_out=dict(left_out)))


def _person(name: str, own: set[str]) -> str:
    return hidden_name(name) if name.partition("/")[0] in own or "/" not in name else name


def _without_paths(text: str) -> str:
    """Return a sentence in which a file is called by its name alone."""
    return _PATH.sub(lambda found: re.split(r"[\\/]", found.group())[-1], text)
