"""What can be evaluated: a finished model, or something that is trained anew on every fold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mmser.data import Example
from mmser.errors import UsageError
from mmser.evaluation.baseline_models import Baseline as FittedBaseline
from mmser.evaluation.baseline_models import FeatureCache, fit_baseline, in_words
from mmser.evaluation.division.folds import Fold
from mmser.evaluation.judged import Judged, with_context
from mmser.evaluation.judging import Alter, as_it_is, judge
from mmser.evaluation.result import Evaluated
from mmser.evaluation.sounds import Sounds
from mmser.labels import EMOTIONS
from mmser.model import MmserModel, MmserProcessor
from mmser.progress import ProgressCallback, ignore_progress
from mmser.types import ModelInfo


class Judge(Protocol):
    """Something that answers for the rows of one fold."""

    @property
    def intensity_thresholds(self) -> tuple[float, float] | None:
        """Return where low, medium and high part; None where intensity is not judged."""
        ...

    def judge(
        self, examples: Sequence[Example], *, alter: Alter = as_it_is, context: bool = True, fold: str = ""
    ) -> Judged:
        """Return what it says of the labelled ones among some examples."""
        ...


class Candidate(Protocol):
    """What is evaluated."""

    about: Evaluated

    @property
    def warnings(self) -> Sequence[str]:
        """Return what must be told of how it was trained, on all folds so far."""
        ...

    def fit(self, fold: Fold) -> Judge:
        """Return what answers for a fold; what is trained for it has seen its training rows alone."""
        ...


@dataclass(frozen=True, kw_only=True)
class ModelJudge:
    """A loaded model."""

    model: MmserModel
    processor: MmserProcessor
    sounds: Sounds
    progress: ProgressCallback = ignore_progress

    @property
    def intensity_thresholds(self) -> tuple[float, float]:
        """Return where low, medium and high part."""
        low, high = self.model.config.intensity_thresholds
        return float(low), float(high)

    def judge(
        self, examples: Sequence[Example], *, alter: Alter = as_it_is, context: bool = True, fold: str = ""
    ) -> Judged:
        """Return what the model says; see `mmser.evaluation.judging.judge`."""
        return judge(
            self.model,
            self.processor,
            examples,
            self.sounds,
            alter=alter,
            context=context,
            fold=fold,
            progress=self.progress,
        )


class FinishedModel:
    """A model that is already trained: it answers for the split that the data carry, and for no other."""

    def __init__(self, judge: ModelJudge, info: ModelInfo, trained_on: str) -> None:
        self.judge = judge
        self.about = Evaluated(
            id=info.id,
            kind="model",
            revision=info.revision,
            license=info.license,
            labels=info.labels,
            training_mark=info.training_mark,
            trained_on=trained_on,
        )

    @property
    def warnings(self) -> Sequence[str]:
        """Return nothing: it was not trained here."""
        return ()

    def fit(self, fold: Fold) -> Judge:
        """Return the model as it is."""
        return self.judge


@dataclass(frozen=True, kw_only=True)
class _FittedBaseline:
    fitted: FittedBaseline
    intensity_thresholds: tuple[float, float] | None = None

    def judge(
        self, examples: Sequence[Example], *, alter: Alter = as_it_is, context: bool = True, fold: str = ""
    ) -> Judged:
        if alter is not as_it_is or not context:
            raise UsageError("a baseline is judged on the data as they are; leave views and robustness out")
        said = self.fitted.judge([e for e in examples if e.emotions], fold=fold)
        return with_context(said, examples)


class Baseline:
    """A simple model, trained anew on every fold."""

    def __init__(
        self,
        name: str,
        features: FeatureCache,
        seed: int,
        labels: tuple[str, ...] = EMOTIONS,
        progress: ProgressCallback = ignore_progress,
    ) -> None:
        self.name, self.features, self.seed, self.labels = name, features, seed, labels
        self.progress = progress
        self.chosen: dict[str, str] = {}  # fold → what was chosen on its validation rows
        self.left_out: dict[str, str] = {}  # training and validation rows of all folds → why
        self.about = Evaluated(
            id=name,
            kind="baseline",
            revision="",
            license=None,
            labels=labels,
            trained_on="the training rows of each fold",
        )

    @property
    def warnings(self) -> Sequence[str]:
        """Return how many rows it could not be trained or tuned on."""
        if not self.left_out:
            return ()
        many = f"{len(self.left_out)} clip" + ("s" if len(self.left_out) > 1 else "")
        first = next(iter(self.left_out.values()))
        return (
            f"the baseline {self.name} was trained and tuned without {many} that cannot be read: {first}",
        )

    def fit(self, fold: Fold) -> Judge:
        """Train on a fold's training rows; what is to be chosen is chosen on its validation rows."""
        fitted = fit_baseline(
            self.name,
            fold.train,
            fold.validation,
            self.labels,
            features=self.features,
            seed=self.seed,
            progress=self.progress,
        )
        chosen = [in_words(key, value) for key, value in fitted.chosen.items()]
        if chosen:
            # None was fitted where validation rows are few.
            chosen.append(
                "no temperature" if fitted.temperature == 1 else f"temperature {fitted.temperature:.2f}"
            )
        self.chosen[fold.name] = ", ".join(chosen)
        self.left_out |= fitted.left_out
        return _FittedBaseline(fitted=fitted)
