"""The default model's card, written from the numbers of one run."""

from pathlib import Path
from typing import Any

from mmser.labels import EMOTIONS
from mmser.training.default_model import WEIGHTS_LICENSE, Plan

HEAD = """---
license: cc-by-nc-sa-4.0
language: [en, de, pl]
pipeline_tag: audio-classification
library_name: transformers
tags: [speech-emotion-recognition, multimodal, call-analytics]
base_model: sentence-transformers/all-MiniLM-L6-v2
---
"""

TEXT = """
# mmser default model

Tells of each utterance on a call which emotion it *expresses*, as perceived: one of {labels}, how
strong, and whether it changed against the same speaker's previous utterance. It hears the sound
(a small CNN and Conformer on log-mel frames, with spectral, cepstral and prosodic functionals, seen
absolutely and against the speaker's earlier utterances), reads the words (MiniLM, 6 layers) and
fuses both by cross-attention. It never says what somebody feels.

**Licence of the weights: {license}** (non-commercial, share-alike), since RAVDESS and nEMO, which
trained the audio branch, are. The code is Apache-2.0.

**Not for** judging employees (inferring workers' emotions is prohibited in the EU, AI Act Art.
5(1)(f)), decisions with legal effect, or diagnosis.

## How it was trained

Audio from scratch on RAVDESS (English), nEMO (Polish) and EmoDB (German, 2 s crops, without
boredom): acted speech that repeats a few sentences. Text: all-MiniLM-L6-v2 fine-tuned on GoEmotions
and MELD. **No paired natural corpus was at hand: fusion was trained on pairs made across corpora**
(a clip of one, a text of another: label-matched, neutral words under an emotional voice, and
conflicting with shared targets), so nothing below is accuracy on natural calls. Change was learned
from MELD's dialogues and from calls spliced from one speaker's clips. In training an unmarked
(neutral) voice counts as intensity 0.1, RAVDESS's normal level as 0.4 and strong as 1.0.

Seed {seed}, one run. Test speakers, never trained on: {speakers}. Validation speakers chose
temperatures and thresholds; the least certain fifth of validation utterances abstains. Rebuild and
measure: `python scripts/build_default_model.py --data FOLDER --encoder MINILM`.

## Sound, held-out speakers (emotion UAR in %)

| test speakers of | n | model, no history | model, up to 15 earlier clips | model, 8 kHz µ-law line | SVM on the same functionals |
|---|---|---|---|---|---|
{audio_rows}

Intervals over the {num_speakers} speakers' own values (95 % t-interval, fewer than 20 groups): model
without history {interval_model}, SVM {interval_svm}. Classes differ by corpus (nEMO has no disgust).
RAVDESS intensity (normal or strong): UAR {intensity:.1f}. Expected calibration error of the emotion:
{ece:.3f}; abstains on {abstained:.0f} %.

## Words, official test sets

| test set | measure | model | TF-IDF + logistic regression |
|---|---|---|---|
| GoEmotions (Ekman, multi-label) | macro-F1 | {goemotions:.1f} {goemotions_interval} | {tfidf_goemotions:.1f} |
| MELD with dialogue context | weighted F1 | {meld:.1f} {meld_interval} | {tfidf_meld:.1f} |
| MELD without context | weighted F1 | {meld_single:.1f} | |

MELD's official split is speaker-overlapping, dialogue-disjoint. Its calibration error: {meld_ece:.3f}.
Per-class thresholds for GoEmotions come from its validation set.

## Change against the same speaker's previous turn

| test set | n (base rate) | learned head, MCC / AP | 1 − p·p_previous | argmax differs |
|---|---|---|---|---|
{change_rows}

## Fusion, made pairs of held-out speakers and texts (emotion UAR in %)

| pairs | n | fused | sound alone | words alone | product of both | ECE |
|---|---|---|---|---|---|---|
{fusion_rows}

These pairs are made; they show that the fusion uses both sides, not how well it does on a call.
With neutral words the label is the voice's.

## Confusion of the sound without history (rows: truth)

{confusion}

## Limits

Acted voices of {num_all} corpora speakers stand behind the sound, television and Reddit English behind the words; text in
other languages is not read. Spontaneous speech on real calls is subtler: expect lower accuracy, trust
the probabilities more than the labels, and listen before acting.
"""


def write_card(folder: Path, results: dict[str, Any], plan: Plan) -> None:
    """Write README.md into `folder` from the results of `evaluate`."""
    audio, text = results["audio"], results["text"]
    content = TEXT.format(
        labels=", ".join(EMOTIONS),
        license=WEIGHTS_LICENSE,
        seed=plan.seed,
        speakers=", ".join(audio["speakers"]),
        num_speakers=len(audio["speakers"]),
        num_all="three",
        audio_rows="\n".join(_audio_row(name, audio[name]) for name in ("ravdess", "nemo", "emodb", "all")),
        interval_model=_interval(audio["interval_no_history"]),
        interval_svm=_interval(audio["interval_svm"]),
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
    (folder / "README.md").write_text(HEAD + content, encoding="utf-8")


def _interval(bounds: tuple[float, float]) -> str:
    return f"[{bounds[0]:.1f}, {bounds[1]:.1f}]"


def _audio_row(name: str, row: dict[str, float]) -> str:
    columns = (row["no_history"], row["history"], row["telephone"], row["svm"])
    return f"| {name} | {row['n']} | " + " | ".join(f"{c:.1f}" for c in columns) + " |"


def _change_row(name: str, row: dict[str, dict[str, float]]) -> str:
    head = row["head"]

    def cell(scores: dict[str, float] | None) -> str:
        return "" if scores is None else f"{scores['mcc']:.3f} / {scores['ap']:.3f}"

    rules = f"{cell(row.get('dot_rule'))} | {cell(row['argmax_rule'])}"
    return f"| {name} | {head['n']} ({head['base_rate']:.2f}) | {cell(head)} | {rules} |"


def _fusion_row(name: str, row: dict[str, float]) -> str:
    columns = (row["fused"], row["audio_only"], row["text_only"], row["late_fusion"])
    shown = " | ".join(f"{c:.1f}" for c in columns)
    return f"| {name.replace('_', ' ')} | {row['n']} | {shown} | {row['ece']:.3f} |"


def _confusion(table: list[list[int]]) -> str:
    lines = ["| | " + " | ".join(EMOTIONS) + " |", "|---|" + "---|" * len(EMOTIONS)]
    lines += [f"| {e} | " + " | ".join(map(str, row)) + " |" for e, row in zip(EMOTIONS, table, strict=True)]
    return "\n".join(lines)
