"""Whether some groups are judged worse than others, and how large a gap is where there is none.

Genders and age bands are compared within corpora: one corpus is easier than another, and where it also holds
more women, all rows together would show a gap between genders that no corpus has (Simpson 1951). Over
several corpora, scores are therefore taken apart into a level of each corpus and one of each value, by least
squares, every corpus counting alike. Where all corpora hold all values, a value's score is then the mean of
its scores in the corpora.

Values are compared on the classes that all of them have, and their gap is held against those of a model that
has none (see `dealing`).
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mmser.data import Example
from mmser.errors import UsageError
from mmser.evaluation.defaults import DRAWS
from mmser.evaluation.judged import Bools, Ints, Judged, groups_of, truth_of
from mmser.evaluation.result import Gap
from mmser.evaluation.scores.dealing import Names, compare
from mmser.evaluation.scores.emotion_scores import METRICS, single_label

GENDER, AGE_BAND, LANGUAGE, CORPUS = ATTRIBUTES = ("gender", "age band", "language", "corpus")
WITHIN_CORPORA: Final = (GENDER, AGE_BAND)  # the others differ from corpus to corpus themselves
BANDS: Final = ((30, "under 30"), (45, "30–44"), (60, "45–59"), (math.inf, "60 and over"))  # ends in years
LEAST_ROWS, LEAST_VOICES = 30, 2  # of a value that is compared
NOT_GIVEN: Final = "not given"
NO_SHARED_CLASS: Final = "no class is common to the values"
ALL: Final = "all"
LARGEST: Final = 100.0  # points that two groups can lie apart


@dataclass(frozen=True, kw_only=True, eq=False)
class _Rows:
    """Columns of the rows that are compared; each is (rows,)."""

    truth: Ints
    guess: Ints
    value: Names  # of the attribute; "" = not given
    block: Names  # rows of two blocks are not compared: a corpus, or "" for all
    voice: Ints  # who speaks: a speaker with one value, or what stands for one

    def __len__(self) -> int:
        return len(self.truth)

    def where(self, kept: Bools) -> "_Rows":
        return _Rows(**{name: column[kept] for name, column in vars(self).items()})

    def cells(self) -> dict[tuple[str, str], Bools]:
        """Return (block, value) → its rows, as a mask, in order."""
        pairs = sorted(set(zip(self.block.tolist(), self.value.tolist(), strict=True)))
        return {(b, v): (self.block == b) & (self.value == v) for b, v in pairs}

    def voices(self, kept: Bools) -> int:
        """Return the number of voices among some rows."""
        return len(np.unique(self.voice[kept]))


def gaps(judged: Judged, *, metric: str = "UAR", draws: int = DRAWS, seed: int = 0) -> tuple[Gap, ...]:
    """Return the gaps by gender, age band, language and corpus, over all rows and in each corpus.

    An attribute is left out where it has one value throughout. Each row with a single label of the model's is
    in one of the groups, or counted in `left_out` or, for its class, in `note`.

    Args:
        judged: what a model says of labelled rows; the most probable emotion counts, even if it abstains.
        metric: of `METRICS`.
        draws: most deals of the values to the voices, and draws of the intervals' bootstrap.
        seed: of both.

    Raises:
        UsageError: if the metric is not known.
    """
    if metric not in METRICS:
        raise UsageError(f"the metric {metric!r} is not known; give one of {', '.join(METRICS)}")
    single = single_label(judged)
    if not len(single):
        return ()
    corpora = np.array([e.corpus for e in single.examples], np.str_)
    names, found = sorted(set(corpora.tolist())), []
    several = len(names) > 1
    for attribute in ATTRIBUTES:
        for data in [ALL, *(names if several and attribute != CORPUS else ())]:
            within = several and data == ALL and attribute in WITHIN_CORPORA
            rows = _rows(single, attribute, corpora, within=within)
            rows = rows if data == ALL else rows.where(corpora == data)
            given = set(rows.value.tolist()) - {""}
            if len(given) > 1 or (data == ALL and "" in rows.value):
                found.append(_gap(rows, single.labels, attribute, data, metric, draws, seed))
    return tuple(found)


def _rows(judged: Judged, attribute: str, corpora: Names, *, within: bool) -> _Rows:
    values = np.array([value_of(e, attribute) or "" for e in judged.examples], np.str_)
    # Where no speaker is named, a dialogue or row stands for one; of two values, a voice counts as two.
    names = [e.speaker or f"group {g}" for e, g in zip(judged.examples, groups_of(judged), strict=True)]
    block = corpora if within else np.full(len(judged), "", np.str_)
    parts = zip(block.tolist(), names, values.tolist(), strict=True)
    voices = np.array(["\n".join(part) for part in parts], np.str_)
    return _Rows(
        truth=truth_of(judged),
        guess=judged.guess(),
        value=values,
        block=block,
        voice=np.unique(voices, return_inverse=True)[1].astype(np.int64).reshape(len(judged)),
    )


def value_of(example: Example, attribute: str) -> str | None:
    """Return what a row is compared by; None where the corpus does not say.

    Args:
        example: the row.
        attribute: of `ATTRIBUTES`.
    """
    if attribute == AGE_BAND:
        age = example.age
        return None if age is None else next((band for end, band in BANDS if age < end), None)
    known = {GENDER: example.gender, LANGUAGE: example.language, CORPUS: example.corpus}
    return known[attribute]


# --- one gap -----------------------------------------------------------------------------------------------


def _gap(
    rows: _Rows,
    labels: Sequence[str],
    attribute: str,
    data: str,
    metric: str,
    draws: int,
    seed: int,
) -> Gap:
    """Compare the values of one attribute."""
    left_out: dict[str, str] = {}
    missing = rows.value == ""
    if missing.any():
        left_out[NOT_GIVEN] = f"{missing.sum()} rows without {attribute}"
    rows = rows.where(~missing)
    rows, note = _same_classes(rows, labels)
    rows = _comparable(rows, left_out)
    told = {"attribute": attribute, "data": data, "metric": metric, "left_out": left_out}
    note = "; ".join(filter(None, (_how(rows, attribute), note)))
    if not len(rows):
        nothing = dict.fromkeys(("gap", "threshold", "p_value"))
        return Gap(**told, **nothing, groups={}, smallest_n=0, smallest_voices=0, note=note)  # type: ignore[arg-type]
    comparison = compare(**vars(rows), classes=len(labels), metric=METRICS[metric])
    groups, chance = comparison.with_intervals(draws, seed), comparison.chance(draws, seed)
    if chance.threshold > LARGEST:  # no gap could be larger: so few voices tell nothing
        chance = replace(chance, threshold=LARGEST)
    return Gap(
        **told,  # type: ignore[arg-type]
        **vars(chance),
        groups=groups,
        smallest_n=min(score.n for score in groups.values()),
        smallest_voices=min(score.groups for score in groups.values()),
        note=note,
    )


def _how(rows: _Rows, attribute: str) -> str:
    """Return what the numbers are to be read with."""
    if attribute not in WITHIN_CORPORA:
        return "corpora differ in classes, scripts and recording, not in this alone"
    blocks = sorted(set(rows.block.tolist()) - {""})
    return f"compared within {', '.join(blocks)}, each counting alike" if blocks else ""


def _same_classes(rows: _Rows, labels: Sequence[str]) -> tuple[_Rows, str]:
    """Return the rows of classes that every large enough value of a block has, and what is to be said."""
    kept = np.ones(len(rows), np.bool_)
    for block in np.unique(rows.block):
        inside = rows.block == block
        own = rows.where(inside)
        present = [
            set(own.truth[cell].tolist()) for cell in own.cells().values() if _why_not(own, cell) is None
        ]
        if len(present) > 1:
            kept[inside] = np.isin(own.truth, sorted(set.intersection(*present)))
    if kept.all():
        return rows, ""
    shared = [label for i, label in enumerate(labels) if i in set(rows.truth[kept].tolist())]
    lost = int((~kept).sum())
    if not shared:
        return rows.where(kept), f"{NO_SHARED_CLASS}; {lost} rows are not compared"
    return rows.where(kept), (
        f"{lost} rows of classes that not every value has are not compared; compared are {', '.join(shared)}"
    )


def _why_not(rows: _Rows, cell: Bools) -> str | None:
    """Return why a value cannot be compared, None if it can."""
    n, voices = int(cell.sum()), rows.voices(cell)
    if n >= LEAST_ROWS and voices >= LEAST_VOICES:
        return None
    size = f"{n} {'row' if n == 1 else 'rows'} of {voices} {'voice' if voices == 1 else 'voices'}"
    return f"{size}; {LEAST_ROWS} rows of {LEAST_VOICES} voices are needed"


def _comparable(rows: _Rows, left_out: dict[str, str]) -> _Rows:
    """Return the rows whose value can be compared with another of its block; tell of the others."""
    cells = rows.cells()
    why = {key: reason for key, cell in cells.items() if (reason := _why_not(rows, cell)) is not None}
    partners = Counter(block for block, _ in cells.keys() - why.keys())
    for key in cells.keys() - why.keys():
        if partners[key[0]] < 2:
            why[key] = f"{int(cells[key].sum())} rows; there is nothing to compare with"
    for key in _apart({key: int(cells[key].sum()) for key in cells if key not in why}):
        why[key] = f"{int(cells[key].sum())} rows; no corpus holds it beside those that are compared"
    for block, value in sorted(why):
        left_out[f"{value} in {block}" if block else value] = why[block, value]
    kept = np.zeros(len(rows), np.bool_)
    for key in cells.keys() - why.keys():
        kept |= cells[key]
    return rows.where(kept)


def _apart(cells: dict[tuple[str, str], int]) -> list[tuple[str, str]]:
    """Return the cells (block, value) that no chain of blocks links to the most rows."""
    if not cells:
        return []
    (_, block), (_, value) = (np.unique([key[side] for key in cells], return_inverse=True) for side in (0, 1))
    size = block.max() + value.max() + 2
    links = coo_array((np.ones(len(cells)), (block, value + block.max() + 1)), shape=(size, size))
    _, component = connected_components(links, directed=False)
    main = np.bincount(component[block], list(cells.values())).argmax()
    return [key for key, own in zip(cells, component[block], strict=True) if own != main]
