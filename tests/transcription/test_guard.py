"""Which recognised words are believed: cases as recognisers of the Whisper family write them."""

import pytest

from mmser.transcription.guard import STOCK, disbelieve, plain, why_unbelievable
from mmser.transcription.segments import Segment

TALK = [(0.0, 4.0)]


def segment(text: str, start: float = 0.0, end: float = 4.0, **options: float) -> Segment:
    values = {"log_probability": -0.3, "no_speech": 0.05} | options
    return Segment(start=start, end=end, text=text, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        " I'd like to cancel my order, please.",
        " No, no, no, that is not what I said.",
        " Thank you.",
        " Ja, danke schön, auf Wiederhören.",
        " My number is 555 1234 555 1234.",
        " すみません、もう一度お願いします。",
    ],
)
def test_what_was_said_is_believed(text: str):
    assert why_unbelievable(segment(text), TALK) is None


@pytest.mark.parametrize(
    ("text", "speech", "options", "why"),
    [
        (" ...", TALK, {}, "no words"),
        (" ♪♪♪", TALK, {}, "no words"),
        (" My order is late.", [], {}, "no speech"),
        (" My order is late.", [(0.0, 0.5), (9.0, 12.0)], {}, "no speech"),
        (" My order is late.", TALK, {"no_speech": 0.9, "log_probability": -1.2}, "no speech"),
        (" Thanks for watching!", [(0.0, 1.0)], {}, "stock phrase"),
        (" Untertitel der Amara.org-Community", [(0.0, 1.0)], {}, "stock phrase"),
        (" ご視聴ありがとうございました", [(0.0, 1.0)], {}, "stock phrase"),
        (" Thank you.", TALK, {"no_speech": 0.8}, "stock phrase"),
        (" I'm sorry. I'm sorry. I'm sorry. I'm sorry. I'm sorry. I'm sorry.", TALK, {}, "loop"),
        (" Okay so we go on and on and on and on and on and on", TALK, {}, "loop"),
        (" mmm" * 12, TALK, {}, "loop"),
        (" aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", TALK, {}, "loop"),
        (" And the the price of it was", TALK, {"log_probability": -2.1}, "low confidence"),
        (" I would like to know when exactly it will be delivered to me", TALK, {"end": 1.0}, "too fast"),
    ],
)
def test_what_was_made_up_is_not(
    text: str, speech: list[tuple[float, float]], options: dict[str, float], why: str
):
    assert why_unbelievable(segment(text, **options), speech) == why


def test_a_phrase_answers_for_itself_not_for_its_window():
    """An engine tells the ratio of all that it wrote in 30 s, which may hold fifteen short answers."""
    assert why_unbelievable(segment(" fine", compression_ratio=2.7), TALK) is None


@pytest.mark.parametrize(
    "text",
    [
        "No, no, no, no!",
        "Yes yes yes yes.",
        "No no no no no that's wrong",
        "No no no no no no no no",
        "My PIN is one one one one.",
        "zero zero zero zero zero one",
        "It ends in 1 1 1 1 1 1",
    ],
)
def test_anger_and_numbers_that_are_read_out_are_no_loop(text: str):
    assert why_unbelievable(segment(text), TALK) is None


def test_the_same_answer_to_one_question_after_another_is_no_loop():
    answers = [segment(" Yes.", start=5.0 * i, end=5.0 * i + 0.6) for i in range(6)]
    pauses = [(answer.start, answer.end) for answer in answers]
    assert disbelieve(answers, pauses) == [None] * 6


def test_a_phrase_over_and_over_without_a_pause_is_a_loop():
    phrases = [segment(" I know that.", start=2.0 * i, end=2.0 * i + 2.0) for i in range(5)]
    assert disbelieve(phrases, [(0.0, 10.0)]) == ["loop"] * 5
    other = segment(" So what?", start=10.0, end=11.0)
    assert disbelieve([*phrases[:3], other], [(0.0, 11.0)]) == [None] * 4


def test_thanks_that_were_said_stay():
    """A stock phrase is doubted over silence alone: callers do say thank you."""
    for text in ("Thank you", "Bye-bye.", "Thanks!"):
        assert plain(text) in STOCK
        assert why_unbelievable(segment(text), TALK) is None


def test_words_are_compared_by_letters_and_digits_alone():
    assert plain("  Społeczność Amara.org, don’t ÉTÉ! ") == "społecznosc amara org dont ete"


@pytest.mark.parametrize("length", [0.0, -1.0])
def test_a_segment_without_length_is_not_believed(length: float):
    assert why_unbelievable(segment("hello", end=length), TALK) == "no speech"
