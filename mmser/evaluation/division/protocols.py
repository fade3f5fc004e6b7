"""How data are divided for an evaluation: the split that they carry, or folds dealt here."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import compress
from types import MappingProxyType
from typing import Final

from mmser.data import Example, Split
from mmser.data.audit import OFFICIAL_SPLITS
from mmser.data.schema import SPLITS
from mmser.data.tables import listing, nearest
from mmser.errors import DataError, UsageError
from mmser.evaluation.defaults import FOLDS, LEAST_FOLDS
from mmser.evaluation.division.folds import (
    Division,
    Plan,
    deal,
    draw_validation,
    folds_of,
    group_rows,
    sizes_by_corpus,
    speakers_of,
)
from mmser.evaluation.judged import name_of
from mmser.evaluation.judging import is_labelled

PROTOCOLS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "split": "the split that the data carry, the publisher's or the configuration's",
        "speaker-folds": "speaker-disjoint folds, dealt at random and even in rows; the next fold's test "
        "validates",
        "leave-one-speaker-out": "each speaker tests once; about 15 % of the other rows validate",
        "leave-one-session-out": "each recording session tests once; about 15 % of the other rows validate",
        "leave-one-corpus-out": "each corpus tests once; about 15 % of the other rows validate",
        "leave-one-language-out": "each language tests once; about 15 % of the other rows validate",
        "text-independent": "held-out speakers say held-out sentences: neither is trained or validated on",
        "emobox-ravdess": "the published RAVDESS folds of EmoBox (Ma et al. 2024); validation, which EmoBox "
        "has none of, is the next fold's test",
    }
)
"""Protocol → what it does, in one line."""

# The actors that test in EmoBox's six folds of RAVDESS.
EMOBOX_RAVDESS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "1": ("01", "11", "20", "21"),
        "2": ("04", "10", "12", "14"),
        "3": ("08", "09", "19", "23"),
        "4": ("03", "05", "07", "24"),
        "5": ("02", "15", "16", "18"),
        "6": ("06", "13", "17", "22"),
    }
)
_LEFT_OUT: Final = {f"leave-one-{name}-out": name for name in ("speaker", "session", "corpus", "language")}
_GIANT: Final = 0.5  # of a corpus's rows in one group, from which folds are told to be uneven


_Plans = tuple[list[Plan], list[str]]  # and what must be told


def make_folds(
    examples: Sequence[Example],
    protocol: str,
    *,
    folds: int = FOLDS,
    sentence_groups: int = 2,
    seed: int = 0,
    split: str = "test",
) -> Division:
    """Divide rows by a protocol; rows of a fold keep their order, but which they are does not depend on it.

    Folds that are dealt here are speaker- and dialogue-disjoint: speakers who share a dialogue or a session
    go together. Where one value is left out, it is one of labelled rows; other rows of its dialogues are
    among the test rows of that fold as context, without labels, and nowhere else.

    Args:
        examples: of all corpora.
        protocol: of `PROTOCOLS`.
        folds: of "speaker-folds" and "text-independent", 3 or more.
        sentence_groups: of "text-independent", 2 or more.
        seed: of all that is dealt.
        split: what is scored under "split": "test", or "validation", whose rows are then the fold's test.

    Raises:
        UsageError: if an option is unknown, out of range or does not belong to the protocol.
        DataError: if the data do not have what the protocol deals by, or too little of it.
    """
    _check(protocol, folds, sentence_groups, split)
    if not examples:
        raise DataError("the data hold 0 rows; look at the files that they are read from")
    if protocol == "split":
        plans, told = _as_given(examples, split)
    else:
        _require_own_speakers(examples)
        if protocol == "speaker-folds":
            plans, told = _speaker_folds(examples, folds, seed)
        elif protocol == "text-independent":
            plans, told = _text_independent(examples, folds, sentence_groups, seed)
        elif protocol == "emobox-ravdess":
            plans, told = _emobox(examples)
        else:
            plans, told = _leave_one_out(examples, protocol, seed)
        _require_parts(plans, protocol)
    scored: Split = "validation" if split == "validation" else "test"
    return Division(
        protocol=protocol,
        description=PROTOCOLS[protocol],
        split=scored,
        seed=seed,
        folds=folds_of(examples, plans, scored),
        warnings=tuple(told),
    )


# --- refusals --------------------------------------------------------------------------------------------


def _check(protocol: str, folds: int, sentence_groups: int, split: str) -> None:
    if protocol not in PROTOCOLS:
        raise UsageError(f"there is no protocol {protocol!r}; {nearest(protocol, PROTOCOLS)}")
    if split not in ("test", "validation"):
        raise UsageError(f"the split {split!r} cannot be scored; give test or validation")
    if split != "test" and protocol != "split":
        raise UsageError(f"{protocol} scores the rows that its folds test; {split} goes with protocol split")
    if folds < LEAST_FOLDS and protocol in ("speaker-folds", "text-independent"):
        raise UsageError(
            f"{folds} folds are too few, as one tests, one validates and the others train; give 3 or more"
        )
    if sentence_groups < 2 and protocol == "text-independent":
        raise UsageError(
            f"{sentence_groups} groups of sentences are too few, as one tests and the others train; give 2 "
            "or more"
        )


def _require_own_speakers(examples: Sequence[Example]) -> None:
    """Refuse a name that two corpora give to a speaker: nobody can tell whether it is one person."""
    corpus: dict[str, str] = {}
    for example in examples:
        if example.speaker is None:
            continue
        other = corpus.setdefault(example.speaker, example.corpus)
        if other != example.corpus:
            one, two = sorted((other, example.corpus))
            raise DataError(
                f"the speaker {example.speaker!r} is in {one} and in {two}, and speakers need names that are "
                "unique across corpora; rename them in one of the two"
            )


def _require(examples: Sequence[Example], protocol: str, field: str, hint: str) -> None:
    """Refuse rows without what they are dealt by."""
    bare = [example for example in examples if getattr(example, field) is None]
    if bare:
        more = f" (as have {len(bare) - 1} more)" if len(bare) > 1 else ""
        raise DataError(
            f"{protocol} deals rows by {field}, and {name_of(bare[0])} has none{more}; fill the column "
            f"{field}, leave such rows out, or {hint}"
        )


def _require_parts(plans: Sequence[Plan], protocol: str) -> None:
    for plan in plans:
        empty = [part for part in SPLITS if part not in plan.parts]
        if empty:
            raise DataError(
                f"{protocol}: {plan.name} leaves no row for {empty[0]}; give more data, or another protocol"
            )


def _require_parts_of(sizes: Mapping[str, int], count: int, held: str, asked: str) -> None:
    if len(sizes) < count:
        raise DataError(
            f"{held}, and {count} {asked} are asked for; "
            + (f"ask for {len(sizes)}, " if len(sizes) >= LEAST_FOLDS else "")
            + "leave this corpus out, or choose another protocol"
        )


# --- protocols -------------------------------------------------------------------------------------------


def _as_given(examples: Sequence[Example], split: str) -> _Plans:
    bare = [example for example in examples if example.split is None]
    if bare:
        raise DataError(
            f"{len(bare)} of {len(examples)} rows, {name_of(bare[0])} the first, are in no split; fill the "
            "column split, name test and validation speakers under `splits`, choose a protocol that deals "
            "(--protocol speaker-folds), or have a finished model score all rows with --split all"
        )
    parts = [example.split for example in examples]
    if split not in parts:
        counts = Counter(map(str, parts))
        shown = ", ".join(f"{part} {rows}" for part, rows in sorted(counts.items()))
        raise DataError(
            f"no row is in the split {split}, which is scored (rows by split: {shown}); choose another with "
            "--split, or mark rows in the column split"
        )
    others = speakers_of(example for example in examples if example.split != split)
    held = speakers_of(example for example in examples if example.split == split)
    return [Plan(name="split", held_out=tuple(sorted({*held} - {*others})), parts=parts)], []


def _speaker_folds(examples: Sequence[Example], folds: int, seed: int) -> _Plans:
    fold_of, told = _deal_speakers(examples, "speaker-folds", folds, seed)
    return [
        Plan(
            name=f"fold {test + 1}",
            held_out=speakers_of(e for e, own in zip(examples, fold_of, strict=True) if own == test),
            parts=[_part(own, test, folds) for own in fold_of],
        )
        for test in range(folds)
    ], told


def _part(own: int, test: int, folds: int) -> Split:
    return "test" if own == test else "validation" if own == (test + 1) % folds else "train"


def _deal_speakers(
    examples: Sequence[Example], protocol: str, folds: int, seed: int
) -> tuple[list[int], list[str]]:
    """Return the fold that tests each row, and what must be told."""
    _require(examples, protocol, "speaker", "choose the protocol split")
    groups = group_rows(examples)
    placed: dict[str, int] = {}
    loads, told = [0] * folds, []
    for corpus, sizes in sizes_by_corpus(examples, groups).items():
        held = f"the speakers of {corpus} can be divided into {len(sizes)} at most"
        held += " (those who share a dialogue or a session stay together)"
        _require_parts_of(sizes, folds, held, "folds")
        rows, largest = sum(sizes.values()), max(sizes.values())
        if largest > _GIANT * rows:
            told.append(
                f"{corpus}: folds are uneven, as speakers who share dialogues or sessions, or one speaker, "
                f"have {largest} of {rows} rows"
            )
        dealt = deal(sizes, folds, seed, loads)
        for group, fold in dealt.items():
            loads[fold] += sizes[group]
        placed |= dealt
    return [placed[group] for group in groups], told


def _text_independent(examples: Sequence[Example], folds: int, sentence_groups: int, seed: int) -> _Plans:
    """Test speakers of one fold saying sentences of one group, so that every row tests once."""
    kept = [number for number, example in enumerate(examples) if example.sentence is not None]
    rows = [examples[number] for number in kept]
    sentences = [str(example.sentence) for example in rows]
    if not rows:
        raise DataError(
            "text-independent deals rows by sentence, and no row has one; fill the column sentence, or "
            "choose another protocol"
        )
    fold_of, told = _deal_speakers(rows, "text-independent", folds, seed)
    if len(rows) < len(examples):
        bare = [example for example in examples if example.sentence is None]
        told.append(f"{len(bare)} rows have no sentence and take no part, {name_of(bare[0])} the first")
    group_of: dict[str, int] = {}
    for corpus, sizes in sizes_by_corpus(rows, sentences).items():
        held = f"{corpus} has {len(sizes)} sentence{'' if len(sizes) == 1 else 's'}"
        _require_parts_of(sizes, sentence_groups, held, "groups of them")
        group_of |= deal(sizes, sentence_groups, seed, [0] * sentence_groups)
    plans = []
    for test in range(folds):
        for said in range(sentence_groups):
            parts: list[Split | None] = [None] * len(examples)
            for number, own, sentence in zip(kept, fold_of, sentences, strict=True):
                part = _part(own, test, folds)
                if (group_of[sentence] == said) == (part == "test"):
                    parts[number] = part
            plans.append(_text_plan(examples, f"speakers {test + 1}, sentences {said + 1}", parts))
    silent = [plan.name for plan in plans if "test" not in plan.parts]
    if silent:
        told.append(f"left out, as no held-out speaker says a held-out sentence: {'; '.join(silent)}")
    return [plan for plan in plans if plan.name not in silent], told


def _text_plan(examples: Sequence[Example], name: str, parts: Sequence[Split | None]) -> Plan:
    tested = [example for example, part in zip(examples, parts, strict=True) if part == "test"]
    sentences = sorted({str(example.sentence) for example in tested})
    held_out = (*speakers_of(tested), *(f"sentence {sentence}" for sentence in sentences))
    return Plan(name=name, held_out=held_out, parts=parts)


def _leave_one_out(examples: Sequence[Example], protocol: str, seed: int) -> _Plans:
    field = _LEFT_OUT[protocol]
    by_speaker = field in ("speaker", "session")
    labelled = [is_labelled(example) for example in examples]
    known = list(compress(examples, labelled))
    if not known:
        raise DataError(
            f"{protocol} tests rows with labels, and none has one; fill in emotion, intensity or change"
        )
    _require(known, protocol, field, "choose another protocol")
    written = {corpus for corpus, official in OFFICIAL_SPLITS.items() if official.written}
    spoken = [e for e in examples if by_speaker or e.corpus not in written]
    _require(spoken, protocol, "speaker", "choose the protocol split")
    values = [
        str(getattr(example, field)) if own else None for example, own in zip(examples, labelled, strict=True)
    ]
    wanted = sorted({value for value in values if value is not None})
    if len(wanted) < 2:
        raise DataError(
            f"{protocol} needs more than one {field}, and the data hold one, {wanted[0]}; choose another "
            "protocol"
        )
    plans, absent = [], Counter[str]()
    for value in wanted:
        rest, context = _apart(examples, [own == value for own in values])
        parts: list[Split | None] = ["test" if own == value else None for own in values]
        others = [examples[row] for row in rest]
        own_groups = group_rows(others, official=not by_speaker)
        has_label = [labelled[row] for row in rest]
        to_draw = list(compress(own_groups, has_label))
        if len(set(to_draw)) < 2:
            raise DataError(
                f"{protocol}: testing {value} leaves {len(set(to_draw))} of the two groups of speakers "
                "that are needed, one to train and one to validate; give more data, or another protocol"
            )
        chosen = draw_validation(list(compress(others, has_label)), to_draw, seed, value)
        for row, group in zip(rest, own_groups, strict=True):
            parts[row] = "validation" if group in chosen else "train"
        absent[value] = sum(own for own, part in zip(labelled, parts, strict=True) if part is None)
        plans.append(Plan(name=value, held_out=(value,), parts=parts, context=context))
    lost = [value for value in absent if absent[value]]
    if not lost:
        return plans, []
    return plans, [
        f"in {len(lost)} of {len(plans)} folds labelled rows are neither trained on nor scored, as they "
        "share a dialogue or a speaker with what is tested: "
        f"{listing([f'{value} {absent[value]}' for value in lost])}"
    ]


def _apart(examples: Sequence[Example], tests: Sequence[bool]) -> tuple[list[int], frozenset[int]]:
    """Return the rows that share neither speaker nor dialogue with those that test, and their dialogues'."""
    tested = [example for example, test in zip(examples, tests, strict=True) if test]
    speakers = {example.speaker for example in tested} - {None}
    dialogues = {example.dialogue_id for example in tested} - {None}
    others = [row for row, test in enumerate(tests) if not test]
    context = frozenset(row for row in others if examples[row].dialogue_id in dialogues)
    return [row for row in others if row not in context and examples[row].speaker not in speakers], context


def _emobox(examples: Sequence[Example]) -> _Plans:
    corpora = sorted({example.corpus for example in examples})
    if corpora != ["ravdess"]:
        raise UsageError(
            f"emobox-ravdess divides ravdess alone, and the data are {', '.join(corpora)}; leave the others "
            "out, or choose another protocol"
        )
    _require(examples, "emobox-ravdess", "speaker", "choose the protocol split")
    published = {actor: fold for fold, actors in EMOBOX_RAVDESS.items() for actor in actors}
    actors = [str(example.speaker).removeprefix("ravdess/") for example in examples]
    strange = sorted(set(actors) - set(published))
    if strange:
        raise DataError(
            f"emobox-ravdess: {strange[0]!r} is not an actor of RAVDESS, who are 01 to 24; leave "
            "such rows out, or choose another protocol"
        )
    there = sorted({published[actor] for actor in actors})
    if len(there) < 3:
        raise DataError(
            f"emobox-ravdess: actors of {len(there)} of its folds are at hand (fold {', '.join(there)}), and "
            "three are needed, to test, to validate and to train; fetch the other actors"
        )
    plans = []
    for place, fold in enumerate(there):
        number = [there.index(published[actor]) for actor in actors]
        plans.append(
            Plan(
                name=f"fold {fold}",
                held_out=tuple(sorted({f"ravdess/{a}" for a in actors if published[a] == fold})),
                parts=[_part(own, place, len(there)) for own in number],
            )
        )
    return plans, _emobox_gaps(set(actors), {label for e in examples for label in e.emotions})


def _emobox_gaps(actors: set[str], labels: set[str]) -> list[str]:
    told = []
    for fold, published in EMOBOX_RAVDESS.items():
        absent = [actor for actor in published if actor not in actors]
        if len(absent) == len(published):
            told.append(
                f"EmoBox's fold {fold} is left out: none of its actors {', '.join(absent)} is at hand"
            )
        elif absent:
            told.append(f"EmoBox's fold {fold} lacks the actors {', '.join(absent)}, who are not at hand")
    if "calm" not in labels:
        told.append(
            "no row is labelled calm, a class of its own in EmoBox's numbers; these are of other classes"
        )
    return told
