"""`mmser batch`: many calls, read in worker processes and judged together."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmser import __version__
from mmser.cli.analyze import NoAsr, NoAudio, NoText, Reason, Rules, WithTimeline
from mmser.cli.batch_progress import BatchBar
from mmser.cli.call_options import (
    DEVICES,
    IN,
    OUT,
    Asr,
    Language,
    ModelDir,
    Patterns,
    Redact,
    Roles,
    SpeakerRoles,
    pick_device,
)
from mmser.cli.console import Progress, StoppedError, print_result
from mmser.cli.options import Debug, Model, Quiet, parse_language, parse_pairs, parse_role, parse_roles
from mmser.errors import UsageError

if TYPE_CHECKING:
    from mmser.batch.machine import Crew
    from mmser.batch.records import BatchInput
    from mmser.batch.run import Outcome
    from mmser.batch.settings import Settings
    from mmser.types import ModelInfo

HOW = "How the work is done"
WAYS = (
    "give transcripts (beside the recordings, or in a manifest), weights of your own with "
    "--asr whisper:FILE.pt, or judge by sound alone with --no-asr"
)
EPILOG = """Examples:

mmser batch calls/ -o out/ --roles agent,customer --no-asr

mmser batch manifest.csv -o out/ --reports --workers 4

mmser batch s3://bucket/calls/ -o s3://bucket/out/ --roles agent,customer --engine ray --ray-address auto

mmser batch status out/

mmser batch forget out/ --id call-17
"""


class EngineName(StrEnum):
    """What runs the work."""

    LOCAL = "local"
    RAY = "ray"


class Quantize(StrEnum):
    """Smaller numbers for the model's layers."""

    INT8 = "int8"


Inputs = Annotated[
    list[str],
    typer.Argument(
        help="Folders, globs, recordings, manifests (.csv, .tsv, .jsonl, .parquet with audio, transcript, "
        "roles, id, language, and columns of your own), URLs of these, or hf:DATASET.",
        metavar="INPUT…",
    ),
]
Output = Annotated[
    str, typer.Option("--output", "-o", help="Folder or URL for what comes out.", rich_help_panel=OUT)
]
Split = Annotated[str | None, typer.Option(help="Of a dataset.", rich_help_panel=IN)]
Revision = Annotated[
    str | None, typer.Option(help="Of a dataset: a branch, tag or commit.", rich_help_panel=IN)
]
AudioColumn = Annotated[
    str, typer.Option(help="Of a dataset, the column that holds the sound.", rich_help_panel=IN)
]
Reports = Annotated[
    bool, typer.Option("--reports", help="Each call's report too, in OUT/reports.", rich_help_panel=OUT)
]
FailFast = Annotated[bool, typer.Option("--fail-fast", help="Stop at the first call that fails.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the outcome as JSON, not as a summary.", rich_help_panel=OUT)
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1, max=256, help="Processes that read calls; found out if left out.", rich_help_panel=HOW
    ),
]
Models = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=256,
        help="Processes that hold the model; one a core, or one a GPU, if left out.",
        rich_help_panel=HOW,
    ),
]
ModelThreads = Annotated[
    int, typer.Option(min=1, max=1024, help="Processor threads of each model process.", rich_help_panel=HOW)
]
BatchSeconds = Annotated[
    float | None,
    typer.Option(
        min=1,
        max=100_000,
        help="Seconds of sound in one model call; 60, or 600 on a GPU, if left out.",
        rich_help_panel=HOW,
    ),
]
BatchDevice = Annotated[
    str,
    typer.Option(
        help="Where the model runs, and what recognises words: cpu, cuda, or auto.",
        metavar="|".join(DEVICES),
        rich_help_panel=HOW,
    ),
]
Quantized = Annotated[
    Quantize | None,
    typer.Option(help="8-bit integers in the model's layers; on the CPU alone.", rich_help_panel=HOW),
]
Engine = Annotated[
    EngineName, typer.Option(help="This machine's processes, or Ray Data.", rich_help_panel=HOW)
]
RayAddress = Annotated[
    str | None,
    typer.Option(help="Of a Ray cluster that runs: auto, HOST:PORT, ray://….", rich_help_panel=HOW),
]


@dataclass(frozen=True, kw_only=True)
class _Work:
    """What is to be done, and by whom."""

    given: "BatchInput"
    settings: "Settings"
    info: "ModelInfo"
    crew: "Crew"
    asked: tuple[int | None, int | None]  # workers and models, as the user gave them
    ray: bool
    address: str | None


def run(
    inputs: Inputs,
    output: Output,
    asr: Asr = "whisper:small",
    no_asr: NoAsr = False,
    model_dir: ModelDir = None,
    language: Language = None,
    split: Split = None,
    revision: Revision = None,
    audio_column: AudioColumn = "audio",
    roles: Roles = None,
    role: SpeakerRoles = None,
    agent_reason: Reason = None,
    model: Model = None,
    rules: Rules = None,
    timeline: WithTimeline = None,
    redact: Redact = False,
    redact_pattern: Patterns = None,
    reports: Reports = False,
    no_audio: NoAudio = False,
    no_text: NoText = False,
    workers: Workers = None,
    models: Models = None,
    threads: ModelThreads = 1,
    batch_seconds: BatchSeconds = None,
    device: BatchDevice = "auto",
    quantize: Quantized = None,
    engine: Engine = EngineName.LOCAL,
    ray_address: RayAddress = None,
    fail_fast: FailFast = False,
    json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Analyse many calls into one folder; run again, it goes on where it was stopped."""
    if ray_address is not None and engine is not EngineName.RAY:
        raise UsageError("--ray-address is of --engine ray; give both, or neither")
    if no_audio and not reports:
        raise UsageError("--no-audio is of the pages of --reports; give both, or neither")
    channel_roles = parse_roles(roles)
    named = parse_pairs(role or [], "--role", "SPEAKER=ROLE")
    options: dict[str, Any] = {
        "channel_roles": channel_roles,
        "speaker_roles": {name: parse_role(value, "--role") for name, value in named.items()},
        "language": parse_language(language),
        "agent_reason": None if agent_reason is None else agent_reason.value,
        "transcribe": not no_asr,
        "asr": asr,
        "model_dir": None if model_dir is None else str(model_dir.absolute()),
        "redact": tuple(redact_pattern or ()) if redact or redact_pattern else None,
        "timeline": timeline,
        "include_text": not no_text,
        "include_audio": not no_audio,
        "reports": reports,
        "threads": threads,
        "quantize": None if quantize is None else quantize.value,
    }
    with Progress(quiet=quiet) as progress:
        progress.say(f"mmser {__version__}: reading {', '.join(inputs)}")
        if engine is EngineName.LOCAL:
            from mmser.batch.local import begin_loading

            begin_loading()
        from mmser.batch.input.reading import read_input
        from mmser.batch.place import Place

        given = read_input(inputs, split=split, revision=revision, audio_column=audio_column)
        for warning in given.warnings:
            progress.warn(warning)
        place = Place(output)
        options |= _checked(options, rules, device)
        given = _with_recogniser(given, options, progress)
        work = _work(options, given, model, (workers, models, batch_seconds), engine, ray_address)
        progress.say(
            f"{len(given.rows):,} calls; processes: {work.crew.workers} to read, {work.crew.models} to judge "
            f"with {work.info.id} {work.info.revision[:12]} on {work.settings.device}"
        )
    outcome = _run(work, place, fail_fast=fail_fast, quiet=quiet)
    from mmser.batch.telling import as_json, as_text

    print_result(as_json(outcome, place) if json else as_text(outcome, place))
    if outcome.failed:
        raise typer.Exit(1)


def _checked(options: dict[str, Any], rules: Path | None, device: str) -> dict[str, Any]:
    """Find mistakes in the options before any work is done."""
    from mmser.redaction import parse_patterns
    from mmser.report.rules import load_rules

    parse_patterns(options["redact"] or ())
    found = pick_device(device)
    if options["quantize"] and found != "cpu":
        raise UsageError("--quantize int8 is for the CPU; give --device cpu, or leave it out")
    text = None
    if rules is not None:
        if rules.exists() and not rules.is_file():
            raise UsageError(f"--rules {rules} is no file; give one, and save what a pipe gives to one first")
        load_rules(rules)
        text = rules.read_text(encoding="utf-8-sig")
    return {"device": found, "asr_device": found, "rules": text}


def _with_recogniser(given: "BatchInput", options: dict[str, Any], progress: Progress) -> "BatchInput":
    """Fetch what recognises words once, before many processes need it.

    Where it cannot be had, the calls without a transcript fail, unless that is all of them: then nothing is
    begun.
    """
    from mmser.errors import MmserError
    from mmser.transcription.opening import check_recogniser
    from mmser.transcription.weights import locate_weights

    unwritten = {row.id for row in given.rows if row.transcript is None and row.problem is None}
    if not options["transcribe"] or not unwritten:
        return given
    name = check_recogniser(options["asr"])
    folder = None if options["model_dir"] is None else Path(options["model_dir"])
    try:
        locate_weights(name, model_dir=folder, progress=progress, ways=WAYS)
    except MmserError as error:
        if len(unwritten) == len(given.rows):
            raise
        progress.warn(
            f"{len(unwritten)} of {len(given.rows)} calls have no transcript, and will fail: {error}"
        )
        why = f"it has no transcript, and {name} cannot be had; give one, other weights, or --no-asr"
        rows = tuple(replace(row, problem=why) if row.id in unwritten else row for row in given.rows)
        return replace(given, rows=rows)
    return given


def _work(
    options: dict[str, Any],
    given: "BatchInput",
    model: str | None,
    asked: tuple[int | None, int | None, float | None],
    engine: EngineName,
    address: str | None,
) -> _Work:
    from mmser.batch.machine import suit_machine
    from mmser.batch.settings import Settings
    from mmser.loading import describe_model, locate
    from mmser.report.rules import parse_rules

    info = describe_model(model)
    if options["rules"] is not None:
        parse_rules(options["rules"], "the rules file", info.labels)
    workers, models, batch_seconds = asked
    crew = suit_machine(
        options["device"],
        len(given.rows),
        workers=workers,
        models=models,
        batch_seconds=batch_seconds,
        recognising=options["transcribe"]
        and any(row.transcript is None and row.problem is None for row in given.rows),
    )
    settings = Settings(
        **options, model_folder=str(locate(model)[1].absolute()), batch_seconds=crew.batch_seconds
    )
    return _Work(
        given=given,
        settings=settings,
        info=info,
        crew=crew,
        asked=(workers, models),
        ray=engine is EngineName.RAY,
        address=address,
    )


def _run(work: _Work, place: Any, *, fail_fast: bool, quiet: bool) -> "Outcome":
    from mmser.batch.run import run_batch

    told: list[Any] = []
    with BatchBar(quiet=quiet) as bar, _engine(work, place.out) as engine:

        def tell(progress: Any) -> None:
            told[:] = [progress]
            bar(progress)

        try:
            return run_batch(
                work.given,
                place,
                work.settings,
                work.info,
                engine.run,
                fail_fast=fail_fast,
                stages=lambda: dict(engine.spent),
                progress=tell,
            )
        except KeyboardInterrupt as error:
            if not told:
                raise
            done = told[0].before + told[0].done
            raise StoppedError(
                f"interrupted; {done} of {told[0].total} calls are done, and the same command goes on"
            ) from error


@contextlib.contextmanager
def _engine(work: _Work, out: str) -> Iterator[Any]:
    from mmser.batch.store import report_folder

    def folder(call_id: str) -> str:
        return f"{out.rstrip('/')}/{report_folder(call_id)}"

    reports = folder if work.settings.reports else None
    crew: dict[str, Any] = {
        "workers": work.crew.workers,
        "models": work.crew.models,
        "report_folder": reports,
    }
    if work.ray:
        from mmser.batch.ray_engine import RayEngine

        if work.address is not None:  # what was not asked for follows the cluster, not this machine
            crew |= {"workers": work.asked[0], "models": work.asked[1]}
        with RayEngine(work.settings, work.info, work.given.dataset, address=work.address, **crew) as ray:
            yield ray
        return
    from mmser.batch.local import LocalEngine

    with LocalEngine(work.settings, work.info, work.given.dataset, **crew) as local:
        yield local
