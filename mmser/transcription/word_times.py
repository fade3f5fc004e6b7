"""Words with times: what a recogniser left open is laid between its neighbours, and marked."""

from collections.abc import Sequence
from dataclasses import replace

from mmser.transcription.segments import Segment
from mmser.types import Seconds, Turn, Word
from mmser.utterances import word_spans


def timed_words(segment: Segment) -> tuple[Word, ...]:
    """Return the words of a segment, each with times inside it.

    Aligners leave numbers and symbols without times, and some weights tell no times of words at all.
    """
    words = segment.words or tuple(Word(text=token) for token in segment.text.split())
    return with_times(words, segment.start, segment.end)


def with_times(words: Sequence[Word], start: Seconds, end: Seconds) -> tuple[Word, ...]:
    """Return words with those that have no times laid between the others by their length, and marked.

    Args:
        words: in the order in which they are spoken.
        start: seconds before which none lies.
        end: seconds after which none lies.
    """
    if all(word.start is not None and word.end is not None for word in words):
        return tuple(words)
    spans = word_spans(Turn(id="", start=start, end=end, words=tuple(words)), start, end)
    return tuple(
        word
        if word.start is not None and word.end is not None
        else replace(word, start=left, end=right, estimated=True)
        for word, (left, right) in zip(words, spans, strict=True)
    )


def middle(word: Word) -> Seconds:
    """Return the middle of a word that has times, in seconds."""
    assert word.start is not None and word.end is not None
    return (word.start + word.end) / 2
