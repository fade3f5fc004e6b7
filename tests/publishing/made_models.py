"""A tiny model's folder as a training and an evaluation leave it."""

import json
from dataclasses import replace
from importlib import resources
from pathlib import Path

from mmser.evaluation.division.training_data import SeenCorpus, TrainingData, write_training_data
from mmser.evaluation.result import Evaluation
from mmser.loading import describe_model
from tests.model_fixtures import save_tiny

FOLDER = Path(str(resources.files("mmser") / "assets" / "model"))
EVALUATION = Evaluation.from_dict(json.loads((FOLDER / "evaluation.json").read_text("utf-8")))


def seen(rows: int = 7) -> SeenCorpus:
    return SeenCorpus(
        rows={"train": rows}, speakers={"train": ()}, dialogues={"train": ""}, unnamed={"train": ""}
    )


def publishable(
    folder: Path, *, licence: str = "CC-BY-NC-SA-4.0", corpora: tuple[str, ...] = ("ravdess",)
) -> Path:
    """Save a tiny model that can be published as it is."""
    save_tiny(folder, weights_license=licence)
    write_training_data(TrainingData(corpora={name: seen() for name in corpora}), folder)
    model = describe_model(folder)
    about = replace(EVALUATION.model, revision=model.revision, labels=model.labels, id=folder.name)
    evaluation = replace(EVALUATION, model=about)
    (folder / "evaluation.json").write_text(json.dumps(evaluation.to_dict()), "utf-8")
    return folder
