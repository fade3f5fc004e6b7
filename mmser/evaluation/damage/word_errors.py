"""Errors such as speech recognisers make, in words that are known, at a word error rate that is asked for.

The proportions of substitutions, deletions and insertions (60, 25 and 15 %) are a convention, near what is
reported of recognisers of spontaneous speech; they are not measured on one. What is heard in place of a word
is the word that is spelled most alike among those that the texts hold, since no dictionary of sounds is at
hand in most languages.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import regex
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfVectorizer
from torchaudio.functional import edit_distance

from mmser.evaluation.judged import Floats

COMMON = 0.4  # of the running words: the commonest that make up so many stand for function words
# Substituted, deleted, inserted after. Over all words: 0.4 · 0.45 + 0.6 · 0.7 = 0.6, 0.4 · 0.4 + 0.6 · 0.15 =
# 0.25, and 0.15.
OF_COMMON = (0.45, 0.40, 0.15)
OF_OTHERS = (0.70, 0.15, 0.15)
ALIKE = 40  # words that share most letters, among which the nearest by edit distance are sought
NEAREST = 4  # of those, one is drawn

# Han and kana are written without spaces: each character counts, as in the field's character error rate.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}ー"
_WORD = regex.compile(rf"[{_UNSPACED}]|[\w--[{_UNSPACED}]]+(?:[-'’][\w--[{_UNSPACED}]]+)*", regex.V1)


def words_of(text: str) -> list[str]:
    """Return the words of a text as they are compared: without punctuation, case and kind of apostrophe."""
    return [_key(match.group()) for match in _WORD.finditer(text)]


def _key(word: str) -> str:
    return word.replace("’", "'").casefold()


def count_errors(reference: str, said: str) -> int:
    """Return the least number of words that are substituted, deleted and inserted from one to the other."""
    return int(edit_distance(words_of(reference), words_of(said)))


def word_error_rate(references: Sequence[str], said: Sequence[str]) -> float:
    """Return the word error rate of texts, row by row, over all of their words, from 0 up.

    1 stands for as many errors as words; without a word in the references it is 0 or infinite.
    """
    errors = sum(count_errors(a, b) for a, b in zip(references, said, strict=True))
    words = sum(len(words_of(text)) for text in references)
    return errors / words if words else (float("inf") if errors else 0.0)


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The words of some texts, and which of them look alike."""

    words: tuple[str, ...]  # as most often written, the commonest first
    places: dict[str, int]  # as compared → in `words`
    shares: Floats  # of the running words, (words,)
    letters: csr_array | None  # weighted runs of 1 to 3 letters, one row a word, each of length 1

    def is_common(self, word: str) -> bool:
        """Tell whether a word is one of the few that make up much of all speech: function words, mostly."""
        place = self.places.get(_key(word))
        return place is not None and float(self.shares[:place].sum()) < COMMON

    def any_word(self, rng: np.random.Generator) -> str | None:
        """Draw a word as often as it occurs; None without words."""
        return self.words[int(rng.choice(len(self.words), p=self.shares))] if self.words else None

    def alike(self, word: str, rng: np.random.Generator) -> str | None:
        """Draw one of the words that are spelled most like another of the vocabulary; None without any."""
        place = self.places.get(_key(word))
        if place is None or self.letters is None or len(self.words) < 2:
            return None
        close = (self.letters @ self.letters[[place]].T).toarray().ravel()
        close[place] = -1.0
        found = np.argsort(-close, kind="stable")[: min(ALIKE, len(self.words) - 1)]
        own = _key(word)
        # Of equally near words the commoner one: recognisers hear what they expect.
        ranked: list[int] = sorted(found.tolist(), key=lambda i: (edit_distance(own, _key(self.words[i])), i))
        return self.words[ranked[int(rng.integers(min(NEAREST, len(ranked))))]]


def make_vocabulary(texts: Iterable[str]) -> Vocabulary:
    """Return the vocabulary of texts."""
    written: dict[str, Counter[str]] = {}
    for text in texts:
        for match in _WORD.finditer(text):
            written.setdefault(_key(match.group()), Counter())[match.group()] += 1
    keys = sorted(written, key=lambda key: (-written[key].total(), key))
    counts = np.array([written[key].total() for key in keys], np.float64)
    letters = None
    if keys:
        runs = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3), lowercase=False)
        letters = csr_array(runs.fit_transform(keys))
    return Vocabulary(
        words=tuple(min(written[key], key=lambda word: (-written[key][word], word)) for key in keys),
        places={key: place for place, key in enumerate(keys)},
        shares=counts / max(1.0, counts.sum()),
        letters=letters,
    )


def mishear(text: str, rate: float, rng: np.random.Generator, vocabulary: Vocabulary) -> str:
    """Return a text as a recogniser might hear it; at least one word is left.

    The number of errors is the rate times the number of words, rounded up or down at random so that it is
    right on average. The same draws at a higher rate add errors to those of a lower one.

    Args:
        text: in any language; without words it is returned as it is.
        rate: the word error rate on average, [0, 1].
        rng: of what goes wrong.
        vocabulary: of words that are heard in place of others.
    """
    found = list(_WORD.finditer(text))
    wanted = int(rate * len(found) + rng.random())
    hearing = _Hearing(text, found)
    for done, place in enumerate(rng.permutation(len(found)).tolist()):
        # An error can undo another, such as a deletion beside an insertion: what counts is the distance.
        if done >= wanted and count_errors(text, str(hearing)) >= wanted:
            break
        hearing.err(place, rng, vocabulary)
    return str(hearing)


class _Hearing:
    """A text whose words go wrong one by one."""

    def __init__(self, text: str, found: Sequence[regex.Match[str]]) -> None:
        edges = [0, *(edge for match in found for edge in match.span()), len(text)]
        self.gaps = [text[edges[i] : edges[i + 1]] for i in range(0, len(edges), 2)]  # around the words
        self.words: list[str | None] = [match.group() for match in found]  # None = deleted
        self.added = [""] * len(found)  # what is heard after each

    def err(self, place: int, rng: np.random.Generator, vocabulary: Vocabulary) -> None:
        """Let one word that is right go wrong."""
        word = self.words[place]
        assert word is not None
        kind = rng.choice(3, p=OF_COMMON if vocabulary.is_common(word) else OF_OTHERS)
        if kind == 1 and sum(one is not None for one in self.words) > 1:
            self.words[place] = None
            return
        other = vocabulary.alike(word, rng) if kind < 2 else None
        if other is not None:
            self.words[place] = _in_case_of(word, other)
        else:
            # Without other words a word is heard twice.
            self.added[place] = vocabulary.any_word(rng) or word

    def __str__(self) -> str:
        said, gap = "", self.gaps[0]
        for place, word in enumerate(self.words):
            after = self.gaps[place + 1]
            if word is None:
                gap = _merged(gap, after, first=not said, last=place == len(self.words) - 1)
                continue
            added = self.added[place]
            said += gap + word + (_space_after(word) + added if added else "")
            gap = after
        return said + gap


def _merged(before: str, after: str, *, first: bool, last: bool) -> str:
    """Return what stands between two words when the one between is gone: one punctuation, not two."""
    if first:
        return before
    if last:
        return after if after.strip() else before.rstrip()
    return before if before.strip() else after


def _space_after(word: str) -> str:
    return "" if regex.match(rf"[{_UNSPACED}]", word) else " "


def _in_case_of(word: str, other: str) -> str:
    if len(word) > 1 and word.isupper():
        return other.upper()
    return other[:1].upper() + other[1:] if word[0].isupper() else other
