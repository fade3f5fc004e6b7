"""Praat TextGrid: a tier per speaker, or one word tier as forced aligners write it."""

import re
from typing import Any, Final

from mmser.errors import TranscriptError
from mmser.transcripts.entries import Entry, Parsed, Token, entries_from_tokens
from mmser.transcripts.names import numbered
from mmser.types import Word

_SILENCE: Final = {"", "sp", "sil", "spn", "silence", "<eps>", "<sil>", "#", "<p>", "<p:>", "pau", "_"}
_WORDS = re.compile(r"(?:(?P<speaker>.+?)\s*[-_:/ ]\s*)?words?", re.IGNORECASE)
_PHONES = re.compile(r"(?:.+[-_:/ ]\s*)?(?:phones?|phonemes?|segments?|syllables?|kan|mau)", re.IGNORECASE)
_DIARIZATION = re.compile(r"speakers?|diari[sz]ation|speaker[ _-]?turns?", re.IGNORECASE)
_LONG_SIZE: Final = re.compile(r"(?:intervals|points)\s*:\s*size\s*=\s*(\d{1,9})")
_SHORT_SIZE: Final = re.compile(r'"(?:IntervalTier|TextTier)"\s+"(?:[^"]|"")*"\s+\S+\s+\S+\s+(\d{1,9})')


def sniff_textgrid(text: str) -> bool:
    """Tell whether a text is a TextGrid, long or short."""
    head = text[:300]
    return "ooTextFile" in head and "TextGrid" in head


def read_textgrid(text: str) -> Parsed:
    """Read the word tiers; without one, each interval tier is a speaker and its labels are the text.

    A tier named "speaker" or "diarization" holds speakers' names and no words.

    Raises:
        TranscriptError: if the file is cut or malformed.
    """
    tiers = [tier for tier in _parse(text) if tier["class"] == "IntervalTier"]
    words = [tier for tier in tiers if _WORDS.fullmatch(tier["name"].strip())]
    who = [tier for tier in tiers if _DIARIZATION.fullmatch(tier["name"].strip())]
    spoken = [tier for tier in tiers if not _PHONES.fullmatch(tier["name"].strip()) and tier["entries"]]
    parsed = Parsed(format="textgrid", entries=[], file_order=False)
    used = words or who or spoken
    for tier in used:
        if words:
            parsed.entries += _word_tier(tier)
        elif who:
            parsed.entries += _intervals(tier, named_by_label=True)
        else:
            parsed.entries += _intervals(tier, named_by_label=False)
    parsed.spoken_only = not words and bool(who)
    unused = [str(number) for number, tier in enumerate(tiers, start=1) if tier not in used]
    if unused:
        # By number: a tier's name is free text, and warnings quote none.
        more = " and more" if len(unused) > 9 else ""
        parsed.warnings.append(f"tiers left out: number {', '.join(unused[:9])}{more} of {len(tiers)}")
    return parsed


def _parse(text: str) -> list[dict[str, Any]]:
    from praatio.utilities.errors import PraatioException
    from praatio.utilities.textgrid_io import parseTextgridStr

    try:
        tiers: list[dict[str, Any]] = parseTextgridStr(text, True)["tiers"]
    except (PraatioException, ValueError, IndexError, KeyError, AttributeError, TypeError) as error:
        # praatio searches the string for its keywords: whatever is missing ends in one of these.
        raise TranscriptError(f"it is a cut or broken TextGrid ({error}); save it again in Praat") from error
    _check_complete(text, tiers)
    return tiers


def _check_complete(text: str, tiers: list[dict[str, Any]]) -> None:
    """Refuse a file that holds fewer tiers or intervals than it announces: it was cut."""
    long = re.search(r"^\s*xmin\s*=", text, re.MULTILINE) is not None
    size = re.search(r"^size\s*=\s*(\d{1,9})" if long else r"<exists>\s+(\d{1,9})", text, re.MULTILINE)
    announced = (_LONG_SIZE if long else _SHORT_SIZE).findall(text)
    wanted = int(size[1]) if size else len(tiers)
    if not wanted == len(tiers) == len(announced):
        raise TranscriptError(f"it announces {wanted} tiers and holds {len(tiers)}: the file is cut")
    for tier, number in zip(tiers, announced, strict=True):
        if len(tier["entries"]) < int(number):
            raise TranscriptError(
                f"tier {tier['name']!r} announces {number} intervals and holds {len(tier['entries'])}: "
                f"the file is cut"
            )
    if text.count('"') % 2:
        raise TranscriptError("a label's closing quote is missing: the file is cut")


def _labelled(tier: dict[str, Any]) -> list[tuple[float, float, str]]:
    kept = []
    for start, end, label in tier["entries"]:
        if label.strip().casefold() not in _SILENCE:
            kept.append((float(start), float(end), label.strip()))
    return kept


def _word_tier(tier: dict[str, Any]) -> list[Entry]:
    match = _WORDS.fullmatch(tier["name"].strip())
    speaker = numbered(match["speaker"]) if match and match["speaker"] else None
    tokens = [
        Token(word=Word(text=label, start=start, end=end), speaker=speaker)
        for start, end, label in _labelled(tier)
    ]
    return entries_from_tokens(tokens, f"tier {tier['name']!r}")


def _intervals(tier: dict[str, Any], *, named_by_label: bool) -> list[Entry]:
    return [
        Entry(
            where=f"tier {tier['name']!r}, interval {number}",
            start=start,
            end=end,
            speaker=numbered(label if named_by_label else tier["name"]),
            text=None if named_by_label else label,
        )
        for number, (start, end, label) in enumerate(_labelled(tier), start=1)
    ]
