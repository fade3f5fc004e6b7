"""What a result says beside its numbers: how the data were divided, marks, what is not scored."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mmser.data import Example
from mmser.evaluation.division.folds import Division
from mmser.evaluation.judged import Judged, name_of
from mmser.evaluation.judging import is_labelled
from mmser.evaluation.result import FoldInfo, Part, ProtocolInfo


def protocol_info(division: Division, draws: int) -> ProtocolInfo:
    """Return what a result says of how the data were divided; `draws` are the bootstrap's."""
    return ProtocolInfo(
        name=division.protocol,
        description=division.description,
        split=division.split,
        seed=division.seed,
        draws=draws,
        folds=tuple(
            FoldInfo(
                name=fold.name,
                held_out=fold.held_out,
                train=sum(map(is_labelled, fold.train)),
                validation=sum(map(is_labelled, fold.validation)),
                test=sum(map(is_labelled, fold.test)),
            )
            for fold in division.folds
        ),
    )


def some_rows(examples: Sequence[Example], most: int, seed: int) -> list[Example]:
    """Return at most about `most` rows of each corpus, whole dialogues together, drawn by seed."""
    groups: dict[str, dict[str, list[Example]]] = {}
    for example in sorted(examples, key=name_of):
        own = groups.setdefault(example.corpus, {})
        own.setdefault(example.dialogue_id or name_of(example), []).append(example)
    kept: set[str] = set()
    for corpus in sorted(groups):
        rng = np.random.default_rng(seed)
        names = sorted(groups[corpus])
        count = 0
        for place in rng.permutation(len(names)):
            if count >= most:
                break
            chosen = groups[corpus][names[place]]
            kept |= {name_of(example) for example in chosen}
            count += len(chosen)
    return [example for example in examples if name_of(example) in kept]


def in_dialogues(examples: Sequence[Example]) -> list[Example]:
    """Return the rows that have others of their dialogue beside them."""
    sizes = Counter(example.dialogue_id for example in examples if example.dialogue_id is not None)
    return [e for e in examples if e.dialogue_id is not None and sizes[e.dialogue_id] > 1]


def unknown_labels(judged: Judged) -> list[str]:
    """Say which labels of the data the model has no class for."""
    strange: dict[str, int] = {}
    for example in judged.examples:
        for label in example.emotions:
            if label not in judged.labels:
                strange[label] = strange.get(label, 0) + 1
    return [
        f"{count} rows are labelled {label}, which is no class of what is evaluated: it is not scored"
        for label, count in sorted(strange.items())
    ]


def unscored_labels(judged: Judged, parts: Sequence[Part]) -> list[str]:
    """Say how many rows with several labels are in no number, since no thresholds could be chosen."""
    scored = {part.data for part in parts if part.multi_label is not None}
    count = sum(len(e.emotions) > 1 and e.corpus not in scored for e in judged.examples)
    if not count:
        return []
    return [
        f"{count} rows carry several labels, and no validation rows are there to choose thresholds on: their "
        "emotion is not scored"
    ]


def one_class(judged: Judged) -> list[str]:
    """Say so where all rows carry the same label: whoever always says it is right every time."""
    found = {label for example in judged.examples for label in example.emotions}
    if len(found) != 1:
        return []
    return [
        f"all rows are labelled {found.pop()}: scores of emotion do not tell how well classes are told apart"
    ]


def leaks(training_mark: str) -> list[str]:
    """Return what of a model's own mark bears on every number: that its training and validation leaked."""
    return [training_mark] if "overlap allowed" in training_mark else []


def joined(*texts: str | None) -> str | None:
    """Return marks as one text, each corpus's once; None without any."""
    marks = [mark for text in texts if text for mark in re.split(r"; (?=[\w -]+: )", text)]
    return "; ".join(dict.fromkeys(marks)) or None


def without_scripts(examples: Sequence[Example]) -> tuple[list[Example], list[str]]:
    """Take the words of clips that speak a script's sentences, and say so.

    The same sentences are said in every emotion: given to a model, they test how it bears words that mean
    nothing, and given to a baseline of words, nothing at all.
    """
    spoken = [e.sentence is not None and e.audio is not None and e.text is not None for e in examples]
    if not any(spoken):
        return list(examples), []
    kept = [replace(e, text=None) if s else e for e, s in zip(examples, spoken, strict=True)]
    told = (
        f"{sum(spoken)} rows speak the sentences of a script, said in every emotion: they are heard, not read"
    )
    return kept, [told]


def unnamed(examples: Sequence[Example]) -> list[str]:
    """Say of how many rows with sound nobody can tell who speaks."""
    count = sum(e.audio is not None and e.speaker is None and e.dialogue_id is None for e in examples)
    if not count:
        return []
    return [
        f"{count} rows with sound name no speaker: each counts as independent, so that intervals are too "
        "narrow where voices return, and no leak by speaker can be seen; fill the column speaker"
    ]


def repeated(examples: Sequence[Example]) -> list[str]:
    """Say how many rows are of a clip that an earlier row is of, as where one corpus is named twice."""
    clips = [(e.audio, e.start, e.end, e.channel) for e in examples if e.audio is not None]
    count = len(clips) - len(set(clips))
    if not count:
        return []
    return [
        f"{count} rows are of a clip that another row is of as well: it counts twice, leave one of them out"
    ]


def passed_over(examples: Sequence[Example]) -> list[str]:
    """Say of how many rows nothing, or not all that they are labelled with, is scored."""
    bare = sum(not is_labelled(e) and e.dialogue_id is None for e in examples)
    lone = sum(e.change is not None and e.dialogue_id is None for e in examples)
    told = [f"{bare} rows carry no label and are in no dialogue: they are passed over"] if bare else []
    if lone:
        told.append(f"{lone} rows carry a change and are in no dialogue: it is not scored")
    return told
