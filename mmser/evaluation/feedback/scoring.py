"""Past reports scored against what their readers corrected: emotions, intensity, calibration, drift."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from mmser import __version__
from mmser.errors import DataError
from mmser.evaluation.defaults import DRAWS
from mmser.evaluation.feedback.corrections import Correction, judged_of
from mmser.evaluation.feedback.drift import ALL, PATTERNS_SAID, Drift, DriftPart, ReferenceProfile, drift
from mmser.evaluation.judged import Judged
from mmser.evaluation.page.terminal import shown
from mmser.evaluation.result import EmotionScores, Score
from mmser.evaluation.scores.emotion_scores import emotion_scores, uar
from mmser.evaluation.scores.intensity_scores import quadratic_kappa
from mmser.evaluation.scores.resampling import COEFFICIENT, count_score, resample
from mmser.labels import INTENSITY_LEVELS
from mmser.record import Record
from mmser.report.terminal import plain

SCHEMA: Final = "mmser.feedback_evaluation/1"
SAMPLE: Final = (
    "Reviewers choose which turns they correct, so these turns are no random sample: the scores are of turns "
    "that somebody looked at, and are likely to be too low where mistakes were looked for."
)
_MANY: Final = 10  # turns, none of which was confirmed: mistakes alone were written down
_SHOWN: Final = 8  # calls that are named in a terminal
_NAME: Final = 16  # characters of their names


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
        moved = drift(judged, reference, patterns=patterns, draws=draws, seed=seed)
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


# --- on a terminal -----------------------------------------------------------------------------------------


def render_feedback_text(result: FeedbackResult) -> str:
    """Return the scores for a terminal."""
    emotion = result.emotion
    calibration, coverage = emotion.calibration, emotion.coverage
    lines = [
        # Names come from files that anybody may have written: none may move the cursor.
        f"{plain(result.model_id)} {plain(result.model_revision[:12])} · {result.n} corrected turns of "
        f"{_calls(len(result.calls))} · {result.confirmed} confirmed",
        result.sample,
        "",
        f"  emotion      UAR {shown(emotion.uar)} · WA {shown(emotion.accuracy)} · macro-F1 "
        f"{shown(emotion.macro_f1)} · chance {emotion.chance_uar:.1f}",
        f"               {_by_calls(emotion.uar.interval)}",
        f"  calibration  ECE {shown(calibration.ece, 3)} · NLL {shown(calibration.nll, 3)} · Brier "
        f"{shown(calibration.brier, 3)}",
        f"  abstains     {coverage.abstained:.1f} % of the turns; WA of the others "
        f"{_number(coverage.accuracy_answered)}, UAR {_number(coverage.uar_answered)}",
    ]
    level = result.intensity
    if level is not None:
        lines.append(
            f"  intensity    levels' UAR {shown(level.uar)} · quadratic kappa {shown(level.kappa, 3)} "
            f"({level.n} turns)"
        )
    lines += [
        "",
        "Heard as (rows) and said (columns)",
        *_confusion([*map(plain, emotion.labels)], emotion.confusion),
    ]
    lines += ["", *_by_call(result.calls)]
    if result.drift is not None:
        lines += ["", "Drift: what is said here against validation", *_drift(result.drift)]
    lines += [f"Note: {plain(note)}" for note in result.notes]
    return "\n".join(lines)


def _calls(count: int) -> str:
    return f"{count} call{'s' if count != 1 else ''}"


def _by_calls(interval: str) -> str:
    # The scores know calls as dialogues.
    return interval.replace("dialogue", "call")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _confusion(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> list[str]:
    width = max(map(len, labels))
    cells = [max(len(label[:7]), 4) for label in labels]
    head = "  ".join(f"{label[:7]:>{cell}}" for label, cell in zip(labels, cells, strict=True))
    rows = [
        f"  {label:<{width}}  " + "  ".join(f"{n:>{cell}}" for n, cell in zip(row, cells, strict=True))
        for label, row in zip(labels, counts, strict=True)
    ]
    return [f"  {'':<{width}}  {head}", *rows]


def _by_call(calls: dict[str, int]) -> list[str]:
    most = sorted(calls.items(), key=lambda item: -item[1])
    named = ", ".join(f"{plain(call, _NAME)} {n}" for call, n in most[:_SHOWN])
    rest = f" and {len(most) - _SHOWN} more" if len(most) > _SHOWN else ""
    return [f"Turns by call: {named}{rest}"]


def _drift(moved: Drift) -> list[str]:
    lines = []
    several = len(moved.parts) + len(moved.left_out) > 1
    rest = "turns that do not say what they were judged from" if several else "all turns"
    for part in moved.parts:
        lines += _drift_part(part, PATTERNS_SAID.get(part.data, rest))
    lines += [f"  {PATTERNS_SAID[kind]}: not compared, as {why}" for kind, why in moved.left_out.items()]
    if any(part.data == ALL for part in moved.parts):
        lines.append("  That turns were judged from something else than on validation may be all of it.")
    if moved.parts:
        lines.append("  The reading of PSI (0.1, 0.25) is a habit, not a test; p takes calls as whole.")
    return lines


def _drift_part(part: DriftPart, kind: str) -> list[str]:
    moved = sorted(part.now, key=lambda label: -abs(part.now[label] - part.then[label]))[:3]
    shares = ", ".join(f"{plain(label)} {part.then[label]:.0f} → {part.now[label]:.0f} %" for label in moved)
    chance = "" if part.psi_by_chance is None else f", by chance up to {part.psi_by_chance:.2f}"
    return [
        f"  {kind} ({part.n} of {_calls(part.calls)}, {part.n_reference} of validation): {part.test}",
        f"    labels      total variation {part.total_variation:.2f}, Jensen–Shannon "
        f"{part.jensen_shannon:.3f} bits, p {_p_value(part.p_labels)}; {shares}",
        f"    confidence  PSI {part.psi:.2f} ({part.psi_reading}{chance}), p {_p_value(part.p_confidence)}",
    ]


def _p_value(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
