"""Past reports scored against what their readers corrected: emotions, intensity, calibration, drift."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from mmser import __version__
from mmser.errors import DataError
from mmser.evaluation.defaults import DRAWS
from mmser.evaluation.feedback.correction_line import Correction
from mmser.evaluation.feedback.corrections import judged_of
from mmser.evaluation.feedback.drift import Drift, drift
from mmser.evaluation.feedback.profile import ReferenceProfile
from mmser.evaluation.judged import Judged
from mmser.evaluation.result import EmotionScores, Score
from mmser.evaluation.scores.emotion_scores import emotion_scores, uar
from mmser.evaluation.scores.intensity_scores import quadratic_kappa
from mmser.evaluation.scores.resampling import COEFFICIENT, count_score, resample
from mmser.labels import INTENSITY_LEVELS
from mmser.record import Record

SCHEMA: Final = "mmser.feedback_evaluation/1"
SAMPLE: Final = (
    "Reviewers choose which turns they correct, so these turns are no random sample: the scores are of turns "
    "that somebody looked at, and are likely to be too low where mistakes were looked for."
)
_MANY: Final = 10  # turns, none of which was confirmed: mistakes alone were written down


@dataclass(frozen=True, kw_only=True)
class LevelScores(Record):
    """Levels of intensity, of the turns in which both the model and the reviewer named one."""

    n: int
    uar: Score  # over the levels that occur, in percent
    kappa: Score  # quadratic-weighted (Cohen 1968), [-1, 1]
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]  # counts, corrected by predicted


@dataclass(frozen=True, kw_only=True)
class FeedbackResult(Record):
    """The document `mmser.feedback_evaluation/1`; intervals are over calls."""

    schema: str = SCHEMA
    mmser_version: str = __version__
    model_id: str
    model_revision: str
    n: int  # turns
    calls: dict[str, int]  # call → its turns
    confirmed: int  # turns in which the reviewer named the label that was the most probable
    emotion: EmotionScores
    intensity: LevelScores | None  # None where no turn has both levels
    drift: Drift | None  # None without a reference
    sample: str = SAMPLE
    notes: tuple[str, ...] = ()
    draws: int
    seed: int


def score_feedback(
    corrections: Sequence[Correction],
    *,
    reference: Judged | ReferenceProfile | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> FeedbackResult:
    """Score what the model said of turns against what reviewers say of them.

    Args:
        corrections: of one model, as `read_feedback` gives them.
        reference: what the model said on validation, that drift is told against.
        draws: of the bootstrap, over calls.
        seed: of the draws.

    Raises:
        DataError: if there is none, or the reference is of another model.
    """
    if not corrections:
        raise DataError("there are 0 corrections to score; give a feedback.jsonl that holds some")
    judged = judged_of(corrections)
    emotion = emotion_scores(judged, draws=draws, seed=seed)
    assert emotion is not None  # every correction has one label, of the model's own
    moved = None
    if reference is not None:
        _check_reference(reference, corrections[0])
        patterns = [one.pattern for one in corrections]
        lengths = [one.sound_seconds for one in corrections]
        moved = drift(judged, reference, patterns=patterns, lengths=lengths, draws=draws, seed=seed)
    confirmed = sum(one.predicted_top == one.corrected_label for one in corrections)
    return FeedbackResult(
        model_id=corrections[0].model_id,
        model_revision=corrections[0].model_revision,
        n=len(corrections),
        calls=dict(Counter(one.call for one in corrections)),
        confirmed=confirmed,
        emotion=emotion,
        intensity=_level_scores(corrections, draws, seed),
        drift=moved,
        notes=tuple(_notes(corrections, confirmed)),
        draws=draws,
        seed=seed,
    )


def fits_reference(reference: ReferenceProfile, one: Correction) -> bool:
    """Tell whether a profile is of the model whose reports were corrected, as far as it says."""
    return reference.revision in ("", one.model_revision) and set(reference.labels) == set(one.probabilities)


def _check_reference(reference: Judged | ReferenceProfile, one: Correction) -> None:
    known = "" if isinstance(reference, Judged) else reference.revision
    if known and known != one.model_revision:
        raise DataError(
            f"the reference is of the model {known[:12]}, but the reports that were corrected are by "
            f"{one.model_revision[:12]}; give the validation result of that model"
        )


def _level_scores(corrections: Sequence[Correction], draws: int, seed: int) -> LevelScores | None:
    both = [one for one in corrections if one.predicted_intensity and one.corrected_intensity]
    if not both:
        return None
    places: dict[str | None, int] = {level: place for place, level in enumerate(INTENSITY_LEVELS)}
    truth = np.array([places[one.corrected_intensity] for one in both], np.int64)
    guess = np.array([places[one.predicted_intensity] for one in both], np.int64)
    by_call = resample([one.call for one in both], draws=draws, seed=seed, unit="call")
    tables = by_call.tables(truth, guess, len(INTENSITY_LEVELS))
    return LevelScores(
        n=len(both),
        uar=count_score(tables, uar, by_call),
        kappa=count_score(tables, quadratic_kappa, by_call, span=COEFFICIENT),
        labels=INTENSITY_LEVELS,
        confusion=tuple(tuple(int(cell) for cell in row) for row in tables.sum(0)),
    )


def _notes(corrections: Sequence[Correction], confirmed: int) -> list[str]:
    notes = []
    if not confirmed and len(corrections) >= _MANY:
        notes.append(
            "no turn was confirmed: only mistakes were written down, so that accuracy and calibration tell "
            "nothing here; save a few right turns of each call as well"
        )
    ids = sorted({one.model_id for one in corrections})
    if len(ids) > 1:
        notes.append(f"one revision under {len(ids)} names: {', '.join(ids)}")
    unnamed = {one.call for one in corrections if one.recording_sha256 is None and one.call_id is None}
    if unnamed:
        notes.append(f"{len(unnamed)} files are of reports without a recording; each counts as one call")
    return notes
