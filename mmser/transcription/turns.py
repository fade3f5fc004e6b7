"""Words and speech → turns: joined over short pauses, cut where they grow long, back-channels apart."""

import bisect
import itertools
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mmser.labels import Role
from mmser.language import is_unspaced
from mmser.segmentation import numbered_turns
from mmser.speech import Speech
from mmser.talks import BACKCHANNEL, DROPPED, MAX_TURN, UNRECOGNISED, Talk, best_cut, find_talks, shortened
from mmser.transcription.word_times import middle
from mmser.types import Seconds, Turn, Word

MAX_BACKCHANNEL_WORDS: Final = 3
MIN_WORDLESS: Seconds = 1.0  # of speech in which nothing was recognised, within a long talk
SENTENCE_BONUS: Seconds = 0.5  # the end of a sentence is as good a place to cut as so much more silence
_SENTENCE_END: Final = re.compile(r"[.?!…。？！][\"'”’»)\]]*$")


@dataclass(frozen=True, kw_only=True)
class Party:
    """One party: a channel, or a speaker on one."""

    channel: int
    speaker: str | None
    role: Role = "unknown"


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """A phrase that was not believed, in seconds."""

    start: Seconds
    end: Seconds
    reason: str
    words: tuple[Word, ...] = ()  # with times; in no output, but to be redacted with the sound


def build_turns(
    parties: Sequence[Party],
    speech: Mapping[int, Speech],
    words: Mapping[int, Sequence[Word]],
    dropped: Mapping[int, Sequence[Dropped]],
    language: str | None,
) -> tuple[Turn, ...]:
    """Return the turns of a call in order of start: their times are those of the speech that was heard.

    Speech in which nothing was recognised, or nothing that is believed, gives a turn without words.

    Args:
        parties: of the call; the keys below are their numbers.
        speech: stretches of each party, in seconds.
        words: of each party, with times, in order.
        dropped: phrases of each party that are not believed.
        language: ISO 639-1 code, which tells how words are joined.
    """
    turns = []
    by_party: defaultdict[int, list[Talk]] = defaultdict(list)
    for talk in find_talks(speech):
        by_party[talk.party].append(talk)
    for number, spoken in words.items():
        if spoken and number not in by_party:  # heard, but not as speech: no word is lost
            span = (spoken[0].start or 0.0, max(word.end or 0.0 for word in spoken))
            by_party[number].append(Talk(party=number, parts=(span,)))
    for number, talks in by_party.items():
        dealt = _deal(words.get(number, ()), talks)
        why = _deal_dropped(dropped.get(number, ()), talks)
        for talk, spoken, reasons in zip(talks, dealt, why, strict=True):
            for start, end, part in _pieces(talk, spoken):
                flags = [f for f in talk.flags(start, end) if f != BACKCHANNEL or _is_short(spoken)]
                flags += _flags_of(reasons, start, end) or ([] if part else [UNRECOGNISED])
                turns.append(_turn(parties[number], start, end, part, tuple(flags), language))
    return numbered_turns(turns)


def _turn(
    party: Party,
    start: Seconds,
    end: Seconds,
    words: Sequence[Word],
    flags: tuple[str, ...],
    language: str | None,
) -> Turn:
    return Turn(
        id="",
        start=start,
        end=end,
        channel=party.channel,
        speaker=party.speaker,
        role=party.role,
        text=_joined([word.text for word in words], unspaced=is_unspaced(language)) or None,
        words=tuple(_tidy(word, start, end) for word in words),
        flags=flags,
    )


def _tidy(word: Word, start: Seconds, end: Seconds) -> Word:
    """Return a word with what it says to the millisecond, and within the turn that it overlaps."""
    assert word.start is not None and word.end is not None
    begin, stop = word.start, word.end
    if begin < end and stop > start:
        begin, stop = max(begin, start), min(stop, end)
    sure = None if word.confidence is None else round(word.confidence, 4)
    return replace(word, start=round(begin, 3), end=round(stop, 3), confidence=sure)


def _joined(texts: Sequence[str], *, unspaced: bool) -> str:
    """Return words as running text; "iPhone Pro" keeps its blank in Japanese too."""
    if not unspaced:
        return " ".join(texts)
    made = ""
    for text in texts:
        latin = (made[-1:] + text[:1]).isascii() and made[-1:].isalnum() and text[:1].isalnum()
        made += f" {text}" if latin else text
    return made


def _is_short(words: Sequence[Word]) -> bool:
    return len(words) <= MAX_BACKCHANNEL_WORDS


def _flags_of(dropped: Sequence[Dropped], start: Seconds, end: Seconds) -> list[str]:
    reasons = dict.fromkeys(one.reason for one in dropped if one.start < end and one.end > start)
    return [DROPPED + reason.replace(" ", "_") for reason in reasons]


def _deal(words: Sequence[Word], talks: Sequence[Talk]) -> list[list[Word]]:
    """Give each word to the talk that its middle lies in, or is nearest to."""
    dealt: list[list[Word]] = [[] for _ in talks]
    for word in words:
        dealt[_nearest(middle(word), talks)].append(word)
    return dealt


def _deal_dropped(dropped: Sequence[Dropped], talks: Sequence[Talk]) -> list[list[Dropped]]:
    """Give each phrase to every talk that it touches."""
    dealt: list[list[Dropped]] = [[] for _ in talks]
    for one in dropped:
        index = bisect.bisect_right(talks, one.start, key=lambda talk: talk.end)
        while index < len(talks) and talks[index].start < one.end:
            dealt[index].append(one)
            index += 1
    return dealt


def _nearest(time: Seconds, talks: Sequence[Talk]) -> int:
    after = bisect.bisect_right(talks, time, key=lambda talk: talk.start)
    near = range(max(0, after - 1), min(len(talks), after + 1))
    return min(near, key=lambda index: max(talks[index].start - time, time - talks[index].end))


def _pieces(talk: Talk, words: list[Word]) -> Iterator[tuple[Seconds, Seconds, list[Word]]]:
    """Yield (start, end, words) of the turns that a talk becomes; a short one stays whole.

    Of a long one, speech between its words of `MIN_WORDLESS` seconds or more is a turn without words.
    """
    if not words:
        for parts in shortened(talk.parts):
            yield parts[0][0], parts[-1][1], []
        return
    if talk.end - talk.start <= MAX_TURN:
        yield talk.start, talk.end, words
        return
    groups = list(_sentences(words, talk.start, talk.end))
    spans = _spans_of(groups, talk)
    rests = list(_uncovered(talk.parts, spans))
    pieces = [(*span, group) for span, group in zip(spans, groups, strict=True)]
    for start, end in rests:
        if end - start >= MIN_WORDLESS:
            pieces += [(parts[0][0], parts[-1][1], []) for parts in shortened([(start, end)])]
    pieces.sort(key=lambda piece: piece[:2])
    for start, end in rests:
        if end - start < MIN_WORDLESS:  # it goes with what is before it, else with what follows
            near = max((i for i, piece in enumerate(pieces) if piece[1] <= start), default=0)
            first, last, group = pieces[near]
            pieces[near] = (min(first, start), max(last, end), group)
    yield from pieces


def _spans_of(groups: Sequence[Sequence[Word]], talk: Talk) -> list[tuple[Seconds, Seconds]]:
    """Return when each group of words is said: in order, apart, and within the talk."""
    spans: list[tuple[Seconds, Seconds]] = []
    for group in groups:
        earliest = spans[-1][1] if spans else talk.start
        start = min(max(group[0].start or 0.0, earliest), talk.end)
        spans.append((start, min(max(group[-1].end or 0.0, start), talk.end)))
    return spans


def _uncovered(parts: Speech, spans: Speech) -> Iterator[tuple[Seconds, Seconds]]:
    """Yield what of the parts lies in none of the spans; both are in order and apart."""
    for start, end in parts:
        for begin, stop in spans:
            if begin < end and stop > start:
                if begin > start:
                    yield start, begin
                start = max(start, stop)
        if end > start:
            yield start, end


def _sentences(words: list[Word], start: Seconds, end: Seconds) -> Iterator[list[Word]]:
    """Cut words over more than `MAX_TURN` seconds in two, where a sentence ends or a pause is wide."""
    if end - start <= MAX_TURN or len(words) < 2:
        yield words
        return
    places = [
        (
            before.end or start,
            after.start or start,
            SENTENCE_BONUS if _SENTENCE_END.search(before.text) else 0.0,
        )
        for before, after in itertools.pairwise(words)
    ]
    cut = best_cut(places, start, end)
    left, right, _ = places[cut]
    yield from _sentences(words[: cut + 1], start, left)
    yield from _sentences(words[cut + 1 :], right, end)


# --- speakers on one channel -------------------------------------------------------------------------------


def deal_to_speakers(items: Sequence[tuple[Seconds, Seconds]], spoken: Mapping[int, Speech]) -> list[int]:
    """Return whose each word (or phrase) is: of who speaks at its middle, or else is nearest to it.

    Where several speak at once it is that of the one whose the word before was, else of who began last.

    Args:
        items: (start, end) in seconds, in order.
        spoken: number of a speaker → stretches in order and apart, as a diarization tells them.
    """
    found: list[int] = []
    for start, end in items:
        time = (start + end) / 2
        near = {
            number: _nearest_stretch(stretches, time) for number, stretches in spoken.items() if stretches
        }
        inside = [number for number, (begin, stop) in near.items() if begin <= time <= stop]
        if found and found[-1] in inside:
            found.append(found[-1])
        elif inside:
            found.append(max(inside, key=lambda number: near[number][0]))
        else:
            found.append(min(near, key=lambda number: _distance(near[number], time)))
    return found


def _nearest_stretch(stretches: Speech, time: Seconds) -> tuple[float, float]:
    """Return the one of ordered, separate stretches that a moment lies in, or is nearest to."""
    after = bisect.bisect_right(stretches, time, key=lambda stretch: stretch[0])
    return min(stretches[max(0, after - 1) : after + 1], key=lambda stretch: _distance(stretch, time))


def _distance(stretch: tuple[float, float], time: Seconds) -> Seconds:
    return max(stretch[0] - time, time - stretch[1], 0.0)
