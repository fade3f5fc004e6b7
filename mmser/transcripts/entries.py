"""What a reader hands over, and how it becomes turns: checked, ordered, numbered."""

import dataclasses
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from mmser.errors import TranscriptError
from mmser.labels import Role
from mmser.transcripts.names import role_of
from mmser.types import Seconds, Times, Transcript, Turn, Word

MAX_PAUSE: Seconds = 1.5  # a longer silence ends a turn, where the file itself gives no segments
MAX_UNNAMED_PAUSE: Seconds = 0.5  # the same where nobody is named: another may speak after it
SPOKEN_WORDS_PER_SECOND = 2.5  # places an end that the file does not state
OVERLAP_TOLERANCE: Seconds = 0.02  # rounding in "offset + duration", not people talking at once
MAX_TIME: Seconds = 1e7  # 115 days: beyond, the numbers are not seconds of a call

_SENTENCE_END: Final = re.compile(r"[.?!…。？！][\"'”’»)\]]*$")
_ABBREVIATION: Final = re.compile(r"(?:[^\W\d]\.)+|(?:mrs?|ms|dr|st|vs|prof|[sj]r|nr)\.", re.IGNORECASE)


@dataclass(kw_only=True, slots=True)
class Entry:
    """One stretch of speech as the file gives it; `where` names it in errors ("line 12")."""

    where: str
    start: Seconds | None = None
    end: Seconds | None = None
    speaker: str | None = None
    channel: int | None = None
    role: Role | None = None  # only where the file states it; else the speaker's name decides
    text: str | None = None  # None = taken from the words; stays None where the file has no words
    words: Sequence[Word] = ()


@dataclass(kw_only=True)
class Parsed:
    """A transcript as one reader understood it."""

    format: str
    entries: list[Entry]
    language: str | None = None
    num_channels: int = 1  # that the file says it transcribed apart; 1 also where it does not say
    spoken_only: bool = False  # who spoke when, without words (RTTM): no text is no defect
    file_order: bool = True  # the file promises order, so that disorder deserves a warning
    warnings: list[str] = field(default_factory=list)


@dataclass(kw_only=True, slots=True)
class Token:
    """One word with whom it belongs to; `pause` may end a turn before it."""

    word: Word
    speaker: str | None = None
    channel: int | None = None
    segment: int | None = None  # the file's own segment, where it gives one


def channels_told(entries: Iterable[Entry]) -> int:
    """Return how many channels a file has at least, where its first is known to be 0: "1" tells of two."""
    return 1 + max((entry.channel or 0 for entry in entries), default=0)


def join_words(words: Iterable[Word]) -> str:
    """Return the words as running text."""
    return " ".join(word.text.strip() for word in words if word.text.strip())


def attach_punctuation(word: Word, mark: str) -> Word:
    """Return `word` with a punctuation mark that the file lists apart from it."""
    return dataclasses.replace(word, text=word.text + mark.strip())


def entries_from_tokens(tokens: Iterable[Token], where: str) -> list[Entry]:
    """Join consecutive words of one speaker into entries.

    The file's own segments are kept; where it gives none, a pause over `MAX_PAUSE` ends an entry. Words
    of nobody may be of several people, so there a sentence or a pause over `MAX_UNNAMED_PAUSE` ends it too.
    """
    entries: list[Entry] = []
    group: list[Token] = []
    for token in tokens:
        if group and _breaks(group[-1], token):
            entries.append(_entry(group, f"{where}, turn {len(entries) + 1}"))
            group = []
        group.append(token)
    if group:
        entries.append(_entry(group, f"{where}, turn {len(entries) + 1}"))
    return entries


def _breaks(before: Token, after: Token) -> bool:
    if (before.speaker, before.channel, before.segment) != (after.speaker, after.channel, after.segment):
        return True
    unnamed = after.speaker is None and after.channel is None
    if unnamed and _ends_sentence(before.word.text):
        return True
    if after.segment is not None or before.word.end is None or after.word.start is None:
        return False
    return after.word.start - before.word.end > (MAX_UNNAMED_PAUSE if unnamed else MAX_PAUSE)


def _ends_sentence(text: str) -> bool:
    return _SENTENCE_END.search(text) is not None and _ABBREVIATION.fullmatch(text) is None


def _entry(group: list[Token], where: str) -> Entry:
    start, end = span(token.word for token in group)
    return Entry(
        where=where,
        start=start,
        end=end,
        speaker=group[0].speaker,
        channel=group[0].channel,
        words=tuple(token.word for token in group),
    )


def split_by_speaker(entry: Entry, speakers: Sequence[str | None]) -> list[Entry]:
    """Split a segment whose words belong to several speakers; `speakers` has one name per word."""
    if len(set(speakers)) <= 1:
        return [entry]
    tokens = [
        Token(word=word, speaker=speaker, channel=entry.channel, segment=0)
        for word, speaker in zip(entry.words, speakers, strict=True)
    ]
    return entries_from_tokens(tokens, entry.where)


def span(words: Iterable[Word]) -> tuple[Seconds | None, Seconds | None]:
    """Return the first start and last end among words, None where no word has a time."""
    timed = [word for word in words if word.start is not None and word.end is not None]
    starts = [word.start for word in timed if word.start is not None]
    ends = [word.end for word in timed if word.end is not None]
    return (min(starts), max(ends)) if timed else (None, None)


def transcript_from(parsed: Parsed, language: str | None = None) -> Transcript:
    """Check a reader's entries and return them as turns in order of start.

    Raises:
        TranscriptError: if nothing is left, or a time is negative, not finite, after its end, or
            missing where other entries have one.
    """
    warnings = list(parsed.warnings)
    entries = [_complete(entry) for entry in parsed.entries]
    kept = entries if parsed.spoken_only else [entry for entry in entries if entry.text]
    if len(kept) < len(entries):
        warnings.append(f"{count(len(entries) - len(kept), 'empty turn')} left out")
    if not kept:
        raise TranscriptError("it holds no spoken words; a transcript needs at least one turn with text")
    if parsed.num_channels == 1:
        _drop_lone_channel(kept)
    times = _check_times(kept)
    estimated = _fill_ends(kept) if times == "given" else set()
    if estimated:
        times = "estimated"
        warnings.append(f"the end of {count(len(estimated), 'turn')} is not stated and was estimated")
    if times != "none":
        if parsed.file_order:
            warnings += _order_warnings(kept)
        kept.sort(key=lambda entry: (entry.start or 0.0, entry.end or 0.0))
    overlapping, overlap_warnings = find_overlaps(kept)
    turns = tuple(
        _turn(
            entry,
            index,
            ("times_estimated",) * (id(entry) in estimated) + ("overlap",) * (index in overlapping),
        )
        for index, entry in enumerate(kept)
    )
    return Transcript(
        turns=turns,
        format=parsed.format,
        times=times,
        language=language or parsed.language,
        warnings=(*warnings, *overlap_warnings),
    )


def _complete(entry: Entry) -> Entry:
    if entry.text is None and entry.words:
        entry.text = join_words(entry.words)
    if entry.text is not None:
        entry.text = entry.text.strip() or None
    if entry.start is None and entry.end is None and entry.words:
        entry.start, entry.end = span(entry.words)
    return entry


def _drop_lone_channel(entries: list[Entry]) -> None:
    """Forget a channel that every entry shares: it is the mix, and says nothing of who is who."""
    if len({entry.channel for entry in entries}) == 1:
        for entry in entries:
            entry.channel = None


def _check_times(entries: list[Entry]) -> Times:
    without = [entry for entry in entries if entry.start is None]
    if len(without) == len(entries) and all(entry.end is None for entry in entries):
        return "none"
    if without:
        raise TranscriptError(
            f"{without[0].where}: this turn has no start time, though other turns have one; "
            f"give every turn a time, or none"
        )
    for entry in entries:
        check_span(entry.start, entry.end, entry.where)
        for word in entry.words:
            check_span(word.start, word.end, f"{entry.where}, word {word.text!r}")
    return "given"


def check_span(start: Seconds | None, end: Seconds | None, where: str) -> None:
    """Refuse times that no recording can have.

    Raises:
        TranscriptError: if a time is negative, not finite or too large, or the end is before the start.
    """
    for name, value in (("start", start), ("end", end)):
        if value is not None and not 0 <= value <= MAX_TIME:  # NaN fails this too
            kind = "negative" if value < 0 else "not finite" if not math.isfinite(value) else "too large"
            raise TranscriptError(f"{where}: the {name} time {value} is {kind}; give seconds from 0 up")
    if start is not None and end is not None and end < start:
        raise TranscriptError(f"{where}: it ends at {end} s, before it starts at {start} s")


def _fill_ends(entries: list[Entry]) -> set[int]:
    """Estimate missing ends from the next start and the number of words; return those entries' ids."""
    estimated: set[int] = set()
    ordered = sorted(entries, key=lambda entry: entry.start or 0.0)
    for entry, after in zip(ordered, [*ordered[1:], None], strict=True):
        if entry.end is not None or entry.start is None:
            continue
        spoken = max(1.0, len((entry.text or "").split()) / SPOKEN_WORDS_PER_SECOND)
        entry.end = entry.start + spoken
        if after is not None and after.start is not None and after.start > entry.start:
            entry.end = min(entry.end, after.start)
        estimated.add(id(entry))
    return estimated


def _order_warnings(entries: list[Entry]) -> list[str]:
    latest, early = 0.0, 0
    for entry in entries:
        early += (entry.start or 0.0) < latest
        latest = max(latest, entry.start or 0.0)
    if not early:
        return []
    return [f"{count(early, 'turn')} stood out of order and were sorted by start time"]


def _turn(entry: Entry, index: int, flags: tuple[str, ...]) -> Turn:
    return Turn(
        id=f"t{index + 1}",
        start=entry.start,
        end=entry.end,
        channel=entry.channel,
        speaker=entry.speaker,
        role=entry.role or role_of(entry.speaker),
        text=entry.text,
        words=tuple(entry.words),
        flags=flags,
    )


def flag_overlaps(turns: tuple[Turn, ...]) -> tuple[tuple[Turn, ...], list[str]]:
    """Flag turns, in order of start, during which another turn runs; see `find_overlaps`."""
    overlapping, warnings = find_overlaps(turns)
    flagged = tuple(
        dataclasses.replace(turn, flags=(*turn.flags, "overlap"))
        if index in overlapping and "overlap" not in turn.flags
        else turn
        for index, turn in enumerate(turns)
    )
    return flagged, warnings


def find_overlaps(stretches: Sequence[Entry] | Sequence[Turn]) -> tuple[set[int], list[str]]:
    """Return the indices of stretches, in order of start, that overlap; warn of impossible ones.

    Two people who talk at once are part of a call; one person who talks twice at once is a defect.
    """
    everyone = _overlapping(stretches, range(len(stretches)))
    by_speaker: dict[tuple[str | None, int | None], list[int]] = {}
    for index in sorted(everyone):
        by_speaker.setdefault((stretches[index].speaker, stretches[index].channel), []).append(index)
    same = sum(len(_overlapping(stretches, indices)) for indices in by_speaker.values())
    return everyone, [f"{count(same, 'turn')} overlap with another turn of the same speaker"] if same else []


def _overlapping(stretches: Sequence[Entry] | Sequence[Turn], indices: Sequence[int]) -> set[int]:
    """Return the indices that overlap another one; one sweep, so long calls stay cheap."""
    found: set[int] = set()
    latest_end, latest = -math.inf, -1
    for index in indices:
        start, end = stretches[index].start, stretches[index].end
        if start is None or end is None:
            continue
        if start < latest_end - OVERLAP_TOLERANCE and end - start > OVERLAP_TOLERANCE:
            found |= {index, latest}
        if end > latest_end:
            latest_end, latest = end, index
    return found


def count(number: int, noun: str) -> str:
    """Return "1 turn" or "3 turns"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
