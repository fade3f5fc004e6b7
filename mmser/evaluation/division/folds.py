"""One division of the data into what trains, validates and tests, how groups are dealt, and the guard."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from scipy.cluster.hierarchy import DisjointSet

from mmser.data import Example, Split, to_dataset
from mmser.data.audit import OFFICIAL_SPLITS, OfficialSplit, require_disjoint
from mmser.data.schema import SPLITS
from mmser.errors import LeakingSplitError
from mmser.evaluation.division.data_info import content_sha256, content_size
from mmser.evaluation.judged import name_of

VALIDATION_SHARE: Final = 0.15  # of the rows that a fold does not test
DEALS: Final = 20  # that are drawn, the most even of which is taken
_NONE: Final = OfficialSplit()


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One division of the data; each row's `split` is the part that it is in."""

    name: str
    held_out: tuple[str, ...]  # speakers, sessions, … that are scored and nowhere else
    train: tuple[Example, ...]
    validation: tuple[Example, ...]  # none where the validation rows of the data are what is scored
    test: tuple[Example, ...]  # the rows that are scored, and those without labels that they are heard with

    @property
    def rows(self) -> tuple[Example, ...]:
        """All rows of the fold."""
        return self.train + self.validation + self.test


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One fold before its rows are marked."""

    name: str
    held_out: tuple[str, ...]
    parts: Sequence[Split | None]  # of each row; None = it takes no part
    context: frozenset[int] = frozenset()  # places of rows that take no part but are heard with those tested


@dataclass(frozen=True, kw_only=True)
class Division:
    """All folds of a protocol, and what must be told of them."""

    protocol: str
    description: str
    split: Split  # that is scored
    seed: int
    folds: tuple[Fold, ...]
    warnings: tuple[str, ...] = ()


def folds_of(examples: Sequence[Example], plans: Sequence[Plan], scored: Split) -> tuple[Fold, ...]:
    """Return the folds of some plans; rows keep their order.

    Args:
        examples: the rows.
        plans: which part each of them is in.
        scored: "test", or "validation": its rows are then what tests, and nothing validates.
    """
    # Marked once, not once a fold: one speaker out of many makes many folds.
    marked = {part: [e if e.split == part else replace(e, split=part) for e in examples] for part in SPLITS}

    def rows(plan: Plan, part: Split) -> tuple[Example, ...]:
        return tuple(e for e, own in zip(marked[part], plan.parts, strict=True) if own == part)

    def tested(plan: Plan) -> tuple[Example, ...]:
        speakers = {e.speaker for e in rows(plan, scored)}
        return tuple(
            _as_context(e, speakers) if place in plan.context else e
            for place, (e, own) in enumerate(zip(marked[scored], plan.parts, strict=True))
            if own == scored or place in plan.context
        )

    return tuple(
        Fold(
            name=plan.name,
            held_out=plan.held_out,
            train=rows(plan, "train"),
            validation=rows(plan, "validation") if scored == "test" else (),
            test=tested(plan),
        )
        for plan in plans
    )


def _as_context(example: Example, tested: Collection[str | None]) -> Example:
    """Return a row without labels; whoever is not tested is somebody of this dialogue alone.

    They may speak in training as well: of them nothing is scored here.
    """
    named = example.speaker is None or example.speaker in tested
    return replace(
        example,
        emotions=(),
        intensity=None,
        change=None,
        valence=None,
        speaker=example.speaker if named else f"{example.speaker} in {example.dialogue_id}",
    )


def speakers_of(examples: Iterable[Example]) -> tuple[str, ...]:
    """Return the known speakers of some rows, sorted."""
    return tuple(sorted({example.speaker for example in examples if example.speaker is not None}))


# --- groups ----------------------------------------------------------------------------------------------


def group_rows(examples: Sequence[Example], *, official: bool = False) -> list[str]:
    """Return each row's group: rows of two groups share no speaker, no dialogue and no session.

    Args:
        examples: the rows.
        official: True = as `OFFICIAL_SPLITS` allows: where speakers may be shared (MELD), dialogues are the
            groups, and a written comment of an unnamed writer is its own.

    Returns:
        A name for each row, which does not depend on their order.
    """
    keys = [_keys(example, official) for example in examples]
    links = DisjointSet()
    for row in keys:
        for key in row:
            links.add(key)
            links.merge(row[0], key)
    named = {key: min(subset) for subset in links.subsets() for key in subset}
    return [named[row[0]] for row in keys]


def _keys(example: Example, official: bool) -> list[str]:
    known = OFFICIAL_SPLITS.get(example.corpus, _NONE) if official else _NONE
    whole = known.shares_speakers and example.dialogue_id is not None
    linked = {
        "speaker": None if whole else example.speaker,
        "dialogue": example.dialogue_id,
        "session": example.session,
    }
    found = [f"{kind} {value}" for kind, value in linked.items() if value is not None]
    return found or [f"row {example.corpus} {example.id} {example.text}"]


def drawn(names: Collection[str], *seed: object) -> list[str]:
    """Return names in a random order that `seed` alone decides, whatever order they come in."""
    salt = "\n".join(str(part) for part in seed)
    return sorted(names, key=lambda name: hashlib.sha256(f"{salt}\n{name}".encode()).digest())


def deal(sizes: Mapping[str, int], count: int, seed: int, loads: Sequence[int]) -> dict[str, int]:
    """Return group → which of `count` parts it is dealt to, at random and even in rows.

    Groups of about one size are dealt together, one to each part, so that two parts differ by less than the
    largest group; the most even of several deals is taken.

    Args:
        sizes: group → rows.
        count: parts.
        seed: of the deal.
        loads: rows that each part holds already; the lightest comes first.
    """

    def spread(placed: Mapping[str, int]) -> tuple[int, int]:
        own = Counter({part: 0 for part in range(count)})
        for group, part in placed.items():
            own[part] += sizes[group]
        total = [loads[part] + own[part] for part in range(count)]
        return max(own.values()) - min(own.values()), max(total) - min(total)

    return min((_deal_once(sizes, count, (seed, number), loads) for number in range(DEALS)), key=spread)


def _deal_once(
    sizes: Mapping[str, int], count: int, seed: tuple[int, int], loads: Sequence[int]
) -> dict[str, int]:
    ranked = sorted(drawn(sizes, *seed), key=lambda group: -sizes[group])
    rows, placed = list(loads), {}
    for first in range(0, len(ranked), count):
        lightest = sorted(range(count), key=rows.__getitem__)
        for group, part in zip(drawn(ranked[first : first + count], *seed), lightest, strict=False):
            placed[group] = part
            rows[part] += sizes[group]
    return placed


def sizes_by_corpus(examples: Sequence[Example], names: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return corpus → group → rows, corpora sorted; a group that spans several belongs to the first."""
    corpus: dict[str, str] = {}
    for example, name in zip(examples, names, strict=True):
        corpus[name] = min(example.corpus, corpus.get(name, example.corpus))
    found: dict[str, dict[str, int]] = {own: {} for own in sorted(set(corpus.values()))}
    for name, rows in Counter(names).items():
        found[corpus[name]][name] = rows
    return found


def draw_validation(examples: Sequence[Example], groups: Sequence[str], *seed: object) -> set[str]:
    """Return groups with about `VALIDATION_SHARE` of each corpus's rows, at random; at least one, never all.

    Args:
        examples: rows that do not test.
        groups: of each row, two at least.
        seed: of the draw.
    """
    chosen: set[str] = set()
    by_corpus = sizes_by_corpus(examples, groups)
    for sizes in by_corpus.values():
        wanted, taken = VALIDATION_SHARE * sum(sizes.values()), 0
        for group in drawn(sizes, *seed):
            if abs(taken + sizes[group] - wanted) < abs(taken - wanted):
                chosen.add(group)
                taken += sizes[group]
    if not chosen:
        sizes = {group: rows for own in by_corpus.values() for group, rows in own.items()}
        chosen.add(min(drawn(sizes, *seed), key=sizes.__getitem__))
    return chosen


# --- the guard -------------------------------------------------------------------------------------------


def require_clean(
    fold: Fold, allow_overlap: bool, near: Sequence[tuple[Example, Example]] = ()
) -> str | None:
    """Return the mark that must stand beside every number of a fold; None if it needs none.

    Beside what `require_disjoint` looks at, no two parts may hold the same bytes of sound (and the same part
    and channel of it), under whichever names.

    Args:
        fold: also one that was dealt here.
        allow_overlap: whether a fold that leaks, or may, is taken all the same.
        near: pairs of rows of one recording, encoded differently: see `near_copies`.

    Raises:
        LeakingSplitError: if a speaker, a dialogue or a clip is in two parts, or it cannot be told.
        DataError: if a clip is missing.
    """
    mark = require_disjoint(to_dataset(fold.rows), allow_overlap)
    pairs = [*copies_across(fold), *_apart(fold, near)]
    copies = list({frozenset(map(name_of, pair)): pair for pair in pairs[::-1]}.values())[::-1]
    if not copies:
        return mark
    one, other = copies[0]
    pair = f"{name_of(one)} ({one.split}) and {name_of(other)} ({other.split})"
    what = f"{len(copies)} clip{'s' if len(copies) > 1 else ''} copied across splits"
    if not allow_overlap:
        raise LeakingSplitError(
            f"{fold.name}: {pair} hold the same sound ({what}); take one of them out, put both into one "
            "split, or give --allow-overlap, and every number will carry the mark"
        )
    added = f"overlap allowed: {what} ({pair})"
    return added if mark is None else f"{mark}; {added}"


def _apart(fold: Fold, pairs: Sequence[tuple[Example, Example]]) -> list[tuple[Example, Example]]:
    """Return the pairs of which each is in another part."""
    rows = {name_of(example): example for example in fold.rows}
    known = [(rows.get(name_of(one)), rows.get(name_of(other))) for one, other in pairs]
    return [(one, other) for one, other in known if one and other and one.split != other.split]


def copies_across(fold: Fold) -> list[tuple[Example, Example]]:
    """Return pairs of rows of two parts that hold the same bytes of sound in two files.

    Raises:
        DataError: if a clip is missing.
    """
    heard = [(example, content_size(example.audio)) for example in fold.rows if example.audio is not None]
    parts: dict[int, set[Split | None]] = defaultdict(set)
    for example, size in heard:
        parts[size].add(example.split)
    first: dict[tuple[object, ...], Example] = {}
    found = []
    for example, size in heard:
        if example.audio is None or len(parts[size]) < 2:
            continue  # only files of one size can be alike: most need not be read
        key = (content_sha256(example.audio), example.start, example.end, example.channel)
        other = first.setdefault(key, example)
        if other.split != example.split and other.audio != example.audio:
            found.append((other, example))
    return found
