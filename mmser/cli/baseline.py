"""`mmser baseline`: simple models, trained and scored as what they stand beside."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmser import __version__
from mmser.cli.console import Progress, StoppedError, print_result
from mmser.cli.evaluate import PROTOCOL
from mmser.cli.options import MAX_SEED, Debug, Quiet, Threads, given_options, some_path
from mmser.cli.request import Request
from mmser.errors import DataError, UsageError
from mmser.evaluation.defaults import LEAST_FOLDS
from mmser.report.writing import require_writable

if TYPE_CHECKING:
    from mmser.evaluation.session import Session

EPILOG = """Examples:

mmser baseline svm configs/default.yaml --data FOLDER -o out/baselines

mmser baseline all mine.csv --protocol leave-one-speaker-out -o out/baselines

mmser compare out/default out/baselines/svm

Each is trained on the training rows, tuned on the validation rows and scored as `mmser evaluate` scores.
"""
NAMES = (
    "majority, svm, naive-bayes, decision-tree, logistic-regression, cnn, bilstm (sound), tfidf (words); "
    "several with commas, or all that fit the data."
)


def baseline(
    context: typer.Context,
    names: Annotated[str, typer.Argument(help=NAMES)],
    corpora: Annotated[
        Path,
        typer.Argument(
            parser=some_path,
            help="Labelled data: a configuration, a manifest, a folder of calls or clips.",
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            parser=some_path,
            metavar="PATH",
            help="The folder of corpora; MMSER_DATA if left out.",
            show_default=False,
        ),
    ] = None,
    protocol: Annotated[str, typer.Option(help=PROTOCOL)] = Request.protocol,
    split: Annotated[str, typer.Option(help="That is scored: test or validation.")] = Request.split,
    folds: Annotated[
        int, typer.Option(min=LEAST_FOLDS, max=1000, help="Of speaker-folds and text-independent.")
    ] = Request.folds,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Of folds, trainings and intervals.")] = 0,
    draws: Annotated[int, typer.Option(min=100, max=100_000, help="Of the bootstrap.")] = Request.draws,
    allow_overlap: Annotated[
        bool, typer.Option("--allow-overlap", help="Score a split that leaks; every number carries the mark.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            parser=some_path,
            metavar="PATH",
            help="Folder; each baseline gets one in it, by its name.",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace earlier results.")] = False,
    quiet: Quiet = False,
    debug: Debug = False,
    threads: Threads = 1,
) -> None:
    """Train simple models in the same protocol and score them: what any number must stand beside."""
    with Progress(quiet=quiet) as progress:
        progress.say(f"mmser {__version__}: baselines {names} on {corpora}")
        # Imported here: the line above is printed before torch begins to load.
        from mmser.cli.evaluation import open_session

        request = Request(
            model=names,
            corpora=corpora,
            data=data,
            protocol=protocol,
            split=split,
            folds=folds,
            seed=seed,
            draws=draws,
            allow_overlap=allow_overlap,
            baselines="none",
            views=False,
            spliced_calls=0,
            threads=threads,
            quiet=quiet,
            command="baseline",
            given=given_options(context),
        )
        if names == "none":
            raise UsageError("none names no baseline to train; name some (see --help), or give all")
        if output is not None:
            require_writable(output)
        with open_session(request, progress) as session:
            texts, failed = _train(request, session, output, progress, overwrite=overwrite)
    if texts:
        print_result("\n\n".join(texts))
    if failed:
        raise DataError(
            f"{len(failed)} of {len(texts) + len(failed)} baselines could not be trained and scored: "
            f"{', '.join(failed)}; what is wrong is said above"
        )


def _train(
    request: Request, session: "Session", output: Path | None, progress: Progress, *, overwrite: bool
) -> tuple[list[str], list[str]]:
    """Train and score baselines; return what is printed of each, and the names of those that failed.

    Raises:
        MmserError: if a result cannot be written, or the only baseline cannot be trained.
        StoppedError: if interrupted; it says which results are there.
    """
    from mmser.cli.evaluation import deliver, run_baseline, targets
    from mmser.evaluation.session import baseline_names

    session.require_training_rows()
    chosen = baseline_names(request.model, session.scored)
    files = {
        name: targets(
            None if output is None else output / name, request.corpora, request.data, overwrite=overwrite
        )
        for name in chosen
    }
    texts: dict[str, str] = {}
    failed: list[str] = []
    try:
        for name in chosen:
            progress.say(f"training {name}")
            try:
                result, judged = run_baseline(name, request, session)
                texts[name] = deliver(result, judged, files[name], as_json=False, overwrite=overwrite)
            except DataError as error:
                if len(chosen) == 1:
                    raise
                failed.append(name)
                progress.warn(f"{name} is left out: {error}")
    except KeyboardInterrupt as error:
        kept = f"; kept in {output}: {', '.join(texts)}" if texts and output is not None else ""
        raise StoppedError(f"interrupted{kept}") from error
    return list(texts.values()), failed
