"""`mmser evaluate`: how good a model is, on what, beside what, and how far the numbers can be trusted."""

from pathlib import Path
from typing import Annotated

import typer

from mmser import __version__
from mmser.cli.console import Progress, print_result
from mmser.cli.corpora import CONFIGS
from mmser.cli.option_checks import check_feedback_options
from mmser.cli.options import MAX_SEED, Debug, Quiet, Threads, given_options, some_path
from mmser.cli.request import MOST_SPLICED, Request
from mmser.errors import UsageError
from mmser.evaluation.defaults import LEAST_FOLDS

EPILOG = """Examples:

mmser evaluate default configs/default.yaml --data FOLDER -o out/default

mmser evaluate models/mine mine.csv --split all --robustness -o out/mine

mmser evaluate configs/joint.yaml --data FOLDER --protocol speaker-folds -o out/joint

mmser evaluate --from-feedback feedback.jsonl

A model is scored on the split that the data carry; a configuration is trained anew on every fold.
"""
PROTOCOL = "How the data are divided: split, speaker-folds, leave-one-speaker-out, leave-one-session-out, "
PROTOCOL += "leave-one-corpus-out, leave-one-language-out, text-independent, emobox-ravdess."


def evaluate(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(help="A model folder or Hub id, `default`, or a configuration to train on folds."),
    ] = "default",
    corpora: Annotated[
        Path | None,
        typer.Argument(
            parser=some_path,
            help="Labelled data: a configuration that names corpora, a manifest, a folder of calls or clips; "
            "of a configuration to train, its own if left out.",
        ),
    ] = None,
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
    split: Annotated[
        str, typer.Option(help="That is scored: test, validation, or all rows.")
    ] = Request.split,
    folds: Annotated[
        int, typer.Option(min=LEAST_FOLDS, max=1000, help="Of speaker-folds and text-independent.")
    ] = Request.folds,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=MAX_SEED,
            help="Of folds, baselines, damage and intervals (0), and of trainings (their own).",
        ),
    ] = None,
    draws: Annotated[int, typer.Option(min=100, max=100_000, help="Of the bootstrap.")] = Request.draws,
    baselines: Annotated[
        str, typer.Option(help="Trained beside it: auto, all, none, or names as of `mmser baseline`.")
    ] = Request.baselines,
    views: Annotated[
        bool, typer.Option("--views/--no-views", help="Also by sound alone, words alone, without context.")
    ] = Request.views,
    asr: Annotated[
        str | None, typer.Option(help="Also with recognised words in place of given ones, as in analyze.")
    ] = None,
    model_dir: Annotated[
        Path | None,
        typer.Option(
            parser=some_path,
            metavar="PATH",
            help="Where the weights of --asr lie and are put; its engine's own cache if left out.",
        ),
    ] = None,
    robustness: Annotated[
        bool, typer.Option("--robustness", help="Also with damaged sound and words, in 26 ways.")
    ] = Request.robustness,
    robustness_rows: Annotated[
        int, typer.Option(min=1, help="Of each corpus and fold are damaged, drawn by seed.")
    ] = Request.robustness_rows,
    noise: Annotated[
        Path | None,
        typer.Option(
            parser=some_path, metavar="PATH", help="Folder of noise recordings; made noise if left out."
        ),
    ] = None,
    rooms: Annotated[
        Path | None,
        typer.Option(
            parser=some_path,
            metavar="PATH",
            help="Folder of rooms' impulse responses; made ones if left out.",
        ),
    ] = None,
    spliced_calls: Annotated[
        int,
        typer.Option(
            min=0,
            max=MOST_SPLICED,
            help="Made of each speaker's clips, for change points in seconds; 0 = none.",
        ),
    ] = Request.spliced_calls,
    fairness: Annotated[
        bool, typer.Option("--fairness/--no-fairness", help="Gaps between genders, ages, languages, corpora.")
    ] = Request.fairness,
    allow_overlap: Annotated[
        bool, typer.Option("--allow-overlap", help="Score a split that leaks; every number carries the mark.")
    ] = Request.allow_overlap,
    work: Annotated[
        Path | None,
        typer.Option(
            parser=some_path,
            metavar="PATH",
            help="Of trainings: checkpoints and models; OUTPUT/work if left out.",
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Of a configuration to train but for its data, as after `mmser train`; may be repeated.",
        ),
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Forget earlier trainings in --work.")
    ] = Request.restart,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            parser=some_path,
            metavar="PATH",
            help="Folder for evaluation.html, .md, .json and answers.csv.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the JSON in place of the summary.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier result.")] = False,
    from_feedback: Annotated[
        list[Path] | None,
        typer.Option(
            parser=some_path,
            metavar="PATH",
            help="Score past reports against corrections: feedback.jsonl, as the report's page downloads it "
            "(mmser calibrate --help shows a line); may be repeated.",
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            parser=some_path,
            metavar="PATH",
            help="Result of a validation split, or a profile, that drift is told against.",
        ),
    ] = None,
    revision: Annotated[
        str | None, typer.Option(help="Of the model whose reports were corrected, where there are several.")
    ] = None,
    quiet: Quiet = False,
    debug: Debug = False,
    threads: Threads = 1,
) -> None:
    """Score a model on labelled data: accuracy, calibration, robustness, gaps, beside baselines."""
    if from_feedback:
        check_feedback_options(given_options(context))
        with Progress(quiet=quiet) as progress:
            many = f"{len(from_feedback)} file{'s' if len(from_feedback) > 1 else ''} of corrections"
            progress.say(f"mmser {__version__}: scoring {many}")
            from mmser.cli.feedback import score_corrections

            score_corrections(
                from_feedback,
                None if model == "default" else model,
                against,
                progress,
                revision=revision,
                draws=draws,
                seed=seed or 0,
                output=output,
                json=json,
                overwrite=overwrite,
            )
        return
    if against is not None or revision is not None:
        raise UsageError(
            "--against and --revision go with --from-feedback; give corrections, or leave them out"
        )
    with Progress(quiet=quiet) as progress:
        progress.say(f"mmser {__version__}: evaluating {model}")
        # Imported here: the line above is printed before torch begins to load.
        from mmser.cli.evaluation import run, targets

        request = Request(
            model=model,
            corpora=_corpora(model, corpora),
            data=data,
            protocol=protocol,
            split=split,
            folds=folds,
            seed=seed or 0,
            training_seed=seed,
            overrides=tuple(overrides or ()),
            draws=draws,
            baselines=baselines,
            views=views,
            asr=asr,
            model_dir=model_dir,
            robustness=robustness,
            robustness_rows=robustness_rows,
            noise=noise,
            rooms=rooms,
            spliced_calls=spliced_calls,
            fairness=fairness,
            allow_overlap=allow_overlap,
            work=work or (None if output is None else output / "work"),
            restart=restart,
            threads=threads,
            quiet=quiet,
            given=given_options(context),
        )
        files = targets(output, request.corpora, data, overwrite=overwrite)
        text = run(request, files, progress, as_json=json, overwrite=overwrite)
    print_result(text)


def _corpora(model: str, corpora: Path | None) -> Path:
    if not model.strip():
        raise UsageError("the model is empty; give a model folder or Hub id, `default`, or a configuration")
    if corpora is not None:
        return corpora
    if model.lower().endswith(CONFIGS):
        return Path(model)
    raise UsageError(
        f"it is not said what {model} is to be evaluated on; name a configuration of corpora, a manifest, a "
        "folder of calls or a folder of clips"
    )
