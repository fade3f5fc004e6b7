"""Windows, temperatures and phrases, with an engine that says what it is told to."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from mmser.audio.files import Waveform
from mmser.transcription.decoding import Decoded, Vocabulary, recognise_chunks, split_phrases
from mmser.transcription.spoken import Aligned

RATE = 16_000
TIME = 1000  # the token of 0.00 s
VOCABULARY = Vocabulary(end=900, first_time=TIME, read=lambda tokens: "".join(map(chr, tokens)))


def at(seconds: float) -> int:
    return TIME + round(seconds / 0.02)


def says(*parts: float | str) -> tuple[int, ...]:
    """Return tokens of texts, one for each character, and of times."""
    tokens: list[int] = []
    for part in parts:
        tokens += [ord(c) for c in part] if isinstance(part, str) else [at(part)]
    return tuple(tokens)


class Puppet:
    """Says what it is told to, one thing after another, and remembers what it was asked."""

    def __init__(self, *answers: Decoded, shares: dict[str, float] | None = None) -> None:
        self.vocabulary, self.answers, self.told = VOCABULARY, list(answers), shares or {}
        self.heard: list[list[int]] = []  # lengths of the windows of each call
        self.temperatures: list[float] = []

    def encode(self, waveforms: Sequence[Waveform]) -> list[int]:
        self.heard.append([len(waveform) for waveform in waveforms])
        return self.heard[-1]

    def shares(self, encoded: Any) -> list[dict[str, float]]:
        return [self.told for _ in encoded]

    def decode(self, encoded: Any, languages: Sequence[str], temperature: float) -> list[Decoded]:
        assert len(encoded) == len(languages)
        self.temperatures.append(temperature)
        return [self.answers.pop(0) for _ in encoded]

    def align(
        self, encoded: Any, languages: Sequence[str], texts: Sequence[Sequence[int]], seconds: Sequence[float]
    ) -> list[Aligned]:
        return [Aligned(probabilities=(0.5,) * len(text), times=None) for text in texts]


def answer(*parts: float | str, sure: float = -0.2, silence: float | None = 0.1) -> Decoded:
    return Decoded(tokens=says(*parts), log_probability=sure, no_speech=silence)


def sound(seconds: float) -> Waveform:
    return np.zeros(round(seconds * RATE), np.float32)


def texts(puppet: Puppet, *seconds: float, language: str | None = "en") -> list[list[str]]:
    found = recognise_chunks(puppet, [sound(length) for length in seconds], language)
    return [[segment.text for segment in one.segments] for one in found]


def test_phrases_are_cut_where_two_times_meet():
    tokens = says(0.0, " one", 1.0, 1.2, " two", 2.0)
    phrases, seconds = split_phrases(tokens, VOCABULARY, 5.0)
    assert [(p.start, p.end, VOCABULARY.read(p.tokens)) for p in phrases] == [
        (0.0, 1.0, " one"),
        (pytest.approx(1.2), 2.0, " two"),
    ]
    assert seconds == 5.0


@pytest.mark.parametrize(
    ("tokens", "spans", "seconds"),
    [
        (says(), [], 5.0),
        (says(0.0), [], 5.0),
        (says(0.0, " "), [], 5.0),
        (says(" one"), [(0.0, 5.0)], 5.0),
        (says(0.5, " one"), [(0.5, 5.0)], 5.0),
        (says(0.5, " one", 2.0), [(0.5, 2.0)], 5.0),
        (says(0.5, " one", 2.0, 2.0), [(0.5, 2.0)], 2.0),
        (says(0.5, " one", 2.0, 2.0, " tw"), [(0.5, 2.0)], 2.0),
        (says(0.5, " one", 9.0), [(0.5, 5.0)], 5.0),
        (says(7.0, " one", 9.0), [(5.0, 5.0)], 5.0),
        (says(0.0, 0.0, " one"), [], 0.1),
    ],
)
def test_times_that_are_missing_or_too_late_do_no_harm(
    tokens: tuple[int, ...], spans: list[tuple[float, float]], seconds: float
):
    phrases, found = split_phrases(tokens, VOCABULARY, 5.0)
    assert [(phrase.start, phrase.end) for phrase in phrases] == spans
    assert found == pytest.approx(seconds)


def test_a_phrase_that_was_not_finished_is_heard_whole_in_the_next_window():
    puppet = Puppet(
        answer(0.0, " one", 2.0, 2.0, " tw"), answer(0.0, " alone", 1.0), answer(0.0, " two", 1.5)
    )
    (first, second) = recognise_chunks(puppet, [sound(5.0), sound(1.0)], "en")
    assert [(s.text, s.start, s.end) for s in first.segments] == [(" one", 0.0, 2.0), (" two", 2.0, 3.5)]
    assert [segment.text for segment in second.segments] == [" alone"]
    assert puppet.heard == [[5 * RATE, RATE], [3 * RATE]]


def test_a_rest_that_is_too_short_is_not_heard_again():
    assert texts(Puppet(answer(0.0, " one", 2.9, 2.9)), 3.0) == [[" one"]]


def test_windows_go_on_to_the_end_whatever_is_said():
    puppet = Puppet(*[answer(0.0, 0.0, " x")] * 20)
    assert texts(puppet, 1.0) == [[]]
    assert len(puppet.heard) <= 10


def test_a_longer_chunk_is_heard_window_by_window():
    puppet = Puppet(answer(0.0, " one", 30.0), answer(0.0, " two", 4.0))
    (found,) = recognise_chunks(puppet, [sound(35.0)], "en")
    assert [(s.text, s.end) for s in found.segments] == [(" one", 30.0), (" two", 34.0)]


def test_what_is_unsure_is_drawn_again_by_itself():
    puppet = Puppet(
        answer(0.0, " sure", 1.0),
        answer(0.0, " cold", 1.0, sure=-1.5),
        answer(0.0, " warm", 1.0, sure=-1.2),
        answer(0.0, " right", 1.0),
    )
    assert texts(puppet, 2.0, 3.0) == [[" sure"], [" right"]]
    assert puppet.temperatures == [0.0, 0.2, 0.4]
    assert puppet.heard == [[2 * RATE, 3 * RATE], [3 * RATE]]


def test_a_loop_is_drawn_again():
    puppet = Puppet(answer(0.0, " no" * 60, 1.0), answer(0.0, " no", 1.0))
    assert texts(puppet, 2.0) == [[" no"]]


def test_where_nothing_is_sure_the_surest_that_is_no_loop_is_taken():
    others = [answer(0.0, f" w{i}", 1.0, sure=-3 + (i == 2)) for i in range(5)]
    assert texts(Puppet(answer(0.0, " no" * 60, 1.0), *others), 2.0) == [[" w2"]]


def test_silence_is_not_drawn_again():
    puppet = Puppet(answer(0.0, " bye", 1.0, sure=-1.5, silence=0.9))
    assert texts(puppet, 2.0) == [[]]
    assert puppet.temperatures == [0.0]


def test_surety_or_missing_silence_keeps_words():
    assert texts(Puppet(answer(0.0, " bye", 1.0, silence=0.9)), 2.0) == [[" bye"]]
    assert texts(Puppet(answer(0.0, " bye", 1.0, silence=None)), 2.0) == [[" bye"]]


def test_a_language_is_told_once_for_each_chunk():
    told = {"de": 0.7, "en": 0.3}
    puppet = Puppet(answer(0.0, " eins", 1.0, 1.0), answer(0.0, " zwei", 1.0), shares=told)
    (found,) = recognise_chunks(puppet, [sound(3.0)], None)
    assert found.language == "de" and len(found.segments) == 2
