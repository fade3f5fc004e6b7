"""Recognised words take the place of given ones, with their confidences, and their errors are counted."""

from dataclasses import replace

import numpy as np
import pytest

from mmser.audio import open_recording
from mmser.data import Example
from mmser.evaluation.judging import Given
from mmser.evaluation.recognised import RecognisedWords, recognise
from tests.transcription.scripted import Reader, phrase
from tests.transcription.test_channels_heard import SAMPLE

with open_recording(SAMPLE) as source:
    SPOKEN = source.read(4.0, 7.0, 0)  # the agent speaks
EXAMPLE = Example(corpus="made", split="test", id="1", emotions=("anger",), language="en")


def test_what_is_heard_takes_the_place_of_what_was_given():
    words = RecognisedWords(Reader([phrase(0.2, "where is my parcel", 1.5, confidence=0.7)]))
    given = words.alter(EXAMPLE, Given(waveform=SPOKEN, text="where is the parcel"))
    assert given.text == "where is my parcel" and {w.confidence for w in given.words} == {0.7}
    # One of four words is another: 25 %.
    assert words.note() == "whisper:recorded, word error rate 25.0 % against the given words"


def test_nothing_is_made_up_where_nobody_speaks():
    words = RecognisedWords(Reader([phrase(0.2, "thank you for watching", 1.5)]))
    given = words.alter(EXAMPLE, Given(waveform=np.zeros(16_000, np.float32), text="hello"))
    assert given.text is None and given.words == ()
    assert "word error rate 100.0 %" in words.note()


def test_words_alone_stay_as_they_are():
    words = RecognisedWords(Reader())
    given = Given(waveform=None, text="hello")
    assert words.alter(EXAMPLE, given) == given
    assert words.note() == "whisper:recorded; no given words to compare with"


def test_recognition_leaves_the_sound_alone():
    before = SPOKEN.copy()
    recognise(SPOKEN, Reader([phrase(0.2, "hello", 1.0)]), "en")
    assert before == pytest.approx(SPOKEN)


def test_rows_in_a_language_that_is_not_known_stay_as_they_are():
    class English(Reader):
        def knows(self, language: str) -> bool:
            return language == "en"

    words = RecognisedWords(English([phrase(0.2, "hello", 1.0)]))
    german = replace(EXAMPLE, language="de")
    given = Given(waveform=SPOKEN, text="guten Tag")
    assert not words.knows(german) and words.alter(german, given) == given
    assert words.knows(EXAMPLE) and words.alter(EXAMPLE, given).text == "hello"
    assert words.knows(replace(EXAMPLE, language=None))
