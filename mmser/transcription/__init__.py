"""From sound to words: recognisers of the Whisper family, and what keeps their answers honest."""
