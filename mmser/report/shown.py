"""What the terminal and the page show alike: clock times, and which moments stand out."""

from collections.abc import Sequence

from mmser.types import Seconds, TurnReport


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
