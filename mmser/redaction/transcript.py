"""A transcript without the personal data that is spoken in it."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Final

from mmser.redaction.patterns import Pattern
from mmser.redaction.redact import redact_turns
from mmser.speech import merge_speech
from mmser.types import CallReport, Redaction, Transcript, Turn

ESTIMATED: Final = "times_estimated"


UNSURE: Final = (
    "what was taken out of the words cannot be silenced, since their times are estimated: the sound is left "
    "out of the page"
)


def is_unsure(transcript: Transcript | CallReport) -> bool:
    """Tell whether something was taken out of turns whose places are estimated: it may be heard elsewhere."""
    found = transcript.redaction is not None and bool(transcript.redaction.counts)
    return found and any(ESTIMATED in turn.flags or turn.start is None for turn in transcript.turns)


def redact_transcript(transcript: Transcript, patterns: Sequence[Pattern] = ()) -> Transcript:
    """Take personal data out of the words, beside what was taken out earlier.

    Args:
        transcript: its turns with the times that they have on the recording.
        patterns: the user's own.

    Raises:
        UsageError: if a pattern takes too long.
    """
    found = redact_turns(_with_plain_names(transcript.turns, patterns), patterns)
    earlier = transcript.redaction or Redaction(counts={}, spans=())
    counts = Counter(found.counts) + Counter(earlier.counts)
    spans = merge_speech((*found.spans, *((span[0], span[1]) for span in earlier.spans)))
    redaction = Redaction(counts=dict(sorted(counts.items())), spans=tuple(spans))
    warnings = tuple(redact_lines(transcript.warnings, patterns))  # they may name speakers
    return dataclasses.replace(transcript, turns=found.turns, redaction=redaction, warnings=warnings)


def redact_lines(lines: Sequence[str], patterns: Sequence[Pattern] = ()) -> list[str]:
    """Take personal data out of lines that do not belong together: names, warnings."""
    alone = [Turn(id=str(i), start=None, end=None, speaker=str(i), text=line) for i, line in enumerate(lines)]
    return [turn.text or "" for turn in redact_turns(alone, patterns).turns]


def _with_plain_names(turns: Sequence[Turn], patterns: Sequence[Pattern]) -> tuple[Turn, ...]:
    """Take personal data out of speakers' names too: tools call people by number or address."""
    names = list(dict.fromkeys(turn.speaker for turn in turns if turn.speaker))
    plain: dict[str, str] = {}
    for name, text in zip(names, redact_lines(names, patterns), strict=True):
        # Two who are called the same afterwards stay two.
        count = sum(other == text or other.startswith(f"{text} (") for other in plain.values())
        plain[name] = f"{text} ({count + 1})" if text != name and count else text
    return tuple(
        turn
        if turn.speaker is None or plain[turn.speaker] == turn.speaker
        else dataclasses.replace(turn, speaker=plain[turn.speaker])
        for turn in turns
    )
