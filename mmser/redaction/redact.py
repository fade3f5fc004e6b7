"""Personal data that is spoken → out of the turns of a call.

Recall comes first: any run of seven digits or more goes, whatever it is, unless it is plainly a date, a
time, an amount or a list of years. What stays is what ordinary talk is made of.
"""

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mmser.redaction import card_details, marking
from mmser.redaction.cards import find_cards, find_phones
from mmser.redaction.dates import birth_cues, find_birth_dates
from mmser.redaction.emails import find_emails
from mmser.redaction.findings import Finding, merge
from mmser.redaction.ibans import find_ibans
from mmser.redaction.numbers import find_numbers, find_runs
from mmser.redaction.patterns import KINDS, Pattern, find_patterns
from mmser.redaction.running_text import RunningText, read_turn, running_texts
from mmser.types import Seconds, Turn


@dataclass(frozen=True, kw_only=True)
class Redacted:
    """A call without what was taken out of it."""

    turns: tuple[Turn, ...]
    counts: dict[
        str, int
    ]  # kind, or the name of the user's pattern → how many were taken out; only those > 0
    spans: tuple[tuple[Seconds, Seconds], ...]  # when they are spoken: in order, apart, with a margin


def redact_turns(turns: Sequence[Turn], patterns: Sequence[Pattern] = ()) -> Redacted:
    """Take card numbers, IBANs, phone numbers, e-mail addresses and dates of birth out of a call.

    Each gives way to a mark such as `[card]`, in the text and in the words; a turn without any is returned
    as it is. Redacting the result again changes nothing.

    Args:
        turns: the call's, in order, of all speakers: questions say what the answers are.
        patterns: what else to take out; see `parse_patterns`.

    Raises:
        UsageError: if a pattern takes too long.
    """
    names = sorted({*KINDS, *(pattern.name for pattern in patterns)}, key=len, reverse=True)
    marks = re.compile(rf"\[(?:{'|'.join(map(re.escape, names))})\]")
    counts: Counter[str] = Counter()
    spans: list[tuple[Seconds, Seconds]] = []
    current = tuple(turns)
    while True:
        # Again until nothing is found: a pattern may match what only now stands side by side.
        found = _redact_once(current, patterns, marks)
        if not found.counts:
            break
        current = found.turns
        counts.update(found.counts)
        spans += found.spans
    order = [*KINDS, *(pattern.name for pattern in patterns)]
    return Redacted(
        turns=current,
        counts={kind: counts[kind] for kind in order if counts[kind]},
        spans=marking.join_spans(spans),
    )


def _redact_once(turns: tuple[Turn, ...], patterns: Sequence[Pattern], marks: re.Pattern[str]) -> Redacted:
    """Search the words, and besides the text of turns whose text is not made of their words."""
    redacted = _redact_by(turns, patterns, marks, words_first=True)
    parts = (read_turn(index, turn) for index, turn in enumerate(redacted.turns) if turn.words and turn.text)
    if all(part is None or part.aligned for part in parts):
        return redacted
    by_text = _redact_by(redacted.turns, patterns, marks, words_first=False)
    return Redacted(
        turns=by_text.turns,
        counts=Counter(redacted.counts) + Counter(by_text.counts),
        spans=(*redacted.spans, *by_text.spans),
    )


def _redact_by(
    turns: tuple[Turn, ...], patterns: Sequence[Pattern], marks: re.Pattern[str], *, words_first: bool
) -> Redacted:
    texts = running_texts(turns, marks, words_first=words_first)
    changed = list(turns)
    counts: Counter[str] = Counter()
    spans: list[tuple[Seconds, Seconds]] = []
    for text, findings in zip(texts, _find(texts, patterns), strict=True):
        merged = merge(findings)
        counts.update(finding.kind for finding in merged)
        for number, cuts in marking.cuts_of(text, merged).items():
            part = text.parts[number]
            changed[part.index] = marking.cut_turn(part, cuts)
            spans += marking.spoken_spans(part, cuts)
    return Redacted(turns=tuple(changed), counts=dict(counts), spans=tuple(spans))


def _find(texts: Sequence[RunningText], patterns: Sequence[Pattern]) -> list[list[Finding]]:
    """Return what is found in each running text of a call; findings may overlap."""
    numbers = [find_numbers(text.plain, text.tokens) for text in texts]
    runs = [find_runs(text.tokens, ones) for text, ones in zip(texts, numbers, strict=True)]
    births = birth_cues(texts)
    codes = card_details.cue_turns(texts, card_details.CODE_CUE)
    beside = card_details.cue_turns(texts, card_details.CODE_BESIDE_CARD)
    expiries = card_details.cue_turns(texts, card_details.EXPIRY_CUE)
    cards = [find_cards(text, ones) for text, ones in zip(texts, runs, strict=True)]
    card_turns = {
        text.turn_at(start)
        for text, found in zip(texts, cards, strict=True)
        for start, _ in itertools.chain.from_iterable(card.pieces for card in found)
    }
    everything = []
    for text, ones, in_runs, found in zip(texts, numbers, runs, cards, strict=True):
        by_token = {number.first: number for number in ones}
        everything.append(
            [
                *found,
                *card_details.find_codes(text, in_runs, codes, beside, card_turns),
                *card_details.find_expiries(text, in_runs, expiries, card_turns),
                *find_ibans(text, by_token),
                *find_emails(text),
                *find_birth_dates(text, by_token, in_runs, births),
                *find_patterns(text, patterns),
                *find_phones(text, in_runs),
            ]
        )
    return everything
