"""Calls in one line per turn, for the tests of redaction."""

from mmser.redaction import Redacted, redact_turns
from mmser.types import Turn, Word


def turn(number: int, line: str, start: float | None = None, words: bool = False) -> Turn:
    """Return the turn of a line, "agent: mhm" or what the customer says; with `words` each lasts 1 s."""
    speaker, colon, text = line.partition(": ")
    if not colon or speaker not in ("agent", "customer"):
        speaker, text = "customer", line
    said = text.split()
    timed = tuple(
        Word(text=word, start=start + i, end=start + i + 1, confidence=0.9)
        for i, word in enumerate(said if words and start is not None else [])
    )
    end = None if start is None else start + len(said)
    return Turn(id=f"t{number}", start=start, end=end, speaker=speaker, text=text, words=timed)


def turns(*lines: str) -> list[Turn]:
    return [turn(number, line) for number, line in enumerate(lines, 1)]


def timed_turns(*lines: str, words: bool = True, pause: float = 1.0) -> list[Turn]:
    """Return turns one after another, `pause` seconds apart."""
    made: list[Turn] = []
    for number, line in enumerate(lines, 1):
        start = made[-1].end + pause if made and made[-1].end is not None else 0.0
        made.append(turn(number, line, start, words))
    return made


def redacted(*lines: str, **options: object) -> tuple[list[str], dict[str, int]]:
    """Return the texts and counts of a call without times."""
    result = redact_turns(turns(*lines), **options)
    return texts(result), result.counts


def texts(result: Redacted) -> list[str]:
    return [turn.text or "" for turn in result.turns]
