"""Which language a text is in, so that words the text encoder cannot read count as missing."""

import math
import re

# Written without spaces: their words cannot be counted from text, and are joined without any.
UNSPACED = ("zh", "yue", "ja", "th", "lo", "km", "my")

SURE_SIZE = 40  # from here on the likeliest language is the answer
MIN_SIZE = 15  # below, the guess says more about the model than about the text
SHORT_SHARE = 0.5  # between the two, a language must be likelier than all others together


def is_unspaced(language: str | None) -> bool:
    """Tell whether a language, by its code, is written without spaces between words."""
    return (language or "").split("-")[0] in UNSPACED


def detect_language(text: str) -> str | None:
    """Return the ISO 639 code of a text's language, None where it is too short or too doubtful to tell."""
    size = _size(text)
    if size < MIN_SIZE:
        return None
    from py3langid.langid import rank  # loads a model of 2 MB on the first call

    ranked = rank(text)
    code = str(ranked[0][0])
    if size < SURE_SIZE and (len(code) != 2 or _share([score for _, score in ranked], text) < SHORT_SHARE):
        return None  # rare languages, which have three letters, are mostly mistaken English here (pcm, kab)
    return None if code == "zxx" else code  # "no linguistic content"


def _size(text: str) -> int:
    """Count the letters of the distinct words: "no no no" passes for many a language.

    In bytes of UTF-8, since a letter of a smaller script tells more.
    """
    return sum(len(word.encode(errors="ignore")) for word in set(re.findall(r"[^\W\d_]+", text.casefold())))


def _share(scores: list[float], text: str) -> float:
    """Return the probability of the best of the log scores, best first.

    The root of the length as a temperature keeps it honest at any length, as in py3langid's own `norm_probs`.
    """
    temperature = math.sqrt(len(text.encode(errors="ignore")))
    return 1.0 / sum(math.exp((score - scores[0]) / temperature) for score in scores)
