"""Turns → the running text of each speaker: what is searched, and the way back to the turns.

A number is read out over several turns, so that each speaker's turns are strung together as long as no long
pause lies between. Digits, hyphens, spaces and letters that only look different are made the same.
"""

import bisect
import html
import itertools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote

from mmser.transcripts.entries import join_words
from mmser.types import Seconds, Turn

MAX_PAUSE: Seconds = 20.0  # between two turns of one speaker that are searched as one text
MAX_TURNS_BETWEEN = 2  # the same in turns of others, where there are no times
BARRIER: Final = "\ue000"  # stands for what was redacted before; nothing is found in it or across it

# Words, digits and single marks; spaces are what lies between.
_TOKEN: Final = re.compile(r"[^\W\d_]+|\d+|[^\w\s]|_")
# What a page or an address has in the place of spaces and marks: "&nbsp;", "&#45;", "<b>", "%20", "=".
_MARKUP: Final = re.compile(
    r"&(?:[a-z]{2,8}|#\d{1,5}|#x[\da-f]{1,4});|</?[a-z][a-z0-9]{0,9}/?>|%[2-4][0-9a-f]|(?<=\d)=(?=\d)",
    re.IGNORECASE,
)
_IS_MARKED_UP: Final = re.compile("[&<%=]")
_LOOKS_EMPTY: Final = frozenset("\u2800\u3164\u115f\u1160")


class Token(NamedTuple):
    """A word, a number in digits or a single mark of a running text."""

    text: str  # lower case, without accents
    start: int  # characters in the running text
    end: int


@dataclass(frozen=True, slots=True)
class TurnText:
    """The text of one turn that is searched."""

    index: int  # of the turn in the call
    turn: Turn
    text: str
    word_spans: tuple[tuple[int, int], ...]  # (start, end) in `text` of each of the turn's words
    aligned: bool  # whether `text` is the turn's own; else it was joined from its words


@dataclass(slots=True)
class RunningText:
    """Turns of one speaker, one after another."""

    parts: list[TurnText]
    letters: str = ""  # as spoken: case and accents kept, digits and hyphens plain
    plain: str = ""  # the same places in lower case and without accents
    starts: list[int] = field(default_factory=list)  # where each part begins in it
    tokens: list[Token] = field(default_factory=list)
    _origins: list[Sequence[int]] = field(default_factory=list)  # per part: place in its text by place here

    def part_at(self, place: int) -> int:
        """Return the number of the part that holds a place."""
        return bisect.bisect_right(self.starts, place) - 1

    def turn_at(self, place: int) -> int:
        """Return the index in the call of the turn that holds a place."""
        return self.parts[self.part_at(place)].index

    def places(self, start: int, end: int) -> list[tuple[int, int, int]]:
        """Return a stretch as (part, start, end) in the parts' own texts, without spaces at the ends."""
        found = []
        for number in range(self.part_at(start), self.part_at(max(start, end - 1)) + 1):
            origins, base = self._origins[number], self.starts[number]
            low, high = max(start - base, 0), min(end - base, len(origins))
            while low < high and self.letters[base + low] == " ":
                low += 1
            while low < high and self.letters[base + high - 1] == " ":
                high -= 1
            if low < high:
                last = origins[high - 1] + 1
                # Up to the next visible character: what combines with the last one goes with it.
                after = origins[high] if high < len(origins) else len(self.parts[number].text)
                found.append((number, origins[low], max(last, after)))
        return found


def running_texts(turns: Sequence[Turn], marks: re.Pattern[str], *, words_first: bool) -> list[RunningText]:
    """Return the running texts of a call, in the order in which they begin.

    Args:
        turns: the call's, in order.
        marks: what an earlier redaction left, which becomes `BARRIER`.
        words_first: where a turn's words and its text differ, whether its words are searched.
    """
    open_texts: dict[str, list[TurnText]] = {}
    all_parts: list[list[TurnText]] = []
    for index, turn in enumerate(turns):
        part = read_turn(index, turn, words_first=words_first)
        if part is None:
            continue
        current = open_texts.get(turn.speaker_key)
        if current is None or not _goes_on(current[-1], part):
            current = open_texts[turn.speaker_key] = []
            all_parts.append(current)
        current.append(part)
    return [_string_together(parts, marks) for parts in all_parts]


def _goes_on(before: TurnText, after: TurnText) -> bool:
    if before.turn.end is None or after.turn.start is None:
        return after.index - before.index - 1 <= MAX_TURNS_BETWEEN
    return after.turn.start - before.turn.end <= MAX_PAUSE


def read_turn(index: int, turn: Turn, *, words_first: bool = True) -> TurnText | None:
    """Return what is searched of a turn, or None where it has no words."""
    text = turn.text or ""
    spans = _locate(turn, text)
    if spans is not None and (text or not turn.words):
        return TurnText(index, turn, text, spans, aligned=True) if text.strip() else None
    if not words_first and text:
        return TurnText(index, turn, text, (), aligned=True)
    joined = join_words(turn.words)
    spans = _locate(turn, joined)
    assert spans is not None, "words are found in what they were joined to"
    return TurnText(index, turn, joined, spans, aligned=False) if joined else None


def _locate(turn: Turn, text: str) -> tuple[tuple[int, int], ...] | None:
    """Return where each word of a turn stands in `text`, or None where they are not its words."""
    if not turn.words:
        return tuple(found.span() for found in re.finditer(r"\S+", text))
    spans, place = [], 0
    for word in turn.words:
        wanted = word.text.strip()
        if wanted:
            while place < len(text) and text[place].isspace():
                place += 1
            if not text.startswith(wanted, place):
                return None
        spans.append((place, place + len(wanted)))
        place += len(wanted)
    return None if text[place:].strip() else tuple(spans)


def _string_together(parts: list[TurnText], marks: re.Pattern[str]) -> RunningText:
    running = RunningText(parts)
    letters: list[str] = []
    length = 0
    for part in parts:
        running.starts.append(length)
        masked = (
            marks.sub(lambda mark: BARRIER * len(mark.group()), part.text) if "[" in part.text else part.text
        )
        made, origins = plain_letters(masked)
        if _IS_MARKED_UP.search(made):
            made = _MARKUP.sub(_as_read, made)
        letters += [made, " "]
        running._origins.append(origins)
        length += len(made) + 1
    running.letters = "".join(letters)
    running.plain = without_accents(running.letters)
    running.tokens = [Token(m.group(), *m.span()) for m in _TOKEN.finditer(running.plain)]
    return running


def _as_read(markup: re.Match[str]) -> str:
    """Return what markup stands for, with spaces to its length: "&#52;" is a 4, "%40" an at sign."""
    text = markup.group()
    meant = unquote(text) if text[0] == "%" else html.unescape(text)
    readable = len(meant) == 1 and (meant.isalnum() or meant in "@.-_+")
    return (meant if readable else "").ljust(len(text))


def plain_letters(text: str) -> tuple[str, Sequence[int]]:
    """Return `text` with plain digits, hyphens and spaces, and the place in it of each character returned.

    What cannot be seen goes: soft hyphens, zero-width spaces, marks that only change a letter's look.
    """
    if text.isascii() and text.isprintable():
        return text, range(len(text))
    made: list[str] = []
    origins: list[int] = []
    for place, char in enumerate(text):
        for letter in _plain(char):
            if made and made[-1].isdigit() and unicodedata.category(letter) == "Mn":
                continue
            if not unicodedata.combining(letter):
                made.append(letter)
                origins.append(place)
            elif made and len(joined := unicodedata.normalize("NFC", made[-1] + letter)) == 1:
                made[-1] = joined
    return "".join(made), origins


@lru_cache(maxsize=4096)
def _plain(char: str) -> str:
    if char.isspace() or char in _LOOKS_EMPTY:
        return " "
    made = []
    for letter in unicodedata.normalize("NFKC", char):
        digit = unicodedata.digit(letter, None)
        kind = unicodedata.category(letter)
        if digit is not None:
            made.append(str(digit))
        elif kind == "Pd" or letter == "\u2212":  # every hyphen and dash, and the minus sign
            made.append("-")
        elif kind == "Zs":
            made.append(" ")
        elif kind not in ("Cf", "Cc", "Me") and not "\ufe00" <= letter <= "\ufe0f":
            made.append(letter)
    return "".join(made)


def without_accents(text: str) -> str:
    """Return `text` in lower case and without accents, as long as before."""
    if text.isascii():
        return text.lower()
    return "".join(map(_without_accent, text))


@lru_cache(maxsize=4096)
def _without_accent(char: str) -> str:
    decomposed = unicodedata.normalize("NFKD", char.lower())
    base = "".join(itertools.filterfalse(unicodedata.combining, decomposed))
    return base if len(base) == 1 else char
