"""A call report → the files of its folder."""

import dataclasses
import json
import os
from collections.abc import Callable, Collection, Sequence
from os import PathLike
from pathlib import Path
from typing import Final

import numpy as np

from mmser.audio import encode_mp3, open_recording, waveform_envelope
from mmser.audio.intake import Source
from mmser.errors import OutputError
from mmser.redaction import is_unsure
from mmser.report.aws import to_call_analytics
from mmser.report.document import to_json
from mmser.report.html import render_html
from mmser.report.parquet import to_parquet
from mmser.report.subtitles import to_srt, to_webvtt
from mmser.report.tables import to_csv, to_jsonl
from mmser.report.transcript import to_transcript
from mmser.report.writing import require_writable, write_outputs
from mmser.types import CallReport

EMBED_SECONDS: Final = 30 * 60.0  # a longer recording is linked from the page, not put inside
ENVELOPE_BINS: Final = 2_000
PAGE: Final = "report.html"
ALWAYS: Final[dict[str, Callable[[CallReport], str]]] = {
    "report.json": to_json,
    "turns.csv": to_csv,
    "turns.jsonl": to_jsonl,
}
EXPORTS: Final[dict[str, tuple[str, Callable[[CallReport], bytes | str]]]] = {
    "aws": ("call_analytics.json", lambda report: json.dumps(to_call_analytics(report), ensure_ascii=False)),
    "csv": ("turns.csv", to_csv),  # always written: asking for it changes nothing
    "jsonl": ("turns.jsonl", to_jsonl),  # likewise
    "parquet": ("turns.parquet", to_parquet),
    "srt": ("turns.srt", to_srt),
    "transcript": ("transcript.json", to_transcript),
    "vtt": ("turns.vtt", to_webvtt),
}
NO_WORDS: Final = "left out (--no-text)"


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder in which no report can be written, before any work is done.

    Raises:
        OutputError: if a file stands in the way, it holds a report already, or it may not be written to.
    """
    try:
        standing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be a folder: {error.strerror}; choose another folder with -o"
        ) from error
    if folder.is_symlink() and not folder.exists():
        raise OutputError(f"{folder} is a link that leads nowhere; choose another folder with -o")
    if not standing.is_dir():
        raise OutputError(
            f"{standing} is a file, and a folder is needed there; choose another folder with -o"
        )
    if not os.access(standing, os.W_OK | os.X_OK):
        raise OutputError(f"{standing} may not be written to; choose another folder with -o")
    there = next((name for name in (*ALWAYS, PAGE) if (folder / name).exists()), None)
    if there is not None and not overwrite:
        raise OutputError(
            f"{folder} already holds {there}; give --overwrite to replace it, or another folder"
        )
    require_writable(folder)


def write_report(
    report: CallReport,
    folder: Path,
    *,
    sources: Sequence[Source] = (),
    exports: Sequence[str] = (),
    include_audio: bool = True,
    include_text: bool = True,
    overwrite: bool = False,
    inputs: Sequence[Path] = (),
) -> tuple[Path, ...]:
    """Write report.html, report.json, turns.csv and turns.jsonl, and further formats: all of them, or none.

    Args:
        report: what to write.
        folder: made where it is missing.
        sources: the recording again, for the waveform and the player of the page.
        exports: keys of `EXPORTS`; "csv" and "jsonl" are written always.
        include_audio: False leaves the sound out of the page.
        include_text: False leaves the words out of every file.
        overwrite: whether a report in the folder may be replaced. Exports of that earlier report that are
            not written anew are removed then: they would speak of another analysis.
        inputs: further files that must stay, such as a diarization.

    Returns:
        The paths written.

    Raises:
        OutputError: if one cannot be written; nothing is left behind then.
    """
    if not include_text:
        report = without_words(report)
    files: dict[Path, bytes | str] = {folder / name: render(report) for name, render in ALWAYS.items()}
    for export in exports:
        name, render = EXPORTS[export]
        files[folder / name] = render(report)
    files[folder / PAGE] = render_page(
        report, folder, sources, include_audio=include_audio, include_text=include_text
    )
    read = _input_files(report, sources) | {path.resolve() for path in inputs}
    lost = next((path for path in files if path.resolve() in read), None)
    if lost is not None:
        raise OutputError(f"{lost} is an input of this analysis; choose another folder with -o")
    write_outputs(files, overwrite=overwrite, stale=_stale(folder, files, read) if overwrite else ())
    return tuple(files)


def _input_files(report: CallReport, sources: Sequence[Source]) -> set[Path]:
    named = [source for source in sources if isinstance(source, str | PathLike)]
    if report.transcript is not None and report.transcript.path is not None:
        named.append(report.transcript.path)
    return {Path(name).resolve() for name in named}


def _stale(folder: Path, files: Collection[Path], inputs: Collection[Path]) -> tuple[Path, ...]:
    """Return the exports of an earlier report in `folder`; a file that only has such a name is none."""
    if not (folder / "report.json").is_file():
        return ()
    exports = {folder / name for name, _ in EXPORTS.values()}
    return tuple(sorted(path for path in exports if path not in files and path.resolve() not in inputs))


def without_words(report: CallReport) -> CallReport:
    """Return the report without a single spoken word."""
    turns = tuple(
        dataclasses.replace(turn, text=None, words=(), reasons={**turn.reasons, "text": NO_WORDS})
        if turn.text is not None or turn.words
        else turn
        for turn in report.turns
    )
    return dataclasses.replace(report, turns=turns)


def render_page(
    report: CallReport,
    folder: Path,
    sources: Sequence[Source] = (),
    *,
    include_audio: bool = True,
    include_text: bool = True,
) -> str:
    """Return the HTML page with the waveform behind it and, if wanted, a player.

    Args:
        report: what to show.
        folder: where the page will lie; a long recording is linked from there.
        sources: the recording again, as it was analysed.
        include_audio: False leaves both the sound and any link to it out; the waveform's outline stays.
        include_text: False leaves the words out.
    """
    if report.recording is None or not sources:
        return render_html(report, include_text=include_text)
    start, end = report.part if report.part is not None else (None, None)
    redacted = report.redaction is not None
    with open_recording(*sources, start=start, end=end) as opened:
        source = opened if report.redaction is None else opened.muted(report.redaction.spans)
        envelope = np.clip(waveform_envelope(source, ENVELOPE_BINS), 0.0, 1.0).round(3).tolist()
        embed = include_audio and source.duration <= EMBED_SECONDS and not is_unsure(report)
        audio = encode_mp3(source) if embed else None
    return render_html(
        report,
        envelope=envelope,
        audio=audio,
        # A recording that is linked says everything that was taken out of the words.
        audio_href=_link(folder, sources) if include_audio and not embed and not redacted else None,
        include_text=include_text,
    )


def _link(folder: Path, sources: Sequence[Source]) -> str | None:
    """Return where the page finds the one file of the recording; None where it is not one file on disk."""
    if len(sources) != 1 or not isinstance(sources[0], str | PathLike):
        return None
    path = Path(sources[0]).resolve()
    try:
        # "./" so that a name with a colon is not taken for a web address.
        return f"./{os.path.relpath(path, folder.resolve())}"
    except ValueError:  # another drive
        return path.as_uri()
