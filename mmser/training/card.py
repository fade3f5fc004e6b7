"""The default model's card, written from the numbers of one run."""

from pathlib import Path
from typing import Any

from mmser.labels import EMOTIONS
from mmser.training.default_model import WEIGHTS_LICENSE, Plan

TEMPLATE = Path(__file__).with_name("card_template.md")


def write_card(folder: Path, results: dict[str, Any], plan: Plan) -> None:
    """Write README.md into `folder` from the results of `evaluate`."""
    audio, text = results["audio"], results["text"]
    content = TEMPLATE.read_text(encoding="utf-8").format(
        labels=", ".join(EMOTIONS),
        license=WEIGHTS_LICENSE,
        seed=plan.seed,
        sha256=results["weights_sha256"],
        speakers=", ".join(audio["speakers"]),
        num_speakers=len(audio["speakers"]),
        audio_rows="\n".join(_audio_row(name, audio[name]) for name in ("ravdess", "nemo", "emodb", "all")),
        interval_model=_interval(audio["interval_no_history"]),
        interval_svm=_interval(audio["interval_svm"]),
        interval_difference=_interval(audio["interval_difference"]),
        verdict=_verdict(audio["all"]),
        accuracy=audio["accuracy"],
        macro_f1=audio["macro_f1"],
        class_f1=", ".join(f"{name} {value:.0f}" for name, value in audio["class_f1"].items()),
        intensity=audio["intensity_uar"],
        ece=audio["ece"],
        abstained=100 * audio["abstained"],
        goemotions=text["goemotions_macro_f1"],
        goemotions_interval=_interval(text["goemotions_interval"]),
        tfidf_goemotions=text["tfidf_goemotions_macro_f1"],
        meld=text["meld_weighted_f1"],
        meld_interval=_interval(text["meld_interval"]),
        tfidf_meld=text["tfidf_meld_weighted_f1"],
        meld_single=text["meld_weighted_f1_without_context"],
        meld_ece=text["meld_ece"],
        change_rows="\n".join(_change_row(name, row) for name, row in results["change"].items()),
        fusion_rows="\n".join(_fusion_row(name, row) for name, row in results["fusion"].items()),
        confusion=_confusion(audio["confusion"]),
    )
    (folder / "README.md").write_text(content, encoding="utf-8")


def _interval(bounds: tuple[float, float]) -> str:
    return f"[{bounds[0]:.1f}, {bounds[1]:.1f}]"


def _verdict(row: dict[str, float]) -> str:
    """Say in words whether the sound alone is better than its baseline, and what a history does."""
    gain = row["history"] - row["no_history"]
    effect = "add" if gain > 0 else "cost"
    history = f"Earlier clips of the speaker {effect} {abs(gain):.1f} points on these speakers."
    if row["no_history"] > row["svm"]:
        return f"On all test clips together the model without history is above the SVM. {history}"
    return (
        f"**On all test clips together the model does not beat the SVM**: the bar is missed so far. {history}"
    )


def _audio_row(name: str, row: dict[str, float]) -> str:
    columns = (row["no_history"], row["history"], row["telephone"], row["svm"])
    return f"| {name} | {row['n']} | " + " | ".join(f"{c:.1f}" for c in columns) + " |"


def _change_row(name: str, row: dict[str, dict[str, float]]) -> str:
    head = row["head"]

    def cell(scores: dict[str, float] | None) -> str:
        return "" if scores is None else f"{scores['mcc']:.3f} / {scores['ap']:.3f}"

    rules = f"{cell(row.get('dot_rule'))} | {cell(row['argmax_rule'])}"
    direction = row["direction"]
    shown = f"{direction['macro_f1']:.1f} ({direction['commonest_macro_f1']:.1f})"
    return f"| {name} | {head['n']} ({head['base_rate']:.2f}) | {cell(head)} | {rules} | {shown} |"


def _fusion_row(name: str, row: dict[str, float]) -> str:
    columns = (row["fused"], row["audio_only"], row["text_only"], row["late_fusion"])
    shown = " | ".join(f"{c:.1f}" for c in columns)
    return f"| {name.replace('_', ' ')} | {row['n']} | {shown} | {row['ece']:.3f} |"


def _confusion(table: list[list[int]]) -> str:
    lines = ["| | " + " | ".join(EMOTIONS) + " |", "|---|" + "---|" * len(EMOTIONS)]
    lines += [f"| {e} | " + " | ".join(map(str, row)) + " |" for e, row in zip(EMOTIONS, table, strict=True)]
    return "\n".join(lines)
