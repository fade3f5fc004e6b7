"""Findings → turns with marks in their place, and when what was taken out is spoken."""

import bisect
import dataclasses
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from mmser.redaction.findings import Finding
from mmser.redaction.running_text import RunningText, TurnText
from mmser.transcripts.entries import join_words, span
from mmser.types import Seconds, Turn, Word
from mmser.utterances import word_spans

PAD: Final[Seconds] = 0.25  # on both sides of what is taken out
PAD_ESTIMATED: Final[Seconds] = 1.0  # where the words have no times of their own

_TEXT_WORD: Final = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Cut:
    """A stretch of one turn's text that gives way to a mark."""

    start: int  # characters in the text that is searched
    end: int
    mark: str


def cuts_of(text: RunningText, findings: Iterable[Finding]) -> dict[int, list[Cut]]:
    """Return part → its cuts in order: each finding once in each turn that holds some of it."""
    cuts: dict[int, list[Cut]] = {}
    for finding in findings:
        hulls: dict[int, tuple[int, int]] = {}
        for start, end in finding.pieces:
            for number, low, high in text.places(start, end):
                before = hulls.get(number, (low, high))
                hulls[number] = (min(before[0], low), max(before[1], high))
        for number, (low, high) in hulls.items():
            cuts.setdefault(number, []).append(Cut(low, high, f"[{finding.kind}]"))
    return cuts


def cut_turn(part: TurnText, cuts: Sequence[Cut]) -> Turn:
    """Return the turn with marks in the place of the cuts, in its text and in its words alike."""
    turn = part.turn
    if not turn.words:
        return dataclasses.replace(turn, text=_cut(part.text, cuts))
    if not part.word_spans:  # its text says what its words do not: they cannot be trusted to hold nothing
        return dataclasses.replace(turn, text=_cut(part.text, cuts), words=())
    words = tuple(_cut_words(part, cuts))
    if turn.text is None:
        return dataclasses.replace(turn, words=words)
    return dataclasses.replace(
        turn, text=_cut(part.text, cuts) if part.aligned else join_words(words), words=words
    )


def _cut(text: str, cuts: Iterable[Cut], start: int = 0, end: int | None = None) -> str:
    """Return `text[start:end]` with marks in the place of the cuts inside."""
    made, place = [], start
    for cut in cuts:
        made += [text[place : cut.start], cut.mark]
        place = cut.end
    return "".join(made) + text[place:end]


def _cut_words(part: TurnText, cuts: Sequence[Cut]) -> Iterable[Word]:
    """Yield the words of a turn; those that a cut touches become one."""
    number = 0  # of the first cut that is not behind
    for group in _groups(part, cuts):
        spans = [part.word_spans[i] for i in group]
        words = [part.turn.words[i] for i in group]
        start, end = spans[0][0], spans[-1][1]
        inside = []
        while number < len(cuts) and cuts[number].start < end:
            inside.append(cuts[number])
            number += 1
        if not inside:
            yield from words
            continue
        first, last = span(words)
        yield dataclasses.replace(
            words[0],
            text=_cut(part.text, inside, start, end),
            start=first,
            end=last,
            confidence=None,
            estimated=any(word.estimated for word in words),
        )


def _groups(part: TurnText, cuts: Sequence[Cut]) -> Iterable[list[int]]:
    """Yield the words' indices in groups: words that one cut touches are together."""
    group: list[int] = []
    number = 0
    for index, (start, _) in enumerate(part.word_spans):
        while number < len(cuts) and cuts[number].end <= start:
            number += 1
        inside = number < len(cuts) and cuts[number].start < start
        if group and not inside:
            yield group
            group = []
        group.append(index)
    if group:
        yield group


def spoken_spans(part: TurnText, cuts: Sequence[Cut]) -> list[tuple[Seconds, Seconds]]:
    """Return when the cuts of a turn are spoken, with a margin on both sides; none without times."""
    turn = part.turn
    places = part.word_spans if turn.words else tuple(m.span() for m in _TEXT_WORD.finditer(part.text))
    if turn.words and not part.word_spans:
        turn = dataclasses.replace(turn, words=())
        places = tuple(m.span() for m in _TEXT_WORD.finditer(part.text))
    times = _times(turn, len(places))
    spans = []
    for cut in cuts:
        first = bisect.bisect_right(places, cut.start, key=lambda place: place[1])
        behind = bisect.bisect_left(places, cut.end, key=lambda place: place[0])
        inside = range(first, behind)
        known = [times[i] for i in inside]
        if not known or any(time is None for time in known):
            continue
        starts, ends = zip(*(time for time in known if time is not None), strict=True)
        start, end, pad = min(starts), max(ends), PAD
        if not all(turn.words and _stated(turn.words[i]) for i in inside):
            # Where in its turn it is spoken is not known.
            start = start if turn.start is None else min(start, turn.start)
            end, pad = end if turn.end is None else max(end, turn.end), PAD_ESTIMATED
        spans.append((max(0.0, start - pad), end + pad))
    return spans


def _stated(word: Word) -> bool:
    return word.start is not None and word.end is not None and not word.estimated


def _times(turn: Turn, count: int) -> list[tuple[Seconds, Seconds] | None]:
    """Return when each word is spoken: as the words say, and where they lie between the others."""
    own = [
        None if word.start is None or word.end is None else (word.start, word.end) for word in turn.words
    ] or [None] * count
    if turn.start is None or turn.end is None:
        return own
    placed = word_spans(turn, turn.start, turn.end)
    # A word may reach outside its turn, where `word_spans` does not follow.
    return [
        spread if stated is None else (min(spread[0], stated[0]), max(spread[1], stated[1]))
        for spread, stated in itertools.zip_longest(placed, own)
        if spread is not None
    ]


def join_spans(spans: Iterable[tuple[Seconds, Seconds]]) -> tuple[tuple[Seconds, Seconds], ...]:
    """Return stretches of time in order, those that overlap or touch as one."""
    joined: list[tuple[Seconds, Seconds]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)
