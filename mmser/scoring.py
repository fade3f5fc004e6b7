"""Turns → predictions: utterances in bounded batches, the dialogue's state carried along."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from mmser.aggregation import Answer, TurnAnswers, label_order, predict_turn
from mmser.labels import Role
from mmser.progress import ProgressCallback, ignore_progress
from mmser.types import Prediction, Seconds, Turn
from mmser.utterances import Utterance, cut_turn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mmser.model import MmserModel, MmserProcessor

    Waveform = npt.NDArray[np.float32]

MIN_SECONDS = 0.1  # shorter sound holds no frame worth a judgement
BATCH_SECONDS = 90.0  # sound in one batch, counted with its padding
BATCH_ROWS = 64

TOO_SHORT = f"the turn is shorter than {MIN_SECONDS} s"
SILENT = "the channel holds nothing but digital silence here"
NO_SOUND = "there is no recording"
NO_TIMES = "the turn has no times"
NO_CHANNEL = "it is not known which channel the speaker is on"


class ReadSound(Protocol):
    """Reads (samples,) float32 at the model's rate from one channel, times in seconds."""

    def __call__(self, start: Seconds, end: Seconds, channel: int) -> "Waveform":  # noqa: D102
        ...


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A neutral clip of one speaker; it feeds that speaker's baseline and nothing else."""

    speaker: str
    role: Role
    waveform: "Waveform"  # (samples,) at the model's rate


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What scoring found out about the turns of one call; keys are turn ids."""

    predictions: dict[str, Prediction] = field(default_factory=dict)
    loudness: dict[str, float] = field(default_factory=dict)  # dBFS of the sound that was read
    no_sound: dict[str, str] = field(default_factory=dict)  # why a scored turn has no acoustic answer


@dataclass
class _Row:
    """One utterance on its way into a batch."""

    turn: Turn
    utterance: Utterance
    waveform: "Waveform | None"
    withheld: bool


def speaker_key(turn: Turn) -> str:
    """Return who speaks, as far as is known: the speaker, else the channel, else the role."""
    if turn.speaker is not None:
        return turn.speaker
    return f"channel {turn.channel}" if turn.channel is not None else f"role {turn.role}"


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
        self.read, self.withheld, self.use_words = read, withheld, use_words
        self.batch_seconds = batch_seconds
        self.labels = label_order(self.config.id2label)
        self.scores = Scores()
        self._state: Any = None
        self._speakers: dict[str, int] = {}
        self._position = 0
        self._open: TurnAnswers | None = None
        self._power: dict[str, tuple[float, int]] = {}

    def run(
        self,
        turns: Sequence[Turn],
        references: Sequence[Reference] = (),
        progress: ProgressCallback = ignore_progress,
    ) -> Scores:
        """Score `turns`, which are in order of start, after the speakers' `references`."""
        for reference in references:
            self._listen_to(reference)
        pending: list[_Row] = []
        longest = 0
        budget = int(self.batch_seconds * self.config.sampling_rate)
        for number, row in self._rows(turns):
            samples = 0 if row.waveform is None else len(row.waveform)
            if pending and (
                len(pending) >= BATCH_ROWS or max(longest, samples) * (len(pending) + 1) > budget
            ):
                self._predict(pending)
                pending, longest = [], 0
                progress("analysing", number, len(turns))
            pending.append(row)
            longest = max(longest, samples)
        if pending:
            self._predict(pending)
        self._close()
        progress("analysing", len(turns), len(turns))
        return self.scores

    # --- turns → rows ----------------------------------------------------------------------------

    def _rows(self, turns: Sequence[Turn]) -> Iterator[tuple[int, _Row]]:
        for number, turn in enumerate(turns):
            withheld = self.withheld(turn)
            why_not = None if withheld else self._why_no_sound(turn)
            sound = not withheld and why_not is None
            pieces = cut_turn(
                turn,
                number,
                count_tokens=self.processor.count_tokens,
                max_seconds=self.config.max_seconds,
                max_tokens=self.config.max_text_tokens,
                sound=sound,
                words=self.use_words,
            )
            heard = False
            for piece in pieces:
                waveform = self._hear(turn, piece) if sound else None
                heard = heard or waveform is not None
                if waveform is not None or piece.text is not None:
                    yield number, _Row(turn, piece, waveform, withheld)
            if sound:
                self._note_loudness(turn.id)
            if not withheld and not heard:
                self.scores.no_sound[turn.id] = why_not or SILENT

    def _why_no_sound(self, turn: Turn) -> str | None:
        if self.read is None:
            return NO_SOUND
        if turn.start is None or turn.end is None:
            return NO_TIMES
        if turn.channel is None:
            return NO_CHANNEL
        return TOO_SHORT if turn.end - turn.start < MIN_SECONDS else None

    def _hear(self, turn: Turn, piece: Utterance) -> "Waveform | None":
        """Read an utterance's sound; None where there is none to judge."""
        import numpy as np

        assert self.read is not None and turn.channel is not None
        assert piece.start is not None and piece.end is not None
        waveform = self.read(piece.start, piece.end, turn.channel)
        energy, samples = self._power.get(turn.id, (0.0, 0))
        self._power[turn.id] = (
            energy + float(np.square(waveform, dtype=np.float64).sum()),
            samples + len(waveform),
        )
        if len(waveform) < MIN_SECONDS * self.config.sampling_rate or not np.any(waveform):
            return None
        # Rounding in the resampler may add a sample to a window of exactly the longest length.
        return waveform[: int(self.config.max_seconds * self.config.sampling_rate)]

    def _note_loudness(self, turn_id: str) -> None:
        import math

        energy, samples = self._power.pop(turn_id, (0.0, 0))
        if energy > 0:
            self.scores.loudness[turn_id] = 10 * math.log10(energy / samples)

    # --- rows → predictions ----------------------------------------------------------------------

    def _listen_to(self, reference: Reference) -> None:
        longest = int(self.config.max_seconds * self.config.sampling_rate)
        for begin in range(0, len(reference.waveform), longest):
            piece = reference.waveform[begin : begin + longest]
            if len(piece) < MIN_SECONDS * self.config.sampling_rate:
                continue
            self._step(
                audio=[piece],
                text=[None],
                speakers=[reference.speaker],
                roles=[reference.role],
                reference=True,
            )

    def _step(
        self,
        *,
        audio: "list[Waveform | None]",
        text: "list[str | list[str] | None]",
        speakers: list[str],
        roles: list[Role],
        confidence: list[list[float] | None] | None = None,
        reference: bool = False,
    ) -> list[Answer]:
        """Feed the next rows of the call to the model and carry its state on."""
        ids = [self._speakers.setdefault(speaker, len(self._speakers)) for speaker in speakers]
        batch = self.processor(
            audio=audio,
            text=text,
            sampling_rate=self.config.sampling_rate,
            text_confidence=confidence,
            dialogue_ids=[0] * len(audio),
            speaker_ids=ids,
            roles=roles,
            positions=list(range(self._position, self._position + len(audio))),
            references=[reference] * len(audio),
        )
        self._position += len(audio)
        answers = self.model.predict(**batch.to(self.model.device), state=self._state)
        self._state = answers.state
        return _plain_answers(answers)

    def _predict(self, rows: list[_Row]) -> None:
        stated = [list(row.utterance.confidence) or None for row in rows]
        answers = self._step(
            audio=[row.waveform for row in rows],
            text=[list(row.utterance.words) or row.utterance.text for row in rows],
            speakers=[speaker_key(row.turn) for row in rows],
            roles=[row.turn.role for row in rows],
            confidence=stated if any(stated) else None,
        )
        for number, row in enumerate(rows):
            if self._open is not None and self._open.turn.id != row.turn.id:
                self._close()
            # A withheld turn went in as words, for the context of others; its own answer is not kept.
            if row.withheld:
                continue
            if self._open is None:
                self._open = TurnAnswers(turn=row.turn)
            self._open.pieces.append((row.utterance, answers[number]))

    def _close(self) -> None:
        if self._open is not None:
            self.scores.predictions[self._open.turn.id] = predict_turn(self._open, self.labels, self.config)
        self._open = None


def _plain_answers(answers: Any) -> list[Answer]:
    """Take the model's tensors, (batch, …), apart into one plain answer a row."""
    emotion, intensity = answers.emotion.tolist(), answers.intensity.tolist()
    change, direction = answers.change.tolist(), answers.direction.tolist()
    audio_only, text_only = answers.audio_only.tolist(), answers.text_only.tolist()
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
        )
        for row in range(len(emotion))
    ]
