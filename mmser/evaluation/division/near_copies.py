"""Clips of the user's own data that hold one recording, encoded or cut differently, as in the audit."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mmser.data import Example
from mmser.data.audit.fingerprint import find_matches, is_copy, take_print
from mmser.data.licences import licence_of
from mmser.errors import DataError
from mmser.evaluation.division.folds import Division
from mmser.evaluation.sounds import Sounds
from mmser.progress import ProgressCallback

MOST_SECONDS: Final = 30.0  # of a clip that are looked at
MOST_CLIPS: Final = 5_000
TOO_MANY: Final = "clips are too many to be searched for recordings that were encoded anew: see `mmser audit`"


def near_copies(
    division: Division, sounds: Sounds, progress: ProgressCallback
) -> tuple[list[tuple[Example, Example]], list[str]]:
    """Return pairs of clips of one recording, and what must be told.

    Published corpora are not looked through: their readers know the recordings that stand in them twice.

    Args:
        division: nothing is looked for where no fold has several parts.
        sounds: to read the clips.
        progress: of reading and comparing.
    """
    own = {
        (e.corpus, e.id): e
        for fold in division.folds
        if sum(map(bool, (fold.train, fold.validation, fold.test))) > 1
        for e in fold.rows
        if e.audio is not None and licence_of(e.corpus) is None
    }
    if len(own) > MOST_CLIPS:
        return [], [f"{len(own):,} {TOO_MANY}"]
    heard, prints = [], []
    for done, example in enumerate(own.values(), 1):
        waveform = _read(sounds, example)
        taken = None if waveform is None else take_print(waveform)
        if taken is not None:
            heard.append(example)
            prints.append(taken)
        progress("looking for copies", done, len(own))
    pairs = [
        (heard[match.first], heard[match.second])
        for match in find_matches(prints)
        if is_copy(match, lambda place: _read(sounds, heard[place]))
    ]
    return pairs, []


def _read(sounds: Sounds, example: Example) -> NDArray[np.float32] | None:
    try:
        return sounds.read(example, MOST_SECONDS)
    except DataError:  # said by whoever needs the clip
        return None
