"""What is asked for beside a card number: its security code and when it expires."""

import bisect
import re
from collections.abc import Callable, Sequence, Set
from typing import Final

from mmser.redaction.cards import by_turn, pieces
from mmser.redaction.findings import Finding
from mmser.redaction.month_names import MONTHS
from mmser.redaction.numbers import Run
from mmser.redaction.running_text import BARRIER, RunningText

NEAR_CUE = 8  # words between a cue and the digits it announces
ANSWERS_IN = 2  # turns after a cue in which they may be said
NEAR_CARD = 6  # turns around a card number in which an expiry date is one of a card
_NEAR_CHARACTERS = 200

CODE_CUE: Final = re.compile(
    r"\b(?:cvv|cvc|cvn|card verification|security (?:code|number|digits)"
    r"|(?:digits?|numbers?|code) on the back|(?:karten)?pr(?:u|ue)f(?:nummer|ziffern?)|sicherheitscode"
    r"|codigo de (?:seguridad|verificacion)|cryptogramme|code de securite)"
)
CODE_BESIDE_CARD: Final = re.compile(
    r"\b(?:code|codigo|kode)\b"
)  # beside a card number no other code is meant
EXPIRY_CUE: Final = re.compile(
    r"\b(?:expir\w*|exp|valid (?:un)?til|valid thr(?:u|ough)|valid to|good thru|gultig bis|lauft ab"
    r"|ablaufdatum|caduca|caducidad|vencimiento|vence|valable jusqu)\b"
)


def cue_turns(texts: Sequence[RunningText], cue: re.Pattern[str]) -> Set[int]:
    """Return the turns that follow one with the cue closely enough to answer it."""
    turns = {text.turn_at(found.start()) for text in texts for found in cue.finditer(text.plain)}
    return {turn + step for turn in turns for step in range(1, ANSWERS_IN + 1)}


def find_codes(
    text: RunningText, runs: Sequence[Run], asked: Set[int], asked_beside: Set[int], card_turns: Set[int]
) -> list[Finding]:
    """Return numbers of 3 or 4 digits after a cue in the same speech, or early in an answer to it.

    Args:
        text: where to look.
        runs: its numbers.
        asked: turns in which an answer to `CODE_CUE` may stand.
        asked_beside: turns in which an answer to `CODE_BESIDE_CARD` may stand.
        card_turns: turns that hold a card number; only near one a bare "code" is a card's.
    """
    found = [pieces(text.tokens, run.numbers) for run in _announced(text, runs, CODE_CUE, asked, _is_code)]
    for run in _announced(text, runs, CODE_BESIDE_CARD, asked_beside, _is_code):
        place = pieces(text.tokens, run.numbers)
        if _near_card(text.turn_at(place[0][0]), card_turns):
            found.append(place)
    return [Finding("card", place) for place in found]


def _near_card(turn: int, card_turns: Set[int]) -> bool:
    return any(near in card_turns for near in range(turn - NEAR_CARD, turn + NEAR_CARD + 1))


def find_expiries(
    text: RunningText, runs: Sequence[Run], asked: Set[int], card_turns: Set[int]
) -> list[Finding]:
    """Return months and years of expiry: 12/27, "oh nine twenty six", "December 2027".

    Args:
        text: where to look.
        runs: its numbers.
        asked: turns in which an answer to the cue may stand.
        card_turns: turns that hold a card number; without one near, an offer's end is no secret.
    """

    def is_expiry(run: Run) -> bool:
        return _month_before(text, run) is not None or _is_month_and_year(run)

    found = []
    for run in _announced(text, runs, EXPIRY_CUE, asked, is_expiry):
        month = _month_before(text, run)
        place = pieces(text.tokens, run.numbers)
        turn = text.turn_at(place[0][0])
        if _near_card(turn, card_turns):
            found.append(Finding("card", place if month is None else (month, *place)))
    return found


def _announced(
    text: RunningText,
    runs: Sequence[Run],
    cue: re.Pattern[str],
    asked: Set[int],
    wanted: Callable[[Run], bool],
) -> list[Run]:
    """Return the first wanted run within `NEAR_CUE` words of each cue and of the beginning of each answer."""
    apart = [one for run in runs for one in by_turn(text, run)]
    runs = sorted({*runs, *apart}, key=lambda run: (run.numbers[0].first, -len(run.numbers)))
    begins = [text.tokens[run.numbers[0].first].start for run in runs]
    places = [found.end() for found in cue.finditer(text.plain)]
    places += [start for part, start in zip(text.parts, text.starts, strict=True) if part.index in asked]
    found = set()
    for place in places:
        # The 2 of "cvv2" belongs to the cue.
        glued = place > 0 and not text.plain[place - 1].isspace()
        number = bisect.bisect_left(begins, place + glued)
        while number < len(runs) and _is_near(text.plain, place, begins[number]):
            if wanted(runs[number]):
                found.add(number)
                break
            number += 1
    return [runs[number] for number in sorted(found)]


def _is_near(plain: str, place: int, begin: int) -> bool:
    """Tell whether few words lie between two places, and nothing that was redacted before."""
    between = plain[place : min(begin, place + _NEAR_CHARACTERS)]
    words = sum(any(map(str.isalpha, word)) for word in between.split())
    return begin <= place + _NEAR_CHARACTERS and words <= NEAR_CUE and BARRIER not in between


def _is_code(run: Run) -> bool:
    return len(run.digits) in (3, 4) and not _flagged(run)


def _month_before(text: RunningText, run: Run) -> tuple[int, int] | None:
    """Return where the month stands right before a run that is a year."""
    first = run.numbers[0].first
    for place in range(max(first - 2, 0), first):
        if text.tokens[place].text in MONTHS and len(run.digits) in (2, 4):
            return text.tokens[place].start, text.tokens[place].end
    return None


def _is_month_and_year(run: Run) -> bool:
    digits = run.digits
    month = int(digits[: 1 if len(digits) in (3, 5) else 2])
    return 3 <= len(digits) <= 6 and 1 <= month <= 12 and not _flagged(run)


def _flagged(run: Run) -> bool:
    return any(number.flag in ("money", "time", "amount") for number in run.numbers)
