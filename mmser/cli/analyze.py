"""`mmser analyze`: a recorded call in, an emotion report out."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmser import __version__
from mmser.cli.call_options import (
    IN,
    OUT,
    WHO,
    AgentFile,
    Asr,
    CustomerFile,
    Device,
    Diarization,
    End,
    Language,
    ModelDir,
    Patterns,
    RecordingFile,
    Redact,
    Roles,
    SpeakerRoles,
    Start,
    journal_of,
    keeping,
    read_call,
    recogniser_opener,
)
from mmser.cli.console import Progress, load_pipeline, print_result
from mmser.cli.options import Debug, Model, Quiet, Threads, parse_pairs
from mmser.errors import UsageError

if TYPE_CHECKING:
    from mmser.types import CallReport

EPILOG = """Examples:

mmser analyze call.wav --transcript call.vtt --roles agent,customer -o out/

mmser analyze --agent a.wav --customer c.wav --no-asr -o out/

mmser analyze call.wav --roles agent,customer --asr whisper:small --redact -o out/

mmser analyze mono.mp3 --transcript call.json --role spk_0=agent --role spk_1=customer -o out/

mmser analyze --transcript call.vtt --role spk_1=customer --json | jq .change_points
"""


class AgentReason(StrEnum):
    """Grounds on which agents' emotions may be analysed."""

    MEDICAL = "medical"
    SAFETY = "safety"
    RESEARCH = "research-consented"


class Export(StrEnum):
    """Formats beside the report."""

    AWS = "aws"
    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    SRT = "srt"
    TRANSCRIPT = "transcript"
    VTT = "vtt"


TranscriptFile = Annotated[
    Path | None, typer.Option(help="Its words; the format is found out by itself.", rich_help_panel=IN)
]
NoAsr = Annotated[
    bool, typer.Option("--no-asr", help="Without a transcript: judge by sound alone.", rich_help_panel=IN)
]
Reason = Annotated[
    AgentReason | None,
    typer.Option(
        help="Why agents' emotions may be analysed; without a reason they are withheld. Recorded.",
        rich_help_panel=WHO,
    ),
]
References = Annotated[
    list[str] | None,
    typer.Option(
        help="A neutral clip of a role's or speaker's voice, to judge it against; repeat for more.",
        metavar="ROLE=CLIP",
        rich_help_panel=WHO,
    ),
]
Rules = Annotated[
    Path | None, typer.Option(help="YAML rules to match against the report.", rich_help_panel=OUT)
]
WithTimeline = Annotated[
    bool | None,
    typer.Option(
        "--timeline/--no-timeline",
        help="Judge long turns from moment to moment too; on by default where the model hears fast.",
        rich_help_panel=OUT,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="Folder for report.html, report.json, turns.csv and turns.jsonl.",
        rich_help_panel=OUT,
    ),
]
Exports = Annotated[
    list[Export] | None,
    typer.Option(
        help="One more format in the folder; repeat for more. csv and jsonl are written always.",
        rich_help_panel=OUT,
    ),
]
NoAudio = Annotated[
    bool, typer.Option("--no-audio", help="Leave the sound out of report.html.", rich_help_panel=OUT)
]
NoText = Annotated[
    bool, typer.Option("--no-text", help="Leave the words out of every output.", rich_help_panel=OUT)
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace a report in the folder.", rich_help_panel=OUT)
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the report as JSON, not as a summary.", rich_help_panel=OUT)
]


def analyze(
    recording: RecordingFile = None,
    transcript: TranscriptFile = None,
    agent: AgentFile = None,
    customer: CustomerFile = None,
    asr: Asr = "whisper:small",
    no_asr: NoAsr = False,
    model_dir: ModelDir = None,
    device: Device = "auto",
    diarization: Diarization = None,
    start: Start = None,
    end: End = None,
    language: Language = None,
    roles: Roles = None,
    role: SpeakerRoles = None,
    agent_reason: Reason = None,
    reference: References = None,
    model: Model = None,
    rules: Rules = None,
    timeline: WithTimeline = None,
    output: Output = None,
    export: Exports = None,
    no_audio: NoAudio = False,
    no_text: NoText = False,
    redact: Redact = False,
    redact_pattern: Patterns = None,
    overwrite: Overwrite = False,
    json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
    threads: Threads = 1,
) -> None:
    """Analyse a recorded call: who sounds and speaks how, how strongly, and where it changes."""
    call = read_call(
        recording, agent, customer, roles=roles, role=role, language=language, start=start, end=end
    )
    sources = call.sources
    references = parse_pairs(reference or [], "--reference", "ROLE=clip.wav", first=True)
    if output is None and (export or overwrite or no_audio):
        raise UsageError("--export, --overwrite and --no-audio shape files; name their folder with -o")
    with Progress(quiet=quiet) as progress:
        named = " + ".join(str(source) for source in sources) or str(transcript or "nothing")
        progress.say(f"mmser {__version__}: analysing {named}")
        # Imported here: the line above is printed before torch begins to load.
        from mmser.outputs import check_folder, without_words
        from mmser.pipeline import check_files, check_inputs
        from mmser.redaction import parse_patterns

        check_inputs(sources, transcript, transcribe=not no_asr, diarization=diarization)
        parse_patterns(redact_pattern or [])
        recognised = transcript is None and not no_asr
        opener = recogniser_opener(asr, model_dir, device, threads, progress) if recognised else asr
        check_files((*sources, *map(Path, references.values())), transcript, diarization)
        journal = journal_of(output) if output is not None and recognised else None
        if output is not None:
            check_folder(output, overwrite=overwrite)
        with keeping(journal, progress):
            report = load_pipeline(model, threads)(
                sources or None,
                transcript=transcript,
                transcribe=not no_asr,
                asr=opener,
                diarization=diarization,
                redact=redact_pattern or redact,
                journal=journal,
                roles=call.channel_roles,
                speaker_roles=call.speaker_roles,
                agent_reason=None if agent_reason is None else agent_reason.value,
                language=call.language,
                start=call.start,
                end=call.end,
                references=references,
                rules=rules,
                timeline=timeline,
                progress=progress,
            )
        if no_text:
            report = without_words(report)
        if output is not None:
            formats = [item.value for item in export or ()]
            shape = {"include_audio": not no_audio, "include_text": not no_text, "overwrite": overwrite}
            inputs = () if diarization is None else (diarization,)
            _write(report, output, sources, inputs, formats, progress, **shape)
            if journal is not None:
                journal.unlink(missing_ok=True)
        for warning in report.warnings:
            progress.warn(warning)
    print_result(_as_text(report, json=json))


def _write(
    report: "CallReport",
    folder: Path,
    sources: Sequence[Path],
    inputs: Sequence[Path],
    exports: Sequence[str],
    progress: Progress,
    **shape: bool,
) -> None:
    from mmser.outputs import write_report

    progress("writing", 0, 0)
    write_report(report, folder, sources=sources, inputs=inputs, exports=exports, **shape)
    progress.say(f"wrote {folder / 'report.html'}")


def _as_text(report: "CallReport", *, json: bool) -> str:
    if json:
        from mmser.report.document import to_json

        return to_json(report)
    import io
    import shutil
    import sys

    from rich.console import Console

    from mmser.report.terminal import render_terminal

    # Rendered first and written as one text, so that a full disk behind stdout is one clear error.
    target = io.StringIO()
    width = shutil.get_terminal_size((100, 24)).columns
    render_terminal(report, Console(file=target, width=width, force_terminal=sys.stdout.isatty()))
    return target.getvalue()
