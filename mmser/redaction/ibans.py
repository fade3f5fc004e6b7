"""Account numbers in IBAN's form, written or spelled out."""

from collections.abc import Mapping, Sequence
from typing import Final

from mmser.redaction.findings import Finding
from mmser.redaction.numbers import Number, bridged
from mmser.redaction.numerals import word_set
from mmser.redaction.running_text import RunningText, Token

# Country and length, from the IBAN registry.
_REGISTRY: Final = """
AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29
ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28
LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25
QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
"""
LENGTHS: Final = {entry[:2].lower(): int(entry[2:]) for entry in _REGISTRY.split()}
_DIGITS_ONLY: Final = word_set(
    "ae at ba be cz de dk ee es fi fo gl hr hu il is lt me no pl pt rs se si sk sd tl tn va xk"
)
_BEGINS: Final = LENGTHS.keys() | {code[0] for code in LENGTHS}
_MAX_BANK_CODE = 4  # letters in one piece
_MAX_SKIPPED = 8  # tokens between two characters: marks, hesitations


def find_ibans(text: RunningText, numbers: Mapping[int, Number]) -> list[Finding]:
    """Return what has an IBAN's check digits right, or its form where it is written or spelled as one.

    Args:
        text: where to look.
        numbers: its numbers by their first token.
    """
    found = []
    place, tokens = 0, text.tokens
    while place < len(tokens):
        last = _iban_at(text, place, numbers) if tokens[place].text in _BEGINS else None
        if last is not None:
            found.append(Finding("iban", tuple((t.start, t.end) for t in tokens[place : last + 1])))
            place = last
        place += 1
    return found


def _iban_at(text: RunningText, place: int, numbers: Mapping[int, Number]) -> int | None:
    """Return the last token of the IBAN that begins at `place`."""
    tokens = text.tokens
    code, after = tokens[place].text, place + 1
    spelled = False
    if len(code) == 1:
        second = _next(tokens, after, numbers)
        if second is None or len(tokens[second].text) != 1 or _after_apostrophe(tokens, place):
            return None
        code, after, spelled = code + tokens[second].text, second + 1, True
    if code not in LENGTHS:
        return None
    first = _next(tokens, after, numbers)
    if first is None or first not in numbers:
        return None
    # "de 20 …", "no, 12 …": small words are a country only in capitals or glued to the check digits, and
    # capitals say nothing where all is written so.
    written = text.letters[tokens[place].start : tokens[place].end]
    around = text.letters[max(tokens[place].start - 200, 0) : tokens[place].end + 200]
    capitals = written.isupper() and not (around.isupper() and len(around.split()) > 12)
    certain = spelled or capitals or tokens[place].end == tokens[first].start
    read = _read(text, first, code, numbers)
    if read is None:
        return None
    characters, last, plausible = read
    if _check(code + characters) or (certain and plausible):
        return last
    return None


def _after_apostrophe(tokens: Sequence[Token], place: int) -> bool:
    """Tell whether a letter is the end of a word: "it's a …" spells nothing."""
    return place > 0 and tokens[place - 1].text in "'’" and tokens[place - 1].end == tokens[place].start


def _read(
    text: RunningText, first: int, code: str, numbers: Mapping[int, Number]
) -> tuple[str, int, bool] | None:
    """Return the characters after the country, their last token, and whether their form is an IBAN's."""
    tokens, wanted = text.tokens, LENGTHS[code] - 2
    characters, plausible = "", True
    place: int | None = first
    last = first
    while place is not None and len(characters) < wanted:
        token = tokens[place]
        if place in numbers:
            characters += numbers[place].digits
            last = numbers[place].last
        elif token.text.isascii() and token.text.isalpha() and len(token.text) <= _MAX_BANK_CODE:
            characters += token.text
            last = place
            written_so = text.letters[token.start : token.end].isupper() or len(token.text) == 1
            plausible = plausible and written_so and code not in _DIGITS_ONLY
        else:
            return None
        place = _next(tokens, last + 1, numbers)
    # Words of talk would be letters too: an IBAN has at least as many digits.
    digits = sum(map(str.isdecimal, characters))
    if len(characters) != wanted or not characters[:2].isdecimal() or 2 * digits < wanted:
        return None
    return characters, last, plausible


def _next(tokens: Sequence[Token], place: int, numbers: Mapping[int, Number]) -> int | None:
    """Return the next token that may be part of the number, over marks and hesitations."""
    for after in range(place, min(place + _MAX_SKIPPED, len(tokens))):
        letter = len(tokens[after].text) == 1 and tokens[after].text.isalpha()
        if letter or after in numbers or not bridged(tokens, after, after + 1):
            return after
    return None


def _check(iban: str) -> bool:
    """Tell whether the check digits are right: the rest of a division by 97 is 1 (ISO 13616)."""
    moved = iban[4:] + iban[:4]
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1
