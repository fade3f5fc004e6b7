"""Words from the tokens of Whisper: which tokens make one, when it was said, how sure it is.

Follows openai-whisper's timing.py, but where a language has blanks, only they part words: "e-mail", "don't"
and "50%" stay whole.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmser.types import Word

OPENING = frozenset("\"'“¿¡([{-«「『（《【")
CLOSING = frozenset("\"'.。,，!！?？:：;；”)]}、…»」』）》】%-–—")
SENTENCE_ENDS = tuple(".。!！?？")
MAX_MEDIAN = 0.7  # s that words last at most, by their median; what opens a sentence lasts up to twice that
MUCH_LONGER = 0.5  # s by which a word reaches out of its phrase when its time is not believed


@dataclass(frozen=True, kw_only=True)
class Phrase:
    """Tokens between two times that were written; in seconds from the window's start."""

    start: float
    end: float
    tokens: tuple[int, ...]  # text alone


@dataclass(frozen=True, kw_only=True)
class Aligned:
    """How the tokens of a window's text lie in its sound."""

    probabilities: tuple[float, ...]  # of each token, in [0, 1]
    times: tuple[float, ...] | None  # s: when each begins, and when the last ends; None = not known


@dataclass
class _Spoken:
    """A word that is being put together; tokens are counted from the window's first."""

    text: str
    first: int
    last: int  # punctuation before and after the word itself is not counted
    voiced: bool  # holds more than punctuation
    start: float = 0.0
    end: float = 0.0


def spoken_words(
    phrases: Sequence[Phrase],
    aligned: Aligned,
    read: Callable[[Sequence[int]], str],
    *,
    unspaced: bool,
    length: float,
) -> list[tuple[float, float, tuple[Word, ...]]]:
    """Return start, end and words of each phrase, in seconds within [0, `length`].

    Args:
        phrases: of one window.
        aligned: the tokens of all of them, in a row.
        read: tokens → their text.
        unspaced: whether the language is written without blanks.
        length: of the window in seconds.
    """
    found, position = [], 0
    for phrase in phrases:
        found.append(_words(phrase, read, unspaced, position))
        position += len(phrase.tokens)
    longest = 0.0
    if aligned.times is not None:
        for word in (word for words in found for word in words):
            word.start, word.end = aligned.times[word.first], aligned.times[word.last + 1]
        longest = _shorten(found)
    return [
        _finish(phrase, words, aligned, longest / 2, length)
        for phrase, words in zip(phrases, found, strict=True)
    ]


def first_frames(cost: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
    """Return the frame in which each token begins, (tokens,), by dynamic time warping.

    Args:
        cost: of hearing a token in a frame, (tokens, frames), at least one of each.
    """
    tokens, frames = cost.shape
    total = np.full((tokens + 1, frames + 1), np.inf)
    total[0, 0] = 0.0
    # All that lies on one diagonal depends on the two before alone.
    for diagonal in range(2, tokens + frames + 1):
        i = np.arange(max(1, diagonal - frames), min(tokens, diagonal - 1) + 1)
        j = diagonal - i
        before = np.minimum(np.minimum(total[i - 1, j - 1], total[i - 1, j]), total[i, j - 1])
        total[i, j] = cost[i - 1, j - 1] + before
    begins = np.zeros(tokens, np.int64)
    i, j = tokens, frames
    while i > 0:
        begins[i - 1] = j - 1
        both, token, frame = total[i - 1, j - 1], total[i - 1, j], total[i, j - 1]
        if both < token and both < frame:
            i, j = i - 1, j - 1
        elif (token < both and token < frame) or j == 1:
            i -= 1
        else:
            j -= 1
    return begins


def _words(
    phrase: Phrase, read: Callable[[Sequence[int]], str], unspaced: bool, position: int
) -> list[_Spoken]:
    words: list[_Spoken] = []
    opened = False  # by punctuation that belongs to the word after it
    for text, count in _pieces(phrase.tokens, read):
        bare, first, last = text.strip(), position, position + count - 1
        position += count
        # A blank alone belongs to the word after it, too.
        opens = OPENING.issuperset(bare) and text != "" and (unspaced or text.startswith(" "))
        closes = CLOSING.issuperset(bare) and not opens
        voiced = not (opens or closes)
        apart = opens or ((unspaced or text.startswith(" ")) and not closes)
        if not words or (apart and not opened):
            words.append(_Spoken(text, first, last, voiced))
        else:
            word = words[-1]
            word.text += text
            if voiced:
                word.first, word.last = first if not word.voiced else word.first, last
                word.voiced = True
        opened = opens or (opened and not voiced)
    return words


def _pieces(tokens: Sequence[int], read: Callable[[Sequence[int]], str]) -> list[tuple[str, int]]:
    """Return texts and their numbers of tokens: the fewest that hold whole characters."""
    whole, pieces, offset = read(tokens), [], 0
    begin = 0
    for end in range(1, len(tokens) + 1):
        text = read(tokens[begin:end])
        broken = text.find("\ufffd")  # half a character reads so, and also one that never is completed
        place = offset + broken
        if broken < 0 or end == len(tokens) or (place < len(whole) and whole[place] == "\ufffd"):
            pieces.append((text, end - begin))
            offset += len(text)
            begin = end
    return pieces


def _shorten(found: Sequence[Sequence[_Spoken]]) -> float:
    """Shorten words that open a sentence: the silence before them is theirs by mistake.

    Returns:
        Seconds that such a word lasts at most, twice the median; 0 where no word has a length.
    """
    lengths = [word.end - word.start for words in found for word in words if word.end > word.start]
    longest = 2 * min(MAX_MEDIAN, float(np.median(lengths))) if lengths else 0.0
    for words in found:
        for i, word in enumerate(words):
            opens = i == 0 or words[i - 1].text.endswith(SENTENCE_ENDS)
            if opens and longest and word.end - word.start > longest:
                word.start = word.end - longest
    return longest


def _finish(
    phrase: Phrase, words: Sequence[_Spoken], aligned: Aligned, median: float, length: float
) -> tuple[float, float, tuple[Word, ...]]:
    def within(seconds: float) -> float:
        return min(length, max(0.0, round(seconds, 2)))

    start, end, timed = phrase.start, phrase.end, aligned.times is not None
    if words and timed:
        # The times of words are the finer ones, unless they reach far out of the phrase.
        first, last = words[0], words[-1]
        if first.start + MUCH_LONGER < start < first.end:
            first.start = max(0.0, min(first.end - median, start))
        start = first.start
        if last.start < end < last.end - MUCH_LONGER:
            last.end = max(last.start + median, end)
        end = last.end
    made = tuple(
        Word(
            text=word.text.strip(),
            start=within(word.start) if timed else None,
            end=max(within(word.start), within(word.end)) if timed else None,
            confidence=_mean(aligned.probabilities[word.first : word.last + 1]),
        )
        for word in words
        if word.text.strip()
    )
    return within(start), max(within(start), within(end)), made


def _mean(probabilities: Sequence[float]) -> float:
    return min(1.0, max(0.0, float(np.mean(probabilities))))
