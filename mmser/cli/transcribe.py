"""`mmser transcribe`: a recorded call in, who said what and when out."""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from mmser import __version__
from mmser.cli.call_options import (
    OUT,
    AgentFile,
    Asr,
    CustomerFile,
    Device,
    Diarization,
    End,
    Language,
    ModelDir,
    Patterns,
    Redact,
    Roles,
    SpeakerRoles,
    Start,
    journal_of,
    keeping,
    read_call,
    recogniser_opener,
)
from mmser.cli.console import Progress, print_result
from mmser.cli.options import Debug, Quiet, Threads
from mmser.errors import OutputError, UsageError
from mmser.transcripts import write_csv, write_json, write_srt, write_text, write_webvtt
from mmser.types import Transcript

EPILOG = """Examples:

mmser transcribe call.wav --roles agent,customer

mmser transcribe call.wav --roles agent,customer --redact -o call.vtt -o call.json

mmser transcribe mono.mp3 --diarization mono.rttm --asr faster-whisper:small -o mono.srt
"""


class Format(StrEnum):
    """Shapes of a transcript."""

    VTT = "vtt"
    SRT = "srt"
    JSON = "json"
    TXT = "txt"
    CSV = "csv"


WRITERS: Final[dict[Format, Callable[[Transcript], str]]] = {
    # A caption without words would be an empty box.
    Format.VTT: lambda found: write_webvtt(_with_words(found)),
    Format.SRT: lambda found: write_srt(_with_words(found)),
    Format.JSON: write_json,
    Format.TXT: write_text,
    Format.CSV: write_csv,
}

RecordingFile = Annotated[
    Path | None, typer.Argument(help="The recorded call, each channel one party; heard by itself.")
]
Outputs = Annotated[
    list[Path] | None,
    typer.Option(
        "--output",
        "-o",
        help="A file to write, .vtt, .srt, .json, .txt or .csv; repeat for more. Printed if left out. JSON "
        "alone loses nothing: give that one to mmser analyze --transcript.",
        rich_help_panel=OUT,
    ),
]
PrintedFormat = Annotated[Format, typer.Option(help="How it is printed without -o.", rich_help_panel=OUT)]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace files that are there.", rich_help_panel=OUT)
]


def transcribe(
    recording: RecordingFile = None,
    agent: AgentFile = None,
    customer: CustomerFile = None,
    start: Start = None,
    end: End = None,
    language: Language = None,
    roles: Roles = None,
    role: SpeakerRoles = None,
    asr: Asr = "whisper:small",
    model_dir: ModelDir = None,
    device: Device = "auto",
    diarization: Diarization = None,
    output: Outputs = None,
    format: PrintedFormat = Format.TXT,
    redact: Redact = False,
    redact_pattern: Patterns = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
    threads: Threads = 1,
) -> None:
    """Write down who says what and when on a recorded call, each channel by itself."""
    call = read_call(
        recording, agent, customer, roles=roles, role=role, language=language, start=start, end=end
    )
    sources = call.sources
    if not sources:
        raise UsageError("there is nothing to transcribe; give a recording")
    outputs = {path: _format_of(path) for path in output or ()}
    with Progress(quiet=quiet) as progress:
        progress.say(f"mmser {__version__}: transcribing {' + '.join(map(str, sources))}")
        # Imported here: the line above is printed before torch begins to load.
        from mmser.audio import open_recording
        from mmser.channels import check_channel_roles
        from mmser.pipeline import set_threads
        from mmser.redaction import parse_patterns
        from mmser.transcription.call import AsrRequest, transcribe_call
        from mmser.transcription.weights import WAYS_TO_TRANSCRIBE
        from mmser.transcripts import read_transcript

        patterns = parse_patterns(redact_pattern or [])
        opener = recogniser_opener(asr, model_dir, device, threads, progress, ways=WAYS_TO_TRANSCRIBE)
        _check_files(sources, diarization, outputs, overwrite=overwrite)
        request = AsrRequest(
            recogniser=opener,
            diarization=None if diarization is None else read_transcript(diarization),
            journal=journal_of(next(iter(outputs))) if outputs else None,
        )
        set_threads(threads)
        with (
            keeping(request.journal, progress),
            open_recording(*sources, start=call.start, end=call.end) as source,
        ):
            check_channel_roles(call.channel_roles, source.num_channels)
            for warning in source.warnings:
                progress.warn(warning)
            found = transcribe_call(
                source,
                request,
                channel_roles=call.channel_roles,
                speaker_roles=call.speaker_roles,
                language=call.language,
                alone=True,
                patterns=patterns if redact or patterns else None,
                progress=progress,
            )
        _write(found, outputs, request.journal, progress, overwrite=overwrite)
        _sum_up(found, progress)
        for warning in found.warnings:
            progress.warn(warning)
    if not outputs:
        print_result(WRITERS[format](found))


def _check_files(
    sources: Sequence[Path], diarization: Path | None, outputs: Mapping[Path, Format], *, overwrite: bool
) -> None:
    """Refuse files that cannot be read or written, before anything is loaded."""
    from mmser.pipeline import check_files
    from mmser.report.writing import check_outputs

    check_files(sources, diarization)
    read = {os.path.realpath(path) for path in (*sources, *([diarization] if diarization else ()))}
    lost = next((path for path in outputs if os.path.realpath(path) in read), None)
    if lost is not None:
        raise OutputError(f"{lost} is an input of this transcription; choose another output with -o")
    check_outputs(outputs, overwrite=overwrite)


def _write(
    found: Transcript,
    outputs: Mapping[Path, Format],
    journal: Path | None,
    progress: Progress,
    *,
    overwrite: bool,
) -> None:
    from mmser.report.writing import write_outputs

    write_outputs({path: WRITERS[shape](found) for path, shape in outputs.items()}, overwrite=overwrite)
    if journal is not None:
        journal.unlink(missing_ok=True)
    for path in outputs:
        progress.say(f"wrote {path}")


def _sum_up(found: Transcript, progress: Progress) -> None:
    """Say in a line or two what came of it."""
    from mmser.report.shown import recognition_words, redaction_words

    spoken = sum(turn.text is not None for turn in found.turns)
    progress.say(f"{len(found.turns)} turns, {spoken} with words · {recognition_words(found.recognition)}")
    taken = redaction_words(found.redaction)
    if taken is not None:
        progress.say(f"taken out of the words: {taken}")


def _with_words(found: Transcript) -> Transcript:
    return dataclasses.replace(found, turns=tuple(turn for turn in found.turns if turn.text))


def _format_of(path: Path) -> Format:
    try:
        return Format(path.suffix.lower().removeprefix("."))
    except ValueError as error:
        raise UsageError(
            f"-o {path}: the end of its name says the format, and {path.suffix or 'nothing'} is none; "
            f"formats are {', '.join(f'.{one.value}' for one in Format)}"
        ) from error
