"""The words for digits and small numbers in English, German, Spanish and French, without accents."""

from typing import Final


def word_set(text: str) -> frozenset[str]:
    """Return the words of a list that is written as running text."""
    return frozenset(text.split())


_UNITS: Final = {
    "en": "zero one two three four five six seven eight nine",
    "de": "null eins zwei drei vier funf sechs sieben acht neun",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve",
    "fr": "zero un deux trois quatre cinq six sept huit neuf",
}
_TEENS: Final = {
    "en": "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen",
    "de": "zehn elf zwolf dreizehn vierzehn funfzehn sechzehn siebzehn achtzehn neunzehn",
    # Spanish "once" (11) is left out: in English talk it is no number.
    "es": "diez - doce trece catorce quince dieciseis diecisiete dieciocho diecinueve",
    "fr": "dix onze douze treize quatorze quinze seize",
}
_TENS: Final = {
    "en": "twenty thirty forty fifty sixty seventy eighty ninety",
    "de": "zwanzig dreißig vierzig funfzig sechzig siebzig achtzig neunzig",
    "es": "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa",
    "fr": "vingt trente quarante cinquante soixante septante octante nonante",
}
_OTHERS: Final = {"oh": "0", "o": "0", "nought": "0", "naught": "0", "nil": "0", "zwo": "2", "ein": "1"}
_OTHERS_TEENS: Final = {"fourty": "40", "huitante": "80", "dreissig": "30", "fuenf": "5", "zwoelf": "12"}


def _german_compounds() -> dict[str, str]:
    """Return "einundzwanzig" → "21" up to "neunundneunzig" → "99"."""
    units = ["ein", *_UNITS["de"].split()[2:], "fuenf", "zwo"]
    values = [*range(1, 10), 5, 2]
    tens = {**dict(zip(_TENS["de"].split(), range(20, 100, 10), strict=True)), "dreissig": 30}
    return {
        f"{unit}und{ten}": str(base + value)
        for ten, base in tens.items()
        for unit, value in zip(units, values, strict=True)
    }


def _spanish_twenties() -> dict[str, str]:
    return {f"veinti{unit}": f"2{value}" for value, unit in enumerate(_UNITS["es"].split()) if value} | {
        "veintiun": "21"
    }


# A word → what is 1 to 9, in digits.
UNITS: Final = {
    word: str(value) for words in _UNITS.values() for value, word in enumerate(words.split()) if value
} | {"zwo": "2", "ein": "1", "fuenf": "5"}
# A word → 20, 30, … 90, in digits.
TENS: Final = {
    word: str(value)
    for words in _TENS.values()
    for value, word in zip(range(20, 100, 10), words.split(), strict=True)
} | {"fourty": "40", "huitante": "80", "dreissig": "30", "fuenfzig": "50"}
# A word → its digits, for everything below 100 that is one word.
NUMERALS: Final = (
    {word: "0" for word in ("zero", "null", "cero")}
    | UNITS
    | {
        word: str(value)
        for words in _TEENS.values()
        for value, word in enumerate(words.split(), 10)
        if word != "-"
    }
    | TENS
    | _OTHERS
    | _OTHERS_TEENS
    | _german_compounds()
    | _spanish_twenties()
)
# A word → how often the digit after it is said.
TIMES: Final = {
    "double": 2,
    "triple": 3,
    "treble": 3,
    "quadruple": 4,
    "quad": 4,
    "doppel": 2,
    "doppelt": 2,
    "zweimal": 2,
    "dreifach": 3,
    "dreimal": 3,
    "doble": 2,
}
HUNDRED: Final = frozenset({"hundred", "hundert", "cien", "ciento", "cent"})
ROMANCE_AND: Final = frozenset({"y", "et"})  # "treinta y uno", "vingt et un"
ANDS: Final = frozenset({"and", "und", "y", "et"})
THOUSAND: Final = frozenset({"thousand", "tausend", "mil", "mille"})
