"""What the terminal and the page show alike: clock times, which moments stand out, where words came from."""

from collections.abc import Sequence

from mmser.types import Recognition, Redaction, Seconds, TurnReport


def clock(seconds: Seconds | None) -> str:
    """Return a time as `m:ss` or `h:mm:ss`, cut to whole seconds as players do; "–" for None."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def strongest(turns: Sequence[TurnReport], count: int) -> list[int]:
    """Return the positions, in order, of the `count` turns whose emotion stands out most.

    Neutral and uncertain turns do not compete. The measure is intensity times confidence; turns without an
    intensity, judged from words alone, come after all others, by confidence.
    """
    clear = [
        (*_strength(turn), -position)
        for position, turn in enumerate(turns)
        if turn.emotion is not None and turn.emotion.label not in (None, "neutral")
    ]
    return sorted(-position for *_, position in sorted(clear, reverse=True)[:count])


def _strength(turn: TurnReport) -> tuple[bool, float]:
    confidence = 0.0 if turn.emotion is None else turn.emotion.confidence
    if turn.intensity is None:
        return False, confidence
    return True, turn.intensity.value * confidence


def recognition_words(known: Recognition | None) -> str | None:
    """Say how words were recognised and what was left out; None where mmser did not recognise them."""
    if known is None:
        return None
    parts = [f"{known.recogniser} ({known.version})", f"{known.num_words:,} words"]
    if known.confidence is not None:
        parts.append(f"{known.confidence:.0%} sure")
    if known.language is not None and known.language_probability is not None:
        parts.append(f"language {known.language} ({known.language_probability:.0%} sure)")
    elif known.language is not None:
        parts.append(f"language {known.language} (stated)")
    if known.dropped:
        told = ", ".join(f"{reason} {count}" for reason, count in known.dropped.items())
        parts.append(f"{sum(known.dropped.values())} not believed ({told})")
    if known.crosstalk_words:
        parts.append(f"{known.crosstalk_words} words of crosstalk left out")
    return " · ".join(parts)


def redaction_words(redaction: Redaction | None) -> str | None:
    """Say what was taken out of the words; None where nothing was to be."""
    if redaction is None:
        return None
    counts = redaction.counts
    return ", ".join(f"{kind.replace('_', ' ')} {count}" for kind, count in counts.items()) or "nothing found"
