"""Personal data that is spoken: found in the words of a call and taken out of them."""

from mmser.redaction.marking import PAD
from mmser.redaction.patterns import KINDS, Pattern, parse_patterns
from mmser.redaction.redact import Redacted, redact_turns
from mmser.redaction.transcript import redact_transcript

__all__ = ["KINDS", "PAD", "Pattern", "Redacted", "parse_patterns", "redact_transcript", "redact_turns"]
