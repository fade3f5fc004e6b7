import dataclasses
import time

import pytest

import mmser
from mmser.errors import UsageError
from mmser.redaction import KINDS, parse_patterns, redact_transcript, redact_turns
from mmser.redaction.cards import luhn_valid
from mmser.transcripts import read_transcript
from mmser.types import Transcript, Turn, Word
from tests.redaction.said import redacted, texts, timed_turns, turn, turns

CARDS = [
    ("My card is 4111 1111 1111 1111.", "My card is [card]."),
    ("it is 4111-1111-1111-1111, thanks", "it is [card], thanks"),
    ("4111111111111111", "[card]"),
    ("an Amex, 3782 822463 10005", "an Amex, [card]"),
    ("misheard: 4111 1111 1111 1112", "misheard: [card]"),
    ("misheard: 3782 822463 10006", "misheard: [card]"),
    ("four one one one, one one one one, one one one one, one one one one please", "[card] please"),
    ("forty one eleven eleven eleven eleven eleven eleven eleven", "[card]"),
    ("four triple one, double one double one, 1111 and then, uh, one one one one", "[card]"),
    ("four oh oh oh, oh oh oh oh, oh oh oh oh, oh oh oh two", "[card]"),
    ("vier eins eins eins, eins eins eins eins, eins eins eins eins, eins eins eins eins", "[card]"),
    ("cuatro uno uno uno uno uno uno uno uno uno uno uno uno uno uno uno", "[card]"),
    ("quatre un un un un un un un un un un un un un un un", "[card]"),
    ("4111 1111 1111 1111 12/27 123", "[card]"),
    ("it's 4111 you got that 1111 yes and then it goes 1111 and finally 1111", "it's [card]"),
    ("4111 [inaudible] 1111 1111 (pause) 1111", "[card]"),
    ("4,111 1,111 1,111 1,111 said as thousands", "[card] said as thousands"),
    ("4111 11:11 1111 1111 as a time", "[card] as a time"),
    ("４１１１ １１１１ １１１１ １１１１", "[card]"),
    ("٤١١١ ١١١١ ١١١١ ١١١١", "[card]"),
    ("4\u200b111\u00ad1111\u20111111\u00a01111", "[card]"),
    ("4\ufe0f\u20e3111 1111 1111 1111", "[card]"),
]
IBANS = [
    ("DE89 3704 0044 0532 0130 00.", "[iban]."),
    ("de89370400440532013000", "[iban]"),
    ("D E 8 9 3 7 0 4 0 0 4 4 0 5 3 2 0 1 3 0 0 0", "[iban]"),
    (
        "D, E, eight nine, three seven oh four, oh oh four four, oh five three two, oh one three oh, oh oh",
        "[iban]",
    ),
    ("GB29 NWBK 6016 1331 9268 19", "[iban]"),
    ("MT84 MALT 0110 0001 2345 MTLC AST0 01S", "[iban]"),
    ("misheard: GB29 NWBK 6016 1331 9268 18", "misheard: [iban]"),
]
PHONES = [
    ("call +49 (0) 170 / 123-4567.", "call [phone]."),
    ("call (555) 123-4567 now", "call [phone] now"),
    ("555.123.4567", "[phone]"),
    ("06.12.34.56.78", "[phone]"),
    ("five five five, one two one two", "[phone]"),
    ("zéro six douze trente-quatre cinquante-six soixante-dix-huit", "[phone]"),
    ("null eins sieben null einundzwanzig zweiunddreißig", "[phone]"),
    ("one eight hundred five five five one two three four", "[phone]"),
    ("customer number 30048111", "customer number [phone]"),
]
EMAILS = [
    ("(jane.doe+x@example.co.uk),", "([email]),"),
    ("jane dot doe at example dot com", "[email]"),
    ("it's jane underscore doe at gmail dot co dot uk.", "it's [email]."),
    ("jane punkt doe ät beispiel punkt de", "[email]"),
    ("jane.doe at gmail.com", "[email]"),
    ("jane 85 at t minus online dot de", "[email]"),
    ("j a n e at g m a i l dot com", "[email]"),
    ("jane arroba ejemplo punto es", "[email]"),
    ("jane@example", "[email]"),
]
BIRTH_DATES = [
    ("my date of birth is 3/4/85", "my date of birth is [birth_date]"),
    ("DOB: 1985-04-03.", "DOB: [birth_date]."),
    ("born on the third of March", "born on the [birth_date]"),
    ("the third of March nineteen eighty five", "the [birth_date]"),
    ("March 3rd, 1985, in Ulm", "[birth_date], in Ulm"),
    ("geboren am dritten März neunzehnhundertfünfundachtzig", "geboren am [birth_date]"),
    ("je suis né le 3 mars 85", "je suis né le [birth_date]"),
    ("nací el 3 de marzo de mil novecientos ochenta y cinco", "nací el [birth_date]"),
    ("since 12.03.1999", "since [birth_date]"),
    ("born oh three oh four nineteen eighty five", "born [birth_date]"),
]
ORDINARY = [
    "I waited 20 minutes, and then 30 minutes, and nobody came.",
    "It costs 25 dollars, or 19.99 with the discount, in 2024.",
    "The order number is 4711, not 47192.",
    "at 10:30, 11:30, 12:30 or 13:30",
    "between 9:45 AM and 1:00 PM on 2024-11-26 10:30:15",
    "1,234,567.89 and 1.234.567,89 € or 3,000,000 or 12 500 000 euros",
    "in 2019, 2020 and 2021 and 2022",
    "nineteen ninety nine and twenty twenty four",
    "9, 10, 11, 12",
    "at 12.50, 13.50, 14.50 and 15.50",
    "one hundred twenty five and two hundred fifty",
    "$500,000 and $30, $40, $50 and 10%, 20%, 30%",
    "two hundred and fifty three thousand four hundred and twenty one dollars",
    "Either 100, 200, 300 or 1000; 250, 500, and 1000 pieces; 99.9999999% sure",
    "I bought it at home. It's at 7.5. Do you see it? We met at best. At worst at 22. It does. At 3.9k.",
    "Great, August 19, 2020, and 26.11.2024, 27.11.2024 and 28.11.2024.",
    "One moment. Two of us have one each, one on one, twenty four seven.",
    "Oh, 2 or 3, I think; no one knows. Zero chance.",
    "The offer expires on 12/27, the security code of the door is on the wall.",
    "I bought it at amazon.com, look at example dot com",
    "at this point in time we met at the dot com office",
    "It is a birthday present for my daughter, it may march on.",
    "It's a seventy and the so I had to mail order the part which I thought is at night time in it",
    "IN IT A SEVENTY AND DE 20 THE SO I HAD TO MAIL ORDER THE PART WHICH I THAT IS AT NIGHT TIME",
    "Ich habe ein oder zwei Fragen, und drei Leute warten seit acht Tagen.",
    "de 20 a 30 personas, uno o dos, y tres más",
    "the 2.4GHz network, Windows 10, room 12B, half past 7, gate 23",
]


@pytest.mark.parametrize(
    ("said", "left", "kind"),
    [
        *((*case, "card") for case in CARDS),
        *((*case, "iban") for case in IBANS),
        *((*case, "phone") for case in PHONES),
        *((*case, "email") for case in EMAILS),
        *((*case, "birth_date") for case in BIRTH_DATES),
    ],
)
def test_it_is_taken_out(said: str, left: str, kind: str):
    assert redacted(said) == ([left], {kind: 1})


@pytest.mark.parametrize("said", ORDINARY)
def test_ordinary_talk_stays(said: str):
    before = turns(said)
    result = redact_turns(before)
    assert texts(result) == [said]
    assert result.turns[0] is before[0]
    assert result.counts == {} and result.spans == ()


def test_a_number_read_out_over_turns_is_one_number():
    said, counts = redacted(
        "it is 4111 1111", "agent: mhm", "1111", "agent: okay", "yeah, uh-huh", "and 1111, thank you"
    )
    assert said == [
        "it is [card]",
        "mhm",
        "[card]",
        "okay",
        "yeah, uh-huh",
        "and [card], thank you",
    ]
    assert counts == {"card": 1}


def test_turns_are_one_text_only_where_no_long_pause_lies_between():
    near = redact_turns(timed_turns("555 1", "212", pause=20.0))
    far = redact_turns(timed_turns("555 1", "212", pause=20.5))
    assert texts(near) == ["[phone]", "[phone]"]
    assert texts(far) == ["555 1", "212"]
    two, three = ["agent: mhm"] * 2, ["agent: mhm"] * 3
    assert redacted("555 1", *two, "212")[1] == {"phone": 1}
    assert redacted("555 1", *three, "212")[1] == {}


def test_two_speakers_never_make_one_number():
    assert redacted("555 1", "agent: 212")[1] == {}


@pytest.mark.parametrize(
    "question", ["What's the security code on the back?", "die Prüfnummer bitte", "and the CVV?"]
)
def test_a_security_code_is_a_cards(question: str):
    assert redacted(f"agent: {question}", "Sure, it's one two three.")[0][1] == "Sure, it's [card]."
    assert redacted(f"{question} 1234 okay")[0] == [f"{question} [card] okay"]
    assert redacted("agent: thanks", "Sure, it's one two three.")[1] == {}


def test_an_expiry_date_goes_only_near_a_card():
    card = "4111 1111 1111 1111"
    assert redacted(f"{card} and it expires 12/27")[0] == ["[card] and it expires [card]"]
    assert redacted(card, "agent: when does it expire?", "December 2027")[0][2] == "[card]"
    assert redacted("the offer expires 12/27")[1] == {}


@pytest.mark.parametrize(("between", "taken"), [(0, True), (1, True), (2, False)])
def test_a_date_is_one_of_birth_up_to_two_turns_after_the_question(between: int, taken: bool):
    lines = ["agent: and your birth date?", *["agent: please"] * between, "26.11.24, I mean 3/4/15"]
    said, counts = redacted(*lines)
    assert counts == ({"birth_date": 2} if taken else {})
    assert said[-1] == ("[birth_date], I mean [birth_date]" if taken else lines[-1])


def test_words_and_text_change_at_the_same_places():
    before = timed_turns("so it is 4111 1111 1111 1111, okay?")
    (after,) = redact_turns(before).turns
    assert after.text == "so it is [card], okay?"
    assert [word.text for word in after.words] == after.text.split()
    mark = after.words[3]
    assert (mark.start, mark.end, mark.confidence) == (3.0, 7.0, None)
    assert after.words[:3] == before[0].words[:3] and after.words[4] == before[0].words[7]


def test_words_that_part_the_text_elsewhere_are_still_found_in_it():
    words = tuple(Word(text=text) for text in ("call", "555-", "1212", "about", "co-", "founders"))
    before = Turn(id="t1", start=None, end=None, text="call 555-1212 about co-founders", words=words)
    (after,) = redact_turns([before], parse_patterns(["who=co-founder"])).turns
    assert after.text == "call [phone] about [who]s"
    assert [word.text for word in after.words] == ["call", "[phone]", "about", "[who]s"]


def test_a_text_that_its_words_do_not_make_is_rebuilt_from_them():
    words = tuple(
        Word(text=text)
        for text in ("my", "number", "is", *["five", "five", "five", "one", "two", "one", "two"])
    )
    before = Turn(id="t1", start=None, end=None, text="My number's 555-1212.", words=words)
    (after,) = redact_turns([before]).turns
    assert after.text == "my number is [phone]"
    assert [word.text for word in after.words] == ["my", "number", "is", "[phone]"]


def test_what_only_the_text_says_is_found_too():
    before = Turn(
        id="t1", start=0.0, end=4.0, text="Call 555-1212.", words=(Word(text="call"), Word(text="uh"))
    )
    result = redact_turns([before])
    assert result.turns[0].text == "Call [phone]." and result.turns[0].words == ()
    assert result.counts == {"phone": 1} and len(result.spans) == 1


def test_a_turn_without_words_keeps_its_spacing():
    said = "one\n  moment:\t555 1212 \u00a0 and\r\n so  on "
    assert redacted(said)[0] == ["one\n  moment:\t[phone] \u00a0 and\r\n so  on "]


def test_words_without_a_text_are_searched():
    words = tuple(Word(text=text) for text in ["five", "five", "five", "one", "two", "one", "two"])
    (after,) = redact_turns([Turn(id="t1", start=None, end=None, words=words)]).turns
    assert after.text is None and [word.text for word in after.words] == ["[phone]"]


def test_spans_say_when_it_is_spoken():
    call = timed_turns("it is 4111 1111", "agent: mhm", "1111 1111 okay")
    assert redact_turns(call).spans == ((1.75, 4.25), (6.75, 9.25))
    assert redact_turns(timed_turns("555 1212")).spans == ((0.0, 2.25),)
    assert redact_turns(turns("555 1212")).spans == ()


def test_the_whole_turn_is_silent_where_words_have_no_times_of_their_own():
    without = timed_turns("aaaa bbbb 5555 1212 cccc", words=False)
    assert redact_turns(without).spans == ((0.0, 6.0),)
    estimated = timed_turns("aaaa bbbb 5555 1212 cccc")[0]
    words = tuple(dataclasses.replace(word, estimated=True) for word in estimated.words)
    assert redact_turns([dataclasses.replace(estimated, words=words)]).spans == ((0.0, 6.0),)


def test_spans_that_meet_are_one():
    spans = redact_turns(timed_turns("5551212 x@example.com", "555 1212", pause=0.3)).spans
    assert spans == ((0.0, 4.55),)


def test_own_patterns_are_taken_out_by_their_name():
    patterns = parse_patterns([r"order=\bAB-?\d{4}\b", "street=elm\\s+street"])
    said, counts = redacted("order ab1234 to Elm", "agent: yes?", "Street 5, AB-9999.", patterns=patterns)
    assert said == ["order [order] to [street]", "yes?", "[street] 5, [order]."]
    assert counts == {"order": 2, "street": 1}
    assert list(counts) == ["order", "street"]


def test_own_patterns_name_what_would_be_a_phone_number_but_not_a_card():
    patterns = parse_patterns([r"customer_id=\b\d{8}\b", r"group=\b\d{4}\b"])
    assert redacted("it is 30048111", patterns=patterns) == (["it is [customer_id]"], {"customer_id": 1})
    assert redacted("4111 1111 1111 1111", patterns=patterns) == (["[card]"], {"card": 1})


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ([r"\d+"], "NAME=REGEX"),
        (["=x"], "cannot name"),
        (["1x=x"], "cannot name"),
        (["a b=x"], "cannot name"),
        (["x="], "empty"),
        (["x=("], "not a regular expression"),
        (["x=a*"], "empty string"),
        (["x=a", "X=b"], "given twice"),
        (["card=a"], "takes out"),
    ],
)
def test_a_bad_pattern_is_refused_in_a_sentence(given: list[str], complaint: str):
    with pytest.raises(UsageError, match=complaint) as refused:
        parse_patterns(given)
    assert "\n" not in str(refused.value)


def test_a_pattern_that_backtracks_for_ever_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mmser.redaction.patterns.REGEX_SECONDS", 0.1)
    with pytest.raises(UsageError, match="slow"):
        redacted("a" * 200 + "!", patterns=parse_patterns([r"slow=(a|a|aa)+$"]))


@pytest.mark.parametrize("expression", [r"\w+", r"^\s*\w+", "[a-z]", "(?<!b)a", r"\[?card\]?", "x|(?<!x)y"])
def test_redacting_again_changes_nothing(expression: str):
    patterns = parse_patterns([f"own={expression}"])
    lines = [*(said for said, _ in CARDS + IBANS + PHONES + EMAILS + BIRTH_DATES), "aab xyxy card", *ORDINARY]
    for given in (patterns, ()):
        first = redact_turns(turns(*lines), given)
        again = redact_turns(first.turns, given)
        assert again.turns == first.turns and again.counts == {} and again.spans == ()


@pytest.mark.parametrize(
    "said",
    [
        "1 " * 10000,
        "a" * 500_000,
        "1" * 500_000,
        "(1 " * 4000,
        "a at b dot " * 4000,
        "born 3 may " * 4000,
        "D E 8 9 " * 4000,
        "cvv 123 " * 4000,
        "4111 a " * 4000,
    ],
)
def test_time_does_not_explode_on_odd_text(said: str):
    begin = time.process_time()
    redact_turns(turns(said))
    assert time.process_time() - begin < 3


def test_a_long_call_is_searched_in_seconds():
    lines = ["I was calling because the parcel has not arrived by 10:30, number 4711.", "agent: One moment."]
    call = [turn(n, lines[n % 2], start=3.0 * n) for n in range(2000)]
    begin = time.process_time()
    assert redact_turns(call).counts == {}
    assert time.process_time() - begin < 3


def test_the_sample_call_stays_as_it_is():
    sample = read_transcript(f"{mmser.__path__[0]}/assets/sample/call.vtt")
    assert redact_turns(sample.turns).turns == sample.turns


@pytest.mark.data
def test_real_transcripts_lose_what_is_personal_and_nothing_else(data_dir):
    found = {}
    for path in sorted((data_dir / "calls" / "transcripts").iterdir()):
        before = read_transcript(path).turns
        after = redact_turns(before).turns
        found[path.name] = [(a.text, b.text) for a, b in zip(before, after, strict=True) if a is not b]
    assert {name: changes for name, changes in found.items() if changes} == {
        "aws_call_analytics.json": [("Great, August 19, 2020.", "Great, [birth_date].")],
        "vcon_a.json": [
            (
                "Of course, it's six one seven eight two nine zero three three three.",
                "Of course, it's [phone].",
            )
        ],
    }


def test_the_kinds_are_those_of_the_marks():
    lines = [cases[0][0] for cases in (CARDS, IBANS, PHONES, EMAILS, BIRTH_DATES)]
    assert list(redacted(*(f"{line} thanks" for line in lines))[1]) == list(KINDS)


def test_luhn_knows_its_numbers():
    assert luhn_valid("4111111111111111") and luhn_valid("378282246310005")
    assert not luhn_valid("4111111111111112") and not luhn_valid("378282246310006")


def test_speakers_who_are_named_by_number_or_address_lose_these_and_stay_apart():
    spoken = [
        ("jane.doe@example.com", "hello"),
        ("+44 7700 900123", "hi"),
        ("bob@example.com", "yes"),
        ("Ann", "no"),
    ]
    named = tuple(
        dataclasses.replace(turn(i, text), speaker=name)
        for i, (name, text) in enumerate([*spoken, spoken[0]])
    )
    found = redact_transcript(Transcript(turns=named, format="x", times="none"))
    assert [t.speaker for t in found.turns] == ["[email]", "[phone]", "[email] (2)", "Ann", "[email]"]


def test_a_bare_code_beside_a_card_is_its_security_code():
    said, counts = redacted("It is 4111 1111 1111 1111, and the expiry is 09/27, code 123.")
    assert said == ["It is [card], and the expiry is [card], code [card]."] and counts == {"card": 3}
    said, _ = redacted("4111 1111 1111 1111", "agent: and the code?", "one two three")
    assert said == ["[card]", "and the code?", "[card]"]
    assert redacted("the door code is 4711", "agent: code 123 for the gate")[1] == {}


@pytest.mark.parametrize(
    "said",
    [
        "4111&nbsp;1111&nbsp;1111&nbsp;1111",
        "4111&#x2d;1111&#45;1111-1111",
        "<b>4111</b> <i>1111</i> 1111 1111",
        "4111=1111=1111=1111",
        "4111%201111%201111%201111",
        "&#52;&#49;&#49;&#49; 1111 1111 1111",
    ],
)
def test_what_a_page_puts_between_digits_hides_no_card(said: str):
    (left,), counts = redacted(f"it is {said} okay")
    assert counts == {"card": 1} and not any(char.isdigit() for char in left)


@pytest.mark.parametrize("said", ["john&#64;example.com", "john&commat;example.com", "john%40example.com"])
def test_what_a_page_writes_for_the_sign_hides_no_address(said: str):
    assert redacted(f"write to {said} please")[1] == {"email": 1}


def test_a_pattern_may_count():
    assert len(parse_patterns([r"x=\d{10}-\d{10}-\d{10}", r"y=(?:\w{1,50} ){2}"])) == 2


@pytest.mark.parametrize(
    "pattern",
    [
        "x=(?:(?:(?:a{100}){100}){100}){100}",
        "x=(?:a{999}){999}",
        "x=a{1000000000}",
        "x=(?R)",
        "x=" + "(" * 2000 + "a" + ")" * 2000,
    ],
)
def test_a_pattern_that_would_take_all_memory_is_refused(pattern: str):
    with pytest.raises(UsageError, match=r"too large|not a regular expression"):
        parse_patterns([pattern])
