"""What `mmser evaluate` and `mmser baseline` do once their options are read."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mmser.cli.console import Progress, StoppedError
from mmser.cli.corpora import corpora_of, data_folder, read_corpora
from mmser.cli.option_checks import check_options
from mmser.cli.request import Request
from mmser.errors import UsageError
from mmser.evaluation.candidates import Candidate
from mmser.evaluation.comparing.answers import answers_digest, write_answers
from mmser.evaluation.damage.degradations import DEGRADATIONS
from mmser.evaluation.division.known_speakers import require_unseen
from mmser.evaluation.division.protocols import PROTOCOLS
from mmser.evaluation.division.training_data import read_training_data
from mmser.evaluation.evaluating import Evaluator, Wanted
from mmser.evaluation.judged import Judged
from mmser.evaluation.page.html import render_html
from mmser.evaluation.page.markdown import render_markdown
from mmser.evaluation.page.terminal import last_line, render_text
from mmser.evaluation.recognised import RecognisedWords
from mmser.evaluation.result import Evaluation
from mmser.evaluation.session import Plan, Session, baseline_names
from mmser.evaluation.telling import joined
from mmser.loading import locate
from mmser.pipeline import set_threads
from mmser.report.writing import check_outputs, require_writable, write_outputs
from mmser.transcription import open_recogniser
from mmser.transcription.opening import check_recogniser

if TYPE_CHECKING:
    from mmser.training.config import TrainingConfig

FILES = {"html": "evaluation.html", "md": "evaluation.md", "json": "evaluation.json", "csv": "answers.csv"}
DEFAULT = "default"


def targets(
    output: Path | None, corpora: Path, data: Path | None = None, *, overwrite: bool
) -> dict[str, Path]:
    """Return the files of a result, which must not stand there yet unless they may be replaced.

    Raises:
        UsageError: if one of them is the data that are read.
        OutputError: if one stands there, or cannot.
    """
    if output is None:
        return {}
    files = {kind: output / name for kind, name in FILES.items()}
    written = {file.resolve() for file in files.values()}
    named = [data_folder(data) / entry.path for entry in corpora_of(corpora) if entry.path is not None]
    for read in (corpora, *named):
        if read.resolve() in written:
            raise UsageError(f"-o {output} would be written over the data {read}; choose another folder")
    check_outputs(files.values(), overwrite=overwrite)
    return files


def open_session(request: Request, progress: Progress) -> Session:
    """Read the rows of a request; the session is still to be entered.

    Raises:
        UsageError: if the options do not go together.
        MmserError: if the rows cannot be read.
    """
    set_threads(request.threads)
    _check_options(request)
    dataset, told = read_corpora(request.corpora, data_folder(request.data, request.corpora))
    plan = Plan(
        protocol=request.protocol,
        split=request.split,
        folds=request.folds,
        seed=request.seed,
        allow_overlap=request.allow_overlap,
    )
    return Session(dataset, plan, told=told, progress=progress)


def run(
    request: Request, files: Mapping[str, Path], progress: Progress, *, as_json: bool, overwrite: bool
) -> str:
    """Evaluate a model, or the trainings of a configuration, and return what is printed."""
    with open_session(request, progress) as session:
        candidate = _candidate(request, session)
        try:
            evaluation, judged = _evaluate(candidate, request, session)
        except KeyboardInterrupt as error:
            if not request.trains or request.work is None or not request.work.exists():
                raise
            raise StoppedError(
                f"interrupted; trained folds and checkpoints are kept in {request.work}, and the same "
                "command goes on from there"
            ) from error
    if as_json and not request.quiet:  # the summary would say them
        for told in (*unanswered(evaluation), *evaluation.warnings):
            progress.warn(told)
    return deliver(evaluation, judged, files, as_json=as_json, overwrite=overwrite)


def unanswered(evaluation: Evaluation) -> list[str]:
    """Say how many rows got no answer, and why the first of them; nothing where all did."""
    if not evaluation.left_out:
        return []
    name, why = next(iter(evaluation.left_out.items()))
    many = "1 row" if len(evaluation.left_out) == 1 else f"{len(evaluation.left_out)} rows"
    return [f"{many} got no answer; the first, {name}: {why}"]


def run_baseline(name: str, request: Request, session: Session) -> tuple[Evaluation, Judged]:
    """Train and score one baseline."""
    candidate = session.baseline(name)
    evaluation, judged = _evaluate(candidate, replace(request, model=name), session)
    chosen = {f"chosen in {fold}": what for fold, what in candidate.chosen.items() if what}
    return replace(evaluation, settings={**evaluation.settings, **chosen}), judged


def _evaluate(candidate: Candidate, request: Request, session: Session) -> tuple[Evaluation, Judged]:
    wanted = _wanted(request, session)
    evaluator = Evaluator(candidate, wanted, session.steps)
    evaluation, judged = evaluator.evaluate(
        session.division,
        session.examples,
        mark=session.mark,
        warnings=session.warnings,
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

    answers = write_answers(judged)
    evaluation = replace(evaluation, answers_sha256=answers_digest(answers))
    document = dumps(evaluation.to_dict(), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    if files:
        contents = {
            files["html"]: render_html(evaluation),
            files["md"]: render_markdown(evaluation),
            files["json"]: document,
            files["csv"]: answers,
        }
        write_outputs(contents, overwrite=overwrite)
    if as_json:
        return document
    return f"{render_text(evaluation)}\n\n{last_line(files.get('html'))}"


def _check_options(request: Request) -> None:
    if request.protocol not in PROTOCOLS:
        raise UsageError(f"--protocol {request.protocol!r} is not known; it is one of {', '.join(PROTOCOLS)}")
    check_options(request)
    baseline_names(request.baselines, ())  # a slip of the pen is told before anything is read
    if request.command == "baseline":
        baseline_names(request.model, ())
    if request.asr is not None:
        check_recogniser(request.asr)
    if request.trains:
        _configuration(request)
        if request.work is None:
            raise UsageError("trainings need a folder for their checkpoints; give -o, or --work")
        require_writable(request.work)


def _candidate(request: Request, session: Session) -> Candidate:
    """Return what is evaluated; what must stand beside its numbers joins the session's mark."""
    if request.trains:
        return _trained(request, session)
    return session.finished_model(None if request.model == DEFAULT else request.model)


def _trained(request: Request, session: Session) -> Candidate:
    from mmser.training.trained_folds import TrainedOnFolds

    config = _configuration(request)
    assert request.work is not None  # see `_check_options`
    if config.model.start_from is not None:  # whom that model knows is known to all that go on from it
        begun = None if config.model.start_from == DEFAULT else config.model.start_from
        known = read_training_data(locate(begun)[1])
        session.mark = joined(session.mark, require_unseen(session.scored, known, request.allow_overlap))
    return TrainedOnFolds(
        Path(request.model).stem,
        config,
        session.dataset,
        data_folder(request.data),
        request.work,
        session.sounds,
        restart=request.restart,
        allow_overlap=request.allow_overlap,
        quiet=request.quiet,
        progress=session.steps,
    )


def _configuration(request: Request) -> "TrainingConfig":
    from mmser.training.config import read_config

    seed = [] if request.training_seed is None else [f"seed={request.training_seed}"]
    return read_config(Path(request.model), [*request.overrides, *seed])


def _recogniser(request: Request, session: Session) -> RecognisedWords | None:
    if request.asr is None:
        return None
    opened = open_recogniser(
        request.asr,
        model_dir=request.model_dir,
        threads=request.threads,
        progress=session.progress,
        ways="or give weights of your own with --asr whisper:FILE.pt, or leave --asr out",
    )
    return RecognisedWords(opened)


def _wanted(request: Request, session: Session) -> Wanted:
    return Wanted(
        views=request.views,
        asr=_recogniser(request, session),
        baselines=session.baselines(request.baselines),
        degradations=DEGRADATIONS if request.robustness else (),
        robustness_rows=request.robustness_rows,
        damage=session.damage(noise=request.noise, rooms=request.rooms) if request.robustness else None,
        spliced=session.spliced(request.spliced_calls, request.draws, asked="spliced_calls" in request.given),
        fairness=request.fairness,
        draws=request.draws,
        seed=request.seed,
    )
