"""Whether the emotion moved against the same speaker's previous turn, and which way."""

from collections.abc import Iterable
from dataclasses import replace

from mmser.data.schema import Example
from mmser.labels import VALENCE, direction_of


def with_change(examples: Iterable[Example], *, by_valence: bool = False) -> list[Example]:
    """Return the examples with `change` filled in, dialogue by dialogue.

    It stays None on a speaker's first turn, and where this turn or the one before has not exactly one emotion
    of the seven. The order of the examples is kept; turns are compared in order of `turn_index`.

    Args:
        examples: all turns of every dialogue.
        by_valence: True = the direction follows the examples' `valence` (a rated sentiment); False = it
            follows the emotions, and a shift to or from surprise is "shift", its direction unknown.
    """
    found = list(examples)
    order = sorted(range(len(found)), key=lambda i: (found[i].dialogue_id or "", found[i].turn_index or 0))
    last: dict[tuple[str, str], Example] = {}
    for i in order:
        example = found[i]
        if example.dialogue_id is None or example.speaker is None:
            continue
        key = (example.dialogue_id, example.speaker)
        before = last.get(key)
        last[key] = example
        if before is not None:
            found[i] = replace(example, change=_change(before, example, by_valence))
    return found


def _change(before: Example, now: Example, by_valence: bool) -> str | None:
    if not (_is_single(before) and _is_single(now)):
        return None
    if before.emotions == now.emotions:
        return "none"
    if by_valence:
        if before.valence is None or now.valence is None:
            return "shift"
        if before.valence == now.valence:
            return "lateral"
        return "better" if now.valence > before.valence else "worse"
    return direction_of(before.emotions[0], now.emotions[0]) or "shift"


def _is_single(example: Example) -> bool:
    return len(example.emotions) == 1 and example.emotions[0] in VALENCE
