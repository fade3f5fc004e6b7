"""The language of a text."""

import pytest

from mmser.language import detect_language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("I have been waiting for three weeks and nobody has called me back about my order.", "en"),
        ("Ich warte seit drei Wochen auf meine Bestellung und niemand hat mich zurückgerufen.", "de"),
        ("Czekam na swoje zamówienie od trzech tygodni i nikt do mnie nie oddzwonił.", "pl"),
        ("Avete anche voi la sensazione che in questo momento storico tutto vada male?", "it"),
    ],
)
def test_languages_are_told_apart(text: str, language: str) -> None:
    assert detect_language(text) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Das kann doch nicht wahr sein!", "de"),
        ("Interesuje mnie historia Polski.", "pl"),
        ("No entiendo lo que dice.", "es"),
        ("Vous pouvez m'aider, s'il vous plaît ?", "fr"),
        ("Мне никто не перезвонил.", "ru"),
        ("我等了三个星期了", "zh"),
        ("Nobody ever calls me back.", "en"),
    ],
)
def test_a_short_sentence_is_enough_where_it_is_clear(text: str, language: str) -> None:
    assert detect_language(text) == language


@pytest.mark.parametrize(
    "text",
    [
        "", "Okay, thanks.", "1234567890 " * 10, "?!… " * 50, "No, no, no! " * 20, "Not yet! " * 8,
        "Hi Frannie, congratulations.", "Did anybody call for security?", "Joey? Joey Tribbiani?",
        "Okay, go left. Left! Left!",
    ],
)  # fmt: skip
def test_too_little_text_is_not_guessed(text: str) -> None:
    assert detect_language(text) is None
