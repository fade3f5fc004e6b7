"""A Gradio app over mmser: a recorded call in, the report of `mmser analyze` out.

`mmser space create` copies this file beside a copy of the package, as app.py; nothing else imports it.
"""

# ruff: noqa: E402 - gradio reads the environment when it is imported

import contextlib
import dataclasses
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
# A folder of its own for what is uploaded, which goes with the app.
CACHE = tempfile.TemporaryDirectory(prefix="mmser-space-", ignore_cleanup_errors=True)
os.environ["GRADIO_TEMP_DIR"] = CACHE.name

import gradio as gr
import soundfile

from mmser import EmotionPipeline
from mmser.errors import AudioError, MmserError, no_temporary_room
from mmser.labels import Role
from mmser.outputs import write_report
from mmser.pipeline import set_threads
from mmser.report.html_summary import summary_sentence
from mmser.types import CallReport

TITLE = "How a call sounds"
MODEL: str | None = None  # a folder beside this file or a Hub id; None = the model in the package
REVISION: str | None = None  # of a Hub id

MAX_MINUTES = 30.0
MAX_WHISPER_MINUTES = 10.0  # recognising words on two processors takes about as long as the call
RECOGNISER = "whisper:base"  # fetched from the network when it is first asked for
MAX_UPLOAD = "600mb"
KEEP_SECONDS = 15 * 60  # after this what was uploaded and written is deleted
REPORT_HEIGHT = 1_100  # px; a share of the window would grow for ever inside the Hub's own frame

HERE = Path(__file__).resolve().parent
SAMPLE = HERE / "mmser" / "assets" / "sample"
AGENT_LEFT, CUSTOMER_LEFT = "Agent left, customer right", "Customer left, agent right"
ONE_VOICE, BY_TRANSCRIPT = "One voice, a customer's", "The transcript names agent and customer"
ROLES: dict[str, tuple[Role, ...] | None] = {
    AGENT_LEFT: ("agent", "customer"),
    CUSTOMER_LEFT: ("customer", "agent"),
    ONE_VOICE: ("customer",),
    BY_TRANSCRIPT: None,
}
NOTICE = f"""
**Perceived, expressed emotion:** how people sound and speak, with its uncertainty, not what anybody feels.

- **Not for people at work.** The EU AI Act, Art. 5(1)(f), prohibits inferring employees' emotions from their
  voices: agents' turns are withheld here, and no option changes that. Do not call an employee a customer.
- **No decisions** about a person on this alone.
- **Nothing is kept:** files are deleted within {KEEP_SECONDS // 60 + 1} minutes. They are computed on the
  machine that runs this app; upload only what you may give to it.
"""
CSS = """
.block.notice { border-left: 4px solid var(--color-accent); padding-left: 1rem; }
.said { font-size: 1.05rem; }
.report iframe { width: 100%; border: 1px solid var(--border-color-primary); border-radius: 8px; }
"""
FONTS = ("system-ui", "sans-serif")  # those of the reader's machine: nothing is fetched

Answer = tuple[str, str, list[str] | None]


def analyse(
    recording: str | None, transcript: str | None, who: str, recognise: bool, progress: gr.Progress
) -> Iterator[Answer]:
    """Yield a line to be read, the report as a frame, and its files; or the line that says what is wrong."""
    given = recording, transcript
    try:
        with tempfile.TemporaryDirectory(prefix="mmser-call-") as name:
            # Copies: what was uploaded may be deleted while words are still being recognised.
            given = _copied(recording, Path(name, "in")), _copied(transcript, Path(name, "in"))
            yield _answer(*given, who, recognise, Path(name, "out"), progress)
            # gradio has copied the files by the time that it asks for more: the folder goes here.
    except MmserError as error:
        yield _complaint(error, *given)
    except OSError as error:
        told = no_temporary_room(error)
        if told is None:
            raise
        yield _complaint(told)


def _copied(file: str | None, folder: Path) -> str | None:
    if file is None:
        return None
    folder.mkdir(exist_ok=True)
    return str(shutil.copyfile(file, folder / Path(file).name))


def _answer(
    recording: str | None,
    transcript: str | None,
    who: str,
    recognise: bool,
    folder: Path,
    progress: gr.Progress,
) -> Answer:
    if recording is None:
        raise AudioError("there is no recording yet; upload one, record one, or try the sample call")
    if who not in ROLES:
        raise AudioError(f"nobody knows who {who!r} is; choose who is on which channel")
    recognise = recognise and transcript is None
    _check(Path(recording), who, MAX_WHISPER_MINUTES if recognise else MAX_MINUTES)

    def show(stage: str, done: float, total: float) -> None:
        progress(done / total if total else 0.0, desc=stage)

    report = PIPELINE(
        recording,
        transcript=transcript,
        transcribe=recognise,
        asr=RECOGNISER,
        roles=ROLES[who],
        progress=show,
    )
    report = _named(report, Path(recording).name, transcript)
    files = write_report(report, folder, sources=[recording])
    page = (folder / "report.html").read_text("utf-8")
    wanted = [str(path) for path in files if path.name in ("report.html", "report.json", "turns.csv")]
    return _line(report), frame(page), wanted


def _check(recording: Path, who: str, minutes: float) -> None:
    """Refuse a recording that is too long or has other channels than was said, by its header alone.

    Raises:
        AudioError: if so.
    """
    seconds, channels = _header(recording)
    if seconds is not None and seconds > minutes * 60:
        raise AudioError(
            f"{recording.name} lasts {seconds / 60:.0f} minutes, and at most {minutes:.0f} are taken here; "
            "cut it, or install mmser on your own machine, where there is no limit"
        )
    roles = ROLES[who]
    if channels is not None and roles is not None and channels != len(roles):
        plural = "" if channels == 1 else "s"
        raise AudioError(
            f"{recording.name} has {channels} channel{plural}, which does not fit “{who}”; choose another "
            "answer to who is on which channel"
        )


def _header(recording: Path) -> tuple[float | None, int | None]:
    """Return length in seconds and number of channels; None where only the whole file would tell."""
    try:
        found = soundfile.info(str(recording))
        return found.duration, found.channels
    except soundfile.LibsndfileError:
        pass  # m4a and the like; what is no sound at all is told by mmser
    import av

    try:
        with av.open(str(recording)) as opened:
            return (None if opened.duration is None else opened.duration / 1e6), None
    except (av.FFmpegError, OSError):
        return None, None


def _named(report: CallReport, recording: str, transcript: str | None) -> CallReport:
    """Return the report with the names that files were uploaded under, in place of the app's own paths."""
    source, words = report.recording, report.transcript
    if source is not None:
        source = dataclasses.replace(source, path=recording)
    if words is not None and transcript is not None:
        words = dataclasses.replace(words, path=Path(transcript).name)
    return dataclasses.replace(report, recording=source, transcript=words)


def _line(report: CallReport) -> str:
    warnings = "".join(f"<br><small>{escape(one)}</small>" for one in report.warnings)
    return f"<p class='said'>{escape(summary_sentence(report))}{warnings}</p>"


def frame(page: str) -> str:
    """Return the report in a frame of its own, which can neither see nor touch the page around it."""
    return (
        f'<iframe title="Report" sandbox="allow-scripts allow-downloads" style="height:{REPORT_HEIGHT}px" '
        f'srcdoc="{escape(page)}"></iframe>'
    )


def _complaint(error: MmserError, *files: str | None) -> Answer:
    said = str(error)
    for file in files:
        said = said if file is None else said.replace(file, Path(file).name)
    return f"<p class='said' role='alert'>⚠ {escape(said)}.</p>", "", None


def build() -> gr.Blocks:
    """Return the page and what its buttons do."""
    page: gr.Blocks
    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        gr.Markdown(f"# {TITLE}")
        gr.Markdown(NOTICE, elem_classes="notice")
        with gr.Row():
            with gr.Column():
                recording = gr.Audio(
                    type="filepath",
                    sources=["upload", "microphone"],
                    label="Recording",
                    elem_id="recording",
                    buttons=["download"],  # and none that shares it with the Hub
                )
                transcript = gr.File(
                    label="Transcript, if there is one: WebVTT, SRT, JSON, CSV, text",
                    elem_id="transcript",
                    height=140,
                )
            with gr.Column():
                who = gr.Radio(list(ROLES), value=AGENT_LEFT, label="Who is on which channel?")
                recognise = gr.Checkbox(
                    label="Recognise words with Whisper",
                    info=f"Without a transcript; up to {MAX_WHISPER_MINUTES:.0f} minutes, and takes about as "
                    "long. Left off, the voice alone is judged.",
                )
                with gr.Row():
                    start = gr.Button("Analyse", variant="primary", elem_id="analyse")
                    sample = gr.Button("Try the sample call", elem_id="sample")
        line = gr.HTML(elem_id="line")
        files = gr.File(label="Files", file_count="multiple", interactive=False, elem_id="files")
        report = gr.HTML(elem_id="report", elem_classes="report")
        inputs, outputs = [recording, transcript, who, recognise], [line, report, files]
        options: dict[str, Any] = {"api_visibility": "private", "show_progress_on": line}
        start.click(_shown, inputs, outputs, **options)
        sample.click(
            lambda: (str(SAMPLE / "call.wav"), str(SAMPLE / "call.vtt"), AGENT_LEFT, False),
            None,
            inputs,
            api_visibility="private",
        ).then(_shown, inputs, outputs, **options)
    return page


def _shown(
    recording: str | None,
    transcript: str | None,
    who: str,
    recognise: bool,
    progress: gr.Progress = gr.Progress(),  # noqa: B008 - how gradio hands its bar over
) -> Iterator[Answer]:
    yield from analyse(recording, transcript, who, recognise, progress)


def forget() -> None:
    """Delete what was uploaded and written, once it is old, for as long as the app runs.

    gradio's own `delete_cache` knows only of files that it handed on; an upload that broke off would stay.
    """
    while True:
        time.sleep(60)
        forget_before(time.time() - KEEP_SECONDS)


def forget_before(moment: float) -> None:
    """Delete every file of the cache that was last changed before a time in seconds since 1970."""
    for path in Path(CACHE.name).rglob("*"):
        # One that somebody else deletes at this moment is gone as well.
        with contextlib.suppress(FileNotFoundError):
            if path.is_file() and path.stat().st_ctime < moment:
                path.unlink()


def main() -> None:
    """Load the model and serve the page until it is stopped."""
    global PIPELINE
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # on the way out temporary files go
    set_threads(int(os.environ.get("CPU_CORES", "1")))  # which Spaces state
    beside = MODEL is not None and (HERE / MODEL).is_dir()
    PIPELINE = EmotionPipeline.from_pretrained(HERE / str(MODEL) if beside else MODEL, revision=REVISION)
    threading.Thread(target=forget, daemon=True).start()
    build().queue(default_concurrency_limit=1, max_size=16).launch(
        theme=gr.themes.Default(font=FONTS, font_mono=("ui-monospace", "monospace")),
        css=CSS,
        max_file_size=MAX_UPLOAD,
        allowed_paths=[str(SAMPLE)],
        ssr_mode=False,
        footer_links=["gradio"],
    )


PIPELINE: EmotionPipeline

if __name__ == "__main__":
    main()
