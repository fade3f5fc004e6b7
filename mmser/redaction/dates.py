"""Dates of birth: full dates of the past, and any date beside the words that ask for one of birth."""

import bisect
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final, NamedTuple

from mmser.redaction.findings import Finding
from mmser.redaction.month_names import MONTHS, ORDINALS
from mmser.redaction.numbers import HESITATIONS, Number, Run
from mmser.redaction.numerals import ANDS, THOUSAND, word_set
from mmser.redaction.running_text import BARRIER, RunningText, Token

BIRTH_YEARS: Final = range(1900, 2011)  # a full date with such a year is taken without a cue
NEAR_CUE = 6  # words between a cue and a date without a year
_YEARS: Final = range(1900, 2100)
_ASKS_IN: Final = 2  # turns after a cue in which a date is one of birth

# On text with its accents: "né" is born, "ne" is not.
CUE: Final = re.compile(
    r"\b(?:birth\W?(?:date|day)|d\.?\s?o\.?\s?b|born|geburtsdatum|geburtstag|geboren"
    r"|née?|naissance|anniversaire"
    r"|nacimiento|nac[íi]|nacid[oa]s?|cumpleaños|birth)\b",
    re.IGNORECASE,
)

_SEPARATORS: Final = HESITATIONS | word_set(
    ". , / - ' ’ of the de del du le el den der dem des am in and year dash slash on"
)
_AFTER_DAY: Final = word_set("st nd rd th er ere re te ten ter º ª °")
_GERMAN_YEAR: Final = re.compile(r"(?:neunzehnhundert|zweitausend)(?:und)?[a-zß]*")


@dataclass(frozen=True, kw_only=True)
class BirthCues:
    """Which turns of a call speak of a birth."""

    near: Set[int]  # turns with a cue, and the two after each
    asked: Set[int]  # turns right after one with a cue


class _Date(NamedTuple):
    first: int  # token
    behind: int  # token
    year: int | None  # below 100 where it is said in two digits
    loose: bool  # bare numbers with words between: "2 of the 3 in 2005"


def birth_cues(texts: Sequence[RunningText]) -> BirthCues:
    """Return where cues for a date of birth stand."""
    turns = {text.turn_at(cue.start()) for text in texts for cue in CUE.finditer(text.letters)}
    near = {turn + step for turn in turns for step in range(_ASKS_IN + 1)}
    return BirthCues(near=near, asked={turn + 1 for turn in turns} - turns)


def find_birth_dates(
    text: RunningText, numbers: Mapping[int, Number], runs: Sequence[Run], cues: BirthCues
) -> list[Finding]:
    """Return dates of birth.

    Args:
        text: where to look.
        numbers: its numbers by their first token.
        runs: the same in runs.
        cues: the call's.
    """
    reader = _DateReader(text.tokens, numbers)
    spoken_of = [cue.span() for cue in CUE.finditer(text.letters)]
    found, place = [], 0
    while place < len(text.tokens):
        date = reader.date_at(place) if place in numbers or text.tokens[place].text in _BEGINS else None
        if date is not None and _of_birth(text, date, cues, spoken_of):
            start, end = text.tokens[date.first].start, text.tokens[date.behind - 1].end
            found.append(Finding("birth_date", ((start, end),)))
            place = date.behind
        else:
            place += 1
    return found + _in_one_number(text, runs, cues)


_BEGINS: Final = MONTHS.keys() | ORDINALS.keys()


def _of_birth(text: RunningText, date: _Date, cues: BirthCues, spoken_of: Sequence[tuple[int, int]]) -> bool:
    start, end = text.tokens[date.first].start, text.tokens[date.behind - 1].end
    turns = range(text.turn_at(start), text.turn_at(end - 1) + 1)
    if date.year is not None:
        alone = date.year in BIRTH_YEARS and not date.loose
        return alone or any(turn in cues.near for turn in turns)
    if turns[0] in cues.asked:
        begins = text.starts[text.part_at(start)]
        if _words(text.plain[begins:start]) <= NEAR_CUE:
            return True
    return any(
        _words(text.plain[behind:start]) <= NEAR_CUE
        if behind <= start
        else _words(text.plain[end:before]) <= 3
        for before, behind in _around(spoken_of, start - 200, end + 200)
    )


def _around(places: Sequence[tuple[int, int]], low: int, high: int) -> Sequence[tuple[int, int]]:
    return places[bisect.bisect_left(places, (low, 0)) : bisect.bisect_right(places, (high, 0))]


def _words(text: str) -> int:
    """Count words; what was redacted before is farther away than any."""
    return len(text.split()) if BARRIER not in text else NEAR_CUE + 1


def _in_one_number(text: RunningText, runs: Sequence[Run], cues: BirthCues) -> list[Finding]:
    """Return dates in digits without separators, 030485 or "oh three oh four eight five", near a cue."""
    found = []
    for run in runs:
        places = tuple((text.tokens[n.first].start, text.tokens[n.last].end) for n in run.numbers)
        near = len(run.digits) in (6, 8) and text.turn_at(places[0][0]) in cues.near
        counted = any(number.flag in ("money", "time", "amount") for number in run.numbers)
        if near and not counted and _is_date(run.digits):
            found.append(Finding("birth_date", places))
    return found


def _is_date(digits: str) -> bool:
    """Tell whether 6 digits, or 8 with a year of four, are a day, a month and a year in some usual order."""
    if len(digits) == 8 and int(digits[4:]) in _YEARS:
        return _day_and_month(int(digits[:2]), int(digits[2:4]))
    if len(digits) == 8:
        return int(digits[:4]) in _YEARS and _day_and_month(int(digits[4:6]), int(digits[6:]))
    first, second, third = int(digits[:2]), int(digits[2:4]), int(digits[4:])
    return _day_and_month(first, second) or (1 <= second <= 12 and 1 <= third <= 31)


def _day_and_month(one: int, other: int) -> bool:
    return 1 <= min(one, other) <= 12 and 1 <= max(one, other) <= 31


class _DateReader:
    """Reads dates off tokens: each method returns (value, token behind it) or None."""

    def __init__(self, tokens: Sequence[Token], numbers: Mapping[int, Number]) -> None:
        self.tokens = tokens
        self.numbers = numbers

    def date_at(self, place: int) -> _Date | None:
        """Return the date that begins at a token, with its year where it has one."""
        if not self._may_begin(place):
            return None
        for order in ("dmy", "mdy", "ymd", "dm", "md"):
            date = self._in_order(place, order)
            if date is not None:
                return date
        return None

    def _may_begin(self, place: int) -> bool:
        """Tell at a glance whether a second part of a date follows."""
        number = self.numbers.get(place)
        if number is not None and number.digits == "0":
            return True
        behind = place + 1 if number is None else number.last + 1
        behind += self._word(behind) in _AFTER_DAY
        after = self._over_separators(behind)
        return after in self.numbers or self._word(after) in _BEGINS or self._word(after) in THOUSAND

    def _in_order(self, place: int, order: str) -> _Date | None:
        readers = {"d": self._day, "m": self._month, "y": self._year}
        first, year = place, None
        bare, words_between = True, False  # whether day and month are numbers; whether words part them
        for number, part in enumerate(order):
            if number:
                after = self._over_separators(place)
                words_between |= any(self._word(i).isalpha() for i in range(place, after))
                place = after
            read = readers[part](place)
            if read is None:
                return None
            bare = bare and (part == "y" or place in self.numbers)
            year = read[0] if part == "y" else year
            place = read[1]
        if order == "ymd" and (year is None or year < 100 or not self._written(first)):
            return None
        if year is None and bare:  # "20 minutes, 3 …": without a year only a word makes a date
            return None
        return _Date(first, place, year, bare and words_between)

    def _word(self, place: int) -> str:
        return self.tokens[place].text if place < len(self.tokens) else ""

    def _written(self, place: int) -> bool:
        return place in self.numbers and self.numbers[place].written

    def _over_separators(self, place: int) -> int:
        limit = place + 4
        while place < limit and self._word(place) in _SEPARATORS and place not in self.numbers:
            place += 1
        return place

    def _small(self, place: int, most: int) -> tuple[int, int] | None:
        """Return a number from 1 to `most` and what follows it; "oh three" is 3."""
        number = self.numbers.get(place)
        if number is not None and number.digits == "0" and not number.written:
            place = number.last + 1
            number = self.numbers.get(place)
        if number is None or len(number.digits) > 2 or not 1 <= int(number.digits) <= most:
            return None
        return int(number.digits), number.last + 1

    def _day(self, place: int) -> tuple[int, int] | None:
        word = self._word(place)
        if word in ORDINALS:
            return ORDINALS[word], place + 1
        read = self._small(place, 31)
        if read is None:
            return None
        value, behind = read
        hyphen = behind + (self._word(behind) == "-")
        if value in (20, 30) and not self._written(place) and ORDINALS.get(self._word(hyphen), 10) < 10:
            return value + ORDINALS[self._word(hyphen)], hyphen + 1  # "twenty third"
        return value, behind + (self._word(behind) in _AFTER_DAY)

    def _month(self, place: int) -> tuple[int, int] | None:
        word = self._word(place)
        if word in MONTHS:
            return MONTHS[word], place + 1
        if word in ORDINALS and ORDINALS[word] <= 12:
            return ORDINALS[word], place + 1  # "the third of the fourth"
        return self._small(place, 12)

    def _year(self, place: int) -> tuple[int, int] | None:
        """Return a year of four digits, or of two as that of 1900 to 1999; spoken ones too."""
        word = self._word(place)
        if _GERMAN_YEAR.fullmatch(word):
            return 1900 if word.startswith("neun") else 2000, place + 1
        spoken = self._thousands(place)
        if spoken is not None:
            return spoken
        number = self.numbers.get(place)
        if number is None:
            return None
        behind = number.last + 1
        if len(number.digits) == 4 and int(number.digits) in _YEARS:
            return int(number.digits), behind
        if len(number.digits) != 2:
            return self._small_year(place)
        if number.digits in ("19", "20"):  # "nineteen eighty five", "nineteen oh five", "19 85"
            second = self._two_digits(behind + (self._word(behind) == "-"))
            if second is not None:
                return 100 * int(number.digits) + second[0], second[1]
        return (int(number.digits), behind) if number.flag in ("", "date") else None

    def _small_year(self, place: int) -> tuple[int, int] | None:
        """Return "oh five" or "eight five" as 5 or 85, "one nine eight five" as 1985."""
        behind = [place]  # each digit in turn
        digits = ""
        while len(digits) < 4 and (number := self.numbers.get(behind[-1])) and len(number.digits) == 1:
            digits += number.digits
            behind.append(number.last + 1)
        if len(digits) == 4 and int(digits) in _YEARS:
            return int(digits), behind[4]
        return (int(digits[:2]), behind[2]) if len(digits) >= 2 else None

    def _two_digits(self, place: int) -> tuple[int, int] | None:
        number = self.numbers.get(place)
        if number is None:
            return None
        if len(number.digits) == 2:
            return int(number.digits), number.last + 1
        after = self.numbers.get(number.last + 1)
        if len(number.digits) == 1 and after is not None and len(after.digits) == 1:
            return int(number.digits + after.digits), after.last + 1
        return None

    def _thousands(self, place: int) -> tuple[int, int] | None:
        """Return "two thousand and five", "mil novecientos ochenta y cinco", "mille neuf cent cinq"."""
        number = self.numbers.get(place)
        if number is not None and number.digits in ("1", "2") and self._word(number.last + 1) in THOUSAND:
            year, place = 1000 * int(number.digits), number.last + 2
        elif self._word(place) in ("mil", "mille"):
            year, place = 1000, place + 1
        else:
            return None
        if self._word(place) == "novecientos":
            year, place = 1900, place + 1
        place += self._word(place) in ANDS
        more = self.numbers.get(place)
        if more is not None and len(more.digits) <= 3 and year + int(more.digits) in _YEARS:
            return year + int(more.digits), more.last + 1
        return (year, place) if year in _YEARS else None
