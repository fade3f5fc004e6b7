"""One colour, letter and symbol per emotion, shared by the terminal and the HTML page.

The hues follow Okabe and Ito's colour-blind-safe set, darkened for white and lightened for black pages so
that each keeps a contrast of at least 3 : 1 with its page. Colour never speaks alone: wherever it is used,
the letter, the symbol or the name stands beside it.
"""

from dataclasses import dataclass
from typing import Final

UNCERTAIN: Final = "uncertain"


@dataclass(frozen=True, kw_only=True)
class EmotionStyle:
    """How one emotion looks: `#rrggbb` on a light and on a dark page, one letter, one symbol."""

    color_light: str
    color_dark: str
    letter: str
    symbol: str


def _style(color_light: str, color_dark: str, letter: str, symbol: str) -> EmotionStyle:
    return EmotionStyle(color_light=color_light, color_dark=color_dark, letter=letter, symbol=symbol)


PALETTE: Final[dict[str, EmotionStyle]] = {
    "anger": _style("#c43c00", "#f0702a", "A", "▲"),
    "disgust": _style("#00694c", "#1fb58a", "D", "◆"),
    "fear": _style("#a8307a", "#e290bd", "F", "▼"),
    "happiness": _style("#b88a00", "#f2cf3b", "H", "●"),
    "neutral": _style("#7d8794", "#8a94a1", "N", "■"),
    "sadness": _style("#0a4f94", "#4b8fd9", "S", "○"),
    # "S" is taken by sadness.
    "surprise": _style("#2c8fc7", "#7cc9f2", "U", "★"),
    UNCERTAIN: _style("#4a4f57", "#c9ced6", "?", "·"),
}


def style_of(label: str) -> EmotionStyle:
    """Return the style of `label`; a label that this palette does not know looks like "uncertain"."""
    return PALETTE.get(label, PALETTE[UNCERTAIN])
