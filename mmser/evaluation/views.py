"""Views of a model: the same rows without their words, without their sound, without what came before."""

from collections.abc import Sequence
from dataclasses import dataclass

from mmser.data import Example
from mmser.evaluation.comparing.contenders import audio_only, text_only
from mmser.evaluation.judged import name_of
from mmser.evaluation.judging import Alter, as_it_is, is_labelled
from mmser.evaluation.telling import in_dialogues

ONE_KIND = "no row has both sound and words: what each adds to the other cannot be told on these data"


@dataclass(frozen=True, kw_only=True)
class View:
    """What is judged once more, and how."""

    name: str
    alter: Alter = as_it_is
    context: bool = True
    rows: tuple[Example, ...]  # that are judged
    told: frozenset[str]  # names of those that are compared: the others would be the same answers again


def views_of(examples: Sequence[Example]) -> list[View]:
    """Return the views that some of the labelled rows are other rows in.

    Args:
        examples: of a fold, with the turns around them.
    """
    both = frozenset(name_of(e) for e in examples if is_labelled(e) and e.audio is not None and e.text)
    found = []
    if both:
        sound, words = (e for e in examples if e.audio is not None), (e for e in examples if e.text)
        found += [
            View(name="audio only", alter=audio_only, rows=tuple(sound), told=both),
            View(name="text only", alter=text_only, rows=tuple(words), told=both),
        ]
    talks = tuple(in_dialogues(examples))
    if any(is_labelled(e) for e in talks):
        names = frozenset(name_of(e) for e in talks)
        found.append(View(name="without context", context=False, rows=talks, told=names))
    return found


def is_of_one_kind(examples: Sequence[Example]) -> bool:
    """Tell whether some rows have sound and some have words, and none has both."""
    kinds = {(e.audio is not None, bool(e.text)) for e in examples if is_labelled(e)}
    return {(True, False), (False, True)} <= kinds and (True, True) not in kinds
