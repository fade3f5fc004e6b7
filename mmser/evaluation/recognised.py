"""Recognised words in place of given ones: what a recogniser's errors cost."""

import io
from dataclasses import replace

import numpy as np
import soundfile

from mmser.audio import SAMPLING_RATE, open_recording
from mmser.data import Example
from mmser.errors import AudioError
from mmser.evaluation.damage.word_errors import word_error_rate
from mmser.evaluation.judging import Given
from mmser.evaluation.sounds import Waveform
from mmser.transcription import AsrRequest, transcribe_call
from mmser.transcription.recogniser import Recogniser
from mmser.types import Word


class RecognisedWords:
    """Gives the model what a recogniser hears in each clip; counts its errors against the given words."""

    def __init__(self, recogniser: Recogniser) -> None:
        self.recogniser = recogniser
        self._given: list[str] = []
        self._said: list[str] = []

    def knows(self, example: Example) -> bool:
        """Tell whether an example is in a language that is recognised, or states none."""
        return example.language is None or self.recogniser.knows(example.language)

    def alter(self, example: Example, given: Given) -> Given:
        """Recognise the words of an example's sound; rows that lack either stay as they are.

        So do those in a language that the recogniser does not know.
        """
        if given.waveform is None or given.text is None or not self.knows(example):
            return given
        words = recognise(given.waveform, self.recogniser, example.language)
        said = " ".join(word.text for word in words)
        self._given.append(given.text)
        self._said.append(said)
        return replace(given, text=said or None, words=words)

    def note(self) -> str:
        """Return what must be known of the words: who recognised them, and how often wrongly."""
        if not self._given:
            return f"{self.recogniser.name}; no given words to compare with"
        rate = 100 * word_error_rate(self._given, self._said)
        return f"{self.recogniser.name}, word error rate {rate:.1f} % against the given words"


def recognise(waveform: Waveform, recogniser: Recogniser, language: str | None) -> tuple[Word, ...]:
    """Return the words of one voice, as `mmser transcribe` recognises them; none where nobody speaks.

    Args:
        waveform: mono, 16 kHz, (samples,).
        recogniser: opened.
        language: ISO 639-1 code; None = it is found out.
    """
    file = io.BytesIO()
    soundfile.write(file, np.clip(waveform, -1, 1), SAMPLING_RATE, format="WAV", subtype="FLOAT")
    if not np.ptp(waveform):
        return ()
    try:
        with open_recording(file.getvalue()) as source:
            read = transcribe_call(source, AsrRequest(recogniser=recogniser), language=language, alone=True)
    except AudioError:  # not one usable sample
        return ()
    return tuple(word for turn in read.turns for word in turn.words)
