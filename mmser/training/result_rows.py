"""Measured results → the rows of the table of bars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mmser.training.protocols import mean_uar, summarise


@dataclass(frozen=True)
class Row:
    """One row; `passed` None = no bar, or not judged."""

    kind: str  # S or P
    measure: str
    value: str
    interval: str
    beside: str
    bar: str
    passed: bool | None
    other_seeds: str = ""  # the value of the same recipe trained from other seeds


def result_rows(results: Mapping[str, Any]) -> list[Row]:
    """Return the rows of everything that was measured, each with what models of other seeds reach."""
    others = [
        {row.measure: row.value for row in _rows(of_seed)} for of_seed in results.get("seeds", {}).values()
    ]
    return [
        replace(row, other_seeds=", ".join(found[row.measure] for found in others if row.measure in found))
        for row in _rows(results)
    ]


def _rows(results: Mapping[str, Any]) -> list[Row]:
    rows = _protocol_rows(results.get("protocols", {}))
    if "shipped" in results:
        rows += _sound_rows(results["shipped"]["audio"])
        rows += _text_rows(results["shipped"]["text"])
        rows += _change_rows(results["shipped"]["change"]["meld"])
    if "spliced" in results:
        rows += _spliced_rows(results["spliced"])
    if "shipped" in results:
        rows += _fusion_rows(results["shipped"]["fusion"])
        rows += _calibration_rows(results["shipped"])
    return rows


def _interval(bounds: Sequence[float], mark: str = "", digits: int = 1) -> str:
    return f"[{bounds[0]:.{digits}f}, {bounds[1]:.{digits}f}]{mark}"


def _protocol_rows(protocols: Mapping[str, Any]) -> list[Row]:
    rows = []
    for corpus, row, measure, bar, aim in (
        ("ravdess", "no_reference", "RAVDESS 8 classes, UAR, 5 EmoBox folds, no reference", 60, 68),
        ("ravdess", "history", "the same, up to 15 earlier clips of the speaker, causally", 66, 74),
        ("ravdess", "references", "the same, two neutral reference clips (left out)", 66, 74),
        ("emodb", "no_reference", "EmoDB (2 s), 7 classes, UAR, leave one speaker out, no reference", 75, 85),
    ):
        folds = list(protocols.get(corpus, {}).values())
        if folds:
            found = summarise(folds, row)
            groups = len({s for fold in folds for s in fold["scores"][row]["speaker"]})
            rows.append(
                Row(
                    "P",
                    f"{measure} (n {found['n']})",
                    f"{found['uar']:.1f}",
                    _interval(found["interval"], "t" if groups < 20 else ""),
                    f"telephone {mean_uar(folds, 'telephone'):.1f}" if row == "no_reference" else "",
                    f"{bar} / {aim}",
                    found["uar"] >= bar,
                )
            )
    return rows


def _sound_rows(audio: Mapping[str, Any]) -> list[Row]:
    acted, strength = audio["ravdess"], audio["intensity"]
    loss = acted["no_history"] - acted["telephone"]
    return [
        Row(
            "S",
            f"RAVDESS held-out actors, 7 classes, UAR, no reference (n {acted['n']})",
            f"{acted['no_history']:.1f}",
            _interval(acted["interval"], "t"),
            f"SVM {acted['svm']:.1f}",
            "60 / 70",
            acted["no_history"] >= 60,
        ),
        Row(
            "S",
            f"RAVDESS intensity, normal or strong, UAR (n {strength['n']})",
            f"{strength['uar']:.1f}",
            _interval(strength["interval"], "t"),
            "chance 50",
            "75 / 83",
            strength["uar"] >= 75,
        ),
        Row(
            "S",
            "loss of UAR over an 8 kHz µ-law telephone, RAVDESS held-out actors",
            f"{loss:.1f}",
            "",
            f"all corpora {audio['all']['no_history'] - audio['all']['telephone']:.1f}",
            "≤ 5 / 2",
            loss <= 5,
        ),
    ]


def _text_rows(text: Mapping[str, Any]) -> list[Row]:
    comments, meld = text["goemotions"], text["meld"]
    return [
        Row(
            "S",
            f"GoEmotions, Ekman, multi-label, macro-F1, official test (n {comments['n']})",
            f"{comments['macro_f1']:.1f}",
            _interval(comments["interval"]),
            f"TF-IDF {comments['tfidf']:.1f}",
            "64 / 67",
            comments["macro_f1"] >= 64,
        ),
        Row(
            "S",
            f"MELD text in dialogue, weighted F1, official test, speaker-overlapping (n {meld['n']})",
            f"{meld['weighted_f1']:.1f}",
            _interval(meld["interval"]),
            f"TF-IDF {meld['tfidf']:.1f}, without context {meld['without_context']:.1f}",
            "63 / 66",
            meld["weighted_f1"] >= 63,
        ),
    ]


def _change_rows(change: Mapping[str, Any]) -> list[Row]:
    head, above = change["head"], change["head_above"]
    rules = ", ".join(
        f"{name} {change[name]['mcc']:.3f} / {change[name]['ap']:.3f}" for name in ("product", "argmax")
    )
    better = any(bounds[0] > 0 for bounds in above.values())
    return [
        Row(
            "S",
            f"MELD shift, MCC / AP (n {head['n']}, base rate {head['base_rate']:.2f})",
            f"{head['mcc']:.3f} / {head['ap']:.3f}",
            "",
            rules,
            ".37 / .77, aim .43 / .81",
            head["mcc"] >= 0.37 and head["ap"] >= 0.77,
        ),
        Row(
            "S",
            "the same minus the best emotion-only rule, MCC and AP",
            f"{head['mcc'] - change[change['best_rule']]['mcc']:+.3f} / "
            f"{head['ap'] - change['product']['ap']:+.3f}",
            f"{_interval(above['mcc'], digits=3)} and {_interval(above['ap'], digits=3)}",
            "",
            "one above 0",
            better,
        ),
    ]


def _spliced_rows(spliced: Mapping[str, Any]) -> list[Row]:
    every, argmax = (spliced[n]["f1_at_0.5_s"] for n in ("a change at every splice", "turn-level argmax"))
    rows = []
    for name in ("boundaries known", "boundaries unknown"):
        found = spliced[name]
        value = found["f1_at_0.5_s"]
        rows.append(
            Row(
                "S",
                f"spliced calls, change-point F1 at ±0.5 s, {name} ({spliced['changes']} changes)",
                f"{value:.1f}",
                _interval(found["f1_at_0.5_s_interval"], "t"),
                f"a change at every splice {every:.1f}, argmax {argmax:.1f}",
                "60 / 75 and above every splice",
                value >= 60 and value > every,
            )
        )
    return rows


def _fusion_rows(fusion: Mapping[str, Any]) -> list[Row]:
    rows = []
    for kind in ("matched", "neutral_words"):
        found = fusion[kind]
        better, above = found["better"], found[f"above_{found['better']}"]
        late, mixed = found["fused"] - found["late_fusion"], found["above_shuffled"]
        # With one modality missing, that modality's own head answers: that bar is met as it is built.
        fused = above[0] > 0 and late >= -0.5 and mixed[0] > 0
        rows.append(
            Row(
                "S",
                f"made pairs, {kind.replace('_', ' ')}, fused UAR against the better side (n {found['n']})",
                f"{found['fused']:.1f}",
                f"minus {better.replace('_', ' ')} by speaker {_interval(above, 't')}",
                f"sound {found['audio_only']:.1f}, words {found['text_only']:.1f}, late fusion "
                f"{found['late_fusion']:.1f}, shuffled cross-attention {found['shuffled']:.1f}",
                "above all three; late fusion − 0.5" if kind == "matched" else "",
                fused if kind == "matched" else None,
            )
        )
    conflict = fusion["conflicting"]
    calm = (
        conflict["sure_and_not_the_voice"] <= 0.10
        and conflict["abstained"] >= 2 * conflict["abstained_matched"]
        and conflict["coverage_matched"] >= 0.70
    )
    rows.append(
        Row(
            "S",
            f"conflicting pairs, answers other than the voice's at p ≥ 0.7 (n {conflict['n']})",
            f"{100 * conflict['sure_and_not_the_voice']:.1f} %",
            f"abstains {100 * conflict['abstained']:.0f} %",
            f"matched pairs: abstains {100 * conflict['abstained_matched']:.0f} %",
            "≤ 10 %; twice as often as matched; matched coverage ≥ 70 %",
            calm,
        )
    )
    return rows


def _calibration_rows(shipped: Mapping[str, Any]) -> list[Row]:
    parts = {
        "sound": shipped["audio"]["calibration"],
        "GoEmotions": shipped["text"]["goemotions"],
        "MELD": shipped["text"]["meld"],
        "matched pairs": shipped["fusion"]["matched"],
    }
    return [
        Row(
            "S",
            f"expected calibration error, {name}",
            f"{part['ece']:.3f}",
            "",
            f"NLL {part['nll']:.2f}, class prior {part['prior_nll']:.2f}",
            "≤ 0.08 / 0.03, NLL below prior",
            part["ece"] <= 0.08 and part["nll"] < part["prior_nll"],
        )
        for name, part in parts.items()
    ]
