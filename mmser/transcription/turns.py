"""Words and speech → turns: joined over short pauses, cut where they grow long, back-channels apart."""

import bisect
import itertools
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mmser.labels import Role
from mmser.language import is_unspaced
from mmser.segmentation import numbered_turns
from mmser.speech import Speech
from mmser.talks import BACKCHANNEL, MAX_TURN, Talk, best_cut, find_talks, shortened
from mmser.transcription.word_times import middle
from mmser.types import Seconds, Turn, Word

DROPPED: Final = "words_dropped_"  # begins a flag that ends in why: "words_dropped_loop"
MAX_BACKCHANNEL_WORDS: Final = 3
SENTENCE_BONUS: Seconds = 0.5  # the end of a sentence is as good a place to cut as so much more silence
_SENTENCE_END: Final = re.compile(r"[.?!…。？！][\"'”’»)\]]*$")


@dataclass(frozen=True, kw_only=True)
class Line:
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


def build_turns(
    lines: Sequence[Line],
    speech: Mapping[int, Speech],
    words: Mapping[int, Sequence[Word]],
    dropped: Mapping[int, Sequence[Dropped]],
    language: str | None,
) -> tuple[Turn, ...]:
    """Return the turns of a call in order of start: their times are those of the speech that was heard.

    Speech in which nothing was recognised, or nothing that is believed, gives a turn without words.

    Args:
        lines: the parties; the keys below are their numbers.
        speech: stretches of each party, in seconds.
        words: of each party, with times, in order.
        dropped: phrases of each party that are not believed.
        language: ISO 639-1 code, which tells how words are joined.
    """
    turns = []
    by_line: defaultdict[int, list[Talk]] = defaultdict(list)
    for talk in find_talks(speech):
        by_line[talk.line].append(talk)
    for number, talks in by_line.items():
        dealt = _deal(words.get(number, ()), talks)
        why = _deal_dropped(dropped.get(number, ()), talks)
        for talk, spoken, reasons in zip(talks, dealt, why, strict=True):
            for start, end, part in _pieces(talk, spoken):
                flags = tuple(f for f in talk.flags(start, end) if f != BACKCHANNEL or _is_short(spoken))
                turns.append(
                    _turn(
                        lines[number], start, end, part, (*flags, *_flags_of(reasons, start, end)), language
                    )
                )
    return numbered_turns(turns)


def _turn(
    line: Line,
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
        channel=line.channel,
        speaker=line.speaker,
        role=line.role,
        text=("" if is_unspaced(language) else " ").join(word.text for word in words) or None,
        words=tuple(words),
        flags=flags,
    )


def _is_short(words: Sequence[Word]) -> bool:
    return len(words) <= MAX_BACKCHANNEL_WORDS


def _flags_of(dropped: Sequence[Dropped], start: Seconds, end: Seconds) -> Iterator[str]:
    reasons = dict.fromkeys(one.reason for one in dropped if one.start < end and one.end > start)
    return (DROPPED + reason.replace(" ", "_") for reason in reasons)


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
    """Yield (start, end, words) of the turns that a talk becomes; a short one stays whole."""
    if not words:
        for parts in shortened(talk.parts):
            yield parts[0][0], parts[-1][1], []
        return
    start = talk.start
    groups = list(_sentences(words, talk.start, talk.end))
    for group, after in itertools.zip_longest(groups, groups[1:]):
        end = talk.end if after is None else max(start, min(group[-1].end or start, talk.end))
        yield start, end, group
        start = end if after is None else min(max(end, after[0].start or end), talk.end)


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

    Where several speak at once it is that of the one whose the word before was.

    Args:
        items: (start, end) in seconds, in order.
        spoken: number of a speaker → stretches, as a diarization tells them.
    """
    stretches = sorted((s, e, number) for number, found in spoken.items() for s, e in found)
    starts = [stretch[0] for stretch in stretches]
    found: list[int] = []
    for start, end in items:
        time = (start + end) / 2
        after = bisect.bisect_right(starts, time)
        # Of few speakers hardly more than a handful speak at once.
        near = stretches[max(0, after - 16) : after + 1]
        inside = {number for s, e, number in near if s <= time <= e}
        if found and found[-1] in inside:
            found.append(found[-1])
        elif inside:
            found.append(next(number for s, e, number in reversed(near) if s <= time <= e))
        else:
            found.append(min(near, key=lambda one: max(one[0] - time, time - one[1]))[2])
    return found
