"""Past reports against corrections, for a terminal."""

from collections.abc import Sequence
from typing import Final

from mmser.evaluation.feedback.drift import LENGTHS, Drift, DriftPart, LengthsDrift, SaidPart
from mmser.evaluation.feedback.profile import ALL, PATTERNS_SAID
from mmser.evaluation.feedback.scoring import FeedbackResult
from mmser.evaluation.page.terminal import shown
from mmser.report.terminal import plain

HABIT: Final = "The reading of PSI (0.1, 0.25) is a habit, not a test; p takes calls as whole."
MIXED: Final = "That turns were judged from something else than on validation may be all of it."
CUT: Final = (
    "Turns of calls and clips of corpora are cut differently: lengths alone are no sign of worse answers."
)
_SHOWN: Final = 8  # calls that are named
_NAME: Final = 16  # characters of their names
_LABEL: Final = 20  # characters of a label
_MOVED: Final = 3  # labels that moved most


def render_feedback_text(result: FeedbackResult) -> str:
    """Return the scores for a terminal."""
    emotion = result.emotion
    calibration, coverage = emotion.calibration, emotion.coverage
    lines = [
        # Names come from files that anybody may have written: none may move the cursor.
        f"{plain(result.model_id)} {plain(result.model_revision[:12])} · {result.n} corrected turns of "
        f"{calls_said(len(result.calls))} · {result.confirmed} of them confirmed as they were",
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
        *_confusion([plain(label, _LABEL) for label in emotion.labels], emotion.confusion),
    ]
    lines += ["", *_by_call(result.calls)]
    if result.drift is not None:
        lines += ["", "Drift: what is said here against validation", *_drift(result.drift)]
    lines += [f"Note: {plain(note)}" for note in result.notes]
    return "\n".join(lines)


def calls_said(count: int) -> str:
    """Return "1 call", "2,000 calls"."""
    return f"{count:,} call{'s' if count != 1 else ''}"


def _by_calls(interval: str) -> str:
    # The scores know calls as dialogues.
    return interval.replace("dialogue", "call")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _confusion(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> list[str]:
    width = max(map(len, labels))
    most = len(f"{max(max(row) for row in counts):,}")
    cells = [max(len(label), most) for label in labels]
    head = "  ".join(f"{label:>{cell}}" for label, cell in zip(labels, cells, strict=True))
    rows = [
        f"  {label:<{width}}  " + "  ".join(f"{n:>{cell},}" for n, cell in zip(row, cells, strict=True))
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
    for part in moved.parts:
        lines += _drift_part(part, kind_said(moved, part.data))
    for one in moved.alone:
        lines += _said_alone(moved, one)
    if moved.lengths is not None:
        lines += _lengths(moved.lengths)
    elif LENGTHS in moved.left_out:
        lines.append(f"  length of the sound: not compared, as {moved.left_out[LENGTHS]}")
    return [*lines, *(f"  {remark}" for remark in remarks(moved))]


def kind_said(moved: Drift, kind: str) -> str:
    """Return what a kind of turns is called beside the others."""
    several = len(moved.parts) + len(moved.alone) > 1
    rest = "turns that do not say what they were judged from" if several else "all turns"
    return PATTERNS_SAID.get(kind, rest)


def remarks(moved: Drift) -> list[str]:
    """Return how a drift must be read."""
    found = [MIXED] if any(part.data == ALL for part in moved.parts) else []
    found += [CUT] if moved.lengths is not None else []
    return [*found, HABIT] if moved.parts or moved.lengths is not None else found


def _drift_part(part: DriftPart, kind: str) -> list[str]:
    moved = sorted(part.now, key=lambda label: -abs(part.now[label] - part.then[label]))[:_MOVED]
    shares = ", ".join(f"{plain(label)} {part.then[label]:.0f} → {part.now[label]:.0f} %" for label in moved)
    return [
        f"  {kind} ({part.n} of {calls_said(part.calls)}, {part.n_reference} of validation): {part.test}",
        f"    labels      total variation {part.total_variation:.2f}, Jensen–Shannon "
        f"{part.jensen_shannon:.3f} bits, p {p_said(part.p_labels)}; {shares}",
        f"    confidence  PSI {psi_said(part)}, p {p_said(part.p_confidence)}",
    ]


def _said_alone(moved: Drift, one: SaidPart) -> list[str]:
    most = sorted(one.now, key=lambda label: -one.now[label])
    shares = ", ".join(f"{plain(label)} {one.now[label]:.0f} %" for label in most if one.now[label])
    return [
        f"  {kind_said(moved, one.data)} ({one.n} of {calls_said(one.calls)}): not compared, as "
        f"{moved.left_out[one.data]}",
        f"    said        {shares}; median confidence {one.confidence:.2f}",
    ]


def _lengths(found: LengthsDrift) -> list[str]:
    return [
        f"  length of the sound ({found.n} of {calls_said(found.calls)}, {found.n_reference} of validation): "
        f"{found.test}",
        f"    seconds     median {found.median_reference:.1f} → {found.median:.1f}, PSI {psi_said(found)}, "
        f"p {p_said(found.p_value)}",
    ]


def psi_said(one: DriftPart | LengthsDrift) -> str:
    """Return "0.31 (large, by chance up to 0.12)"."""
    chance = "" if one.psi_by_chance is None else f", by chance up to {one.psi_by_chance:.2f}"
    return f"{one.psi:.2f} ({one.psi_reading}{chance})"


def p_said(value: float | None) -> str:
    """Return a p-value; a dash where there is none."""
    return "–" if value is None else f"{value:.3f}"
