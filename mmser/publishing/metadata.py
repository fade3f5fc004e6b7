"""What a card says to the Hub: its YAML metadata, results included."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from huggingface_hub import EvalResult, ModelCardData

from mmser.data.card_facts import FACTS
from mmser.evaluation.result import Evaluation, Part, Score
from mmser.publishing.licence_terms import hub_fields

TASKS: Final = ("audio-classification", "text-classification")
TAGS: Final = ("mmser", "speech-emotion-recognition", "emotion", "multimodal", "call-analytics")
_LANGUAGE: Final = re.compile(r"\(([a-z]{2})\)")


def card_data(
    name: str,
    licence: str,
    languages: Sequence[str],
    corpora: Sequence[str],
    base_models: Sequence[str],
    evaluations: Sequence[Evaluation],
) -> ModelCardData:
    """Return the metadata of a model's card.

    Args:
        name: of the model, without its owner.
        licence: of the weights.
        languages: whose words it reads, ISO 639-1.
        corpora: that it was trained on.
        base_models: Hub ids of the encoders that it was begun with.
        evaluations: of it.
    """
    several = len(evaluations) > 1
    results = [
        one
        for number, evaluation in enumerate(evaluations, 1)
        for one in eval_results(evaluation, f"evaluation {number}" if several else None)
    ]
    spoken = [
        code for corpus in corpora if corpus in FACTS for code in _LANGUAGE.findall(FACTS[corpus].language)
    ]
    fields: dict[str, Any] = hub_fields(licence)
    if results:
        fields |= {
            "eval_results": results,
            "metrics": list(dict.fromkeys(one.metric_type for one in results)),
        }
    if base_models:
        fields["base_model"] = list(base_models) if len(base_models) > 1 else base_models[0]
    datasets = hub_datasets(corpora)
    if datasets:
        fields["datasets"] = datasets
    return ModelCardData(
        model_name=name,
        language=sorted({*languages, *spoken}),
        library_name="transformers",
        pipeline_tag="audio-classification",
        tags=list(TAGS),
        **fields,
    )


def hub_datasets(corpora: Sequence[str]) -> list[str]:
    """Return the Hub's ids of corpora, of those that are there."""
    found = []
    for corpus in corpora:
        hub = FACTS[corpus].hub if corpus in FACTS else None
        match = re.match(r"[\w.-]+/[\w.-]+", hub or "")
        if match is not None:
            found.append(match.group())
    return sorted(set(found))


def eval_results(evaluation: Evaluation, name: str | None = None) -> Iterator[EvalResult]:
    """Yield what the Hub lists: a number for each corpus and metric, its interval and rows beside its name.

    Args:
        evaluation: of the model.
        name: that keeps its numbers from those of another evaluation on the same rows; None = it is alone.
    """
    corpora = [part for part in evaluation.parts if part.data != "all"] or list(evaluation.parts)
    for part in corpora:
        for metric, said, score, scale in _scores(part):
            if score.value is not None:
                yield EvalResult(
                    task_type=TASKS[0],
                    task_name="emotion in speech and words",
                    dataset_type=part.data,
                    dataset_name=FACTS[part.data].title if part.data in FACTS else part.data,
                    dataset_split=evaluation.protocol.split,
                    dataset_config=name,
                    dataset_args={"protocol": evaluation.protocol.name}
                    | ({"mark": part.mark} if part.mark else {}),
                    metric_type=metric,
                    metric_name=f"{said}{_interval(score, scale)}, n={score.n}",
                    metric_value=round(score.value * scale, 4),
                )


def _scores(part: Part) -> Iterator[tuple[str, str, Score, float]]:
    """Yield the Hub's word for a metric, ours, the score, and what brings it to the Hub's scale of 0 to 1."""
    if part.emotion is not None:
        yield "recall", "UAR (macro recall)", part.emotion.uar, 0.01
        yield "accuracy", "WA (accuracy)", part.emotion.accuracy, 0.01
        yield "f1", "macro F1", part.emotion.macro_f1, 0.01
        yield "f1", "weighted F1", part.emotion.weighted_f1, 0.01
        yield "ece", "expected calibration error", part.emotion.calibration.ece, 1
    if part.multi_label is not None:
        yield "f1", "macro F1, several labels", part.multi_label.macro_f1, 0.01
    if part.intensity is not None:
        yield "ccc", "intensity, CCC", part.intensity.ccc, 1
        yield "mae", "intensity, MAE", part.intensity.mae, 1
    if part.change is not None:
        yield "matthews_correlation", "change, MCC", part.change.mcc, 1
        yield "average_precision", "change, average precision", part.change.average_precision, 0.01


def _interval(score: Score, scale: float) -> str:
    if score.low is None or score.high is None:
        return ", no interval"
    return f", 95 % [{score.low * scale:.3f}, {score.high * scale:.3f}]"
