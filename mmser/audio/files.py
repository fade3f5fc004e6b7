"""One audio file: what libsndfile (or a temporary decoded copy) gives, resampled to 16 kHz.

Every slice is cut from a grid that starts at the file's first sample: the input of the resampler
begins where input and output samples coincide, with a margin longer than its filter, so a slice has
the samples that the whole would have, whatever was read before. Formats in which libsndfile cannot seek
(GSM), seeks to the wrong sample (Vorbis near its end), or rounds differently after a seek (MP3), and
compressed files that are cut off, are decoded once from the beginning into a temporary 16-bit FLAC file.
"""

import math
import os
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from mmser.audio.codecs import decode_to_flac, needs_codecs
from mmser.audio.intake import Intake, Source, make_copy_path, no_room, take_in
from mmser.audio.wav import WavData, Window, complain_of_length, find_wav_data
from mmser.errors import AudioError

Waveform = npt.NDArray[np.float32]

SAMPLING_RATE: Final = 16_000  # Hz, of everything that leaves this package
MARGIN: Final = 1_600  # output samples, 0.1 s: longer than the resampler's filter on either side
CHUNK_FRAMES: Final = 1 << 16
SHORT_CHUNK: Final = 0.06  # s; a damaged file loses the whole chunk in which libsndfile gives up
SLACK: Final = 0.1  # s; a decoded file may be so much shorter than stated before it counts as cut off
MIN_STILL: Final = 0.1  # s; a value that is not 0 must last this long to be called silence
MPEG_TAGS: Final = (0x50, 0x55)  # of MP2 and MP3 within WAV
LIMIT: Final = 1e9  # a float sample beyond it is damage, and would overflow in the resampler
MIN_RATE, MAX_RATE = 1_000, 655_350  # Hz; FLAC, for temporary copies, knows no more


class AudioFile:
    """One opened file. Not safe for use from several threads at once."""

    def __init__(self, source: Source) -> None:
        """Open `source`; it stays open until `close`.

        Raises:
            AudioError: if it is missing, empty, a folder, unreadable or not audio.
            MissingExtraError: if its format needs the `codecs` extra.
        """
        self._stack = ExitStack()
        try:
            intake = take_in(source, self._stack)
            self.path, self.name, self.stem, self.sha256 = (
                intake.path,
                intake.name,
                intake.stem,
                intake.sha256,
            )
            self.sound, self.warnings = _open_sound(intake, self._stack)
            self.num_frames: int = self.sound.frames
            self.num_channels: int = self.sound.channels
            self.sampling_rate: int = self.sound.samplerate
            # First and last frame of what was inspected, and the channels that never change there.
            self._still: tuple[int, int, list[int]] = (0, 0, [])
            self._floats = self.sound.subtype in ("FLOAT", "DOUBLE")  # others cannot hold a NaN
            if self.num_frames <= 0:
                raise AudioError(f"{self.name} holds 0 samples; give a file that holds audio")
        except BaseException:
            self.close()
            raise

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.num_frames / self.sampling_rate

    def close(self) -> None:
        """Close the file and delete its decoded copy."""
        self._stack.close()

    def native(self, first: int, last: int) -> Iterator[tuple[Waveform, bool]]:
        """Yield float32 chunks (frames, channels) at the file's own rate, and whether it is the last.

        Raises:
            AudioError: if the file is damaged inside.
        """
        last = min(last, self.num_frames)
        while first < last:
            num_frames = min(CHUNK_FRAMES, last - first)
            try:
                if self.sound.tell() != first:
                    self.sound.seek(first)
                chunk: Waveform = self.sound.read(num_frames, dtype="float32", always_2d=True)
            except (soundfile.LibsndfileError, OSError, ValueError) as error:
                seconds = first / self.sampling_rate
                raise AudioError(f"{self.name} is damaged after {seconds:.2f} s: {error}") from error
            if len(chunk) < num_frames:
                chunk = np.pad(chunk, ((0, num_frames - len(chunk)), (0, 0)))
            first += num_frames
            yield chunk, first >= last

    def resampled(self, first: int, last: int, channel: int | None = None) -> Iterator[Waveform]:
        """Yield chunks (samples, channels) at 16 kHz that together are samples `first` to `last` exactly.

        Beyond the end of the file there is silence. NaN, infinite and absurd samples become 0, and so does
        a channel that never changes over what was inspected.
        """
        common = math.gcd(self.sampling_rate, SAMPLING_RATE)
        step_in, step_out = self.sampling_rate // common, SAMPLING_RATE // common
        anchor = max(0, (first - MARGIN) // step_out)
        skip, wanted = first - anchor * step_out, last - first
        stop = -(-(last + MARGIN) * self.sampling_rate // SAMPLING_RATE)
        width = self.num_channels if channel is None else 1
        resampler = soxr.ResampleStream(self.sampling_rate, SAMPLING_RATE, width, "float32", "HQ")
        position = anchor * step_in
        for chunk, at_end in self.native(position, stop):
            self._silence_still(chunk, position)
            position += len(chunk)
            if channel is not None:
                chunk = chunk[:, channel : channel + 1]
            chunk = np.where(_usable(chunk), chunk, np.float32(0)) if self._floats else chunk
            if step_in != step_out:
                chunk = resampler.resample_chunk(np.ascontiguousarray(chunk), last=at_end)
            dropped = min(skip, len(chunk))
            skip -= dropped
            chunk = chunk[dropped : dropped + wanted]
            wanted -= len(chunk)
            if len(chunk):
                yield chunk
        while wanted > 0:
            silence = np.zeros((min(wanted, CHUNK_FRAMES), width), np.float32)
            wanted -= len(silence)
            yield silence

    def inspect(self, start: float, end: float) -> tuple[int, list[int]]:
        """Count unusable samples (NaN, infinite, absurd) and list the channels that never change, in seconds.

        Such a channel holds no sound, whatever its level (A-law knows no 0), and reads as 0 from here on.
        A whole pass is made only where it is needed: for float encodings, and until every channel has moved.
        """
        first, last = math.floor(start * self.sampling_rate), math.ceil(end * self.sampling_rate)
        still = np.ones(self.num_channels, bool)
        level: Waveform | None = None
        num_bad = num_samples = 0
        for chunk, _ in self.native(first, max(last, first + 1)):
            if self._floats:
                usable = _usable(chunk)
                num_bad += int(chunk.size - np.count_nonzero(usable))
                chunk = np.where(usable, chunk, np.float32(0))
            num_samples += chunk.size
            level = chunk[0] if level is None else level
            still &= (chunk == level).all(axis=0)
            if not self._floats and not still.any():
                break
        if num_bad and num_bad == num_samples:
            raise AudioError(
                f"{self.name} holds no usable sample (all {num_bad} are NaN, infinite or beyond 1e9)"
            )
        if level is not None and num_samples < MIN_STILL * self.sampling_rate * self.num_channels:
            still &= level == 0
        channels = [int(i) for i in np.flatnonzero(still)]
        self._still = first, last, channels
        return num_bad, channels

    def _silence_still(self, chunk: Waveform, position: int) -> None:
        """Set to 0 what `inspect` found to hold no sound, in a chunk (frames, channels) at `position`."""
        first, last, channels = self._still
        if channels:
            chunk[max(0, first - position) : max(0, last - position), channels] = 0


def _usable(chunk: Waveform) -> npt.NDArray[np.bool_]:
    usable: npt.NDArray[np.bool_] = np.abs(chunk) <= LIMIT  # False for NaN
    return usable


def _open_sound(intake: Intake, stack: ExitStack) -> tuple[Any, list[str]]:
    """Open with libsndfile, else with PyAV; return a handle whose frames can all be reached."""
    intake.file.seek(0)
    head = intake.file.read(12)
    wav = find_wav_data(intake.file)
    hush = _hush(head, wav, stack)
    complaint = wav.complaint() if wav else complain_of_length(intake.file)
    warnings = [f"{intake.name}: {complaint}"] if complaint else []

    def opened() -> Any:
        with hush:
            return stack.enter_context(_open_with_libsndfile(intake, wav))

    try:
        sound = opened()
    except soundfile.LibsndfileError as error:
        if not needs_codecs(head):
            # Of damaged MP3 libsndfile says that the file is not there.
            reason = error.error_string.rstrip(".")
            reason = "its content is damaged or not audio" if "does not exist" in reason else reason
            raise AudioError(
                f"{intake.name} is not audio that can be read ({reason}); "
                "give WAV, FLAC, MP3 or Ogg, or m4a, webm or amr with the codecs extra"
            ) from error
        path, warnings = decode_to_flac(intake.file, intake.name, stack)
        return _open_copy(intake.name, path, stack), warnings
    if not MIN_RATE <= sound.samplerate <= MAX_RATE:
        raise AudioError(
            f"{intake.name} states a sampling rate of {sound.samplerate} Hz; "
            f"{MIN_RATE} to {MAX_RATE} Hz can be read"
        )
    if sound.frames < 0:
        raise AudioError(f"{intake.name} is damaged: it states a negative number of samples")
    lossy = sound.format in ("OGG", "MP3", "MPEG") or sound.subtype.startswith("MPEG")  # MP3 within WAV
    if lossy or not sound.seekable() or not _reaches_end(sound):
        return _spool(intake, sound.frames, opened, hush, warnings, stack)
    return sound, warnings


class _Hush:
    """A context for calls into libsndfile in which libmpg123 cannot write to stderr, as it does of its own.

    Nothing but the descriptor stops it, and that belongs to the whole process: so the context is kept short,
    one thread at a time is in it, and what other threads write meanwhile is passed on.
    """

    _LOCK = threading.Lock()
    _REMARKS = re.compile(rb"(?:\[src/libmpg123/|Warning: |Note: )[^\n]*\n?")

    def __init__(self, stack: ExitStack) -> None:
        self._held = stack.enter_context(tempfile.TemporaryFile(buffering=0))  # noqa: SIM115
        self._inside, self._stderr = False, -1
        stack.callback(self._leave)  # an interrupt may come on the way in or out

    def __enter__(self) -> None:
        self._inside = self._LOCK.acquire()
        with suppress(OSError):  # it is closed
            self._stderr = os.dup(2)
            os.dup2(self._held.fileno(), 2)

    def __exit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        if self._stderr >= 0:
            with suppress(OSError):
                os.dup2(self._stderr, 2)
                os.close(self._stderr)
            self._stderr = -1
        if self._held.tell():
            self._held.seek(0)
            others = self._REMARKS.sub(b"", self._held.read())
            self._held.seek(0)
            self._held.truncate()
            with suppress(OSError):
                os.write(2, others)
        if self._inside:
            self._inside = False
            self._LOCK.release()


def _hush(head: bytes, wav: WavData | None, stack: ExitStack) -> AbstractContextManager[None]:
    """Return a context that can be entered repeatedly; it does something for MP3 only."""
    mp3 = head[:3] == b"ID3" or (head[0] == 0xFF and head[1:2] >= b"\xe0") or (wav and wav.tag in MPEG_TAGS)
    # A process that began without a stderr has some other file as descriptor 2 by now.
    if mp3 and sys.__stderr__ is not None:
        with suppress(OSError):  # no folder for temporary files; where one is needed, that is told
            return _Hush(stack)
    return nullcontext()


def _open_with_libsndfile(intake: Intake, wav: WavData | None) -> Any:
    if wav and wav.understated and wav.true_length:
        return soundfile.SoundFile(Window(intake.file, fix_at=wav.length_at, fix=wav.true_length))
    if wav and wav.understated and wav.raw_subtype:  # longer than its kind of header can say
        return soundfile.SoundFile(
            Window(intake.file, wav.offset),
            samplerate=wav.sampling_rate,
            channels=wav.num_channels,
            format="RAW",
            subtype=wav.raw_subtype,
            endian="LITTLE",
        )
    if str(getattr(intake.file, "name", "")).lower().endswith(".raw"):
        return soundfile.SoundFile(Window(intake.file, 0))  # soundfile would take the name for a format
    if intake.on_disk:  # by name libsndfile reads by itself, which is faster
        return soundfile.SoundFile(intake.path)
    intake.file.seek(0)
    return soundfile.SoundFile(intake.file)


def _reaches_end(sound: Any) -> bool:
    """Tell whether the last promised frame is there; a cut FLAC or MP3 keeps its header's count."""
    try:
        sound.seek(max(0, sound.frames - 1))
        return bool(len(sound.read(1)) == min(1, sound.frames))
    except (soundfile.LibsndfileError, ValueError):  # ValueError: the position is beyond the stated length
        return False


def _spool(
    intake: Intake,
    stated: int,
    opened: Callable[[], Any],
    hush: AbstractContextManager[None],
    warnings: list[str],
    stack: ExitStack,
) -> tuple[Any, list[str]]:
    """Decode from the beginning, as far as it goes, into a temporary FLAC file."""
    sound, written = opened(), 0
    if sound.channels > 8:
        raise AudioError(
            f"{intake.name} has {sound.channels} channels; in {sound.format} up to 8 can be read"
        )
    subtype = "PCM_24" if sound.subtype == "PCM_24" else "PCM_16"
    path = make_copy_path(intake.name, stack)
    try:
        with soundfile.SoundFile(path, "w", sound.samplerate, sound.channels, subtype) as out:
            for chunk in _until_damage(sound, hush):
                out.write(np.clip(chunk, -1, 1))
                written += len(chunk)
    except soundfile.LibsndfileError as error:
        raise no_room(intake.name, error) from error
    if not written:
        raise AudioError(f"{intake.name} holds 0 samples that can be decoded; give a file that holds audio")
    if written < stated - SLACK * sound.samplerate:
        there = f"{written / sound.samplerate:.2f} s"
        promise = f" of {stated / sound.samplerate:.2f} s" if stated < 1 << 60 else ""
        warnings = [
            *warnings,
            f"{intake.name} is cut off or damaged: {there}{promise} are there and are used",
        ]
    return _open_copy(intake.name, path, stack), warnings


def _open_copy(name: str, path: str, stack: ExitStack) -> Any:
    """Open a decoded copy, if it is whole: of room that lacks for its last bytes libsndfile says nothing."""
    cause: Exception | None = None
    try:
        sound = stack.enter_context(soundfile.SoundFile(path))
        if _reaches_end(sound):
            return sound
    except soundfile.LibsndfileError as error:
        cause = error
    raise no_room(name, OSError("its end is missing")) from cause


def _until_damage(sound: Any, hush: AbstractContextManager[None]) -> Iterator[Waveform]:
    num_frames = max(1, round(SHORT_CHUNK * sound.samplerate))
    try:
        while True:
            with hush:
                chunk = sound.read(num_frames, dtype="float32", always_2d=True)
            if not len(chunk):
                return
            yield chunk
    except (soundfile.LibsndfileError, ValueError):
        return  # the caller counts what came, and tells
