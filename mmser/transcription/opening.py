"""The name of a recogniser → the recogniser, loaded."""

from pathlib import Path

from mmser.errors import ModelError
from mmser.progress import ProgressCallback, ignore_progress
from mmser.transcription.recogniser import Recogniser, RecogniserName, parse_recogniser
from mmser.transcription.weights import WAYS, check_weights, differs, locate_weights


def check_recogniser(text: str) -> RecogniserName:
    """Read the name of a recogniser and refuse one that cannot be, before anything is loaded or fetched.

    Args:
        text: such as "whisper:small".

    Raises:
        UsageError: if it names none, or no size or Hub id.
        ModelError: if the file or folder that it names is not there.
        MissingExtraError: if its engine is not installed.
    """
    name = parse_recogniser(text)
    check_weights(name)
    return name


def open_recogniser(
    text: str,
    *,
    model_dir: Path | None = None,
    device: str = "cpu",
    threads: int = 1,
    progress: ProgressCallback = ignore_progress,
    ways: str = WAYS,
) -> Recogniser:
    """Load a recogniser, fetching its weights where they are not on this machine.

    Args:
        text: its name, such as "whisper:small".
        model_dir: where weights lie and are put; see `locate_weights`.
        device: as torch names it.
        threads: that faster-whisper computes with; the others compute with torch's.
        progress: called with "fetching", bytes done, bytes in all (0: not known).
        ways: what else a user can do where there are neither weights nor network.

    Raises:
        UsageError: if it names no recogniser.
        ModelError: if there are no such weights, or they cannot be loaded.
        OutputError: if fetched weights cannot be written.
        MissingExtraError: if its engine is not installed.
    """
    name = parse_recogniser(text)
    path = locate_weights(name, model_dir=model_dir, progress=progress, ways=ways)
    if name.engine == "hf":
        from mmser.transcription.hugging_face import HuggingFaceWhisper

        return HuggingFaceWhisper(str(name), path, device)
    if name.engine == "faster-whisper":
        from mmser.transcription.faster_whisper import FasterWhisper

        return FasterWhisper(str(name), path, device, threads)
    return _open_openai(name, path, device)


def _open_openai(name: RecogniserName, path: Path, device: str) -> Recogniser:
    from mmser.transcription.openai_whisper import OpenAIWhisper

    try:
        return OpenAIWhisper(str(name), path, device)
    except ModelError as error:
        # openai-whisper itself writes to the final place: a download that was broken off looks like weights.
        if differs(name, path):
            raise ModelError(
                f"{path} is damaged: it is not the file that openai publishes as {name}; remove it, and it "
                "is fetched again"
            ) from error
        raise
