"""What the baselines hear of labelled clips: each is read and measured once, and kept in memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmser.data import Example
from mmser.errors import DataError
from mmser.evaluation.baseline_models.contours import Floats, Waveform, contours
from mmser.evaluation.baseline_models.features import functionals, speech_frames
from mmser.evaluation.judged import name_of
from mmser.evaluation.sounds import Sounds
from mmser.progress import ProgressCallback, ignore_progress

MAX_SECONDS = 20.0  # of a clip that is heard
POOLED = 2  # frames of 10 ms that one kept log-mel frame is the mean of
Key = tuple[Path | None, float | None, float | None, int | None]


@dataclass(frozen=True)
class Heard:
    """One clip; its frames take 6 kB a second."""

    functionals: NDArray[np.float32]  # (features,)
    log_mel: NDArray[np.float16]  # every 20 ms, from the first speech to the last, (frames, 64)


class FeatureCache:
    """Functionals and log-mel frames of the sound of examples, by file, part and channel."""

    def __init__(self) -> None:
        self._heard: dict[Key, Heard] = {}
        self._lost: dict[Key, str] = {}  # clips that cannot be read → why

    def functionals(
        self, examples: Sequence[Example], progress: ProgressCallback = ignore_progress
    ) -> Floats:
        """Return the functionals of clips, (examples, features); see `features.feature_names`.

        Raises:
            DataError: if a clip has no sound, or cannot be read; it is named.
        """
        self.listen(examples, progress)
        rows = [self._heard[_key(e)].functionals for e in examples]
        return np.stack(rows).astype(np.float64)

    def log_mels(
        self, examples: Sequence[Example], progress: ProgressCallback = ignore_progress
    ) -> list[NDArray[np.float32]]:
        """Return log-mel frames of clips every 20 ms, each (frames, 64), natural log of power.

        The silence before and after what is said is not in them.

        Raises:
            DataError: if a clip has no sound, or cannot be read; it is named.
        """
        self.listen(examples, progress)
        return [self._heard[_key(e)].log_mel.astype(np.float32) for e in examples]

    def lost(
        self, examples: Sequence[Example], progress: ProgressCallback = ignore_progress
    ) -> dict[str, str]:
        """Return the names of the examples whose sound cannot be read, and why; the others are measured."""
        for _ in self._listen(examples, progress):
            pass
        return {name_of(e): self._lost[_key(e)] for e in examples if _key(e) in self._lost}

    def listen(self, examples: Sequence[Example], progress: ProgressCallback = ignore_progress) -> None:
        """Measure the clips that were not measured before; a file that holds several is opened once.

        Args:
            examples: with sound.
            progress: called with "listening" and clips done.

        Raises:
            DataError: if a clip has no sound, or cannot be read; it is named.
        """
        for why in self._listen(examples, progress):
            raise DataError(why)

    def _listen(self, examples: Sequence[Example], progress: ProgressCallback) -> Iterator[str]:
        """Measure clips, and yield of each that cannot be read why, also if that was found out before."""
        yield from (self._lost[_key(e)] for e in examples if _key(e) in self._lost)
        missing = {_key(e): e for e in examples if _key(e) not in self._heard and _key(e) not in self._lost}
        with Sounds() as sounds:
            # Rows of one file follow each other: it is opened once.
            for done, key in enumerate(sorted(missing, key=lambda key: str(key[0])), 1):
                try:
                    waveform = sounds.read(missing[key], MAX_SECONDS)
                    if waveform is None:
                        raise DataError(f"the clip {name_of(missing[key])} cannot be used: it has no sound")
                    self._heard[key] = hear(waveform)
                except DataError as error:
                    self._lost[key] = str(error)
                    yield str(error)
                progress("listening", done, len(missing))


def hear(waveform: Waveform) -> Heard:
    """Measure one clip, mono at 16 kHz."""
    found = contours(waveform)
    speech = np.flatnonzero(speech_frames(found.spectral[:, 0]))
    mel = found.log_mel[speech[0] : speech[-1] + 1] if len(speech) else found.log_mel
    whole = len(mel) // POOLED * POOLED
    pooled = mel[:whole].reshape(-1, POOLED, mel.shape[1]).mean(1)
    if whole < len(mel):  # the last frame stands alone
        pooled = np.concatenate([pooled, mel[whole:].mean(0, keepdims=True)])
    return Heard(functionals(found), pooled.astype(np.float16))


def _key(example: Example) -> Key:
    return example.audio, example.start, example.end, example.channel
