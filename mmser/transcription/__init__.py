"""From sound to words: recognisers of the Whisper family, and what keeps their answers honest."""

from mmser.transcription.call import AsrRequest, transcribe_call
from mmser.transcription.opening import open_recogniser

__all__ = ["AsrRequest", "open_recogniser", "transcribe_call"]
