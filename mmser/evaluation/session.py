"""The rows of one evaluation, divided by a protocol and found clean, and what is made of them."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from datasets import Dataset

from mmser.data import Example
from mmser.errors import AudioError, DataError, UsageError
from mmser.evaluation.baseline_models import BASELINES, FeatureCache, needs
from mmser.evaluation.candidates import Baseline, Candidate, FinishedModel, Judge, ModelJudge
from mmser.evaluation.comparing.answers import check_answerable
from mmser.evaluation.comparing.contenders import ALL
from mmser.evaluation.damage.degradations import Degradation, altered, read_surroundings, surround
from mmser.evaluation.defaults import FOLDS
from mmser.evaluation.division.folds import require_clean
from mmser.evaluation.division.known_speakers import known_by, require_unseen
from mmser.evaluation.division.near_copies import near_copies
from mmser.evaluation.division.protocols import make_folds
from mmser.evaluation.division.training_data import read_training_data
from mmser.evaluation.evaluating import Damage, Spliced, Steps
from mmser.evaluation.judging import Alter, is_labelled
from mmser.evaluation.result import TimelineScores
from mmser.evaluation.sounds import Sounds, Unpacked
from mmser.evaluation.spliced import spliced_scores
from mmser.evaluation.telling import joined, passed_over, repeated, unnamed, without_scripts
from mmser.labels import EMOTIONS
from mmser.loading import load_model, locate
from mmser.progress import ProgressCallback, ignore_progress

VALIDATED = "the model's temperatures and thresholds were chosen on validation rows"
SEVERAL_FOLDS = "no calls are spliced of several folds; change points are scored with --protocol split"
NO_CLIPS = "no calls are spliced: no row that tests has sound and a speaker, and is in no dialogue"
AUTO = ("majority", "svm", "tfidf")
NO_TRAINING_ROWS = (
    "the data have no training rows, so that no baseline stands beside the numbers; mmser baseline "
    "with --protocol leave-one-speaker-out or speaker-folds trains some on these rows"
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How rows are divided; see `make_folds`."""

    protocol: str = "split"
    split: str = "test"  # that is scored: test, validation, or all rows
    folds: int = FOLDS
    seed: int = 0
    allow_overlap: bool = False


class Session:
    """The rows of an evaluation, their sound, and the features that its baselines share.

    A context manager: sounds and unpacked clips last as long as it is open.

    Attributes:
        examples: all rows, scripts' words withheld.
        division: the folds.
        mark: what must stand beside every number; None if nothing must.
        warnings: what must be told.

    Raises:
        DataError: on entering, if the rows cannot be divided or answered for; `LeakingSplitError` if a fold
            leaks and that is not allowed.
    """

    def __init__(
        self,
        dataset: Dataset,
        plan: Plan,
        *,
        told: Sequence[str] = (),
        progress: ProgressCallback = ignore_progress,
    ) -> None:
        self.dataset, self.plan, self.progress = dataset, plan, progress
        self.steps, self.features = Steps(progress), FeatureCache()
        self.warnings = list(told)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def _open(self) -> None:
        plan = self.plan
        self.examples: list[Example] = list(self._stack.enter_context(Unpacked(self.dataset)))
        self.sounds = self._stack.enter_context(Sounds())
        if plan.split == "all":
            self.examples = [replace(example, split="test") for example in self.examples]
        self.examples, script = without_scripts(self.examples)
        self.division = make_folds(
            self.examples,
            plan.protocol,
            folds=plan.folds,
            seed=plan.seed,
            split="validation" if plan.split == "validation" else "test",
        )
        if not self.scored:
            count = sum(len(fold.test) for fold in self.division.folds)
            why = f" ({'; '.join(self.warnings)})" if self.warnings else ""
            raise DataError(
                f"none of the {count} rows that test carries a label to compare with{why}; fill in emotion, "
                "intensity or change"
            )
        check_answerable(self.scored, self.labels())
        if any(example.corpus == ALL for example in self.examples):
            raise DataError(f"a corpus is called {ALL!r}, which stands for all together here; rename it")
        near, told = near_copies(self.division, self.sounds, self.steps)
        marks = [require_clean(fold, plan.allow_overlap, near) for fold in self.division.folds]
        self.warnings += told
        self.mark = joined(*marks)
        tested = [example for fold in self.division.folds for example in fold.test]
        self.warnings += [*script, *self.division.warnings, *unnamed(self.scored), *repeated(self.scored)]
        self.warnings += passed_over(tested)

    def __exit__(self, *ended: object) -> None:
        self._stack.close()

    @property
    def scored(self) -> list[Example]:
        """All rows that numbers are of."""
        return [example for fold in self.division.folds for example in fold.test if is_labelled(example)]

    def labels(self) -> tuple[str, ...]:
        """Return the house's classes, or those that occur where there are others among them."""
        found = {label for example in self.examples for label in example.emotions}
        if found <= set(EMOTIONS):
            return EMOTIONS  # as of the models that baselines stand beside
        return (*(e for e in EMOTIONS if e in found), *sorted(found - set(EMOTIONS)))

    # --- what is evaluated -------------------------------------------------------------------------------

    def finished_model(self, source: str | None) -> Candidate:
        """Return a trained model, which must not know the rows; what it may know is marked and told.

        Args:
            source: a model folder or Hub id; None = the default model.

        Raises:
            ModelError: if it cannot be loaded.
            LeakingSplitError: see `require_unseen`.
        """
        known = read_training_data(locate(source)[1])
        scored, validation = self.scored, self.division.split == "validation"
        mark = require_unseen(
            scored, known, self.plan.allow_overlap, split=self.division.split, progress=self.steps
        )
        model, processor, info = load_model(source)
        strange = set() if known is None else {e.corpus for e in scored} - set(known.corpora)
        if validation and {e.corpus for e in scored} - strange:
            mark = joined(mark, VALIDATED)
        told = ", ".join(known.corpora) if known is not None else "not known"
        if known is not None and strange and "overlap allowed" not in (mark or ""):
            self.warnings.append(
                f"the model has seen {told}; these rows are not known to it by {known_by(known)}"
            )
        self.mark = joined(self.mark, mark)
        judge = ModelJudge(model=model, processor=processor, sounds=self.sounds, progress=self.steps)
        return FinishedModel(judge, info, told)

    def baseline(self, name: str) -> Baseline:
        """Return a baseline that is trained on every fold."""
        return Baseline(name, self.features, self.plan.seed, self.labels(), self.steps)

    def require_training_rows(self) -> None:
        """Refuse data that nothing can be trained on.

        Raises:
            DataError: if a fold has no training rows.
        """
        if not all(fold.train for fold in self.division.folds):
            raise DataError(
                "the data have no training rows; fill the column split, name test and validation speakers "
                "under `splits`, or give --protocol leave-one-speaker-out or speaker-folds"
            )

    # --- what stands beside it ---------------------------------------------------------------------------

    def baselines(self, text: str) -> tuple[Baseline, ...]:
        """Return the baselines of `baseline_names`; none, with a warning, where no rows could train them."""
        names = baseline_names(text, self.scored)
        if names and not all(fold.train for fold in self.division.folds):
            self.warnings.append(NO_TRAINING_ROWS)
            return ()
        return tuple(self.baseline(name) for name in names)

    def damage(self, *, noise: Path | None, rooms: Path | None) -> Damage:
        """Return what damages the rows of a fold with recorded noise and rooms, or made ones for None.

        Raises:
            MmserError: if the recordings cannot be read.
        """
        recorded = read_surroundings(noises=noise, rooms=rooms)
        seed = self.plan.seed

        def of_fold(scored: Sequence[Example]) -> Callable[[Degradation], Alter]:
            around = surround(scored, self.sounds, recorded, seed=seed)
            return lambda degradation: altered(degradation, around, seed=seed)

        return of_fold

    def spliced(self, calls_per_speaker: int, draws: int, *, asked: bool = False) -> Spliced | None:
        """Return what splices calls of a fold's clips and scores them; None where there are to be none.

        Args:
            calls_per_speaker: how many are made.
            draws: of the bootstrap.
            asked: whether it must be told that there are no clips to make any of.
        """
        if not calls_per_speaker:
            return None
        if len(self.division.folds) > 1:
            return lambda judge, scored: SEVERAL_FOLDS

        def score(judge: Judge, scored: Sequence[Example]) -> TimelineScores | str | None:
            clips = [e for e in scored if e.audio is not None and e.speaker and e.dialogue_id is None]
            if not clips or not isinstance(judge, ModelJudge):
                return NO_CLIPS if asked else None
            try:
                return spliced_scores(
                    clips,
                    judge.model,
                    judge.processor,
                    calls_per_speaker=calls_per_speaker,
                    seed=self.plan.seed,
                    draws=draws,
                    progress=self.progress,
                )
            except (AudioError, DataError) as error:  # no reason to lose all other numbers
                return str(error)

        return score


def baseline_names(text: str, examples: Sequence[Example]) -> tuple[str, ...]:
    """Return the baselines that a user names, or those that fit the data.

    Args:
        text: "none", "all", "auto" (the quick ones), or names with commas.
        examples: that are scored.

    Raises:
        UsageError: if one is unknown.
    """
    if text == "none":
        return ()
    if text in ("all", "auto"):
        return _fitting(BASELINES if text == "all" else AUTO, examples)
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    several = [name for name in names if name in ("none", "all", "auto")]
    if several:
        raise UsageError(f"{several[0]} stands for baselines of its own; give it alone, or leave it out")
    unknown = [name for name in names if name not in BASELINES]
    if unknown or not names:
        raise UsageError(
            f"there is no baseline {unknown[0] if unknown else text!r}; they are {', '.join(BASELINES)}"
        )
    return names


def _fitting(names: Sequence[str], examples: Sequence[Example]) -> tuple[str, ...]:
    """Return the baselines that the data have something for; scripts tell words nothing."""
    sound = any(example.audio is not None for example in examples)
    words = any(example.text and example.sentence is None for example in examples)
    there = {None: True, "sound": sound, "words": words}
    return tuple(name for name in names if there[needs(name)])
