"""Turns → rows: the utterances of a call in order, each with the sound that is read for it."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmser.channels import PLACE_UNSURE_FLAG, ReadSound
from mmser.types import Seconds, Turn
from mmser.utterances import CountTokens, Utterance, cut_turn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Waveform = npt.NDArray[np.float32]

MIN_SECONDS = 0.1  # shorter sound holds no frame worth a judgement
CONSTANT = 2e-6  # of full scale; a span under it, far less than a 16-bit step, is no sound

OUTSIDE = "the turn begins after the end of the recording"
TOO_SHORT = f"the turn is shorter than {MIN_SECONDS} s"
SILENT = "the channel holds nothing but digital silence here"
NO_SOUND = "there is no recording"
NO_TIMES = "the turn has no times"
NO_CHANNEL = "it is not known which channel the speaker is on"
PLACE_UNSURE = "the turn's place is estimated, on a channel that others speak on too"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one row may hold, as the model's config states it."""

    sampling_rate: int  # Hz
    max_seconds: Seconds
    max_text_tokens: int


@dataclass(frozen=True, kw_only=True)
class Row:
    """One utterance on its way into a batch."""

    turn: Turn
    utterance: Utterance
    waveform: "Waveform | None"  # (samples,) at the model's rate; None = no sound is used
    kept: bool  # False: it goes in for the context or the baseline of others
    speaker_key: str
    reference: bool = False

    @property
    def num_samples(self) -> int:
        """Number of samples of its sound; 0 without."""
        return 0 if self.waveform is None else len(self.waveform)


class Hearing:
    """Reads the turns of one call, in order; what it notes on the way is whole once all rows are read."""

    def __init__(
        self,
        *,
        count_tokens: CountTokens,
        limits: Limits,
        read: ReadSound | None,
        withheld: Callable[[Turn], bool],
        use_words: bool,
    ) -> None:
        self.count_tokens, self.limits = count_tokens, limits
        self.read, self.withheld, self.use_words = read, withheld, use_words
        self.loudness: dict[str, float] = {}  # turn id → dBFS of the sound that was read
        self.no_sound: dict[str, str] = {}  # turn id → why a scored turn has no acoustic answer
        self._power: dict[str, tuple[float, int]] = {}

    def rows(self, turns: Sequence[Turn]) -> Iterator[tuple[int, Row]]:
        """Yield the place of a turn and a row of it; turns with neither sound nor words have none.

        Args:
            turns: in order of start.
        """
        for number, turn in enumerate(turns):
            withheld = self.withheld(turn)
            why_not = None if withheld else self._why_no_sound(turn)
            sound = not withheld and why_not is None
            pieces = cut_turn(
                turn,
                count_tokens=self.count_tokens,
                max_seconds=self.limits.max_seconds,
                max_tokens=self.limits.max_text_tokens,
                sound=sound,
                words=self.use_words,
            )
            heard = False
            for piece in pieces:
                waveform = self._hear(turn, piece) if sound else None
                heard = heard or waveform is not None
                if waveform is not None or piece.text is not None:
                    yield (
                        number,
                        Row(
                            turn=turn,
                            utterance=piece,
                            waveform=waveform,
                            kept=not withheld,
                            speaker_key=turn.speaker_key,
                        ),
                    )
            if sound:
                self._note_loudness(turn.id)
            if not withheld and not heard:
                self.no_sound[turn.id] = why_not or SILENT

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
        if len(waveform) < MIN_SECONDS * self.limits.sampling_rate or np.ptp(waveform) < CONSTANT:
            return None
        # Rounding in the resampler may add a sample to a window of exactly the longest length.
        return waveform[: int(self.limits.max_seconds * self.limits.sampling_rate)]

    def _note_loudness(self, turn_id: str) -> None:
        energy, samples = self._power.pop(turn_id, (0.0, 0))
        if energy > 0:
            self.loudness[turn_id] = 10 * math.log10(energy / samples)
