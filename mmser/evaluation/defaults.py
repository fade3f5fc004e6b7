"""What an evaluation takes where nobody says otherwise; its command and its parts share these."""

from typing import Final

LEAST_FOLDS: Final = 3  # one trains, one validates, one tests
FOLDS: Final = 5  # of speaker-disjoint and text-independent folds
DRAWS: Final = 1000  # of the bootstrap
ROBUSTNESS_ROWS: Final = 200  # of each corpus are damaged
SPLICED_CALLS: Final = 3  # made of each speaker's clips
