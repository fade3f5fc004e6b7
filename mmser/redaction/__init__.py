"""Personal data that is spoken: found in the words of a call and taken out of them."""

from mmser.redaction.marking import PAD
from mmser.redaction.patterns import KINDS, Pattern, parse_patterns
from mmser.redaction.redact import Redacted, redact_turns
from mmser.redaction.transcript import UNSURE, is_unsure, redact_lines, redact_transcript

__all__ = [
    "KINDS",
    "PAD",
    "UNSURE",
    "Pattern",
    "Redacted",
    "is_unsure",
    "parse_patterns",
    "redact_lines",
    "redact_transcript",
    "redact_turns",
]
