"""Rows → predictions: utterances in bounded batches, the dialogue's state carried along."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mmser.aggregation import Answer, TurnAnswers, label_order, predict_turn
from mmser.channels import ReadSound
from mmser.hearing import Hearing, Limits, Row
from mmser.labels import Role
from mmser.progress import ProgressCallback, ignore_progress
from mmser.types import Prediction, Seconds, Turn
from mmser.utterances import Utterance

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mmser.model import MmserModel, MmserProcessor

    Waveform = npt.NDArray[np.float32]

BATCH_SECONDS = 30.0  # sound in one batch, counted with its padding; more takes memory and saves no time
BATCH_ROWS = 64


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A neutral clip of one speaker; it feeds that speaker's baseline and nothing else."""

    speaker_key: str  # of the turns that it is for
    role: Role
    waveform: "Waveform"  # (samples,) at the model's rate


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What scoring found out about the turns of one call; keys are turn ids."""

    predictions: dict[str, Prediction] = field(default_factory=dict)
    loudness: dict[str, float] = field(default_factory=dict)  # dBFS of the sound that was read
    no_sound: dict[str, str] = field(default_factory=dict)  # why a scored turn has no acoustic answer


class TurnPredictions:
    """Gathers the answers to the rows of one call, in order, into predictions of its turns."""

    def __init__(self, config: Any) -> None:
        """Begin with none; `config` is the model's."""
        self.config, self.labels = config, label_order(config.id2label)
        self.done: dict[str, Prediction] = {}  # by turn id
        self._open: TurnAnswers | None = None

    def add(self, row: Row, answer: Answer) -> None:
        """Take the answer to the next row of the call; a turn is done where another begins."""
        if self._open is not None and self._open.turn.id != row.turn.id:
            self.close()
        if row.kept:
            self._open = self._open or TurnAnswers(turn=row.turn)
            self._open.pieces.append((row.utterance, answer))

    def close(self) -> None:
        """Note that no row of the last turn is to come."""
        if self._open is not None:
            self.done[self._open.turn.id] = predict_turn(self._open, self.labels, self.config)
        self._open = None


class Scorer:
    """Walks the turns of one call through the model, in order.

    Memory holds one batch of sound and the model's state, whatever the length of the call.
    """

    def __init__(
        self,
        model: "MmserModel",
        processor: "MmserProcessor",
        *,
        read: ReadSound | None,
        withheld: Callable[[Turn], bool],
        use_words: bool,
        batch_seconds: Seconds = BATCH_SECONDS,
    ) -> None:
        self.model, self.processor = model, processor
        self.config: Any = model.config
        self.batch_seconds = batch_seconds
        self.hearing = Hearing(
            count_tokens=processor.count_tokens,
            limits=limits_of(self.config),
            read=read,
            withheld=withheld,
            use_words=use_words,
        )
        self._said = TurnPredictions(self.config)
        self._state: Any = None
        self._speakers: dict[str, int] = {}
        self._position = 0

    def run(
        self,
        turns: Sequence[Turn],
        references: Sequence[Reference] = (),
        progress: ProgressCallback = ignore_progress,
    ) -> Scores:
        """Score `turns`, which are in order of start, after the speakers' `references`."""
        pending = [self._reference_row(reference) for reference in references]
        longest = max((row.num_samples for row in pending), default=0)
        budget = int(self.batch_seconds * self.config.sampling_rate)
        for number, row in self.hearing.rows(turns):
            # References share the first batch: alone they would be one that answers nothing.
            full = len(pending) >= BATCH_ROWS or max(longest, row.num_samples) * (len(pending) + 1) > budget
            if full and not all(other.reference for other in pending):
                self._predict(pending)
                pending, longest = [], 0
                progress("analysing", number, len(turns))
            pending.append(row)
            longest = max(longest, row.num_samples)
        if not all(row.reference for row in pending):
            self._predict(pending)
        self._said.close()
        progress("analysing", len(turns), len(turns))
        return Scores(
            predictions=self._said.done, loudness=self.hearing.loudness, no_sound=self.hearing.no_sound
        )

    def _reference_row(self, reference: Reference) -> Row:
        limit = int(self.config.max_seconds * self.config.sampling_rate)
        return Row(
            turn=Turn(id="", start=None, end=None, role=reference.role),
            utterance=Utterance(start=None, end=None, text=None),
            waveform=reference.waveform[:limit],
            kept=False,
            speaker_key=reference.speaker_key,
            reference=True,
        )

    def _predict(self, rows: list[Row]) -> None:
        """Feed the next rows of the call to the model, carry its state on, and keep what may be kept."""
        speakers = [row.speaker_key for row in rows]
        batch = self.processor(
            **inputs_of(rows),
            sampling_rate=self.config.sampling_rate,
            dialogue_ids=[0] * len(rows),
            speaker_ids=[self._speakers.setdefault(speaker, len(self._speakers)) for speaker in speakers],
            roles=[row.turn.role for row in rows],
            positions=list(range(self._position, self._position + len(rows))),
            references=[row.reference for row in rows],
        )
        self._position += len(rows)
        said = self.model.predict(**batch.to(self.model.device), state=self._state)
        self._state = said.state
        for row, answer in zip(rows, plain_answers(said), strict=True):
            self._said.add(row, answer)


def limits_of(config: Any) -> Limits:
    """Return what one row may hold for a model's config."""
    return Limits(
        sampling_rate=config.sampling_rate,
        max_seconds=config.max_seconds,
        max_text_tokens=config.max_text_tokens,
    )


def inputs_of(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the sound and words of rows as the processor takes them."""
    stated = [list(row.utterance.confidence) or None for row in rows]
    return {
        "audio": [row.waveform for row in rows],
        "text": [list(row.utterance.words) or row.utterance.text for row in rows],
        "text_confidence": stated if any(stated) else None,
    }


def plain_answers(answers: Any) -> list[Answer]:
    """Take the model's tensors, (batch, …), apart into one plain answer a row."""
    emotion, intensity = answers.emotion.tolist(), answers.intensity.tolist()
    change, direction = answers.change.tolist(), answers.direction.tolist()
    audio_only, text_only = answers.audio_only.tolist(), answers.text_only.tolist()
    opposition = answers.opposition.tolist()
    has_previous, has_audio, has_text = (
        flags.tolist() for flags in (answers.has_previous, answers.has_audio, answers.has_text)
    )
    return [
        Answer(
            emotion=emotion[row],
            intensity=intensity[row],
            change=change[row] if has_previous[row] else None,
            direction=direction[row],
            audio_only=audio_only[row] if has_audio[row] else None,
            text_only=text_only[row] if has_text[row] else None,
            opposition=opposition[row] if has_audio[row] and has_text[row] else None,
        )
        for row in range(len(emotion))
    ]
