"""Numbers in a running text, written or spoken, and the runs of them that may be read out as one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from mmser.redaction.numerals import ANDS, HUNDRED, NUMERALS, ROMANCE_AND, TENS, TIMES, UNITS, word_set
from mmser.redaction.running_text import Token

# Marks that may stand between the digits of one number. Not among them: "%", "$", "€" and the like, and "="
# or "[", so that prices and shares are no run.
_BRIDGING_MARKS: Final = frozenset("-.,/\\()+:;'\"’‘“”`´_*#·•|~…!?–—¿¡")
HESITATIONS: Final = frozenset(
    [
        "uh",
        "uhh",
        "uhm",
        "um",
        "umm",
        "er",
        "erm",
        "ah",
        "ahm",
        "oh",
        "eh",
        "ehm",
        "em",
        "euh",
        "hm",
        "hmm",
        "hmmm",
        "mm",
        "mmm",
        "mhm",
        "mmhm",
        "huh",
    ]
)
# Words that may: hesitation, "and then", yes and no, and the names of separators.
FILLERS: Final = HESITATIONS | word_set(
    "and then next like well so okay ok yes yeah yep yup right sorry no again now got it "
    "dash hyphen minus space slash stroke dot comma double triple "
    "und dann danach also ja jawohl nein genau gut strich bindestrich leerzeichen schragstrich "
    "y luego despues entonces si este pues vale guion espacio barra "
    "et puis ensuite alors oui non ben bon donc tiret espace"
)

# The currencies and units after which digits are an amount.
_UNITS_OF_MONEY: Final = (
    r"(?:euros?|eur|dollars?|usd|pounds?|gbp|bucks?|quid|cents?|francs?|franken|chf|pesos?|pfund|rupees?|yen"
    r"|percent|prozent|million(?:s|en)?|thousand|tausend|hundred)\b"
)
# 1,234,567.89 or 1.234.567,89 or 1 234 567 or 1'234, or digits with or without decimals.
_NUMERAL: Final = r"(?:\d{1,3}(?:[ .,']\d{3})+(?!\d)(?:[.,]\d{1,2})?|\d++(?:[.,]\d+)?)(?!\d)"
# Money: "$1,500", "EUR 30", "1 500 000 euros", "30 %".
_MONEY: Final = re.compile(
    rf"(?:(?:[$€£¥]|\b(?:usd|eur|gbp|chf|euro)\b)\s?{_NUMERAL}"
    rf"|(?<![\d])(?<!\d[.,']){_NUMERAL}\s?(?:[$€£¥%]|{_UNITS_OF_MONEY}))"
)
# Thousands set apart by commas, "3,000,000"; by points only where a phone number is not written so, which
# begins with three digits: "1.234.567"; or by points with decimals behind a comma.
_AMOUNT: Final = re.compile(
    r"(?<![\d])(?<!\d[.,])(?:\d{1,3}(?:,\d{3})+(?:\.\d{1,2})?|\d{1,2}(?:\.\d{3}){1,2}"
    r"|\d{1,3}(?:\.\d{3})+,\d{1,2}|\d{1,3}(?:'\d{3})+(?:\.\d{1,2})?)(?![\d]|[.,]\d)"
)
# 25.00 or 9,5, not inside a chain of such: 06.12.34.56.78.
_DECIMAL: Final = re.compile(r"(?<![\d])(?<!\d[-.,/:])\d{1,6}[.,]\d{1,2}(?![\d]|[-.,/:]\d)")
# 10:30, 1:48:05.5
_TIME: Final = re.compile(
    r"(?<![\d])(?<!\d[.,:])(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?(?![\d]|:\d)"
)
_DAY, _MONTH = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])"
# 2024-11-26, 26.11.2024, 26. 11. 24, 11/26/2024, and 20241126t103000 after an ISO date.
_DATE: Final = re.compile(
    rf"(?<![\d])(?<!\d[-.,/])(?:(?:19|20)\d\d([-/.]){_MONTH}\1{_DAY}(?:t\d\d:?\d\d(?::?\d\d)?(?:\.\d+)?z?)?"
    rf"|(?:{_DAY}([-/.])\s?{_MONTH}\2|{_MONTH}([-/.])\s?{_DAY}\3)\s?(?:19|20)?\d\d)(?![\d]|[-.,/]\d)"
)
_AFTER_DIX: Final = ("sept", "huit", "neuf")
_FRENCH_TEENS: Final = ("dix", "onze", "douze", "treize", "quatorze", "quinze", "seize")
# What digits are called, by which pattern, and the most digits it may have: a recogniser that sets a card
# number in thousands writes more.
_FLAGS: Final = (
    ("date", _DATE, 20),
    ("time", _TIME, 12),
    ("money", _MONEY, 12),
    ("amount", _AMOUNT, 9),
    ("decimal", _DECIMAL, 8),
)


# Digits with those less than 20 characters on, and what a currency needs before and behind.
_WITH_DIGITS: Final = re.compile(r"[^\d]{0,6}\d(?:[^\d]{0,20}\d)*+[^\d]{0,12}")


class Number(NamedTuple):
    """A number of one token in digits, or of the words that make one."""

    first: int  # token
    last: int  # token
    digits: str
    written: bool  # in digits
    flag: str  # what it looks like: "date", "time", "money", "amount", "decimal", or "" for plain digits


@dataclass(frozen=True, slots=True)
class Run:
    """Numbers with nothing between them that could not stand inside one number."""

    numbers: tuple[Number, ...]

    @property
    def digits(self) -> str:
        """All its digits."""
        return "".join(number.digits for number in self.numbers)


def find_numbers(plain: str, tokens: Sequence[Token]) -> list[Number]:
    """Return the numbers of a text in order."""
    flags = _flags(plain)
    numbers: list[Number] = []
    place, flag_number = 0, 0
    while place < len(tokens):
        token = tokens[place]
        if token.text.isdecimal():
            while flag_number < len(flags) and flags[flag_number][1] <= token.start:
                flag_number += 1
            inside = flag_number < len(flags) and flags[flag_number][0] <= token.start
            flag = flags[flag_number][2] if inside else ""
            numbers.append(Number(place, place, token.text, True, flag))
        elif token.text in NUMERALS or token.text in TIMES:
            spoken = _spoken(tokens, place)
            if spoken is not None:
                numbers.append(spoken)
                place = spoken.last
        place += 1
    return numbers


def _flags(plain: str) -> list[tuple[int, int, str]]:
    """Return stretches that are no part of a longer number, with what they are, in order and apart."""
    found = []
    for near in _WITH_DIGITS.finditer(plain):
        # Only there: most talk has no digits, and each pattern would look for one everywhere.
        for order, (name, pattern, most) in enumerate(_FLAGS):
            for match in pattern.finditer(plain, near.start(), near.end()):
                if sum(map(str.isdigit, match.group())) <= most:
                    found.append((match.start(), order, match.end(), name))
    apart: list[tuple[int, int, str]] = []
    for start, _, end, name in sorted(found):
        if not apart or start >= apart[-1][1]:
            apart.append((start, end, name))
        elif name == "money":  # more than the decimals or thousands it begins with
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]), name)
    return apart


def _spoken(tokens: Sequence[Token], first: int) -> Number | None:
    """Return the number whose first word is at `first`: "four", "forty one", "double four"."""
    word = tokens[first].text
    if word in TIMES:
        after = _after_hyphen(tokens, first + 1)
        said = tokens[after].text if after < len(tokens) else ""
        digits = said if said.isdecimal() else NUMERALS.get(said, "")
        return Number(first, after, digits * TIMES[word], False, "") if len(digits) == 1 else None
    value, last = _below_hundred(tokens, first)
    if value.startswith("0"):
        return Number(first, last, value, False, "")
    after = last + 1
    if after < len(tokens) and tokens[after].text in HUNDRED:
        return _hundreds(tokens, first, after, int(value))
    return Number(first, last, value, False, "")


def _hundreds(tokens: Sequence[Token], first: int, hundred: int, value: int) -> Number:
    """Return "nineteen hundred", "one hundred and eleven" or "one hundred eleven".

    "eight hundred five five" stays 800 5 5: only after "and" are units added to the hundreds.
    """
    after = _after_hyphen(tokens, hundred + 1)
    joined = after < len(tokens) and tokens[after].text in ANDS
    after += joined
    if after < len(tokens) and tokens[after].text in NUMERALS:
        more, last = _below_hundred(tokens, after)
        if (joined or len(more) == 2) and not more.startswith("0"):
            return Number(first, last, str(100 * value + int(more)), False, "")
    return Number(first, hundred, str(100 * value), False, "")


def _below_hundred(tokens: Sequence[Token], first: int) -> tuple[str, int]:
    """Return the digits of a spoken number under 100 and its last token."""
    word, last = tokens[first].text, first
    value = NUMERALS[word]
    after = _after_hyphen(tokens, first + 1)
    if word == "quatre" and _word(tokens, after) in ("vingt", "vingts"):
        value, last = "80", after
    elif word == "dix":
        return (
            ("1" + UNITS[_word(tokens, after)], after)
            if _word(tokens, after) in _AFTER_DIX
            else ("10", first)
        )
    elif word not in TENS:
        return value, first
    after = _after_hyphen(tokens, last + 1)
    after += _word(tokens, after) in ROMANCE_AND
    said = _word(tokens, after)
    if said in UNITS:
        return str(int(value) + int(UNITS[said])), after
    if word in ("soixante", "quatre") and said in _FRENCH_TEENS:  # soixante-dix-sept, quatre-vingt-onze
        teen, after = _below_hundred(tokens, after)
        return str(int(value) + int(teen)), after
    return value, last


def _word(tokens: Sequence[Token], place: int) -> str:
    return tokens[place].text if place < len(tokens) else ""


def _after_hyphen(tokens: Sequence[Token], place: int) -> int:
    return place + (place < len(tokens) and tokens[place].text == "-")


def find_runs(tokens: Sequence[Token], numbers: Sequence[Number]) -> list[Run]:
    """Return the numbers in runs, in order."""
    runs: list[list[Number]] = []
    for number in numbers:
        if runs and bridged(tokens, runs[-1][-1].last + 1, number.first):
            runs[-1].append(number)
        else:
            runs.append([number])
    return [Run(tuple(run)) for run in runs]


def bridged(tokens: Sequence[Token], start: int, end: int) -> bool:
    """Tell whether all tokens from `start` to before `end` may stand inside one number."""
    place = start
    while place < end:
        text = tokens[place].text
        aside = _aside(tokens, place, end)
        if aside:
            place = aside
        elif text in _BRIDGING_MARKS or text in FILLERS:
            place += 1
        else:
            return False
    return True


def _aside(tokens: Sequence[Token], start: int, end: int) -> int:
    """Return the token behind "[inaudible]", "(pause)" or "<unk>" at `start`; 0 where there is none."""
    close = {"[": "]", "(": ")", "<": ">"}.get(tokens[start].text)
    if close is not None:
        for place in range(start + 1, min(start + 6, end)):
            if tokens[place].text == close:
                return place + 1
            if not tokens[place].text.isalpha():
                break
    return 0
