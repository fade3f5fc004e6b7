"""Past reports against corrections, as Markdown: the tables of the terminal's text, whole."""

from collections.abc import Iterator, Sequence

from mmser.evaluation.feedback.drift import LENGTHS, Drift
from mmser.evaluation.feedback.scoring import FeedbackResult
from mmser.evaluation.feedback.scoring_text import calls_said, kind_said, p_said, psi_said, remarks
from mmser.evaluation.page.markdown import inline
from mmser.evaluation.page.terminal import shown


def render_feedback_markdown(result: FeedbackResult) -> str:
    """Return the scores with what they are of: data, turns, model revision and seed."""
    blocks = [
        "## Past reports against corrections",
        f"{result.n:,} corrected turns of {calls_said(len(result.calls))}, {result.confirmed:,} of them "
        "confirmed as they were. "
        f"Model {inline(result.model_id)}, revision {inline(result.model_revision)}; {result.draws:,} draws, "
        f"seed {result.seed}; mmser {inline(result.mmser_version)}.",
        inline(result.sample),
        "### Scores",
        _table(("", "value [95 %]", "turns", "interval"), _scores(result)),
        "### Heard as (rows) and said (columns)",
        _table(("", *result.emotion.labels), _confusion(result)),
        "### Turns by call",
        _table(("call", "turns"), [(call, f"{n:,}") for call, n in result.calls.items()]),
    ]
    if result.drift is not None:
        blocks += ["### Drift: what is said here against validation", *_drift(result.drift)]
    if result.notes:
        blocks += ["### Notes", "\n".join(f"- {inline(note)}" for note in result.notes)]
    return "\n\n".join(blocks) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [_row(head), _row(["---", *["---:"] * (len(head) - 1)], bare=True), *map(_row, rows)]
    return "\n".join(lines)


def _row(cells: Sequence[str], *, bare: bool = False) -> str:
    return f"| {' | '.join(cell if bare else inline(cell) for cell in cells)} |"


def _scores(result: FeedbackResult) -> list[tuple[str, ...]]:
    emotion, level = result.emotion, result.intensity
    calibration, coverage = emotion.calibration, emotion.coverage
    named = [
        (f"UAR, % (chance {emotion.chance_uar:.1f})", emotion.uar, 1),
        ("WA, %", emotion.accuracy, 1),
        ("macro-F1, %", emotion.macro_f1, 1),
        ("ECE", calibration.ece, 3),
        ("NLL, nats", calibration.nll, 3),
        ("Brier", calibration.brier, 3),
    ]
    if level is not None:
        named += [("intensity levels, UAR, %", level.uar, 1), ("intensity, quadratic kappa", level.kappa, 3)]
    # The scores know calls as dialogues.
    rows = [
        (
            name,
            shown(score, digits).replace("-", "\N{MINUS SIGN}"),
            f"{score.n:,}",
            score.interval.replace("dialogue", "call"),
        )
        for name, score, digits in named
    ]
    answered = (("WA", coverage.accuracy_answered), ("UAR", coverage.uar_answered))
    told = ", ".join(f"{name} {'–' if value is None else f'{value:.1f}'}" for name, value in answered)
    return [
        *rows,
        ("abstains, % of the turns", f"{coverage.abstained:.1f}", f"{result.n:,}", f"the others: {told}"),
    ]


def _confusion(result: FeedbackResult) -> list[tuple[str, ...]]:
    emotion = result.emotion
    return [
        (label, *(f"{n:,}" for n in row))
        for label, row in zip(emotion.labels, emotion.confusion, strict=True)
    ]


def _drift(moved: Drift) -> Iterator[str]:
    if moved.parts:
        head = ("", "turns", "calls", "validation rows", "total variation", "Jensen–Shannon, bits", "p")
        yield _table(
            (*head, "PSI of confidence", "p", "test"),
            [_compared(moved, at) for at in range(len(moved.parts))],
        )
        columns = [
            f"{kind_said(moved, part.data)}, {when}" for part in moved.parts for when in ("then", "now")
        ]
        rows = [
            (label, *(f"{share[label]:.1f}" for part in moved.parts for share in (part.then, part.now)))
            for label in moved.parts[0].now
        ]
        yield "Share of the turns in which each is the most probable, in percent:"
        yield _table(("", *columns), rows)
    for one in moved.alone:
        shares = ", ".join(f"{label} {share:.1f} %" for label, share in one.now.items())
        yield inline(
            f"{kind_said(moved, one.data)} ({one.n:,} turns of {one.calls:,} calls): not compared, as "
            f"{moved.left_out[one.data]}. Said: {shares}; median confidence {one.confidence:.2f}."
        )
    yield from _lengths(moved)
    yield from map(inline, remarks(moved))


def _compared(moved: Drift, at: int) -> tuple[str, ...]:
    part = moved.parts[at]
    return (
        kind_said(moved, part.data),
        *(f"{count:,}" for count in (part.n, part.calls, part.n_reference)),
        f"{part.total_variation:.2f}",
        f"{part.jensen_shannon:.3f}",
        p_said(part.p_labels),
        psi_said(part),
        p_said(part.p_confidence),
        part.test,
    )


def _lengths(moved: Drift) -> Iterator[str]:
    found = moved.lengths
    if found is not None:
        yield inline(
            f"Length of the sound ({found.n:,} turns of {found.calls:,} calls, {found.n_reference:,} rows of "
            f"validation): median {found.median_reference:.1f} s then and {found.median:.1f} s now, PSI "
            f"{psi_said(found)}, p {p_said(found.p_value)}; {found.test}."
        )
    elif LENGTHS in moved.left_out:
        yield inline(f"Length of the sound: not compared, as {moved.left_out[LENGTHS]}.")
