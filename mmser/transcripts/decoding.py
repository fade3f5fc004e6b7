"""Bytes → text: UTF-8 with and without BOM, UTF-16, cp1252."""

import codecs

from mmser.errors import TranscriptError

END_OF_SPEECH = tuple(".?!…\"'”’»)]>;。？！-–—♪")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decode(data: bytes) -> str:
    """Return the text of a file, line ends as single line feeds.

    Raises:
        TranscriptError: if it is empty, binary, or cut or damaged in the middle of a character.
    """
    if not data.strip(b" \t\r\n\x00"):
        raise TranscriptError("the file is empty; a transcript needs at least one turn")
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            text = _strict(data[len(mark) :], encoding)
            break
    else:
        text = _without_mark(data)
    if _is_binary(text):
        raise TranscriptError("the file is binary, not text; give a transcript, not a recording or document")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _without_mark(data: bytes) -> str:
    head = data[:4096]
    for encoding, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[0::2])):
        if len(zeros) > 1 and zeros.count(0) > 0.4 * len(zeros) and head.count(0) < 0.7 * len(head):
            return _strict(data, encoding)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        # Valid accents before the fault mean UTF-8 that was cut or damaged; cp1252 would turn the
        # whole file into nonsense.
        if not data[: error.start].isascii():
            raise _damaged("UTF-8", error) from error
        return _strict(data, "cp1252")


def ends_abruptly(text: str) -> bool:
    """Tell whether a text stops without a line break and without the end of a sentence."""
    return not text.endswith("\n") and not text.rstrip().endswith(END_OF_SPEECH)


def _strict(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding == "cp1252":
            raise TranscriptError("the file is neither UTF-8, UTF-16 nor cp1252 text") from error
        raise _damaged(encoding.upper(), error) from error


def _damaged(encoding: str, error: UnicodeDecodeError) -> TranscriptError:
    return TranscriptError(
        f"the {encoding} text is cut or damaged at byte {error.start}; save or export the transcript again"
    )


def _is_binary(text: str) -> bool:
    sample = text[:65536]
    odd = sum(char < " " and char not in "\t\n\r\f\v\x1b\x1c\x1d\x1e" for char in sample)
    return "\x00" in text or odd > 0.01 * len(sample)
