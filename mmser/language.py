"""Which language a text is in, so that words the text encoder cannot read count as missing."""

MIN_LETTERS = 40  # below, the guess says more about the model than about the text


def detect_language(text: str) -> str | None:
    """Return the ISO 639-1 code of a text's language, None where it is too short to tell."""
    if sum(char.isalpha() for char in text) < MIN_LETTERS:
        return None
    from py3langid.langid import classify  # loads a model of 2 MB on the first call

    code, _ = classify(text)
    return str(code)
