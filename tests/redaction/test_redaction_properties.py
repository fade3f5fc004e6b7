import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mmser.redaction import redact_turns
from mmser.redaction.cards import luhn_valid
from tests.redaction.said import texts, timed_turns, turns

DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEENS = [
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["-", "-", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
SEPARATORS = [" ", "-", ".", "/", ", ", ". ", " uh ", ", and then ", " dash ", "\u00a0", "\u2011", " - "]
TALK = [
    "my card is",
    "thank you",
    "I waited 20 minutes",
    "it costs 25 dollars",
    "yes please",
    "in 2024 maybe",
]


@st.composite
def card_numbers(draw: st.DrawFn) -> str:
    body = draw(st.text("0123456789", min_size=12, max_size=18))
    return next(body + check for check in "0123456789" if luhn_valid(body + check))


def say(group: str, how: str) -> str:
    """Return digits written, spoken one by one, or spoken in pairs where that is possible."""
    if how == "written":
        return group
    if how == "fullwidth":
        return "".join(chr(ord(digit) + 0xFEE0) for digit in group)
    pairs = [group[i : i + 2] for i in range(0, len(group), 2)]
    # "Twenty one" is 21 to everybody: nobody says 20 and then 1 so.
    if how == "pairs" and len(group) % 2 == 0 and all(p[0] == "1" or "0" not in p for p in pairs):
        return " ".join(map(pair, pairs))
    return " ".join(DIGITS[int(digit)] for digit in group)


def pair(two: str) -> str:
    if two[0] == "1":
        return TEENS[int(two[1])]
    return TENS[int(two[0])] + ("" if two[1] == "0" else f" {DIGITS[int(two[1])]}")


@st.composite
def spoken_cards(draw: st.DrawFn) -> tuple[str, list[str]]:
    """Return a card number and the turns of a call in which it is said."""
    number = draw(card_numbers())
    lines = [draw(st.sampled_from(TALK))] if draw(st.booleans()) else []
    current, place = "", 0
    while place < len(number):
        size = draw(st.integers(1, 6))
        group = say(
            number[place : place + size], draw(st.sampled_from(["written", "spoken", "pairs", "fullwidth"]))
        )
        place += size
        if current and draw(st.integers(0, 4)) == 0:
            lines += [current, draw(st.sampled_from(["agent: mhm", "agent: okay, go on", "yes"]))]
            current = ""
        separator = draw(st.sampled_from(SEPARATORS))
        # Beside a word only a space or punctuation with one is separate.
        spoken = current[-1:].isalpha() or group[0].isalpha()
        current += (" " if spoken and not separator.endswith(" ") else separator) * bool(current) + group
    lines.append(current)
    if draw(st.booleans()):
        lines[-1] += f" {draw(st.sampled_from(TALK[1:2]))}"
    return number, lines


def digits_left(text: str) -> str:
    """Return the digits of a text, written or spoken, with a space where talk lies between."""
    plain = text.lower().translate({0xFF10 + digit: str(digit) for digit in range(10)})
    values = {word: str(value) for value, word in enumerate(DIGITS)}
    values |= {word: str(value) for value, word in enumerate(TEENS, 10)}
    values |= {word: str(value) for value, word in enumerate(TENS) if word != "-"}
    tokens = re.findall(r"[a-z]+|\d+|\[", plain)
    return "".join(token if token.isdigit() else values.get(token, " ") for token in tokens)


@settings(max_examples=150, deadline=None)
@given(spoken_cards(), st.booleans())
@example(("4111111111111111", ["4111 1111 1111 1111"]), True)
def test_no_five_digits_of_a_card_number_are_left(card: tuple[str, list[str]], timed: bool):
    number, lines = card
    result = redact_turns(timed_turns(*lines) if timed else turns(*lines))
    said = [*texts(result), *(word.text for turn in result.turns for word in turn.words)]
    for text in said:
        runs = digits_left(text).split()
        assert not any(run[i : i + 5] in number for run in runs for i in range(len(run) - 4)), (lines, text)
    assert result.counts.get("card") and "[" in "".join(said)
    if timed:
        assert all([w.text for w in turn.words] == (turn.text or "").split() for turn in result.turns)
        assert all(a[1] < b[0] for a, b in zip(result.spans, result.spans[1:], strict=False))
        assert result.spans and result.spans[0][0] >= 0


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.text(max_size=60) | st.text("0123456789 .,-/:()+@[]abde\u00a0\u200bé", max_size=60), max_size=6
    )
)
def test_any_text_is_redacted_once_and_for_all(lines: list[str]):
    call = turns(*lines)
    first = redact_turns(call)
    again = redact_turns(first.turns)
    assert again.turns == first.turns and not again.counts
    assert all(a is b for a, b in zip(call, first.turns, strict=True) if "[" not in (b.text or ""))
    assert redact_turns(call) == first
