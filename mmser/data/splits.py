"""Which speakers train, validate and test."""

from collections.abc import Collection, Mapping, Sequence

from mmser.data.schema import SPLITS, Split
from mmser.data.tables import listing, nearest
from mmser.errors import DataError

Splits = Mapping[str, Sequence[str]]
"""Split → its speakers, as the corpus names them: {"test": ["06"], "validation": ["01"]}."""


def assign_splits(named: Splits | None, speakers: Collection[str], corpus: str) -> dict[str, Split]:
    """Give every speaker a split; those that are not named train.

    Args:
        named: speakers by split; None = all train.
        speakers: those that the corpus holds.
        corpus: for messages.

    Raises:
        DataError: if a split is unknown, a speaker is named twice, or is not in the corpus.
    """
    chosen = named_splits(named, corpus)
    for speaker, split in chosen.items():
        if speaker not in speakers:
            raise DataError(
                f"{corpus} has no speaker {speaker!r}, whom the split {split} names; "
                f"it has {listing(sorted(speakers), 30)}"
            )
    return {speaker: chosen.get(speaker, "train") for speaker in sorted(speakers)}


def named_splits(named: Splits | None, corpus: str) -> dict[str, Split]:
    """Return speaker → split of those that are named.

    Raises:
        DataError: if a split is unknown or a speaker is named twice.
    """
    found: dict[str, Split] = {}
    for name, members in (named or {}).items():
        split = next((known for known in SPLITS if known == name), None)
        if split is None:
            raise DataError(f"{corpus} has no split {name!r}; {nearest(name, SPLITS)}")
        for speaker in map(str, members):
            if speaker in found:
                raise DataError(f"{corpus}: the splits name the speaker {speaker!r} twice; name each once")
            found[speaker] = split
    return found
