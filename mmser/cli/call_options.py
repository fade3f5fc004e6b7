"""Options of the commands that take a recorded call: its files, its part, its parties, its words."""

import contextlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmser.cli.options import parse_language, parse_pairs, parse_role, parse_roles, parse_seconds
from mmser.errors import UsageError
from mmser.labels import Role

if TYPE_CHECKING:
    from mmser.cli.console import Progress
    from mmser.progress import ProgressCallback
    from mmser.transcription.recogniser import Recogniser

IN, WHO, OUT = "What comes in", "Who speaks", "What goes out"
WORDS = "How words are recognised"
MAX_NAME = 200  # bytes of an output's name that its journal's holds; file systems take 255 in all
DEVICES = ("auto", "cpu", "cuda")

RecordingFile = Annotated[
    Path | None,
    typer.Argument(help="The recorded call, each channel one party. Leave it out for words alone."),
]
AgentFile = Annotated[
    Path | None, typer.Option(help="Mono recording of the agent's side.", rich_help_panel=IN)
]
CustomerFile = Annotated[
    Path | None,
    typer.Option(help="Mono recording of the customer's side, on the same clock.", rich_help_panel=IN),
]
Start = Annotated[str | None, typer.Option(help="Begin here: seconds, or 1:30.", rich_help_panel=IN)]
End = Annotated[str | None, typer.Option(help="Stop here: seconds, or 1:30.", rich_help_panel=IN)]
Language = Annotated[
    str | None,
    typer.Option(help="Of the words, as a code (en, de …); found out if left out.", rich_help_panel=IN),
]
Roles = Annotated[
    str | None,
    typer.Option(
        help="One role for each channel, in order: agent, customer, system, unknown.",
        metavar="ROLE,ROLE",
        rich_help_panel=WHO,
    ),
]
SpeakerRoles = Annotated[
    list[str] | None,
    typer.Option(
        help="The role of a speaker of the transcript, or of a channel (ch_0, ch_1 …) without one; repeat "
        "for more.",
        metavar="SPEAKER=ROLE",
        rich_help_panel=WHO,
    ),
]
Asr = Annotated[
    str,
    typer.Option(
        help="What recognises the words: whisper:SIZE or a .pt file, faster-whisper:SIZE or folder, hf:ID or "
        "folder. Weights that are not on this machine are fetched once.",
        metavar="ENGINE:MODEL",
        rich_help_panel=WORDS,
    ),
]
ModelDir = Annotated[
    Path | None,
    typer.Option(
        help="Where its weights lie and are put; HF_HOME or the engine's own cache if left out.",
        rich_help_panel=WORDS,
    ),
]
Device = Annotated[
    str,
    typer.Option(
        help="Where words are recognised: cpu, cuda, or auto, which is a GPU where there is one.",
        metavar="|".join(DEVICES),
        rich_help_panel=WORDS,
    ),
]
Diarization = Annotated[
    Path | None,
    typer.Option(
        help="Who speaks when on a recording with one channel: RTTM, or any transcript with speakers.",
        rich_help_panel=WORDS,
    ),
]
Redact = Annotated[
    bool,
    typer.Option(
        "--redact",
        help="Take card numbers, IBANs, phone numbers, e-mail addresses and dates of birth out of the words; "
        "a report's sound is silent there.",
        rich_help_panel=OUT,
    ),
]
Patterns = Annotated[
    list[str] | None,
    typer.Option(
        "--redact-pattern",
        help="Take out what a regular expression finds too; repeat for more. Implies --redact.",
        metavar="NAME=REGEX",
        rich_help_panel=OUT,
    ),
]


def recording_files(
    recording: Path | None, agent: Path | None, customer: Path | None, roles: str | None
) -> tuple[tuple[Path, ...], tuple[Role, ...] | None]:
    """Return the files of the recording and, for --agent and --customer, their roles."""
    sides: list[tuple[Path, Role]] = []
    if agent is not None:
        sides.append((agent, "agent"))
    if customer is not None:
        sides.append((customer, "customer"))
    if not sides:
        return (() if recording is None else (recording,)), None
    if recording is not None:
        raise UsageError(
            f"{recording} and --agent or --customer are both given; give the one file with all channels, "
            "or the files of the sides"
        )
    if agent is not None and customer is not None and agent.resolve() == customer.resolve():
        # One party's voice would be judged as the other's.
        raise UsageError(
            f"{agent} is given both as --agent and as --customer; give each side's own file, or the one file "
            "with all channels and --roles"
        )
    if roles is not None:
        raise UsageError("--roles is not needed with --agent and --customer, which say who is who; drop it")
    return tuple(path for path, _ in sides), tuple(role for _, role in sides)


@dataclass(frozen=True, kw_only=True)
class CallInput:
    """What was typed of a call, as values."""

    sources: tuple[Path, ...]
    channel_roles: tuple[Role, ...] | None
    speaker_roles: dict[str, Role]
    language: str | None  # ISO 639-1
    start: float | None  # seconds
    end: float | None


def read_call(
    recording: Path | None,
    agent: Path | None,
    customer: Path | None,
    *,
    roles: str | None,
    role: Sequence[str] | None,
    language: str | None,
    start: str | None,
    end: str | None,
) -> CallInput:
    """Return the options of a call as values.

    Raises:
        UsageError: if one is not understood, or two contradict each other.
    """
    sources, side_roles = recording_files(recording, agent, customer, roles)
    names = parse_pairs(role or [], "--role", "SPEAKER=ROLE")
    return CallInput(
        sources=sources,
        channel_roles=parse_roles(roles) or side_roles,
        speaker_roles={name: parse_role(value, "--role") for name, value in names.items()},
        language=parse_language(language),
        start=parse_seconds(start, "--start"),
        end=parse_seconds(end, "--end"),
    )


def recogniser_opener(
    asr: str,
    model_dir: Path | None,
    device: str,
    threads: int,
    progress: "ProgressCallback",
    *,
    ways: str | None = None,
) -> "Callable[[], Recogniser]":
    """Return what opens a recogniser as the options say, once it is needed.

    Raises:
        UsageError: if the options name no recogniser or device.
        MmserError: a child of it says what is wrong with weights that lie on this machine.
    """
    from mmser.transcription.opening import check_recogniser, open_recogniser
    from mmser.transcription.weights import WAYS

    check_recogniser(asr)
    check_device(device)

    def opened() -> "Recogniser":
        place = pick_device(device)
        progress("loading", 0, 0)
        return open_recogniser(
            asr, model_dir=model_dir, device=place, threads=threads, progress=progress, ways=ways or WAYS
        )

    return opened


@contextlib.contextmanager
def keeping(journal: Path | None, progress: "Progress") -> "Iterator[None]":
    """Say what words an earlier run left, and what words this one leaves when it is stopped."""
    if journal is not None and _begun(journal):
        progress.say(f"found what an earlier run recognised, in {journal}")
    try:
        yield
    except BaseException:
        if journal is not None and _begun(journal):
            progress.warn(
                f"what was recognised is kept, unredacted and for you alone, in {journal}: the same command "
                "goes on there; remove the file if you do not go on"
            )
        raise


def _begun(journal: Path) -> bool:
    """Tell whether a journal of mmser's lies there and holds words; links and pipes are not opened."""
    from mmser.transcription.journal import BEGINS

    try:
        if not stat.S_ISREG(journal.lstat().st_mode):
            return False
        content = journal.read_bytes()
    except OSError:
        return False
    return content.startswith(BEGINS) and b'"chunk"' in content


def check_device(name: str) -> None:
    """Refuse a device that cannot be meant.

    Raises:
        UsageError: if so.
    """
    if name not in DEVICES:
        raise UsageError(f"--device {name!r} is none; give {', '.join(DEVICES)}")


def pick_device(name: str) -> str:
    """Return where to compute: "cpu" or "cuda".

    Raises:
        UsageError: if a GPU is asked for and there is none.
    """
    check_device(name)
    import torch

    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: PyTorch sees no GPU here; give cpu, or auto")
    return "cuda" if name != "cpu" and torch.cuda.is_available() else "cpu"


def journal_of(output: Path) -> Path:
    """Return where what is transcribed so far is kept, beside the output, until that is written."""
    place = Path(os.path.realpath(output))  # "." and ".." have no name; of links in a circle it says nothing
    name = place.name.encode()[:MAX_NAME].decode(errors="ignore") or "mmser"
    return place.parent / f".{name}.transcribing.jsonl"
