"""The result of an evaluation in a few lines, for a terminal."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path

from mmser.evaluation.page.sections.trust import clean_rows, clean_score, untold
from mmser.evaluation.result import Contender, Evaluation, Part, Score

_NONE = ": no interval"
WORST = 5  # ways of damaging the input that are shown


def render_text(evaluation: Evaluation) -> str:
    """Return the main numbers: each corpus, what stands beside it, what damage costs, what must be known."""
    about, protocol = evaluation.model, evaluation.protocol
    revision = f" {about.revision[:12]}" if about.revision else ""
    lines = [
        f"{about.id}{revision} · {protocol.name}, {protocol.split} · "
        f"{len(protocol.folds)} fold{'s' if len(protocol.folds) != 1 else ''} · seed {protocol.seed}"
    ]
    if evaluation.mark:
        lines.append(f"Mark: {evaluation.mark}")
    for part in evaluation.parts:
        lines += ["", *_part(part)]
    for title, rows in (("Views", evaluation.views), ("Baselines", evaluation.baselines)):
        if rows:
            lines += ["", title, *_contenders(rows)]
    if evaluation.robustness:
        lines += ["", *_robustness(evaluation)]
    if evaluation.gaps:
        lines += ["", "Gaps between groups", *_gaps(evaluation)]
    if evaluation.left_out:
        name, why = next(iter(evaluation.left_out.items()))
        count = len(evaluation.left_out)
        told = "1 row got no answer," if count == 1 else f"{count:,} rows got no answer; the first,"
        lines += ["", f"{told} {name}: {why}"]
    lines += [f"Note: {warning}" for warning in evaluation.warnings]
    return "\n".join(map(_visible, lines))


def last_line(report: Path | None) -> str:
    """Return where the report was written, or which option writes one."""
    if report is None:
        return "Nothing was written; -o FOLDER writes the report (HTML, Markdown, JSON and answers.csv)."
    return f"Report: {report}"


def _visible(line: str) -> str:
    """Return a line in which names can neither move the cursor nor turn the direction."""
    return "".join(c if unicodedata.category(c)[0] != "C" else "\ufffd" for c in line)


def shown(score: Score | None, decimals: int = 1) -> str:
    """Return "64.4 [52.4, 76.4]"; a dash where there is no value."""
    if score is None or score.value is None:
        return "–"
    if score.low is None or score.high is None:
        return _rounded(score.value, decimals)
    return " ".join(
        [
            _rounded(score.value, decimals),
            f"[{_rounded(score.low, decimals)}, {_rounded(score.high, decimals)}]",
        ]
    )


def _rounded(value: float, decimals: int) -> str:
    return f"{round(value, decimals) + 0.0:.{decimals}f}"  # no "-0.0"


def _why_none(score: Score) -> str:
    """Return in short why a value that is known has no interval; nothing where it has one."""
    if score.value is None or score.low is not None or not score.interval:
        return ""
    return f"; {score.interval.split(', ')[0].removesuffix(_NONE)}{_NONE}"


def _part(part: Part) -> list[str]:
    lines = [f"{part.data} ({part.n} rows)"]
    emotion, change, intensity = part.emotion, part.change, part.intensity
    if emotion is not None:
        lines.append(
            f"  emotion    UAR {shown(emotion.uar)} · WA {shown(emotion.accuracy)} · macro-F1 "
            f"{shown(emotion.macro_f1)} · weighted-F1 {shown(emotion.weighted_f1)}"
        )
        lines.append(
            f"             chance {emotion.chance_uar:.1f} · ECE {shown(emotion.calibration.ece, 3)} · "
            f"abstains {emotion.coverage.abstained:.1f} % · {emotion.uar.interval}"
        )
    if part.multi_label is not None:
        lines.append(
            f"  several    macro-F1 {shown(part.multi_label.macro_f1)} · "
            f"micro-F1 {shown(part.multi_label.micro_f1)}"
        )
    if intensity is not None:
        lines.append(
            f"  intensity  CCC {shown(intensity.ccc, 3)} · MAE {shown(intensity.mae, 3)} · levels' UAR "
            f"{shown(intensity.levels_uar)} ({intensity.n} rows){_why_none(intensity.ccc)}"
        )
    if change is not None:
        lines.append(
            f"  change     MCC {shown(change.mcc, 3)} · AP {shown(change.average_precision)} · F1 "
            f"{shown(change.f1)} · base rate {change.base_rate:.1f} ({change.n} rows)"
            f"{_why_none(change.mcc)}"
        )
    if part.timeline is not None:
        points = " · ".join(f"±{p.tolerance:g} s {shown(p.f1)}" for p in part.timeline.points)
        eder = f"EDER {shown(part.timeline.eder)}{_why_none(part.timeline.eder)}"
        lines.append(f"  {part.timeline.of}  F1 at {points} · {eder}")
        if told := part.timeline.given.get("model", "").split(":")[0]:
            lines.append(f"             {told}")
        if part.timeline.left_out:
            name, why = next(iter(part.timeline.left_out.items()))
            count = len(part.timeline.left_out)
            told = (
                "1 speaker is in no call; " if count == 1 else f"{count} speakers are in no call; the first, "
            )
            lines.append(f"             {told}{name}: {why}")
    return lines


def _contenders(rows: Sequence[Contender]) -> list[str]:
    width = max(len(row.name) for row in rows)
    lines = []
    for row in rows:
        digits = 3 if row.metric in ("CCC", "MCC") else 1
        note = f"; {row.note}" if row.note else ""
        lines.append(
            f"  {row.name:<{width}}  {row.data}: {row.metric} {shown(row.value, digits)}, difference "
            f"{shown(row.difference, digits)} ({row.n} rows){note}{_why_none(row.value)}"
        )
    return lines


def _robustness(evaluation: Evaluation) -> list[str]:
    first = evaluation.robustness[0].data
    rows = [row for row in evaluation.robustness if row.data == first and row.loss.value is not None]
    rows.sort(key=lambda row: -(row.loss.value or 0.0))
    lines = [f"Costs most, of {len(rows)} ways to damage the input ({first})"]
    worst = rows[:WORST]
    lines += [
        f"  clean, rows with {row.kind}: {row.metric} {shown(clean_score(row))} ({row.n} rows)"
        for row in clean_rows(worst)
    ]
    return lines + [
        f"  {row.name}: {row.metric} {shown(row.value)}, loss {shown(row.loss)}, "
        f"{row.flip_rate:.0f} % of the answers flip ({row.n} rows)"
        for row in worst
    ]


def _gaps(evaluation: Evaluation) -> list[str]:
    lines = []
    for gap in evaluation.gaps:
        if gap.gap is None:
            continue
        groups = ", ".join(f"{name} {shown(score)}" for name, score in gap.groups.items())
        p_value = "" if gap.p_value is None else f", p {gap.p_value:.3f}"
        threshold = "" if gap.threshold is None else f" (without one up to {gap.threshold:.1f}{p_value})"
        size = shown(Score(value=gap.gap, low=gap.low, high=gap.high, n=gap.smallest_n))
        lines.append(f"  {gap.attribute}, {gap.data}: {groups}; gap {size}{threshold}")
    return lines + [f"  {text}" for text in untold(evaluation.gaps)]
