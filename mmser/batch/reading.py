"""One call of a batch → its rows for the model: what a worker process does, ahead of the model.

The sound leaves in parts of about half a minute, so that a call of any length takes no more memory.
"""

import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from mmser.audio import AudioSource, open_recording
from mmser.batch.input.fetching import Fetched, fetch
from mmser.batch.records import CallRow, DatasetSource
from mmser.batch.settings import Settings
from mmser.calls import Call, prepare_call
from mmser.errors import MmserError
from mmser.hearing import Hearing, Limits, Row
from mmser.redaction import parse_patterns
from mmser.report.policy import is_withheld
from mmser.reporting import Described, described
from mmser.timeline import Course, hear_course
from mmser.transcription.call import AsrRequest
from mmser.transcription.opening import open_recogniser
from mmser.transcription.recogniser import Recogniser
from mmser.types import Seconds, Turn
from mmser.utterances import CountTokens

PART_SECONDS = 30.0  # of sound in one part
PART_ROWS = 64
SILENT_ROW_SECONDS = 1.0  # what a row without sound counts in a batch, about what its words take


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The next rows of a call."""

    rows: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True)
class End:
    """Nothing more of a call is to come."""

    found: Described
    loudness: dict[str, float]  # turn id → dBFS
    no_sound: dict[str, str]  # turn id → why it has no acoustic answer
    spent: dict[str, float]  # seconds of work by stage


Part = Rows | Course | End


class TooLongError(Exception):
    """A recording is longer than whoever asked for it would take."""


@dataclass(frozen=True, kw_only=True)
class Reader:
    """What reading a call takes beside the settings; one for each process."""

    settings: Settings
    dataset: DatasetSource | None
    count_tokens: CountTokens
    limits: Limits
    languages_read: tuple[str, ...]
    timelines: bool
    _opened: list[Recogniser] = field(default_factory=list)

    def read(self, row: CallRow, *, longest: Seconds = math.inf) -> Iterator[Part]:
        """Yield the parts of one call, the `End` last.

        Args:
            row: the call.
            longest: a longer recording is not read.

        Raises:
            MmserError: a child of it names what is wrong with the call.
            TooLongError: if the recording is longer than `longest`.
        """
        begun = time.perf_counter()
        with contextlib.ExitStack() as stack:
            given = fetch(row, self.dataset, stack)
            stack.enter_context(_naming(given))
            source = stack.enter_context(open_recording(*given.sources)) if given.sources else None
            opened = time.perf_counter()
            if source is not None and source.recording.duration > longest:
                raise TooLongError
            call = self._prepare(row, given, source)
            prepared = time.perf_counter()
            hearing = self._hearing(call, source)
            waited = 0.0  # while others took what was yielded
            for part in self._parts(call, source, hearing):
                ready = time.perf_counter()
                yield part
                waited += time.perf_counter() - ready
            yield End(
                found=_as_given(described(call, source), given, row),
                loudness=hearing.loudness,
                no_sound=hearing.no_sound,
                spent={
                    "opening": opened - begun,
                    "finding turns": prepared - opened,
                    "cutting": time.perf_counter() - prepared - waited,
                },
            )

    def _prepare(self, row: CallRow, given: Fetched, source: AudioSource | None) -> Call:
        settings = self.settings
        recognised = given.transcript is None and settings.transcribe
        return prepare_call(
            source,
            given.transcript,
            channel_roles=row.channel_roles or settings.channel_roles,
            speaker_roles={**settings.speaker_roles, **row.speaker_roles},
            language=row.language or settings.language,
            languages_read=self.languages_read,
            asr=AsrRequest(recogniser=self._recogniser) if recognised else None,
            patterns=None if settings.redact is None else parse_patterns(settings.redact),
        )

    def _recogniser(self) -> Recogniser:
        """Open what recognises words, once a call needs it; it stays open for the next."""
        if not self._opened:
            settings = self.settings
            folder = None if settings.model_dir is None else Path(settings.model_dir)
            self._opened.append(open_recogniser(settings.asr, model_dir=folder, device=settings.asr_device))
        return self._opened[0]

    def _hearing(self, call: Call, source: AudioSource | None) -> Hearing:
        return Hearing(
            count_tokens=self.count_tokens,
            limits=self.limits,
            read=None if source is None else source.read,
            withheld=self._withheld,
            use_words=call.words_read,
        )

    def _withheld(self, turn: Turn) -> bool:
        return is_withheld(turn.role, self.settings.agent_reason) is not None

    def _parts(self, call: Call, source: AudioSource | None, hearing: Hearing) -> Iterator[Part]:
        """Yield rows, and after those of a long turn the windows of its timeline."""
        pending: list[Row] = []
        samples, turn, sounds = 0, None, False
        for _, row in hearing.rows(call.turns):
            if row.turn is not turn and turn is not None:
                yield from self._courses(turn, source if sounds else None)
                sounds = False
            turn = row.turn
            sounds = sounds or (row.kept and row.waveform is not None)
            pending.append(row)
            samples += row.num_samples
            if samples >= PART_SECONDS * self.limits.sampling_rate or len(pending) >= PART_ROWS:
                yield Rows(rows=tuple(pending))
                pending, samples = [], 0
        if turn is not None:
            yield from self._courses(turn, source if sounds else None)
        if pending:
            yield Rows(rows=tuple(pending))

    def _courses(self, turn: Turn, source: AudioSource | None) -> Iterator[Course]:
        if self.timelines and source is not None:
            yield from hear_course(turn, source.read, self.limits.sampling_rate)


def _as_given(found: Described, given: Fetched, row: CallRow) -> Described:
    """Tell of a recording and a transcript by the names that the user knows, not of temporary copies."""
    recording, transcript = found.recording, found.call.transcript
    if recording is not None:
        place = " + ".join(given.names)
        recording = replace(recording, path=place, id=row.id if row.index is not None else recording.id)
    if transcript is not None and transcript.path is not None:
        transcript = replace(transcript, path=given.transcript_name)
    call = replace(found.call, transcript=transcript)
    warnings = tuple(_with_names(warning, given) for warning in found.warnings)
    return replace(found, call=call, recording=recording, warnings=warnings)


@contextlib.contextmanager
def _naming(given: Fetched) -> Iterator[None]:
    """Let errors name what the user gave."""
    try:
        yield
    except MmserError as error:
        told = _with_names(str(error), given)
        if told == str(error):
            raise
        raise MmserError(told) from error


def _with_names(text: str, given: Fetched) -> str:
    pairs = [*zip(given.sources, given.names, strict=True), (given.transcript, given.transcript_name)]
    for place, name in pairs:
        if isinstance(place, str) and name is not None and place != name:
            text = text.replace(place, name)
    return text
