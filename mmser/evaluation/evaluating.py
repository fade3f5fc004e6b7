"""One evaluation: every fold judged, beside views and baselines, whole and damaged, and everything scored."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from mmser import __version__
from mmser.data import Example
from mmser.errors import DataError
from mmser.evaluation.candidates import Candidate, Judge
from mmser.evaluation.comparing.contenders import ALL, contend, corpora_of, rows_of
from mmser.evaluation.damage.degradations import Degradation
from mmser.evaluation.damage.robustness import compare_degraded
from mmser.evaluation.defaults import DRAWS, ROBUSTNESS_ROWS
from mmser.evaluation.division.data_info import data_info
from mmser.evaluation.division.folds import Division, Fold
from mmser.evaluation.judged import Judged, join, name_of, where
from mmser.evaluation.judging import Alter, is_labelled
from mmser.evaluation.recognised import RecognisedWords
from mmser.evaluation.result import (
    SCHEMA,
    Contender,
    Degraded,
    Evaluation,
    Gap,
    Part,
    TimelineScores,
)
from mmser.evaluation.scores.change_scores import change_scores
from mmser.evaluation.scores.emotion_scores import emotion_scores
from mmser.evaluation.scores.fairness import gaps
from mmser.evaluation.scores.intensity_scores import intensity_scores
from mmser.evaluation.scores.multi_label import multi_label_scores
from mmser.evaluation.scores.timeline_scores import dialogue_timeline
from mmser.evaluation.telling import (
    joined,
    leaks,
    one_class,
    protocol_info,
    some_rows,
    unknown_labels,
    unscored_labels,
)
from mmser.evaluation.views import ONE_KIND, is_of_one_kind, views_of
from mmser.progress import ProgressCallback, ignore_progress

# Scores of calls made of clips; or why none could be made, None where there are no such clips.
Spliced = Callable[[Judge, Sequence[Example]], TimelineScores | str | None]
# Of the rows of a fold, whose voices and words it may take: what makes a degradation of them.
Damage = Callable[[Sequence[Example]], Callable[[Degradation], Alter]]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What an evaluation holds beside the scores themselves."""

    views: bool = True  # each modality alone, and without context
    asr: RecognisedWords | None = None  # recognised words in place of given ones
    baselines: tuple[Candidate, ...] = ()
    degradations: tuple[Degradation, ...] = ()
    robustness_rows: int = ROBUSTNESS_ROWS
    damage: Damage | None = None
    fairness: bool = True
    spliced: Spliced | None = None  # calls made of single clips, for change points
    draws: int = DRAWS
    seed: int = 0


@dataclass
class _Heard:
    """What was said of the folds so far."""

    own: list[Judged] = field(default_factory=list)
    validation: list[Judged] = field(default_factory=list)  # of corpora with several labels a row
    others: dict[str, list[Judged]] = field(default_factory=dict)  # view or baseline → its folds
    notes: dict[str, str] = field(default_factory=dict)
    clean: list[Judged] = field(default_factory=list)  # the rows that were damaged, as they are
    damaged: dict[Degradation, list[Judged]] = field(default_factory=dict)
    thresholds: dict[str, tuple[float, float]] = field(default_factory=dict)  # of intensity, by fold
    failed: set[str] = field(default_factory=set)  # baselines that could not be fitted on every fold
    spliced: TimelineScores | None = None
    warnings: list[str] = field(default_factory=list)


class Steps:
    """Tells the progress of judging under the name of the step, and the fold, that it serves."""

    def __init__(self, progress: ProgressCallback = ignore_progress) -> None:
        self._progress, self.step, self.fold = progress, "judging", ""
        self._told = False  # whether anything was said of the step that runs

    def __call__(self, stage: str, done: float, total: float) -> None:
        """Show how far a stage has come, in its own unit."""
        named = {
            "judging": self.step,
            "listening": f"{self.step}, features",
            "fitting": f"{self.step}, epochs",
        }
        self._progress(f"{self.fold}{named[stage]}" if stage in named else stage, done, total)
        self._told = True

    def begin(self, step: str) -> None:
        """Name the step that runs from here on."""
        self.step, self._told = step, False

    def end(self) -> None:
        """Say that the step is done, where its parts said nothing of it."""
        if not self._told:
            self._progress(f"{self.fold}{self.step}", 1, 1)


class Evaluator:
    """Takes a candidate through the folds of a protocol."""

    def __init__(self, candidate: Candidate, wanted: Wanted, progress: "Steps | None" = None) -> None:
        self.candidate, self.wanted = candidate, wanted
        self.progress = Steps() if progress is None else progress
        self.heard = _Heard()
        self.seconds: dict[str, float] = {}

    def evaluate(
        self,
        division: Division,
        everything: Sequence[Example],
        *,
        mark: str | None,
        warnings: Sequence[str] = (),
        settings: Mapping[str, str] | None = None,
    ) -> tuple[Evaluation, Judged]:
        """Judge and score all folds.

        Args:
            division: the folds of the protocol.
            everything: all rows of the data, of all splits, for what is said of them.
            mark: what must stand beside every number, beside what the model says itself.
            warnings: what must be told.
            settings: the command's options.

        Returns:
            The result, and the rows that it is made from.

        Raises:
            DataError: if no row of any fold got an answer.
        """
        for number, fold in enumerate(division.folds):
            several = len(division.folds) > 1
            self.progress.fold = f"{fold.name} ({number + 1} of {len(division.folds)}), " if several else ""
            self._fold(fold)
        self.progress.fold = ""
        judged = join(self.heard.own)
        if not len(judged):
            raise DataError(self._unanswered(judged))
        with self._timed("scoring", told=True):
            parts = self._parts(judged, joined(mark, *leaks(self.candidate.about.training_mark)))
        rows = [example for fold in division.folds for example in fold.test if is_labelled(example)]
        if self.wanted.views and self.candidate.about.kind != "baseline" and is_of_one_kind(rows):
            self.heard.warnings.append(ONE_KIND)
        with self._timed("hashing files", told=True):
            # A finished model's own training is not of this run.
            trained = self.candidate.about.kind != "model"
            used = [e for fold in division.folds for e in (*fold.train, *fold.validation) if trained]
            data = data_info(rows, everything, used)
        result = Evaluation(
            schema=SCHEMA,
            mmser_version=__version__,
            model=self.candidate.about,
            protocol=protocol_info(division, self.wanted.draws),
            data=data,
            mark=joined(mark, *leaks(self.candidate.about.training_mark)),
            parts=parts,
            views=self._contenders(judged, baselines=False),
            baselines=self._contenders(judged, baselines=True),
            gaps=self._gaps(judged),
            robustness=self._robustness(),
            left_out=dict(judged.left_out),
            warnings=tuple(
                dict.fromkeys(  # what is told of several folds is told once
                    [
                        *warnings,
                        *self.candidate.warnings,
                        *self.heard.warnings,
                        *(told for one in self._beside() for told in one.warnings),
                        *unknown_labels(judged),
                        *one_class(judged),
                        *unscored_labels(judged, parts),
                    ]
                )
            ),
            seconds={step: round(spent, 1) for step, spent in self.seconds.items()},
            settings=dict(settings or {}),
        )
        return result, judged

    def _unanswered(self, judged: Judged) -> str:
        """Say why no row got an answer."""
        name, why = next(iter(judged.left_out.items()), ("", ""))
        if name:
            return (
                f"none of the {len(judged.left_out)} rows that test got an answer; the first, {name}: {why}"
            )
        return (
            f"none of the rows that test carries an emotion, and {self.candidate.about.id} answers nothing "
            "else; fill in emotion, or score a model that judges what they are labelled with"
        )

    def _beside(self) -> list[Candidate]:
        """Return the baselines that stand beside the numbers."""
        return [one for one in self.wanted.baselines if one.about.id not in self.heard.failed]

    # --- judging -----------------------------------------------------------------------------------------

    def _fold(self, fold: Fold) -> None:
        heard = self.heard
        with self._timed("training" if self.candidate.about.kind != "model" else "loading"):
            judge = self.candidate.fit(fold)
        with self._timed("judging"):
            own = judge.judge(fold.test, fold=fold.name)
        heard.own.append(own)
        if judge.intensity_thresholds is not None:
            heard.thresholds[fold.name] = judge.intensity_thresholds
        with self._timed("judging"):
            self._validation(fold, judge)
        if self.wanted.views and self.candidate.about.kind != "baseline":
            with self._timed("views"):
                self._views(fold, judge)
        if self.wanted.asr is not None:
            with self._timed("recognising words"):
                self._recognised(fold, judge, self.wanted.asr)
        for baseline in self.wanted.baselines:
            if baseline.about.id in heard.failed:
                continue
            with self._timed(f"baseline {baseline.about.id}", told=True):
                self._baseline(fold, baseline)
        with self._timed("robustness"):
            self._damage(fold, judge, own)
        if self.wanted.spliced is not None:
            with self._timed("spliced calls"):
                found = self.wanted.spliced(judge, [e for e in fold.test if name_of(e) not in own.left_out])
            if isinstance(found, str):
                heard.warnings.append(found)
            else:
                heard.spliced = found

    def _recognised(self, fold: Fold, judge: Judge, words: RecognisedWords) -> None:
        """Judge the same dialogues with recognised words; only rows that have both kinds are compared."""
        rows = [e for e in fold.test if is_labelled(e) and e.audio is not None and e.text]
        both = {name_of(e) for e in rows if words.knows(e)}
        strange = sorted({str(e.language) for e in rows if not words.knows(e)})
        if strange:
            self.heard.warnings.append(
                f"{words.recogniser.name} does not know the language{'s' * (len(strange) > 1)} "
                f"{', '.join(strange)}: words of such rows are not recognised"
            )
        if not rows:
            self.heard.warnings.append("no row has both sound and given words: none are recognised")
        if not both:
            return
        said = judge.judge(fold.test, alter=words.alter, fold=fold.name)
        kept = np.array([name_of(example) in both for example in said.examples], np.bool_)
        self.heard.others.setdefault("recognised words", []).append(where(said, kept))
        self.heard.notes["recognised words"] = words.note()

    def _validation(self, fold: Fold, judge: Judge) -> None:
        """Judge the validation rows of corpora whose rows may carry several labels: thresholds need them."""
        several = {e.corpus for e in fold.test if len(e.emotions) > 1}
        rows = [e for e in fold.validation if e.corpus in several and e.emotions]
        if rows:
            self.heard.validation.append(judge.judge(rows, fold=fold.name))

    def _views(self, fold: Fold, judge: Judge) -> None:
        for view in views_of(fold.test):
            self.progress.step = view.name
            said = judge.judge(view.rows, alter=view.alter, context=view.context, fold=fold.name)
            kept = np.array([name_of(example) in view.told for example in said.examples], np.bool_)
            self.heard.others.setdefault(view.name, []).append(where(said, kept))

    def _baseline(self, fold: Fold, baseline: Candidate) -> None:
        try:
            said = baseline.fit(fold).judge(fold.test, fold=fold.name)
        except DataError as error:  # no reason to lose the model's own numbers
            self.heard.warnings.append(f"the baseline {baseline.about.id} is left out: {error}")
            self.heard.failed.add(baseline.about.id)
            self.heard.others.pop(baseline.about.id, None)
            return
        self.heard.others.setdefault(baseline.about.id, []).append(said)

    def _damage(self, fold: Fold, judge: Judge, own: Judged) -> None:
        if not self.wanted.degradations or self.wanted.damage is None:
            return
        rows = some_rows(fold.test, self.wanted.robustness_rows, self.wanted.seed)
        if not any(is_labelled(e) for e in rows):
            return
        damage = self.wanted.damage([e for e in fold.test if name_of(e) not in own.left_out])
        self.progress.step = "robustness, clean"
        self.heard.clean.append(judge.judge(rows, fold=fold.name))
        for degradation in self.wanted.degradations:
            if not any(map(degradation.concerns, rows)):  # words, of data that have none
                continue
            self.progress.step = f"robustness, {degradation.name}"
            said = judge.judge(rows, alter=damage(degradation), fold=fold.name)
            self.heard.damaged.setdefault(degradation, []).append(said)

    # --- scoring -----------------------------------------------------------------------------------------

    def _parts(self, judged: Judged, mark: str | None) -> tuple[Part, ...]:
        return tuple(self._part(judged, corpus, mark) for corpus in corpora_of(judged))

    def _part(self, judged: Judged, corpus: str, mark: str | None) -> Part:
        draws = {"draws": self.wanted.draws, "seed": self.wanted.seed}
        rows = rows_of(judged, corpus)
        several = None
        if self.heard.validation and corpus != ALL:
            held = rows_of(join(self.heard.validation), corpus)
            several = multi_label_scores(rows, held, **draws) if len(held) else None
        ends = self.heard.thresholds
        return Part(
            data=corpus,
            n=len(rows),
            mark=mark,
            emotion=emotion_scores(rows, **draws),
            multi_label=several,
            intensity=intensity_scores(rows, ends, **draws) if ends else None,
            change=change_scores(rows, **draws),
            timeline=self._timeline(rows, corpus, first=corpus == corpora_of(judged)[0]),
        )

    def _timeline(self, rows: Judged, corpus: str, *, first: bool) -> TimelineScores | None:
        """Return scores in seconds: of calls where the corpus has such, else of those made of all clips."""
        found = None
        if corpus != ALL:
            found = dialogue_timeline(rows, draws=self.wanted.draws, seed=self.wanted.seed)
        return self.heard.spliced if found is None and first else found

    def _contenders(self, judged: Judged, *, baselines: bool) -> tuple[Contender, ...]:
        names = {candidate.about.id for candidate in self.wanted.baselines}
        found: list[Contender] = []
        for name, folds in self.heard.others.items():
            if (name in names) == baselines:
                found += contend(
                    judged,
                    join(folds),
                    name,
                    draws=self.wanted.draws,
                    seed=self.wanted.seed,
                    note=self.heard.notes.get(name, ""),
                )
        return tuple(found)

    def _gaps(self, judged: Judged) -> tuple[Gap, ...]:
        if not self.wanted.fairness:
            return ()
        with self._timed("fairness", told=True):
            return gaps(judged, draws=self.wanted.draws, seed=self.wanted.seed)

    def _robustness(self) -> tuple[Degraded, ...]:
        if not self.heard.clean:
            return ()
        clean = join(self.heard.clean)
        found = []
        with self._timed("robustness"):
            for degradation, folds in self.heard.damaged.items():
                for corpus in corpora_of(clean):
                    row = compare_degraded(
                        rows_of(clean, corpus),
                        rows_of(join(folds), corpus),
                        degradation,
                        data=corpus,
                        draws=self.wanted.draws,
                        seed=self.wanted.seed,
                    )
                    found += [] if row is None else [row]
        return tuple(found)

    @contextmanager
    def _timed(self, step: str, *, told: bool = False) -> Iterator[None]:
        """Measure a step; `told` = say at its end that it is done, where nothing in it does."""
        begun = time.monotonic()
        self.progress.begin(step)
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.monotonic() - begun
        if told:
            self.progress.end()
