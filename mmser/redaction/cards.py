"""Card numbers with what is said beside them, and phone numbers: runs of digits by their length."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Final

from mmser.redaction.findings import Finding
from mmser.redaction.numbers import Number, Run
from mmser.redaction.running_text import BARRIER, RunningText, Token

MIN_PHONE = 7  # digits
CARD_DIGITS: Final = range(13, 20)
# A card number whose groups are told apart by talk is looked for across this many words.
TALK_WORDS = 5


def luhn_valid(digits: str) -> bool:
    """Tell whether the last digit is the check digit that the others ask for."""
    return (_odd_sums(digits)[-1] if len(digits) % 2 else _even_sums(digits)[-1]) % 10 == 0


def _even_sums(digits: str) -> list[int]:
    """Return Luhn's sums up to each digit, with those at places 0, 2, … doubled."""
    return [0, *itertools.accumulate(_doubled(d) if i % 2 == 0 else int(d) for i, d in enumerate(digits))]


def _odd_sums(digits: str) -> list[int]:
    return [0, *itertools.accumulate(_doubled(d) if i % 2 else int(d) for i, d in enumerate(digits))]


def _doubled(digit: str) -> int:
    return (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)[int(digit)]


def find_cards(text: RunningText, runs: Sequence[Run]) -> list[Finding]:
    """Return card numbers, each with the whole run of digits around it: expiry date and security code."""
    found = [Finding("card", pieces(text.tokens, part)) for run in runs for part in _card_parts(run)]
    return found + _told_apart_by_talk(text, runs)


def find_phones(text: RunningText, runs: Sequence[Run]) -> list[Finding]:
    """Return every other run of digits that is too long to be a count, a price, a year or a date."""
    return [Finding("phone", pieces(text.tokens, part)) for run in runs for part in _phone_parts(run)]


def pieces(tokens: Sequence[Token], numbers: Sequence[Number]) -> tuple[tuple[int, int], ...]:
    """Return where numbers stand in the text, with the "+" and the brackets that are theirs."""
    found = [[tokens[number.first].start, tokens[number.last].end] for number in numbers]
    for number, place in zip(numbers, found, strict=True):
        before, after = number.first - 1, number.last + 1
        while before >= 0 and tokens[before].text in "(+" and tokens[before].end == place[0]:
            place[0], before = tokens[before].start, before - 1
        opened = before + 1 < number.first and "(" in {
            tokens[i].text for i in range(before + 1, number.first)
        }
        if opened and after < len(tokens) and tokens[after].text == ")":
            place[1] = tokens[after].end
    return tuple((start, end) for start, end in found)


def _card_parts(run: Run) -> Iterator[tuple[Number, ...]]:
    """Yield the whole run, but for times and money at its ends, where it holds a card number."""
    numbers = run.numbers
    if len(run.digits) < CARD_DIGITS.start or _counted_up(numbers) or all(map(_is_year, _years(numbers))):
        return
    # Between digits "oh" may be a zero or a sigh.
    sighless = tuple(number for number in numbers if number.written or number.digits != "0")
    checked = _has_check_digit(numbers) or (len(sighless) < len(numbers) and _has_check_digit(sighless))
    if checked or any(map(_is_grouped_as_card, _split(numbers))) or _in_thousands(numbers):
        yield _without_ends(numbers)


def _without_ends(numbers: tuple[Number, ...]) -> tuple[Number, ...]:
    """Return a run without the times and the money at its ends."""
    kept = [i for i, number in enumerate(numbers) if number.flag not in ("time", "money")]
    return numbers[kept[0] : kept[-1] + 1]


def _split(numbers: Sequence[Number], kept: Sequence[str] = ("",)) -> Iterator[tuple[Number, ...]]:
    """Yield the stretches of numbers that look like nothing but what is kept."""
    for inside, part in itertools.groupby(numbers, key=lambda number: number.flag in kept):
        if inside:
            yield tuple(part)


def _has_check_digit(numbers: Sequence[Number]) -> bool:
    """Tell whether a card number with a right check digit begins and ends with numbers of these.

    Recognisers write "eleven thirty" as 11:30, whatever it is. So that lists of dates, times and prices
    stay, most of the digits must look like nothing else, or at least some beside dates and amounts.
    """
    for first, last in luhn_windows(numbers):
        inside = numbers[first:last]
        bare = sum(len(number.digits) for number in inside if not number.flag)
        length = sum(len(number.digits) for number in inside)
        if 2 * bare >= length or (bare and all(number.flag not in ("time", "money") for number in inside)):
            return True
    return False


def _is_grouped_as_card(numbers: Sequence[Number]) -> bool:
    """Tell whether digits are as many, or grouped, as on a card: misheard ones spoil the check digit."""
    sizes = [len(number.digits) for number in numbers]
    if _ordinary(numbers):
        return False
    return sum(sizes) == 16 or _has_groups(sizes, (4, 4, 4, 4)) or _has_groups(sizes, (4, 6, 5))


def _has_groups(sizes: Sequence[int], groups: tuple[int, ...]) -> bool:
    """Tell whether somewhere numbers have these sizes one after another."""
    return any(
        tuple(sizes[i : i + len(groups)]) == groups
        for i in range(len(sizes) - len(groups) + 1)
        if sizes[i] == groups[0]
    )


def luhn_windows(numbers: Sequence[Number]) -> Iterator[tuple[int, int]]:
    """Yield (first, behind the last) of stretches of numbers with 13 to 19 digits and a right check digit."""
    digits = "".join(number.digits for number in numbers)
    ends = [0, *itertools.accumulate(len(number.digits) for number in numbers)]
    even, odd = _even_sums(digits), _odd_sums(digits)
    for first in range(len(numbers)):
        for last in range(first + 1, len(ends)):
            length = ends[last] - ends[first]
            if length >= CARD_DIGITS.stop:
                break
            # The digit before the last is doubled, and every second one before it.
            sums = even if ends[last] % 2 == 0 else odd
            if length in CARD_DIGITS and (sums[ends[last]] - sums[ends[first]]) % 10 == 0:
                yield first, last


def _in_thousands(numbers: Sequence[Number]) -> bool:
    """Tell whether all is one card number that was written as amounts: 4,111 1,111 1,111 1,111."""
    if any(number.flag != "amount" for number in numbers):
        return False
    digits = "".join(number.digits for number in numbers)
    return len(digits) in CARD_DIGITS and luhn_valid(digits)


def _told_apart_by_talk(text: RunningText, runs: Sequence[Run]) -> list[Finding]:
    """Return card numbers with a right check digit whose groups of four stand in ordinary talk."""
    groups = [one for run in runs for one in by_turn(text, run)]
    groups = [one for one in groups if len(one.digits) in (4, 5, 6, 8, 10, 11, 12) and not _flagged(one)]
    found = []
    for first in range(len(groups)):
        digits, length = groups[first].digits, 1
        while first + length < len(groups) and len(digits) < 16:
            before, after = groups[first + length - 1].numbers[-1], groups[first + length].numbers[0]
            if _words_between(text.tokens, before.last + 1, after.first) > TALK_WORDS:
                break
            digits += groups[first + length].digits
            length += 1
            members = groups[first : first + length]
            if _ends_on_groups([len(run.digits) for run in members]) and luhn_valid(digits):
                numbers = [number for run in members for number in run.numbers]
                found.append(Finding("card", pieces(text.tokens, numbers)))
    return found


def by_turn(text: RunningText, run: Run) -> list[Run]:
    """Return a run cut where its turns end: the next turn may begin with a number of its own."""
    turns = itertools.groupby(run.numbers, key=lambda one: text.part_at(text.tokens[one.first].start))
    return [Run(tuple(numbers)) for _, numbers in turns]


def _flagged(run: Run) -> bool:
    return any(number.flag for number in run.numbers)


def _ends_on_groups(sizes: Sequence[int]) -> bool:
    """Tell whether groups of these sizes make up 4-4-4-4 or 4-6-5, some of them perhaps in one."""
    ends = set(itertools.accumulate(sizes))
    return (ends <= {4, 8, 12, 16} and 16 in ends) or (ends <= {4, 10, 15} and 15 in ends)


def _words_between(tokens: Sequence[Token], start: int, end: int) -> int:
    """Count the words from one token to before another, as far as it matters."""
    between = tokens[start : min(end, start + 4 * TALK_WORDS)]
    words = sum(TALK_WORDS + 1 if token.text == BARRIER else token.text.isalpha() for token in between)
    return words if end - start <= 4 * TALK_WORDS else TALK_WORDS + 1


def _phone_parts(run: Run) -> Iterator[tuple[Number, ...]]:
    """Yield the parts of a run that are long enough, cut at dates, times and amounts."""
    if len(run.digits) < MIN_PHONE:
        return
    for part in _split(run.numbers, ("", "decimal")):
        if sum(len(number.digits) for number in part) >= MIN_PHONE and not _ordinary(part):
            yield part


def _ordinary(numbers: Sequence[Number]) -> bool:
    """Tell whether numbers side by side are a list of years, prices or round numbers, or are counted up."""
    if all(number.flag == "decimal" for number in numbers) and not numbers[0].digits.startswith("0"):
        return True
    if len(numbers) < 2:
        return False
    return _counted_up(numbers) or all(_is_year(digits) or _is_round(digits) for digits in _years(numbers))


def _counted_up(numbers: Sequence[Number]) -> bool:
    """Tell whether each number is as much more than the one before: 9, 10, 11, 12."""
    if len(numbers) < 3 or any(len(one.digits) > 6 or one.digits.startswith("0") for one in numbers):
        return False
    steps = {int(after.digits) - int(before.digits) for before, after in itertools.pairwise(numbers)}
    return len(steps) == 1 and min(steps) > 0


def _years(numbers: Sequence[Number]) -> list[str]:
    """Return the digits of each number, "nineteen" "ninety nine" as one."""
    joined: list[str] = []
    half = False  # whether the last one is the first half of a spoken year
    for number in numbers:
        if half and len(number.digits) == 2:
            joined[-1] += number.digits
            half = False
        else:
            joined.append(number.digits)
            half = not number.written and number.digits in ("19", "20")
    return joined


def _is_year(digits: str) -> bool:
    return len(digits) == 4 and 1900 <= int(digits) < 2050


def _is_round(digits: str) -> bool:
    return 3 <= len(digits) <= 6 and digits.endswith(("00", "50")) and not digits.startswith("0")
