"""`mmser evaluate --from-feedback`: past reports against the corrections that users made."""

from collections.abc import Sequence
from pathlib import Path

from mmser.cli.console import Progress, print_result
from mmser.cli.json_output import as_json
from mmser.errors import DataError, UsageError
from mmser.evaluation.feedback.correction_line import Correction
from mmser.evaluation.feedback.corrections import read_feedback
from mmser.evaluation.feedback.profile import PROFILE, ReferenceProfile, read_reference
from mmser.evaluation.feedback.scoring import fits_reference, score_feedback
from mmser.evaluation.feedback.scoring_markdown import render_feedback_markdown
from mmser.evaluation.feedback.scoring_text import render_feedback_text
from mmser.loading import describe_model, locate
from mmser.report.writing import check_outputs, write_outputs

FILE, PAGE = "feedback_evaluation.json", "feedback.md"


def score_corrections(
    files: Sequence[Path],
    model: str | None,
    against: Path | None,
    progress: Progress,
    *,
    revision: str | None,
    draws: int,
    seed: int,
    output: Path | None,
    json: bool,
    overwrite: bool,
) -> None:
    """Score the corrections of one model, tell its drift against validation, and print both.

    Args:
        files: `feedback.jsonl`, of one call or of several.
        model: whose reports were corrected; it is asked for what it said on validation, and no more.
        against: result of a validation split, or a profile, instead of the model's own.
        progress: told of warnings.
        revision: of the corrections that count; None = there must be one.
        draws: of the bootstrap.
        seed: of the draws.
        output: folder for the JSON and the Markdown; None = they are not written.
        json: whether the JSON is printed in place of the text.
        overwrite: whether earlier files may be replaced.

    Raises:
        MmserError: if a file is damaged, or a reference is asked for and cannot be read.
    """
    targets = [] if output is None else [output / FILE, output / PAGE]
    _check_targets(targets, files, overwrite=overwrite)
    corrections = read_feedback(files, revision=revision, warn=lambda text: progress.warn(str(text)))
    reference = _reference(model, against, corrections[0], progress)
    result = score_feedback(corrections, reference=reference, draws=draws, seed=seed)
    document = as_json(result)
    if targets:
        contents = (document + "\n", render_feedback_markdown(result))
        write_outputs(dict(zip(targets, contents, strict=True)), overwrite=overwrite)
    print_result(document if json else render_feedback_text(result))


def _check_targets(targets: Sequence[Path], files: Sequence[Path], *, overwrite: bool) -> None:
    read = {file.resolve() for file in files}
    for target in targets:
        if target.resolve() in read:
            raise UsageError(f"{target} would be written over the corrections; choose another folder for -o")
    check_outputs(targets, overwrite=overwrite)


def _reference(
    model: str | None, against: Path | None, one: Correction, progress: Progress
) -> ReferenceProfile | None:
    """Return what the model said on validation: as stated, else its own where it is the one that spoke."""
    if against is not None:
        return read_reference(against)
    if describe_model(model).revision != one.model_revision:
        progress.warn(
            f"drift is not told: the reports are by the model {one.model_revision[:12]}, and "
            f"{model or 'the bundled one'} is another; name the model, or give --against"
        )
        return None
    _, folder = locate(model)
    remedy = (
        "make one with mmser evaluate MODEL CORPORA --split validation -o FOLDER, and give --against FOLDER"
    )
    if not (folder / PROFILE).is_file():
        progress.warn(f"drift is not told: {folder.name} holds no {PROFILE}; {remedy}")
        return None
    try:
        found = read_reference(folder)
    except DataError as error:
        progress.warn(f"drift is not told: {error}")
        return None
    if not fits_reference(found, one):
        progress.warn(
            f"drift is not told: {folder / PROFILE} is of another model than the weights beside it "
            f"({found.revision[:12] or 'other labels'} and {one.model_revision[:12]}); {remedy}"
        )
        return None
    return found
