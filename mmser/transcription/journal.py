"""What was recognised so far, on disk: after a crash the next run goes on at the last finished chunk."""

import contextlib
import errno
import json
import os
import stat
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mmser.errors import OutputError
from mmser.speech import ChannelSpeech
from mmser.transcription.chunks import Chunk
from mmser.transcription.segments import Recognised

SCHEMA = "mmser.journal/1"
BEGINS = f'{{"schema": "{SCHEMA}"'.encode()

Place = tuple[int, float, float]  # channel, start and end of a chunk in seconds


class Journal:
    """One line of JSON for each finished step, with its checksum, written through; one process at a time.

    The words in it stand as they were recognised, also where they are to be redacted: it is readable to its
    owner alone, and to be removed once the output is written.

    Args:
        path: of the file; made where it is missing, together with its folder.
        key: what the steps belong to; those of another recording or recogniser are thrown away.

    Raises:
        OutputError: if it cannot be written, or another process writes it.
    """

    def __init__(self, path: Path, key: Mapping[str, Any]) -> None:
        self.path = path
        self.speech: ChannelSpeech | None = None
        self.language: tuple[str | None, float | None] | None = None
        self.chunks: dict[Place, Recognised] = {}
        header = json.loads(json.dumps({"schema": SCHEMA, **key}))
        self.discarded = False  # whether steps of other work were thrown away
        with _told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            # A link could lead to any file of the user's.
            # It does not wait for the other end of a pipe either.
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
            descriptor = os.open(path, flags, 0o600)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OutputError(_no_journal(path))
        self._file = os.fdopen(descriptor, "r+b")
        try:
            self._lock()
            self._refuse_others()
            with _told(path):
                if hasattr(os, "fchmod"):
                    os.fchmod(self._file.fileno(), 0o600)
                self._read(header)
        except BaseException:
            with contextlib.suppress(OSError):  # the first failure is the one to tell
                self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):  # what a full disk did not take was told when it was written
            self._file.close()

    def keep_speech(self, speech: ChannelSpeech) -> None:
        """Note where somebody speaks."""
        self.speech = speech
        self._write({"stretches": list(speech.stretches.items()), "leaked": list(speech.leaked.items())})

    def keep_language(self, language: str | None, probability: float | None) -> None:
        """Note which language was found."""
        self.language = (language, probability)
        self._write({"language": language, "probability": probability})

    def keep_chunk(self, chunk: Chunk, found: Recognised) -> None:
        """Note what was recognised in a chunk."""
        self.chunks[place_of(chunk)] = found
        self._write({"chunk": place_of(chunk), "found": found.to_dict()})

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # Windows keeps a file that is open from others by itself
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise OutputError(
                f"{self.path} is in use: another process is transcribing for the same output; wait for it, "
                "or name another output with -o"
            ) from error

    def _refuse_others(self) -> None:
        """Refuse a file that is no journal: it would be emptied."""
        begins = self._file.read(len(BEGINS))
        self._file.seek(0)
        if begins and begins != BEGINS:
            raise OutputError(_no_journal(self.path))

    def _read(self, header: Any) -> None:
        """Take over the steps of an earlier run; what is cut off at the end, or of other work, goes."""
        good = 0
        for number, line in enumerate(self._file):
            if number == 0:
                if line != _line(header):
                    self.discarded = True
                    break
            else:
                step = _parsed(line)
                if step is None or not self._take(step):
                    break
            good += len(line)
        self._file.seek(good)
        self._file.truncate()
        if not good:
            self._file.write(_line(header))
            self._flush()

    def _take(self, step: Any) -> bool:
        """Take one step over; False where it is none."""
        try:
            if "chunk" in step:
                channel, start, end = step["chunk"]
                self.chunks[(channel, start, end)] = Recognised.from_dict(step["found"])
            elif "stretches" in step:
                stretches = {channel: [(s, e) for s, e in found] for channel, found in step["stretches"]}
                self.speech = ChannelSpeech(stretches=stretches, leaked=dict(step["leaked"]))
            else:
                self.language = (step["language"], step["probability"])
        except (KeyError, TypeError, ValueError, AttributeError):
            return False
        return True

    def _write(self, step: Any) -> None:
        with _told(self.path):
            line = _line(step)
            self._file.write(b"%08x %b" % (zlib.crc32(line), line))
            self._flush()

    def _flush(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())


def _no_journal(path: Path) -> str:
    return (
        f"{path} is no journal of mmser, and stands where one would be kept; move it away, or name another "
        "output with -o"
    )


def place_of(chunk: Chunk) -> Place:
    """Return what a chunk is known by."""
    return chunk.channel, chunk.start, chunk.end


def _line(step: Any) -> bytes:
    return json.dumps(step, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _parsed(line: bytes) -> Any:
    """Return the step of a line; None where it is not as it was written."""
    check, _, step = line.partition(b" ")
    return json.loads(step) if check == b"%08x" % zlib.crc32(step) and step.endswith(b"\n") else None


@contextlib.contextmanager
def _told(path: Path) -> Any:
    """Say of a failure to write in one sentence where and why."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise OutputError(
            f"{path}, which keeps what is transcribed so far, cannot be written: {error.strerror or error}; "
            f"{'free space, or ' if full else ''}name another output with -o"
        ) from error
