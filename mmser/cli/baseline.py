"""`mmser baseline`: simple models, trained and scored as what they stand beside."""

from pathlib import Path
from typing import Annotated

import typer

from mmser import __version__
from mmser.cli.console import Progress, print_result
from mmser.cli.evaluate import PROTOCOL
from mmser.cli.options import MAX_SEED, Debug, Quiet, Threads
from mmser.cli.request import Request
from mmser.errors import DataError

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
    names: Annotated[str, typer.Argument(help=NAMES)],
    corpora: Annotated[
        Path,
        typer.Argument(help="Labelled data: a configuration, a manifest, a folder of calls or clips."),
    ],
    data: Annotated[
        Path | None,
        typer.Option(help="The folder of corpora; MMSER_DATA if left out.", show_default=False),
    ] = None,
    protocol: Annotated[str, typer.Option(help=PROTOCOL)] = Request.protocol,
    split: Annotated[str, typer.Option(help="That is scored: test or validation.")] = Request.split,
    folds: Annotated[
        int, typer.Option(min=3, max=1000, help="Of speaker-folds and text-independent.")
    ] = Request.folds,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Of folds, trainings and intervals.")] = 0,
    draws: Annotated[int, typer.Option(min=100, max=100_000, help="Of the bootstrap.")] = Request.draws,
    allow_overlap: Annotated[
        bool, typer.Option("--allow-overlap", help="Score a split that leaks; every number carries the mark.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder; each baseline gets one in it, by its name.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace earlier results.")] = False,
    quiet: Quiet = False,
    debug: Debug = False,
    threads: Threads = 1,
) -> int:
    """Train simple models in the same protocol and score them: what any number must stand beside."""
    with Progress(quiet=quiet) as progress:
        progress.say(f"mmser {__version__}: baselines {names} on {corpora}")
        # Imported here: the line above is printed before torch begins to load.
        from mmser.cli.evaluation import deliver, open_session, run_baseline, targets
        from mmser.evaluation.session import baseline_names

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
        )
        texts, failed = [], 0
        with open_session(request, progress) as session:
            chosen = baseline_names(names, session.scored)
            files = {
                n: targets(None if output is None else output / n, corpora, overwrite=overwrite)
                for n in chosen
            }
            for name in chosen:
                progress.say(f"training {name}")
                try:
                    result, judged = run_baseline(name, request, session)
                    text = deliver(result, judged, files[name], as_json=False, overwrite=overwrite)
                    texts.append(text)
                except DataError as error:
                    if len(chosen) == 1:
                        raise
                    failed += 1
                    progress.warn(f"{name} is left out: {error}")
    if texts:
        print_result("\n\n".join(texts))
    return 1 if failed else 0
