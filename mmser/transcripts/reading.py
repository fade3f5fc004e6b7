"""Read a transcript of any known format, told apart by content."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mmser.errors import TranscriptError
from mmser.transcripts import (
    assemblyai,
    aws,
    azure,
    captions,
    deepgram,
    dialogue,
    google,
    jsonturns,
    nist,
    own,
    revai,
    speechmatics,
    table,
    textgrid,
    vcon,
    whisper,
)
from mmser.transcripts.decoding import decode, ends_abruptly
from mmser.transcripts.entries import Parsed, transcript_from
from mmser.transcripts.fields import language_code, shown
from mmser.types import Transcript

# In order: the first whose sniff says yes reads. Narrow shapes come before wide ones.
TEXT_FORMATS: Final[tuple[tuple[Callable[[str], bool], Callable[[str], Parsed]], ...]] = (
    (captions.sniff_webvtt, captions.read_webvtt),
    (captions.sniff_srt, captions.read_srt),
    (textgrid.sniff_textgrid, textgrid.read_textgrid),
    (nist.sniff_rttm, nist.read_rttm),
    (nist.sniff_stm, nist.read_stm),
    (nist.sniff_ctm, nist.read_ctm),
    (table.sniff_table, table.read_table),
    (dialogue.sniff_dialogue, dialogue.read_dialogue),
)
# A cut in the middle of a line leaves a file that these read as whole.
LINE_READERS: Final = (nist.read_rttm, nist.read_stm, nist.read_ctm, table.read_table, dialogue.read_dialogue)
JSON_FORMATS: Final[tuple[tuple[Callable[[object], bool], Callable[[object], Parsed]], ...]] = (
    (aws.sniff_transcribe, aws.read_transcribe),
    (aws.sniff_calls, aws.read_calls),
    (azure.sniff_azure, azure.read_azure),
    (deepgram.sniff_deepgram, deepgram.read_deepgram),
    (assemblyai.sniff_assemblyai, assemblyai.read_assemblyai),
    (revai.sniff_revai, revai.read_revai),
    (speechmatics.sniff_speechmatics, speechmatics.read_speechmatics),
    (google.sniff_google, google.read_google),
    (vcon.sniff_wtf, vcon.read_wtf),
    (whisper.sniff_whisper, whisper.read_whisper),
    (jsonturns.sniff_turns, jsonturns.read_turns),
    (dialogue.sniff_dialogue_json, dialogue.read_dialogue_json),
)


def read_transcript(
    source: str | os.PathLike[str] | bytes, *, name: str | None = None, language: str | None = None
) -> Transcript:
    """Read a transcript; the format is told by the content, never by the file's name.

    Args:
        source: a path, or the bytes of a transcript.
        name: what errors call it; the path unless given.
        language: ISO 639-1 code that overrides the one in the file.

    Returns:
        Turns in order of start with ids t1, t2, …; times in seconds, None where the file has none.

    Raises:
        TranscriptError: if it cannot be read, is of no known format, or is broken.
    """
    if language is not None and language_code(language) is None:
        raise TranscriptError(f"language {shown(language)} is not a code such as en or de")
    shown_name = name or ("the transcript" if isinstance(source, bytes) else os.fspath(source))
    data = source if isinstance(source, bytes) else _read_bytes(source, shown_name)
    try:
        return _read(decode(data), language_code(language))
    except TranscriptError as error:
        raise TranscriptError(f"{shown_name}: {error}") from error


def _read_bytes(path: str | os.PathLike[str], name: str) -> bytes:
    try:
        if Path(path).exists() and not (Path(path).is_file() or Path(path).is_dir()):
            raise TranscriptError(
                f"{name} is a pipe or a device, not a file; save the transcript to a file first"
            )
        return Path(path).read_bytes()
    except IsADirectoryError as error:
        raise TranscriptError(f"{name} is a folder; give one transcript file") from error
    except FileNotFoundError as error:
        raise TranscriptError(f"{name} does not exist; check the path of the transcript") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TranscriptError(f"{name} cannot be read: {reason}") from error


def _read(text: str, language: str | None) -> Transcript:
    if text.lstrip()[:1] in ("{", "["):
        data = _json(text)
        if data is not None:
            return _read_json(data, language)
    for sniff, read in TEXT_FORMATS:
        if sniff(text):
            parsed = read(text)
            if read in LINE_READERS and ends_abruptly(text):
                parsed.warnings.append(
                    "the last line ends without a line break or a full stop; the file may be cut short"
                )
            return transcript_from(parsed, language)
    raise TranscriptError(
        "no known transcript format; mmser reads WebVTT, SRT, CSV, TSV, CTM, STM, RTTM, TextGrid, vCon, "
        '"Agent: …" text, and JSON of Whisper, WhisperX, AWS, Azure, Google, Deepgram, AssemblyAI, '
        "Rev.ai and Speechmatics"
    )


def _json(text: str) -> object:
    """Return parsed JSON; None where the text only begins like JSON ("[00:05] Agent: …")."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise TranscriptError("its JSON is nested too deeply") from error
    except ValueError as error:
        if any(sniff(text) for sniff, _ in TEXT_FORMATS):
            return None
        line = getattr(error, "lineno", None)
        place = f"line {line}: " if line else ""
        reason = getattr(error, "msg", None) or str(error)
        raise TranscriptError(f"{place}it is cut or broken JSON ({reason}); export it again") from error


def _read_json(data: object, language: str | None) -> Transcript:
    if isinstance(data, dict) and own.sniff_own(data):
        transcript = own.read_own(data)
        fields = {key: getattr(transcript, key) for key in Transcript.__dataclass_fields__}
        return Transcript(**{**fields, "language": language or transcript.language})
    parsed = vcon.read_vcon(data, _known_json) if vcon.sniff_vcon(data) else _known_json(data)
    if parsed is not None:
        return transcript_from(parsed, language)
    keys = ", ".join(list(data)[:8]) if isinstance(data, dict) else "none: it is not an object"
    raise TranscriptError(f"JSON of no known transcript format; its keys are {keys[:200]}")


def _known_json(data: object) -> Parsed | None:
    """Read JSON of a known format; None where there is none."""
    return next((read(data) for sniff, read in JSON_FORMATS if sniff(data)), None)
