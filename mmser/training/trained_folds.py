"""A training's configuration as what is evaluated: one model for each fold of a protocol."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from datasets import Dataset, disable_progress_bars

from mmser.data import Example
from mmser.evaluation.candidates import Judge, ModelJudge
from mmser.evaluation.division.folds import Fold
from mmser.evaluation.result import Evaluated
from mmser.evaluation.sounds import Sounds
from mmser.labels import EMOTIONS
from mmser.loading import load_model
from mmser.progress import ProgressCallback, ignore_progress
from mmser.training.checkpoint import digest
from mmser.training.config import STAGES, TrainingConfig
from mmser.training.run import train_on


class TrainedOnFolds:
    """Trains a model on the training rows of a fold, calibrates it on its validation rows.

    Folds that are finished in the work folder are not trained again.
    """

    def __init__(
        self,
        name: str,
        config: TrainingConfig,
        dataset: Dataset,
        data: Path,
        work: Path,
        sounds: Sounds,
        *,
        restart: bool = False,
        allow_overlap: bool = False,
        quiet: bool = False,
        progress: ProgressCallback = ignore_progress,
    ) -> None:
        disable_progress_bars()  # of the library's own steps
        self.config, self.dataset, self.data, self.work = config, dataset, data, work
        self.sounds, self.allow_overlap, self.quiet, self.progress = sounds, allow_overlap, quiet, progress
        self.restart = restart
        self.about = Evaluated(
            id=name,
            kind="training",
            revision=digest(config.model_dump(mode="json", include={"seed", "model", *STAGES})),
            license=config.license,
            labels=EMOTIONS,
            trained_on="the training rows of each fold",
        )

    def fit(self, fold: Fold) -> Judge:
        """Train on a fold, or go on with the training that was stopped, and load the model."""
        folder = self.work / re.sub(r"[^\w.-]+", "_", fold.name)
        rows = rows_of_fold(self.dataset, fold)
        trained = train_on(
            self.config,
            rows,
            self.data,
            folder,
            folder / "model",
            restart=self.restart,
            allow_overlap=self.allow_overlap,
            quiet=self.quiet,
        )
        self.about = replace(self.about, license=trained.license)
        model, processor, _ = load_model(trained.model)
        return ModelJudge(model=model, processor=processor, sounds=self.sounds, progress=self.progress)


def rows_of_fold(dataset: Dataset, fold: Fold) -> Dataset:
    """Return the training and validation rows of a fold, marked as such; nothing of its test rows.

    Args:
        dataset: with `FEATURES`; an id is unique within its corpus.
        fold: made from these rows.
    """
    split = {_key(e): part for part in ("train", "validation") for e in getattr(fold, part)}
    keys = list(zip(dataset["corpus"], dataset["id"], strict=True))
    kept = [place for place, key in enumerate(keys) if key in split]
    names: list[Any] = [split[keys[place]] for place in kept]
    features = dataset.features
    chosen = dataset.select(kept).remove_columns("split")
    return chosen.add_column("split", names, feature=features["split"]).select_columns(list(features))


def _key(example: Example) -> tuple[str, str]:
    return example.corpus, example.id
