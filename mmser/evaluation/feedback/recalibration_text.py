"""Temperatures and scores of before and after, for a terminal."""

from mmser.evaluation.feedback.recalibration import Recalibration, scores_of, verdict
from mmser.evaluation.page.terminal import shown
from mmser.report.terminal import plain


def render_recalibration_text(found: Recalibration) -> str:
    """Return the temperatures, the scores of before and after, and what the criterion says."""
    lines = [
        f"{plain(found.model_id)} {found.model_revision[:12]} · fitted to {found.fitted.turns} turns of "
        f"{found.fitted.calls} calls, scored on {found.scored.turns} turns of {found.scored.calls} others · "
        f"seed {found.seed}",
        "",
        "Temperatures" + (", by one scale" if found.joint else ""),
    ]
    for name, old in found.old.items():
        why = found.unchanged.get(name.removeprefix("emotion."))
        lines.append(f"  {name:<14} {old:g}" + (f" stays: {why}" if why else f" → {found.new[name]:g}"))
    lines += ["", f"  {'':<10} {'before':<22} {'after':<22} after − before (95 %, paired by turn)"]
    lines += [
        f"  {name:<10} {shown(before, 3):<22} {shown(after, 3):<22} {shown(gap, 3)}"
        for name, (before, after, gap) in scores_of(found).items()
    ]
    lines.append(
        f"  {'abstains':<10} {f'{found.before.abstained:.1f} %':<22} {f'{found.after.abstained:.1f} %':<22} "
        f"{shown(found.difference.abstained)}"
    )
    lines += [
        f"  {found.difference.nll.interval.replace('dialogue', 'call')}; it abstains below a confidence of "
        f"{found.abstain_below:g}, which stays; lower is better",
        "",
        f"Criterion: {found.criterion}.",
        f"{verdict(found)}.",
    ]
    if found.worse:
        lines.append(f"Worse though, on these calls: {'; '.join(found.worse)}.")
    return "\n".join([*lines, *(f"Note: {note}" for note in found.notes)])
