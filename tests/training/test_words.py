"""Words cut to what the text encoder takes."""

import pytest

from mmser.training.words import fitting
from tests.model_fixtures import tiny_tokenizer

TOKENIZER = tiny_tokenizer()


def count_tokens(text: str) -> int:
    return len(TOKENIZER(text)["input_ids"])


@pytest.mark.parametrize(
    "text",
    ["!" * 200, "很" * 180, "https://a.b/" + "abc?" * 80, "parcel " * 400, f"late {'!' * 300}", "parcel", ""],
)
def test_what_is_kept_fits_begins_as_the_text_and_is_as_long_as_can_be(text: str):
    words = text.split()
    kept = fitting(words, 20, count_tokens)
    assert count_tokens(" ".join(kept)) <= 20
    assert " ".join(words).startswith(" ".join(kept)) and bool(kept) == bool(words)
    if kept != words and len(kept) < len(words):
        assert count_tokens(" ".join(words[: len(kept) + 1])) > 20


def test_a_text_that_fits_is_kept_as_it_is():
    assert fitting(["so", "late"], 4, count_tokens) == ["so", "late"]


def test_nothing_is_kept_where_not_even_a_character_fits():
    assert fitting(["!!!!"], 2, count_tokens) == []
