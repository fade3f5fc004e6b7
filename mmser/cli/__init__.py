"""The command line: `mmser analyze`, `transcribe`, `predict`, `batch`, `train`, `evaluate` and others.

Results go to stdout, progress and errors to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage,
130 interrupted, 143 terminated. Commands import torch and the like only once they have said what they are
doing.
"""

import errno
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from dataclasses import make_dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
import typer.core

from mmser import __version__
from mmser.cli import (
    analyze,
    audit,
    baseline,
    batch,
    batch_folder,
    calibrate,
    compare,
    evaluate,
    info,
    predict,
    push,
    push_dataset,
    space,
    summarize,
    train,
    transcribe,
)
from mmser.cli.console import is_stdout_error, one_line, print_result, silence_stdout, stdout_error
from mmser.errors import MmserError

# Typer's own errors (an unknown option, a missing argument); the class itself has no public name.
_TyperError: type[Exception] = typer.BadParameter.__mro__[2]

# What a system says of a path that a user gave, where nothing closer to it has said it.
_PATH_ERRORS = {
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "make it accessible, or give another"),
    **dict.fromkeys((errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.ELOOP), "correct the path"),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room"),
}

app = typer.Typer(
    name="mmser",
    help="Turn by turn, how the people on a recorded call sound and speak: emotion, intensity and change.",
    epilog="Everything runs on this machine; nothing is sent anywhere but by push and push-dataset.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class _BatchGroup(typer.core.TyperGroup):
    """`mmser batch calls/` is `mmser batch run calls/`; a folder named as a command is ./status."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "--help", "-h"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


batches = typer.Typer(
    cls=_BatchGroup,
    no_args_is_help=True,
    help="Analyse many calls into one folder: mmser batch INPUT… -o OUT (options: mmser batch run --help).",
    epilog=batch.EPILOG,
)
batches.command("run", epilog=batch.EPILOG)(batch.run)
batches.command("status")(batch_folder.status)
batches.command("forget")(batch_folder.forget)
app.command("analyze", epilog=analyze.EPILOG)(analyze.analyze)
app.command("transcribe", epilog=transcribe.EPILOG)(transcribe.transcribe)
app.command("predict", epilog=predict.EPILOG)(predict.predict)
app.command("audit", epilog=audit.EPILOG)(audit.audit)
app.add_typer(batches, name="batch")
app.command("train", epilog=train.EPILOG)(train.train)
app.command("push", epilog=push.EPILOG)(push.push)
app.command("evaluate", epilog=evaluate.EPILOG)(evaluate.evaluate)
app.command("baseline", epilog=baseline.EPILOG)(baseline.baseline)
app.command("compare", epilog=compare.EPILOG)(compare.compare)
app.command("calibrate", epilog=calibrate.EPILOG)(calibrate.calibrate)
app.command("summarize", epilog=summarize.EPILOG)(summarize.summarize)
spaces = typer.Typer(no_args_is_help=True, help="A Gradio app for a Space on the Hugging Face Hub.")
spaces.command("create", epilog=space.EPILOG)(space.create)
app.add_typer(spaces, name="space")
app.command("push-dataset", epilog=push_dataset.EPILOG)(push_dataset.push_dataset)
app.command("info", epilog=info.EPILOG)(info.info)


def _show_version(wanted: bool) -> None:
    if wanted:
        print_result(f"mmser {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Turn by turn, how the people on a recorded call sound and speak."""


class _Terminated(BaseException):
    """Somebody asked this process to end; on the way out temporary files go."""


def _terminate(number: int, frame: FrameType | None) -> None:
    raise _Terminated(number)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    # A caller that closed a stream wants nothing from it; Python then leaves None in its place.
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    for name in ("SIGTERM", "SIGHUP"):  # the latter is not known on Windows
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup stays in force
            signal.signal(number, _terminate)
    code = run(sys.argv[1:] if arguments is None else arguments)
    if code == 130:
        # Where Ctrl-C broke into code that a library made from text, as a dataclass is, Python notes it and
        # would end by the signal, whatever code is given; the next such code takes the note back.
        make_dataclass("Nothing", ())
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; errors become one line on stderr."""
    # The model and tokenizer are local files: no forked tokenizers, no surprises on stderr.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        code: Any = app(args=list(arguments), prog_name="mmser", standalone_mode=False)
        sys.stdout.flush()
        if code == 130:  # Typer makes a code of an interrupt, and says nothing
            return _fail("interrupted", 130)
        return code if isinstance(code, int) else 0
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except _Terminated as error:
        return _fail("terminated", 128 + error.args[0])
    except BrokenPipeError:
        silence_stdout()
        return 1
    except _TyperError as error:
        return _fail(_typer_message(error), 2)
    except typer.Abort:
        return _fail("interrupted", 130)
    except Exception as error:
        if "--debug" in arguments:
            traceback.print_exc()
        if not isinstance(error, MmserError) and _is_interrupted(error):
            return _fail("interrupted", 130)
        if isinstance(error, OSError) and is_stdout_error(error):
            error = stdout_error(error)
        if isinstance(error, MmserError):
            return _fail(str(error), error.exit_code)
        if isinstance(error, OSError) and error.errno in _PATH_ERRORS and error.filename is not None:
            name, remedy = str(error.filename), _PATH_ERRORS[error.errno]
            shown = name if len(name) <= 120 else f"{name[:40]}…{name[-70:]}"
            return _fail(f"{shown}: {error.strerror}; {remedy}", 1)
        return _fail(
            f"{type(error).__name__}: {error} (a bug in mmser; run again with --debug and report it)", 1
        )


def _is_interrupted(error: BaseException | None) -> bool:
    """Tell whether an error came of Ctrl-C: libraries that it meets while loading say they cannot load."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _typer_message(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "mmser"
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    return f"{message.rstrip('.')}; see {path} --help" if message else f"see {path} --help"


def _fail(message: str, code: int) -> int:
    try:
        print("mmser: error: " + one_line(message), file=sys.stderr, flush=True)
    except OSError:
        return code  # nobody reads stderr; the exit code still tells
    return code
