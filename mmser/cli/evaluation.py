"""What `mmser evaluate` and `mmser baseline` do once their options are read."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from mmser.cli.console import Progress
from mmser.cli.corpora import data_folder, read_corpora
from mmser.cli.request import Request
from mmser.data import Example
from mmser.errors import AudioError, DataError, UsageError
from mmser.evaluation.baseline_models import BASELINES, FeatureCache, needs
from mmser.evaluation.candidates import Baseline, Candidate, FinishedModel, Judge, ModelJudge
from mmser.evaluation.comparing.answers import check_answerable, write_answers
from mmser.evaluation.comparing.contenders import ALL
from mmser.evaluation.damage.degradations import (
    DEGRADATIONS,
    Degradation,
    altered,
    read_surroundings,
    surround,
)
from mmser.evaluation.division.folds import require_clean
from mmser.evaluation.division.known_speakers import read_training_data, require_unseen
from mmser.evaluation.division.protocols import PROTOCOLS, make_folds
from mmser.evaluation.evaluating import Damage, Evaluator, Spliced, Steps, Wanted
from mmser.evaluation.judged import Judged
from mmser.evaluation.judging import Alter, is_labelled
from mmser.evaluation.page.html import render_html
from mmser.evaluation.page.markdown import render_markdown
from mmser.evaluation.page.terminal import render_text
from mmser.evaluation.recognised import RecognisedWords
from mmser.evaluation.result import Evaluation, TimelineScores
from mmser.evaluation.sounds import Sounds, Unpacked
from mmser.evaluation.spliced import spliced_scores
from mmser.evaluation.telling import joined, passed_over, unnamed, without_scripts
from mmser.labels import EMOTIONS
from mmser.loading import load_model, locate
from mmser.pipeline import set_threads
from mmser.report.writing import check_outputs, write_outputs
from mmser.transcription import open_recogniser

FILES = {"html": "evaluation.html", "md": "evaluation.md", "json": "evaluation.json", "csv": "answers.csv"}
DEFAULT = "default"
VALIDATED = "the model's temperatures and thresholds were chosen on validation rows"
SEVERAL_FOLDS = "no calls are spliced of several folds; change points are scored with --protocol split"
AUTO = ("majority", "svm", "tfidf")


def targets(output: Path | None, corpora: Path, *, overwrite: bool) -> dict[str, Path]:
    """Return the files of a result, which must not stand there yet unless they may be replaced.

    Raises:
        UsageError: if one of them is the data that are read.
        OutputError: if one stands there, or cannot.
    """
    if output is None:
        return {}
    files = {kind: output / name for kind, name in FILES.items()}
    if corpora.resolve() in {file.resolve() for file in files.values()}:
        raise UsageError(f"-o {output} would be written over the data {corpora}; choose another folder")
    check_outputs(files.values(), overwrite=overwrite)
    return files


class Session:
    """The data of a request, divided by its protocol and found clean; a context manager."""

    def __init__(self, request: Request, progress: Progress) -> None:
        self.request, self.progress, self.steps = request, progress, Steps(progress)
        self._stack = ExitStack()
        self.features = FeatureCache()

    def __enter__(self) -> "Session":
        try:
            self._open(self.request)
        except BaseException:
            self._stack.close()
            raise
        return self

    def _open(self, request: Request) -> None:
        set_threads(request.threads)
        _check_options(request)
        self.folder = data_folder(request.data)
        self.dataset, told = read_corpora(request.corpora, self.folder)
        self.examples = self._stack.enter_context(Unpacked(self.dataset))
        self.sounds = self._stack.enter_context(Sounds())
        if request.split == "all":
            self.examples = [replace(example, split="test") for example in self.examples]
        self.examples, script = without_scripts(self.examples)
        self.division = make_folds(
            self.examples,
            request.protocol,
            folds=request.folds,
            seed=request.seed,
            split="validation" if request.split == "validation" else "test",
        )
        check_answerable(self.scored, self.labels())
        if any(example.corpus == ALL for example in self.examples):
            raise DataError(f"a corpus is called {ALL!r}, which stands for all together here; rename it")
        marks = [require_clean(fold, request.allow_overlap) for fold in self.division.folds]
        self.mark = "; ".join(dict.fromkeys(mark for mark in marks if mark)) or None
        self.warnings = [*told, *script, *self.division.warnings, *unnamed(self.scored)]
        tested = [example for fold in self.division.folds for example in fold.test]
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


def run(
    request: Request, files: Mapping[str, Path], progress: Progress, *, as_json: bool, overwrite: bool
) -> str:
    """Evaluate a model, or the trainings of a configuration, and return what is printed."""
    with Session(request, progress) as session:
        candidate, mark = _candidate(request, session)
        session.mark = joined(session.mark, mark)
        evaluation, judged = _evaluate(candidate, request, session)
    return deliver(evaluation, judged, files, as_json=as_json, overwrite=overwrite)


def run_baseline(name: str, session: Session, files: Mapping[str, Path], *, overwrite: bool) -> Evaluation:
    """Train and score one baseline."""
    request = replace(session.request, model=name, command="baseline")
    candidate = Baseline(name, session.features, request.seed, session.labels(), session.steps)
    evaluation, judged = _evaluate(candidate, request, session)
    chosen = {f"chosen, fold {fold}": what for fold, what in candidate.chosen.items() if what}
    evaluation = replace(evaluation, settings={**evaluation.settings, **chosen})
    deliver(evaluation, judged, files, as_json=False, overwrite=overwrite)
    return evaluation


def _evaluate(candidate: Candidate, request: Request, session: Session) -> tuple[Evaluation, Judged]:
    wanted, warnings = _wanted(request, session)
    evaluator = Evaluator(candidate, wanted, session.steps)
    evaluation, judged = evaluator.evaluate(
        session.division,
        session.examples,
        mark=session.mark,
        warnings=[*session.warnings, *warnings],
        settings=request.shown(),
    )
    if request.split == "all":
        whole = replace(evaluation.protocol, split="all", description="all rows, whatever their split")
        evaluation = replace(evaluation, protocol=whole)
    return evaluation, judged


def deliver(
    evaluation: Evaluation, judged: Judged, files: Mapping[str, Path], *, as_json: bool, overwrite: bool
) -> str:
    """Write the files of a result, all or none, and return what is printed."""
    from json import dumps

    document = dumps(evaluation.to_dict(), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    if files:
        contents = {
            files["html"]: render_html(evaluation),
            files["md"]: render_markdown(evaluation),
            files["json"]: document,
            files["csv"]: write_answers(judged),
        }
        write_outputs(contents, overwrite=overwrite)
    if as_json:
        return document
    written = f"\n\nReport: {files['html']}" if files else ""
    return render_text(evaluation) + written


def _check_options(request: Request) -> None:
    if (request.noise or request.rooms) and not request.robustness:
        raise UsageError(
            "--noise and --rooms are heard with --robustness alone; give that too, or leave them out"
        )
    if request.protocol not in PROTOCOLS:
        raise UsageError(f"--protocol {request.protocol!r} is not known; it is one of {', '.join(PROTOCOLS)}")
    if request.split not in ("test", "validation", "all"):
        raise UsageError(f"--split {request.split!r} is not known; it is test, validation or all")
    if request.split != "test" and request.protocol != "split":
        raise UsageError(
            f"--split {request.split} goes with --protocol split; {request.protocol} tests every row itself"
        )


def _candidate(request: Request, session: Session) -> tuple[Candidate, str | None]:
    """Return what is evaluated, and what must stand beside its numbers."""
    if request.model.endswith((".yaml", ".yml")):
        return _trained(request, session)
    if request.protocol != "split":
        raise UsageError(
            f"--protocol {request.protocol} trains a model on each fold, and {request.model} is trained "
            "already; give a configuration to train (.yaml), see `mmser baseline`, or leave --protocol out"
        )
    source = None if request.model == DEFAULT else request.model
    _, folder = locate(source)
    known = read_training_data(folder)
    scored = session.scored
    mark = require_unseen(scored, known, request.allow_overlap, split=session.division.split)
    model, processor, info = load_model(source)
    judge = ModelJudge(model=model, processor=processor, sounds=session.sounds, progress=session.steps)
    told = ", ".join(known.corpora) if known is not None else "not known"
    strange = set() if known is None else {e.corpus for e in scored} - set(known.corpora)
    if session.division.split == "validation" and {e.corpus for e in scored} - strange:
        mark = joined(mark, VALIDATED)
    if strange:
        session.warnings.append(
            f"the model has seen {told}; whether these rows are among them is told by the names of speakers "
            "and dialogues alone"
        )
    return FinishedModel(judge, info, told), mark


def _trained(request: Request, session: Session) -> tuple[Candidate, str | None]:
    from mmser.training.config import read_config
    from mmser.training.trained_folds import TrainedOnFolds

    path, seed = Path(request.model), request.training_seed
    config = read_config(path, [] if seed is None else [f"seed={seed}"])
    if request.work is None:
        raise UsageError("trainings need a folder for their checkpoints; give -o, or --work")
    mark = None
    if config.model.start_from is not None:  # whom that model knows is known to all that go on from it
        begun = None if config.model.start_from == DEFAULT else config.model.start_from
        known = read_training_data(locate(begun)[1])
        mark = require_unseen(session.scored, known, request.allow_overlap)
    candidate = TrainedOnFolds(
        path.stem,
        config,
        session.dataset,
        session.folder,
        request.work,
        session.sounds,
        restart=request.restart,
        allow_overlap=request.allow_overlap,
        quiet=request.quiet,
        progress=session.steps,
    )
    return candidate, mark


def _wanted(request: Request, session: Session) -> tuple[Wanted, list[str]]:
    baselines, warnings = _baselines(request, session)
    wanted = Wanted(
        views=request.views,
        asr=None if request.asr is None else RecognisedWords(open_recogniser(request.asr)),
        baselines=baselines,
        degradations=DEGRADATIONS if request.robustness else (),
        robustness_rows=request.robustness_rows,
        damage=_damage(request, session),
        spliced=_spliced(request, session),
        fairness=request.fairness,
        draws=request.draws,
        seed=request.seed,
    )
    return wanted, warnings


def _damage(request: Request, session: Session) -> Damage | None:
    """Return what damages the rows of a fold; None where that is not wanted."""
    if not request.robustness:
        return None
    recorded = read_surroundings(noises=request.noise, rooms=request.rooms)

    def of_fold(scored: Sequence[Example]) -> Callable[[Degradation], Alter]:
        around = surround(scored, session.sounds, recorded, seed=request.seed)
        return lambda degradation: altered(degradation, around, seed=request.seed)

    return of_fold


def _spliced(request: Request, session: Session) -> Spliced | None:
    """Return what splices calls of a fold's clips and scores them; None where it is not wanted."""
    if not request.spliced_calls:
        return None
    if len(session.division.folds) > 1:
        return lambda judge, scored: SEVERAL_FOLDS

    def score(judge: Judge, scored: Sequence[Example]) -> TimelineScores | str | None:
        clips = [e for e in scored if e.audio is not None and e.speaker and e.dialogue_id is None]
        if not clips or not isinstance(judge, ModelJudge):
            return None
        try:
            return spliced_scores(
                clips,
                judge.model,
                judge.processor,
                calls_per_speaker=request.spliced_calls,
                seed=request.seed,
                draws=request.draws,
                progress=session.progress,
            )
        except (AudioError, DataError) as error:  # no reason to lose all other numbers
            return str(error)

    return score


def baseline_names(text: str, examples: Sequence[Example]) -> tuple[str, ...]:
    """Return the baselines that a user names, or those that fit the data.

    Raises:
        UsageError: if one is unknown.
    """
    if text == "none":
        return ()
    if text == "all":
        return _fitting(BASELINES, examples)
    if text == "auto":
        return _fitting(AUTO, examples)
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
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


def _baselines(request: Request, session: Session) -> tuple[tuple[Candidate, ...], list[str]]:
    names = baseline_names(request.baselines, session.scored)
    if names and not all(fold.train for fold in session.division.folds):
        return (), [
            "the data have no training rows, so that no baseline stands beside the numbers; mmser baseline "
            "with --protocol leave-one-speaker-out or speaker-folds trains some on these rows"
        ]
    labels = session.labels()
    return tuple(Baseline(name, session.features, request.seed, labels, session.steps) for name in names), []
