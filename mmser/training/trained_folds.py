"""A training's configuration as what is evaluated: one model for each fold of a protocol."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from datasets import Dataset, disable_progress_bars

from mmser.data import Example
from mmser.data.tables import listing
from mmser.errors import DataError
from mmser.evaluation.candidates import Judge, ModelJudge
from mmser.evaluation.division.folds import Fold
from mmser.evaluation.judged import name_of
from mmser.evaluation.result import Evaluated
from mmser.evaluation.sounds import Sounds
from mmser.labels import EMOTIONS
from mmser.loading import load_model
from mmser.model import MmserModel
from mmser.progress import ProgressCallback, ignore_progress
from mmser.training.calibration import FEW
from mmser.training.checkpoint import digest
from mmser.training.config import STAGES, TrainingConfig
from mmser.training.log import CONSOLE
from mmser.training.rows import leave_out, unusable
from mmser.training.run import train_on
from mmser.training.work import make_folder


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
        self.uncalibrated: dict[str, list[str]] = {}  # what a model was not calibrated on → folds
        self.left_out: dict[str, str] = {}  # training and validation rows of all folds → why
        # Clips that cannot be used; None = not looked yet.
        self._bad: dict[tuple[str, str], str] | None = None
        self.about = Evaluated(
            id=name,
            kind="training",
            revision=digest(config.model_dump(mode="json", include={"seed", "model", *STAGES})),
            license=config.license,
            labels=EMOTIONS,
            trained_on="the training rows of each fold",
        )

    @property
    def warnings(self) -> Sequence[str]:
        """Return what was not trained on, and whose probabilities are not calibrated."""
        many = f"{len(self.left_out)} clip" + ("s" if len(self.left_out) > 1 else "")
        told = [
            f"trained and calibrated without {many} that cannot be used; the first, {name}: {why}"
            for name, why in [*self.left_out.items()][:1]
        ]
        return told + [
            f"the temperature of {what} was not fitted in {listing(folds)}, where fewer than {FEW} "
            "validation rows tell of it: these probabilities, and when the model abstains, are not calibrated"
            for what, folds in self.uncalibrated.items()
        ]

    def fit(self, fold: Fold) -> Judge:
        """Train on a fold, or go on with the training that was stopped, and load the model."""
        self._leave_out(fold)
        folder = self.work / folder_name(fold.name)
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
        for what in self._uncalibrated(fold, model):
            self.uncalibrated.setdefault(what, []).append(fold.name)
        return ModelJudge(model=model, processor=processor, sounds=self.sounds, progress=self.progress)

    def _leave_out(self, fold: Fold) -> None:
        """Take clips that cannot be used out of the data, and keep which of them this fold would train on.

        Raises:
            DataError: if none is left to train on.
        """
        if self._bad is None:
            make_folder(self.work, "--work")
            CONSOLE.quiet = self.quiet
            found = unusable(self.dataset, self.data, self.work)
            self._bad = {(corpus, name): why for corpus, name, why in found}
            if found:
                self.dataset = leave_out(self.dataset, {*self._bad})
        bad = self._bad
        own = {name_of(e): bad[_key(e)] for e in (*fold.train, *fold.validation) if _key(e) in bad}
        self.left_out |= own
        if all(_key(e) in bad for e in fold.train):
            name, why = next(iter(own.items()), ("", "there is no row"))
            raise DataError(
                f"none of the {len(fold.train)} training rows of {fold.name} can be used; the first, {name}: "
                f"{why}"
            )

    def _uncalibrated(self, fold: Fold, model: MmserModel) -> list[str]:
        """Return what test rows hold, and too few validation rows for a temperature."""
        fitted = set() if self.config.model.start_from else set(changed_temperatures(model))
        kinds = [_kinds(e) for e in fold.validation if e.emotions]
        tested = {_kinds(e)[0] for e in fold.test if e.emotions and _kinds(e)}
        return [
            said
            for kind, said in SAID.items()
            # Some stages also count training speakers, as heard by models that were trained without them.
            if kind in tested and sum(kind in own for own in kinds) < FEW and kind not in fitted
        ]


SAID = {"fused": "sound with words", "audio": "sound alone", "text": "words alone"}


def changed_temperatures(model: MmserModel) -> list[str]:
    """Return what a model has a temperature of its own for."""
    calibration: dict[str, float] = model.config.calibration
    return [kind for kind in SAID if calibration.get(f"emotion.{kind}", 1.0) != 1.0]


def _kinds(example: Example) -> tuple[str, ...]:
    """Return what a row is judged as, and what else its parts tell of."""
    sound, words = example.audio is not None, bool(example.text)
    if sound and words:
        return ("fused", "audio", "text")
    return (("audio",) if sound else ()) + (("text",) if words else ())


def folder_name(fold: str) -> str:
    """Return a folder's name for a fold, which no other fold gets, on any disk.

    What names it may hold is anybody's choice ("..", "a/b"), and disks take some for one ("A" and "a").
    """
    shown = re.sub(r"[^\w-]+", "_", fold, flags=re.ASCII).strip("_-")[:40]
    digest = hashlib.sha256(fold.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{shown}-{digest}" if shown else digest


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
