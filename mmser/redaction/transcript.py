"""A transcript without the personal data that is spoken in it."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

from mmser.redaction.patterns import Pattern
from mmser.redaction.redact import redact_turns
from mmser.speech import merge_speech
from mmser.types import Redaction, Transcript


def redact_transcript(transcript: Transcript, patterns: Sequence[Pattern] = ()) -> Transcript:
    """Take personal data out of the words, beside what was taken out earlier.

    Args:
        transcript: its turns with the times that they have on the recording.
        patterns: the user's own.

    Raises:
        UsageError: if a pattern takes too long.
    """
    found = redact_turns(transcript.turns, patterns)
    earlier = transcript.redaction or Redaction(counts={}, spans=())
    counts = Counter(found.counts) + Counter(earlier.counts)
    spans = merge_speech((*found.spans, *((span[0], span[1]) for span in earlier.spans)))
    redaction = Redaction(counts=dict(sorted(counts.items())), spans=tuple(spans))
    return dataclasses.replace(transcript, turns=found.turns, redaction=redaction)
