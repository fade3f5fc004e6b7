"""E-mail addresses, written, spoken ("jane dot doe at example dot com") or half of each."""

from collections.abc import Sequence
from typing import Final

from mmser.redaction.findings import Finding
from mmser.redaction.numbers import HESITATIONS
from mmser.redaction.numerals import NUMERALS, word_set
from mmser.redaction.running_text import RunningText, Token

# "ät" is "at" without its accent; the others are Spanish, French and German names of the sign.
_AT_WORDS: Final = frozenset({"@", "at", "arroba", "arobase", "klammeraffe"})
_DOTS: Final = frozenset({"dot", "punkt", "punto", "point", "period"})
_HYPHENS: Final = frozenset({"dash", "hyphen", "minus", "bindestrich", "strich", "guion", "tiret", "moins"})
_CONNECTORS: Final = (
    _DOTS | _HYPHENS | frozenset({"underscore", "unterstrich", "subguion", "soulignement", "plus", "bajo"})
)
_LOCAL_MARKS: Final = frozenset("._%+-'&~#")
_ENDINGS: Final = word_set(
    "com net org edu gov info biz name mobi online shop store app dev cloud email mail tech site web "
    "de at ch fr es it nl be lu uk co ie eu us ca au nz in jp cn br mx ar cl pl cz sk hu ro bg gr tr ru ua "
    "pt dk se no fi is ee lv lt li io ai me tv cc to za kr sg hk my ph id th vn il ae"
)
# "at this point in time" is no address: English words that end one only after "dot" or "punkt".
_DOUBTFUL_ENDINGS: Final = word_set(
    "in it at no be is to me so us my id ae am name mail web app shop co de es"
)
_PROVIDERS: Final = word_set(
    "gmail googlemail google outlook hotmail live msn yahoo ymail icloud aol gmx web freenet proton "
    "protonmail tutanota posteo mail mailbox yandex orange wanadoo laposte sfr free libero virgilio "
    "tiscali telefonica comcast verizon att btinternet sky virginmedia ntlworld bluewin zoho fastmail"
)
# What comes before "at" in talk, "bought it at example.com", and what comes after it, "at the dot".
_NO_NAMES: Final = word_set(
    "it them us me him her you one ones this that these those here there look looked looking bought buy "
    "ordered order orders ordering shop shopped shopping available online page pages site sites website "
    "find found finding work works worked working see seen visit go going went start started check "
    "checked is are was were be am been item items stuff things thing account price prices and or not only "
    "something anything everything available reach out by email mail address was now today also back down"
)
_NO_DOMAINS: Final = word_set("the a an this that these those my your our his her their its some any all")
_MAX_TOKENS = 80  # on each side of the sign


def find_emails(text: RunningText) -> list[Finding]:
    """Return addresses: a name, the sign or its word, and a domain with a dot or behind a written sign."""
    tokens, found = text.tokens, []
    behind = 0  # an address begins after the one before
    for place, token in enumerate(tokens):
        if token.text not in _AT_WORDS or place < behind:
            continue
        sign_first, sign_last = _sign(tokens, place)
        domain = _domain_end(tokens, sign_last + 1, written=token.text == "@")
        if domain is None:
            continue
        first = _name_start(tokens, sign_first, behind)
        if first is None:
            continue
        name = tokens[first:sign_first]
        provider = any(t.text in _PROVIDERS for t in tokens[sign_last + 1 : domain])
        if token.text == "@" or provider or len(name) > 1 or name[0].text not in _NO_NAMES:
            found.append(Finding("email", ((tokens[first].start, tokens[domain - 1].end),)))
            behind = domain
    return found


def _sign(tokens: Sequence[Token], place: int) -> tuple[int, int]:
    """Return the first and last token of the sign: "(at)", "at sign", "at the rate of"."""
    first = last = place
    after = [token.text for token in tokens[place + 1 : place + 4]]
    if tokens[place].text == "at":
        if after[:1] in (["sign"], ["zeichen"]):
            last = place + 1
        elif after[:2] == ["the", "rate"]:
            last = place + 2 + (after[2:] == ["of"])
    if place and tokens[place - 1].text in "([{<" and after[:1] and after[0] in ")]}>":
        first, last = place - 1, place + 1
    return first, last


def _glued(tokens: Sequence[Token], before: int) -> bool:
    """Tell whether nothing lies between a token and the next."""
    return tokens[before].end == tokens[before + 1].start


def _is_name(token: Token) -> bool:
    return token.text.isalnum()


def _label_end(tokens: Sequence[Token], start: int) -> int:
    """Return the token behind a part of a domain that begins at `start`; `start` where there is none."""
    place, limit = start, min(len(tokens), start + _MAX_TOKENS)
    while place < limit and _is_name(tokens[place]) and tokens[place].text not in _DOTS:
        single = len(tokens[place].text) == 1 or tokens[place].text in NUMERALS
        place += 1
        if place >= limit:
            break
        glued_mark = _glued(tokens, place - 1) and tokens[place].text in "-_"
        if glued_mark or (tokens[place].text in _HYPHENS and place + 1 < limit):
            place += 1
        elif not _glued(tokens, place - 1):
            spelled = single and (len(tokens[place].text) == 1 or tokens[place].text in NUMERALS)
            if not spelled:
                break
        elif not _is_name(tokens[place]):
            break
    return place


def _domain_end(tokens: Sequence[Token], start: int, *, written: bool) -> int | None:
    """Return the token behind the domain that begins at `start`; only a written sign needs no dot in it."""
    start = _skip_hesitations(tokens, start)
    end = _label_end(tokens, start)
    if end == start or (not written and tokens[start].text in _NO_DOMAINS):
        return None
    if not written and end < len(tokens) and tokens[end].text not in _DOTS and _is_name(tokens[end]):
        # "hot mail dot com", "my company dot com": recognisers part what is one word.
        second = _label_end(tokens, end)
        if second < len(tokens) and tokens[second].text in ("dot", "punkt", "punto"):
            end = second
    ending = ""
    while (dot := _skip_hesitations(tokens, end)) < len(tokens):
        after = _skip_hesitations(tokens, dot + 1)
        stop = _label_end(tokens, after)
        if stop == after or not _goes_on(tokens, dot, after, stop):
            break
        end, ending = stop, "".join(token.text for token in tokens[after:stop])
    if ending:
        return end if ending[-2:].isalpha() and len(ending) > 1 else None  # "at 7.5" is no domain
    whole = written and start > 1 and _glued(tokens, start - 2) and _glued(tokens, start - 1)
    return end if whole and tokens[start].text.isalpha() else None


def _goes_on(tokens: Sequence[Token], dot: int, after: int, stop: int) -> bool:
    """Tell whether a dot, spoken or written, and what follows it belong to a domain."""
    word = tokens[dot].text
    ending = "".join(token.text for token in tokens[after:stop])
    if word == ".":
        # "at home. It's": a dot that ends a sentence has a space behind it.
        return (_glued(tokens, dot - 1) and _glued(tokens, dot)) or ending in _ENDINGS - _DOUBTFUL_ENDINGS
    if word not in _DOTS:
        return False
    if ending in _ENDINGS:
        return word in ("dot", "punkt", "punto") or ending not in _DOUBTFUL_ENDINGS
    # Not the ending yet: "mail dot example dot com".
    further = _skip_hesitations(tokens, stop)
    return further < len(tokens) and tokens[further].text in (*_DOTS, ".") and word != "point"


def _name_start(tokens: Sequence[Token], sign: int, lowest: int) -> int | None:
    """Return the first token of the name before the sign, or None where there is none."""
    lowest = max(lowest, sign - _MAX_TOKENS)
    first = _chunk_start(tokens, _back_over_hesitations(tokens, sign, lowest), lowest)
    if first is None:
        return None
    while True:
        before = _back_over_hesitations(tokens, first, lowest)
        connector = before - 1
        if connector < lowest or not _connects(tokens, connector):
            return first
        while connector > lowest and _connects(tokens, connector - 1):  # "guion bajo"
            connector -= 1
        start = _chunk_start(tokens, _back_over_hesitations(tokens, connector, lowest), lowest)
        if start is None:
            return first
        first = start


def _connects(tokens: Sequence[Token], place: int) -> bool:
    """Tell whether a token joins two parts of a name: "dot", or a mark that ends no sentence."""
    if tokens[place].text in _CONNECTORS:
        return True
    ends_word = place > 0 and _glued(tokens, place - 1) and tokens[place].text in ".'"
    return tokens[place].text in _LOCAL_MARKS and not ends_word


def _chunk_start(tokens: Sequence[Token], behind: int, lowest: int) -> int | None:
    """Return the first token of what is said or written in one before `behind`: as "jane 85"."""
    place = behind - 1
    if place < lowest or not (_is_name(tokens[place]) or tokens[place].text in _LOCAL_MARKS):
        return None
    while place > lowest:
        here, before = tokens[place], tokens[place - 1]
        glued = _glued(tokens, place - 1)
        if glued and (_is_name(before) or before.text in _LOCAL_MARKS):
            place -= 1
            continue
        if glued or not _is_name(before) or before.text in _CONNECTORS or before.text in HESITATIONS:
            break
        number = here.text.isdecimal() or here.text in NUMERALS
        small = len(here.text) == 1 or number
        if (small and (len(before.text) == 1 or before.text.isdecimal() or before.text in NUMERALS)) or (
            number and before.text not in _NO_NAMES
        ):
            place -= 1
            continue
        break
    return place if any(_is_name(token) for token in tokens[place:behind]) else None


def _skip_hesitations(tokens: Sequence[Token], place: int) -> int:
    while place < len(tokens) and tokens[place].text in HESITATIONS:
        place += 1
    return place


def _back_over_hesitations(tokens: Sequence[Token], behind: int, lowest: int) -> int:
    while behind - 1 > lowest and tokens[behind - 1].text in HESITATIONS:
        behind -= 1
    return behind
