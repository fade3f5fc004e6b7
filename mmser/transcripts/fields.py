"""Typed access to parsed JSON, so that a malformed file is an error with a place, not a crash."""

import re
from typing import Any

from mmser.errors import TranscriptError
from mmser.types import Seconds

Json = dict[str, Any]

_LANGUAGES = {
    "english": "en", "german": "de", "french": "fr", "spanish": "es", "italian": "it", "dutch": "nl",
    "portuguese": "pt", "polish": "pl", "russian": "ru", "chinese": "zh", "japanese": "ja",
    "korean": "ko", "arabic": "ar", "turkish": "tr", "hindi": "hi", "swedish": "sv", "ukrainian": "uk",
    "czech": "cs", "danish": "da", "finnish": "fi", "greek": "el", "norwegian": "no",
}  # fmt: skip

# ISO 639-2 (T and, where it differs, B) and 639-3, as captions state them. No library that mmser needs
# has this table: whisper's, transformers' and datasets' know names and two letters only.
_THREE_LETTERS = {
    "eng": "en", "deu": "de", "ger": "de", "fra": "fr", "fre": "fr", "spa": "es", "ita": "it", "nld": "nl",
    "dut": "nl", "por": "pt", "pol": "pl", "rus": "ru", "zho": "zh", "chi": "zh", "cmn": "zh", "jpn": "ja",
    "kor": "ko", "ara": "ar", "arb": "ar", "tur": "tr", "hin": "hi", "swe": "sv", "ukr": "uk", "ces": "cs",
    "cze": "cs", "dan": "da", "fin": "fi", "ell": "el", "gre": "el", "nor": "no", "nob": "nb", "nno": "nn",
    "hun": "hu", "ron": "ro", "rum": "ro", "bul": "bg", "hrv": "hr", "srp": "sr", "bos": "bs", "slk": "sk",
    "slo": "sk", "slv": "sl", "lit": "lt", "lav": "lv", "est": "et", "isl": "is", "ice": "is", "gle": "ga",
    "cym": "cy", "wel": "cy", "cat": "ca", "glg": "gl", "eus": "eu", "baq": "eu", "mkd": "mk", "mac": "mk",
    "sqi": "sq", "alb": "sq", "bel": "be", "mlt": "mt", "heb": "he", "fas": "fa", "per": "fa", "pes": "fa",
    "urd": "ur", "ben": "bn", "tam": "ta", "tel": "te", "mar": "mr", "guj": "gu", "kan": "kn", "mal": "ml",
    "pan": "pa", "nep": "ne", "sin": "si", "tha": "th", "vie": "vi", "ind": "id", "msa": "ms", "may": "ms",
    "zsm": "ms", "tgl": "tl", "swa": "sw", "swh": "sw", "afr": "af", "zul": "zu", "xho": "xh", "hau": "ha",
    "yor": "yo", "ibo": "ig", "amh": "am", "som": "so", "kat": "ka", "geo": "ka", "hye": "hy", "arm": "hy",
    "aze": "az", "kaz": "kk", "uzb": "uz", "mon": "mn", "mya": "my", "bur": "my", "khm": "km", "lao": "lo",
}  # fmt: skip


def is_object(value: object, *keys: str) -> bool:
    """Tell whether `value` is a JSON object that has all the keys."""
    return isinstance(value, dict) and all(key in value for key in keys)


def get(value: object, *path: str | int) -> Any:
    """Follow keys and indices; None where the way ends."""
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def objects(value: object, where: str) -> list[Json]:
    """Return a list of JSON objects.

    Raises:
        TranscriptError: if `value` is anything else.
    """
    if not isinstance(value, list):
        raise TranscriptError(f"{where}: expected a list, found {kind(value)}")
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise TranscriptError(f"{where}[{index}]: expected an object, found {kind(item)}")
    return value


def string(item: Json, key: str, where: str) -> str:
    """Return a string field.

    Raises:
        TranscriptError: if it is missing or not a string.
    """
    value = item.get(key)
    if not isinstance(value, str):
        found = kind(value) if key in item else "nothing"
        raise TranscriptError(f"{where}: {key!r} should be a string, found {found}")
    return value


def seconds(value: object, where: str, *, per_second: float = 1.0) -> Seconds:
    """Return a number or numeric string as seconds; `per_second` units make one second.

    Raises:
        TranscriptError: if it is no number.
    """
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            return float(value) / per_second
        except (ValueError, OverflowError):
            pass
    raise TranscriptError(f"{where}: {shown(value)} is not a time; a number of seconds is needed")


def optional_seconds(value: object, where: str, *, per_second: float = 1.0) -> Seconds | None:
    """Return seconds as `seconds` does, or None for null."""
    return None if value is None else seconds(value, where, per_second=per_second)


def confidence(value: object) -> float | None:
    """Return a confidence in [0, 1], or None where the file states none that can be one."""
    try:
        number = float(value) if isinstance(value, int | float | str) else -1.0
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number <= 1 else None


def channel(value: object, *, first: int = 0) -> int | None:
    """Return a 0-based channel from a number or a name such as "ch_1" or "B"; `first` is the file's base."""
    if isinstance(value, str):
        digits = re.search(r"(\d{1,3})$", value)
        if digits:
            value = int(digits[1])
        elif len(value) == 1 and "A" <= value.upper() <= "H":
            return ord(value.upper()) - ord("A")
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value - first if 0 <= value - first < 64 else None


def language_code(value: object) -> str | None:
    """Return "en" for "en-US", "EN", "eng" or "english"; None where nothing usable is stated."""
    if not isinstance(value, str):
        return None
    plain = value.strip().casefold()
    code = _LANGUAGES.get(plain) or re.split(r"[-_]", plain)[0]
    code = _THREE_LETTERS.get(code, code)
    return code if re.fullmatch(r"[a-z]{2,3}", code) and code not in ("und", "mul", "zxx") else None


def kind(value: object) -> str:
    """Name a JSON value's type in plain words."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
    return names.get(type(value), "null" if value is None else "a number")


def shown(value: object) -> str:
    """Return a short form of a received value for an error message."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
