"""Turns → predictions: utterances in bounded batches, the dialogue's state carried along."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mmser.aggregation import Answer, TurnAnswers, label_order, predict_turn
from mmser.channels import PLACE_UNSURE_FLAG, ReadSound
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
CONSTANT = 2e-6  # of full scale; a span under it, far less than a 16-bit step, is no sound
BATCH_SECONDS = 30.0  # sound in one batch, counted with its padding; more takes memory and saves no time
BATCH_ROWS = 64

OUTSIDE = "the turn begins after the end of the recording"
TOO_SHORT = f"the turn is shorter than {MIN_SECONDS} s"
SILENT = "the channel holds nothing but digital silence here"
NO_SOUND = "there is no recording"
NO_TIMES = "the turn has no times"
NO_CHANNEL = "it is not known which channel the speaker is on"
PLACE_UNSURE = "the turn's place is estimated, on a channel that others speak on too"


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


@dataclass
class _Row:
    """One utterance on its way into a batch."""

    turn: Turn
    speaker_key: str
    utterance: Utterance
    waveform: "Waveform | None"
    kept: bool  # False: it went in for the context or the baseline of others
    reference: bool = False


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
        pending = [self._reference_row(reference) for reference in references]
        longest = max((_length(row) for row in pending), default=0)
        budget = int(self.batch_seconds * self.config.sampling_rate)
        for number, row in self._rows(turns):
            # References share the first batch: alone they would be one that answers nothing.
            full = len(pending) >= BATCH_ROWS or max(longest, _length(row)) * (len(pending) + 1) > budget
            if full and not all(other.reference for other in pending):
                self._predict(pending)
                pending, longest = [], 0
                progress("analysing", number, len(turns))
            pending.append(row)
            longest = max(longest, _length(row))
        if not all(row.reference for row in pending):
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
                    yield number, _Row(turn, turn.speaker_key, piece, waveform, kept=not withheld)
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
        if "outside_audio" in turn.flags:
            return OUTSIDE
        if PLACE_UNSURE_FLAG in turn.flags:
            return PLACE_UNSURE
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
        # A constant is silence too: that of A-law is not 0.
        if len(waveform) < MIN_SECONDS * self.config.sampling_rate or np.ptp(waveform) < CONSTANT:
            return None
        # Rounding in the resampler may add a sample to a window of exactly the longest length.
        return waveform[: int(self.config.max_seconds * self.config.sampling_rate)]

    def _note_loudness(self, turn_id: str) -> None:
        import math

        energy, samples = self._power.pop(turn_id, (0.0, 0))
        if energy > 0:
            self.scores.loudness[turn_id] = 10 * math.log10(energy / samples)

    # --- rows → predictions ----------------------------------------------------------------------

    def _reference_row(self, reference: Reference) -> _Row:
        limit = int(self.config.max_seconds * self.config.sampling_rate)
        turn = Turn(id="", start=None, end=None, role=reference.role)
        utterance = Utterance(start=None, end=None, text=None)
        heard = reference.waveform[:limit]
        return _Row(turn, reference.speaker_key, utterance, heard, kept=False, reference=True)

    def _predict(self, rows: list[_Row]) -> None:
        """Feed the next rows of the call to the model, carry its state on, and keep what may be kept."""
        stated = [list(row.utterance.confidence) or None for row in rows]
        speakers = [row.speaker_key for row in rows]
        batch = self.processor(
            audio=[row.waveform for row in rows],
            text=[list(row.utterance.words) or row.utterance.text for row in rows],
            sampling_rate=self.config.sampling_rate,
            text_confidence=stated if any(stated) else None,
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
            if self._open is not None and self._open.turn.id != row.turn.id:
                self._close()
            if row.kept:
                self._open = self._open or TurnAnswers(turn=row.turn)
                self._open.pieces.append((row.utterance, answer))

    def _close(self) -> None:
        if self._open is not None:
            self.scores.predictions[self._open.turn.id] = predict_turn(self._open, self.labels, self.config)
        self._open = None


def _length(row: _Row) -> int:
    return 0 if row.waveform is None else len(row.waveform)


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
