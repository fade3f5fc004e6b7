"""Which recognised words are believed: cases as recognisers of the Whisper family write them."""

import pytest

from mmser.transcription.guard import STOCK, plain, why_unbelievable
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
        (" mmm mmm mmm mmm mmm", TALK, {}, "loop"),
        (" aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", TALK, {}, "loop"),
        (" And the the price of it was", TALK, {"log_probability": -2.1}, "low confidence"),
        (" I would like to know when exactly it will be delivered to me", TALK, {"end": 1.0}, "too fast"),
    ],
)
def test_what_was_made_up_is_not(
    text: str, speech: list[tuple[float, float]], options: dict[str, float], why: str
):
    assert why_unbelievable(segment(text, **options), speech) == why


def test_the_engines_own_compression_ratio_counts():
    assert why_unbelievable(segment(" fine", compression_ratio=2.5), TALK) == "loop"
    assert why_unbelievable(segment(" fine", compression_ratio=2.3), TALK) is None


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
