"""Rows of many calls → answers: encoded by length whosever they are, then fused call by call in order.

The encoders know nothing of a call, and they are nearly all of the work: utterances of about one length go
through them together. What follows needs what was said before, and is done over each call's rows in order,
for several calls at once.
"""

import time
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mmser.batch.reading import SILENT_ROW_SECONDS
from mmser.hearing import Row
from mmser.labels import ROLES
from mmser.model.audio_mmser import AudioFeatures
from mmser.model.modeling_mmser import Encoded
from mmser.scoring import BATCH_ROWS, TurnPredictions, inputs_of, plain_answers
from mmser.timeline import Course, judge_sounds, timeline_of
from mmser.types import Prediction, Seconds, Timeline

if TYPE_CHECKING:
    from mmser.model import MmserModel, MmserProcessor

READY_ROWS = 64  # encoded rows of one call that are fused before the call has ended


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What the model says of one call."""

    predictions: dict[str, Prediction]
    timelines: dict[str, Timeline]
    seconds: float  # of the model's work that fell to the call


@dataclass(frozen=True)
class _EncodedRow:
    """What the encoders made of one row, without padding."""

    frames: Tensor  # (frames, size)
    vectors: Tensor
    pooled: Tensor
    tokens: Tensor  # (tokens, text hidden)
    token_weight: Tensor  # (tokens,)
    text_vector: Tensor
    has_audio: bool
    has_text: bool


@dataclass
class _Waiting:
    """One row that is not encoded yet."""

    call: "_OpenCall"
    number: int  # in its call
    row: Row
    arrived: int

    @property
    def samples(self) -> int:
        return self.row.num_samples


@dataclass
class _OpenCall:
    """One call, some of whose rows may be still to come."""

    key: int
    predictions: TurnPredictions
    rows: deque[Row] = field(default_factory=deque)  # that are not fused yet, in order
    encoded: dict[int, _EncodedRow] = field(default_factory=dict)  # by the number of the row
    num_rows: int = 0  # that came
    num_fused: int = 0
    speakers: dict[str, int] = field(default_factory=dict)
    courses: dict[str, list[tuple[Sequence[Seconds], Any]]] = field(default_factory=dict)
    courses_waiting: int = 0
    closed: bool = False
    seconds: float = 0.0

    def ready(self) -> int:
        """Return how many of the next rows are encoded, without a gap."""
        number = self.num_fused
        while number in self.encoded:
            number += 1
        return number - self.num_fused


class Fuser:
    """Judges the rows of the calls that are open, in batches over all of them.

    Memory holds the rows that wait, which whoever adds them bounds (`waiting_seconds`), the encoded rows
    of calls whose earlier rows wait, and each open call's state.
    """

    def __init__(self, model: "MmserModel", processor: "MmserProcessor", *, batch_seconds: Seconds) -> None:
        self.model, self.processor = model, processor
        self.config: Any = model.config
        self.rate: int = self.config.sampling_rate
        self.batch_seconds = batch_seconds
        self.spent: dict[str, float] = defaultdict(float)  # seconds of work by stage
        self._calls: dict[int, _OpenCall] = {}
        self._waiting: list[_Waiting] = []
        self._courses: deque[tuple[_OpenCall, Course]] = deque()
        self._state: Any = None
        self._arrived = 0

    # --- what comes in ---------------------------------------------------------------------------

    def open(self, key: int) -> None:
        """Begin a call; `key` is no open call's."""
        self._calls[key] = _OpenCall(key=key, predictions=TurnPredictions(self.config))

    def add(self, key: int, rows: Sequence[Row]) -> None:
        """Take the next rows of a call, in order."""
        call = self._calls[key]
        for row in rows:
            self._waiting.append(_Waiting(call, call.num_rows, row, self._arrived))
            call.rows.append(row)
            call.num_rows += 1
            self._arrived += 1

    def add_course(self, key: int, course: Course) -> None:
        """Take some windows of a long turn; those of one turn come in order."""
        call = self._calls[key]
        call.courses_waiting += 1
        self._courses.append((call, course))

    def close(self, key: int) -> None:
        """Note that nothing more of a call is to come."""
        self._calls[key].closed = True

    def drop(self, key: int) -> Seconds:
        """Forget a call that is not to be finished; return how much of its sound waited to be judged."""
        call, waiting = self._calls.pop(key), self.waiting_seconds
        self._waiting = [item for item in self._waiting if item.call is not call]
        self._courses = deque(item for item in self._courses if item[0] is not call)
        self._forget([key])
        return waiting - self.waiting_seconds

    @property
    def waiting_seconds(self) -> Seconds:
        """Sound that waits to be judged; a row without any counts as `SILENT_ROW_SECONDS`."""
        rows = sum(self._seconds(item.row) for item in self._waiting)
        return rows + sum(self._course_seconds(course) for _, course in self._courses)

    def _seconds(self, row: Row) -> Seconds:
        return max(row.num_samples / self.rate, SILENT_ROW_SECONDS)

    def _course_seconds(self, course: Course) -> Seconds:
        return len(course.starts) * course.length / self.rate

    # --- what is done ----------------------------------------------------------------------------

    @torch.inference_mode()
    def step(self) -> Seconds:
        """Judge one batch of what waits; return how much sound that was, 0 where nothing waits."""
        rows = sum(self._seconds(item.row) for item in self._waiting)
        windows = sum(self._course_seconds(course) for _, course in self._courses)
        done = 0.0
        if rows or windows:
            done = self._judge_courses() if windows > rows else self._encode(self._next_batch())
        self._fuse()  # also where nothing waits: that a call has ended may be all that is new
        return done

    def finished(self) -> Iterator[tuple[int, Judged]]:
        """Yield the calls that the last step left judged whole, and forget them."""
        ended = [
            call
            for call in self._calls.values()
            if call.closed and call.num_fused == call.num_rows and not call.courses_waiting
        ]
        for call in ended:
            del self._calls[call.key]
            call.predictions.close()
            yield (
                call.key,
                Judged(
                    predictions=call.predictions.done,
                    timelines=self._timelines(call),
                    seconds=call.seconds,
                ),
            )
        self._forget([call.key for call in ended])

    def _forget(self, keys: list[int]) -> None:
        if keys and self._state is not None:
            self._state = self._state.without(torch.tensor(keys, device=self.model.device))

    def _next_batch(self) -> list[_Waiting]:
        """Return rows of about one length, among them the one that waits longest."""
        self._waiting.sort(key=lambda item: (item.samples, len(item.row.utterance.text or "")))
        oldest = min(self._waiting, key=lambda item: item.arrived)
        budget = self.batch_seconds * self.rate
        least = SILENT_ROW_SECONDS * self.rate
        batch: list[_Waiting] = []
        for item in self._waiting:
            # Sorted: the last is the longest, to which the others are padded.
            full = max(item.samples, least) * (len(batch) + 1) > budget
            if batch and (full or (item.samples > 0) != (batch[0].samples > 0)):
                if oldest in batch:
                    break
                batch = []
            batch.append(item)
        chosen = set(map(id, batch))
        self._waiting = [item for item in self._waiting if id(item) not in chosen]
        return batch

    def _encode(self, batch: list[_Waiting]) -> Seconds:
        begun = time.perf_counter()
        inputs = self.processor(
            **inputs_of([item.row for item in batch]), sampling_rate=self.config.sampling_rate
        ).to(self.model.device)
        encoded = self.model.encode(**inputs)
        for item, row in zip(batch, _taken_apart(encoded), strict=True):
            item.call.encoded[item.number] = row
        spent = time.perf_counter() - begun
        self.spent["encoding"] += spent
        seconds = [self._seconds(item.row) for item in batch]
        for item, share in zip(batch, seconds, strict=True):
            item.call.seconds += spent * share / sum(seconds)
        return sum(seconds)

    def _fuse(self) -> None:
        """Fuse the rows whose turn has come: of ended calls the last, of others where many are ready."""
        ready = {}
        for call in self._calls.values():
            count = call.ready()
            if count >= READY_ROWS or (count and call.closed and call.num_fused + count == call.num_rows):
                ready[call.key] = count
        batch: list[tuple[_OpenCall, Row, _EncodedRow, int]] = []
        for key, count in ready.items():
            call = self._calls[key]
            for _ in range(count):
                number = call.num_fused
                batch.append((call, call.rows.popleft(), call.encoded.pop(number), number))
                call.num_fused += 1
                if len(batch) == BATCH_ROWS:
                    self._converse(batch)
                    batch = []
        if batch:
            self._converse(batch)

    def _converse(self, batch: list[tuple[_OpenCall, Row, _EncodedRow, int]]) -> None:
        begun = time.perf_counter()
        device = self.model.device
        keys = torch.tensor(
            [
                (call.key, call.speakers.setdefault(row.speaker_key, len(call.speakers)), _role(row))
                for call, row, _, _ in batch
            ],
            device=device,
        )
        said = self.model.calibrated(
            self.model.converse(
                _put_together([encoded for _, _, encoded, _ in batch]),
                keys,
                torch.tensor([number for *_, number in batch], device=device),
                torch.zeros(len(batch), dtype=torch.bool, device=device),
                self._state,
            )
        )
        self._state = said.state
        for (call, row, _, _), answer in zip(batch, plain_answers(said), strict=True):
            call.predictions.add(row, answer)
        spent = time.perf_counter() - begun
        self.spent["fusing"] += spent
        for call, *_ in batch:
            call.seconds += spent / len(batch)

    def _judge_courses(self) -> Seconds:
        begun = time.perf_counter()
        batch: list[tuple[_OpenCall, Course]] = []
        seconds = 0.0
        while self._courses and (
            not batch or seconds + self._course_seconds(self._courses[0][1]) <= self.batch_seconds
        ):
            batch.append(self._courses.popleft())
            seconds += self._course_seconds(batch[-1][1])
        waveforms = [waveform for _, course in batch for waveform in course.waveforms]
        rows = judge_sounds(waveforms, self.model, self.processor)
        spent = time.perf_counter() - begun
        first = 0
        for call, course in batch:
            count = len(course.starts)
            call.courses.setdefault(course.turn_id, []).append((course.starts, rows[first : first + count]))
            call.courses_waiting -= 1
            call.seconds += spent * count / len(waveforms)
            first += count
        self.spent["timelines"] += spent
        return seconds

    def _timelines(self, call: _OpenCall) -> dict[str, Timeline]:
        found = {}
        for turn_id, parts in call.courses.items():
            starts = [start for begins, _ in parts for start in begins]
            timeline = timeline_of(starts, np.concatenate([rows for _, rows in parts]), self.config)
            if timeline is not None:
                found[turn_id] = timeline
        return found


def _role(row: Row) -> int:
    return ROLES.index(row.turn.role)


def _taken_apart(encoded: Encoded) -> list[_EncodedRow]:
    audio = encoded.audio
    num_frames = audio.mask.sum(1).tolist()
    num_tokens = (encoded.token_weight > 0).sum(1).tolist()
    has_audio, has_text = encoded.has_audio.tolist(), encoded.has_text.tolist()
    return [
        _EncodedRow(
            # Copies: a view would keep the whole batch alive while one of its rows waits.
            audio.frames[row, : num_frames[row]].clone(),
            audio.vectors[row].clone(),
            audio.pooled[row].clone(),
            encoded.tokens[row, : num_tokens[row]].clone(),
            encoded.token_weight[row, : num_tokens[row]].clone(),
            encoded.text_vector[row].clone(),
            has_audio[row],
            has_text[row],
        )
        for row in range(len(num_frames))
    ]


def _put_together(rows: Sequence[_EncodedRow]) -> Encoded:
    frames = pad_sequence([row.frames for row in rows], batch_first=True)
    device = frames.device
    lengths = torch.tensor([len(row.frames) for row in rows], device=device)
    return Encoded(
        AudioFeatures(
            frames,
            torch.arange(frames.shape[1], device=device)[None] < lengths[:, None],
            torch.stack([row.vectors for row in rows]),
            torch.stack([row.pooled for row in rows]),
        ),
        pad_sequence([row.tokens for row in rows], batch_first=True),
        pad_sequence([row.token_weight for row in rows], batch_first=True),
        torch.stack([row.text_vector for row in rows]),
        torch.tensor([row.has_audio for row in rows], device=device),
        torch.tensor([row.has_text for row in rows], device=device),
    )
