"""`mmser evaluate --from-feedback`: past reports against the corrections that users made."""

from collections.abc import Sequence
from json import dumps
from pathlib import Path

from mmser.cli.console import Progress, print_result
from mmser.errors import DataError
from mmser.evaluation.feedback.corrections import read_feedback
from mmser.evaluation.feedback.drift import PROFILE, ReferenceProfile, read_reference
from mmser.evaluation.feedback.scoring import render_feedback_text, score_feedback
from mmser.loading import describe_model, locate
from mmser.report.writing import check_outputs, write_outputs

FILE = "feedback_evaluation.json"


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
        output: folder for the JSON; None = it is not written.
        json: whether the JSON is printed in place of the text.
        overwrite: whether an earlier file may be replaced.

    Raises:
        MmserError: if a file is damaged, or a reference is asked for and cannot be read.
    """
    target = None if output is None else output / FILE
    if target is not None:
        check_outputs([target], overwrite=overwrite)
    corrections = read_feedback(files, revision=revision, warn=lambda text: progress.warn(str(text)))
    reference = _reference(model, against, corrections[0].model_revision, progress)
    result = score_feedback(corrections, reference=reference, draws=draws, seed=seed)
    document = dumps(result.to_dict(), ensure_ascii=False, indent=1, allow_nan=False)
    if target is not None:
        write_outputs({target: document + "\n"}, overwrite=overwrite)
    print_result(document if json else render_feedback_text(result))


def _reference(
    model: str | None, against: Path | None, revision: str, progress: Progress
) -> ReferenceProfile | None:
    """Return what the model said on validation: as stated, else its own where it is the one that spoke."""
    if against is not None:
        return read_reference(against)
    if describe_model(model).revision != revision:
        progress.warn(
            f"drift is not told: the reports are by the model {revision[:12]}, and "
            f"{model or 'the bundled one'} is another; name the model, or give --against"
        )
        return None
    _, folder = locate(model)
    if not (folder / PROFILE).is_file():
        progress.warn(
            f"drift is not told: {folder.name} holds no {PROFILE}; make a reference with mmser evaluate "
            "MODEL CORPORA --split validation -o FOLDER, and give --against FOLDER"
        )
        return None
    try:
        return read_reference(folder)
    except DataError as error:
        progress.warn(f"drift is not told: {error}")
        return None
