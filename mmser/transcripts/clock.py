"""Times as files write them → seconds."""

import re

from mmser.errors import TranscriptError
from mmser.transcripts.fields import shown
from mmser.types import Seconds

_CLOCK = re.compile(r"(?:(?:(\d{1,4}):)?(\d{1,4}):)?(\d{1,9}(?:[.,]\d{1,9})?)", re.ASCII)
_ISO = re.compile(r"PT(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,9}(?:[.,]\d{1,9})?)S)?", re.ASCII)


def clock_seconds(text: str, where: str) -> Seconds:
    """Return the seconds of "hh:mm:ss.mmm", "mm:ss,mmm" or plain "12.5".

    Raises:
        TranscriptError: if the text is no such time.
    """
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        raise TranscriptError(f"{where}: {shown(text)} is not a time such as 00:01:05.250 or 65.25")
    hours, minutes, rest = match.groups()
    total = float(rest.replace(",", ".")) + 60 * int(minutes or 0) + 3600 * int(hours or 0)
    if (minutes is not None and float(rest.replace(",", ".")) >= 60) or (hours and int(minutes) >= 60):
        raise TranscriptError(f"{where}: {shown(text)} has more than 59 minutes or seconds")
    return round(total, 9)


def duration_seconds(value: object, where: str) -> Seconds:
    """Return the seconds of an ISO 8601 duration ("PT1M48.05S") or of Google's "1.500s".

    Raises:
        TranscriptError: if the value is neither.
    """
    if isinstance(value, str):
        if re.fullmatch(r"\d{1,9}(?:\.\d{1,9})?s", value, re.ASCII):
            return float(value[:-1])
        match = _ISO.fullmatch(value)
        if match is not None and any(match.groups()):
            hours, minutes, rest = match.groups()
            total = 3600 * int(hours or 0) + 60 * int(minutes or 0) + float((rest or "0").replace(",", "."))
            return round(total, 9)
    raise TranscriptError(f"{where}: {shown(value)} is not a duration such as PT1M48.05S or 1.500s")


def as_clock(seconds: Seconds, decimal: str = ".") -> str:
    """Return "hh:mm:ss.mmm" for seconds ≥ 0."""
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}{decimal}{rest % 1000:03d}"
